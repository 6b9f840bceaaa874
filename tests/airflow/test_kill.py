"""Kills on real Airflow processes: a user's kill and the deadline cancel the cloud task, and nothing else does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.polling.deadlines import BACKSTOP_SECONDS

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

STUCK = {"kind": "task_stuck", "count": 1}


def deletes(stack: Stack) -> list[dict[str, Any]]:
    return stack.requests("DELETE")


def start_stuck(stack: Stack, dag_id: str, state: str) -> str:
    """Start a run whose cloud task never ends, and wait until its Airflow task waits for it."""
    stack.cloud.add_faults(STUCK)
    run_id = stack.rest.start(dag_id, stack.files)
    stack.rest.wait_for_task_state(dag_id, run_id, "recognize", state, timeout_seconds=300)
    stack.cloud.wait_for_request("GET", "*GetTaskStatus", timeout_seconds=300)
    return run_id


def assert_cancelled(stack: Stack) -> None:
    stack.cloud.wait_for_request("DELETE", "*", timeout_seconds=300)
    assert [task["deleted"] for task in stack.cloud.tasks()] == [True]


def test_marking_a_deferred_task_failed_cancels_the_cloud_task(stack: Stack) -> None:
    run_id = start_stuck(stack, "test_deferred", "deferred")
    stack.rest.set_task_state("test_deferred", run_id, "recognize", "failed")
    assert_cancelled(stack)
    assert len(deletes(stack)) == 1


def test_marking_a_running_task_failed_cancels_the_cloud_task(stack: Stack) -> None:
    run_id = start_stuck(stack, "test_inline", "running")
    stack.rest.set_task_state("test_inline", run_id, "recognize", "failed")
    assert_cancelled(stack)
    assert len(deletes(stack)) == 1


def test_a_restarted_triggerer_cancels_nothing_and_goes_on(stack: Stack) -> None:
    run_id = start_stuck(stack, "test_deferred", "deferred")
    seen = stack.cloud.journal()[-1]["n"]
    stack.airflow.restart("triggerer")
    stack.cloud.wait_for_request("GET", "*GetTaskStatus", since=seen, timeout_seconds=300)
    assert deletes(stack) == []
    assert stack.cloud.billing() == {"RecognizeImage": 1}
    stack.rest.set_task_state("test_deferred", run_id, "recognize", "failed")
    assert_cancelled(stack)


def test_our_deadline_cancels_the_cloud_task_and_says_what_was_billed(stack: Stack) -> None:
    stack.cloud.add_faults(STUCK)
    started = time.time()
    run_id = stack.rest.start("test_deadline", stack.files)
    assert stack.rest.wait_for_run("test_deadline", run_id, timeout_seconds=300) == "failed"
    assert time.time() - started < BACKSTOP_SECONDS, "Airflow's own deadline came first"
    assert_cancelled(stack)
    log = stack.rest.logs("test_deadline", run_id, "recognize")
    assert "which is the deadline" in log
    assert "The cloud task was accepted and billed." in log


def test_failing_a_run_before_its_consumer_begins_cancels_the_cloud_task(stack: Stack) -> None:
    stack.cloud.add_faults(STUCK)
    run_id = stack.rest.start("test_teardown", stack.files)
    stack.rest.wait_for_task_state("test_teardown", run_id, "recognize", "success", timeout_seconds=300)
    stack.rest.set_run_state("test_teardown", run_id, "failed")
    assert_cancelled(stack)
    stack.rest.wait_for_task_state("test_teardown", run_id, "leave_nothing", "success", timeout_seconds=300)
    assert stack.rest.task_instance("test_teardown", run_id, "fetch")["state"] == "skipped"
