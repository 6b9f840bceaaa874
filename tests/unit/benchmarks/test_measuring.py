"""
The arithmetic of the benchmarks: ratios round by round, verdicts against the goal, and the table of the docs.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks import table
from tests.benchmarks.measuring import Row, Sample, compared, in_turn, limited
from tests.benchmarks.table import DOCUMENT, render, replaced, rows_of

if TYPE_CHECKING:
    from pathlib import Path


def test_both_are_measured_in_every_round_and_take_turns_at_being_first() -> None:
    calls: list[str] = []

    def measure(name: str) -> float:
        calls.append(name)
        return len(calls)

    ours, theirs = in_turn(2, lambda: measure("ours"), lambda: measure("theirs"))
    assert calls == ["ours", "theirs", "theirs", "ours"]
    assert (ours, theirs) == ((1, 4), (2, 3))


def test_with_three_each_is_first_once_in_three_rounds() -> None:
    calls: list[str] = []
    in_turn(3, *(lambda name=name: calls.append(name) for name in "abc"))
    assert "".join(calls) == "abcbcacab"


@pytest.mark.parametrize(("at_most", "met"), [(1.9, False), (2.0, True), (None, None)])
def test_the_median_of_the_ratios_is_held_against_the_goal(at_most: float | None, met: bool | None) -> None:
    row = compared("x", (1, 20, 9), "y", (1, 10, 3), unit="ms", at_most=at_most)
    assert row.ratio is not None
    assert row.ratio.values == (1, 2, 3)
    assert row.met is met


@pytest.mark.parametrize(("at_most", "met"), [(2, False), (3, True), (None, None)])
def test_a_limit_is_for_the_median(at_most: float | None, met: bool | None) -> None:
    assert limited("x", (1, 3, 9), unit="s", at_most=at_most).met is met


def test_a_limit_of_a_count_is_for_the_largest_one() -> None:
    met = [limited("x", (1, 3, 9), unit="", at_most=most, never_more=True).met for most in (8, 9)]
    assert met == [False, True]


def test_rows_come_back_from_their_file() -> None:
    rows = [compared("x", (1,), "y", (2,), unit="s", at_most=1), limited("z", (1, 2), unit="")]
    assert rows_of(json.dumps([asdict(row) for row in rows])) == rows


def test_a_missed_goal_is_shown_as_missed() -> None:
    row = Row("a | b", "at most 1 s", Sample((2.0,), "s"), met=False, note="Why.")
    assert (
        render("p", datetime.date(2026, 11, 29), [row]).splitlines()[-1]
        == "| a \\| b; *Why.* | 2 s |  |  | at most 1 s | **no** |"
    )


def test_a_program_that_was_not_run_again_keeps_its_table(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, file in (("RESULTS", ""), ("DOCUMENT", "page.md"), ("SCALE", "s.md"), ("SCALE_BATCH", "b.md")):
        monkeypatch.setattr(table, name, tmp_path / file)
    table.DOCUMENT.write_text("a\n<!-- benchmarks -->\n\n<!-- /benchmarks -->\nb")
    for name in ("two", "one"):
        row = asdict(Row(f"of {name}", "", Sample((1.0,), "s")))
        (tmp_path / f"{name}.json").write_text(json.dumps([row]))
        table.main(["one", "two"])
        (tmp_path / f"{name}.json").unlink()
    assert list(table.tables_of(table.DOCUMENT.read_text())) == ["one", "two"]
    before = table.DOCUMENT.read_text()
    table.main(["one", "two"])
    assert table.DOCUMENT.read_text() == before


def test_only_what_is_between_the_markers_is_replaced() -> None:
    document = "a<!-- x -->\nold\n<!-- /x -->b<!-- y -->\nold\n<!-- /y -->"
    assert replaced(document, "x", r"new \1") == document.replace("old", r"new \1", 1)
    with pytest.raises(ValueError, match="no markers"):
        replaced(document, "z", "new")


@pytest.mark.parametrize("name", ["benchmarks", "scale"])
def test_the_docs_have_the_place(name: str) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert replaced(document, name, "new") != document
