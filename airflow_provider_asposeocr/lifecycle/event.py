"""
The event with which a trigger tells the worker how a wait has ended.

Invariant: the event is small, because Airflow stores it in the metadata database, and what is no event of ours is never
taken for a success.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, WaitError, from_dict
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.polling.poller import Finished


def event_of(task: dict[str, Any] | None, finished: Finished) -> dict[str, Any]:
    """
    Describe the end of a wait to the worker.

    :param task: The task reference; ``None`` = the wait ended before it was known.
    :param finished: How it ended.
    :return: ``{"status": "completed" | "failed", "task": …, "error": … or None, "seconds": … or None}``.
    """
    error = finished.error
    status = "completed" if error is None else "failed"
    seconds = None if finished.seconds is None else round(finished.seconds, 3)
    return {"status": status, "task": task, "error": error and error.to_dict(), "seconds": seconds}


def outcome_of(event: Any) -> tuple[TaskRef, AsposeOcrError | None]:
    """
    Read the event of a trigger.

    :param event: What the trigger fired, or what Airflow passed instead.
    :return: The task, and why the wait failed if it did.
    :raises WaitError: if it is not an event of ours: a lost event is no success.
    :raises AsposeOcrError: what the trigger says, if it has not even found out which task it is.
    """
    if not isinstance(event, dict) or event.get("status") not in ("completed", "failed"):
        raise WaitError(f"The trigger's event is missing or not understood: {shown(repr(event), 200)}.")
    described = event.get("error")
    error = from_dict(described if isinstance(described, dict) else {})
    if event["status"] == "failed" and event.get("task") is None:
        raise error
    ref = parse_task_ref(event.get("task"))
    return ref, None if event["status"] == "completed" else error


def seconds_of(event: Any) -> float | None:
    """
    Return how long after its submit the trigger has seen the cloud task completed.

    :param event: An event that :func:`outcome_of` has read.
    :return: Seconds, for metrics alone; ``None`` where the event does not say it.
    """
    seconds = event.get("seconds")
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return float(seconds) if is_number and 0 <= seconds < math.inf else None
