"""How many worker processes a task starts: each costs seconds of CPU, even if it does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

DAG_ID = "test_worker_processes"
#: Airflow's task runner says so once in each process.
STARTED = "Worker startup parse complete"


def test_a_task_starts_a_second_process_only_for_a_deferral(stack: Stack) -> None:
    run_id = stack.rest.start(DAG_ID, stack.files)
    assert stack.rest.wait_for_run(DAG_ID, run_id, timeout_seconds=300) == "success"
    started = {
        task["task_id"]: stack.rest.logs(DAG_ID, run_id, task["task_id"]).count(STARTED)
        for task in stack.rest.task_instances(DAG_ID, run_id)
    }
    assert started == {"done_inline": 1, "deferred": 2, "submitted": 1, "consumer": 1}
