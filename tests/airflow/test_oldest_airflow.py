"""
The oldest Airflow that pyproject.toml allows: the chain defers there and its results are in storage, without the features
of later versions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

CHECKOUT = Path(__file__).resolve().parents[2]
SCAN = CHECKOUT / "demo" / "scans" / "01-75dpi.png"
#: Names the interpreter of an environment with the oldest Airflow and this package.
VARIABLE = "ASPOSE_OCR_OLDEST_AIRFLOW_PYTHON"
DAG = "aspose_ocr_chain"
#: Those of the tests that need nothing newer.
OTHER_DAGS = Path(__file__).parent / "dags" / "start_from_trigger_dags.py"


@pytest.fixture(scope="module")
def oldest_python() -> Path:
    python = Path(os.environ.get(VARIABLE) or CHECKOUT / ".venv-oldest" / "bin" / "python")
    if not python.exists():
        pytest.fail(
            f"There is no Python with the oldest Airflow at {python}. Run `make .venv-oldest/stamp`, or set"
            f" {VARIABLE} to the interpreter of an environment that has it and this package.",
            pytrace=False,
        )
    return python


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    # Longer than a task waits in its worker (5 s), so that it has to defer.
    with EmulatorProcess("--engine", "canned", "--task-seconds", "7") as process:
        yield process


@pytest.fixture(scope="module")
def oldest_airflow(
    oldest_python: Path, emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalAirflow]:
    connection = {
        "conn_type": "aspose_ocr",
        "host": emulator.url,
        "login": "emulator",
        "password": "emulator",
    }
    others = tmp_path_factory.mktemp("oldest-dags")
    shutil.copy(OTHER_DAGS, others)
    with LocalAirflow(
        tmp_path_factory.mktemp("oldest-airflow"),
        [CHECKOUT / "example_dags", others],
        {"AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": json.dumps(connection)},
        python=oldest_python,
    ) as running:
        yield running


def test_it_is_the_oldest_that_is_admitted(oldest_python: Path) -> None:
    script = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    done = subprocess.run(
        [str(oldest_python), "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    wanted = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"apache-airflow>={done.stdout.strip()}" in wanted


def test_the_provider_and_its_connection_type_are_known(oldest_airflow: LocalAirflow) -> None:
    assert "airflow-provider-asposeocr" in oldest_airflow.run_command("providers", "list", "-o", "plain")
    hooks = oldest_airflow.run_command("providers", "hooks", "-o", "plain")
    assert "airflow_provider_asposeocr.hooks.aspose_ocr.AsposeOcrHook" in hooks
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    assert rest.import_errors() == []


def test_the_example_chain_defers_and_lands_in_storage(
    oldest_airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path: Path
) -> None:
    emulator.control.reset()
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    run_id = rest.start(DAG, {"scan": str(SCAN), "outbox": f"file://{tmp_path}/outbox/"})
    rest.wait_for_task_state(DAG, run_id, "upscale", "deferred", timeout_seconds=300)
    assert rest.wait_for_run(DAG, run_id, timeout_seconds=300) == "success"

    manifest = rest.xcom(DAG, run_id, "fetch")
    assert [result["type"] for result in manifest["results"]] == ["Text", "Pdf"]
    outbox = tmp_path / "outbox"
    assert {path.name for path in outbox.glob("[!.]*")} == {"01-75dpi.txt", "01-75dpi.pdf"}
    assert (outbox / "01-75dpi.txt").read_text().startswith("This is the canned text")
    assert (outbox / "01-75dpi.pdf").read_bytes().startswith(b"%PDF-")
    assert emulator.control.billing() == {"UpscaleImage": 1, "BinarizeImage": 1, "RecognizeImage": 1}


def test_a_start_in_the_triggerer_becomes_the_ordinary_way_and_lost_crash_recovery_is_said_once(
    oldest_airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path: Path
) -> None:
    emulator.control.reset()
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    conf = {"scan": str(SCAN), "outbox": f"file://{tmp_path}/outbox/"}
    runs = {dag_id: rest.start(dag_id, conf) for dag_id in ("test_start", "test_start_chain")}
    for dag_id, run_id in runs.items():
        assert rest.wait_for_run(dag_id, run_id, timeout_seconds=300) == "success"
    log = {
        task["task_id"]: rest.logs(dag_id, run_id, task["task_id"])
        for dag_id, run_id in runs.items()
        for task in rest.task_instances(dag_id, run_id)
    }

    assert {path.name for path in (tmp_path / "outbox").glob("[!.]*")} == {"01-75dpi.txt"}
    assert emulator.control.billing() == {"RecognizeImage": 3}
    asked_to_start_there = {"fetch", "second", "done"}
    assert {task_id for task_id, text in log.items() if "start_from_trigger has no effect" in text} == (
        asked_to_start_there
    )
    # Also by the one that waits for the upstream cloud task first and submits in another process.
    said = {task_id: text.count("Crash recovery is off") for task_id, text in log.items()}
    assert said == {"submit": 1, "first": 1, "second": 1, "fetch": 0, "done": 0}
