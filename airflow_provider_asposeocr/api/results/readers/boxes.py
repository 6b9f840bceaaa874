"""An upright rectangle on a page, and how it is read from untrusted numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: A coordinate beyond it is no place on a page. It also keeps numbers in the range of 32-bit integers.
MOST_PIXELS = 10_000_000


class Box(NamedTuple):
    """
    An upright rectangle in pixels of the submitted picture; the origin is the top left corner.

    :param x0: Left edge.
    :param y0: Top edge.
    :param x1: Right edge.
    :param y1: Bottom edge.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.y1 - self.y0

    def padded(self, pixels: int, width: int | None = None, height: int | None = None) -> Box:
        """
        Return a larger box, or with a negative number a smaller one.

        :param pixels: How far each edge moves outwards, in pixels.
        :param width: Width of the page, which the box does not leave; ``None`` = it is not known.
        :param height: Height of the page, likewise.
        :return: The box, which has an area of a pixel at least.
        """
        x0, y0 = max(0, self.x0 - pixels), max(0, self.y0 - pixels)
        x1 = self.x1 + pixels if width is None else min(width, self.x1 + pixels)
        y1 = self.y1 + pixels if height is None else min(height, self.y1 + pixels)
        return Box(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else self

    def is_near(self, other: Box, pixels: int = 0) -> bool:
        """
        Tell whether two boxes overlap, touch, or are near each other.

        :param other: The other one.
        :param pixels: Largest gap between them, in pixels.
        """
        return (
            self.x0 <= other.x1 + pixels
            and other.x0 <= self.x1 + pixels
            and self.y0 <= other.y1 + pixels
            and other.y0 <= self.y1 + pixels
        )


def around(boxes: Iterable[Box]) -> Box:
    """
    Return the smallest box that holds others.

    :param boxes: The others, at least one.
    """
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return Box(min(x0), min(y0), max(x1), max(y1))


def box_of(numbers: Sequence[Any]) -> Box | None:
    """
    Make a box of untrusted numbers.

    :param numbers: Left, top, right and bottom edge. A fraction is rounded to the next pixel.
    :return: The box; ``None`` if these are no four numbers, or the box has no area.
    """
    if len(numbers) != 4:
        return None
    edges = numbers if all(type(number) is int for number in numbers) else _rounded(numbers)
    if edges is None:
        return None
    x0, y0, x1, y1 = edges
    in_range = -MOST_PIXELS <= x0 < x1 <= MOST_PIXELS and -MOST_PIXELS <= y0 < y1 <= MOST_PIXELS
    return Box(x0, y0, x1, y1) if in_range else None


def _rounded(numbers: Sequence[object]) -> list[int] | None:
    edges = []
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            return None
        edges.append(round(number))
    return edges
