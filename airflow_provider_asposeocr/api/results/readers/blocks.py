"""
Read a result of the type ``JSON``: blocks with their corners and text.

The vendor documents that a block has a top left and a bottom right corner and its text, and not what the keys are
called. So the reader accepts the names that are used elsewhere in the API in any spelling of case, and keeps each
block as the cloud sent it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_asposeocr.api.results.readers.boxes import Box, box_of
from airflow_provider_asposeocr.api.results.readers.content import parse_json, unreadable

_EDGES = ("topleftx", "toplefty", "bottomrightx", "bottomrighty")
_CORNERS = ("topleft", "bottomright")
_TEXTS = ("text", "value", "content")
_HOLDERS = ("rect", "rectangle", "bbox", "box")


@dataclass(slots=True)
class Block:
    """
    A block of a page. Its parts are looked for when they are asked for.

    :param raw: The block as the cloud sent it. Its keys are undocumented.
    """

    raw: Any

    @property
    def text(self) -> str | None:
        """Its text; ``None`` = no key for it was recognized."""
        if not isinstance(self.raw, Mapping):
            return self.raw if isinstance(self.raw, str) else None
        keys = _lower(self.raw)
        return next((keys[name] for name in _TEXTS if isinstance(keys.get(name), str)), None)

    @property
    def box(self) -> Box | None:
        """Its place; ``None`` = no corners were recognized, or they have no area."""
        if isinstance(self.raw, list):
            return box_of(self.raw)
        return _place(_lower(self.raw)) if isinstance(self.raw, Mapping) else None

    @property
    def page(self) -> int | None:
        """Number of its page, from 1; ``None`` where the cloud does not tell pages apart."""
        page = _lower(self.raw).get("page") if isinstance(self.raw, Mapping) else None
        return page if type(page) is int and page > 0 else None


@dataclass(frozen=True, slots=True)
class Blocks:
    """
    The blocks of a document.

    :param blocks: In the cloud's order.
    """

    blocks: tuple[Block, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.blocks)

    @property
    def text(self) -> str:
        """The texts of all blocks that have one, a line each."""
        texts = (block.text for block in self.blocks)
        return "\n".join(text for text in texts if text is not None)

    def pages(self) -> list[list[Block]]:
        """Return the blocks of each page; those without a page's number are on the page before, at first on page 1."""
        pages: dict[int, list[Block]] = {}
        number = 1
        for block in self.blocks:
            number = block.page or number
            pages.setdefault(number, []).append(block)
        return [pages[number] for number in sorted(pages)]


def read_blocks(data: bytes) -> Blocks:
    """
    Read a JSON result.

    :param data: Its content.
    :return: The blocks.
    :raises ResultUnreadableError: if it is not JSON, or no array of blocks.
    :raises ResultTooLargeError: if it is too large.
    """
    found = parse_json(data, "blocks")
    if isinstance(found, Mapping):
        # Undocumented: an object that has one array may be a wrapper around the blocks.
        arrays = [value for value in found.values() if isinstance(value, list)]
        found = arrays[0] if len(arrays) == 1 else found
    if not isinstance(found, list):
        raise unreadable("blocks", "it is no array")
    return Blocks(tuple(map(Block, found)))


def _place(keys: Mapping[str, Any]) -> Box | None:
    for held in (keys, *(keys[name] for name in _HOLDERS if name in keys)):
        if isinstance(held, list):
            return box_of(held)
        if not isinstance(held, Mapping):
            continue
        names = _lower(held)
        if all(name in names for name in _EDGES):
            return box_of([names[name] for name in _EDGES])
        if all(isinstance(names.get(name), Mapping) for name in _CORNERS):
            corners = [_lower(names[name]) for name in _CORNERS]
            return box_of([corner.get(axis) for corner in corners for axis in ("x", "y")])
    return None


def _lower(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key.lower().replace("_", ""): value for key, value in entry.items()}
