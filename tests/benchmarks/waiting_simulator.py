"""
Waits for cloud tasks in virtual time: what a cadence costs in polls and in results noticed late.

Invariant: nothing here reads a clock or draws from a source that is not seeded, and no wait is simulated by a model of
our cadence: the poller and the book are those of the package. The rivals get favourable conditions: the fixed
interval does not poll at once when it starts, and the best schedule knows the distribution.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from random import Random
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.polling.plan import WaitPlan
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_asposeocr.api.polling.durations import DurationBook

START_AT = 1_800_000_000.0
OPERATION = "RecognizeImage"
#: The best schedule may poll at ages that are apart by this part of the age.
FINE = 0.01
#: Tasks rarer than this are beyond the grid of the best schedule.
RARE = 1e-6

_RUNNING = TaskState(taskStatus="Processing")
_DONE = TaskState(taskStatus="Completed")


@dataclass(frozen=True)
class Waited:
    """
    One wait.

    :param duration: What the cloud took, in seconds.
    :param polls: How often it was asked.
    :param late: How many seconds later the result was noticed.
    """

    duration: float
    polls: int
    late: float

    def cost(self, poll_cost: float, unit_seconds: float | None = None) -> float:
        """
        Return the cost: how late, and the polls.

        :param poll_cost: What one poll costs, in the same unit.
        :param unit_seconds: Unit of lateness; by default the task's own duration.
        """
        return self.late / (unit_seconds or self.duration) + poll_cost * self.polls


@dataclass(frozen=True)
class Hill:
    """
    Durations around one value: lognormal.

    :param median: In seconds.
    :param sigma: Standard deviation of the logarithm.
    :param share: Part of the tasks, where there are several hills.
    """

    median: float
    sigma: float
    share: float = 1.0


@dataclass(frozen=True)
class Durations:
    """
    How long cloud tasks take: hills whose shares add up to 1.

    :param hills: One or several.
    """

    hills: tuple[Hill, ...]

    def draw(self, random: Random) -> float:
        """
        Return the duration of one task.

        :param random: Source of randomness.
        """
        (hill,) = random.choices(self.hills, [hill.share for hill in self.hills])
        return random.lognormvariate(math.log(hill.median), hill.sigma)

    def below(self, age: float) -> float:
        """
        Return the part of the tasks that take less.

        :param age: In seconds.
        """
        return sum(
            hill.share * math.erfc(-math.log(age / hill.median) / hill.sigma / math.sqrt(2)) / 2
            for hill in self.hills
        )


def best_ages(
    durations: Durations, poll_cost: float, shortest_seconds: float, unit_seconds: float | None = None
) -> list[float]:
    """
    Return the ages at which to poll for the least cost on average, if the distribution is known.

    :param durations: The distribution.
    :param poll_cost: As of :meth:`Waited.cost`.
    :param shortest_seconds: Shortest time between two polls.
    :param unit_seconds: As of :meth:`Waited.cost`.
    """
    edges = _fine_edges(durations)
    done = [*(durations.below(edge) for edge in edges[:-1]), 1.0]
    parts = [done[0], *(later - earlier for earlier, later in pairwise(done))]
    weighed = [part / (unit_seconds or edge) for part, edge in zip(parts, edges, strict=True)]
    # Sums, so that a task of each bin that is noticed at an age costs that age times the first less the second.
    weights = list(accumulate(weighed))
    moments = list(accumulate(weight * edge for weight, edge in zip(weighed, edges, strict=True)))
    to_come, following = [0.0] * len(edges), [len(edges) - 1] * len(edges)

    def best(age: float, here: int | None) -> tuple[float, int]:
        polled = poll_cost * (1 - done[here] if here is not None else 1.0)
        weight, moment = (weights[here], moments[here]) if here is not None else (0.0, 0.0)
        least, chosen = math.inf, len(edges) - 1
        nearest = min(bisect_left(edges, age + shortest_seconds), len(edges) - 1)
        for edge in range(nearest, len(edges)):
            cost = polled + edges[edge] * (weights[edge] - weight) - (moments[edge] - moment)
            if cost >= least:
                break
            if cost + to_come[edge] < least:
                least, chosen = cost + to_come[edge], edge
        return least, chosen

    for edge in range(len(edges) - 2, -1, -1):
        to_come[edge], following[edge] = best(edges[edge], edge)
    chosen = best(0.0, None)[1]
    ages = [max(edges[chosen], shortest_seconds)]
    while chosen != len(edges) - 1:
        chosen = following[chosen]
        ages.append(max(edges[chosen], ages[-1] + shortest_seconds))
    return ages


def _fine_edges(durations: Durations) -> list[float]:
    """Return the ages between the rarest short and the rarest long tasks."""
    edge = min(hill.median for hill in durations.hills) / 1e3
    while durations.below(edge) < RARE:
        edge *= 1 + FINE
    edges = [edge]
    while durations.below(edges[-1]) < 1 - RARE:
        edges.append(edges[-1] * (1 + FINE))
    return edges


def by_ages(ages: Sequence[float], duration: float) -> Waited:
    """
    Wait by polling at given ages, and beyond the last one at doubling ages.

    :param ages: In seconds, growing.
    :param duration: What the cloud takes.
    """
    for polls, age in enumerate(ages, 1):
        if age >= duration:
            return Waited(duration, polls, age - duration)
    polls, age = len(ages), ages[-1]
    while age < duration:
        polls, age = polls + 1, age * 2
    return Waited(duration, polls, age - duration)


def by_interval(interval: float, duration: float) -> Waited:
    """
    Wait by polling at a fixed interval.

    :param interval: In seconds.
    :param duration: What the cloud takes.
    """
    polls = max(1, math.ceil(duration / interval))
    return Waited(duration, polls, polls * interval - duration)


@dataclass
class OurWaits:
    """
    Waits by the package's poller, one after the other or several at once.

    :param seed: For jitter.
    :param book: What is learned; ``None`` = nothing.
    :param at_once: How many cloud tasks run at a time.
    :param comes_at: Age of the tasks at which their waits begin, in seconds.
    """

    seed: int
    book: DurationBook | None = None
    at_once: int = 1
    comes_at: float = 0.0

    def run(self, durations: Iterable[float]) -> list[Waited]:
        """
        Wait for tasks.

        :param durations: What the cloud takes for each, in seconds.
        :return: What became of each, in the same order.
        """
        random, left = Random(self.seed), enumerate(durations)
        waited: dict[int, Waited] = {}
        due: list[tuple[float, int]] = []
        waits: dict[int, tuple[Poller, float, float, int]] = {}

        def submit(now: float) -> None:
            for number, duration in left:
                poller = self._poller(now, random.random)
                comes_at = now + self.comes_at
                heapq.heappush(due, (comes_at + poller.first_wait(comes_at).seconds, number))
                waits[number] = (poller, now, duration, 0)
                return

        for _ in range(self.at_once):
            submit(START_AT)
        while due:
            now, number = heapq.heappop(due)
            poller, submitted_at, duration, polls = waits.pop(number)
            late = now - submitted_at - duration
            step = poller.on_state(_DONE if late >= 0 else _RUNNING, now)
            if isinstance(step, Finished):
                waited[number] = Waited(duration, polls + 1, late)
                submit(now)
            else:
                waits[number] = (poller, submitted_at, duration, polls + 1)
                heapq.heappush(due, (now + step.seconds, number))
        return [waited[number] for number in sorted(waited)]

    def _poller(self, now: float, random: Callable[[], float]) -> Poller:
        ref = TaskRef(
            operation=OPERATION, id="id", submitted_at=datetime.fromtimestamp(now, UTC), conn_id="ocr"
        )
        entry = self.book.entry(OPERATION) if self.book is not None else None
        return Poller(ref, WaitPlan(deadline_at=math.inf), random, entry)


def mean_cost(waits: Sequence[Waited], poll_cost: float, unit_seconds: float | None = None) -> float:
    """
    Return what a wait costs on average.

    :param waits: One or many.
    :param poll_cost: As of :meth:`Waited.cost`.
    :param unit_seconds: As of :meth:`Waited.cost`.
    """
    return sum(waited.cost(poll_cost, unit_seconds) for waited in waits) / len(waits)
