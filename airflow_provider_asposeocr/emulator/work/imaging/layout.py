"""
Arrange the lines of a page into text in reading order.

Invariant: lines that were printed in one row are read as one row, unless they belong to columns of running text. On a
receipt, a price stays on the line of its article.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Line, Word, separator
from airflow_provider_asposeocr.emulator.work.engines.direction import is_right_to_left

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

#: A column of running text has at least this number of lines ...
_LEAST_COLUMN_LINES = 3
#: ... which are at least this many times as long as high (about 16 letters; a price or a quantity is shorter) ...
_LEAST_PROSE_RATIO = 7.0
#: ... and takes at least this part of the width of both columns.
_LEAST_COLUMN_SHARE = 0.2
#: The gutter between two columns, in heights of a line.
_LEAST_GUTTER = 0.7
#: A new block begins where the step to the next row is more than this many times the usual step ...
_BLOCK_STEP = 1.5
#: ... or where the height of the text changes by this factor.
_BLOCK_HEIGHT_RATIO = 1.7


@dataclass(frozen=True)
class Row:
    """
    Pieces of text that stand side by side.

    :param lines: The pieces in the order in which they are read.
    :param right_to_left: Whether that is from right to left.
    """

    lines: tuple[Line, ...]
    right_to_left: bool = False

    @property
    def box(self) -> Box:
        """Return the box around the row."""
        return Box.around(line.box for line in self.lines)

    @property
    def words(self) -> tuple[Word, ...]:
        """Return all words of the row."""
        return tuple(word for line in self.lines for word in line.words)

    @property
    def text(self) -> str:
        """Return the row as one line of text."""
        return "".join(word.text + space for word, space in self.spaced_words())

    def spaced_words(self) -> Iterator[tuple[Word, str]]:
        """Yield each word and the text after it: a space, or nothing within Chinese and Japanese and at the end."""
        pieces = [line.words for line in self.lines if line.words]
        for number, words in enumerate(pieces, 1):
            for word, following in zip(words, words[1:], strict=False):
                yield word, separator(word.text, following.text)
            # There is a space between pieces in every script.
            yield words[-1], " " if number < len(pieces) else ""


@dataclass(frozen=True)
class Block:
    """Rows that belong together, like a paragraph."""

    rows: tuple[Row, ...]

    @property
    def box(self) -> Box:
        """Return the box around the block."""
        return Box.around(row.box for row in self.rows)

    @property
    def right_to_left(self) -> bool:
        """Return whether the block is read from right to left."""
        return self.rows[0].right_to_left

    @property
    def text(self) -> str:
        """Return the block's rows, separated by newlines."""
        return "\n".join(row.text for row in self.rows)


@dataclass(frozen=True)
class _Piece:
    """A line, and its box on a page that is not tilted."""

    line: Line
    box: Box


def reading_order(lines: Sequence[Line], *, columns: bool, right_to_left: bool = False) -> list[Block]:
    """
    Arrange ``lines`` into blocks in reading order.

    :param lines: The lines of one page, in any order.
    :param columns: Whether to detect columns of running text; otherwise the rows are read from top to bottom.
    :param right_to_left: Whether the page is read from right to left, if its text was not recognized or has no letters.
        Otherwise the letters decide: those of the page about the order of columns, those of a column about its rows.
    """
    if not lines:
        return []
    pieces = _level(lines)
    page = _is_right_to_left(pieces, right_to_left)
    groups = _cut(pieces, page) if columns else [pieces]
    blocks: list[Block] = []
    for group in groups:
        direction = _is_right_to_left(group, page)
        blocks += _blocks(_rows(group, direction), direction)
    return blocks


def _is_right_to_left(pieces: Iterable[_Piece], default: bool) -> bool:
    return is_right_to_left((word.text for piece in pieces for word in piece.line.words), default)


def _level(lines: Sequence[Line]) -> list[_Piece]:
    """Remove the common slope, so that the pieces of a tilted row have the same vertical position."""
    longest = sorted(lines, key=lambda line: line.box.width)[len(lines) // 2 :]
    slope = median(line.slope for line in longest)
    pieces = []
    for line in lines:
        box = line.box
        height = max(box.height - abs(slope) * box.width, box.height / 4, 1.0)
        center = box.center_y - slope * (box.x0 + box.x1) / 2
        pieces.append(_Piece(line, Box(box.x0, center - height / 2, box.x1, center + height / 2)))
    return pieces


def _cut(pieces: list[_Piece], right_to_left: bool) -> list[list[_Piece]]:
    """Split the pieces recursively: those above two columns, the first column, the second column, those below."""
    found = _best_columns(pieces)
    if found is None:
        return [pieces] if pieces else []
    left, right = found
    inside = {id(piece) for piece in (*left, *right)}
    top = min(piece.box.y0 for piece in (*left, *right))
    rest = [piece for piece in pieces if id(piece) not in inside]
    above = [piece for piece in rest if piece.box.center_y < top]
    below = [piece for piece in rest if piece.box.center_y >= top]
    first, second = (right, left) if right_to_left else (left, right)
    return [group for part in (above, first, second, below) for group in _cut(part, right_to_left)]


def _best_columns(pieces: list[_Piece]) -> tuple[list[_Piece], list[_Piece]] | None:
    """Return the two neighbouring columns with the most lines, or ``None`` if there are no columns."""
    if len(pieces) < 2 * _LEAST_COLUMN_LINES:
        return None
    height = median(piece.box.height for piece in pieces)
    candidates = {round(piece.box.x0 / height): piece.box.x0 for piece in pieces}
    best: tuple[list[_Piece], list[_Piece]] | None = None
    for x in candidates.values():
        for band in _bands(pieces, x - _LEAST_GUTTER * height / 2, height):
            left = [piece for piece in band if piece.box.x1 <= x]
            right = [piece for piece in band if piece.box.x1 > x]
            if _are_columns(left, right, height) and (
                best is None or len(band) > len(best[0]) + len(best[1])
            ):
                best = left, right
    return best


def _bands(pieces: list[_Piece], x: float, height: float) -> Iterator[list[_Piece]]:
    """Yield the groups of pieces, from top to bottom, between pieces that cross the gutter around ``x``."""
    half = _LEAST_GUTTER * height / 2
    band: list[_Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.box.center_y):
        if piece.box.x0 < x - half and piece.box.x1 > x + half:
            yield band
            band = []
        else:
            band.append(piece)
    yield band


def _are_columns(left: list[_Piece], right: list[_Piece], height: float) -> bool:
    if min(len(left), len(right)) < _LEAST_COLUMN_LINES:
        return False
    gutter = min(piece.box.x0 for piece in right) - max(piece.box.x1 for piece in left)
    if gutter < _LEAST_GUTTER * height:
        return False
    width = Box.around(piece.box for piece in (*left, *right)).width
    return all(
        Box.around(piece.box for piece in side).width >= _LEAST_COLUMN_SHARE * width
        and median(piece.box.width / piece.box.height for piece in side) >= _LEAST_PROSE_RATIO
        for side in (left, right)
    )


def _rows(pieces: Iterable[_Piece], right_to_left: bool) -> list[list[_Piece]]:
    """Put pieces that overlap vertically by half into one row, in reading order."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda piece: piece.box.center_y):
        if rows and _share_row(rows[-1], piece):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    if right_to_left:
        return [sorted(row, key=lambda piece: -piece.box.x1) for row in rows]
    return [sorted(row, key=lambda piece: piece.box.x0) for row in rows]


def _share_row(row: list[_Piece], piece: _Piece) -> bool:
    top = median(other.box.y0 for other in row)
    bottom = median(other.box.y1 for other in row)
    overlap = min(bottom, piece.box.y1) - max(top, piece.box.y0)
    return overlap >= 0.5 * min(bottom - top, piece.box.height)


def _blocks(rows: list[list[_Piece]], right_to_left: bool) -> Iterator[Block]:
    """Split rows into blocks at gaps and where the size of the text changes."""
    boxes = [Box.around(piece.box for piece in row) for row in rows]
    steps = [after.center_y - before.center_y for before, after in zip(boxes, boxes[1:], strict=False)]
    usual = min(median(steps), 2 * median(box.height for box in boxes)) if steps else 0.0
    block: list[Row] = []
    for index, row in enumerate(rows):
        if block and _starts_block(boxes[index - 1], boxes[index], usual):
            yield Block(tuple(block))
            block = []
        block.append(Row(tuple(piece.line for piece in row), right_to_left))
    yield Block(tuple(block))


def _starts_block(before: Box, after: Box, usual_step: float) -> bool:
    step = after.center_y - before.center_y
    ratio = max(before.height, after.height) / min(before.height, after.height)
    return step > _BLOCK_STEP * usual_step or ratio > _BLOCK_HEIGHT_RATIO
