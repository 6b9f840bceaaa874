"""
What kind of file some bytes are, and what a result's file is called.

Invariant: a kind is read off the content, never off a name that somebody sent; and no text from outside becomes a
part of a path unless it has been through :func:`safe_stem`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation

#: Enough for every signature below, the XML prologue of an SVG included.
HEAD_BYTES = 1024
LONGEST_STEM_BYTES = 200

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"AT&TFORM", "djvu"),
    (b"PK\x03\x04", "zip"),
)

#: Suffixes by the result's type. ``Excel`` and ``JSON`` are not documented as types of results, so their
#: neighbours are listed too.
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


def sniff(head: bytes) -> str | None:
    """
    Tell what kind of file begins like this.

    :param head: The first bytes, :data:`HEAD_BYTES` of them where there are so many.
    :return: ``png``, ``jpeg``, ``gif``, ``bmp``, ``tiff``, ``djvu``, ``pdf``, ``svg``, ``zip``, ``html``, ``json``,
        ``text``, or ``None``.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    # Readers accept a header anywhere in the first kilobyte (ISO 32000, implementation notes).
    if b"%PDF-" in head:
        return "pdf"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in text and text.startswith(b"<"):
        return "svg"
    if text.startswith((b"<!doctype html", b"<html")):
        return "html"
    if text.startswith((b"{", b"[")):
        return "json"
    return "text" if head and _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        # The cut may go through the middle of a character.
        decoded = head.decode("utf-8", "strict" if len(head) < HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in decoded)


def suffix_for(operation: Operation, result_type: str | None, head: bytes) -> str:
    """
    Choose the suffix of a result's file.

    :param operation: The operation that made it; some answer JSON under the type ``Text`` or ``Other``.
    :param result_type: The result's type, any string.
    :param head: The first bytes of the result.
    :return: One of a fixed set of suffixes, with the dot; ``.bin`` where nothing is known.
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
    Make the stem of a file name from a name that came from outside.

    :param name: A name, perhaps with folders, hostile parts or a suffix.
    :return: A stem that names a file in the folder it is put in and nothing else, at most 200 bytes; ``None``
        where nothing usable is left.
    """
    last = PurePosixPath((name or "").replace("\\", "/")).name
    printable = re.sub(r"[^\w .+()-]", "_", last)
    stem = PurePosixPath(printable).stem.strip(" .")
    # File systems take 255 bytes; the suffix and a number must fit too.
    stem = stem.encode()[:LONGEST_STEM_BYTES].decode("utf-8", "ignore").strip(" .")
    return stem or None
