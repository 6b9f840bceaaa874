"""
The plan of one wait: when to poll, and when to stop.

Time is the wall clock in seconds since the epoch, because a plan is stored in the metadata database and continues in another
process.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class WaitPlan:
    """
    When to poll one task, and when to stop.

    A plan is stored in a trigger's row and continues in other processes. Therefore it contains points in time, and no
    durations that begin "now".

    :param deadline_at: When the wait ends at the latest, in seconds since the epoch.
    :param poll_interval_seconds: Shortest time between two polls, and from the submit to the first one. With the default,
        the end of a task of two seconds is noticed after two and a half.
    :param max_poll_interval_seconds: Longest time between two polls; the interval grows with the age of the task.
    :param error_budget_seconds: How long polls may fail in a row. The default outlasts the ten minutes of the vendor's
        lock-out, the longest pause that the vendor documents.
    :param not_before_at: Time before which there is no poll, because the result could not be used, in seconds since the
        epoch. The default sets no such time.
    :param seen_running_at: When a poll of an earlier wait last found the task running, in seconds since the epoch. The
        default means that none has.
    """

    deadline_at: float
    poll_interval_seconds: float = 0.8
    max_poll_interval_seconds: float = 600.0
    error_budget_seconds: float = 900.0
    not_before_at: float = 0.0
    seen_running_at: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Return the plan as plain JSON, for a trigger's row."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, float]) -> WaitPlan:
        """
        Read a plan from a trigger's row.

        :param value: Result of :meth:`to_dict`, possibly of a later version. Unknown fields are ignored.
        """
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})
