"""
Choose the name of a result's file.

Invariant: untrusted text becomes part of a path only after :func:`safe_stem` or :func:`safe_name` has made it safe.
"""

from __future__ import annotations

import hashlib
import unicodedata
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.files.file_kinds import sniff

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation

LONGEST_STEM_BYTES = 200
#: Room for the longest suffix of a result and the number of one of several results (``-12.hocr``).
LONGEST_SUFFIX_BYTES = 10
_CHECKSUM_CHARACTERS = 10
#: Characters of names that are kept in addition to letters, marks and digits.
_MARKS = " .+()-_,"
#: Only these suffixes are removed from a name; the text after the last dot of "FAX.001" or "report v1.1" is part of it.
_DOCUMENT_SUFFIXES = frozenset(
    ".bmp .dib .djv .djvu .gif .jfif .jpe .jpeg .jpg .pdf .png .svg .text .tif .tiff .txt .webp".split()
)

#: Suffixes by the result's type. The vendor does not document ``Excel`` and ``JSON`` as types of results, so that similar
#: names are listed, too.
_SUFFIXES = {
    "text": ".txt",
    "pdf": ".pdf",
    "hocr": ".hocr",
    "imagepng": ".png",
    "csv": ".csv",
    "excel": ".xlsx",
    "xlsx": ".xlsx",
    "json": ".json",
    "wav": ".wav",
    "wavfile": ".wav",
}
#: All suffixes that :func:`suffix_for` chooses from.
ALL_SUFFIXES = tuple(sorted({*_SUFFIXES.values(), ".bin"}))


def suffix_for(operation: Operation, result_type: str | None, head: bytes) -> str:
    """
    Choose the suffix of a result's file.

    :param operation: The operation that made it; some answer JSON under the type ``Text`` or ``Other``.
    :param result_type: The result's type, any string.
    :param head: The first bytes of the result.
    :return: One of a fixed set of suffixes, with the dot; ``.bin`` if the type is unknown.
    """
    if operation.result_suffix:
        return operation.result_suffix
    known = _SUFFIXES.get((result_type or "").lower())
    if known:
        return known
    kind = sniff(head)
    return {"pdf": ".pdf", "png": ".png", "json": ".json", "zip": ".xlsx", "text": ".txt"}.get(
        kind or "", ".bin"
    )


def safe_stem(name: str | None) -> str | None:
    """
    Make the stem of a file name from an untrusted name.

    Letters, marks and digits of all scripts are kept. If anything other than the suffix of a document was removed, a
    checksum of the name is added, so that different names give different stems; the exception is ``page.png`` and
    ``page.tif``, which both give ``page``.

    :param name: A name, which may contain folders, hostile parts or a suffix.
    :return: A stem of at most 200 bytes, which cannot leave the folder of the file; ``None`` if no usable character is left.
    """
    name = name or ""
    last = PurePosixPath(name.replace("\\", "/")).name
    base, dot, suffix = last.rpartition(".")
    plain = base if base and f"{dot}{suffix}".lower() in _DOCUMENT_SUFFIXES else last
    stem = _cut("".join(_kept(char, _MARKS) for char in plain).strip(" ."), LONGEST_STEM_BYTES)
    # A backslash may be a part of the name, or stand between folders.
    if not stem or (stem == plain and "\\" not in name):
        return stem or None
    return _with_checksum(stem, name)


def safe_name(name: str) -> str:
    """
    Make one part of a path from the name of a file or a folder that came from outside, its suffix kept.

    As with :func:`safe_stem`, letters, marks and digits are kept, and where anything had to go, a checksum is added. Marks
    that stand in the names of partitions (``day=2026-03-02``) and of mailboxes are kept, too: no storage library gives
    them a meaning.

    :param name: The name, without folders; perhaps empty, ``..`` or hostile.
    :return: A name of at most 200 bytes that is visible, and neither ``.`` nor ``..``.
    """
    kept = _cut("".join(_kept(char, _MARKS + "=@&!~'") for char in name).strip(" ."), LONGEST_STEM_BYTES)
    return kept if kept and kept == name else _with_checksum(kept or "_", name)


def _with_checksum(kept: str, name: str) -> str:
    checksum = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_CHECKSUM_CHARACTERS]
    # Cut again, because the name must have room for the checksum.
    return f"{_cut(kept, LONGEST_STEM_BYTES - len(checksum) - 1)}-{checksum}"


def _kept(char: str, marks: str) -> str:
    category = unicodedata.category(char)
    if category[0] in "LMN" or char in marks:
        return char
    # Invisible characters, for example the joiners of Persian and Hindi, leave no gap.
    return "" if category == "Cf" else "_"


def _cut(text: str, most_bytes: int) -> str:
    # File systems take 255 bytes; the suffix and a number must fit too.
    return text.encode()[:most_bytes].decode("utf-8", "ignore").strip(" .")
