"""
The schedules of polls: the ages of a cloud task at which it is polled.

A schedule depends only on the user's limits and, if they are known, on the durations of such tasks. Only this module weighs
the cost of a wait: one poll costs as much as a result that is noticed late by :data:`POLL_COST` of the task's duration.

Invariant: the ages always grow.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.polling.plan import Limits

#: Until durations are known, the pause before the next poll is this share of the task's age. In the median a result is
#: noticed late by a fifth of its duration, and the number of polls grows with the logarithm of the duration.
GROWTH = 0.5
#: Cost of one poll, as the share of the task's duration by which the result could be late instead. The vendor does not
#: document whether polls are billed. With this weight the geometric schedule is the best one for the heavy tail of
#: :data:`TAIL_INDEX`, so that learned and geometric schedules fit together.
POLL_COST = 0.05
#: For tasks older than all observed ones: the probability to run at k times the age is k to the power of minus this.
TAIL_INDEX = 2 * POLL_COST / GROWTH**2

#: Share of the shortest tasks that the schedule ignores: no poll comes earlier because of them.
NEGLIGIBLE = 1e-3

#: Width of a bin of ages, as a logarithm: neighbouring bins differ by 8 %.
BIN_WIDTH = 0.08
_FIRST_EDGE_SECONDS = 0.2
#: Upper ends of the bins, in seconds; the first bin begins at 0, the last one ends where the cloud forgets the task.
EDGES: tuple[float, ...] = tuple(
    _FIRST_EDGE_SECONDS * math.exp(BIN_WIDTH * number)
    for number in range(math.ceil(math.log(RETENTION_SECONDS / _FIRST_EDGE_SECONDS) / BIN_WIDTH) + 1)
)
#: Duration of a task in each bin, for the cost of a late result.
_MIDDLES = tuple(edge * math.exp(-BIN_WIDTH / 2) for edge in EDGES)


class Schedule(Protocol):
    """The ages at which a task is polled."""

    def next_age(self, age: float) -> float:
        """
        Return the age of the poll after one that found the task running.

        :param age: Age of the task then, in seconds; 0 for its submit.
        :return: A greater age.
        """


@dataclass(frozen=True)
class Geometric:
    """
    The schedule if durations are unknown: each poll at one and a half times the age of the previous one.

    :param limits: The user's limits.
    """

    limits: Limits

    def next_age(self, age: float) -> float:
        """
        Return the age of the next poll.

        :param age: As in :class:`Schedule`.
        """
        # The first poll comes at the age from which on the growth, and no longer the limit, gives the interval.
        first = self.limits.shortest_seconds / GROWTH
        return self.limits.within(age, max(first, age * (1 + GROWTH)))


class Planned:
    """
    The schedule of least expected cost for tasks whose durations are known by their histogram.

    :param masses: One number per bin of :data:`EDGES`, not negative: how many tasks had a duration in the bin.
    :param limits: The user's limits.
    """

    def __init__(self, masses: Sequence[float], limits: Limits) -> None:
        self._limits = limits
        self._first, self._next = _least_cost(masses, limits)

    def next_age(self, age: float) -> float:
        """
        Return the age of the next poll.

        :param age: As in :class:`Schedule`.
        """
        return self._limits.within(age, self._wanted(age))

    def _wanted(self, age: float) -> float:
        position = _position(age)
        if position < 0:
            return self._first
        below = int(position)
        if below >= len(EDGES) - 1:
            return age * (1 + GROWTH)
        # Between two edges, so that a poll some percent later does not move the next one by a whole bin.
        start, end = self._next[below], self._next[below + 1]
        return start + (end - start) * (position - below)


def bin_of(age: float) -> int:
    """
    Return the number of the bin that contains an age.

    :param age: In seconds.
    """
    return min(bisect_left(EDGES, age), len(EDGES) - 1)


def _position(age: float) -> float:
    """Return the position of an age between the edges, in bins from the first edge; negative below it."""
    return math.log(age / _FIRST_EDGE_SECONDS) / BIN_WIDTH if age >= _FIRST_EDGE_SECONDS else -1.0


@lru_cache(maxsize=32)
def _reach(limits: Limits) -> tuple[tuple[int, int], ...]:
    """Return the first and the last edge at which the next poll may be, for polls at age 0 and then at each edge."""
    end = len(EDGES) - 1
    reach = []
    for age in (0.0, *EDGES):
        nearest = min(bisect_left(EDGES, age + limits.shortest_seconds), end)
        nearest = max(nearest, min(bisect_right(EDGES, age), end))
        # The edge beyond the limit, which is kept when an age is asked for: at great ages a bin may be wider.
        farthest = min(bisect_left(EDGES, age + limits.longest_seconds), end)
        reach.append((nearest, max(nearest, farthest)))
    return tuple(reach)


def _least_cost(masses: Sequence[float], limits: Limits) -> tuple[float, list[float]]:
    """
    Choose the next poll for each edge, from the last one backwards.

    :return: The age of the first poll, and for a poll at each edge the age of the next one.
    """
    edges, done = EDGES, list(accumulate(masses))
    total = done[-1]
    # The sum of 1 / duration gives what being late costs, without a loop over the bins in between.
    inverse = list(accumulate(mass / middle for mass, middle in zip(masses, _MIDDLES, strict=True)))
    reach = _reach(limits)
    end = len(edges) - 1
    to_come = [0.0] * len(edges)
    following = [edges[end] * (1 + GROWTH)] * len(edges)
    # Polls before the first ends of tasks all have the same successor. To compute it for each would be most of the work.
    begin = bisect_left(done, total * NEGLIGIBLE)

    def best(done_here: float, inverse_here: float, nearest: int, farthest: int) -> tuple[float, int]:
        polled = (total - done_here) * POLL_COST + done_here
        least, chosen = math.inf, nearest
        for edge in range(nearest, farthest + 1):
            cost = polled + edges[edge] * (inverse[edge] - inverse_here) - done[edge]
            if cost >= least:
                break  # From here on, the cost of a late result only grows.
            cost += to_come[edge]
            if cost < least:
                least, chosen = cost, edge
        return least, chosen

    for edge in range(end - 1, begin - 1, -1):
        to_come[edge], chosen = best(done[edge], inverse[edge], *reach[edge + 1])
        following[edge] = edges[chosen]
    # Also beyond the longest interval, which is kept when an age is asked for.
    first = edges[best(0.0, 0.0, max(reach[0][0], begin), end)[1]]
    following[:begin] = [first] * begin
    return first, following
