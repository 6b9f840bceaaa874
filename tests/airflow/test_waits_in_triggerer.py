"""Consumers that begin in the triggerer on real Airflow processes: what they cost, bring, and leave when killed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

STUCK = {"kind": "task_stuck", "count": 1}
#: An XCom pull that the triggerer cannot answer waits for ever; one that it can answer, it answers at once.
ANSWERED_SECONDS = 300.0


def worker_processes(stack: Stack, dag_id: str, run_id: str, task_id: str) -> int:
    """Airflow writes an audit entry whenever a worker process takes a task instance."""
    database = next(stack.airflow.home.glob("**/airflow.db"))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as connection:
        question = (
            "select count(*) from log where event = 'running' and dag_id = ? and run_id = ? and task_id = ?"
        )
        return int(connection.execute(question, (dag_id, run_id, task_id)).fetchone()[0])


def start_stuck(stack: Stack) -> str:
    """Start a run whose consumer waits in the triggerer for a cloud task that never ends."""
    stack.cloud.add_faults(STUCK)
    run_id = stack.rest.start("test_start", stack.files)
    stack.rest.wait_for_task_state("test_start", run_id, "fetch", "deferred", timeout_seconds=300)
    # Fails where the triggerer waits for an answer to its pull.
    stack.cloud.wait_for_request("GET", "*GetTaskStatus", timeout_seconds=ANSWERED_SECONDS)
    return run_id


def test_a_consumer_costs_one_worker_process(stack: Stack) -> None:
    # A template in a file's name: Airflow must not render it.
    hostile = stack.outbox.parent / "{{ 40 + 2 }}.png"
    hostile.write_bytes(Path(stack.files["scan"]).read_bytes())
    run_id = stack.rest.start("test_start", {**stack.files, "scan": str(hostile)})
    assert stack.rest.wait_for_run("test_start", run_id, timeout_seconds=300) == "success"

    assert worker_processes(stack, "test_start", run_id, "submit") == 1
    assert worker_processes(stack, "test_start", run_id, "fetch") == 1
    manifest = stack.rest.xcom("test_start", run_id, "fetch")
    assert manifest["task"]["source_name"] == "{{ 40 + 2 }}.png"
    (result,) = manifest["results"]
    assert Path(unquote(urlsplit(result["uri"]).path)).read_text() == result["text"]
    assert stack.cloud.billing() == {"RecognizeImage": 1}


def test_marking_it_failed_cancels_the_cloud_task(stack: Stack) -> None:
    run_id = start_stuck(stack)
    stack.rest.set_task_state("test_start", run_id, "fetch", "failed")
    stack.cloud.wait_for_request("DELETE", "*", timeout_seconds=300)
    assert [task["deleted"] for task in stack.cloud.tasks()] == [True]
    assert worker_processes(stack, "test_start", run_id, "fetch") == 0


def test_a_retry_begins_in_the_triggerer_again(stack: Stack) -> None:
    # The first download is refused for longer than a worker waits.
    refusal = {"kind": "status", "status": 429, "headers": {"Retry-After": "120"}, "count": 1}
    stack.cloud.add_faults({**refusal, "method": "GET", "path": "*RecognizeImage"})
    run_id = stack.rest.start("test_start", stack.files)
    assert stack.rest.wait_for_run("test_start", run_id, timeout_seconds=300) == "success"
    assert stack.rest.task_instance("test_start", run_id, "fetch")["try_number"] == 2
    assert worker_processes(stack, "test_start", run_id, "fetch") == 2
    assert stack.cloud.billing() == {"RecognizeImage": 1}


def test_a_step_that_waits_twice_and_a_sensor(stack: Stack) -> None:
    run_id = stack.rest.start("test_start_chain", stack.files)
    assert stack.rest.wait_for_run("test_start_chain", run_id, timeout_seconds=300) == "success"
    assert worker_processes(stack, "test_start_chain", run_id, "second") == 2
    assert worker_processes(stack, "test_start_chain", run_id, "done") == 1
    ref = stack.rest.xcom("test_start_chain", run_id, "second")
    assert stack.rest.xcom("test_start_chain", run_id, "done") == ref
    assert stack.cloud.billing() == {"RecognizeImage": 2}


def test_each_lane_of_a_mapped_group_gets_its_own(stack: Stack) -> None:
    run_id = stack.rest.start("test_start_lanes", stack.files)
    assert stack.rest.wait_for_run("test_start_lanes", run_id, timeout_seconds=300) == "success"
    assert worker_processes(stack, "test_start_lanes", run_id, "lane.fetch") == 2
    manifests = [stack.rest.xcom("test_start_lanes", run_id, "lane.fetch", map_index=each) for each in (0, 1)]
    assert [manifest["task"]["map_index"] for manifest in manifests] == [0, 1]
    assert {path.name for path in stack.outbox.glob("[!.]*")} == {"a.txt", "b.txt"}


def test_what_is_expanded_begins_in_a_worker(stack: Stack) -> None:
    run_id = stack.rest.start("test_start_expanded", stack.files)
    assert stack.rest.wait_for_run("test_start_expanded", run_id, timeout_seconds=300) == "success"
    assert worker_processes(stack, "test_start_expanded", run_id, "fetch") == 2
    assert "start_from_trigger has no effect" in stack.rest.logs(
        "test_start_expanded", run_id, "fetch", map_index=0
    )
