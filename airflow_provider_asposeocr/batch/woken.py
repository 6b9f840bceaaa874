"""
The event with which a batch's trigger wakes the worker.

Invariant: it is a hint and decides nothing. The worker asks the cloud itself about each cloud task that the event names,
and takes an event that it does not understand for one that names none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from airflow_provider_asposeocr.api.errors import AsposeOcrError, from_dict

#: Why the trigger has fired.
Because = Literal["a share has ended", "all have ended", "one has ended for long", "deadline", "error"]
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
    :param error: What the account or Airflow refused, where that is why it fired.
    """

    because: Because | None = None
    ended: frozenset[int] = frozenset()
    digest: str = ""
    durations: tuple[Duration, ...] = ()
    error: AsposeOcrError | None = None

    def to_event(self) -> dict[str, Any]:
        """
        Return the event's payload, which Airflow writes into the metadata database.

        :return: ``{"because", "ended", "digest", "durations", "error"}``. Bit i of the hexadecimal number ``ended`` stands
            for the task at place i; a duration is ``[operation, after_seconds, until_seconds]``.
        """
        return {
            "because": self.because,
            "ended": f"{sum(1 << place for place in self.ended):x}",
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

    :param event: What the trigger fired, or whatever arrived in its place.
    :return: What it says; :class:`Woken` of nothing where that is not understood.
    """
    if not isinstance(event, dict) or event.get("because") not in BECAUSE:
        return Woken()
    try:
        bits = int(event["ended"], 16)
        durations = tuple(
            Duration(str(operation), float(after), float(until))
            for operation, after, until in event["durations"]
        )
        described = event.get("error")
        return Woken(
            because=event["because"],
            ended=frozenset(place for place in range(bits.bit_length()) if bits >> place & 1),
            digest=str(event["digest"]),
            durations=durations,
            error=from_dict(described) if isinstance(described, dict) else None,
        )
    except (KeyError, TypeError, ValueError):
        return Woken()
