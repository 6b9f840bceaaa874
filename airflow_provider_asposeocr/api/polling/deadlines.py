"""
When a wait is over. Pure.

Invariant: the provider's deadline is before Airflow's own, because Airflow would leave the cloud task running. A restart
of the worker or the triggerer does not change it.
"""

from __future__ import annotations

import math

#: Airflow's deferral timeout comes this long after our deadline; it is for the case that the triggerer is gone.
BACKSTOP_SECONDS = 300.0
#: Our deadline comes this long before Airflow's execution_timeout, to have time for the cancel.
EXECUTION_TIMEOUT_MARGIN_SECONDS = 5.0


def deadline_of(began_at: float, timeout_seconds: float, airflow_ends_at: float = math.inf) -> float:
    """
    Return when to give up.

    :param began_at: When the wait began, in seconds since the epoch.
    :param timeout_seconds: How long it may take.
    :param airflow_ends_at: When Airflow would end it; by default never.
    :return: Seconds since the epoch, not before the wait began.
    """
    limit = airflow_ends_at - EXECUTION_TIMEOUT_MARGIN_SECONDS
    return min(began_at + timeout_seconds, max(limit, began_at))


def start_of(airflow_ends_at: float, airflow_allows_seconds: float, submitted_at: float, now: float) -> float:
    """
    Return when a wait began that no worker began and that a restarted triggerer may have taken over.

    Airflow tells a trigger nothing of its beginning, but always the same end.

    :param airflow_ends_at: When Airflow ends the wait, in seconds since the epoch; infinity = not known.
    :param airflow_allows_seconds: How long Airflow lets it wait.
    :param submitted_at: When the cloud task was submitted: nobody has waited for it before. A change of the DAG
        during the wait can make the difference of the first two wrong, and this keeps it from being absurd.
    :param now: Seconds since the epoch.
    """
    if math.isinf(airflow_ends_at):
        return min(submitted_at, now)
    return min(max(airflow_ends_at - airflow_allows_seconds, submitted_at), now)
