"""A real Airflow on this machine: API server, scheduler, dag-processor and triggerer.

Invariant: all state lives below `home`, no AIRFLOW variable of the surrounding shell reaches it, it listens
on loopback only, and when the context manager is left, however that happens, none of its processes is left.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from demo.processes import Service, ServiceError, free_port, stop_services, with_checkout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# What the health report calls the components that write a heartbeat.
HEARTBEATS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
# Their log servers have fixed ports, and everything here reads the log files directly.
EXTRA_ARGUMENTS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}
START_SECONDS = 180.0
# Nothing that an Airflow about to be thrown away could still finish is worth waiting for: its triggerer takes
# 12 s to end in order, the others 1 to 3.
GRACE_SECONDS = 5.0
RESTART_GRACE_SECONDS = 30.0


class LocalAirflow:
    """Airflow with LocalExecutor and sqlite, started by `with` and gone after it."""

    def __init__(
        self,
        home: Path,
        dags_folder: Path | Sequence[Path],
        env: Mapping[str, str] | None = None,
        components: Sequence[str] = COMPONENTS,
        parallelism: int = 4,
        python: Path | str = sys.executable,
    ) -> None:
        """Take note of what to start; nothing runs yet.

        :param home: AIRFLOW_HOME; made if missing. Holds the database, task logs, `logs-<component>.txt`.
        :param dags_folder: where the DAGs are; several folders become one bundle each.
        :param env: variables on top, for example `AIRFLOW_CONN_...`; they win over the settings made here.
        :param components: which of the four to start; the API server is always needed.
        :param parallelism: worker processes of the LocalExecutor. Each costs about 70 MB; 4 suit two cores.
        :param python: the interpreter with Airflow, for another environment than the current one.
        :raises ValueError: for an unknown component, or without the API server.
        """
        unknown = set(components) - set(COMPONENTS)
        if unknown or "api-server" not in components:
            raise ValueError(
                f"components must be some of {COMPONENTS}, with the api-server; got {tuple(components)}"
            )
        self.home = home.resolve()
        folders = [dags_folder] if isinstance(dags_folder, Path) else list(dags_folder)
        self.components = tuple(components)
        self.python = str(python)
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        own = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            **settings(self.home, [folder.resolve() for folder in folders], self.base_url, parallelism),
            **(env or {}),
        }
        self.env = with_checkout(own)
        self._services: dict[str, Service] = {}

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout_seconds: float = START_SECONDS) -> Self:
        """Create the database, start every component and wait until each is healthy.

        :param timeout_seconds: for all of it; 30 to 40 are usual on two free cores.
        :return: itself.
        :raises ServiceError: if a component ended or was not healthy in time; with the end of its log.
        """
        deadline = time.monotonic() + timeout_seconds
        self.home.mkdir(parents=True, exist_ok=True)
        self.run_command("db", "migrate", timeout_seconds=timeout_seconds)
        started_at = dt.datetime.now(dt.UTC)
        for component in self.components:
            self._launch(component)
        self._wait_healthy(self.components, started_at, deadline)
        return self

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End every process that was started here; calling it again does nothing.

        :param grace_seconds: from SIGTERM to SIGKILL. The API server is told last: tasks report to it.
        """
        services = self._services
        self._services = {}
        stop_services(reversed(services.values()), grace_seconds)

    def restart(self, component: str, timeout_seconds: float = START_SECONDS) -> None:
        """End one component in order, as a rolling deploy does, start it again and wait until it is healthy.

        It has 30 s to end before it is killed, the grace of a Kubernetes pod.

        :param component: one of those that were started; also after `kill`.
        :param timeout_seconds: until it must be healthy.
        :raises ServiceError: if it did not become healthy.
        """
        self._services.pop(component).stop(RESTART_GRACE_SECONDS)
        started_at = dt.datetime.now(dt.UTC)
        self._launch(component)
        self._wait_healthy([component], started_at, time.monotonic() + timeout_seconds)

    def kill(
        self, component: str, signal_number: int = signal.SIGKILL, *, whole_session: bool = True
    ) -> None:
        """Send a signal to a component; it is not started again.

        :param component: for example `"triggerer"`.
        :param signal_number: SIGKILL for a lost machine, SIGSTOP and SIGCONT for a stalled one.
        :param whole_session: also to what it forked (tasks, the trigger runner), as when a machine is lost.
        """
        self._services[component].signal(signal_number, whole_session=whole_session)

    def pid(self, component: str) -> int:
        """The process id of a component."""
        return self._services[component].pid

    def pids(self) -> dict[str, int]:
        """The process id, which is the session id too, of each component."""
        return {component: service.pid for component, service in self._services.items()}

    def log(self, component: str) -> str:
        """What a component wrote to stdout and stderr so far."""
        return (self.home / f"logs-{component}.txt").read_text(encoding="utf-8", errors="replace")

    def check(self) -> None:
        """Raise if a component has ended on its own.

        :raises ServiceError: with the end of its log.
        """
        for service in self._services.values():
            service.check()

    def run_command(self, *arguments: str, timeout_seconds: float = 120.0) -> str:
        """Run an `airflow` command in this Airflow's environment.

        :param arguments: for example `"providers", "list"`.
        :param timeout_seconds: until it is killed; commands import half of Airflow, hence 120.
        :return: what it wrote to stdout.
        :raises ServiceError: with its whole output, if it failed.
        """
        done = subprocess.run(
            [self.python, "-m", "airflow", *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        if done.returncode != 0:
            command = " ".join(arguments)
            raise ServiceError(
                f"`airflow {command}` ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _launch(self, component: str) -> None:
        command = [self.python, "-m", "airflow", component, *EXTRA_ARGUMENTS.get(component, [])]
        log_path = self.home / f"logs-{component}.txt"
        self._services[component] = Service(component, command, self.env, log_path)

    def _wait_healthy(self, components: Sequence[str], started_at: dt.datetime, deadline: float) -> None:
        """Wait for the API server's answer and for a heartbeat of each other since `started_at`."""
        missing = list(components)
        while missing:
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self._services[name].tail()}" for name in missing)
                raise ServiceError(f"not healthy in time: {', '.join(missing)}\n{logs}")
            time.sleep(0.3)
            missing = unhealthy(components, self._health(), started_at)

    def _health(self) -> dict[str, Any] | None:
        try:
            answer = requests.get(f"{self.base_url}/api/v2/monitor/health", timeout=10)
        except (requests.ConnectionError, requests.Timeout):
            return None
        if answer.status_code != 200:
            return None
        health: dict[str, Any] = answer.json()
        return health


def unhealthy(components: Sequence[str], health: dict[str, Any] | None, since: dt.datetime) -> list[str]:
    """Say which components have not shown life since an instant.

    :param components: those that should.
    :param health: the answer of `GET /api/v2/monitor/health`; `None` where the API server does not answer.
    :param since: an older heartbeat was left behind by a predecessor and proves nothing.
    :return: their names.
    """
    if health is None:
        return list(components)
    return [name for name in components if name in HEARTBEATS and not _beats(health, HEARTBEATS[name], since)]


def _beats(health: dict[str, Any], key: str, since: dt.datetime) -> bool:
    report = health.get(key) or {}
    latest = report.get(f"latest_{key}_heartbeat")
    return (
        report.get("status") == "healthy"
        and latest is not None
        and dt.datetime.fromisoformat(latest) >= since
    )


def settings(home: Path, dags_folders: Sequence[Path], base_url: str, parallelism: int) -> dict[str, str]:
    """Name the Airflow settings of a local, impatient installation.

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
        # A worker hears of a kill at its next heartbeat, and Airflow looks for lost tasks at these intervals.
        "workers": {"min_heartbeat_interval": 2},
        "scheduler": {
            "enable_health_check": False,
            "job_heartbeat_sec": 2,
            "scheduler_heartbeat_sec": 2,
            "task_instance_heartbeat_timeout": 20,
            "task_instance_heartbeat_timeout_detection_interval": 3,
            "trigger_timeout_check_interval": 3,
            "orphaned_tasks_check_interval": 15,
        },
        "triggerer": {"job_heartbeat_sec": 2},
        "usage_data_collection": {"enabled": False},
    }
    flat = {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, entries in values.items()
        for key, value in entries.items()
    }
    return {"AIRFLOW_HOME": str(home), "NO_COLOR": "1", **flat}


def _bundle(folder: Path) -> dict[str, Any]:
    # With the parent's name, because two folders may have the same one and Airflow reserves "example_dags".
    name = f"{folder.parent.name}-{folder.name}"
    return {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
