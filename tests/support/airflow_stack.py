"""A real Airflow and an emulated cloud, the content of its metadata database, and access to both for tests."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from demo.local_airflow import LocalAirflow
    from demo.rest import AirflowRest

CHECKOUT = Path(__file__).resolve().parents[2]
SCAN = CHECKOUT / "demo" / "scans" / "01-75dpi.png"
#: Not "emulator": a word that common stands in logs by itself, and the masker would mask it everywhere.
SECRET = "s3cr3t-of-the-test-account"
#: For an Airflow whose DAG files do not change: read every five seconds, as in the demo, 25 files keep two cores busy.
#: A file that is new or has changed is read at once in any case, and one that could not be read in time once more.
RARE_PARSES = {"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120"}
#: For an Airflow of which a test kills nothing: it takes no process for lost, and ends none, because the machine is slow.
PATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": f"{PATIENCE_SECONDS:.0f}",
}


@dataclass
class Stack:
    """What a test talks to."""

    airflow: LocalAirflow
    rest: AirflowRest
    cloud: EmulatorControl
    url: str
    outbox: Path

    @property
    def files(self) -> Any:
        """Parameters of a run: the scan that goes in and the folder that results go to."""
        return {"scan": str(SCAN), "outbox": f"file://{self.outbox}/"}

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """
        Wait until something holds, and fail at once if a process of Airflow has ended.

        :param what: What is waited for, for the message of a failure.
        :param holds: Tells whether it holds; asked twice a second.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            self.airflow.check()
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.5)

    def requests(self, method: str) -> list[dict[str, Any]]:
        """Requests of a method that the cloud has seen."""
        return [entry for entry in self.cloud.journal() if entry["method"] == method]


def connection(url: str, **changes: Any) -> str:
    """Describe a connection to an emulator, as an environment variable does."""
    return json.dumps(
        {"conn_type": "aspose_ocr", "host": url, "login": "tests", "password": SECRET, **changes}
    )


class TriggerRows(threading.Thread):
    """Collects what the metadata database holds of triggers while a run goes on."""

    def __init__(self, database: Path) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._database = database
        self._stop_event = threading.Event()

    def __enter__(self) -> TriggerRows:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_event.set()
        self.join()

    def run(self) -> None:
        while not self._stop_event.wait(0.3):
            connection = sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=10)
            try:
                self.seen.update(
                    str(row) for row in connection.execute("select classpath, kwargs from trigger")
                )
            finally:
                connection.close()


def watched(stack: Stack) -> AbstractContextManager[TriggerRows]:
    return TriggerRows(next(stack.airflow.home.glob("**/airflow.db")))
