"""A batch on real Airflow processes: it defers, and a kill or a Clear leaves no cloud task running."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.airflow_tasks import PNG

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

DOCUMENTS, STUCK = 12, 4


@pytest.fixture
def folders(stack: Stack, tmp_path: Path) -> dict[str, str]:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(DOCUMENTS):
        (inbox / f"page-{number}.png").write_bytes(PNG + bytes([number]))
    return {"inbox": f"{inbox}/", "outbox": f"{stack.outbox}/"}


def start_stuck(stack: Stack, dag_id: str, state: str, folders: dict[str, str]) -> str:
    """
    Start a batch some of whose cloud tasks never end, and wait until only these run and its Airflow task is in a state.

    Before that a deferred batch may go back to its worker at any moment, and is not deferred when it is marked failed.
    """
    stack.cloud.add_faults({"kind": "task_stuck", "count": STUCK})
    run_id = stack.rest.start(dag_id, folders)
    stack.cloud.wait_for_request("POST", "*RecognizeImage", DOCUMENTS, timeout_seconds=300)
    stack.wait("the texts", lambda: len(list(stack.outbox.glob("*.txt"))) == DOCUMENTS - STUCK)
    stack.rest.wait_for_task_state(dag_id, run_id, "read", state, timeout_seconds=300)
    seen = stack.cloud.journal()[-1]["n"]
    stack.cloud.wait_for_request("GET", "*GetTaskStatus", since=seen, timeout_seconds=300)
    return run_id


def deleted(stack: Stack) -> list[dict[str, Any]]:
    return [task for task in stack.cloud.tasks() if task["deleted"]]


@pytest.mark.parametrize(
    ("dag_id", "state"), [("test_batch_held", "running"), ("test_batch_deferred", "deferred")]
)
def test_marking_it_failed_cancels_all_that_run(
    stack: Stack, folders: dict[str, str], dag_id: str, state: str
) -> None:
    run_id = start_stuck(stack, dag_id, state, folders)
    stack.rest.set_task_state(dag_id, run_id, "read", "failed")
    stack.cloud.wait_for_request("DELETE", "*", STUCK, timeout_seconds=300)
    assert len(deleted(stack)) == STUCK
    assert sum(stack.cloud.billing().values()) == DOCUMENTS


def test_clearing_a_deferred_one_cancels_what_ran_and_begins_anew(
    stack: Stack, folders: dict[str, str]
) -> None:
    run_id = start_stuck(stack, "test_batch_deferred", "deferred", folders)
    stack.rest.clear("test_batch_deferred", run_id, ["read"])
    assert stack.rest.wait_for_run("test_batch_deferred", run_id, timeout_seconds=300) == "success"
    assert len(deleted(stack)) == STUCK
    assert sum(stack.cloud.billing().values()) == 2 * DOCUMENTS
    summary = stack.rest.xcom("test_batch_deferred", run_id, "read")
    assert (summary["documents"], summary["succeeded"]) == (DOCUMENTS, DOCUMENTS)
    assert len(list(Path(folders["outbox"].removeprefix("file://")).glob("*.txt"))) == DOCUMENTS
