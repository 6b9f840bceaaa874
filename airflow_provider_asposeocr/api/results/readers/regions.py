"""
Read the result of DetectRegions, and make the input of RecognizeRegions of it.

The cloud answers ``[[x1, y1, x2, y2], …]`` (vendor's docs), and takes ``[{"order": 0, "rect": {…}}, …]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.results.readers import reading_order
from airflow_provider_asposeocr.api.results.readers.boxes import MOST_PIXELS, Box, box_of
from airflow_provider_asposeocr.api.results.readers.content import parse_json, unreadable
from airflow_provider_asposeocr.api.settings import regions_from_corners

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bytes of JSON that has arrays and numbers without a fraction alone.
_OF_WHOLE_NUMBERS = b"0123456789-,[] \t\r\n"


@dataclass(frozen=True, slots=True)
class Regions:
    """
    Regions of a page.

    :param boxes: The regions, in the cloud's order until they are sorted. Two methods in a row read well:
        ``regions.merged(10).in_reading_order().to_settings()``.
    :param dropped: How many entries were no rectangle with an area; the cloud would refuse them.
    """

    boxes: tuple[Box, ...]
    dropped: int = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.boxes)

    def larger_than(self, width: int = 0, height: int = 0) -> Regions:
        """
        Keep the regions that are large enough to hold text.

        :param width: Smallest width in pixels; 0, the default, keeps all.
        :param height: Smallest height in pixels, likewise.
        """
        kept = tuple(box for box in self.boxes if box.width >= width and box.height >= height)
        return replace(self, boxes=kept)

    def merged(self, pixels: int = 0) -> Regions:
        """
        Merge regions that overlap, touch or are near each other.

        :param pixels: Largest gap over which two are merged, in pixels.
        :raises ResultTooLargeError: if there are too many.
        """
        return replace(self, boxes=tuple(reading_order.merged(self.boxes, pixels)))

    def padded(self, pixels: int, width: int | None = None, height: int | None = None) -> Regions:
        """
        Make each region larger, because the cloud's boxes may cut the edges of letters.

        :param pixels: How far each edge moves outwards, in pixels.
        :param width: Width of the page, which no region leaves; ``None`` = it is not known.
        :param height: Height of the page, likewise.
        """
        return replace(self, boxes=tuple(box.padded(pixels, width, height) for box in self.boxes))

    def in_reading_order(self, *, right_to_left: bool = False) -> Regions:
        """
        Sort the regions as a person would read them, column by column.

        :param right_to_left: Whether the first column is the right one.
        """
        sorted_boxes = reading_order.in_reading_order(self.boxes, right_to_left=right_to_left)
        return replace(self, boxes=tuple(sorted_boxes))

    def to_settings(self) -> list[dict[str, Any]]:
        """Return the regions, in their order, as the setting ``regions`` of RecognizeRegions."""
        return regions_from_corners(self.boxes)


def read_regions(data: bytes) -> Regions:
    """
    Read the result of DetectRegions.

    :param data: Its content.
    :return: The regions.
    :raises ResultUnreadableError: if it is no array of rectangles.
    :raises ResultTooLargeError: if it is too large.
    """
    found = parse_json(data, "regions")
    if not isinstance(found, list):
        raise unreadable("regions", "it is no array")
    # Without a letter, a quote and a point there is no text, no fraction, no true and no null.
    if not data.translate(None, _OF_WHOLE_NUMBERS):
        try:
            return _usual_regions(found)
        except (TypeError, ValueError):
            found = parse_json(data, "regions")  # It was used up; the slow way says what is wrong.
    return regions_of(found)


def _usual_regions(entries: list[Any]) -> Regions:
    """
    Read lists of numbers without a fraction in few steps, which is what the cloud ordinarily sends.

    :param entries: Parsed JSON that has numbers without a fraction and arrays alone. It is used up.
    :raises TypeError: if an entry is no array, or has an array in it.
    :raises ValueError: if an entry has not four numbers.
    """
    # A box takes the place of its list, which is freed. If both were kept, Python's garbage collector would run again and
    # again, and take as long as all of the rest.
    new_box, most, count, kept = tuple.__new__, MOST_PIXELS, len(entries), 0
    for each in entries:
        x0, y0, x1, y1 = each
        if -most <= x0 < x1 <= most and -most <= y0 < y1 <= most:
            entries[kept] = new_box(Box, each)
            kept += 1
    del entries[kept:]
    return Regions(tuple(entries), count - kept)


def regions_of(entries: Iterable[object]) -> Regions:
    """
    Make regions of parsed JSON, for example of an XCom.

    :param entries: Four numbers each: left, top, right and bottom edge in pixels.
    :raises ResultUnreadableError: if an entry is something else.
    """
    boxes, dropped = [], 0
    for index, entry in enumerate(entries):
        if not isinstance(entry, list | tuple) or len(entry) != 4:
            raise unreadable("regions", f"entry {index} is {entry!r:.60}, and no four numbers")
        box = box_of(entry)
        if box is None:
            dropped += 1
        else:
            boxes.append(box)
    return Regions(tuple(boxes), dropped)
