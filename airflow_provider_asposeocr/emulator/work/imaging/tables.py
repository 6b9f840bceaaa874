"""
Arrange the words of a page into the rows and cells of a table.

With rulings around them, a cell is what lies between four rulings. Without, gaps between words divide a row into cells, and
cells that lie below each other are a column. Pure.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Word, separator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_asposeocr.emulator.work.imaging.layout import Row
    from airflow_provider_asposeocr.emulator.work.imaging.rulings import Rulings

#: A gap between words that is wider than this many heights of a line divides cells. A space is 0.3 of it.
CELL_GAP = 1.0


@dataclass(frozen=True)
class Cell:
    """
    Words that stand together in a row.

    :param words: The words in reading order.
    """

    words: tuple[Word, ...]

    @property
    def box(self) -> Box:
        """Return the box around the words."""
        return Box.around(word.box for word in self.words)

    @property
    def text(self) -> str:
        """Return the words as one line of text."""
        spaced = [self.words[0].text]
        for before, after in pairwise(self.words):
            spaced += [separator(before.text, after.text), after.text]
        return "".join(spaced)


def cells_of(row: Row) -> list[Cell]:
    """
    Divide a row at its wide gaps.

    :param row: A row of a page.
    """
    words = row.words
    if not words:
        return []
    gap = CELL_GAP * median(word.box.height for word in words)
    groups: list[list[Word]] = [[words[0]]]
    for before, after in pairwise(words):
        # From right to left, the gap is on the other side.
        distance = max(after.box.x0 - before.box.x1, before.box.x0 - after.box.x1)
        if distance > gap:
            groups.append([after])
        else:
            groups[-1].append(after)
    return [Cell(tuple(group)) for group in groups]


def table_of(rows: Sequence[Row], rulings: Rulings) -> list[list[str]]:
    """
    Return the cells of a table as texts, an empty text where there is none; all rows have as many.

    :param rows: The rows of the page, from top to bottom.
    :param rulings: The rulings of the page.
    """
    if rulings.make_a_grid:
        return _ruled([word for row in rows for word in row.words], rulings)
    return _aligned([cells for row in rows if (cells := cells_of(row))])


def _ruled(words: Iterable[Word], rulings: Rulings) -> list[list[str]]:
    found: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        middle = (word.box.x0 + word.box.x1) / 2
        # What is outside of the outermost rulings belongs to the title of the table or to the text around it.
        row, column = bisect_right(rulings.ys, word.box.center_y), bisect_right(rulings.xs, middle)
        if 0 < row < len(rulings.ys) and 0 < column < len(rulings.xs):
            found.setdefault((row - 1, column - 1), []).append(word)
    texts = {place: Cell(tuple(group)).text for place, group in found.items()}
    table = [
        [texts.get((row, column), "") for column in range(len(rulings.xs) - 1)]
        for row in range(len(rulings.ys) - 1)
    ]
    return [row for row in table if any(row)]


def _aligned(rows: list[list[Cell]]) -> list[list[str]]:
    columns = _columns([cell.box for row in rows if len(row) > 1 for cell in row])
    if not columns:  # no row has two cells
        return [[cell.text for cell in row] for row in rows]
    table = []
    for row in rows:
        texts = [""] * len(columns)
        for cell in sorted(row, key=lambda cell: cell.box.x0):
            place = _place(cell.box, columns)
            texts[place] = f"{texts[place]} {cell.text}".strip()
        table.append(texts)
    return table


def _columns(boxes: Iterable[Box]) -> list[tuple[float, float]]:
    """Return the horizontal spans that the boxes cover together, from left to right."""
    spans: list[tuple[float, float]] = []
    for box in sorted(boxes, key=lambda box: box.x0):
        if spans and box.x0 < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], box.x1))
        else:
            spans.append((box.x0, box.x1))
    return spans


def _place(box: Box, columns: Sequence[tuple[float, float]]) -> int:
    """Return the column that a box overlaps most; a box beside all of them belongs to the nearest one."""

    def overlap(place: int) -> float:
        left, right = columns[place]
        return min(box.x1, right) - max(box.x0, left)

    return max(range(len(columns)), key=overlap)
