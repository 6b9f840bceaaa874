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
    When to ask for the status of one task, and when to stop: the whole cadence of a wait, in one value.

    A plan goes through a trigger's row, from process to process, so it holds instants and no durations that begin "now".

    :param deadline_at: When to give up, in seconds since the epoch.
    :param poll_interval_seconds: Shortest time between two polls, and from the submit to the first one. The default
        lets a task of two seconds be noticed after two and a half.
    :param max_poll_interval_seconds: Longest time between two polls; the interval grows with the age of the task.
    :param error_budget_seconds: How long polls may fail in a row. The default outlasts the ten minutes of the vendor's
        lock-out, the longest pause that the vendor documents.
    :param not_before_at: Earliest moment at which it is of use to know, in seconds since the epoch; no poll comes
        before it. The default is no such moment.
    :param seen_running_at: When an earlier wait last saw the task running, in seconds since the epoch. The default
        means that none has.
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

        :param value: What :meth:`to_dict` returned, perhaps that of a later version: fields that this one does not know are
            left out.
        """
        return cls(**{name: value[name] for name in cls.__dataclass_fields__ if name in value})
