"""Airflow's configuration for an installation on this machine.

Invariant: with these settings, Airflow reads and writes only below `home` and on the loopback address.
"""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def settings(home: Path, dags_folders: Sequence[Path], base_url: str, parallelism: int) -> dict[str, str]:
    """Return the Airflow settings of a local installation with short intervals.

    :param home: AIRFLOW_HOME.
    :param dags_folders: one DAG bundle each.
    :param base_url: where the API server listens: scheme, loopback address and port.
    :param parallelism: worker processes of the LocalExecutor.
    :return: environment variables.
    """
    host, port = base_url.removeprefix("http://").split(":")
    values: dict[str, dict[str, Any]] = {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": parallelism,
            "dags_folder": dags_folders[0],
            "load_examples": False,
            "dags_are_paused_at_creation": True,
            "test_connection": "Enabled",
            "execution_api_server_url": f"{base_url}/execution/",
            "simple_auth_manager_all_admins": True,
            # The default looks the name up, which takes seconds where there is no name server.
            "hostname_callable": "socket.gethostname",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{home}/airflow.db"},
        "api": {"host": host, "port": port, "base_url": base_url, "workers": 1, "expose_config": True},
        # Airflow 3.1 leaves the issuer empty, which the PyJWT of today refuses.
        "api_auth": {"jwt_secret": secrets.token_urlsafe(64), "jwt_issuer": "local-airflow"},
        "logging": {"base_log_folder": home / "logs", "colored_console_log": False},
        "dag_processor": {
            "dag_bundle_config_list": json.dumps([_bundle(folder) for folder in dags_folders]),
            "refresh_interval": 5,
            "min_file_process_interval": 5,
            "bundle_refresh_check_interval": 2,
        },
        # A worker hears of a kill at its next heartbeat. After how long without one a task is lost is left to Airflow, which
        # says 300 seconds: with 20, tasks failed on a busy machine because their processes got no processor for so long.
        # The API server may be busy when the first tasks begin: after the default of 5 seconds they fail without a log.
        "workers": {"min_heartbeat_interval": 2, "execution_api_timeout": 30},
        "scheduler": {
            "enable_health_check": False,
            "job_heartbeat_sec": 2,
            "scheduler_heartbeat_sec": 2,
            "trigger_timeout_check_interval": 3,
            "orphaned_tasks_check_interval": 15,
        },
        "triggerer": {"job_heartbeat_sec": 2},
        "usage_data_collection": {"enabled": False},
    }
    return {"AIRFLOW_HOME": str(home), "NO_COLOR": "1", **as_environment(values)}


def as_environment(values: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Write settings as the environment variables that Airflow reads.

    :param values: section to option to value.
    """
    return {
        f"AIRFLOW__{section.upper().replace('.', '_')}__{key.upper()}": str(value)
        for section, entries in values.items()
        for key, value in entries.items()
    }


def _bundle(folder: Path) -> dict[str, Any]:
    # With the parent's name, because two folders may have the same one and Airflow reserves "example_dags".
    name = f"{folder.parent.name}-{folder.name}"
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
