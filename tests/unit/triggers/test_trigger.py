from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_asposeocr.api.polling import poller
from airflow_provider_asposeocr.api.polling.plan import Limits
from airflow_provider_asposeocr.clients import loop_clients
from airflow_provider_asposeocr.connection import mask_token, read_account
from airflow_provider_asposeocr.lifecycle import cancel
from airflow_provider_asposeocr.lifecycle.cancel import IN_TRIGGER, KILL_IN_TRIGGER
from airflow_provider_asposeocr.triggers import base
from airflow_provider_asposeocr.triggers import task as trigger_module
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger
from tests.support.airflow_names import deserialize, serialize
from tests.support.airflow_tasks import events_of
from tests.support.emulated_cloud import STATUS, deletes, polls
from tests.support.patience import PATIENCE_SECONDS
from tests.support.triggers import Decided, trigger_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator


class TestRow:
    def test_it_holds_ids_and_numbers_only_and_survives_the_database(
        self, submit: Callable[..., dict[str, Any]], aspose_ocr_emulator: Emulator
    ) -> None:
        trigger = trigger_of(submit())
        path, kwargs = trigger.serialize()
        stored = json.dumps(serialize(kwargs))
        restored: Any = deserialize(json.loads(stored))
        again = resolve_name(path)(**restored)
        assert again.serialize() == (path, kwargs)
        assert isinstance(again, AsposeOcrTaskTrigger)
        row = json.dumps(kwargs)
        assert aspose_ocr_emulator.url not in row
        assert "://" not in row
        assert f'"{aspose_ocr_emulator.client_secret}"' not in row


class TestEvent:
    async def test_one_small_event_then_the_end(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()
        events = await events_of(trigger_of(task))
        (event,) = events
        del event["seconds"]  # As long as the machine takes.
        assert event == {"status": "completed", "task": task, "error": None}
        assert len(json.dumps(events)) < 1000
        assert {entry["method"] for entry in polls(cloud)} == {"GET"}

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 503},
            {"kind": "status", "status": 429, "headers": {"Retry-After": "0"}},
            {"kind": "drop"},
            {"kind": "html"},
            {"kind": "truncate"},
        ],
        ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
    )
    async def test_what_passes_by_itself_is_waited_out(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, fault: dict[str, Any]
    ) -> None:
        task = submit()
        cloud.add_faults({"path": STATUS, "count": 2, **fault})
        (event,) = await events_of(trigger_of(task))
        assert event["status"] == "completed"
        assert len(polls(cloud)) == 3

    async def test_an_expired_token_is_renewed(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()
        cloud.add_faults({"kind": "expired_token", "path": STATUS})
        (event,) = await events_of(trigger_of(task))
        assert event["status"] == "completed"
        assert [entry["status"] for entry in polls(cloud)] == [401, 200]

    async def test_a_cloud_that_stays_down_ends_the_wait_after_the_budget(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "probability": 1.0})
        (event,) = await events_of(trigger_of(task, error_budget_seconds=0.3))
        assert (event["status"], event["error"]["error"]) == ("failed", "CloudUnavailableError")
        assert len(polls(cloud)) >= 3
        assert not deletes(cloud)

    async def test_a_lasting_refusal_ends_it(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(poller, "DENIED_SECONDS", 0.0)
        task = submit()
        cloud.add_faults({"kind": "status", "status": 403, "path": STATUS, "probability": 1.0})
        (event,) = await events_of(trigger_of(task))
        assert event["error"]["error"] == "AccessDeniedError"
        assert len(polls(cloud)) == 2  # the second with a new token

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"kind": "task_error"}, "TaskFailedError"),
            ({"kind": "unknown_status", "task_status": "Paused", "path": STATUS}, "UnknownStatusError"),
        ],
    )
    async def test_a_bad_end_is_told_with_the_id(
        self, submit: Callable[..., dict[str, Any]], fault: dict[str, Any], error: str
    ) -> None:
        task = submit(fault)
        (event,) = await events_of(trigger_of(task))
        assert event["status"] == "failed"
        assert (event["error"]["error"], event["error"]["task_id"]) == (error, task["id"])

    @pytest.mark.parametrize(
        ("age", "error"),
        [(timedelta(seconds=60), "TaskUnknownError"), (timedelta(hours=25), "TaskExpiredError")],
    )
    async def test_a_task_that_is_gone(
        self, submit: Callable[..., dict[str, Any]], age: timedelta, error: str
    ) -> None:
        gone = {**submit(), "id": "unknown", "submitted_at": (datetime.now(UTC) - age).isoformat()}
        (event,) = await events_of(trigger_of(gone))
        assert event["error"]["error"] == error

    async def test_a_fresh_task_may_not_be_known_everywhere_yet(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("airflow_provider_asposeocr.api.tasks.YOUNG_SECONDS", 300.0)
        fresh = submit({"kind": "not_exist", "hidden_polls": 2})
        (event,) = await events_of(trigger_of(fresh))
        assert event["status"] == "completed"
        assert len(polls(cloud)) >= 3

    @pytest.mark.parametrize("task", [{"id": "x"}, {}])
    async def test_a_broken_row_is_an_event_too(self, task: dict[str, Any]) -> None:
        (event,) = await events_of(trigger_of(task))
        assert (event["status"], event["error"]["error"]) == ("failed", "InputError")

    async def test_a_connection_that_cannot_be_read_for_a_moment_is_waited_out(
        self, submit: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_up, failures = read_account, ["Airflow's API restarts", "and still does"]

        async def shaky(conn_id: str) -> Any:
            if failures:
                raise RuntimeError(failures.pop())
            return await look_up(conn_id)

        monkeypatch.setattr(base, "read_account", shaky)
        (event,) = await events_of(trigger_of(submit()))
        assert (event["status"], failures) == ("completed", [])

    async def test_a_missing_connection_is_an_event_too(self, submit: Callable[..., dict[str, Any]]) -> None:
        (event,) = await events_of(trigger_of({**submit(), "conn_id": "no_such_connection"}))
        assert event["error"]["error"] == "WaitError"
        assert "no_such_connection" in event["error"]["message"]


class TestTime:
    async def test_a_deadline_that_passed_while_the_triggerer_was_away(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        began = time.monotonic()
        (event,) = await events_of(
            trigger_of(task, deadline_at=time.time() - 100, poll_interval_seconds=60.0)
        )
        assert event["error"]["error"] == "TaskTimeoutError"
        assert len(polls(cloud)) == 1
        assert time.monotonic() - began < 50, "it has waited for the interval"

    async def test_it_cancels_at_the_deadline_since_a_worker_may_come_late(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        await events_of(trigger_of(task, deadline_at=time.time() - 100))
        assert [each["id"] for each in cloud.tasks() if each["deleted"]] == [task["id"]]

    async def test_a_cancel_that_fails_then_is_the_worker_s(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        cloud.add_faults({"kind": "status", "status": 503, "method": "DELETE"})
        (event,) = await events_of(trigger_of(task, deadline_at=time.time() - 100))
        assert event["error"]["error"] == "TaskTimeoutError"

    async def test_a_deadline_noticed_by_a_poll_that_failed_deletes_no_result(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()
        await events_of(trigger_of(task))
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 1})
        (event,) = await events_of(trigger_of(task, deadline_at=time.time() - 1))
        assert event["status"] == "completed"
        assert not deletes(cloud)

    async def test_without_an_answer_the_deadline_cancels_nothing(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The worker asks the cloud again, and cancels then."""
        monkeypatch.setattr(trigger_module, "IN_TRIGGER", replace(IN_TRIGGER, ask_seconds=0.2))
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 100})
        (event,) = await events_of(trigger_of(submit(), deadline_at=time.time() - 1))
        assert event["error"]["error"] == "TaskTimeoutError"
        assert not deletes(cloud)

    async def test_no_queue_outlasts_the_deadline(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A cloud that takes connections and answers nothing would hold the event back for minutes."""
        monkeypatch.setattr(trigger_module, "LATE_POLL_SECONDS", 0.1)
        monkeypatch.setattr(trigger_module, "IN_TRIGGER", replace(IN_TRIGGER, ask_seconds=0.1))
        cloud.add_faults({"kind": "delay", "delay_seconds": 600, "path": STATUS, "count": 10})
        task = submit()
        async with asyncio.timeout(PATIENCE_SECONDS):
            (event,) = await events_of(trigger_of(task, deadline_at=time.time() + 0.3))
        assert event["error"]["error"] == "TaskTimeoutError"

    async def test_done_counts_even_after_the_deadline(self, submit: Callable[..., dict[str, Any]]) -> None:
        (event,) = await events_of(trigger_of(submit(), deadline_at=time.time() - 100))
        assert event["status"] == "completed"

    async def test_retry_after_is_obeyed(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()
        cloud.add_faults({"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "path": STATUS})
        await events_of(trigger_of(task))
        refused, answered = polls(cloud)
        assert (refused["status"], answered["status"]) == (429, 200)
        assert answered["time"] - refused["time"] > 0.95

    async def test_the_event_is_held_back(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        not_before = time.time() + 1.0
        (event,) = await events_of(trigger_of(submit(), not_before_at=not_before))
        assert time.time() >= not_before
        # Before not_before_at the trigger may not fire, so that it need not ask the cloud.
        assert [entry["time"] >= not_before for entry in polls(cloud)] == [True]
        assert event["status"] == "completed"
        assert len(polls(cloud)) == 1

    async def test_what_the_worker_has_seen_is_not_asked_again_at_once(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        old = datetime.now(UTC) - timedelta(minutes=1)
        task = {**submit(), "submitted_at": old.isoformat()}
        seen_at = time.time()
        cadence = {"poll_interval_seconds": 1.0, "max_poll_interval_seconds": 1.0}
        await events_of(trigger_of(task, seen_running_at=seen_at, **cadence))
        assert polls(cloud)[0]["time"] - seen_at > 0.8

    async def test_it_learns_how_long_tasks_take(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        cadence = {"poll_interval_seconds": 0.1, "max_poll_interval_seconds": 600.0}
        for _ in range(8):
            await events_of(trigger_of(submit(), **cadence))
        known, unknown = (base.book_of(conn_id).entry("RecognizeImage") for conn_id in ("ocr", "other"))
        limits = Limits(0.1, 600.0)
        assert known.schedule(limits).next_age(0.0) != unknown.schedule(limits).next_age(0.0)

    async def test_two_hundred_share_a_token(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        emulator_connection: Callable[..., str],
    ) -> None:
        many = emulator_connection("many", max_requests_per_second=2000)
        task = {**submit({"kind": "task_stuck"}), "conn_id": many}
        since = cloud.journal()[-1]["n"]
        began = time.time()
        task["submitted_at"] = datetime.fromtimestamp(began, UTC).isoformat()
        triggers = [trigger_of(task, deadline_at=began + 2.0, poll_interval_seconds=1.0) for _ in range(200)]
        ends = await asyncio.gather(*(trigger.run().__anext__() for trigger in triggers))
        await loop_clients(mask_token).close()
        assert Counter(end.payload["error"]["error"] for end in ends) == {"TaskTimeoutError": 200}
        seen = cloud.journal(since)
        assert [entry["path"] for entry in seen].count("/connect/token") == 1

    async def test_a_token_that_expires_in_mid_wait_costs_one_request_for_all(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        far = time.time() + 3600
        triggers = [trigger_of(task, deadline_at=far, poll_interval_seconds=0.5) for _ in range(20)]
        waits = [asyncio.create_task(trigger.run().__anext__()) for trigger in triggers]
        await asyncio.to_thread(cloud.wait_for_request, "GET", STATUS, 20)
        since = cloud.journal()[-1]["n"]
        await asyncio.to_thread(cloud.advance_clock, 48 * 3600)
        renewal = await asyncio.to_thread(cloud.wait_for_request, "POST", "/connect/token", since=since)
        await asyncio.to_thread(cloud.wait_for_request, "GET", STATUS, 20, since=renewal[0]["n"])
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        await loop_clients(mask_token).close()
        seen = cloud.journal(since)
        assert 401 in [entry["status"] for entry in seen]
        assert [entry["path"] for entry in seen].count("/connect/token") == 1


class StillDeferred(Decided):
    killed = False


async def killed_while_waiting(trigger: Any, cloud: EmulatorControl, seen: int = 1) -> None:
    """What the triggerer does: cancel run(), then call on_kill()."""
    running = asyncio.create_task(trigger.run().__anext__())
    await asyncio.to_thread(cloud.wait_for_request, "GET", STATUS, seen)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    await trigger.on_kill()


@pytest.mark.usefixtures("close_clients")
class TestKill:
    async def test_a_kill_cancels_the_cloud_task(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        await killed_while_waiting(trigger_of(task, Decided), cloud)
        (delete,) = deletes(cloud)
        assert (delete["id"], delete["status"]) == (task["id"], 200)
        assert delete["path"].endswith("RecognizeImage")

    @pytest.mark.parametrize(
        ("cls", "policy"), [(StillDeferred, "always"), (Decided, "never")], ids=["moved", "never"]
    )
    async def test_nothing_is_cancelled(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl, cls: Any, policy: str
    ) -> None:
        task = submit({"kind": "task_stuck"})
        await killed_while_waiting(trigger_of(task, cls, cancel_on_kill=policy), cloud)
        assert not deletes(cloud)

    async def test_nothing_after_completed_was_seen(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        trigger = trigger_of(submit(), Decided)
        running = trigger.run()
        await anext(running)
        asked = len(polls(cloud))
        await trigger.on_kill()
        assert not deletes(cloud)
        assert len(polls(cloud)) == asked

    @pytest.mark.parametrize("stuck", [True, False])
    async def test_the_cloud_is_asked_until_it_answers(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        stuck: bool,
    ) -> None:
        """Another triggerer may have seen the end meanwhile: Airflow's state alone deletes no paid result."""
        monkeypatch.setattr(cancel, "ASK_AGAIN_SECONDS", 0.01)
        task = submit({"kind": "task_stuck"}) if stuck else submit()
        if not stuck:
            await events_of(trigger_of(task))
        cloud.add_faults(
            {"kind": "drop", "path": STATUS, "count": 2},
            {"kind": "status", "status": 503, "path": STATUS, "count": 4},
        )
        await trigger_of(task, Decided).on_kill()
        assert len(deletes(cloud)) == stuck

    async def test_a_cloud_that_does_not_answer_leaves_the_task_running_and_the_log_says_so(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(trigger_module, "KILL_IN_TRIGGER", replace(KILL_IN_TRIGGER, ask_seconds=0.3))
        task = submit({"kind": "task_stuck"})
        cloud.add_faults({"kind": "hold", "path": STATUS})
        await trigger_of(task, Decided).on_kill()
        assert not deletes(cloud)
        assert f"{task['id']}" in caplog.text
        assert "may still run" in caplog.text

    async def test_airflow_s_answer_takes_from_the_time_for_the_cloud_s(
        self, submit: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Airflow grants 30 seconds for both."""
        rules: list[Any] = []

        class AirflowIsSlow(AsposeOcrTaskTrigger):
            async def _is_killed(self) -> bool:
                await asyncio.sleep(0.1)
                return True

        async def noted(client: Any, ref: Any, reason: str, rule: Any) -> None:
            rules.append(rule)

        monkeypatch.setattr(trigger_module, "cancel_if_running_async", noted)
        await trigger_of(submit(), AirflowIsSlow).on_kill()
        assert rules[0].ask_seconds <= KILL_IN_TRIGGER.ask_seconds - 0.1

    async def test_what_ended_while_airflow_answered_stays(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit()

        class AirflowIsSlow(AsposeOcrTaskTrigger):
            async def _is_killed(self) -> bool:
                await anext(trigger_of(task).run())  # Until the cloud task is completed.
                return True

        await trigger_of(task, AirflowIsSlow).on_kill()
        assert not deletes(cloud)

    @pytest.mark.parametrize(
        ("own", "origin", "cancelled"),
        [
            ("failed", "success", True),
            ("success", "success", True),
            (None, "success", False),
            ("scheduled", None, True),
            ("deferred", "success", False),
            ("running", "success", False),
        ],
    )
    async def test_airflow_s_states_decide_for_a_consumer(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        own: str | None,
        origin: str | None,
        cancelled: bool,
    ) -> None:
        class Ti:
            dag_id, run_id, task_id, map_index = "d", "r", "fetch", 2

        class Answer:
            task_states: ClassVar = {"r": {"fetch_2": own, "recognize": origin}}

        class Supervisor:
            async def asend(self, question: Any) -> Any:
                assert question.run_ids == ["r"]
                return Answer

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
        names = {"dag_id": "d", "run_id": "r", "task_id": "recognize", "map_index": -1}
        trigger = trigger_of({**submit({"kind": "task_stuck"}), **names})
        trigger.task_instance = Ti()
        await trigger.on_kill()
        assert len(deletes(cloud)) == cancelled

    async def test_airflow_without_an_answer_cancels_nothing(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        class Ti:
            dag_id, run_id, task_id, map_index = "d", "r", "t", -1

        trigger = trigger_of(submit({"kind": "task_stuck"}))
        trigger.task_instance = Ti()
        await trigger.on_kill()
        assert not deletes(cloud)

    async def test_it_survives_being_cancelled_ten_times_a_second_before_run_had_a_client(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        emulator_connection: Callable[..., str],
    ) -> None:
        slow = emulator_connection("slow", request_timeout_seconds=33)
        task = {**submit({"kind": "task_stuck"}), "conn_id": slow}
        cloud.add_faults(
            {"kind": "delay", "delay_seconds": 0.5, "path": "/connect/token", "probability": 1.0},
        )
        kill = asyncio.create_task(trigger_of(task, Decided).on_kill())
        while not kill.done():
            await asyncio.sleep(0.1)
            kill.cancel()
        await asyncio.wait([kill])
        (delete,) = deletes(cloud)
        assert delete["status"] == 200
        cloud.release()

    async def test_a_cloud_that_is_down_is_no_exception(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        task = submit({"kind": "task_stuck"})
        cloud.add_faults({"kind": "status", "status": 400, "path": "*", "probability": 1.0})
        await trigger_of(task, Decided).on_kill()
        assert not deletes(cloud)
