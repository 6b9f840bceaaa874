"""
Write the result ``Pdf``: images of the prepared pages with the recognized text as invisible text.

Invariant: each page is written to disk before the next one is read. The extracted text is in reading order, with the spaces
and line breaks of the result ``Text``.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging.glyphless_font import GlyphlessFont
from airflow_provider_asposeocr.emulator.work.imaging.text_layer import TextLayer, number

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Image
    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage

_JPEG_QUALITY = 85
#: Longest side of a page that PDF readers accept, in points.
_LONGEST_SIDE = 14400.0
# Numbers of the objects that every file has; the objects of pages follow.
_CATALOG, _PAGES, _FONT, _CID_FONT, _DESCRIPTOR, _TO_UNICODE, _GLYPH_MAP, _FONT_FILE = range(1, 9)


class SearchablePdf:
    """
    Writes a searchable PDF page by page.

    :param path: File to write.
    """

    type = "Pdf"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("wb")
        self._offsets: dict[int, int] = {}
        self._page_ids: list[int] = []
        self._font = GlyphlessFont()
        self._next_id = _FONT_FILE + 1
        # The comment of bytes above 127 marks the file as binary for transfer programs.
        self._file.write(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")

    def add(self, recognized: RecognizedPage) -> None:
        """Append one page."""
        image = recognized.page.image
        height, width = image.shape[:2]
        scale = min(72 / recognized.page.dpi, _LONGEST_SIDE / max(width, height))
        page_id, content_id, image_id = self._next_id, self._next_id + 1, self._next_id + 2
        self._next_id += 3
        self._page_ids.append(page_id)
        self._stream(image_id, *_image_stream(image))
        self._stream(content_id, b"", zlib.compress(_content(recognized, self._font, scale)))
        self._object(
            page_id,
            b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %s %s] /Contents %d 0 R\n"
            b"/Resources << /XObject << /Im %d 0 R >> /Font << /F %d 0 R >> >> >>"
            % (_PAGES, number(width * scale), number(height * scale), content_id, image_id, _FONT),
        )

    def finish(self) -> None:
        """Write the objects that the pages share, and close the file."""
        kids = b" ".join(b"%d 0 R" % page_id for page_id in self._page_ids)
        self._object(_CATALOG, b"<< /Type /Catalog /Pages %d 0 R >>" % _PAGES)
        self._object(_PAGES, b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(self._page_ids), kids))
        self._write_font()
        self._write_index()
        self._file.close()

    def close(self) -> None:
        """Close the file, finished or not."""
        self._file.close()

    def _write_font(self) -> None:
        name = b"/GlyphlessFont"
        self._object(
            _FONT,
            b"<< /Type /Font /Subtype /Type0 /BaseFont %s /Encoding /Identity-H /DescendantFonts [%d 0 R] "
            b"/ToUnicode %d 0 R >>" % (name, _CID_FONT, _TO_UNICODE),
        )
        self._object(
            _CID_FONT,
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont %s /FontDescriptor %d 0 R /DW %d /CIDToGIDMap %d 0 R "
            b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>"
            % (name, _DESCRIPTOR, GlyphlessFont.WIDTH, _GLYPH_MAP),
        )
        self._object(
            _DESCRIPTOR,
            b"<< /Type /FontDescriptor /FontName %s /Flags 4 /FontBBox [0 %d %d %d] /ItalicAngle 0 /Ascent %d "
            b"/Descent %d /CapHeight %d /StemV 80 /FontFile2 %d 0 R >>"
            % (
                name,
                GlyphlessFont.DESCENT,
                GlyphlessFont.WIDTH,
                GlyphlessFont.ASCENT,
                GlyphlessFont.ASCENT,
                GlyphlessFont.DESCENT,
                GlyphlessFont.ASCENT,
                _FONT_FILE,
            ),
        )
        self._stream(_TO_UNICODE, b"", zlib.compress(self._font.to_unicode()))
        self._stream(_GLYPH_MAP, b"", zlib.compress(self._font.glyph_map()))
        program = self._font.program()
        self._stream(_FONT_FILE, b"/Length1 %d" % len(program), zlib.compress(program))

    def _write_index(self) -> None:
        start = self._file.tell()
        count = self._next_id
        entries = [b"0000000000 65535 f \n"]
        entries += [b"%010d 00000 n \n" % self._offsets[number] for number in range(1, count)]
        self._file.write(b"xref\n0 %d\n%s" % (count, b"".join(entries)))
        self._file.write(
            b"trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (count, _CATALOG, start)
        )

    def _stream(self, number: int, entries: bytes, data: bytes) -> None:
        if b"/Filter" not in entries:
            entries += b" /Filter /FlateDecode"
        head = b"<< %s /Length %d >>\nstream\n" % (entries.strip(), len(data))
        self._object(number, head + data + b"\nendstream")

    def _object(self, number: int, body: bytes) -> None:
        self._offsets[number] = self._file.tell()
        self._file.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))


def _image_stream(image: Image) -> tuple[bytes, bytes]:
    """Return the dictionary entries and the data of a page's image: 1 bit per pixel if it is black and white, else JPEG."""
    height, width = image.shape[:2]
    size = b"/Type /XObject /Subtype /Image /Width %d /Height %d" % (width, height)
    if image.ndim == 2 and np.all((image == 0) | (image == 255)):
        return size + b" /ColorSpace /DeviceGray /BitsPerComponent 1", zlib.compress(
            np.packbits(image > 0, axis=1).tobytes()
        )
    if max(width, height) > 65500:  # JPEG cannot be larger
        colours = image if image.ndim == 2 else image[:, :, ::-1]
        return size + _colour_space(image) + b" /BitsPerComponent 8", zlib.compress(colours.tobytes())
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return size + _colour_space(image) + b" /BitsPerComponent 8 /Filter /DCTDecode", data.tobytes()


def _colour_space(image: Image) -> bytes:
    return b" /ColorSpace /DeviceGray" if image.ndim == 2 else b" /ColorSpace /DeviceRGB"


def _content(recognized: RecognizedPage, font: GlyphlessFont, scale: float) -> bytes:
    """Return the page's drawing instructions: the image, then the text in rendering mode 3 (invisible)."""
    height, width = recognized.page.image.shape[:2]
    page_height = height * scale
    parts = [
        b"q %s 0 0 %s 0 0 cm /Im Do Q" % (number(width * scale), number(page_height)),
        b"BT 3 Tr",
    ]
    layer = TextLayer(font, scale, page_height)
    for block in recognized.blocks:
        for row in block.rows:
            parts += layer.row(row)
    parts.append(b"ET")
    return b"\n".join(parts)
