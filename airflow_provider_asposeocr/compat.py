"""
Names of Airflow that are in different modules in the supported versions, and functions that differ between them.

Invariant: the classes here are those that the running Airflow raises and catches. Importing them causes no warning in any
version.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferralError,
        TaskDeferralTimeout,
    )
except ImportError:  # Airflow 3.1. Later versions warn about these imports.
    from airflow.exceptions import (  # type: ignore[no-redef, attr-defined]  # the same classes, elsewhere
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        AirflowSkipException,
        TaskDeferralError,
        TaskDeferralTimeout,
    )

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "AirflowSkipException",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "connection_of",
    "lineage_is_read",
    "runs_in_shared_process",
]


def connection_of(path: ObjectStoragePath) -> str | None:
    """
    Return the id of the Airflow connection of a path, ``None`` if its URI names none.

    :param path: The path.
    """
    # Airflow 3.1 has no such attribute, and keeps the id among the options.
    found: str | None = getattr(path, "conn_id", None) or path.storage_options.get("conn_id")
    return found


def runs_in_shared_process() -> bool:
    """
    Return whether this process also runs other tasks, one after another, as in ``dag.test()``.

    A signal handler calls this function. Therefore it imports nothing and sends no requests.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def lineage_is_read() -> bool:
    """
    Return whether a plugin, for example OpenLineage's, reads which files a task has read.

    Without this check, Airflow would create its lineage collector even if no plugin reads it, and import the asset
    handlers of all installed providers, which takes seconds. Airflow loads its plugins in every task anyway.
    """
    try:
        from airflow.sdk.plugins_manager import get_hook_lineage_readers_plugins
    except ImportError:  # Airflow 3.1
        from airflow import plugins_manager

        plugins_manager.initialize_hook_lineage_readers_plugins()  # type: ignore[attr-defined]  # gone in 3.3
        return bool(plugins_manager.hook_lineage_reader_classes)  # type: ignore[attr-defined]  # gone in 3.3
    return bool(get_hook_lineage_readers_plugins())
