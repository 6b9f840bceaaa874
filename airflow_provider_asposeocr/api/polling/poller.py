"""
Decide when to poll a cloud task again, and when to stop.

Invariant: the worker that waits inline, the trigger and the sensor in poke mode all use this module, so that they behave
in the same way. The ages at which they poll come from :mod:`.schedules`. Time is a parameter, always the wall clock in
seconds since the epoch, because a plan is stored in the metadata database and continues in another process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AsposeOcrError,
    RateLimitedError,
    TaskTimeoutError,
)
from airflow_provider_asposeocr.api.polling.schedules import Geometric
from airflow_provider_asposeocr.api.tasks import failed_error, gone_error, is_young, known_status

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.api.polling.durations import Entry
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan
    from airflow_provider_asposeocr.api.polling.schedules import Schedule
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState

#: Each wait is multiplied by a random number between these.
SHORTEST_JITTER, LONGEST_JITTER = 0.9, 1.1
#: Longest pause after a failed poll. Such a poll says nothing about the task, so that its age does not matter.
LONGEST_AFTER_FAILURE_SECONDS = 30.0
#: How long the cloud may refuse new tokens in a wait with successful polls before; after that the wait fails.
DENIED_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Wait:
    """
    The decision to poll again after a time.

    :param seconds: The time.
    :param asked_seconds: The ``Retry-After`` of the cloud; 0 if it named none.
    """

    seconds: float
    asked_seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Finished:
    """
    Stop asking.

    :param error: Why the wait failed; ``None`` when the task is completed.
    :param seconds: How long after its submit the task was seen completed; ``None`` where it is not, or where the wait came
        to it so late that it may have ended long before.
    """

    error: AsposeOcrError | None = None
    seconds: float | None = field(default=None, compare=False)


class Poller:
    """
    One wait for one task.

    :param ref: The task.
    :param plan: Cadence and limits.
    :param random: Source of jitter.
    :param entry: What is known about tasks like this one, which also learns from this wait; by default nothing is.
    """

    def __init__(self, ref: TaskRef, plan: WaitPlan, random: Random, entry: Entry | None = None) -> None:
        self._ref = ref
        self._plan = plan
        self._limits = plan.cadence.limits
        self._random = random
        self._entry = entry
        self._failing_since: float | None = None
        #: Whether the wait began when another wait with the same schedule could have polled already.
        self._late = False
        #: When the task was last seen running, in seconds since the epoch; 0 = not yet.
        self.seen_running_at = plan.seen_running_at
        #: The cloud forgets the task at that moment, so that waiting longer is in vain.
        self.deadline_at = min(plan.deadline_at, ref.expires_at.timestamp())

    def first_wait(self, now: float) -> Wait:
        """
        Return the time until the first poll.

        A task that is fresh, for its kind, is left alone. An older one may be done already, and a wait that comes to it
        late should not wait longer because of that.

        :param now: Seconds since the epoch.
        """
        last = self._age(self.seen_running_at) if self.seen_running_at else 0.0
        interval, age = self._schedule().next_age(last) - last, self._age(now)
        # Not by this wait's own jitter: it may be longer than that of the wait which has just seen the task's end.
        self._late = last + interval * SHORTEST_JITTER <= age
        return self._until(now, last + interval * self._jitter() - age)

    def on_state(self, state: TaskState, now: float) -> Wait | Finished:
        """
        Take the answer of a poll.

        :param state: What the cloud says.
        :param now: Seconds since the epoch.
        :raises UnknownStatusError: if the cloud reports a status that is not documented.
        """
        self._failing_since = None
        status = known_status(self._ref, state)
        if status is TaskStatus.COMPLETED:
            self._learn(now)
            return Finished(seconds=self._age(now) if self.saw_it_end else None)
        if status is TaskStatus.ERROR:
            return Finished(failed_error(self._ref, state))
        if status is TaskStatus.NOT_EXIST:
            return self._on_not_exist(now)
        self.seen_running_at = now
        return self._unless_late(now)

    def on_error(self, error: AsposeOcrError, now: float) -> Wait | Finished:
        """
        Take a poll that failed.

        :param error: Why it failed.
        :param now: Seconds since the epoch.
        """
        if isinstance(error, RateLimitedError) and error.held_back:
            # Not a poll that failed: none was made.
            return self._unless_late(now, LONGEST_AFTER_FAILURE_SECONDS, error.retry_after_seconds or 0.0)
        denied = isinstance(error, AccessDeniedError)
        if not (error.retryable or denied):
            return Finished(error)
        if self._failing_since is None:
            self._failing_since = now
        most = DENIED_SECONDS if denied else math.inf
        if self._plan.cadence.is_failing_too_long(self._failing_since, now, most):
            return Finished(error)
        return self._unless_late(now, LONGEST_AFTER_FAILURE_SECONDS, error.retry_after_seconds or 0.0)

    def _on_not_exist(self, now: float) -> Wait | Finished:
        if is_young(self._ref, now):
            return self._unless_late(now, LONGEST_AFTER_FAILURE_SECONDS)
        return Finished(gone_error(self._ref, now))

    def _unless_late(
        self, now: float, at_most_seconds: float = math.inf, asked_seconds: float = 0.0
    ) -> Wait | Finished:
        if now < self.deadline_at:
            return self._wait(now, at_most_seconds, asked_seconds)
        return self.late(now)

    def late(self, now: float) -> Finished:
        """
        Return the end of a wait whose deadline has passed.

        :param now: Seconds since the epoch.
        """
        waited = now - self._ref.submitted_epoch
        text = f"{self._ref.operation} was not done {waited:.0f} s after its submit, which is the deadline."
        return Finished(TaskTimeoutError(text).about(self._ref.operation, self._ref.id))

    def _wait(self, now: float, at_most_seconds: float, asked_seconds: float) -> Wait:
        age = self._age(now)
        interval = self._schedule().next_age(age) - age
        shorter = max(at_most_seconds, self._limits.shortest_seconds)
        # Mapped tasks start together; without jitter they would poll together for ever.
        longest = max(self._limits.longest_seconds, self._limits.shortest_seconds)
        return self._until(now, min(min(interval, shorter) * self._jitter(), longest), asked_seconds)

    def _until(self, now: float, seconds: float, asked_seconds: float = 0.0) -> Wait:
        seconds = max(seconds, asked_seconds, self._plan.not_before_at - now)
        return Wait(max(0.0, min(seconds, self.deadline_at - now)), asked_seconds)

    def _schedule(self) -> Schedule:
        return self._entry.schedule(self._limits) if self._entry is not None else Geometric(self._limits)

    @property
    def saw_it_end(self) -> bool:
        """Whether the wait began early enough to tell when the task ended: seen running, or polled when due."""
        return bool(self.seen_running_at) or not self._late

    def _learn(self, now: float) -> None:
        if self._entry is None:
            return
        seen = self.seen_running_at
        self._entry.observe(self._age(seen) if seen else 0.0, self._age(now), late=not self.saw_it_end)

    def _age(self, at: float) -> float:
        # The clocks of two machines differ, so that the age could be negative.
        return max(0.0, at - self._ref.submitted_epoch)

    def _jitter(self) -> float:
        return SHORTEST_JITTER + (LONGEST_JITTER - SHORTEST_JITTER) * self._random()
