"""
What a number of documents a day demands: Little's law, and the larger of two reasons for a triggerer.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.demand import Assumptions, Costs, demand, render

COSTS = Costs(
    tasks=4,
    slot_seconds=30,
    worker_cpu_seconds=8,
    airflow_cpu_seconds=2,
    rows=25,
    poll_cpu_seconds=0.0005,
    wait_bytes=8192,
)
ONE_A_SECOND = 86_400.0


def test_one_document_a_second() -> None:
    found = demand(ONE_A_SECOND, COSTS, Assumptions(cloud_seconds=20, waits=3, polls=4, peak=1))
    assert (found.tasks_per_second, found.polls_per_second, found.waits_at_once) == (4, 12, 60)
    assert (found.slots, found.worker_cores, found.airflow_cores) == (30, 8, 2)
    assert found.poll_cores == pytest.approx(0.006)
    assert found.rows_per_day == 25 * ONE_A_SECOND
    assert found.triggerer_bytes == 60 * 8192


def test_the_peak_does_not_grow_the_database() -> None:
    flat, peak = (demand(ONE_A_SECOND, COSTS, Assumptions(peak=factor)) for factor in (1, 3))
    assert peak.slots == 3 * flat.slots
    assert peak.rows_per_day == flat.rows_per_day


@pytest.mark.parametrize(
    ("assumed", "triggerers"),
    [
        (Assumptions(cloud_seconds=1, waits=1, polls=1, peak=1), 2),
        (Assumptions(cloud_seconds=3500, waits=1, polls=1, peak=1, capacity=1000), 5),
        (Assumptions(cloud_seconds=1, waits=1, polls=4000, peak=1, load=0.5), 5),
    ],
)
def test_triggerers_are_for_waits_or_for_polls(assumed: Assumptions, triggerers: int) -> None:
    assert demand(ONE_A_SECOND, COSTS, assumed).triggerers == triggerers


def test_the_table_has_a_column_per_number() -> None:
    table = render(demand(number, COSTS, Assumptions()) for number in (1e3, 1e5))
    assert table.splitlines()[0] == "| documents a day | 1,000 | 100,000 |"
    assert {line.count("|") for line in table.splitlines()} == {4}
