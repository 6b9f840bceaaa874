"""
Write the result ``JSON``: an array of blocks with their corners and text.

Corners are pixels of the submitted page. The vendor documents what the array contains, and not the names of its keys. The
emulator uses the names in the ``rect`` of a region.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Box
    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage


class BlocksFile:
    """
    Collects the blocks of pages.

    :param path: File to write.
    :param with_pages: Whether a block has the number of its page (``page``, from 1), as for a PDF.
    """

    type = "JSON"

    def __init__(self, path: Path, *, with_pages: bool) -> None:
        self.path = path
        self._with_pages = with_pages
        self._blocks: list[dict[str, Any]] = []
        self._pages = 0

    def add(self, recognized: RecognizedPage) -> None:
        """Append the blocks of one page."""
        self._pages += 1
        for block in recognized.blocks:
            entry: dict[str, Any] = {"page": self._pages} if self._with_pages else {}
            entry.update(_corners(recognized.page.source_box(block.box)), text=block.text)
            self._blocks.append(entry)

    def finish(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(self._blocks, ensure_ascii=False), encoding="utf-8")

    def close(self) -> None:
        """Do nothing: the file is opened only in :meth:`finish`."""


def _corners(box: Box) -> dict[str, int]:
    return {
        "topLeftX": int(box.x0),
        "topLeftY": int(box.y0),
        "bottomRightX": int(box.x1),
        "bottomRightY": int(box.y1),
    }
