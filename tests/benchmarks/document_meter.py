"""
A process that does what it is told and measures it: wall time, CPU time, and memory beyond what it held when idle.

Invariant: memory is the kernel's high-water mark of resident pages, reset when the work begins, so that it includes memory
that was freed in between, and memory that C libraries allocated. Needs the standard library only, as the vendor's SDK has an
environment of its own.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_STATUS = Path("/proc/self/status")


def resident_bytes(field: str) -> int:
    """
    Read how much memory this process holds.

    :param field: ``VmRSS`` is now, ``VmHWM`` the most since the last reset.
    """
    (line,) = [line for line in _STATUS.read_text().splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024


def measured(do: Callable[[], Any]) -> dict[str, Any]:
    """
    Do something once.

    :param do: What.
    :return: ``value``, ``seconds``, ``cpu_seconds`` of all threads, and ``peak_bytes`` beyond the idle process.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # What the imports have freed would hide what is needed now.
    Path("/proc/self/clear_refs").write_text("5")  # Resets VmHWM; see proc(5).
    idle = resident_bytes("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    value = do()
    seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
    peak = resident_bytes("VmHWM") - idle
    return {"value": value, "seconds": seconds, "cpu_seconds": cpu_seconds, "peak_bytes": peak}


def serve(commands: dict[str, Callable[..., Any]]) -> None:
    """
    Take one JSON command per line of stdin and answer one JSON line each.

    ``begin`` forks a process that takes the commands up to ``end``, as a worker of Airflow forks its tasks: all is
    imported, and nothing large has been done.

    :param commands: Name to function; the other fields of a command are its arguments.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # For code that logs to stdout.
    child = 0
    for line in iter(sys.stdin.readline, ""):
        command = json.loads(line)
        name = command.pop("do")
        if name == "begin":
            child = os.fork()
            if child:
                os.waitpid(child, 0)
            else:
                os.environ.update(command["environment"])
                answers.write("{}\n")
        elif name == "end":
            answers.write("{}\n")
            answers.flush()
            os._exit(0)
        else:
            do = commands[name]
            answers.write(json.dumps(measured(lambda do=do, command=command: do(**command))) + "\n")  # type: ignore[misc]
