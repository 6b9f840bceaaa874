"""
The oldest Airflow that pyproject.toml allows: the chain defers there and its results are in storage, without the features
of later versions.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.support.airflow_stack import RARE_PARSES
from tests.support.airflow_tasks import PNG
from tests.support.environments import oldest_python
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

CHECKOUT = Path(__file__).resolve().parents[2]
SCAN = CHECKOUT / "demo" / "scans" / "01-75dpi.png"
DAG = "aspose_ocr_chain"
#: Those of the tests that need nothing newer.
OTHER_DAGS = ("start_from_trigger_dags.py", "batch_dags.py")


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    # Longer than a task waits in its worker (5 s), so that it has to defer.
    with EmulatorProcess("--engine", "canned", "--task-seconds", "7") as process:
        yield process


@pytest.fixture(scope="module")
def oldest_airflow(
    emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalAirflow]:
    connection = {
        "conn_type": "aspose_ocr",
        "host": emulator.url,
        "login": "emulator",
        "password": "emulator",
    }
    others = tmp_path_factory.mktemp("oldest-dags")
    for name in OTHER_DAGS:
        shutil.copy(Path(__file__).parent / "dags" / name, others)
    with LocalAirflow(
        tmp_path_factory.mktemp("oldest-airflow"),
        [CHECKOUT / "example_dags", others],
        {"AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": json.dumps(connection), **RARE_PARSES},
        python=oldest_python(),
    ) as running:
        yield running


def test_it_is_the_oldest_that_is_admitted() -> None:
    script = "import importlib.metadata as m; print(m.version('apache-airflow'))"
    done = subprocess.run(
        [str(oldest_python()), "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    wanted = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"apache-airflow>={done.stdout.strip()}" in wanted


def test_the_provider_and_its_connection_type_are_known(oldest_airflow: LocalAirflow) -> None:
    assert "airflow-provider-asposeocr" in oldest_airflow.run_command("providers", "list", "-o", "plain")
    hooks = oldest_airflow.run_command("providers", "hooks", "-o", "plain")
    assert "airflow_provider_asposeocr.hooks.aspose_ocr.AsposeOcrHook" in hooks
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    assert rest.import_errors() == []


@dataclass
class Chain:
    """A run of the example chain that has ended."""

    rest: AirflowRest
    run_id: str
    outbox: Path
    billing: dict[str, int]

    def get(self, path: str, **headers: str) -> requests.Response:
        """Request an address of the viewer; ``{run}`` stands for the DAG and the run."""
        address = f"{self.rest.base_url}/aspose-ocr/{path.replace('{run}', f'{DAG}/{self.run_id}')}"
        return requests.get(address, headers=headers, timeout=120)


@pytest.fixture(scope="module")
def chain(
    oldest_airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Chain:
    emulator.control.reset()
    outbox = tmp_path_factory.mktemp("oldest-chain") / "outbox"
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    run_id = rest.start(DAG, {"scan": str(SCAN), "outbox": f"file://{outbox}/"})
    rest.wait_for_task_state(DAG, run_id, "upscale", "deferred", timeout_seconds=300)
    assert rest.wait_for_run(DAG, run_id, timeout_seconds=300) == "success"
    return Chain(rest, run_id, outbox, emulator.control.billing())


def test_the_example_chain_defers_and_lands_in_storage(chain: Chain) -> None:
    manifest = chain.rest.xcom(DAG, chain.run_id, "fetch")
    assert [result["type"] for result in manifest["results"]] == ["Text", "Pdf"]
    assert {path.name for path in chain.outbox.glob("[!.]*")} == {"01-75dpi.txt", "01-75dpi.pdf"}
    assert (chain.outbox / "01-75dpi.txt").read_text().startswith("This is the canned text")
    assert (chain.outbox / "01-75dpi.pdf").read_bytes().startswith(b"%PDF-")
    assert chain.billing == {"UpscaleImage": 1, "BinarizeImage": 1, "RecognizeImage": 1}


def test_the_viewer_shows_the_result(chain: Chain) -> None:
    page = chain.get("view/{run}/fetch/-1")
    assert page.status_code == 200
    assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert chain.get("data/instance/{run}/fetch/-1").status_code == 401
    login = {"Authorization": f"Bearer {chain.rest.token()}"}
    document = chain.get("data/instance/{run}/fetch/-1", **login).json()["document"]
    text = chain.get(document["results"][0]["address"], **login)
    assert text.content == (chain.outbox / "01-75dpi.txt").read_bytes()
    cards = chain.get("data/run/{run}", **login).json()["cards"]
    assert [card["task"] for card in cards] == ["fetch"]


def test_the_tabs_and_the_link_lead_to_the_viewer(chain: Chain) -> None:
    plugins = chain.rest.get("/plugins")["plugins"]
    views = [view for each in plugins if each["name"] == "aspose_ocr" for view in each["external_views"]]
    assert {view["destination"] for view in views} == {"task_instance", "dag_run"}
    links = chain.rest.get(f"/dags/{DAG}/dagRuns/{chain.run_id}/taskInstances/fetch/links")
    (address,) = links["extra_links"].values()
    assert address.endswith("/fetch/-1")
    assert requests.get(f"{chain.rest.base_url}{address}", timeout=120).status_code == 200


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


def test_a_batch_whose_worker_is_killed_goes_on_with_its_cloud_tasks(
    oldest_airflow: LocalAirflow, emulator: EmulatorProcess, tmp_path: Path
) -> None:
    """This Airflow remembers nothing for the task: the journal does."""
    emulator.control.reset()
    # So that each is polled, which needs its reference in the journal, and none ends before the kill.
    emulator.control.add_faults({"kind": "task_slow", "task_seconds": 3600, "probability": 1.0})
    inbox, documents = tmp_path / "inbox", 5
    inbox.mkdir()
    for number in range(documents):
        (inbox / f"page-{number}.png").write_bytes(PNG + bytes([number]))
    rest = AirflowRest(oldest_airflow.base_url, oldest_airflow.check)
    dag_id = "test_batch_retried"
    run_id = rest.start(dag_id, {"inbox": f"{inbox}/", "outbox": f"{tmp_path}/outbox/"})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(polled(emulator)) < documents:
        oldest_airflow.check()
        assert time.monotonic() < deadline, "waited in vain for a poll of each document"
        time.sleep(0.5)
    os.kill(rest.task_instance(dag_id, run_id, "read")["pid"], signal.SIGKILL)
    emulator.control.advance_clock(7200)

    assert rest.wait_for_run(dag_id, run_id, timeout_seconds=PATIENCE_SECONDS) == "success"
    assert rest.task_instance(dag_id, run_id, "read")["try_number"] == 2
    assert emulator.control.billing() == {"RecognizeImage": documents}
    summary = rest.xcom(dag_id, run_id, "read")
    assert (summary["succeeded"], summary["maybe_billed_twice"]) == (documents, 0)
    assert f"Going on with a batch of {documents} documents" in rest.logs(
        dag_id, run_id, "read", try_number=2
    )
    assert not list((tmp_path / "outbox").rglob("batches/**/*.jsonl"))


def polled(emulator: EmulatorProcess) -> set[str]:
    """Return the cloud tasks that were asked for."""
    return {
        entry["id"]
        for entry in emulator.control.journal()
        if entry["method"] == "GET" and entry["path"].endswith("GetTaskStatus")
    }
