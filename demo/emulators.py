"""The emulators of a demo, one process per engine, and the Airflow connections with their addresses."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING

from demo.processes import Service, ServiceError, with_checkout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Engine to the connection that the demo's DAG of that engine uses.
CONNECTIONS = {"rapidocr": "aspose_ocr_default", "tesseract": "aspose_ocr_tesseract"}
START_SECONDS = 60.0
LISTENING = re.compile(r"http://127\.0\.0\.1:([0-9]+)")


def engines_here() -> dict[str, str | None]:
    """Find out which of the demo's engines can run on this machine.

    :return: engine to `None`, or to the reason why it cannot.
    """
    from airflow_provider_asposeocr.emulator.work.workers import available_engines

    found = available_engines()
    return {engine: found[engine] for engine in CONNECTIONS}


def start_emulator(engine: str, folder: Path, arguments: Sequence[str] = ()) -> Service:
    """Start an emulator on a free loopback port.

    :param engine: `"rapidocr"` or `"tesseract"`.
    :param folder: receives its log.
    :param arguments: more command line options.
    :return: the process; `port_of` says where it listens.
    """
    command = [sys.executable, "-m", "airflow_provider_asposeocr.emulator", "--port", "0", "--engine", engine]
    env = with_checkout(os.environ)
    return Service(
        f"emulator ({engine})", [*command, *arguments], env, folder / f"logs-emulator-{engine}.txt"
    )


def port_of(emulator: Service, timeout_seconds: float = START_SECONDS) -> int:
    """Wait until an emulator has printed its address.

    :param emulator: the process.
    :param timeout_seconds: 60; a first import of the engine takes seconds.
    :return: its port.
    :raises ServiceError: if it ended, or printed no address in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        found = LISTENING.search(emulator.log_path.read_text(encoding="utf-8", errors="replace"))
        if found:
            return int(found.group(1))
        emulator.check()
        if time.monotonic() > deadline:
            raise ServiceError(f"{emulator.name} does not say where it listens:\n{emulator.tail()}")
        time.sleep(0.1)


def connection(port: int) -> str:
    """Describe the connection to an emulator as Airflow reads it from an `AIRFLOW_CONN_...` variable."""
    return json.dumps(
        {
            "conn_type": "aspose_ocr",
            "host": f"http://127.0.0.1:{port}",
            "login": "emulator",
            "password": "emulator",
        }
    )
