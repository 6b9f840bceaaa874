"""Processes started for a demo or a test, each the leader of a session of its own.

Invariant: all processes that a service forked, in any process group, are gone when `Service.stop` returns, and
nothing else is ever signalled. Airflow puts every task into a process group of its own, so the group of the
service does not find them; its session does.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parent.parent
LOG_TAIL_LINES = 40
# Names the service that a process belongs to.
NAME_VARIABLE = "LOCAL_SERVICE_NAME"


class ServiceError(RuntimeError):
    """A service did not start, or ended while it was needed. The message carries the end of its log."""


def with_checkout(env: Mapping[str, str]) -> dict[str, str]:
    """Let a Python process find this checkout's packages, installed or not, and show its output at once.

    :param env: an environment.
    :return: a copy with `PYTHONPATH` and `PYTHONUNBUFFERED`.
    """
    pythonpath = os.pathsep.join(filter(None, [str(CHECKOUT), env.get("PYTHONPATH")]))
    return {**env, "PYTHONPATH": pythonpath, "PYTHONUNBUFFERED": "1"}


def service_name() -> str:
    """Name the service that this process belongs to, so that several on one machine can be told apart.

    :return: what `NAME_VARIABLE` says, else the name of the machine.
    """
    return os.environ.get(NAME_VARIABLE) or socket.gethostname()


def free_port() -> int:
    """Ask the kernel for a TCP port that is free on loopback now.

    :return: the port. Another program may take it before it is used; the start then fails with a clear log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def session_members(session_id: int) -> list[int]:
    """Find the processes of a session.

    :param session_id: the process id of the session's leader.
    :return: process ids, those that are only waiting to be reaped left out.
    """
    return [process.pid for process in psutil.process_iter() if _lives_in(process, session_id)]


def _lives_in(process: psutil.Process, session_id: int) -> bool:
    try:
        return os.getsid(process.pid) == session_id and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False


class Service:
    """One process with its log file, and everything it forks."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], log_path: Path) -> None:
        """Start the process.

        :param name: what messages call it.
        :param command: program and arguments; no shell is involved.
        :param env: its whole environment.
        :param log_path: receives stdout and stderr; appended to, so that a restart loses nothing.
        """
        self.name = name
        self.log_path = log_path
        with log_path.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                list(command),
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the session's id too."""
        return self._process.pid

    def check(self) -> None:
        """Raise if the process has ended.

        :raises ServiceError: with the exit code and the end of the log.
        """
        code = self._process.poll()
        if code is not None:
            raise ServiceError(
                f"{self.name} ended with exit code {code}. The end of {self.log_path}:\n{self.tail()}"
            )

    def tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """Read the end of the log.

        :param lines: how many lines; 40 hold a Python traceback.
        """
        with self.log_path.open(encoding="utf-8", errors="replace") as log:
            return "".join(deque(log, maxlen=lines))

    def output(self) -> str:
        """Read what this process has written; what its predecessors wrote to the same log is left out."""
        with self.log_path.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", errors="replace")

    def signal(self, signal_number: int, *, whole_session: bool) -> None:
        """Send a signal.

        :param signal_number: for example `signal.SIGKILL`.
        :param whole_session: `True` reaches everything the process forked, as when its machine dies or is
            suspended; `False` reaches the process alone, as an orderly shutdown does.
        """
        for pid in self.members():
            if whole_session or pid == self.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal_number)

    def members(self) -> list[int]:
        """Find what runs of this service.

        :return: process ids of the process and of all it forked.
        """
        ended = self._process.poll() is not None
        members = session_members(self.pid)
        # The number of an ended leader is free once its session is empty; who bears it then is a stranger.
        return [] if ended and self.pid in members else members

    def reap(self) -> None:
        """Collect the exit code of the ended process, so that no zombie stays."""
        self._process.wait()

    def stop(self, grace_seconds: float) -> None:
        """End the process and all it forked.

        :param grace_seconds: how long it may take to end in order before it is killed.
        """
        stop_services([self], grace_seconds)


def stop_services(services: Iterable[Service], grace_seconds: float) -> None:
    """End services side by side, sharing one grace.

    :param services: in the order in which they get the signal.
    :param grace_seconds: after SIGTERM, how long until SIGKILL.
    """
    told = list(services)
    deadline = time.monotonic() + grace_seconds
    try:
        for service in told:
            # A suspended process cannot end in order.
            service.signal(signal.SIGCONT, whole_session=True)
            service.signal(signal.SIGTERM, whole_session=False)
        while time.monotonic() < deadline and any(service.members() for service in told):
            time.sleep(0.1)
    finally:  # a second Ctrl-C during the grace only shortens it
        for service in told:
            _kill(service)


def _kill(service: Service) -> None:
    """Kill what is left, until nothing is: a process may fork between the look and the blow."""
    while service.members():
        service.signal(signal.SIGKILL, whole_session=True)
        time.sleep(0.05)
    service.reap()
