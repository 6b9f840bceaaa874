"""
One real Airflow and one emulated cloud for all tests of this folder.

Invariant: each test begins with a reset emulator: no task, no fault, nothing billed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.support.airflow_stack import CHECKOUT, RARE_PARSES, SECRET, Stack, connection

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        "ASPOSE_OCR_TEST_INBOX": f"{home}/inbox/",
        "ASPOSE_OCR_TEST_OUTBOX": f"{home}/outbox/",
        "AIRFLOW_CONN_WRONG": connection(emulator.url, password="not-the-secret"),
        **RARE_PARSES,
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
