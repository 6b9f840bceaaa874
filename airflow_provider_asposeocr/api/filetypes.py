"""
Choose what a result's file is called.

Invariant: no text from outside becomes a part of a path unless it has been through :func:`safe_stem`.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.file_kinds import sniff

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.operations import Operation

LONGEST_STEM_BYTES = 200

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
