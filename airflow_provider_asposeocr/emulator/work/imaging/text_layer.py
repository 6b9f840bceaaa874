"""
The invisible text of a PDF page: where each word is drawn, so that it can be marked, searched and copied.

Readers take the letters of a row to stand from left to right, as in the files of word processors, and put those of
right-to-left scripts into the order in which they are read. So that is the order in which letters are drawn here.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Word
from airflow_provider_asposeocr.emulator.work.engines.direction import is_right_to_left, left_to_right
from airflow_provider_asposeocr.emulator.work.imaging.glyphless_font import GlyphlessFont

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.work.imaging.layout import Row


class TextLayer:
    """
    Draws the rows of one page.

    :param font: The document's font.
    :param scale: Points per pixel.
    :param page_height: Height of the page in points.
    """

    def __init__(self, font: GlyphlessFont, scale: float, page_height: float) -> None:
        self._font = font
        self._scale = scale
        self._page_height = page_height

    def row(self, row: Row) -> Iterator[bytes]:
        """Draw a row word by word, all at one height, with the spaces between them."""
        frame, spaced = row.box, _from_left_to_right(row)
        starts = [word.box.x0 for word, _ in spaced]
        for (word, space), following in zip(spaced, [*starts[1:], spaced[-1][0].box.x1], strict=True):
            start, end = word.box.x0, word.box.x1
            if space and following - end > 2 * word.box.width / len(word.text):
                # A wide gap, as before a price: stretching the word over it would put the letters far from the ink.
                yield self._run(word.text, Box(start, frame.y0, end, frame.y1))
                yield self._run(space, Box(end, frame.y0, following, frame.y1))
            else:
                # Readers overlook a space that is much narrower than a letter, and see one in every gap: so the word,
                # with its space if it has one, reaches up to the next.
                end = max(following, start + 1)
                yield self._run(word.text + space, Box(start, frame.y0, end, frame.y1))

    def _run(self, text: str, box: Box) -> bytes:
        """Draw ``text`` stretched over ``box``."""
        codes = self._font.encode(text)
        size = max(box.height * self._scale, 0.1)
        natural = len(text) * size * GlyphlessFont.WIDTH / 1000
        stretch = max(box.width * self._scale, 0.01) / natural * 100
        baseline = self._page_height - box.y1 * self._scale - size * GlyphlessFont.DESCENT / 1000
        return b"/F %s Tf %s Tz 1 0 0 1 %s %s Tm <%s> Tj" % (
            number(size),
            number(stretch),
            number(box.x0 * self._scale),
            number(baseline),
            b"".join(struct.pack(">H", code) for code in codes).hex().encode(),
        )


def _from_left_to_right(row: Row) -> list[tuple[Word, str]]:
    """Return the words of a row and their letters as they stand from left to right, each word with what follows it."""
    spaced = list(row.spaced_words())
    if not row.right_to_left and not is_right_to_left(word.text for word, _ in spaced):
        return spaced
    words = sorted((word for word, _ in spaced), key=lambda word: word.box.x0)
    standing = [Word(left_to_right(word.text), word.box) for word in words]
    return [(word, " ") for word in standing[:-1]] + [(standing[-1], "")]


def number(value: float) -> bytes:
    """Return a number as a PDF has it."""
    return f"{value:.3f}".rstrip("0").rstrip(".").encode()
