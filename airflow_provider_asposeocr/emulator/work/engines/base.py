"""
The interface of an OCR engine, and the lines, words and boxes that it returns.

An engine returns lines of text. It does not order them and does not know result types. It refuses a language that it cannot
read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

#: One page: ``uint8``, either (height, width) in grey or (height, width, 3) in OpenCV's BGR order.
Image = npt.NDArray[np.uint8]
#: Any other array of numpy.
Array = npt.NDArray[Any]


class Box(NamedTuple):
    """An upright rectangle in pixels; the origin is the top left corner, the right and bottom edges are exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Return the width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Return the height in pixels."""
        return self.y1 - self.y0

    @property
    def center_y(self) -> float:
        """Return the vertical centre in pixels."""
        return (self.y0 + self.y1) / 2

    def moved(self, dx: float, dy: float) -> Box:
        """Return the box moved by ``dx`` and ``dy`` pixels."""
        return Box(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def scaled(self, factor: float) -> Box:
        """Return the box with all its edges multiplied by ``factor``."""
        return Box(self.x0 * factor, self.y0 * factor, self.x1 * factor, self.y1 * factor)

    @classmethod
    def around(cls, boxes: Iterable[Box]) -> Box:
        """Return the smallest box that holds all ``boxes``, of which there is at least one."""
        x0, y0, x1, y1 = zip(*boxes, strict=True)
        return cls(min(x0), min(y0), max(x1), max(y1))


@dataclass(frozen=True)
class Word:
    """
    One word; in scripts without spaces, a run of characters.

    :param text: Its text.
    :param box: Its place.
    :param confidence: How sure the engine is of it, from 0 to 1; ``None`` if the engine has found it and has not read it.
    """

    text: str
    box: Box
    confidence: float | None = None

    def placed(self, box: Box) -> Word:
        """Return the word in another place."""
        return Word(self.text, box, self.confidence)


@dataclass(frozen=True)
class Line:
    """
    One run of text that the engine found. A printed row may consist of several lines.

    :param box: Upright rectangle around the line.
    :param words: Words in reading order; empty if the engine found the line and did not recognize it.
    :param slope: Tangent of the baseline; positive if the right end is lower than the left one.
    """

    box: Box
    words: tuple[Word, ...] = ()
    slope: float = 0.0

    def moved(self, dx: float, dy: float) -> Line:
        """Return the line moved by ``dx`` and ``dy`` pixels."""
        words = tuple(word.placed(word.box.moved(dx, dy)) for word in self.words)
        return Line(self.box.moved(dx, dy), words, self.slope)

    def scaled(self, factor: float) -> Line:
        """Return the line with all coordinates multiplied by ``factor``."""
        words = tuple(word.placed(word.box.scaled(factor)) for word in self.words)
        return Line(self.box.scaled(factor), words, self.slope)

    def without_confidences(self) -> Line:
        """Return the line with words of which nothing is said but text and place."""
        return Line(self.box, tuple(Word(word.text, word.box) for word in self.words), self.slope)


class Engine(Protocol):
    """Reads pages. It is called from several threads at once, and keeps no state between two pages."""

    #: Name for messages.
    name: str

    def supports(self, language: str) -> bool:
        """Return whether the installed engine can read ``language`` (in the cloud's spelling)."""
        ...

    def refusal(self, language: str) -> str:
        """Return a sentence that says why a language is not supported, and what to do."""
        ...

    def note(self, language: str) -> str | None:
        """Return a warning about a supported language, or ``None``."""
        ...

    def read(self, page: Image, language: str) -> list[Line]:
        """Return the lines of ``page`` with their words, in any order."""
        ...

    def find_lines(self, page: Image) -> list[Line]:
        """Return the lines of ``page`` without recognizing them; their ``words`` are empty."""
        ...


def is_spaceless(character: str) -> bool:
    """Return whether ``character`` belongs to Chinese or Japanese writing, which has no spaces between words."""
    code = ord(character)
    return (
        0x2E80 <= code <= 0x9FFF  # radicals, punctuation, kana, unified ideographs
        or 0xF900 <= code <= 0xFAFF  # compatibility ideographs
        or 0xFF00 <= code <= 0xFF60  # full-width forms
        or 0x20000 <= code <= 0x3FFFF  # the supplementary ideographic planes
    )


def separator(before: str, after: str) -> str:
    """Return the text between two neighbouring words: a space, or nothing between two Chinese or Japanese words."""
    if before and after and is_spaceless(before[-1]) and is_spaceless(after[0]):
        return ""
    return " "
