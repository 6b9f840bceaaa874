"""Read the regions of a request as boxes, in their order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_asposeocr.emulator.work.engines.base import Box
from airflow_provider_asposeocr.emulator.work.jobs import JobError

_EDGES = ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")


def regions_of(settings: Mapping[str, Any]) -> list[Box]:
    """
    Return ``settings["regions"]`` sorted by ``order``, in pixels of the submitted image.

    :param settings: ``{"regions": [{"order": 0, "rect": {"topLeftX": 0, ...}}, ...]}``; a larger ``order`` comes later.
    :raises JobError: if there are none, or one is malformed.
    """
    regions = settings.get("regions")
    if not isinstance(regions, list) or not regions:
        raise JobError(
            'RecognizeRegions needs the setting regions: [{"order": 0, "rect": {"topLeftX": ...}}, ...].'
        )
    numbered = [_region(region, number) for number, region in enumerate(regions, 1)]
    return [box for _, box in sorted(numbered, key=lambda item: item[0])]


def _region(region: Any, number: int) -> tuple[int, Box]:
    if not isinstance(region, Mapping) or not isinstance(region.get("rect"), Mapping):
        raise JobError(f'Region {number} must have an "order" and a "rect"; it is {region!r}.')
    rect = region["rect"]
    order = region.get("order", 0)
    edges = [rect.get(name) for name in _EDGES]
    if any(isinstance(value, bool) or not isinstance(value, int) for value in (order, *edges)):
        raise JobError(f"Region {number}: order and {', '.join(_EDGES)} must be whole numbers.")
    box = Box(*edges)
    if box.width <= 0 or box.height <= 0:
        raise JobError(f"Region {number} has no area: {tuple(edges)}.")
    return order, box
