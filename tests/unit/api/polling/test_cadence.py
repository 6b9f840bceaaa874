"""The goals of the cadence, in a small size: counts of polls and costs in virtual time, the same on every machine."""

from __future__ import annotations

import statistics

import pytest

from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.api.polling.schedules import POLL_COST
from tests.benchmarks.cadence import (
    GOALS,
    MOST_LATE,
    MOST_OF_BEST,
    Case,
    cases,
    knowing,
    learned,
)
from tests.benchmarks.waiting_simulator import (
    Durations,
    Hill,
    OurWaits,
    best_ages,
    by_ages,
    by_interval,
    mean_cost,
)

TAUGHT, COUNTED = 100, 300


@pytest.mark.parametrize(("duration", "most"), GOALS)
def test_who_knows_nothing_polls_seldom_and_is_not_late(duration: float, most: int) -> None:
    waits = OurWaits(5).run([duration] * 300)
    assert max(waited.polls for waited in waits) <= most
    assert statistics.median(waited.late for waited in waits) <= MOST_LATE * duration


@pytest.mark.parametrize(
    "case",
    [case for median in (60.0, 600.0) for case in cases(median)],
    ids=lambda case: f"{case.name} {case.median:g}",
)
def test_who_has_learned_is_nearly_as_good_as_who_knows(case: Case) -> None:
    ours = mean_cost(learned(case, 6, TAUGHT, COUNTED), POLL_COST)
    best = mean_cost(knowing(case.tasks(6, TAUGHT + COUNTED)[TAUGHT:], POLL_COST), POLL_COST)
    assert ours <= MOST_OF_BEST * best


def test_also_while_many_tasks_run_at_once() -> None:
    case = cases(60.0)[0]
    ours = mean_cost(learned(case, 7, 300, 300, at_once=100), POLL_COST)
    best = mean_cost(knowing(case.tasks(7, 600)[300:], POLL_COST), POLL_COST)
    assert ours <= MOST_OF_BEST * best


def test_the_best_schedule_costs_no_more_than_other_schedules() -> None:
    """Otherwise the goal would be held against a poor rival."""
    known = Durations((Hill(60.0, 0.3),))
    tasks = Case("rival", 60.0, lambda _: known).tasks(8, 1000)
    drawn = [duration for _, duration in tasks]
    ages = best_ages(known, POLL_COST, Cadence.poll_interval_seconds)
    best = mean_cost([by_ages(ages, duration) for duration in drawn], POLL_COST)
    rivals = [
        *([by_interval(interval, duration) for duration in drawn] for interval in (5.0, 10.0, 20.0, 60.0)),
        *([by_ages([age * factor for age in ages], duration) for duration in drawn] for factor in (0.9, 1.1)),
        *([by_ages(ages[skip:], duration) for duration in drawn] for skip in (1, 2)),
        OurWaits(8, DurationBook()).run(drawn),
        OurWaits(8).run(drawn),
    ]
    assert all(best < mean_cost(rival, POLL_COST) for rival in rivals)
