"""
What waiting costs in polls and in results noticed late: ours, the fixed intervals of the field, and the best schedule.

Invariant: virtual time and seeded draws only, so that the figures are the same on every machine. The cost of a wait is
what the result is late by, as a part of the task's duration, and a twentieth for each poll; two other weights,
and lateness in seconds, are shown beside it although our schedule is not chosen by them.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.api.polling.schedules import POLL_COST
from tests.benchmarks.measuring import Row, Sample, compared, limited, publish
from tests.benchmarks.waiting_simulator import (
    Durations,
    Hill,
    OurWaits,
    Waited,
    best_ages,
    by_ages,
    by_interval,
    mean_cost,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Duration in seconds, and the most polls that it may take.
GOALS = ((2.0, 4), (60.0, 11), (600.0, 17))
MOST_LATE = 0.25
MOST_OF_BEST = 1.3
#: Other costs of one poll, in units of the task's duration: cheaper and dearer polls than we assume.
OTHER_WEIGHTS = (0.02, 0.125)
#: Airflow's usual poll interval, and a short one.
FIXED_INTERVALS = (60.0, 10.0)
#: Tasks that teach before anything is counted, and those that are counted.
TAUGHT, COUNTED = 200, 1000
SEEDS = (1, 2, 3, 4, 5)
MEDIANS = (2.0, 20.0, 60.0, 600.0)
#: The drift: over this number of tasks, the median once grows to the double and shrinks to the half.
DRIFT_TASKS = 1000


@dataclass(frozen=True)
class Case:
    """
    Tasks to wait for.

    :param name: In words.
    :param median: Of the durations, in seconds.
    :param durations: The distribution of the task of a number.
    """

    name: str
    median: float
    durations: Callable[[int], Durations]

    def tasks(self, seed: int, count: int) -> list[tuple[Durations, float]]:
        """
        Draw tasks.

        :param seed: Makes them the same each time.
        :param count: How many.
        :return: For each the distribution that it comes from, and its duration.
        """
        random = Random(f"{self.name} {self.median} {seed}")
        return [(known, known.draw(random)) for known in map(self.durations, range(count))]


def cases(median: float) -> tuple[Case, ...]:
    """
    Return the goal's distributions.

    :param median: About which they are, in seconds.
    """
    narrow, wide = Durations((Hill(median, 0.3),)), Durations((Hill(median, 1.0),))
    two = Durations((Hill(median / 3, 0.2, 0.5), Hill(median * 3, 0.2, 0.5)))

    def drifting(number: int) -> Durations:
        # In steps of 2 %, for which the best schedule need not be sought anew for every task.
        factor = 2 ** math.sin(2 * math.pi * number / DRIFT_TASKS)
        return Durations((Hill(median * 1.02 ** round(math.log(factor, 1.02)), 0.3),))

    return (
        Case("lognormal, sigma 0.3", median, lambda _: narrow),
        Case("lognormal, sigma 1.0", median, lambda _: wide),
        Case("bimodal, a third and the triple", median, lambda _: two),
        Case("drifting between half and double", median, drifting),
    )


def jumping(median: float) -> Case:
    """
    Return tasks that suddenly take nine times as long, and as suddenly a ninth again; no goal asks for it.

    :param median: Between the two, in seconds.
    """
    short, long = Durations((Hill(median / 3, 0.3),)), Durations((Hill(median * 3, 0.3),))
    return Case(
        "jumping by a factor of nine each 500 tasks", median, lambda n: long if n // 500 % 2 else short
    )


@lru_cache(maxsize=4096)
def _best(known: Durations, poll_cost: float, unit_seconds: float | None) -> list[float]:
    return best_ages(known, poll_cost, Cadence.poll_interval_seconds, unit_seconds)


def knowing(
    tasks: Sequence[tuple[Durations, float]], poll_cost: float, unit_seconds: float | None = None
) -> list[Waited]:
    """
    Wait by the best schedule that knows each task's distribution.

    :param tasks: Distribution and duration of each.
    :param poll_cost: What one poll costs, in units of lateness.
    :param unit_seconds: Unit of lateness; by default each task's duration.
    """
    return [by_ages(_best(known, poll_cost, unit_seconds), duration) for known, duration in tasks]


def learned(case: Case, seed: int, taught: int, counted: int, at_once: int = 1) -> list[Waited]:
    """
    Wait by our own schedule, and leave out what taught it.

    :param case: The tasks.
    :param seed: Of their durations and of the jitter.
    :param taught: How many to leave out.
    :param counted: How many follow.
    :param at_once: How many cloud tasks run at a time.
    """
    durations = [duration for _, duration in case.tasks(seed, taught + counted)]
    return OurWaits(seed, DurationBook(), at_once).run(durations)[taught:]


def unlearned_rows() -> list[Row]:
    """Return goal (a): waits for tasks of three durations, and of any duration, by a poller that has not learned yet."""
    rows = []
    for duration, most in GOALS:
        waits = OurWaits(1).run([duration] * 2000)
        fixed = [by_interval(interval, duration) for interval in FIXED_INTERVALS]
        beside = "; ".join(
            f"every {interval:g} s: {waited.polls} polls, {100 * waited.late / duration:.0f} % late"
            for interval, waited in zip(FIXED_INTERVALS, fixed, strict=True)
        )
        what = f"task of {duration:g} s, nothing learned"
        # The largest number of polls, not the median: no wait may need more.
        largest = max(waited.polls for waited in waits)
        rows.append(limited(f"{what}: most polls", [largest], unit="polls", at_most=most, note=beside))
        late = [100 * waited.late / duration for waited in waits]
        rows.append(limited(f"{what}: noticed late by", late, unit="%", at_most=100 * MOST_LATE))
    random = Random(7)
    any_duration = [math.exp(random.uniform(0, math.log(3600))) for _ in range(4000)]
    late = [100 * waited.late / waited.duration for waited in OurWaits(2).run(any_duration)]
    note = "so that the three durations above are not happy ones"
    what = "tasks of 1 s to 1 h, nothing learned: noticed late by"
    return [*rows, limited(what, late, unit="%", at_most=100 * MOST_LATE, note=note)]


def _described(waits: Sequence[Waited]) -> str:
    polls = statistics.mean(waited.polls for waited in waits)
    late = 100 * statistics.median(waited.late / waited.duration for waited in waits)
    return f"{polls:.1f} polls and {late:.0f} % late"


def learned_row(case: Case, at_once: int = 1, goal: float | None = MOST_OF_BEST) -> Row:
    """
    Compare what was learned with the best schedule that knows the distribution.

    :param case: The tasks.
    :param at_once: How many cloud tasks run at a time.
    :param goal: Largest ratio; ``None`` = no goal.
    """
    ours, best, beside, waits = [], [], [], []
    for seed in SEEDS:
        waits = learned(case, seed, TAUGHT, COUNTED, at_once)
        tasks = case.tasks(seed, TAUGHT + COUNTED)[TAUGHT:]
        knows = knowing(tasks, POLL_COST)
        ours.append(mean_cost(waits, POLL_COST))
        best.append(mean_cost(knows, POLL_COST))
        beside = [f"ours {_described(waits)}, best {_described(knows)}"]
        fixed = [[by_interval(interval, duration) for _, duration in tasks] for interval in FIXED_INTERVALS]
        rivals = [OurWaits(seed).run(duration for _, duration in tasks), *fixed]
        names = ["nothing learned", *(f"every {interval:g} s" for interval in FIXED_INTERVALS)]
        beside += [
            f"{name} {mean_cost(rival, POLL_COST) / best[-1]:.2f} x"
            for name, rival in zip(names, rivals, strict=True)
        ]
    several = f", {at_once} at a time" if at_once > 1 else ""
    what = f"cost of waiting, {case.name}, median {case.median:g} s{several}"
    return compared(what, ours, "best schedule", best, unit="", at_most=goal, note="; ".join(beside))


def weight_row(case: Case, poll_cost: float, unit_seconds: float | None = None) -> Row:
    """
    Compare by another weight than the one that our schedule is chosen by.

    :param case: The tasks.
    :param poll_cost: What one poll costs, in units of lateness.
    :param unit_seconds: Unit of lateness; by default each task's duration.
    """
    ours, best = [], []
    for seed in SEEDS:
        tasks = case.tasks(seed, TAUGHT + COUNTED)[TAUGHT:]
        ours.append(mean_cost(learned(case, seed, TAUGHT, COUNTED), poll_cost, unit_seconds))
        best.append(mean_cost(knowing(tasks, poll_cost, unit_seconds), poll_cost, unit_seconds))
    worth = f"{100 * poll_cost:g} %" if unit_seconds is None else f"{poll_cost * unit_seconds:g} s"
    what = f"the same, {case.name}, median {case.median:g} s, if a poll were worth {worth}"
    return compared(what, ours, "best schedule for that", best, unit="")


def inline_row() -> Row:
    """Return what a wait costs that a worker began and a triggerer goes on with six seconds after the submit."""
    case = cases(60.0)[0]
    durations = [duration for _, duration in case.tasks(1, TAUGHT + COUNTED)]
    waits = OurWaits(1, DurationBook(), comes_at=6.0).run(durations)[TAUGHT:]
    polls = [float(waited.polls) for waited in waits]
    note = "besides up to three of the worker, which knows nothing"
    mean = Sample((statistics.mean(polls),), "polls")
    return Row(
        "polls of a triggerer that comes 6 s after the submit, median 60 s, learned", "", mean, note=note
    )


def main() -> None:
    """Print and keep the rows."""
    rows = unlearned_rows()
    for median in MEDIANS:
        rows += [learned_row(case) for case in cases(median)]
    rows += [learned_row(case, at_once=100, goal=None) for case in cases(60.0)]
    rows += [learned_row(jumping(median), goal=None) for median in (20.0, 60.0)]
    rows += [weight_row(case, weight) for weight in OTHER_WEIGHTS for case in cases(60.0)]
    # Lateness counted in seconds instead of parts of the duration: equal for a task of the median, different for others.
    rows += [weight_row(case, POLL_COST, unit_seconds=60.0) for case in cases(60.0)]
    publish("cadence", [*rows, inline_row()])


if __name__ == "__main__":
    main()
