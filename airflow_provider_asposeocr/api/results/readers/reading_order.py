"""
Put boxes into reading order, columns included; merge boxes that belong together. Pure, and of bounded time.

The order is that of a recursive cut at white space. A page is cut into columns where a vertical strip is empty from
top to bottom, else into bands where a horizontal one is. Bands that have the same columns stay together: the first
column is then read to its end before the second one, although the paragraphs of both may begin at the same height.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import ResultTooLargeError
from airflow_provider_asposeocr.api.results.readers.boxes import Box, around

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Merging compares each box with each other one. A page has some tens of regions.
MOST_MERGED = 2_000
#: More boxes are sorted by their top and left edges alone: with hostile ones the search for columns takes quadratic time.
MOST_ORDERED = 5_000
#: Boxes whose gaps are nested more deeply are sorted by their top and left edges.
_DEEPEST = 12


def in_reading_order(boxes: Sequence[Box], *, right_to_left: bool = False) -> list[Box]:
    """
    Sort boxes as a person would read them.

    :param boxes: The boxes. More than :data:`MOST_ORDERED` are sorted from top to bottom, without columns.
    :param right_to_left: Whether the first column is the right one; by default it is the left one.
    :return: The same boxes.
    """
    if right_to_left:
        mirrored = in_reading_order([_mirrored(box) for box in boxes])
        return [_mirrored(box) for box in mirrored]
    if len(boxes) > MOST_ORDERED:
        return sorted(boxes, key=lambda box: (box.y0, box.x0, box.y1, box.x1))
    return _columns_first(list(boxes), 0)


def merged(boxes: Sequence[Box], pixels: int = 0) -> list[Box]:
    """
    Merge boxes that overlap, touch or are near each other, until none is near another.

    :param boxes: The boxes.
    :param pixels: Largest gap over which two are merged, in pixels.
    :return: The merged boxes, in no particular order.
    :raises ResultTooLargeError: if there are more than :data:`MOST_MERGED`.
    """
    if len(boxes) > MOST_MERGED:
        raise ResultTooLargeError(f"There are {len(boxes)} regions; {MOST_MERGED} at most can be merged.")
    found: list[Box] = []
    for box in boxes:
        while near := [other for other in found if box.is_near(other, pixels)]:
            found = [other for other in found if not box.is_near(other, pixels)]
            box = around([box, *near])
        found.append(box)
    return found


def _mirrored(box: Box) -> Box:
    return Box(-box.x1, box.y0, -box.x0, box.y1)


def _columns_first(boxes: list[Box], depth: int) -> list[Box]:
    if len(boxes) < 2:
        return boxes
    if depth >= _DEEPEST:
        return sorted(boxes, key=lambda box: (box.y0, box.x0, box.y1, box.x1))
    columns = _cut(boxes, 0)
    if len(columns) > 1:
        return [box for column in columns for box in _columns_first(column, depth + 1)]
    bands = _cut(boxes, 1)
    if len(bands) > 1:
        groups = _with_the_same_columns(bands)
        if len(groups) > 1:
            return [box for group in groups for box in _columns_first(group, depth + 1)]
    return sorted(boxes, key=lambda box: (box.y0, box.x0, box.y1, box.x1))


def _cut(boxes: list[Box], axis: int) -> list[list[Box]]:
    """Divide boxes at the gaps along an axis: 0 = into columns, 1 = into bands."""
    parts: list[list[Box]] = []
    end = None
    for box in sorted(boxes, key=lambda box: (box[axis], box[1 - axis], box[axis + 2], box[3 - axis])):
        if end is None or box[axis] >= end:
            parts.append([])
            end = box[axis + 2]
        parts[-1].append(box)
        end = max(end, box[axis + 2])
    return parts


class _Strips:
    """The horizontal extents of a group of boxes, joined where they overlap."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        first, last = bisect_right(self.ends, start), bisect_left(self.starts, end)
        if first < last:
            start, end = min(start, self.starts[first]), max(end, self.ends[last - 1])
        self.starts[first:last], self.ends[first:last] = [start], [end]

    def __len__(self) -> int:
        return len(self.starts)


def _with_the_same_columns(bands: list[list[Box]]) -> list[list[Box]]:
    groups: list[list[Box]] = []
    strips = _Strips()
    for band in bands:
        own = _Strips()
        for box in band:
            own.add(box.x0, box.x1)
        both = _Strips()
        both.starts, both.ends = strips.starts.copy(), strips.ends.copy()
        for start, end in zip(own.starts, own.ends, strict=True):
            both.add(start, end)
        if groups and len(both) > 1 and len(strips) > 1:
            groups[-1] += band
            strips = both
        else:
            groups.append(list(band))
            strips = own
    return groups
