"""
Requests for a part of a file, and for a file only if it has changed (RFC 9110). Pure.

Invariant: what cannot be understood is answered with the whole file, as the standard asks for; a part is never longer than
the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """
    A part of a file, with at least one byte.

    :param first: Place of its first byte, from 0.
    :param last: Place of its last byte.
    """

    first: int
    last: int

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self.last - self.first + 1


class UnsatisfiableRangeError(ValueError):
    """The file has no byte of the range that is asked for."""


def parse_range(header: str | None, size_bytes: int) -> Part | None:
    """
    Read the header ``Range``.

    :param header: Its value; ``None`` = there is none.
    :param size_bytes: Size of the file.
    :return: The part; ``None`` = the whole file, also for several ranges at once and for what is no range.
    :raises UnsatisfiableRangeError: if the range begins behind the end of the file, or asks for its last zero bytes.
    """
    found = _ONE_RANGE.fullmatch(header.strip()) if header and header.isascii() else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        wanted = min(int(last), size_bytes)
        if not wanted:
            raise UnsatisfiableRangeError
        return Part(size_bytes - wanted, size_bytes - 1)
    if last and int(last) < int(first):
        return None
    if int(first) >= size_bytes:
        raise UnsatisfiableRangeError
    return Part(int(first), min(int(last) if last else size_bytes - 1, size_bytes - 1))


def etag_of(sha256: str) -> str:
    """
    Return the strong entity tag of a file.

    :param sha256: Its checksum in hex. Files of the same checksum are the same file.
    """
    return f'"{sha256}"'


def accepts_gzip(header: str | None) -> bool:
    """
    Tell whether the header ``Accept-Encoding`` names gzip.

    :param header: Its value; ``None`` = there is none. A quality of zero refuses it; ``*`` does not name it.
    """
    for each in (header or "").lower().split(","):
        name, _, quality = each.replace(" ", "").partition(";q=")
        if name in ("gzip", "x-gzip"):
            return quality.strip("0.") != "" or not quality
    return False


def names_etag(header: str | None, etag: str) -> bool:
    """
    Tell whether the header ``If-None-Match`` names an entity tag.

    :param header: Its value; ``None`` = there is none.
    :param etag: The tag. ``*`` does not name it: it would ask whether the file exists, which only a request to the storage
        tells.
    """
    return etag in [each.strip().removeprefix("W/") for each in (header or "").split(",")]


def wants_range(if_range: str | None, etag: str) -> bool:
    """
    Tell whether the header ``If-Range`` lets a range apply.

    :param if_range: Its value; ``None`` = there is none.
    :param etag: The entity tag of the file.
    """
    return if_range is None or if_range.strip() == etag
