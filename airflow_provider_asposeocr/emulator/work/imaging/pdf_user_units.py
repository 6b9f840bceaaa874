"""
Find the length of a PDF page's unit (``UserUnit``), which pdfium neither applies nor returns.

The unit of a large page may be longer than a point. Without it, the page would be rendered too small to read.
"""

from __future__ import annotations

import io
import math
import mmap
import re
import zlib
from typing import Any

import pypdfium2

#: The beginning of a stream that contains other objects, for example pages, up to its data.
_OBJECT_STREAM = re.compile(rb"/ObjStm\b[^>]*>>\s*stream\r?\n")
#: Most bytes of an object stream that are searched.
_MOST_BYTES = 2**24
#: The dictionary of a page in the form that pdfium writes, with sorted keys. The value is a number or a reference to one.
_USER_UNIT = re.compile(rb"/Type/Page/UserUnit ([0-9.]+)( 0 R)?")


def may_have_user_units(path: str) -> bool:
    """
    Return whether a page of the document may have a ``UserUnit``.

    :param path: The document.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"/UserUnit") >= 0:
            return True
        return any(_names_user_unit(data, match.end()) for match in _OBJECT_STREAM.finditer(data))


def _names_user_unit(data: mmap.mmap, start: int) -> bool:
    """Search one object stream. If it cannot be decompressed, as in an encrypted document, it may contain the name."""
    unpacker = zlib.decompressobj()
    found = b""
    try:
        while not unpacker.eof and len(found) < _MOST_BYTES and start < len(data):
            found += unpacker.decompress(data[start : start + 65536], _MOST_BYTES - len(found))
            start += 65536
    except zlib.error:
        return True
    return b"/UserUnit" in found


def user_unit_of(document: Any, index: int) -> float:
    """
    Return the length of a page's unit in points; 1.0 if the page has no ``UserUnit``.

    pdfium copies the entry together with the page, and writes new documents in a form that can be searched.

    :param document: The document.
    :param index: Number of the page, from 0.
    """
    copy = pypdfium2.PdfDocument.new()
    try:
        copy.import_pages(document, [index])
    except pypdfium2.PdfiumError:
        return 1.0  # The page is damaged; rendering it fails with a message.
    written = io.BytesIO()
    copy.save(written)
    copy.close()
    match = _USER_UNIT.search(written.getvalue())
    if match is not None and match[2]:
        match = re.search(rb"\r\n%s 0 obj\s+([0-9.]+)" % match[1], written.getvalue())
    try:
        unit = float(match[1]) if match is not None else 1.0
    except ValueError:
        return 1.0
    return unit if unit > 0 and math.isfinite(unit) else 1.0
