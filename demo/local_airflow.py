"""A real Airflow on this machine: API server, scheduler, dag-processor, triggerers and Celery workers.

Invariant: all state is below `home`. No AIRFLOW variable of the surrounding shell has an effect. It listens on loopback
only. When the context manager ends for any reason, none of its processes is left.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from demo.airflow_settings import settings
from demo.processes import NAME_VARIABLE, Service, ServiceError, free_port, stop_services, with_checkout
from demo.rest import AirflowRest
from demo.rest_session import RestError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import TracebackType

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# What the health report calls the components that write a heartbeat.
HEARTBEATS = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
# What the list of jobs calls them, which tells several of a kind apart.
JOB_TYPES = {"scheduler": "SchedulerJob", "dag-processor": "DagProcessorJob", "triggerer": "TriggererJob"}
# The log servers have fixed ports, and everything here reads the log files directly.
COMMANDS = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "celery-worker": ("celery", "worker", "--skip-serve-logs"),
}
# What a Celery worker says once it takes tasks; it writes no heartbeat.
WORKER_READY = " ready."
START_SECONDS = 300.0
# Creating the database takes half a minute on two free cores, and has taken more than five on busy ones.
MIGRATE_SECONDS = 1800.0
# Nothing that an Airflow about to be thrown away could still finish is worth waiting for: its triggerer takes
# 12 s to end in order, the others 1 to 3.
GRACE_SECONDS = 5.0
RESTART_GRACE_SECONDS = 30.0


class LocalAirflow:
    """An Airflow, by default with LocalExecutor and sqlite, as a context manager that starts and stops it."""

    def __init__(
        self,
        home: Path,
        dags_folder: Path | Sequence[Path],
        env: Mapping[str, str] | None = None,
        components: Sequence[str] = COMPONENTS,
        parallelism: int = 4,
        python: Path | str = sys.executable,
        arguments: Mapping[str, Sequence[str]] | None = None,
        own_env: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Store the configuration; nothing is started yet.

        :param home: AIRFLOW_HOME; created if missing. It contains the database, task logs, `logs-<component>.txt`.
        :param dags_folder: folder of the DAGs; several folders become one bundle each.
        :param env: more variables, for example `AIRFLOW_CONN_...`; they have priority over the settings made here, also
            over those of the executor and the database.
        :param components: what to start, keys of `COMMANDS`; the API server is always needed. A number makes one
            of several ("triggerer-2"), which then is a host of its own: it has its name and temporary files.
        :param parallelism: tasks at once in all; with the LocalExecutor its processes. Each costs about 70 MB;
            4 suit two cores.
        :param python: the interpreter with Airflow, for another environment than the current one.
        :param arguments: more arguments of the command, by component.
        :param own_env: variables of single components, by component; they win over all others.
        :raises ValueError: for an unknown component, or without the API server.
        """
        unknown = {name for name in components if kind_of(name) not in COMMANDS}
        if unknown or "api-server" not in components:
            raise ValueError(
                f"components must be some of {tuple(COMMANDS)}, with the api-server; got {tuple(components)}"
            )
        self.home = home.resolve()
        folders = [dags_folder] if isinstance(dags_folder, Path) else list(dags_folder)
        self.components = tuple(components)
        self.python = str(python)
        self._arguments = dict(arguments or {})
        self._own_env = dict(own_env or {})
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

        :param timeout_seconds: until every component must be healthy, from when the database is there; 20 to 30 are
            usual on two free cores.
        :return: itself.
        :raises ServiceError: if a component ended or was not healthy in time; with the end of its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        self.run_command("db", "migrate", timeout_seconds=MIGRATE_SECONDS)
        deadline = time.monotonic() + timeout_seconds
        started_at = dt.datetime.now(dt.UTC)
        for component in self.components:
            self.launch(component)
        self._wait_healthy(self.components, started_at, deadline)
        return self

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """End every process that was started here; calling it again does nothing.

        :param grace_seconds: from SIGTERM to SIGKILL. The API server gets the signal last, because tasks report to it.
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
        self.end(component)
        started_at = dt.datetime.now(dt.UTC)
        self.launch(component)
        self._wait_healthy([component], started_at, time.monotonic() + timeout_seconds)

    def end(self, component: str) -> None:
        """End one component in order; it is not started again.

        :param component: one of those that were started.
        """
        self._services[component].stop(RESTART_GRACE_SECONDS)
        del self._services[component]

    def kill(
        self, component: str, signal_number: int = signal.SIGKILL, *, whole_session: bool = True
    ) -> None:
        """Send a signal to a component; it is not started again.

        :param component: for example `"triggerer"`.
        :param signal_number: SIGKILL for a lost machine, SIGSTOP and SIGCONT for a stalled one.
        :param whole_session: also to what it forked (tasks, the trigger runner), as when a machine is lost.
        """
        self._services[component].signal(signal_number, whole_session=whole_session)

    def wait_healthy(self, timeout_seconds: float = START_SECONDS) -> None:
        """Wait until every component shows life from now on.

        :param timeout_seconds: until all of them must have.
        :raises ServiceError: if one did not, or has ended.
        """
        now = dt.datetime.now(dt.UTC)
        self._wait_healthy(self.components, now, time.monotonic() + timeout_seconds)

    def launch(self, component: str) -> None:
        """Start a component, for the first time or again, and do not wait for it.

        :param component: one of `components`, or one more of a kind.
        """
        kind = kind_of(component)
        command = [self.python, "-m", "airflow", *COMMANDS[kind], *self._arguments.get(component, ())]
        env = dict(self.env)
        if component != kind:
            folder = self.temporary_folder(component)
            folder.mkdir(exist_ok=True)
            env |= {
                NAME_VARIABLE: component,
                "AIRFLOW__CORE__HOSTNAME_CALLABLE": "demo.processes.service_name",
                "TMPDIR": str(folder),
            }
            if kind == "celery-worker":
                command += ["--celery-hostname", component]
        env |= self._own_env.get(component, {})
        if component in self._services:
            self._services[component].stop(0)  # End the processes that a killed predecessor has left.
        log_path = self.home / f"logs-{component}.txt"
        self._services[component] = Service(component, command, env, log_path)

    def temporary_folder(self, component: str) -> Path:
        """Where a numbered component has its temporary files."""
        return self.home / f"tmp-{component}"

    def pid(self, component: str) -> int:
        """The process id of a component."""
        return self._services[component].pid

    def pids(self) -> dict[str, int]:
        """The process id, which is the session id too, of each component."""
        return {component: service.pid for component, service in self._services.items()}

    def log(self, component: str) -> str:
        """What a component wrote to stdout and stderr so far."""
        return (self.home / f"logs-{component}.txt").read_text(encoding="utf-8", errors="replace")

    def check(self, without: Collection[str] = ()) -> None:
        """Raise if a component has ended on its own.

        :param without: components whose end was wanted.
        :raises ServiceError: with the end of its log.
        """
        for name, service in self._services.items():
            if name not in without:
                service.check()

    def run_command(self, *arguments: str, timeout_seconds: float = 120.0) -> str:
        """Run an `airflow` command in this Airflow's environment.

        :param arguments: for example `"providers", "list"`.
        :param timeout_seconds: until it is killed; commands import half of Airflow, hence 120.
        :return: what it wrote to stdout.
        :raises ServiceError: with its whole output, if it failed; or if it took too long.
        """
        command = f"`airflow {' '.join(arguments)}`"
        try:
            done = subprocess.run(
                [self.python, "-m", "airflow", *arguments],
                env=self.env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{command} has not ended within {timeout_seconds:.0f} s") from None
        if done.returncode != 0:
            raise ServiceError(
                f"{command} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def _wait_healthy(self, components: Sequence[str], started_at: dt.datetime, deadline: float) -> None:
        """Wait for the API server's answer and for a heartbeat of each other since `started_at`."""
        missing = list(components)
        while missing:
            self.check()
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self._services[name].tail()}" for name in missing)
                raise ServiceError(f"not healthy in time: {', '.join(missing)}\n{logs}")
            time.sleep(0.3)
            health = self._health()
            missing = unhealthy(components, health, started_at)
            missing += [name for name in components if not self._shows_life(name, health, started_at)]

    def _shows_life(self, component: str, health: dict[str, Any] | None, since: dt.datetime) -> bool:
        """Look for what the health report does not tell: it knows one component of a kind and no workers."""
        kind = kind_of(component)
        if kind == "celery-worker":
            return WORKER_READY in self._services[component].output()
        if component == kind:
            return True
        latest = self.heartbeat(component) if health is not None else None
        return latest is not None and latest >= since

    def heartbeat(self, component: str) -> dt.datetime | None:
        """Look up the last heartbeat of a numbered component that writes one.

        :param component: for example `"triggerer-2"`.
        :return: the instant; `None` where there was none yet or the API server does not answer.
        """
        try:
            found = AirflowRest(self.base_url).get(
                "/jobs", job_type=JOB_TYPES[kind_of(component)], hostname=component, limit=100
            )
        except (RestError, requests.RequestException):
            return None
        beats = [dt.datetime.fromisoformat(job["latest_heartbeat"]) for job in found["jobs"]]
        return max(beats, default=None)

    def _health(self) -> dict[str, Any] | None:
        try:
            answer = requests.get(f"{self.base_url}/api/v2/monitor/health", timeout=10)
        except (requests.ConnectionError, requests.Timeout):
            return None
        if answer.status_code != 200:
            return None
        health: dict[str, Any] = answer.json()
        return health


def kind_of(component: str) -> str:
    """Name the kind of a component: without the number of one of several."""
    return re.sub(r"-[0-9]+$", "", component)


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
