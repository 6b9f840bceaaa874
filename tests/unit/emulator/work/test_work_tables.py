"""Tables: their rulings, their cells, and the files that RecognizeTable makes of them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import ImageDraw

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Line, Word
from airflow_provider_asposeocr.emulator.work.imaging.layout import Row
from airflow_provider_asposeocr.emulator.work.imaging.rulings import Rulings, find_rulings, without_rulings
from airflow_provider_asposeocr.emulator.work.imaging.table_files import csv_of
from airflow_provider_asposeocr.emulator.work.imaging.tables import cells_of, table_of
from tests.support.drawn_pages import blank, encoded, write

if TYPE_CHECKING:
    from PIL import Image

    from airflow_provider_asposeocr.emulator.work.jobs import Worker
    from tests.support.emulator_workers import MakeWorker, Run

TABLE = [
    ["Article", "Quantity", "Price"],
    ["Copper kettle", "12", "48.50"],
    ["Lamp", "3", "17.25"],
    ["Garden chair", "140", "9.99"],
]
XS, YS = (60, 460, 720, 960), (60, 140, 220, 300, 380)


def drawn_table(*, ruled: bool) -> Image.Image:
    page = blank(1040, 460)
    for number, row in enumerate(TABLE):
        for text, x in zip(row, XS, strict=False):
            write(page, (text,), x=x + 20, y=YS[number] + 20)
    if ruled:
        draw = ImageDraw.Draw(page)
        for x in XS:
            draw.line([(x, YS[0]), (x, YS[-1])], fill=0, width=3)
        for y in YS:
            draw.line([(XS[0], y), (XS[-1], y)], fill=0, width=3)
    return page


def word(text: str, x: float, y: float = 0.0, *, high: float = 10.0) -> Word:
    return Word(text, Box(x, y, x + 6 * len(text), y + high))


def row(*words: Word) -> Row:
    return Row((Line(Box.around(each.box for each in words), words),))


class TestRulings:
    def test_they_are_where_they_were_drawn(self) -> None:
        found = find_rulings(np.asarray(drawn_table(ruled=True)))
        assert found.xs == pytest.approx([x + 0.5 for x in XS], abs=2)
        assert found.ys == pytest.approx([y + 0.5 for y in YS], abs=2)

    @pytest.mark.parametrize(
        "page", [drawn_table(ruled=False), blank(300, 200), blank(300, 200, shade=0), blank(3, 2)]
    )
    def test_text_and_empty_pages_have_none(self, page: Image.Image) -> None:
        assert find_rulings(np.asarray(page)) == Rulings()

    def test_they_are_removed_and_the_text_stays(self) -> None:
        cleaned = without_rulings(np.asarray(drawn_table(ruled=True)))
        assert find_rulings(cleaned) == Rulings()
        plain = np.asarray(drawn_table(ruled=False))
        assert np.count_nonzero((cleaned < 128) != (plain < 128)) < 0.01 * np.count_nonzero(plain < 128)

    def test_a_page_without_any_is_not_copied(self) -> None:
        page = np.asarray(drawn_table(ruled=False))
        assert without_rulings(page) is page


class TestCells:
    def test_a_space_does_not_divide_them_and_a_gap_does(self) -> None:
        cells = cells_of(row(word("Copper", 0), word("kettle", 40), word("12", 140)))
        assert [cell.text for cell in cells] == ["Copper kettle", "12"]

    def test_a_row_from_right_to_left_is_divided_too(self) -> None:
        words = (word("ab", 200), word("cd", 180), word("12", 0))
        cells = cells_of(Row((Line(Box(0, 0, 212, 10), words),), right_to_left=True))
        assert [cell.text for cell in cells] == ["ab cd", "12"]

    def test_cells_below_each_other_are_a_column_and_gaps_stay_empty(self) -> None:
        rows = [
            row(word("Article", 0), word("Price", 200)),
            row(word("Lamp", 0), word("17.25", 200)),
            row(word("3.75", 205)),
        ]
        assert table_of(rows, Rulings()) == [["Article", "Price"], ["Lamp", "17.25"], ["", "3.75"]]

    def test_a_title_over_all_columns_divides_nothing_and_joins_nothing(self) -> None:
        title = row(*(word("word", 30 * number) for number in range(8)))
        rows = [title, row(word("a", 0), word("b", 200)), row(word("c", 0), word("d", 200))]
        found = table_of(rows, Rulings())
        assert found[1:] == [["a", "b"], ["c", "d"]]
        assert sorted(found[0]) == ["", " ".join(["word"] * 8)]

    def test_rulings_divide_words_that_stand_close(self) -> None:
        rows = [row(word("12", 0), word("34", 16)), row(word("56", 16, 20))]
        assert table_of(rows, Rulings((-1, 14, 40), (-1, 15, 40))) == [["12", "34"], ["", "56"]]

    def test_what_is_outside_of_the_rulings_is_no_part_of_the_table(self) -> None:
        rows = [row(word("Title", 0, -20)), row(word("12", 2, 2))]
        assert table_of(rows, Rulings((0, 50), (0, 50))) == [["12"]]

    @pytest.mark.parametrize("rulings", [Rulings(), Rulings((0, 9), (0, 9))])
    def test_nothing_is_an_empty_table(self, rulings: Rulings) -> None:
        assert table_of([], rulings) == []


def test_csv_begins_with_the_numbers_of_the_columns_and_quotes() -> None:
    assert csv_of([["a,b", 'say "x"'], ["c", ""]]) == b'0,1\n"a,b","say ""x"""\nc,\n'


def sheet_of(workbook: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    return [
        ["".join(cell.itertext()) for cell in line.iter(f"{space}c")] for line in sheet.iter(f"{space}row")
    ]


@pytest.mark.parametrize("ruled", [True, False], ids=["ruled", "open"])
def test_a_drawn_table_is_read_cell_by_cell(worker: Worker, run: Run, ruled: bool) -> None:
    outcome = run(worker, "RecognizeTable", encoded(drawn_table(ruled=ruled)), resultTypeTable="CsvAndExcel")
    assert [result.type for result in outcome.results] == ["Csv", "Excel"]
    numbers, *rows = csv.reader(io.StringIO(outcome.results[0].path.read_text("utf-8")))
    assert numbers == ["0", "1", "2"]
    assert rows == TABLE
    assert sheet_of(outcome.results[1].path.read_bytes()) == TABLE
    assert not outcome.canned


@pytest.mark.parametrize(
    ("settings", "types"),
    [
        ({}, ["Text"]),
        ({"resultTypeTable": "Text"}, ["Text"]),
        ({"resultTypeTable": "Csv"}, ["Csv"]),
        ({"resultTypeTable": "Excel"}, ["Excel"]),
        ({"resultType": "JSON"}, ["JSON"]),
    ],
    ids=str,
)
def test_each_setting_makes_its_files_also_of_an_empty_page(
    run: Run, blind: MakeWorker, settings: dict[str, Any], types: list[str]
) -> None:
    outcome = run(blind(), "RecognizeTable", encoded(blank()), **settings)
    assert [result.type for result in outcome.results] == types
    assert outcome.warnings == ()
    content = outcome.results[0].path.read_bytes()
    if types == ["JSON"]:
        assert json.loads(content) == []


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"resultType": "Pdf"}, "resultType Pdf has no effect"),
        ({"resultType": "JSON", "resultTypeTable": "Csv"}, "resultTypeTable has no effect"),
    ],
    ids=str,
)
def test_a_setting_that_chooses_nothing_is_named(
    run: Run, blind: MakeWorker, settings: dict[str, Any], named: str
) -> None:
    assert any(
        named in warning for warning in run(blind(), "RecognizeTable", encoded(blank()), **settings).warnings
    )


def test_the_drawn_rulings_are_far_enough_apart_for_the_test() -> None:
    assert min(b - a for line in (XS, YS) for a, b in pairwise(line)) > 50
