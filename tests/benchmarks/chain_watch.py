"""
Measure the cost of the LocalExecutor's worker processes from outside.

Invariant: nothing is added to Airflow. How often a process was started, and how long it occupied a slot, is what
Airflow's supervisor writes when it is over; CPU, life and memory are the kernel's figures, read so often that at most one
interval at the end of a process is missed.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOK_EVERY_SECONDS = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_FINISHED = re.compile(r"Workload finished .*?duration=([0-9.e+-]+) .*?workload_id=(\S+)")
_BUSY = re.compile(r"airflow worker -- LocalExecutor: ([0-9a-f-]{36})")
_WORKER = "airflow worker -- LocalExecutor:"


def occupied_seconds(scheduler_log: str) -> dict[str, list[float]]:
    """
    Read how long each task instance has occupied a slot, once per worker process.

    :param scheduler_log: What the scheduler wrote; LocalExecutor's supervisors write there too.
    :return: Id of the task instance to seconds of each of its processes.
    """
    found: dict[str, list[float]] = defaultdict(list)
    for match in _FINISHED.finditer(scheduler_log):
        found[match[2]].append(float(match[1]))
    return dict(found)


@dataclass
class Process:
    """
    A process that ran a task.

    :param ti_id: Id of the task instance.
    :param first_seen_at: When it was first seen, by the monotonic clock.
    :param alive_at: When it was last seen alive.
    :param cpu_seconds: User and system time so far.
    :param peak_bytes: Most resident memory seen, what it shares with others included.
    """

    ti_id: str
    first_seen_at: float
    alive_at: float
    cpu_seconds: float = 0.0
    peak_bytes: int = 0

    @property
    def life_seconds(self) -> float:
        """From the first look to the last."""
        return self.alive_at - self.first_seen_at


@dataclass
class WorkerWatch:
    """
    Looks at the processes below a scheduler, as a context manager.

    :param scheduler: Its process id.
    """

    scheduler: int
    processes: dict[int, Process] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> WorkerWatch:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def of(self, ti_ids: set[str]) -> list[Process]:
        """Return the processes of some task instances."""
        return [process for process in list(self.processes.values()) if process.ti_id in ti_ids]

    def _run(self) -> None:
        while not self._over.wait(LOOK_EVERY_SECONDS):
            for worker in _children(self.scheduler):
                with suppress(OSError):
                    self._look(worker)

    def _look(self, worker: int) -> None:
        busy = _BUSY.match(_title(worker))
        for pid in _children(worker) if busy else ():
            with suppress(OSError):
                state, cpu_seconds, resident_bytes = stat(pid)
                now = time.monotonic()
                process = self.processes.get(pid)
                if process is None or process.ti_id != busy[1]:  # type: ignore[index]  # it is busy
                    process = self.processes[pid] = Process(busy[1], now, now)  # type: ignore[index]
                process.cpu_seconds = cpu_seconds
                process.peak_bytes = max(process.peak_bytes, resident_bytes)
                if state != "Z":
                    process.alive_at = now


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError):
                yield from map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())


def stat(pid: int) -> tuple[str, float, int]:
    """
    Look at a process.

    :param pid: Its id.
    :return: Its state, its CPU seconds and its resident bytes; see proc_pid_stat(5).
    """
    # The name, in brackets, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE_BYTES
