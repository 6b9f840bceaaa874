"""
What a number of documents a day demands: Little's law, and the larger of two reasons for a triggerer.
"""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from tests.benchmarks.demand import Assumptions, Costs, demand, page, render

COSTS = Costs(
    tasks=4,
    polls=15,
    slot_seconds=30,
    worker_cpu_seconds=8,
    airflow_cpu_seconds=2,
    process_bytes=100 * 2**20,
    rows=25,
    poll_cpu_seconds=0.0005,
    wait_bytes=8192,
)
ONE_A_SECOND = 86_400.0


def test_one_document_a_second() -> None:
    found = demand(ONE_A_SECOND, COSTS, Assumptions(cloud_seconds=20, waits=3, polls=4, peak=1))
    assert (found.tasks_per_second, found.triggerer_polls_per_second, found.waits_at_once) == (4, 12, 60)
    assert (found.slots, found.worker_cores, found.airflow_cores) == (30, 8, 2)
    assert found.poll_cores == pytest.approx(0.006)
    assert found.rows_per_day == 25 * ONE_A_SECOND
    assert found.triggerer_bytes == 60 * 8192
    assert found.process_bytes == 30 * 100 * 2**20


def test_who_waits_in_the_task_polls_the_cloud_too() -> None:
    found = demand(ONE_A_SECOND, COSTS, Assumptions(waits=0, peak=1))
    assert found.polls_per_second == 15
    assert (found.triggerer_polls_per_second, found.poll_cores, found.waits_at_once) == (0, 0, 0)


def test_the_peak_does_not_grow_the_database() -> None:
    flat, peak = (demand(ONE_A_SECOND, COSTS, Assumptions(peak=factor)) for factor in (1, 3))
    assert peak.slots == 3 * flat.slots
    assert peak.rows_per_day == flat.rows_per_day


@pytest.mark.parametrize(
    ("assumed", "triggerers", "waits"),
    [
        (Assumptions(cloud_seconds=1, waits=1, polls=1, peak=1), 2, 0.5),
        (Assumptions(cloud_seconds=3500, waits=1, polls=1, peak=1, capacity=1000), 5, 700),
        (Assumptions(cloud_seconds=1, waits=1, polls=4000, peak=1, load=0.5), 5, 0.2),
    ],
)
def test_triggerers_are_for_waits_or_for_polls(assumed: Assumptions, triggerers: int, waits: float) -> None:
    found = demand(ONE_A_SECOND, COSTS, assumed)
    assert found.triggerers == triggerers
    assert found.waits_per_triggerer == pytest.approx(waits)


def test_the_table_has_a_column_per_number() -> None:
    table = render((demand(number, COSTS, Assumptions()) for number in (1e3, 1e5)), 1000)
    assert table.splitlines()[0] == "| documents a day | 1,000 | 100,000 |"
    assert {line.count("|") for line in table.splitlines()} == {4}


@pytest.mark.parametrize("name", [field.name for field in fields(Assumptions)])
def test_every_assumption_stands_above_its_table_with_the_value_that_was_computed_with(name: str) -> None:
    usual, another = Assumptions(), replace(Assumptions(), **{name: 7})
    said = [page("Title:", COSTS, assumed, (1e3,)).split("\n\n")[1] for assumed in (usual, another)]
    assert said[0] != said[1]


def test_a_page_says_what_was_assumed_and_what_was_counted() -> None:
    title, said, table = page("Title:", COSTS, Assumptions(), (1e3, 1e5)).split("\n\n")
    assert title == "Title:"
    for words in ("cloud tasks of 20 s", "3 waits in triggerers per document", "3 times the mean of the day"):
        assert words in said
    assert "15 polls per document, 100 MiB resident" in said
    assert "| waits per triggerer, which takes 1,000 |" in table
    assert "no waits in triggerers" in page("Title:", COSTS, Assumptions(waits=0), (1e3,))
