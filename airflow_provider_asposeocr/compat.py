"""
Names of Airflow that moved between the versions this provider runs on.

Invariant: these are the classes that the running Airflow itself raises and catches, and importing them warns in no
version.
"""

from __future__ import annotations

import sys

try:
    from airflow.sdk.exceptions import (
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )
except ImportError:  # Airflow 3.1; later versions warn about the names there.
    from airflow.exceptions import (  # type: ignore[no-redef, attr-defined]  # the same classes, elsewhere
        AirflowFailException,
        AirflowNotFoundException,
        AirflowSensorTimeout,
        TaskDeferralError,
        TaskDeferralTimeout,
    )

__all__ = [
    "AirflowFailException",
    "AirflowNotFoundException",
    "AirflowSensorTimeout",
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "lineage_is_read",
    "runs_in_shared_process",
]


def runs_in_shared_process() -> bool:
    """
    Tell whether other tasks run in this process too, one after the other, as in ``dag.test()``.

    Imports nothing and asks nothing, because a signal handler calls it.
    """
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"


def lineage_is_read() -> bool:
    """
    Tell whether a plugin, for example OpenLineage's, reads which files a task has read.

    Airflow makes its collector of lineage also where no plugin reads it, and imports the asset handlers of all installed
    providers for that, which takes seconds. Its plugins are loaded in every task anyway.
    """
    try:
        from airflow.sdk.plugins_manager import get_hook_lineage_readers_plugins
    except ImportError:  # Airflow 3.1
        from airflow import plugins_manager

        plugins_manager.initialize_hook_lineage_readers_plugins()  # type: ignore[attr-defined]  # gone in 3.3
        return bool(plugins_manager.hook_lineage_reader_classes)  # type: ignore[attr-defined]  # gone in 3.3
    return bool(get_hook_lineage_readers_plugins())
