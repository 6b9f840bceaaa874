"""
Compute the deadline of a wait. Pure.

Invariant: the provider's deadline is before Airflow's own, because Airflow would leave the cloud task running. A restart
of the worker or the triggerer does not change it.
"""

from __future__ import annotations

import math

#: Airflow's deferral timeout comes this long after the provider's deadline, for the case that no triggerer is left.
BACKSTOP_SECONDS = 300.0
#: The provider's deadline comes this long before Airflow's execution_timeout, which leaves time for the cancel.
EXECUTION_TIMEOUT_MARGIN_SECONDS = 5.0


def deadline_of(
    began_at: float,
    timeout_seconds: float,
    airflow_ends_at: float = math.inf,
    margin_seconds: float = EXECUTION_TIMEOUT_MARGIN_SECONDS,
) -> float:
    """
    Return the deadline of a wait.

    :param began_at: When the wait began, in seconds since the epoch.
    :param timeout_seconds: How long it may take.
    :param airflow_ends_at: When Airflow would end it; by default never.
    :param margin_seconds: How long before that the wait ends; 5 by default, which is enough for one cancel.
    :return: Seconds since the epoch, not before the wait began.
    """
    limit = airflow_ends_at - margin_seconds
    return min(began_at + timeout_seconds, max(limit, began_at))


def start_of(airflow_ends_at: float, airflow_allows_seconds: float, submitted_at: float, now: float) -> float:
    """
    Return the beginning of a wait that started in the triggerer, also if another triggerer has taken it over.

    Airflow does not tell a trigger when its wait began, but always when the wait ends.

    :param airflow_ends_at: When Airflow ends the wait, in seconds since the epoch; infinity = not known.
    :param airflow_allows_seconds: How long Airflow allows the wait to take.
    :param submitted_at: When the cloud task was submitted. A wait cannot begin earlier. This limits the result if the DAG
        was changed during the wait, so that the difference of the first two is wrong.
    :param now: Seconds since the epoch.
    """
    if math.isinf(airflow_ends_at):
        return min(submitted_at, now)
    return min(max(airflow_ends_at - airflow_allows_seconds, submitted_at), now)
