"""Reading order, decided on boxes alone."""

from __future__ import annotations

import math

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Line, Word
from airflow_provider_asposeocr.emulator.work.imaging.layout import reading_order


def line(
    text: str, x: float, y: float, *, width: int | None = None, height: int = 20, slope: float = 0.0
) -> Line:
    box = Box(x, y, x + (width or 10 * len(text)), y + height)
    return Line(box, (Word(text, box),), slope)


def texts(lines: list[Line], *, columns: bool = True) -> list[str]:
    return [row.text for block in reading_order(lines, columns=columns) for row in block.rows]


def column(letter: str, x: float, rows: int = 5, width: int = 300) -> list[Line]:
    return [line(f"{letter}{row}", x, 100 + 30 * row, width=width) for row in range(rows)]


def in_order(letter: str, rows: int = 5) -> list[str]:
    return [f"{letter}{row}" for row in range(rows)]


def test_nothing_is_nothing() -> None:
    assert reading_order([], columns=True) == []


def test_columns_between_a_title_and_a_footer() -> None:
    page = [
        line("title", 100, 40, width=640),
        *column("a", 100),
        *column("b", 440),
        line("foot", 100, 300, width=640),
    ]
    assert texts(page[::-1]) == ["title", *in_order("a"), *in_order("b"), "foot"]


def test_three_columns() -> None:
    page = column("a", 100) + column("b", 440) + column("c", 780)
    assert texts(page[::-1]) == in_order("a") + in_order("b") + in_order("c")


def test_without_columns_rows_go_across() -> None:
    assert texts(column("a", 100) + column("b", 440), columns=False) == [f"a{n} b{n}" for n in range(5)]


def test_narrow_column_is_no_column_of_text() -> None:
    assert texts(column("article", 100) + column("9.99", 480, width=50)) == [
        f"article{n} 9.99{n}" for n in range(5)
    ]


def test_prices_on_narrow_paper_are_no_column_of_text() -> None:
    """They take a quarter of the width, but are too short for sentences."""
    page = column("article", 100, width=150) + column("9.99", 300, width=70)
    assert texts(page) == [f"article{n} 9.99{n}" for n in range(5)]


def test_two_rows_are_no_columns() -> None:
    page = column("a", 100, rows=2) + column("b", 440, rows=2)
    assert texts(page) == ["a0 b0", "a1 b1"]


def test_pieces_of_a_tilted_row_stay_together() -> None:
    """Over 900 pixels a slope of 0.05 is more than the distance of two rows."""
    slope = 0.05
    page = [
        line(f"{name}{row}", x, 100 + 30 * row + slope * x, width=80, slope=slope)
        for row in range(4)
        for name, x in (("left", 0), ("right", 900))
    ]
    assert math.isclose(page[1].box.y0 - page[0].box.y0, 45)
    assert texts(page, columns=False) == [f"left{row} right{row}" for row in range(4)]


def test_gap_starts_a_block_and_so_does_another_size() -> None:
    page = [
        line("Heading", 100, 20, height=44),
        line("one", 100, 80),
        line("two", 100, 110),
        line("three", 100, 140),
        line("far below", 100, 230),
    ]
    assert [block.text for block in reading_order(page, columns=True)] == [
        "Heading",
        "one\ntwo\nthree",
        "far below",
    ]


def test_chinese_words_of_a_piece_have_no_space_but_pieces_do() -> None:
    def words(*parts: str) -> tuple[Word, ...]:
        return tuple(Word(part, Box(0, 0, 9, 9)) for part in parts)

    left = Line(Box(0, 0, 100, 20), words("你好", "世界"))
    right = Line(Box(300, 0, 400, 20), words("OCR", "测试"))
    assert texts([left, right]) == ["你好世界 OCR 测试"]
