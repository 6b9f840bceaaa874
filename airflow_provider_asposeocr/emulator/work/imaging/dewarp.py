"""
Flatten a page that was bent when it was taken.

On a bent page the lines of text are curves. Their curvature changes slowly from line to line. Therefore one smooth surface
is fitted to all lines, by least squares, and the page is moved back by it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging.filters import ink_of

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Array, Image

#: Powers of the horizontal position, and with each of them powers of the vertical one. Without the power 0, which would move
#: whole lines: how far apart the lines were is not known.
_POWERS = tuple((across, down) for across in (1, 2, 3, 4) for down in (0, 1))
#: A line of text is at least this part of the width of the page, and this many times as long as high.
_LEAST_LINE_SHARE = 0.25
_LEAST_LINE_RATIO = 6.0
#: Fewer lines say too little about the page.
_LEAST_LINES = 3
#: A page whose lines are bent by less than this part of the height of its letters is flat.
_LEAST_BEND = 0.3
_STRIP_ROWS = 256
#: Longest side that OpenCV moves.
_MOST_SIDE = 32_000


class _Surface(NamedTuple):
    """
    How far each point of a page is below where it would be on a flat page.

    :param factors: Factors of the powers.
    :param left: Where the lines begin, from -1 (left edge of the page) to 1. Beside them, nothing is known.
    :param right: Where they end.
    """

    factors: Array
    left: float
    right: float

    def at(self, xs: Array, ys: Array) -> Array:
        """Return the shift of points, whose coordinates are from -1 to 1, in pixels of the reduced page."""
        terms = _terms(np.clip(xs, self.left, self.right), ys)
        return np.asarray(sum(factor * term for factor, term in zip(self.factors, terms, strict=True)))


def dewarp(page: Image) -> Image:
    """
    Return ``page`` with straight lines; the same page if its lines are straight, or if it has too few of them.

    :param page: The page.
    """
    ink, scale = ink_of(page)
    lines, letter_height = _lines(ink)
    if len(lines) < _LEAST_LINES or max(page.shape) > _MOST_SIDE:
        return page
    height, width = ink.shape
    points = [
        (line[:, 0] / width * 2 - 1, np.full(len(line), np.mean(line[:, 1]) / height * 2 - 1))
        for line in lines
    ]
    surface = _fitted(points, [line[:, 1] for line in lines])
    if max(np.ptp(surface.at(xs, ys)) for xs, ys in points) < _LEAST_BEND * letter_height:
        return page
    return _moved(page, surface, scale)


def _lines(ink: Array) -> tuple[list[Array], float]:
    """Return the middle of each line of text, as arrays of pairs (x, y), and the usual height of letters."""
    width = ink.shape[1]
    # Letters and words grow together to lines; lines stay apart.
    joined = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((1, max(width // 25, 9)), dtype=np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    lines, heights = [], []
    for label in range(1, count):
        left, top, wide, high, _ = stats[label]
        if wide < _LEAST_LINE_SHARE * width:
            continue
        part = labels[top : top + high, left : left + wide] == label
        thick = part.sum(axis=0)
        if wide < _LEAST_LINE_RATIO * np.median(thick[thick > 0]):
            continue
        rows = np.arange(top, top + high)[:, np.newaxis]
        middles = (part * rows).sum(axis=0)[thick > 0] / thick[thick > 0]
        columns = np.arange(left, left + wide)[thick > 0]
        lines.append(np.column_stack([columns, middles])[:: max(wide // 200, 1)])
        heights.append(float(np.median(thick[thick > 0])))
    return lines, float(np.median(heights)) if heights else 0.0


def _fitted(points: list[tuple[Array, Array]], heights: list[Array]) -> _Surface:
    """
    Fit the surface to points of lines.

    The height of a point is the own height of its line, which is unknown, and the shift of the surface.

    :param points: For each line, the coordinates of its points from -1 to 1.
    :param heights: For each line, the heights of its points in pixels of the reduced page.
    """
    rows = []
    for number, (xs, ys) in enumerate(points):
        own = np.zeros((len(xs), len(points)))
        own[:, number] = 1.0
        rows.append(np.column_stack([*_terms(xs, ys), own]))
    solution = np.linalg.lstsq(np.vstack(rows), np.concatenate(heights), rcond=None)[0]
    left = min(float(xs.min()) for xs, _ in points)
    return _Surface(solution[: len(_POWERS)], left, max(float(xs.max()) for xs, _ in points))


def _terms(xs: Array, ys: Array) -> list[Array]:
    return [xs**across * ys**down for across, down in _POWERS]


def _moved(page: Image, surface: _Surface, scale: float) -> Image:
    """Return ``page`` with each pixel taken from where the surface has moved it."""
    height, width = page.shape[:2]
    moved = np.empty_like(page)
    # In strips, because the coordinates take many times the memory of the page.
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(top, bottom, dtype=np.float32))
        shift = surface.at(xs / width * 2 - 1, ys / height * 2 - 1) / scale
        moved[top:bottom] = cv2.remap(
            page,
            xs,
            (ys + shift).astype(np.float32),
            interpolation=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return moved
