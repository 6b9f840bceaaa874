"""
Learn the durations of cloud tasks from the waits of this process.

The duration of a task is known only as the interval between the two polls between which the task ended. The estimate
always includes some longer and shorter tasks than were observed, so that a task that takes longer than all others is
polled at growing ages, as if durations were unknown.

Invariant: no I/O, and limited memory.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.schedules import (
    BIN_WIDTH,
    EDGES,
    TAIL_INDEX,
    Geometric,
    Planned,
    Schedule,
    bin_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.polling.plan import Limits

#: Effective window: about the latest 50 tasks. Older ones are forgotten, because clouds and documents change.
WINDOW = 50
#: From this number of tasks on, the learned schedule is better than the geometric one.
ENOUGH = 5
#: Number of unobserved tasks that the estimate adds: one that takes longer than the others of its kind, and one that is
#: shorter.
UNSEEN_TASKS = 1.0
#: For tasks shorter than all observed ones: the probability to end before an age that is k times as short is k to the
#: power of minus this. Smaller numbers cause many polls for tasks that never occur, greater ones follow changes too
#: slowly. The number was chosen by simulation.
HEAD_INDEX = 2.0
#: Share of a bin's tasks that the smoothing gives to the bins from three before it to three after it, so that few
#: observations make one hill.
SPREAD = tuple(share / 64 for share in (1, 6, 15, 20, 15, 6, 1))
#: After this number of new observations the schedule is computed again, which costs about as much as a poll.
FRESH = 8
#: Most schedules kept per kind, one per pair of limits. Most installations use only one pair.
MOST_SCHEDULES = 4
#: Most kinds of tasks kept; the least recently used one is removed first.
MOST_KINDS = 256

#: Raise it when the bins or the size classes change: numbers that stand for others would be believed.
_FORM_VERSION = 1

#: Largest documents of the size classes, in bytes; larger documents are one more class.
SIZE_CLASSES = tuple(64 * 1024 * 4**power for power in range(6))

#: Density before the first observation; it only determines how the first wide interval is distributed.
_NOTHING_SEEN = tuple(math.exp(-TAIL_INDEX * BIN_WIDTH * number) for number in range(len(EDGES)))
_LONGER, _SHORTER = math.exp(-TAIL_INDEX * BIN_WIDTH), math.exp(-HEAD_INDEX * BIN_WIDTH)


class Estimate:
    """
    A running estimate of how long cloud tasks of one kind take.

    An observation is distributed over the bins between its two polls in proportion to the present estimate. Therefore wide
    intervals change the estimate little, and do not blur what narrow intervals have shown.
    """

    def __init__(self) -> None:
        self._masses = array("d", bytes(8 * len(EDGES)))
        #: Weight of the next observation. It grows, instead of reducing the weights of all older observations.
        self._weight = 1.0
        self._seen = 0
        self._believe(list(_NOTHING_SEEN))
        self._since = 0
        self._schedules: dict[Limits, Schedule] = {}

    @property
    def count(self) -> int:
        """Number of observations."""
        return self._seen

    def observe(self, after_seconds: float, until_seconds: float) -> None:
        """
        Add the observation that a task ended between two ages.

        :param after_seconds: Age at which a poll found it running; 0 if none did.
        :param until_seconds: Age at which a poll found it completed. Invalid ages are ignored.
        """
        if not (0 <= after_seconds < until_seconds < math.inf):
            return
        first, last = bin_of(after_seconds), bin_of(until_seconds)
        shares = self._density[first : last + 1]
        for number in {first, last}:  # Those between are covered as a whole.
            shares[number - first] *= _part(number, after_seconds, until_seconds)
        self._weight *= 1 + 1 / WINDOW
        whole = sum(shares)
        for number, share in enumerate(shares, first):
            self._masses[number] += self._weight * (share / whole if whole > 0 else 1 / len(shares))
        self._seen += 1
        self._since += 1
        if self._weight > 1e9:
            self._masses = array("d", (mass / self._weight for mass in self._masses))
            self._weight = 1.0
        if self._since >= min(FRESH, 1 + self._seen // 4):
            self._believe(self._believed())
            self._schedules.clear()
            self._since = 0

    def schedule(self, limits: Limits) -> Schedule:
        """
        Return the schedule of least expected cost.

        :param limits: The user's limits.
        """
        if limits not in self._schedules:
            if len(self._schedules) >= MOST_SCHEDULES:
                self._schedules.clear()
            self._schedules[limits] = Planned(self._density, limits)
        return self._schedules[limits]

    def share_ended(self, age: float, later_age: float) -> float:
        """
        Return the chance that a task which runs at one age has ended at a later one.

        :param age: In seconds.
        :param later_age: In seconds.
        """
        runs = self._share_older(age)
        return 1.0 - self._share_older(later_age) / runs if runs > 0 else 1.0

    def _share_older(self, age: float) -> float:
        number = bin_of(age)
        lower = EDGES[number - 1] if number else 0.0
        part = min(1.0, max(0.0, (EDGES[number] - age) / (EDGES[number] - lower)))
        return part * self._density[number] + self._older[number]

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned as plain JSON: how many tasks were seen, and how many ended in which bin."""
        masses = {
            str(number): round(mass / self._weight, 4) for number, mass in enumerate(self._masses) if mass
        }
        return {"seen": self._seen, "masses": masses}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Estimate:
        """
        Read what was learned.

        :param value: What :meth:`to_dict` returned; bins that do not exist are left out.
        """
        estimate = cls()
        for number, mass in value["masses"].items():
            if int(number) < len(EDGES):
                estimate._masses[int(number)] = float(mass)
        estimate._seen = int(value["seen"])
        if estimate._seen:
            estimate._believe(estimate._believed())
        return estimate

    def _believe(self, density: list[float]) -> None:
        self._density = density
        # What is older than each bin, because a batch asks for it once a second for each of its cloud tasks.
        self._older = [0.0, *accumulate(reversed(density[1:]))][::-1]

    def _believed(self) -> list[float]:
        smooth = _smoothed([mass / self._weight for mass in self._masses])
        doubt = UNSEEN_TASKS / min(self._seen, WINDOW)
        more, less = doubt * (1 - _LONGER), doubt * (1 - _SHORTER)
        believed = []
        # Loops without calls: a batch computes this for nearly each of its documents.
        tail = 0.0
        for mass in smooth:
            tail = tail * _LONGER + mass
            believed.append(mass + more * tail)
        tail = 0.0
        for number in range(len(smooth) - 1, -1, -1):
            tail = tail * _SHORTER + smooth[number]
            believed[number] += less * tail
        return believed


def _smoothed(masses: list[float]) -> list[float]:
    """Smooth a histogram: each bin gives shares to its neighbours. Shares beyond an end are reflected."""
    reach = len(SPREAD) // 2
    wide = [0.0] * (len(masses) + 2 * reach)
    for number, mass in enumerate(masses):
        if mass:  # Nearly all bins are empty.
            for place, share in enumerate(SPREAD, number):
                wide[place] += share * mass
    smooth = wide[reach:-reach]
    for number in range(reach):
        smooth[number] += wide[reach - 1 - number]
        smooth[-1 - number] += wide[number - reach]
    return smooth


def _part(number: int, after: float, until: float) -> float:
    """Return the share of a bin that is between two ages, on the logarithmic scale."""
    upper = EDGES[number]
    if number == 0:
        return (min(until, upper) - after) / upper
    lower = EDGES[number - 1]
    start = max(after, lower)
    end = until if number == len(EDGES) - 1 else min(until, upper)
    return max(0.0, math.log(end / start) / BIN_WIDTH)


class Entry:
    """
    The estimates of a :class:`DurationBook` for one kind of task.

    :param estimates: The estimate of the size class and that of the operation, or only that of the operation.
    """

    def __init__(self, *estimates: Estimate) -> None:
        self._estimates = estimates

    def schedule(self, limits: Limits) -> Schedule:
        """
        Return the schedule: by the size class if it has enough observations, else by the operation, else geometric.

        :param limits: The user's limits.
        """
        for estimate in self._estimates:
            if estimate.count >= ENOUGH:
                return estimate.schedule(limits)
        return Geometric(limits)

    @property
    def is_known(self) -> bool:
        """Whether enough tasks like this one were seen for their durations to be believed."""
        return any(estimate.count >= ENOUGH for estimate in self._estimates)

    def share_ended(self, age: float, later_age: float) -> float:
        """
        Return the chance that a task which runs at one age has ended at a later one.

        While too few such tasks were seen, the chance is that of the heavy tail for which the geometric schedule is the best
        one: a task goes on for a time like that which it has run for.

        :param age: In seconds.
        :param later_age: In seconds.
        """
        for estimate in self._estimates:
            if estimate.count >= ENOUGH:
                return estimate.share_ended(age, later_age)
        return 1.0 - float((max(age, EDGES[0]) / max(later_age, EDGES[0])) ** TAIL_INDEX)

    def observe(self, after_seconds: float, until_seconds: float, *, late: bool = False) -> None:
        """
        Add the observation of a completed task. Do not add failed and cancelled tasks.

        :param after_seconds: Age at which a poll found it running; 0 if none did.
        :param until_seconds: Age at which a poll found it completed.
        :param late: Whether the wait began only after the first poll was due, and found the task completed at once. Such an
            observation is used only after enough others. If all of them were ignored, the estimate would contain no tasks
            that end before a wait begins.
        """
        for estimate in self._estimates:
            if not late or estimate.count >= ENOUGH:
                estimate.observe(after_seconds, until_seconds)


class DurationBook:
    """
    The estimates of one process, by operation and size of the document.

    Use it from one thread or event loop only.
    """

    def __init__(self) -> None:
        self._estimates: OrderedDict[tuple[str, int | None], Estimate] = OrderedDict()

    def __len__(self) -> int:
        return len(self._estimates)

    def entry(self, operation: str, source_bytes: int | None = None) -> Entry:
        """
        Return the estimates for a task, to which its observation is added later.

        :param operation: Name of the operation.
        :param source_bytes: Size of the submitted document; ``None`` = unknown.
        """
        whole = self._estimate((operation, None))
        if source_bytes is None:
            return Entry(whole)
        return Entry(self._estimate((operation, bisect_left(SIZE_CLASSES, source_bytes))), whole)

    def to_dict(self) -> dict[str, Any]:
        """Return what was learned as plain JSON, for another process; :meth:`from_dict` reads it."""
        kinds = [[*kind, estimate.to_dict()] for kind, estimate in self._estimates.items() if estimate.count]
        return {"version": _FORM_VERSION, "kinds": kinds}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> DurationBook:
        """
        Read what another process has learned.

        :param value: What :meth:`to_dict` returned.
        :return: A book that goes on with it; an empty one where another version wrote it, since all of it can be learned
            again.
        """
        book = cls()
        if value.get("version") != _FORM_VERSION:
            return book
        for operation, size_class, estimate in value["kinds"]:
            book._estimates[operation, size_class] = Estimate.from_dict(estimate)
        return book

    def _estimate(self, kind: tuple[str, int | None]) -> Estimate:
        estimate = self._estimates.get(kind)
        if estimate is None:
            estimate = self._estimates[kind] = Estimate()
        self._estimates.move_to_end(kind)
        if len(self._estimates) > MOST_KINDS:
            self._estimates.popitem(last=False)
        return estimate
