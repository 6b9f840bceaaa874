"""
The user's policies about retries, bills and kills, on real Airflow processes: the retry policy and a task's own policies.

All runs start together, since most of their time they wait; no two ask the cloud for the same operation, which tells
them apart in its journal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_asposeocr.lifecycle.record import KEY
from airflow_provider_asposeocr.retry_policy import JITTER
from demo.rest import AirflowRest
from tests.support.airflow_stack import SCAN

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import EmulatorProcess
    from demo.local_airflow import LocalAirflow

pytestmark = pytest.mark.airflow

DAGS = ("test_retry_after", "test_bad_input", "test_reuse", "test_unknown_submit", "test_never_cancel")
#: Longer than a worker waits by itself (30 s), and far shorter than the DAG's retry_delay (10 minutes).
RETRY_AFTER_SECONDS = 35
#: Until Airflow has begun a try that is due: a scheduler's round and a process, on a machine that has other work.
START_SECONDS = 300
#: What Airflow writes into a deferred task's log when a user has ended it.
KILL_HEARD = "Trigger cancelled by user action"
#: Of a whole run.
RUN_SECONDS = 400
FAULTS: tuple[dict[str, Any], ...] = (
    {
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": str(RETRY_AFTER_SECONDS)},
        "method": "POST",
        "path": "UpscaleImage",
    },
    {"kind": "drop", "after": "accepted", "method": "POST", "path": "DeskewImage"},
    {"kind": "task_stuck", "path": "BinarizeImage", "count": 2},
)


@dataclass
class Runs:
    """One run of each DAG, all under way."""

    rest: AirflowRest
    cloud: EmulatorControl
    ids: dict[str, str] = field(default_factory=dict)

    def end(self, dag_id: str) -> str:
        """Wait for the end of a DAG's run; return its state."""
        return self.rest.wait_for_run(dag_id, self.ids[dag_id], RUN_SECONDS)

    def tries(self, dag_id: str) -> dict[str, tuple[str, int]]:
        """State and number of tries of each task."""
        found = self.rest.task_instances(dag_id, self.ids[dag_id])
        return {each["task_id"]: (each["state"], each["try_number"]) for each in found}

    def log(self, dag_id: str, task_id: str, try_number: int = 1) -> str:
        return self.rest.logs(dag_id, self.ids[dag_id], task_id, try_number)

    def kept(self, dag_id: str, task_id: str) -> dict[str, Any]:
        """What Airflow's store holds for a task."""
        run = quote(self.ids[dag_id], safe="")
        path = f"/dags/{dag_id}/dagRuns/{run}/taskInstances/{task_id}/state-store"
        return {entry["key"]: entry["value"] for entry in self.rest.get(path)["task_state_store"]}

    def submits(self, operation: str) -> list[dict[str, Any]]:
        """What the cloud has seen of an operation's submits."""
        return [
            entry
            for entry in self.cloud.journal()
            if entry["method"] == "POST" and entry["path"].endswith(f"/{operation}")
        ]

    def billed(self, operation: str) -> int:
        return self.cloud.billing().get(operation, 0)


@pytest.fixture(scope="module")
def runs(airflow: LocalAirflow, emulator: EmulatorProcess) -> Runs:
    emulator.control.reset()
    emulator.control.add_faults(*FAULTS)
    started = Runs(AirflowRest(airflow.base_url, airflow.check), emulator.control)
    for dag_id in DAGS:
        started.ids[dag_id] = started.rest.start(dag_id, {"scan": str(SCAN)})
    return started


def wait_until_polled(cloud: EmulatorControl, task_ids: Collection[str]) -> None:
    """Return when the triggerer has asked for each of these cloud tasks."""
    missing, seen = set(task_ids), 0
    while missing:
        entries = cloud.wait_for_request("GET", "*GetTaskStatus", since=seen, timeout_seconds=START_SECONDS)
        missing -= {entry["id"] for entry in entries}
        seen = max(entry["n"] for entry in entries)


def test_cancel_on_kill_never_spares_the_cloud_task_of_a_deferred_task(runs: Runs) -> None:
    dag_id, run_id = "test_never_cancel", runs.ids["test_never_cancel"]
    of = {}
    for task_id in ("never", "default"):
        runs.rest.wait_for_task_state(dag_id, run_id, task_id, "deferred", RUN_SECONDS)
        of[task_id] = runs.kept(dag_id, task_id)[KEY]["task"]["id"]
    wait_until_polled(runs.cloud, of.values())

    # The triggerer handles kills in order: the DELETE of the second task shows that it has handled the first one, too.
    for task_id in ("never", "default"):
        runs.rest.set_task_state(dag_id, run_id, task_id, "failed")
    runs.cloud.wait_for_request("DELETE", "*", timeout_seconds=START_SECONDS)
    assert runs.end(dag_id) == "failed"
    assert KILL_HEARD in runs.log(dag_id, "never")

    deleted = [entry["id"] for entry in runs.cloud.journal() if entry["method"] == "DELETE"]
    assert deleted == [of["default"]]
    states = {task["id"]: task["status"] for task in runs.cloud.tasks()}
    assert states[of["never"]] == "Processing"


def test_on_unknown_submit_fail_leaves_the_bill_to_a_human(runs: Runs) -> None:
    assert runs.end("test_unknown_submit") == "failed"
    assert runs.tries("test_unknown_submit") == {"deskew": ("failed", 1)}
    assert [entry["answer_lost"] for entry in runs.submits("DeskewImage")] == [True]
    assert runs.billed("DeskewImage") == 1
    log = runs.log("test_unknown_submit", "deskew")
    assert "Could not submit DeskewImage: the request was sent and no answer came" in log
    assert f"DeskewImage of '{SCAN}' may have been billed; on_unknown_submit is 'fail'." in log


def test_bad_input_fails_in_the_first_try_in_operators_and_in_code_of_one_s_own(runs: Runs) -> None:
    assert runs.end("test_bad_input") == "failed"
    assert runs.tries("test_bad_input") == {"operator": ("failed", 1), "own_code": ("failed", 1)}
    for task_id in ("operator", "own_code"):
        assert "/there/is/no/such/scan.png" in runs.log("test_bad_input", task_id)


def test_a_cleared_task_is_billed_anew_unless_reuse_is_always(runs: Runs) -> None:
    dag_id, run_id = "test_reuse", runs.ids["test_reuse"]
    assert runs.end(dag_id) == "success"
    done = {task_id: runs.rest.xcom(dag_id, run_id, task_id)["id"] for task_id in ("always", "default")}
    # A record that is not needed any more is not left in the user's database.
    assert runs.kept(dag_id, "default") == {}
    assert runs.kept(dag_id, "always")[KEY]["task"]["id"] == done["always"]

    runs.rest.clear(dag_id, run_id)
    assert runs.end(dag_id) == "success"
    again = {task_id: runs.rest.xcom(dag_id, run_id, task_id)["id"] for task_id in done}
    assert again["always"] == done["always"]
    assert runs.billed("RecognizeImage") == 1
    assert "re-attached, nothing billed again" in runs.log(dag_id, "always", try_number=2)
    assert again["default"] != done["default"]
    assert runs.billed("DetectRegions") == 2
    assert runs.kept(dag_id, "default") == {}


def test_the_retry_policy_comes_back_when_the_cloud_wants_it(runs: Runs) -> None:
    runs.cloud.wait_for_request(
        "POST", "UpscaleImage", count=2, timeout_seconds=RETRY_AFTER_SECONDS + START_SECONDS
    )
    refused, accepted = runs.submits("UpscaleImage")
    assert (refused["status"], accepted["status"]) == (429, 200)
    waited = accepted["time"] - refused["time"]
    assert RETRY_AFTER_SECONDS <= waited < RETRY_AFTER_SECONDS * (1 + JITTER) + START_SECONDS
    assert runs.end("test_retry_after") == "success"
    assert runs.tries("test_retry_after") == {"upscale": ("success", 2)}
    assert "the cloud asks to wait 35 s" in runs.log("test_retry_after", "upscale")
    assert runs.billed("UpscaleImage") == 1
