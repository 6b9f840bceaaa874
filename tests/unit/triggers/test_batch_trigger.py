"""The wait for the cloud tasks of a batch in the triggerer, against the emulator."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.batch.running import RunningTask, digest_of, pack
from airflow_provider_asposeocr.batch.woken import Woken, read_event
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.triggers import base
from airflow_provider_asposeocr.triggers import batch as batch_module
from airflow_provider_asposeocr.triggers.batch import AsposeOcrBatchPauseTrigger, AsposeOcrBatchTrigger
from tests.support.airflow_names import deserialize, serialize
from tests.support.airflow_tasks import events_of
from tests.support.batch_tasks import running, wait_plan
from tests.support.emulated_cloud import STATUS, deletes, polls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from tests.support.counting_cloud import CountingCloud


@pytest.fixture
def fast(emulator_connection: Callable[..., str]) -> str:
    """Return a connection to the emulator without a pace of polls."""
    return emulator_connection("fast", max_requests_per_second=1e6)


@pytest.fixture
def accepted(cloud: EmulatorControl, fast: str, page: str) -> Callable[..., list[TaskRef]]:
    """Return a function that submits an image so often after adding faults."""

    def submitted(count: int, *faults: dict[str, Any]) -> list[TaskRef]:
        if faults:
            cloud.add_faults(*faults)
        hook = AsposeOcrHook(fast)
        return [parse_task_ref(hook.submit("BinarizeImage", page)) for _ in range(count)]

    return submitted


def stuck(count: int) -> dict[str, Any]:
    return {"kind": "task_stuck", "count": count}


def trigger_for(refs: list[TaskRef], cls: Any = AsposeOcrBatchTrigger, **given: Any) -> Any:
    return cls(pack([RunningTask(ref) for ref in refs]), wait_plan(**given).to_dict())


async def woken_by(trigger: Any) -> Woken:
    (event,) = await events_of(trigger)
    return read_event(json.loads(json.dumps(event)))


class TestRow:
    def test_it_survives_the_database(self) -> None:
        trigger = trigger_for([task.ref for task in running(20, 1_800_000_000.0)])
        path, kwargs = trigger.serialize()
        restored: Any = deserialize(json.loads(json.dumps(serialize(kwargs))))
        again = resolve_name(path)(**restored)
        assert again.serialize() == (path, kwargs)

    @pytest.mark.parametrize(
        ("tasks", "plan"),
        [
            (None, None),
            ({}, {}),
            ({"ids": ["x"]}, wait_plan().to_dict()),
            (pack(running(3, 1_800_000_000.0)), {"deadline_at": "soon"}),
            (pack(running(3, 1_800_000_000.0)), {**wait_plan().to_dict(), "polls_per_second": 0}),
            ("x" * 10_000, []),
        ],
        ids=range(6),
    )
    async def test_one_that_makes_no_sense_is_an_event_in_words(self, tasks: Any, plan: Any) -> None:
        woken = await woken_by(AsposeOcrBatchTrigger(tasks, plan))
        assert woken.because == "error"
        assert type(woken.error).__name__ == "WaitError"
        assert len(str(woken.error)) < 1000


class TestWaking:
    @pytest.mark.slow
    async def test_hundreds_of_tasks_wake_the_worker_once(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        refs = accepted(300)
        woken = await woken_by(trigger_for(refs))
        assert woken.because == "a share has ended"
        assert 75 <= len(woken.ended) < 75 + 2 * batch_module.POLLS_AT_ONCE
        assert woken.digest == digest_of(refs)
        assert len(polls(cloud)) < 300
        assert not deletes(cloud)

    async def test_a_task_alone_is_all_of_them(self, accepted: Callable[..., list[TaskRef]]) -> None:
        woken = await woken_by(trigger_for(accepted(1)))
        assert (woken.because, woken.ended, woken.error) == ("all have ended", frozenset({0}), None)

    async def test_those_that_run_are_polled_on_and_those_that_ended_are_not(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_asposeocr.batch.polls.WAKE_AFTER_SECONDS", 1.0)
        done = accepted(2)
        refs = [*accepted(10, stuck(10)), *done]
        woken = await woken_by(trigger_for(refs))
        assert woken.because == "one has ended for long"
        assert woken.ended == {10, 11}
        asked = [entry["id"] for entry in polls(cloud)]
        assert [asked.count(ref.id) for ref in done] == [1, 1]
        assert all(asked.count(ref.id) >= 3 for ref in refs[:10])

    async def test_no_event_comes_before_its_time(self, accepted: Callable[..., list[TaskRef]]) -> None:
        not_before_at = time.time() + 1.0
        await woken_by(trigger_for(accepted(1), not_before_at=not_before_at))
        assert time.time() >= not_before_at

    async def test_an_outage_is_waited_out(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        refs = accepted(20)
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 30})
        assert (await woken_by(trigger_for(refs))).because == "a share has ended"

    async def test_credentials_that_are_refused_wake_the_worker_at_once(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        refs = accepted(20)
        cloud.add_faults({"kind": "status", "status": 402, "path": STATUS, "probability": 1.0})
        woken = await woken_by(trigger_for(refs))
        assert (woken.because, type(woken.error).__name__) == ("error", "QuotaExceededError")
        assert not deletes(cloud)

    async def test_a_missing_connection_does(self) -> None:
        refs = [task.ref for task in running(5, time.time(), conn_id="no_such_connection")]
        woken = await woken_by(trigger_for(refs))
        assert (woken.because, type(woken.error).__name__) == ("error", "WaitError")
        assert "no_such_connection" in str(woken.error)

    async def test_a_task_that_the_cloud_has_forgotten_has_ended(
        self, accepted: Callable[..., list[TaskRef]]
    ) -> None:
        long_ago = (datetime.now(UTC) - timedelta(hours=25)).timestamp()
        refs = [*(task.ref for task in running(1, long_ago, conn_id="fast")), *accepted(3, stuck(3))]
        woken = await woken_by(trigger_for(refs))
        assert woken.ended == {0}


class TestDeadlines:
    async def test_at_the_batch_s_all_that_runs_is_cancelled(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        refs = accepted(40, stuck(40))
        woken = await woken_by(trigger_for(refs, deadline_at=time.time() + 0.5))
        assert woken.because == "deadline"
        assert {entry["id"] for entry in deletes(cloud)} == {ref.id for ref in refs}
        assert woken.cancelled == frozenset(range(40))

    async def test_at_the_batch_s_a_thousand_are_cancelled(
        self, counting_cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a kill, with a cloud that answers in 50 ms, they take 6.25 of 28 seconds."""

        async def read_account(_: str) -> Account:
            return counting_cloud.account()

        monkeypatch.setattr(base, "read_account", read_account)
        counting_cloud.answer_seconds = (
            0.02  # 2.5 seconds at least, so that a shorter limit is noticed on any machine
        )
        refs = [task.ref for task in running(1000, time.time() - 60)]
        woken = await woken_by(trigger_for(refs, deadline_at=time.time()))
        assert woken.because == "deadline"
        assert len(woken.cancelled) == counting_cloud.asked["cancel"] == 1000

    async def test_at_a_task_s_own_that_one_is(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The first task that ends wakes the worker, and no deadline of the batch.
        monkeypatch.setattr("airflow_provider_asposeocr.batch.polls.WAKE_AFTER_SECONDS", 0.0)
        old, *others = accepted(8, stuck(8))
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        refs = [parse_task_ref({**old.to_dict(), "submitted_at": hour_ago}), *others]
        woken = await woken_by(trigger_for(refs, timeout_seconds=3600.0, deadline_at=time.time() + 3600))
        assert woken.ended == woken.cancelled == {0}
        assert [entry["id"] for entry in deletes(cloud)] == [old.id]


class Decided(AsposeOcrBatchTrigger):
    """A trigger to which the test, not Airflow, says whether its task was killed."""

    killed: ClassVar = True

    async def _is_killed(self) -> bool:
        return self.killed


class Moved(Decided):
    killed: ClassVar = False


async def killed_while_waiting(trigger: Any, cloud: EmulatorControl, seen: int) -> None:
    """What the triggerer does: cancel run(), then call on_kill()."""
    waiting = asyncio.create_task(trigger.run().__anext__())
    await asyncio.to_thread(cloud.wait_for_request, "GET", STATUS, seen)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await trigger.on_kill()


@pytest.mark.usefixtures("close_clients")
class TestKill:
    async def test_all_that_run_are_cancelled(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        refs = accepted(100, stuck(100))
        await killed_while_waiting(trigger_for(refs, Decided), cloud, 50)
        assert sorted(entry["id"] for entry in deletes(cloud)) == sorted(ref.id for ref in refs)

    async def test_what_has_ended_stays(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        done = accepted(3)
        await woken_by(trigger_for(done))
        refs = [*done, *accepted(30, stuck(30))]
        await trigger_for(refs, Decided).on_kill()
        assert {entry["id"] for entry in deletes(cloud)} == {ref.id for ref in refs[3:]}

    async def test_nothing_is_after_a_move_of_the_trigger(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        await killed_while_waiting(trigger_for(accepted(5, stuck(5)), Moved), cloud, 5)
        assert not deletes(cloud)

    async def test_nothing_is_where_the_dag_s_author_said_never(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        trigger = trigger_for(accepted(5, stuck(5)), Decided)
        trigger.cancel_on_kill = "never"
        await killed_while_waiting(trigger, cloud, 5)
        assert not deletes(cloud)

    async def test_nothing_is_once_the_worker_was_woken(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        """The worker waits for those that still run."""
        refs = [*accepted(1), *accepted(3, stuck(3))]
        trigger = trigger_for(refs, Decided)
        await anext(trigger.run())
        await trigger.on_kill()
        assert not deletes(cloud)

    @pytest.mark.parametrize(
        ("state", "cancelled"),
        [
            ("failed", True),
            ("success", True),
            ("removed", True),
            (None, True),
            ("restarting", True),
            # Another triggerer may have woken the worker, which waits for most of the cloud tasks.
            ("scheduled", False),
            ("queued", False),
            ("running", False),
            ("deferred", False),
            ("up_for_retry", False),
        ],
    )
    async def test_airflow_s_state_decides(
        self,
        accepted: Callable[..., list[TaskRef]],
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        state: str | None,
        cancelled: bool,
    ) -> None:
        class Ti:
            dag_id, run_id, task_id, map_index = "d", "r", "read", 4

        class Answer:
            task_states: ClassVar = {"r": {"read_4": state}}

        class Supervisor:
            async def asend(self, _: Any) -> Any:
                return Answer

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
        trigger = trigger_for(accepted(3, stuck(3)))
        trigger.task_instance = Ti()
        await trigger.on_kill()
        assert len(deletes(cloud)) == (3 if cancelled else 0)

    async def test_airflow_without_an_answer_cancels_nothing(
        self, accepted: Callable[..., list[TaskRef]], cloud: EmulatorControl
    ) -> None:
        class Ti:
            dag_id, run_id, task_id, map_index = "d", "r", "t", -1

        trigger = trigger_for(accepted(2, stuck(2)))
        trigger.task_instance = Ti()
        await trigger.on_kill()
        assert not deletes(cloud)

    @pytest.mark.parametrize("row", [None, {}, {"ids": []}])
    async def test_a_broken_row_is_no_exception(self, row: Any) -> None:
        await Decided(row, wait_plan().to_dict()).on_kill()

    async def test_a_thousand_are_cancelled_sixteen_at_once(
        self, counting_cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two requests each: with a cloud that answers in 50 ms they take 6.25 of Airflow's 30 seconds."""

        async def read_account(_: str) -> Account:
            return counting_cloud.account()

        monkeypatch.setattr(base, "read_account", read_account)
        refs = [task.ref for task in running(1000, time.time() - 60)]
        await trigger_for(refs, Decided).on_kill()
        assert (counting_cloud.asked["poll"], counting_cloud.asked["cancel"]) == (1000, 1000)
        assert counting_cloud.most_connections == 16


class TestLoad:
    async def test_a_thousand_tasks_are_no_thousand_tasks_of_the_event_loop(
        self, counting_cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked_up: list[str] = []

        async def read_account(conn_id: str) -> Account:
            looked_up.append(conn_id)
            return counting_cloud.account()

        monkeypatch.setattr(base, "read_account", read_account)
        before = len(asyncio.all_tasks())
        refs = [task.ref for task in running(1000, time.time() - 60)]
        wait = asyncio.create_task(events_of(trigger_for(refs)))
        await counting_cloud.until(lambda: counting_cloud.asked["poll"] >= 50)
        tasks = len(asyncio.all_tasks()) - before
        assert tasks <= 1 + 2 * batch_module.POLLS_AT_ONCE, "the cloud's are among them"
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        assert looked_up == ["ocr"]
        assert counting_cloud.most_connections <= batch_module.POLLS_AT_ONCE

    async def test_polls_of_a_batch_have_a_pace_of_their_own(
        self, counting_cloud: CountingCloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def read_account(_: str) -> Account:
            return counting_cloud.account()

        monkeypatch.setattr(base, "read_account", read_account)
        refs = [task.ref for task in running(100, time.time() - 60)]
        began = time.monotonic()
        wait = asyncio.create_task(events_of(trigger_for(refs, polls_per_second=20.0)))
        await counting_cloud.until(lambda: counting_cloud.asked["poll"] >= 21)
        assert time.monotonic() - began >= 1.0
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)

    async def test_many_polls_that_fail_alike_are_logged_once(
        self,
        accepted: Callable[..., list[TaskRef]],
        cloud: EmulatorControl,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        refs = accepted(40)
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 40})
        await woken_by(trigger_for(refs))
        assert len([each for each in caplog.records if "503" in each.getMessage()]) == 1


class TestThePause:
    async def test_lasts_until_its_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr(asyncio, "sleep", sleep)
        monkeypatch.setattr(time, "time", lambda: 1000.0)
        for until in (1120.0, 900.0):
            (event,) = await events_of(AsposeOcrBatchPauseTrigger(until))
            assert read_event(event) == Woken("the pause is over")
        assert slept == [120.0, 0.0]

    def test_makes_an_equal_trigger_of_its_row(self) -> None:
        path, given = AsposeOcrBatchPauseTrigger(1120.5).serialize()
        assert resolve_name(path)(**json.loads(json.dumps(given))).serialize() == (path, given)
