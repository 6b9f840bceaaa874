"""
The failure table in the documentation is the one that the tests on real Airflow processes check.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.failures.batch_deferred_rows import BATCH_ROWS
from tests.failures.failure_cases import MODES
from tests.failures.failure_table import Differs, Outcome, Row, render
from tests.failures.failure_user_rows import ROWS

ROOT = Path(__file__).resolve().parents[2]
ALL_ROWS = (*ROWS, *BATCH_ROWS)


@pytest.mark.parametrize(
    ("marker", "table"),
    [("failure table", render(ROWS)), ("batch failure table", render(BATCH_ROWS, "{}"))],
    ids=["one document", "a batch"],
)
def test_the_documentation_shows_the_rows_that_are_tested(marker: str, table: str) -> None:
    text = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    _, begin, rest = text.partition(f"<!-- {marker} -->\n")
    shown, end, _ = rest.partition(f"\n<!-- /{marker} -->")
    assert begin
    assert end
    assert shown == table


def test_names_tell_rows_apart() -> None:
    assert [name for name, count in Counter(row.name for row in ALL_ROWS).items() if count > 1] == []


def test_a_mode_that_differs_says_why() -> None:
    differences = [(row.name, mode, each.why) for row in ROWS for mode, each in row.differs.items()]
    assert [(name, mode) for name, mode, why in differences if not why] == []


def test_each_row_can_happen_in_some_mode() -> None:
    assert [row.name for row in ALL_ROWS if not row.modes] == []


@pytest.mark.parametrize(
    ("file", "rows"),
    [("failure_table_dags.py", ROWS), ("batch_failure_dags.py", BATCH_ROWS)],
    ids=["one document", "a batch"],
)
def test_each_variant_is_a_dag(file: str, rows: tuple[Row, ...]) -> None:
    source = (ROOT / "tests" / "failures" / "dags" / file).read_text(encoding="utf-8")
    (variants,) = (
        node.value
        for node in ast.parse(source).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "VARIANTS"
    )
    assert isinstance(variants, ast.Dict)
    known = {ast.literal_eval(key) for key in variants.keys if key is not None}
    assert {row.variant for row in rows} == known


class TestRender:
    ROW = Row("a", "Group", "it rains", "gets wet", "drops", Outcome(billed=1, cancelled=0, end="success"))

    @pytest.mark.parametrize(
        ("different", "shown"),
        [
            (Differs("there is a roof", possible=False), "*inline*: cannot happen, there is a roof."),
            (
                Differs("it snows", outcome=Outcome(billed=2, cancelled=0, end="failed")),
                "*inline*: billed 2 ×, ends as failed: it snows.",
            ),
            (Differs("it is warm"), "*inline*: it is warm."),
        ],
    )
    def test_a_difference_is_shown_with_its_reason(self, different: Differs, shown: str) -> None:
        row = Row(
            **{
                **{
                    name: getattr(self.ROW, name)
                    for name in ("name", "group", "happens", "cloud_task", "sees")
                },
                "outcome": self.ROW.outcome,
                "differs": {"inline": different},
            }
        )
        assert render([row]).splitlines()[-1].endswith(f"| drops | {shown} |")

    def test_rows_of_a_group_are_one_table(self) -> None:
        assert render([self.ROW, self.ROW]).count("### Group") == 1

    def test_a_row_as_it_is_in_a_mode(self) -> None:
        assert self.ROW.in_mode("inline") is self.ROW
        assert self.ROW.modes == list(MODES)
