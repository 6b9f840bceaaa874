"""
The length of a page's unit (``UserUnit``), which pdfium neither applies nor tells.

Large pages are described in units of more than a point. A page that is rendered without them is too small to read.
"""

from __future__ import annotations

import io
import math
import mmap
import re
import zlib
from typing import Any

import pypdfium2

#: A stream that holds other objects, pages among them, up to where its data begins.
_OBJECT_STREAM = re.compile(rb"/ObjStm\b[^>]*>>\s*stream\r?\n")
#: Most bytes of an object stream that are searched.
_MOST_BYTES = 2**24
#: As pdfium writes the dictionary of a page: keys are sorted. The value is a number or points to one.
_USER_UNIT = re.compile(rb"/Type/Page/UserUnit ([0-9.]+)( 0 R)?")


def may_have_user_units(path: str) -> bool:
    """
    Say whether a page of the document may have a unit of its own.

    :param path: The document.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"/UserUnit") >= 0:
            return True
        return any(_names_user_unit(data, match.end()) for match in _OBJECT_STREAM.finditer(data))


def _names_user_unit(data: mmap.mmap, start: int) -> bool:
    """Search one object stream; one that cannot be unpacked, as in an encrypted document, may name it."""
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
    Return the length of a page's unit in points; 1.0 where the page does not say.

    pdfium copies the entry with the page, and writes a new document in a form that can be searched.

    :param document: The document.
    :param index: Number of the page, from 0.
    """
    copy = pypdfium2.PdfDocument.new()
    try:
        copy.import_pages(document, [index])
    except pypdfium2.PdfiumError:
        return 1.0  # A damaged page: rendering it says so.
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
