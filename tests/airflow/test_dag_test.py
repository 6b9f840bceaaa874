"""``airflow dags test``, with which users try a DAG: every way to wait works there without any other process."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.local_airflow import LocalAirflow
from tests.support.airflow_stack import SCAN, connection

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import EmulatorProcess

pytestmark = pytest.mark.airflow

DAG = Path(__file__).parent / "dags" / "dag_test_dags.py"


def test_dag_test_works_inline_deferred_and_with_a_start_from_the_trigger(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    emulator.control.reset()
    folder, outbox = tmp_path / "dags", tmp_path / "outbox"
    folder.mkdir()
    shutil.copy(DAG, folder)
    environment = {
        "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(emulator.url),
        # There is no worker that could still be on its way out.
        "AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS": "0",
    }
    airflow = LocalAirflow(tmp_path / "home", folder, environment)  # Never started.
    airflow.home.mkdir()
    airflow.run_command("db", "migrate", timeout_seconds=300)

    conf = json.dumps({"scan": str(SCAN), "outbox": f"file://{outbox}/"})
    # Raises where the run fails.
    said = airflow.run_command("dags", "test", "test_dag_test", "--conf", conf, timeout_seconds=300)

    assert {path.name for path in outbox.glob("[!.]*")} == {"inline.txt", "deferred.png", "handed_on.png"}
    assert (outbox / "inline.txt").read_text().startswith("This is the canned text")
    assert emulator.control.billing() == {"RecognizeImage": 1, "UpscaleImage": 1, "BinarizeImage": 1}
    waits_deferred = {
        name for name in emulator.control.billing() if f"Deferring the wait for {name} " in said
    }
    # Under dag.test() each task runs execute() before it defers, also the consumer that Airflow would start in the
    # triggerer.
    assert waits_deferred == {"UpscaleImage", "BinarizeImage"}
