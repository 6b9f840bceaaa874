"""
The event with which a batch's trigger wakes the worker.

Invariant: the worker asks the cloud itself about each cloud task that the event names as ended. Only the trigger's cancels
are taken from the event, because the cloud does not report a cancelled task. An event that the worker does not understand
counts as empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_provider_asposeocr.api.errors import AsposeOcrError, from_dict

#: Why the trigger has fired.
Because = Literal[
    "a share has ended", "all have ended", "one has ended for long", "deadline", "the pause is over", "error"
]
BECAUSE: tuple[Because, ...] = get_args(Because)
#: Most durations in an event. A :class:`.DurationBook` counts about this number of the latest tasks.
MOST_DURATIONS = 50


@dataclass(frozen=True)
class Duration:
    """
    How long one cloud task took, as far as polls can tell.

    :param operation: Name of the operation.
    :param after_seconds: Age at which it was last seen running.
    :param until_seconds: Age at which it was seen completed.
    """

    operation: str
    after_seconds: float
    until_seconds: float


@dataclass(frozen=True)
class Woken:
    """
    Why a batch's worker goes on.

    :param because: Why the trigger has fired; ``None`` = the event is missing or not understood.
    :param ended: Places, in the trigger's row, of the cloud tasks that have ended in any way.
    :param digest: Fingerprint of the row's cloud tasks, see :func:`.running.digest_of`.
    :param durations: What the trigger has learned, the latest last.
    :param error: The error of the account or of Airflow, if it fired because of one; else ``None``.
    :param cancelled: Places of the cloud tasks that the trigger has cancelled, because their deadline or that of the batch
        has passed.
    """

    because: Because | None = None
    ended: frozenset[int] = frozenset()
    digest: str = ""
    durations: tuple[Duration, ...] = ()
    error: AsposeOcrError | None = None
    cancelled: frozenset[int] = frozenset()

    def to_event(self) -> dict[str, Any]:
        """
        Return the event's payload, which Airflow writes into the metadata database.

        :return: ``{"because", "ended", "cancelled", "digest", "durations", "error"}``. Bit i of the hexadecimal numbers
            ``ended`` and ``cancelled`` stands for the task at place i; a duration is
            ``[operation, after_seconds, until_seconds]``.
        """
        return {
            "because": self.because,
            "ended": _written(self.ended),
            "cancelled": _written(self.cancelled),
            "digest": self.digest,
            "durations": [
                [each.operation, round(each.after_seconds, 1), round(each.until_seconds, 1)]
                for each in self.durations[-MOST_DURATIONS:]
            ],
            "error": self.error and self.error.to_dict(),
        }


def read_event(event: Any) -> Woken:
    """
    Read the event of a batch's trigger.

    :param event: What the trigger fired, or what Airflow passed instead.
    :return: What it says; an empty :class:`Woken` if it is not understood.
    """
    if not isinstance(event, dict) or event.get("because") not in BECAUSE:
        return Woken()
    try:
        durations = tuple(
            Duration(str(operation), float(after), float(until))
            for operation, after, until in event["durations"]
        )
        described = event.get("error")
        return Woken(
            because=event["because"],
            ended=_read(event["ended"]),
            cancelled=_read(event.get("cancelled", "0")),  # missing in an event of an earlier version
            digest=str(event["digest"]),
            durations=durations,
            error=from_dict(described) if isinstance(described, dict) else None,
        )
    except (KeyError, TypeError, ValueError):
        return Woken()


def _written(places: frozenset[int]) -> str:
    return f"{sum(1 << place for place in places):x}"


def _read(text: str) -> frozenset[int]:
    bits = int(text, 16)
    return frozenset(place for place in range(bits.bit_length()) if bits >> place & 1)
