"""
The stages of a page: decoded, prepared for recognition, and recognized.

Boxes of blocks are in pixels of the prepared image. The user has only the submitted image. Therefore the files of results
contain boxes that :meth:`PreparedPage.source_box` has converted to its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from airflow_provider_asposeocr.emulator.work.engines.base import Array, Box, Image

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.imaging.layout import Block
    from airflow_provider_asposeocr.emulator.work.imaging.resolution import Resolution


@dataclass(frozen=True)
class Page:
    """
    One decoded page.

    :param image: Pixels, grey where the source is grey.
    :param resolution: Pixels per inch.
    :param warnings: Warnings for the user about the decoding.
    """

    image: Image
    resolution: Resolution
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedPage:
    """
    A page after rotation and filters.

    :param image: Pixels for the engine.
    :param dpi: Pixels of ``image`` per inch.
    :param source_size: Width and height of the submitted page in pixels.
    :param to_source: 3 x 3 matrix from pixels of ``image`` to pixels of the submitted page.
    """

    image: Image
    dpi: float
    source_size: tuple[int, int]
    to_source: Array

    def source_box(self, box: Box) -> Box:
        """Return ``box`` in pixels of the submitted page, rounded, and limited to the page."""
        mapped = _mapped(self.to_source, box)
        width, height = self.source_size
        x0 = min(max(round(mapped.x0), 0), width - 1)
        y0 = min(max(round(mapped.y0), 0), height - 1)
        return Box(
            x0, y0, min(max(round(mapped.x1), x0 + 1), width), min(max(round(mapped.y1), y0 + 1), height)
        )

    def cropped(self, region: Box) -> PreparedPage | None:
        """
        Return the part of the page inside ``region``, or ``None`` if the region is outside of the page.

        :param region: A box in pixels of the submitted page.
        """
        height, width = self.image.shape[:2]
        inside = _mapped(np.linalg.inv(self.to_source), region)
        x0, y0 = max(round(inside.x0), 0), max(round(inside.y0), 0)
        x1, y1 = min(round(inside.x1), width), min(round(inside.y1), height)
        if x1 <= x0 or y1 <= y0:
            return None
        moved = np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]], dtype=np.float64)
        image = np.ascontiguousarray(self.image[y0:y1, x0:x1])
        return replace(self, image=image, to_source=self.to_source @ moved)


@dataclass(frozen=True)
class RecognizedPage:
    """
    A page and its recognized text.

    :param page: The page.
    :param blocks: The text in reading order, in pixels of ``page.image``.
    """

    page: PreparedPage
    blocks: tuple[Block, ...]

    @property
    def text(self) -> str:
        """Return the page's text; paragraphs follow each other without blank lines, as the cloud documents."""
        return "\n".join(block.text for block in self.blocks)


def _mapped(matrix: Array, box: Box) -> Box:
    corners = np.array(
        [[box.x0, box.x1, box.x1, box.x0], [box.y0, box.y0, box.y1, box.y1], [1.0, 1.0, 1.0, 1.0]]
    )
    xs, ys, _ = matrix @ corners
    return Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
