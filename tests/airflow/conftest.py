"""
One real Airflow and one emulated cloud for all tests of this folder.

Invariant: each test begins with a cloud that knows nothing: no task, no fault, nothing billed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.control import EmulatorControl

CHECKOUT = Path(__file__).resolve().parents[2]
SCAN = CHECKOUT / "demo" / "scans" / "01-75dpi.png"
#: Not "emulator": a word that common stands in logs by itself, and the masker would mask it everywhere.
SECRET = "s3cr3t-of-the-test-account"


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

    def requests(self, method: str) -> list[dict[str, Any]]:
        """Requests of a method that the cloud has seen."""
        return [entry for entry in self.cloud.journal() if entry["method"] == method]


def connection(url: str, **changes: Any) -> str:
    """Describe a connection to an emulator, as an environment variable does."""
    return json.dumps(
        {"conn_type": "aspose_ocr", "host": url, "login": "tests", "password": SECRET, **changes}
    )


@pytest.fixture(scope="session")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(
        "--engine", "canned", "--task-seconds", "1", "--client-id", "tests", "--client-secret", SECRET
    ) as process:
        yield process


@pytest.fixture(scope="session")
def airflow(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(emulator.url),
        "AIRFLOW_CONN_WRONG": connection(emulator.url, password="not-the-secret"),
    }
    dags = [CHECKOUT / "example_dags", Path(__file__).parent / "dags"]
    with LocalAirflow(home, dags, environment) as running:
        yield running


@pytest.fixture
def stack(airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path: Path) -> Stack:
    emulator.control.reset()
    return Stack(
        airflow,
        AirflowRest(airflow.base_url, airflow.check),
        emulator.control,
        emulator.url,
        tmp_path / "outbox",
    )
