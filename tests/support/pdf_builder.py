"""Small PDF documents made of their objects."""

from __future__ import annotations

import zlib


def pdf_of(*objects: bytes) -> bytes:
    """A document of ``objects``, numbered from 1; the first is the catalog."""
    file = bytearray(b"%PDF-1.7\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start, count = len(file), len(objects) + 1
    file += b"xref\n0 %d\n0000000000 65535 f \n" % count
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, start)
    return bytes(file)


def stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def pdf_with_object_streams(catalog: bytes, *objects: bytes) -> bytes:
    """A document whose ``objects`` (numbered from 2; no streams) are packed, as most programs write them today."""
    numbered = list(enumerate(objects, start=2))
    bodies, places, offset = b"", b"", 0
    for number, content in numbered:
        places += b"%d %d " % (number, offset)
        bodies += content + b" "
        offset = len(bodies)
    packed = zlib.compress(places + bodies)
    entries = b"/Type /ObjStm /N %d /First %d /Filter /FlateDecode" % (len(numbered), len(places))
    holder, index = len(objects) + 2, len(objects) + 3
    file = bytearray(b"%PDF-1.7\n")
    rows = [b"\0\0\0\0\xff"]
    rows.append(b"\1" + len(file).to_bytes(3, "big") + b"\0")
    file += b"1 0 obj\n%s\nendobj\n" % catalog
    rows += [b"\2" + holder.to_bytes(3, "big") + bytes([place]) for place in range(len(numbered))]
    rows.append(b"\1" + len(file).to_bytes(3, "big") + b"\0")
    file += b"%d 0 obj\n%s\nendobj\n" % (holder, stream(entries, packed))
    start = len(file)
    rows.append(b"\1" + start.to_bytes(3, "big") + b"\0")
    table = b"/Type /XRef /W [1 3 1] /Size %d /Root 1 0 R" % (index + 1)
    file += b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (index, stream(table, b"".join(rows)), start)
    return bytes(file)
