"""
Escape text from requests before it is shown.

Invariant: no control character from a request reaches a message, a log line or a terminal unescaped.
"""

from __future__ import annotations

import unicodedata

_LONGEST = 500


def printable(text: str) -> str:
    r"""
    Make a text safe to show.

    :param text: Any text, for example the name of a setting in a request.
    :return: The text with control, format and surrogate characters as ``\xNN`` escapes, cut after 500 characters.
    """
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in shown
    )
