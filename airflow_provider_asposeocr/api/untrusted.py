"""
Text that comes from outside, made fit to be shown.

Invariant: nothing that the cloud, a gateway or a file name says reaches a log, an exception or a screen with
control characters in it or at a length that drowns everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_CHARACTERS = 500


def shown(text: object, limit: int = SHOWN_CHARACTERS) -> str:
    """
    Make a foreign text safe to log or to show.

    :param text: What to show; anything but a string is converted first.
    :param limit: Longest result in characters, because an error page can be megabytes long.
    :return: The text with control and other unprintable characters escaped, cut to the limit.
    """
    cut = str(text)[: limit + 1]
    escaped = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in cut.strip()
    )
    return escaped if len(escaped) <= limit else f"{escaped[: limit - 1]}…"


def shown_all(texts: Iterable[object], limit: int = SHOWN_CHARACTERS) -> str:
    """
    Join several foreign texts into one that is safe to log or to show.

    :param texts: What to show, in this order.
    :param limit: Longest result in characters.
    :return: The texts, each escaped, separated by ``"; "``.
    """
    return shown("; ".join(shown(text, limit) for text in texts), limit)
