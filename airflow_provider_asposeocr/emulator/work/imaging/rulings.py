"""
The ruled lines of a table: where they are, and the page without them.

A ruling is a straight dark line that is much longer than a letter. Engines read rulings as letters, so that they are removed
before a page is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from airflow_provider_asposeocr.emulator.work.imaging.filters import grey

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.engines.base import Array, Image

#: A ruling is at least this part of the shorter side of the page ...
_LEAST_LENGTH = 1 / 10
#: ... and at most this many pixels wide, at least one for each of this many pixels of the shorter side.
_MOST_WIDTH_SHARE = 1 / 80
#: Pixels that are darker than this part of their surroundings are ink.
_INK = 0.75
#: Rulings that are nearer to each other than this are one.
_ONE_RULING = 6


@dataclass(frozen=True)
class Rulings:
    """
    The rulings of a page.

    :param xs: Horizontal positions of the vertical ones, from left to right, in pixels.
    :param ys: Vertical positions of the horizontal ones, from top to bottom, in pixels.
    """

    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    @property
    def make_a_grid(self) -> bool:
        """Whether they enclose cells: two rulings in each direction at least."""
        return len(self.xs) >= 2 and len(self.ys) >= 2


def find_rulings(page: Image) -> Rulings:
    """
    Find the rulings of a page whose lines are horizontal.

    :param page: The page.
    """
    vertical, horizontal = _masks(page)
    return Rulings(_positions(vertical, axis=0), _positions(horizontal, axis=1))


def without_rulings(page: Image) -> Image:
    """
    Return ``page`` with white in the place of its rulings; the same page if it has none.

    :param page: The page.
    """
    vertical, horizontal = _masks(page)
    mask = cv2.dilate(cv2.bitwise_or(vertical, horizontal), np.ones((3, 3), dtype=np.uint8))
    if not mask.any():
        return page
    cleaned = page.copy()
    cleaned[mask > 0] = 255
    return cleaned


def _masks(page: Image) -> tuple[Array, Array]:
    """Return two pictures in which the vertical and the horizontal rulings are white."""
    shades = grey(page)
    height, width = shades.shape
    length = max(round(min(height, width) * _LEAST_LENGTH), 24)
    thickness = max(round(min(height, width) * _MOST_WIDTH_SHARE), 3)
    around = cv2.blur(shades, (51, 51))
    ink = (shades < around * _INK).astype(np.uint8) * 255
    masks = []
    for shape, thick in (((1, length), (thickness + 1, 1)), ((length, 1), (1, thickness + 1))):
        lines = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones(shape[::-1], dtype=np.uint8))
        # What is thicker than a ruling is a bar or a picture.
        bars = cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones(thick[::-1], dtype=np.uint8))
        masks.append(cv2.subtract(lines, bars))
    return masks[0], masks[1]


def _positions(mask: Array, axis: int) -> tuple[float, ...]:
    """Return the middles of the runs of columns (axis 0) or rows (axis 1) that have a ruling."""
    found = np.flatnonzero(mask.any(axis=axis))
    runs: list[list[int]] = []
    for position in found.tolist():
        if runs and position - runs[-1][-1] <= _ONE_RULING:
            runs[-1].append(position)
        else:
            runs.append([position])
    return tuple((run[0] + run[-1] + 1) / 2 for run in runs)
