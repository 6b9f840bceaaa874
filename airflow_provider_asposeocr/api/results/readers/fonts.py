"""
Read the result of IdentifyFont.

Its content looks like a literal of Python with single quotes, ``{'style': 'regular', 'font': ['tahoma', …]}``, which
is not JSON (vendor's docs). It is parsed as a literal, and nothing in it is executed.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_asposeocr.api.errors import ResultTooLargeError
from airflow_provider_asposeocr.api.results.readers.content import decode, unreadable

#: The vendor lists 21 typefaces; all of them fit a hundred times.
MOST_FONT_BYTES = 64 * 1024
#: Python's parser would take more memory for each level, and end the process beyond some thousand of them.
_DEEPEST = 10
#: A string, perhaps without its end. The pattern never goes back, so that its time is linear.
_STRING = re.compile(r"""'(?:[^'\\\n]|\\.)*+'?|"(?:[^"\\\n]|\\.)*+"?""")
#: A literal without its strings and blanks: no operator, no call, nothing that nests without brackets.
_SIMPLE = re.compile(
    r"(?:(?<![)\]}\w])[\[({]|[\])},:]|True|False|None|S|(?<![\w.)\]}])-?\d[\d.]*+(?:[eE][-+]?\d++)?)*+"
)


@dataclass(frozen=True, slots=True)
class Fonts:
    """
    The typefaces that the cloud has recognized.

    :param style: For example ``regular``; ``None`` where the cloud gives none.
    :param fonts: Names of the typefaces, in the cloud's order.
    :param raw: What the cloud sent, parsed. Whether it has other keys is undocumented.
    """

    style: str | None
    fonts: tuple[str, ...]
    raw: Mapping[Any, Any]

    @property
    def font(self) -> str | None:
        """The first of them; ``None`` where there is none."""
        return self.fonts[0] if self.fonts else None


def read_fonts(data: bytes) -> Fonts:
    """
    Read the result of IdentifyFont.

    :param data: Its content: a literal of Python, or JSON.
    :return: The typefaces.
    :raises ResultUnreadableError: if it is neither, or no dictionary.
    :raises ResultTooLargeError: if it is larger than :data:`MOST_FONT_BYTES`.
    """
    if len(data) > MOST_FONT_BYTES:
        raise ResultTooLargeError(
            f"The result has {len(data)} bytes; the reader of fonts takes {MOST_FONT_BYTES} at most."
        )
    text = decode(data, "fonts").strip()
    found = _literal(text)
    if not isinstance(found, Mapping):
        raise unreadable("fonts", "it is no dictionary")
    names = found.get("font")
    listed = names if isinstance(names, list | tuple) else [names]
    style = found.get("style")
    return Fonts(
        style if isinstance(style, str) else None,
        tuple(name for name in listed if isinstance(name, str)),
        found,
    )


def _literal(text: str) -> Any:
    # The vendor's form is JSON but for its quotes. Python's parser would take more time and much more memory.
    has_other_quotes = '"' in text or "\\" in text
    for json_text in (text,) if has_other_quotes else (text, text.replace("'", '"')):
        try:
            return json.loads(json_text)
        except (ValueError, RecursionError):
            continue
    _check_form(text)
    try:
        return ast.literal_eval(text)
    # What literal_eval raises is documented as "malformed input may raise" these.
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise unreadable("fonts", f"it is no literal ({type(error).__name__})") from None


def _check_form(text: str) -> None:
    """
    Refuse what is no plain literal before Python's parser sees it.

    Python's docs warn that the parser may end the process where a text is nested deeply.
    """
    plain = "".join(_STRING.sub(_mark_of, text).split())
    depth = deepest = 0
    for char in plain:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise unreadable("fonts", "it is nested too deeply")
    if not _SIMPLE.fullmatch(plain):
        raise unreadable("fonts", "it is no plain literal")


def _mark_of(string: re.Match[str]) -> str:
    """Return ``S`` for a whole string, and what no literal has for one without its end."""
    found = string[0]
    return "S" if len(found) > 1 and found[-1] == found[0] else "?"
