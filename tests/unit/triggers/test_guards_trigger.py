"""The trigger's behaviour in rare failures: a stall, an invalid row, a late kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetTaskStates
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # is no public name

from airflow_provider_asposeocr.triggers import base
from tests.support.airflow_tasks import events_of
from tests.support.emulated_cloud import STATUS, deletes, polls
from tests.support.triggers import Decided, trigger_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


async def test_any_error_is_an_event(submit: Callable[..., dict[str, Any]]) -> None:
    task = submit()
    (event,) = await events_of(trigger_of(task, deadline_at=None))
    assert (event["status"], event["error"]["error"]) == ("failed", "WaitError")
    assert event["error"]["task_id"] == task["id"]
    assert "TypeError" in event["error"]["message"]


@pytest.mark.parametrize(
    "plan",
    [
        None,
        [],
        {},
        {"not_before_at": "soon"},
        {"of_a_later_version": 1},
        {"deadline_at": 9e9, "cadence": {"poll_interval_seconds": "often"}},
    ],
)
async def test_a_row_whose_plan_makes_no_sense_is_a_failure_and_no_exception(
    submit: Callable[..., dict[str, Any]], plan: Any
) -> None:
    trigger = trigger_of(submit())
    trigger.plan = plan
    (event,) = await events_of(trigger)
    assert (event["status"], event["error"]["error"]) == ("failed", "WaitError")


async def test_a_plan_of_a_later_version_is_read_as_far_as_it_is_known(
    submit: Callable[..., dict[str, Any]],
) -> None:
    trigger = trigger_of(submit())
    trigger.plan["of_a_later_version"] = "x"
    trigger.plan["cadence"]["of_a_later_version"] = "x"
    (event,) = await events_of(trigger)
    assert event["status"] == "completed"


async def test_a_connection_s_failure_is_shown_harmlessly(
    submit: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: str) -> Any:
        raise RuntimeError("\x1b[2J\n" + "x" * 10_000)

    task = submit()
    monkeypatch.setattr(base, "read_account", broken)
    (event,) = await events_of(trigger_of(task, error_budget_seconds=0.0))
    assert event["error"]["message"].isprintable()
    assert len(event["error"]["message"]) < 1000


async def test_a_token_of_the_triggerer_is_masked(
    submit: Callable[..., dict[str, Any]], emulator_connection: Callable[..., str]
) -> None:
    # An account of its own, and so a client that has no token yet.
    conn_id = emulator_connection("masked_too", request_timeout_seconds=37)
    trigger, clients = trigger_of({**submit(), "conn_id": conn_id}), []
    get = trigger._client

    async def noted(conn_id: str) -> Any:
        clients.append(await get(conn_id))
        return clients[-1]

    trigger._client = noted
    await events_of(trigger)
    slot = clients[0]._tokens.usable(0.0)
    assert slot is not None
    assert slot.value not in str(redact(f"Bearer {slot.value}"))


class Supervisor:
    """Airflow's answer, and how often it was asked for a task's state."""

    def __init__(self, state: str) -> None:
        self.state, self.asked = state, 0

    async def asend(self, question: Any) -> Any:
        self.asked += isinstance(question, GetTaskStates)
        state = self.state

        class Answer:
            task_states: ClassVar = {"r": {"recognize": state}}

        return Answer


class Ti:
    dag_id, run_id, task_id, map_index = "d", "r", "recognize", -1


@pytest.mark.usefixtures("close_clients")
class TestKill:
    async def test_airflow_is_asked_once_per_process_before_any_kill(
        self, submit: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        supervisor = Supervisor("deferred")
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        task = submit()
        for _ in range(3):
            trigger = trigger_of(task)
            trigger.task_instance = Ti()
            assert (await trigger.run().__anext__()).payload["status"] == "completed"
        assert supervisor.asked == 1

    async def test_a_wait_that_failed_does_not_hide_what_still_runs(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        """Its event is on its way, and meanwhile a user kills the task."""
        task = submit({"kind": "task_stuck"})
        cloud.add_faults({"kind": "status", "status": 400, "path": STATUS, "count": 1})
        trigger = trigger_of(task, Decided)
        event = await anext(trigger.run())
        assert event.payload["status"] == "failed"
        await trigger.on_kill()
        assert [entry["id"] for entry in deletes(cloud)] == [task["id"]]

    async def test_a_final_refusal_ends_the_questions_and_cancels_nothing(
        self, submit: Callable[..., dict[str, Any]], cloud: EmulatorControl
    ) -> None:
        trigger = trigger_of(submit({"kind": "task_stuck"}), Decided)
        cloud.add_faults({"kind": "status", "status": 400, "path": STATUS, "probability": 1.0})
        await trigger.on_kill()
        assert len(polls(cloud)) == 1
        assert not deletes(cloud)
