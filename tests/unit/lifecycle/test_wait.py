"""A worker's wait for one cloud task, without an operator around it."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.polling.plan import Cadence, WaitPlan
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.wait import TaskWait, end_of_wait
from airflow_provider_asposeocr.lifecycle.worker_kill import WaitRole, WorkerKill
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger
from tests.support.emulated_cloud import STATUS, STUCK, deletes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

TASK = TaskRef(
    operation="RecognizeImage", id="id-1", submitted_at=datetime(2026, 3, 1, tzinfo=UTC), conn_id="ocr"
)
LATE = errors.TaskTimeoutError("Late.").about("RecognizeImage", "id-1")
BROKEN = errors.CloudUnavailableError("503.")


@pytest.mark.parametrize(("error", "status"), list(product([None, LATE, BROKEN], [None, *TaskStatus])))
def test_what_the_cloud_says_last_corrects_why_the_wait_ended(
    error: errors.AsposeOcrError | None, status: TaskStatus | None
) -> None:
    end = end_of_wait(TASK, error, status)
    if status is TaskStatus.COMPLETED:
        assert end is None
    elif status is TaskStatus.ERROR:
        assert isinstance(end, errors.TaskFailedError)
        assert (end.operation, end.task_id) == ("RecognizeImage", "id-1")
    else:
        assert end is error


@pytest.fixture
def wait(submit: Callable[..., dict[str, Any]]) -> Callable[..., TaskWait]:
    """Return a function that submits an image after adding faults, and returns the wait for its cloud task."""

    def begun(*faults: dict[str, Any], role: WaitRole | None = None) -> TaskWait:
        ref = parse_task_ref(submit(*faults))
        return TaskWait(ref, AsposeOcrHook("ocr").client, role)

    return begun


def plan(seconds: float = 60.0) -> WaitPlan:
    return WaitPlan(time.time() + seconds, Cadence(0.05, 0.1))


class TestRun:
    def test_a_completed_task_ends_it(self, wait: Callable[..., TaskWait]) -> None:
        assert wait().run(plan()) is None

    def test_what_takes_longer_is_for_the_triggerer(
        self, wait: Callable[..., TaskWait], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS", "7")
        waiting, began = wait(STUCK, role=WaitRole(cancel_on_kill="never")), time.time()
        deferral = waiting.run(plan(100), inline_seconds=0.3)
        assert deferral is not None
        trigger = AsposeOcrTaskTrigger(**deferral.trigger)
        assert trigger.serialize()[1] == deferral.trigger
        assert deferral.trigger["reference"] == waiting.ref.to_dict()
        assert deferral.trigger["cancel_on_kill"] == "never"
        rest = WaitPlan.from_dict(deferral.trigger["plan"])
        assert rest.seen_running_at >= began
        assert 7 <= rest.not_before_at - began < 60
        # Airflow's own limit comes after the deadline.
        assert deferral.timeout > timedelta(seconds=rest.deadline_at - time.time())

    @pytest.mark.parametrize("submitted_it", [True, False])
    def test_the_deadline_cancels(
        self, wait: Callable[..., TaskWait], cloud: EmulatorControl, submitted_it: bool
    ) -> None:
        forgotten: list[bool] = []
        waiting = wait(STUCK, role=WaitRole(submitted_it, forget=lambda: forgotten.append(True)))
        with pytest.raises(errors.TaskTimeoutError):
            waiting.run(plan(0.3))
        assert [entry["id"] for entry in deletes(cloud)] == [waiting.ref.id]
        assert forgotten == [True]

    @pytest.mark.parametrize(
        ("role", "cancelled"),
        [
            (WaitRole(), False),
            (WaitRole(submitted_it=True), True),
            # The error is none that a retry may solve.
            (WaitRole(submitted_it=True, has_retry_left=True), True),
        ],
        ids=["a consumer", "the last try", "a try is left"],
    )
    def test_a_broken_wait_cancels_what_is_its_own(
        self, wait: Callable[..., TaskWait], cloud: EmulatorControl, role: WaitRole, cancelled: bool
    ) -> None:
        waiting = wait(STUCK, {"kind": "status", "status": 400, "path": STATUS, "count": 1}, role=role)
        with pytest.raises(errors.RequestRejectedError):
            waiting.run(plan())
        assert len(deletes(cloud)) == cancelled


class TestTheEnd:
    def test_there_is_nothing_to_cancel_any_more(
        self, wait: Callable[..., TaskWait], cloud: EmulatorControl
    ) -> None:
        waiting = wait(STUCK)
        waiting.settle(None)
        assert waiting.cancel("a test ends").what == "unknown"
        assert deletes(cloud) == []

    def test_a_kill_finds_the_task_from_the_beginning_until_then(self, submit: Callable[..., Any]) -> None:
        ref, kill = parse_task_ref(submit()), WorkerKill()
        waiting = TaskWait(ref, AsposeOcrHook("ocr").client, kill=kill)
        assert kill.watches(ref)
        assert not kill.watches(TASK)
        waiting.settle(None)
        assert not kill.watches(ref)

    def test_a_task_that_was_completed_before_the_deadline_s_cancel_is_a_success(
        self, wait: Callable[..., TaskWait], cloud: EmulatorControl
    ) -> None:
        waiting = wait()
        AsposeOcrHook("ocr").wait(waiting.ref, poll_interval_seconds=0.02)
        waiting.settle(errors.TaskTimeoutError("Late."))
        assert deletes(cloud) == []
