"""
Strings in JSON text that comes piece by piece.

Invariant: where a string ends does not depend on where the text is cut, as long as each piece begins outside of an escape.
Bytes are searched for with ``find``, which is some fifty times as fast as a regular expression; the strings are long.
"""

from __future__ import annotations

import json

_BACKSLASH = ord("\\")
#: Of an escape that is not complete, the most that can be there: all but the last digit of four.
_MOST_INCOMPLETE = 5


def _backslashes(view: bytes, at: int, end: int) -> int:
    """Count the backslashes right before ``end``, not looking before ``at``."""
    start = end
    while start > at and view[start - 1] == _BACKSLASH:
        start -= 1
    return end - start


def string_end(view: bytes, at: int) -> int:
    """
    Find the quote that ends a string.

    :param view: JSON text.
    :param at: Where to begin: inside the string and outside of an escape.
    :return: Its place; -1 if it is not there yet.
    """
    end = view.find(b'"', at)
    while end >= 0 and _backslashes(view, at, end) % 2:
        end = view.find(b'"', end + 1)
    return end


def whole_escapes(view: bytes, at: int) -> int:
    """
    Tell how far a part of a string goes without an escape that is not complete.

    :param view: JSON text that ends inside the string.
    :param at: Where to begin: inside the string and outside of an escape.
    :return: The end of that part.
    """
    last = view.rfind(b"\\", max(at, len(view) - _MOST_INCOMPLETE))
    if last < 0 or _backslashes(view, at, last + 1) % 2 == 0:
        return len(view)
    length = 6 if view[last + 1 : last + 2] == b"u" else 2
    return last if last + length > len(view) else len(view)


def plain(text: bytes) -> bytes:
    """
    Resolve the escapes of a string.

    :param text: The inside of the string.
    :return: What it means; as it is where it makes no sense.
    """
    if b"\\" not in text:
        return text
    try:
        return str(json.loads(b'"%s"' % text)).encode("utf-8", "replace")
    except ValueError:
        return text
