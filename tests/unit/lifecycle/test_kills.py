"""The decision about the cloud task after a kill: the whole table, and consumers in a worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow.utils.state import TaskInstanceState

from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.lifecycle.kills import (
    CLEARED,
    ENDED,
    decide_after_kill,
    decide_by_origin,
    is_origin,
    own_state,
)
from tests.support.airflow_tasks import TaskInstance, context_for, execute
from tests.support.emulated_cloud import STATUS, deletes
from tests.support.ocr_tasks import REF, fetch, recognize

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

TASK = TaskRef.model_validate(REF)
STATES = [None, *(str(state) for state in TaskInstanceState)]


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_airflow(state: str | None) -> None:
    for owns in (True, False):
        for comes_back in (True, False):
            decided = decide_after_kill(state, TASK, owns=owns, comes_back=comes_back)
            if state in ENDED:
                assert decided == "cancel"
            elif state in CLEARED:
                assert decided == ("cancel" if owns else "ask about origin")
            else:
                assert decided == ("leave" if comes_back else "cancel")


def test_the_states_are_airflow_s() -> None:
    assert set(STATES) >= CLEARED
    assert set(STATES) >= ENDED
    assert not CLEARED & ENDED
    assert {"running", "deferred", "up_for_retry"} <= set(STATES) - CLEARED - ENDED


def test_what_no_task_submitted_is_not_cleared_with_one() -> None:
    outside = TASK.model_copy(update={"task_id": None})
    assert decide_after_kill(None, outside, owns=False, comes_back=True) == "leave"


@pytest.mark.parametrize("state", STATES)
def test_only_a_finished_origin_keeps_its_cloud_task(state: str | None) -> None:
    assert decide_by_origin(state) == ("leave" if state == "success" else "cancel")


@pytest.mark.parametrize(
    ("map_index", "key"), [(-1, "recognize"), (None, "recognize"), (0, "recognize_0"), (12, "recognize_12")]
)
def test_airflow_names_a_mapped_task_with_its_index(map_index: int | None, key: str) -> None:
    assert own_state({"r": {key: "deferred"}}, "r", "recognize", map_index) == "deferred"
    assert own_state({"r": {}}, "r", "recognize", map_index) is None
    assert own_state({}, "r", "recognize", map_index) is None


def test_the_origin_is_the_very_task_instance() -> None:
    ti = TaskInstance("recognize", 3)
    names = {"dag_id": "the_dag", "run_id": "the_run", "task_id": "recognize", "map_index": 3}
    assert is_origin(ti, TASK.model_copy(update=names))
    for name, other in {"dag_id": "x", "run_id": "x", "task_id": "x", "map_index": 4}.items():
        assert not is_origin(ti, TASK.model_copy(update={**names, name: other}))
    ti.map_index = -1
    assert is_origin(ti, TASK.model_copy(update={**names, "map_index": None}))


class TestConsumer:
    """A consumer without a try left, killed while it waits in its worker."""

    @pytest.mark.parametrize(
        ("state", "origin", "cancelled"),
        [
            ("failed", "success", True),
            ("success", "success", True),
            ("restarting", "success", False),
            (None, "success", False),
            ("restarting", None, True),
            ("running", "success", True),
        ],
    )
    def test_a_clear_lets_it_wait_again_and_a_kill_cancels(
        self,
        cloud: EmulatorControl,
        page: str,
        tmp_path: Any,
        state: str | None,
        origin: str | None,
        cancelled: bool,
    ) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        ref = execute(recognize(page, wait_for_completion=False))
        operator = fetch(ref, f"{tmp_path}/out/", deferrable=False)
        context = context_for(operator)
        context["ti"].state, context["ti"].origin_state = state, origin
        ends: list[BaseException] = []

        def work() -> None:
            try:
                execute(operator, context)
            except Exception as error:
                ends.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        cloud.wait_for_request("GET", STATUS)
        operator.on_kill()
        worker.join()
        assert "killed while it waited" in str(ends)
        assert not isinstance(ends[0], AirflowFailException)
        assert len(deletes(cloud)) == cancelled
