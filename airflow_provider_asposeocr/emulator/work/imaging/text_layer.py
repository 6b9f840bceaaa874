"""
The invisible text of a PDF page: it draws each word at its place, so that it can be selected, searched and copied.

PDF readers expect the letters of a row from left to right, as word processors write them, and reorder the letters of
right-to-left scripts. Therefore this module draws letters in that order.
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
        """Draw the words of a row, and the spaces between them, with the same height and position."""
        frame, spaced = row.box, _from_left_to_right(row)
        starts = [word.box.x0 for word, _ in spaced]
        for (word, space), following in zip(spaced, [*starts[1:], spaced[-1][0].box.x1], strict=True):
            start, end = word.box.x0, word.box.x1
            if space and following - end > 2 * word.box.width / len(word.text):
                # A wide gap, as before a price. If the word were stretched over it, its letters would be far from the ink.
                yield self._run(word.text, Box(start, frame.y0, end, frame.y1))
                yield self._run(space, Box(end, frame.y0, following, frame.y1))
            else:
                # PDF readers ignore a space that is much narrower than a letter, and find a space in every gap. Therefore
                # the word, with its space if it has one, ends where the next word begins.
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
    """Return the words of a row and their letters in the order on the page, each word with the text after it."""
    spaced = list(row.spaced_words())
    if not row.right_to_left and not is_right_to_left(word.text for word, _ in spaced):
        return spaced
    words = sorted((word for word, _ in spaced), key=lambda word: word.box.x0)
    standing = [Word(left_to_right(word.text), word.box) for word in words]
    return [(word, " ") for word in standing[:-1]] + [(standing[-1], "")]


def number(value: float) -> bytes:
    """Return a number in the notation of PDF."""
    return f"{value:.3f}".rstrip("0").rstrip(".").encode()
