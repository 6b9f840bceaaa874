"""
The cost of importing the operators and the sensor when a DAG is parsed, compared with that of Airflow alone.

Invariant: each figure is of a fresh interpreter, both kinds in turn, and CPU time of the process and its children is
what counts: wall time also depends on what else runs on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

from tests.benchmarks.measuring import CHECKOUT, Row, compared, in_turn, limited, publish

#: An import of Airflow takes 3 s of CPU on the machine this was written on; all rounds take under three minutes.
ROUNDS = 15
GOAL = 1.10

AIRFLOW = "from airflow.sdk import BaseOperator"
PACKAGE = "airflow_provider_asposeocr"
OURS = f"{AIRFLOW}; from {PACKAGE}.operators import *; import {PACKAGE}.sensors.aspose_ocr"
WITH_CLIENTS = f"{OURS}; import aiohttp, requests"
INFO = f"from {PACKAGE}.get_provider_info import get_provider_info; get_provider_info()"


@dataclass(frozen=True)
class Cost:
    """
    What a process has cost.

    :param cpu_ms: User and system time.
    :param wall_ms: From start to end.
    """

    cpu_ms: float
    wall_ms: float


def cost(statement: str, home: str) -> Cost:
    """
    Run a statement in a fresh interpreter.

    :param statement: Python.
    :param home: AIRFLOW_HOME, so that no configuration of this machine plays a part.
    :raises RuntimeError: if it fails.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", statement], env={**env, "AIRFLOW_HOME": home}, cwd=CHECKOUT
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{statement!r} ended with {process.returncode}")
    return Cost((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000)


def rows(home: str) -> list[Row]:
    """
    Measure.

    :param home: AIRFLOW_HOME.
    """
    walls: dict[str, list[float]] = {}

    def cpu(statement: str) -> float:
        measured = cost(statement, home)
        walls.setdefault(statement, []).append(measured.wall_ms)
        return measured.cpu_ms

    for statement in (AIRFLOW, WITH_CLIENTS, INFO):  # Writes byte code and warms the disk's cache.
        cost(statement, home)
    ours, theirs = in_turn(ROUNDS, lambda: cpu(OURS), lambda: cpu(AIRFLOW))
    clients, lazy = in_turn(ROUNDS // 3, lambda: cpu(WITH_CLIENTS), lambda: cpu(OURS))
    rival = "airflow.sdk with its BaseOperator"
    return [
        compared("Importing all operators and the sensor, CPU", ours, rival, theirs, unit="ms", at_most=GOAL),
        compared("The same, wall time", walls[OURS][:ROUNDS], rival, walls[AIRFLOW], unit="ms"),
        compared(
            "What importing the HTTP clients at once would cost, CPU",
            clients,
            "our operators as they are",
            lazy,
            unit="ms",
            note="a worker imports requests and a triggerer aiohttp, when they first talk to the cloud",
        ),
        limited(
            "get_provider_info(), which every Airflow command calls, CPU of the whole interpreter",
            [cpu(INFO) for _ in range(ROUNDS // 3)],
            unit="ms",
        ),
    ]


def main() -> None:
    """Measure and publish."""
    with tempfile.TemporaryDirectory() as home:
        publish("imports", rows(home))


if __name__ == "__main__":
    main()
