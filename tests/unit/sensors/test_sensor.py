from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_names import AirflowRescheduleException, AirflowSkipException
from tests.support.airflow_tasks import context_for, deferral, events_of, execute, resume
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

STUCK = {"kind": "task_stuck"}
DEFERRING = {"deferrable": True, "inline_wait_seconds": 20}


def sensor(task: Any, **given: Any) -> AsposeOcrTaskSensor:
    fields = {"poke_interval": 0.05, "poll_interval_seconds": 0.05, "max_poll_interval_seconds": 0.1}
    return AsposeOcrTaskSensor(task_id="sensor", task=task, **{**fields, **given})


def deleted(cloud: EmulatorControl) -> list[str]:
    return [entry["id"] for entry in cloud.journal() if entry["method"] == "DELETE"]


def skip_and_leave(task: dict[str, Any], cloud: EmulatorControl, **given: Any) -> None:
    """Assert that a sensor with ``soft_fail`` skips its task, and cancels nothing."""
    with pytest.raises(AirflowSkipException):
        execute(sensor(task, soft_fail=True, **given))
    assert deleted(cloud) == []


class TestParseTime:
    @pytest.mark.parametrize(
        "given",
        [
            {"timeout": 0},
            {"timeout": float("nan")},
            {"inline_wait_seconds": -1},
            {"poll_interval_seconds": 0},
            {"max_poll_interval_seconds": "often"},
            {"cancel_on_kill": "sometimes"},
            {"poke_interval": -1},
            {"mode": "sleep"},
        ],
        ids=str,
    )
    def test_what_makes_no_sense_is_named(self, given: dict[str, Any]) -> None:
        (name,) = given
        with pytest.raises(ValueError, match=rf"\b{name}\b"):
            sensor({}, **given)

    def test_a_timeout_may_be_a_timedelta(self) -> None:
        assert sensor({}, timeout=timedelta(minutes=1)).timeout_seconds == 60

    @pytest.mark.parametrize("given", [{}, DEFERRING], ids=["poke", "deferrable"])
    def test_a_reference_that_is_none(self, given: dict[str, Any], cloud: EmulatorControl) -> None:
        with pytest.raises(AirflowFailException, match="not a task reference"):
            execute(sensor("id-1", **given))
        assert cloud.journal() == []


@pytest.mark.parametrize("given", [{"deferrable": False}, DEFERRING], ids=["poke", "inline"])
class TestInAWorker:
    def test_it_returns_the_reference(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        task = submit()
        cloud.add_faults({"kind": "status", "status": 503, "path": "*/GetTaskStatus", "count": 2})
        operator = sensor(task, **given)
        context = context_for(operator, map_index=1)
        assert execute(operator, context) == task
        assert context["aspose_ocr_source_name"] == "page.png"
        operator.on_kill()
        assert deleted(cloud) == []

    def test_a_failed_task_fails_it_and_says_why(
        self, submit: Callable[..., dict[str, Any]], given: dict[str, Any]
    ) -> None:
        task = submit({"kind": "task_error", "messages": ["The page is upside down"]})
        with pytest.raises(AirflowFailException, match=r"upside down.*clear that task"):
            execute(sensor(task, **given))

    def test_what_the_cloud_asks_for_comes_before_the_user_s_interval(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        task = submit()
        held = {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "path": "*/GetTaskStatus"}
        cloud.add_faults({**held, "count": 1})
        # The poll interval is longer than the Retry-After: the length of a wait does not tell which of the two it was for.
        execute(sensor(task, **given, max_poll_interval_seconds=600))
        refused, answered = [entry for entry in cloud.journal() if entry["method"] == "GET"]
        assert answered["time"] - refused["time"] > 0.9

    def test_a_poke_is_as_often_as_the_user_wants(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        operator = sensor(submit(STUCK), poll_interval_seconds=100, deferrable=False)
        context = context_for(operator)
        assert [operator.poke(context) for _ in range(3)] == [False] * 3
        assert len([entry for entry in cloud.journal() if entry["method"] == "GET"]) == 3

    def test_or_skips_it(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        skip_and_leave(submit({"kind": "task_error"}), cloud, **given)

    def test_a_timeout_cancels(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        task = submit(STUCK)
        with pytest.raises(AirflowSensorTimeout):
            execute(sensor(task, timeout=0.3, **given))
        assert deleted(cloud) == [task["id"]]

    def test_a_timeout_cancels_also_where_it_only_skips(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        task = submit(STUCK)
        with pytest.raises(AirflowSkipException):
            execute(sensor(task, timeout=0.3, soft_fail=True, **given))
        assert deleted(cloud) == [task["id"]]

    def test_an_unknown_status_fails_and_leaves_the_result(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        skip_and_leave(submit({"kind": "unknown_status", "path": "*/GetTaskStatus"}), cloud, **given)

    def test_killing_it_cancels(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, given: dict[str, Any]
    ) -> None:
        task = submit(STUCK)
        operator = sensor(task, **given)
        operator._watch(operator._ref(), context_for(operator))
        operator.on_kill()
        assert operator._kill.thread is not None
        # The signal handler does not wait for the decision about the cancel.
        operator._kill.thread.join(PATIENCE_SECONDS)
        assert deleted(cloud) == [task["id"]]


class TestReschedule:
    def test_it_comes_back_until_done(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        stuck = submit(STUCK)
        before = datetime.now(UTC)
        with pytest.raises(AirflowRescheduleException) as caught:
            execute(sensor(stuck, mode="reschedule", poke_interval=60))
        assert caught.value.reschedule_date - before > timedelta(seconds=59)
        assert deleted(cloud) == []
        done = submit()
        AsposeOcrHook("ocr").wait(done, poll_interval_seconds=0.05)
        assert execute(sensor(done, mode="reschedule")) == done

    def test_its_timeout_cancels(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
    ) -> None:
        task = submit(STUCK)
        operator = sensor(task, mode="reschedule", timeout=60)
        context = context_for(operator)
        began = datetime.now(UTC) - timedelta(seconds=61)
        context["ti"].get_first_reschedule_date = lambda _: began
        with pytest.raises(AirflowSensorTimeout):
            execute(operator, context)
        assert deleted(cloud) == [task["id"]]


class TestDeferred:
    async def test_it_returns_the_reference(self, submit: Callable[..., dict[str, Any]]) -> None:
        task = submit()
        deferred = deferral(sensor(task, deferrable=True, inline_wait_seconds=0))
        trigger: Any = deferred.trigger
        trigger.plan["not_before_at"] = 0
        (event,) = await events_of(trigger)
        assert resume(sensor(task), event) == task

    @pytest.mark.parametrize(
        ("soft_fail", "end"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
    )
    async def test_a_timeout_cancels(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        soft_fail: bool,
        end: type[Exception],
    ) -> None:
        task = submit(STUCK)
        deferred = deferral(sensor(task, deferrable=True, inline_wait_seconds=0, timeout=0.5))
        trigger: Any = deferred.trigger
        trigger.plan["not_before_at"] = 0
        (event,) = await events_of(trigger)
        with pytest.raises(end):
            resume(sensor(task, soft_fail=soft_fail), event)
        # Perhaps two DELETEs: "NotExist" for a young task may mean that the server does not know it yet.
        assert set(deleted(cloud)) == {task["id"]}

    @pytest.mark.parametrize(
        ("soft_fail", "end"), [(False, AirflowSensorTimeout), (True, AirflowSkipException)]
    )
    def test_airflow_s_own_timeout_cancels(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        soft_fail: bool,
        end: type[Exception],
    ) -> None:
        operator = sensor(submit(STUCK), soft_fail=soft_fail)
        with pytest.raises(end):
            operator.resume_execution("__fail__", {"error": "Trigger timeout"}, context_for(operator))
        assert deleted(cloud) == [cloud.tasks()[0]["id"]]
