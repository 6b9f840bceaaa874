"""
The polls of a batch's cloud tasks: which one is due next, which tasks have ended, and when to wake the worker.

Invariant: no I/O, and time is a parameter, in seconds since the epoch. There is one heap for all tasks of a batch. The
worker is woken when a share of the tasks has ended. A start of the worker for each task would cost more than the task; a
wait for all of them would leave the cloud idle.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import TaskError, TaskTimeoutError, UnknownStatusError
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller, Wait
from airflow_provider_asposeocr.batch.running import digest_of
from airflow_provider_asposeocr.batch.woken import Duration, Woken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.api.polling.durations import DurationBook
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
    from airflow_provider_asposeocr.batch.running import RunningTask
    from airflow_provider_asposeocr.batch.woken import Because

#: The worker is woken when one in this number of cloud tasks has ended.
WAKE_SHARE = 4
#: Longest time that a result waits until other tasks have ended.
WAKE_AFTER_SECONDS = 300.0


@dataclass(frozen=True)
class BatchWaitPlan:
    """
    When to poll the cloud tasks of a batch, and when to stop.

    It goes through a trigger's row, so its times are those of the wall clock, and no duration in it begins "now".

    :param deadline_at: When the batch is over, in seconds since the epoch.
    :param cadence: How often to poll each cloud task, and how long it may take from its submit.
    :param not_before_at: Earliest moment of the event, in seconds since the epoch; by default none.
    :param polls_per_second: Most polls per second of this batch. The limit of the connection holds besides.
    """

    deadline_at: float
    cadence: Cadence = field(default_factory=Cadence)
    not_before_at: float = 0.0
    polls_per_second: float = 200.0

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON, for a trigger's row."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> BatchWaitPlan:
        """
        Read a plan from a trigger's row.

        :param value: What :meth:`to_dict` returned; fields of a later version are left out.
        :raises TypeError: if it is nothing of the kind; or ``ValueError``.
        """
        names = ("deadline_at", "not_before_at", "polls_per_second")
        numbers = {name: float(value[name]) for name in names if name in value}
        return cls(**numbers, cadence=Cadence.from_dict(value.get("cadence", {})))

    def of(self, task: RunningTask) -> WaitPlan:
        """
        Return the plan for one cloud task.

        :param task: The task.
        """
        return self.cadence.plan(
            task.ref.submitted_epoch,
            not_before_at=self.not_before_at,
            seen_running_at=task.seen_running_at,
        )


def is_of_one_task(error: AsposeOcrError) -> bool:
    """
    Tell whether an error concerns one cloud task, or the account and so all of them.

    :param error: Why a wait has ended.
    """
    return isinstance(error, TaskError) and not isinstance(error, UnknownStatusError)


class BatchPolls:
    """
    The waits for the cloud tasks of one batch.

    :param tasks: At least one.
    :param plan: Cadence and limits.
    :param book: What is known of how long tasks take; it learns, too.
    :param random: Source of jitter.
    :param now: When the wait begins.
    """

    def __init__(
        self,
        tasks: Sequence[RunningTask],
        plan: BatchWaitPlan,
        book: DurationBook,
        random: Random,
        now: float,
    ) -> None:
        self.refs: list[TaskRef] = [task.ref for task in tasks]
        self._plan = plan
        self._pollers = [
            Poller(task.ref, plan.of(task), random, book.entry(task.ref.operation)) for task in tasks
        ]
        self._due = [
            (now + poller.first_wait(now).seconds, place) for place, poller in enumerate(self._pollers)
        ]
        heapq.heapify(self._due)
        self._ended: set[int] = set()
        self._cancelled: set[str] = set()
        self._first_ended_at = math.inf
        self._durations: list[Duration] = []
        self._error: AsposeOcrError | None = None

    @property
    def next_at(self) -> float:
        """When the next poll is due; infinity where all are under way or over."""
        return self._due[0][0] if self._due else math.inf

    @property
    def wake_at(self) -> float:
        """When the worker is woken if no other poll ends before."""
        return min(self._plan.deadline_at, self._first_ended_at + WAKE_AFTER_SECONDS)

    @property
    def running(self) -> list[TaskRef]:
        """The cloud tasks that were not seen to have ended, in their order."""
        return [ref for place, ref in enumerate(self.refs) if place not in self._ended]

    def take(self, now: float) -> int | None:
        """
        Take the task that is to be polled now.

        :param now: The present moment.
        :return: Its place; ``None`` = none is due. Pass the answer of the poll to :meth:`on_state` or :meth:`on_error`.
        """
        return heapq.heappop(self._due)[1] if self.next_at <= now else None

    def on_state(self, place: int, state: TaskState, now: float) -> Finished | None:
        """
        Take the answer of a poll.

        :param place: Place of the task.
        :param state: What the cloud says.
        :param now: When the poll ended, in seconds since the epoch.
        :return: How the wait for it ended; ``None`` = it goes on. The caller cancels a task whose deadline has passed, and
            then calls :meth:`end`.
        """
        poller = self._pollers[place]
        seen_at = poller.seen_running_at
        try:
            following = poller.on_state(state, now)
        except UnknownStatusError as error:
            return self.on_error(place, error, now)
        if following == Finished() and seen_at:
            ref = self.refs[place]
            began = ref.submitted_epoch
            self._durations.append(Duration(ref.operation, max(0.0, seen_at - began), max(0.0, now - began)))
        return self._follow(place, following, now)

    def on_error(self, place: int, error: AsposeOcrError, now: float) -> Finished | None:
        """
        Take a poll that failed.

        :param place: Place of the task.
        :param error: Why the poll failed.
        :param now: When the poll ended, in seconds since the epoch.
        :return: The same as for :meth:`on_state`.
        """
        return self._follow(place, self._pollers[place].on_error(error, now), now)

    def fail(self, error: AsposeOcrError) -> None:
        """
        End the wait for all.

        :param error: An error that concerns all of them.
        """
        self._error = self._error or error

    def end(self, place: int, now: float) -> None:
        """
        Take note that a task has ended.

        :param place: Place of the task.
        :param now: When that was noticed.
        """
        self._ended.add(place)
        self._first_ended_at = min(self._first_ended_at, now)

    def note_cancelled(self, refs: Iterable[TaskRef]) -> None:
        """
        Take note of tasks that were cancelled.

        :param refs: The tasks.
        """
        self._cancelled.update(ref.id for ref in refs)

    def woken(self, now: float) -> Because | None:
        """
        Decide whether to wake the worker.

        :param now: The present moment.
        :return: Why; ``None`` = not yet.
        """
        if self._error is not None:
            return "error"
        if len(self._ended) == len(self.refs):
            return "all have ended"
        if now >= self._plan.deadline_at:
            return "deadline"
        if len(self._ended) * WAKE_SHARE >= len(self.refs):
            return "a share has ended"
        return "one has ended for long" if now >= self.wake_at else None

    def event(self, because: Because) -> Woken:
        """
        Describe what is known.

        :param because: Why the worker is woken.
        """
        return Woken(
            because,
            frozenset(self._ended),
            digest_of(self.refs),
            tuple(self._durations),
            self._error,
            frozenset(place for place, ref in enumerate(self.refs) if ref.id in self._cancelled),
        )

    def _follow(self, place: int, following: Wait | Finished, now: float) -> Finished | None:
        if isinstance(following, Wait):
            heapq.heappush(self._due, (now + following.seconds, place))
            return None
        error = following.error
        if error is not None and not is_of_one_task(error):
            self.fail(error)
        elif not isinstance(error, TaskTimeoutError):
            self.end(place, now)
        return following
