"""
The plan of one wait: when to poll, and when to stop.

A new knob of all waits is a field of :class:`Cadence`. Plans, settings of a batch and rows of triggers contain a cadence as
one value.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from airflow_provider_asposeocr.api.polling.deadlines import deadline_of


@dataclass(frozen=True)
class Limits:
    """
    How often the user wants a cloud task to be polled.

    :param shortest_seconds: Shortest time between two polls, and from the submit to the first one.
    :param longest_seconds: Longest time between two polls; ignored if it is less than the shortest time.
    """

    shortest_seconds: float
    longest_seconds: float

    def within(self, age: float, next_age: float) -> float:
        """
        Return the age of the next poll, moved into the limits.

        :param age: Age of the task at the last poll, in seconds; 0 for its submit.
        :param next_age: Age at which the next poll is wanted.
        """
        longest = max(self.shortest_seconds, self.longest_seconds)
        return age + min(max(next_age - age, self.shortest_seconds), longest)


@dataclass(frozen=True)
class Cadence:
    """
    How often to poll a cloud task, and how long to wait for it.

    :param poll_interval_seconds: Shortest time between two polls, and from the submit to the first one. With the default,
        the end of a task of two seconds is noticed after two and a half.
    :param max_poll_interval_seconds: Longest time between two polls; the interval grows with the age of the task.
    :param timeout_seconds: How long a cloud task may take. The default is an hour.
    :param error_budget_seconds: How long requests about one task or document may fail in a row. The default outlasts the
        ten minutes of the vendor's lock-out, the longest pause that the vendor documents.
    """

    poll_interval_seconds: float = 0.8
    max_poll_interval_seconds: float = 600.0
    timeout_seconds: float = 3600.0
    error_budget_seconds: float = 900.0

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Cadence:
        """
        Read a cadence from a trigger's row.

        :param value: The fields, possibly of a later version. Unknown fields are ignored.
        :raises TypeError: if it is nothing of the kind; or ``ValueError``.
        """
        return cls(**{name: float(value[name]) for name in cls.__dataclass_fields__ if name in value})

    @property
    def limits(self) -> Limits:
        """Return the limits of a schedule of polls."""
        return Limits(self.poll_interval_seconds, self.max_poll_interval_seconds)

    def is_failing_too_long(self, since: float, now: float, at_most_seconds: float = math.inf) -> bool:
        """
        Tell whether requests have failed for so long that the next one is not worthwhile.

        :param since: When the first of them has failed, in seconds since the epoch.
        :param now: The present moment.
        :param at_most_seconds: A shorter limit for the error at hand; by default none.
        """
        return now - since >= min(self.error_budget_seconds, at_most_seconds)

    def plan(
        self,
        began_at: float,
        airflow_ends_at: float = math.inf,
        *,
        not_before_at: float = 0.0,
        seen_running_at: float = 0.0,
    ) -> WaitPlan:
        """
        Make the plan of a wait.

        :param began_at: When the wait began, in seconds since the epoch.
        :param airflow_ends_at: When Airflow's ``execution_timeout`` or deferral timeout ends the wait; by default never.
        :param not_before_at: As in :class:`WaitPlan`.
        :param seen_running_at: As in :class:`WaitPlan`.
        :return: The plan, with an absolute deadline.
        """
        deadline_at = deadline_of(began_at, self.timeout_seconds, airflow_ends_at)
        return WaitPlan(deadline_at, self, not_before_at, seen_running_at)


@dataclass(frozen=True)
class WaitPlan:
    """
    When to poll one task, and when to stop.

    A plan is stored in a trigger's row and continues in other processes. Therefore its times are those of the wall clock,
    and no duration in it begins "now".

    :param deadline_at: When the wait ends at the latest, in seconds since the epoch.
    :param cadence: How often to poll. Its timeout is contained in the deadline.
    :param not_before_at: Time before which there is no poll, because the result could not be used, in seconds since the
        epoch. The default sets no such time.
    :param seen_running_at: When a poll of an earlier wait last found the task running, in seconds since the epoch. The
        default means that none has.
    """

    deadline_at: float
    cadence: Cadence = field(default_factory=Cadence)
    not_before_at: float = 0.0
    seen_running_at: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON, for a trigger's row."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> WaitPlan:
        """
        Read a plan from a trigger's row.

        :param value: Result of :meth:`to_dict`, possibly of a later version. Unknown fields are ignored.
        """
        times = {
            name: value[name] for name in ("deadline_at", "not_before_at", "seen_running_at") if name in value
        }
        return cls(**times, cadence=Cadence.from_dict(value.get("cadence", {})))
