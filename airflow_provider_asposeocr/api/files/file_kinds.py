"""
Recognize the kind of a file by its content.

Invariant: the name of a file does not matter. A text that only begins like an image or mentions a PDF is a text, because a
wrong guess would be billed. The emulator uses the same functions, so that both sides mean the same by a kind.
"""

from __future__ import annotations

import re
import struct
from typing import IO, TYPE_CHECKING

from airflow_provider_asposeocr.api.files.contents import opened

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.files.contents import Content

#: Bytes at the beginning of a file that :func:`sniff` reads. Drawing programs write long comments before the root of an SVG.
HEAD_BYTES = 64 * 1024
#: Bytes at the end of a file that :func:`sniff` reads; a PDF has ``startxref`` there.
TAIL_BYTES = 4096

#: Readers accept the header of a PDF anywhere in the first kilobyte (ISO 32000, implementation notes).
_PDF_HEADER_BYTES = 1024
#: A header line after other bytes: nothing readable stands before it in its line, and only blanks after the version.
_PDF_HEADER_LINE = re.compile(rb"(?:^|[^\x20-\x7e])[ \t]*%PDF-\d\.\d(?=\s|$)")

#: Signatures that contain bytes which no text contains.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "bigtiff"),
    (b"MM\x00+", "bigtiff"),
    (b"PK\x03\x04", "zip"),
)
#: Sizes of a BMP's second header, by its version; they stand after the signature and twelve other bytes.
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

_TEXT_BYTES = 1024
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
#: What an XML file may have before its root element: blanks, declarations, comments, and a DOCTYPE with entities.
_XML_PROLOGUE = re.compile(
    r"""\s+ | <\?.*?\?> | <!--.*?-->
    | <!doctype (?: [^\[>"'] | "[^"]*+" | '[^']*+'
        | \[ (?: [^\]"'<] | <!--.*?--> | <(?!!--) | "[^"]*+" | '[^']*+' )*+ \] )*+ >""",
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_ROOT_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([\w.-]+)(?=[\s/>])")
_HTML = re.compile(r"\s*<!doctype\s+html", re.IGNORECASE)

#: Tags of a TIFF directory that say that a page is a smaller copy or a mask of another.
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE = 254, 255
_MOST_DIRECTORIES = 100


#: What :func:`sniff` recognizes.
KINDS = frozenset(
    {"png", "jpeg", "gif", "bmp", "tiff", "bigtiff", "djvu", "pdf", "svg", "zip", "html", "json", "text"}
)


def sniff(head: bytes, tail: bytes | None = None) -> str | None:
    """
    Return the kind of a file by its first and last bytes.

    :param head: The first bytes, :data:`HEAD_BYTES` of them if the file has as many.
    :param tail: The last bytes, :data:`TAIL_BYTES` of them if the file has as many; by default those of ``head``, for a
        file that is not longer.
    :return: ``png``, ``jpeg``, ``gif``, ``bmp``, ``tiff``, ``bigtiff``, ``djvu``, ``pdf``, ``svg``, ``zip``, ``html``,
        ``json``, ``text``, or ``None``.
    """
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    return _sniff_printable_signature(head) or _sniff_pdf(head, tail) or _sniff_text(head)


def sniff_file(content: Content) -> str | None:
    """
    Return the kind of a file.

    :param content: Local file, or its bytes.
    :return: As :func:`sniff`.
    """
    with opened(content) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(max(0, stream.seek(0, 2) - TAIL_BYTES))
        return sniff(head, stream.read(TAIL_BYTES))


def _sniff_printable_signature(head: bytes) -> str | None:
    """Recognize formats whose signature is made of letters; a text may begin with the same letters."""
    if head.startswith(b"BM") and len(head) >= 18:
        (header_size,) = struct.unpack_from("<I", head, 14)
        return "bmp" if header_size in _BMP_HEADER_SIZES else None
    if head.startswith((b"GIF87a", b"GIF89a")) and not _is_text(head):
        return "gif"
    if head.startswith(b"AT&TFORM") and head[12:15] == b"DJV":
        return "djvu"
    return None


def _sniff_pdf(head: bytes, tail: bytes | None) -> str | None:
    if head.startswith(b"%PDF-"):
        return "pdf"
    end = head if tail is None else tail
    if _PDF_HEADER_LINE.search(head[:_PDF_HEADER_BYTES]) and b"startxref" in end[-TAIL_BYTES:]:
        return "pdf"
    return None


def _sniff_text(head: bytes) -> str | None:
    markup = _decoded(head)
    root = _root_element(markup)
    if root == "svg":
        return "svg"
    if root.lower() == "html" or _HTML.match(markup):
        return "html"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return "json"
    return "text" if head and _is_text(head) else None


def _decoded(head: bytes) -> str:
    """Decode what may be markup; its tags are ASCII in every encoding but UTF-16 and UTF-32."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    if head.startswith(b"<\x00"):
        return head.decode("utf-16-le", "replace")
    if head.startswith(b"\x00<"):
        return head.decode("utf-16-be", "replace")
    return head.decode("latin-1")


def _root_element(text: str) -> str:
    """Return the local name of the root element of an XML or HTML file, or an empty string."""
    position = 0
    while match := _XML_PROLOGUE.match(text, position):
        position = match.end()
    root = _ROOT_ELEMENT.match(text, position)
    return root[1] if root else ""


def _is_text(head: bytes) -> bool:
    head = head[:_TEXT_BYTES]
    try:
        # The cut may go through the middle of a character.
        decoded = head.decode("utf-8", "strict" if len(head) < _TEXT_BYTES else "ignore")
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() for char in decoded)


def has_several_pages(content: Content) -> bool:
    """
    Return whether a TIFF has more than one page.

    Smaller copies of a page (thumbnails) and masks do not count. A damaged file counts as one page; the code that reads it
    reports the damage.

    :param content: Local file of the kind ``tiff``, or its bytes.
    """
    with opened(content) as stream:
        try:
            return _count_pages(stream) > 1
        except (struct.error, OSError):
            return False


def _count_pages(stream: IO[bytes]) -> int:
    """Count the pages of a TIFF, up to two."""
    order = "<" if stream.read(4).startswith(b"II") else ">"
    (offset,) = struct.unpack(f"{order}I", stream.read(4))
    pages, seen = 0, set[int]()
    while offset and offset not in seen and len(seen) < _MOST_DIRECTORIES and pages < 2:
        seen.add(offset)
        stream.seek(offset)
        (count,) = struct.unpack(f"{order}H", stream.read(2))
        entries = stream.read(12 * count)
        pages += not _is_secondary(entries, order)
        (offset,) = struct.unpack(f"{order}I", stream.read(4))
    return pages


def _is_secondary(entries: bytes, order: str) -> bool:
    """Return whether a TIFF directory describes a smaller copy or a mask of another page."""
    for start in range(0, len(entries) - 11, 12):
        tag, form = struct.unpack_from(f"{order}HH", entries, start)
        if tag in (_NEW_SUBFILE_TYPE, _SUBFILE_TYPE):
            (value,) = struct.unpack_from(f"{order}{'H' if form == 3 else 'I'}", entries, start + 8)
            return bool(value & 0b101) if tag == _NEW_SUBFILE_TYPE else value == 2
    return False
