"""
Write the result ``Hocr``: hOCR 1.2 as well-formed XHTML.

Invariant: the file is valid XML for any recognized text, and every box is in pixels of the submitted page.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Box, Word
    from airflow_provider_asposeocr.emulator.work.imaging.layout import Block, Row
    from airflow_provider_asposeocr.emulator.work.imaging.pages import PreparedPage, RecognizedPage

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<title></title>
<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>
<meta name="ocr-system" content="airflow-provider-asposeocr emulator"/>
<meta name="ocr-capabilities" content="ocr_page ocr_carea ocr_par ocr_line ocrx_word"/>
</head>
<body>
"""
_TAIL = "</body>\n</html>\n"
#: Characters that XML 1.0 cannot contain, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class HocrFile:
    """
    Collects pages as hOCR.

    :param path: File to write.
    """

    type = "Hocr"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pages: list[str] = []

    def add(self, recognized: RecognizedPage) -> None:
        """Append one page."""
        self._pages.append("\n".join(_page(recognized, len(self._pages) + 1)))

    def finish(self) -> None:
        """Write the file."""
        self.path.write_text(_HEAD + "".join(f"{page}\n" for page in self._pages) + _TAIL, encoding="utf-8")

    def close(self) -> None:
        """Do nothing: the file is opened only in :meth:`finish`."""


def _page(recognized: RecognizedPage, number: int) -> Iterator[str]:
    width, height = recognized.page.source_size
    title = f"bbox 0 0 {width} {height}; ppageno {number - 1}"
    yield f'<div class="ocr_page" id="page_{number}" title="{title}">'
    for index, block in enumerate(recognized.blocks, 1):
        yield from _block(recognized.page, block, f"{number}_{index}")
    yield "</div>"


def _block(page: PreparedPage, block: Block, name: str) -> Iterator[str]:
    title = _title(page, block.box)
    yield f'<div class="ocr_carea" id="block_{name}" title="{title}">'
    direction = ' dir="rtl"' if block.right_to_left else ""
    yield f'<p class="ocr_par"{direction} id="par_{name}" title="{title}">'
    for index, row in enumerate(block.rows, 1):
        yield _row(page, row, f"{name}_{index}")
    yield "</p>"
    yield "</div>"


def _row(page: PreparedPage, row: Row, name: str) -> str:
    words = " ".join(
        f'<span class="ocrx_word" id="word_{name}_{index}" title="{_title(page, word.box)}{_confidence(word)}">'
        f"{escape(_NOT_XML.sub('', word.text))}</span>"
        for index, word in enumerate(row.words, 1)
    )
    return f'<span class="ocr_line" id="line_{name}" title="{_title(page, row.box)}">{words}</span>'


def _confidence(word: Word) -> str:
    return "" if word.confidence is None else f"; x_wconf {word.confidence * 100:.0f}"


def _title(page: PreparedPage, box: Box) -> str:
    place = page.source_box(box)
    return f"bbox {place.x0:.0f} {place.y0:.0f} {place.x1:.0f} {place.y1:.0f}"
