"""
Metrics through Airflow's ``Stats``: what was submitted, what came back, what failed.

Invariant: a sink that is not there or does not work changes nothing in a task. Airflow's ``Stats`` is loaded when the first
number is sent, which no parsed DAG does.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.responses import TaskRef

log = logging.getLogger(__name__)

PREFIX = "aspose_ocr"


def count(name: str, number: int = 1, operation: str | None = None) -> None:
    """
    Add to a counter.

    :param name: Its name without the prefix, for example ``submits``.
    :param number: How much; nothing is sent for 0.
    :param operation: The cloud's operation, as a tag where the sink knows tags; by default none.
    """
    if number > 0:
        _send("incr", name, number, operation)


def time_taken(name: str, seconds: float, operation: str | None = None) -> None:
    """
    Note a duration.

    :param name: Its name without the prefix, for example ``cloud_seconds``.
    :param seconds: The duration. Airflow hands it on to the sink in milliseconds.
    :param operation: The cloud's operation, as a tag where the sink knows tags; by default none.
    """
    _send("timing", name, seconds * 1000.0, operation)


def waited(ref: TaskRef, seconds: float | None, now: float) -> None:
    """
    Note that a wait has seen the end of a cloud task.

    :param ref: The task, which is completed.
    :param seconds: How long after its submit a poll has seen that; ``None`` where the wait came so late that the
        task may have ended long before. Then nothing is sent.
    :param now: When the worker goes on, in seconds since the epoch. After a deferral that is later than the poll.
    """
    if seconds is not None:
        time_taken("cloud_seconds", seconds, ref.operation)
        time_taken("wait_seconds", max(seconds, now - ref.submitted_epoch), ref.operation)


def gauge(name: str, value: float) -> None:
    """
    Set a gauge.

    :param name: Its name without the prefix, for example ``oldest_unsettled_seconds``.
    :param value: Its value.
    """
    _send("gauge", name, value, None)


def _send(method: str, name: str, value: float, operation: str | None) -> None:
    try:
        sink: Any = _sink()
        getattr(sink, method)(f"{PREFIX}.{name}", value, tags={"operation": operation} if operation else None)
    except Exception as error:  # A sink may raise any exception.
        log.debug("The metric %s was not sent: %s", name, shown(error))


def _sink() -> Any:
    try:
        from airflow.sdk.observability import stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats

        return Stats
    return stats
