"""The one decision about a cancel, and its two drivers: a cancel follows the cloud's own answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    CloudUnavailableError,
    CloudUnreachableError,
)
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.lifecycle import cancel as cancelling
from airflow_provider_asposeocr.lifecycle.cancel import (
    IN_TRIGGER,
    IN_WORKER,
    KILL_IN_TRIGGER,
    KILL_IN_WORKER,
    CancelOutcome,
    CancelRule,
    cancel_if_running,
    cancel_if_running_async,
    decide_cancel,
)

if TYPE_CHECKING:
    from collections.abc import Callable

#: Long ago, so that a task that the cloud does not know has ended.
SUBMITTED = 1_700_000_000.0
REF = TaskRef(
    operation="RecognizeImage", id="x", submitted_at=datetime.fromtimestamp(SUBMITTED, UTC), conn_id="ocr"
)
RULES = [IN_WORKER, IN_TRIGGER, KILL_IN_TRIGGER, KILL_IN_WORKER]
BUSY, DENIED = CloudUnavailableError("503"), AccessDeniedError("403")


class TestDecision:
    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("asked_seconds", [0.0, 3600.0])
    @pytest.mark.parametrize(
        ("status", "age_seconds", "decision"),
        [
            (TaskStatus.PENDING, 60, "cancel"),
            (TaskStatus.PROCESSING, 60, "cancel"),
            (TaskStatus.COMPLETED, 60, "leave"),
            (TaskStatus.ERROR, 60, "leave"),
            (TaskStatus.NOT_EXIST, 60, "leave"),
            # A server that does not know the task yet.
            (TaskStatus.NOT_EXIST, 1, "cancel"),
        ],
    )
    def test_an_answer_decides_for_all(
        self, rule: CancelRule, asked_seconds: float, status: TaskStatus, age_seconds: float, decision: str
    ) -> None:
        assert decide_cancel(REF, status, asked_seconds, SUBMITTED + age_seconds, rule) == decision

    def test_the_table_has_all_statuses(self) -> None:
        assert set(TaskStatus) == {
            TaskStatus.PENDING,
            TaskStatus.PROCESSING,
            TaskStatus.COMPLETED,
            TaskStatus.ERROR,
            TaskStatus.NOT_EXIST,
        }

    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("answer", [None, BUSY])
    def test_silence_is_asked_again_while_there_is_time(self, rule: CancelRule, answer: Any) -> None:
        assert decide_cancel(REF, answer, rule.ask_seconds - 0.01, SUBMITTED, rule) == "ask again"
        assert decide_cancel(REF, answer, rule.ask_seconds, SUBMITTED, rule) == rule.on_silence

    @pytest.mark.parametrize("rule", RULES)
    def test_a_refusal_is_not_asked_again(self, rule: CancelRule) -> None:
        assert decide_cancel(REF, DENIED, 0.0, SUBMITTED, rule) == rule.on_silence

    def test_only_the_signal_handler_takes_silence_for_running(self) -> None:
        assert [rule.on_silence for rule in RULES] == ["leave", "leave", "leave", "cancel"]


class Cloud:
    """A client of which the test says what it answers; its clock goes on by what the caller sleeps."""

    def __init__(self, *answers: TaskStatus | Exception, cancels: bool = True) -> None:
        self._answers = list(answers)
        self._cancels = cancels
        self.asked: list[str] = []

    def status(self, operation: str, id: str, retry: Any = None, *, ahead: bool = False) -> TaskState:
        self.asked.append("status")
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return TaskState(taskStatus=answer)

    def cancel(self, operation: str, id: str, retry: Any = None) -> None:
        self.asked.append("cancel")
        if not self._cancels:
            raise CloudUnreachableError("no route")


class AsyncCloud(Cloud):
    async def status(self, operation: str, id: str, retry: Any = None, *, ahead: bool = False) -> TaskState:  # type: ignore[override]  # the async client's
        assert ahead
        return super().status(operation, id, retry)

    async def cancel(self, operation: str, id: str, retry: Any = None) -> None:  # type: ignore[override]  # as above
        super().cancel(operation, id, retry)


def in_worker(*answers: Any, rule: CancelRule, **given: Any) -> tuple[CancelOutcome, list[str]]:
    cloud: Any = Cloud(*answers, **given)
    return cancel_if_running(cloud, REF, "a test ends", rule), cloud.asked


def in_triggerer(*answers: Any, rule: CancelRule, **given: Any) -> tuple[CancelOutcome, list[str]]:
    cloud: Any = AsyncCloud(*answers, **given)
    return asyncio.run(cancel_if_running_async(cloud, REF, "a test ends", rule)), cloud.asked


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "ASK_AGAIN_SECONDS", 0.0)


@pytest.mark.parametrize("driver", [in_worker, in_triggerer])
class TestDrivers:
    RUNS = (TaskStatus.PROCESSING,)
    PATIENT = CancelRule(600.0)

    def test_what_runs_is_cancelled(self, driver: Callable[..., Any]) -> None:
        outcome, asked = driver(TaskStatus.PROCESSING, rule=self.PATIENT)
        assert (outcome.what, outcome.status) == ("cancelled", TaskStatus.PROCESSING)
        assert asked == ["status", "cancel"]

    @pytest.mark.parametrize("status", [TaskStatus.COMPLETED, TaskStatus.ERROR, TaskStatus.NOT_EXIST])
    def test_what_has_ended_stays(self, driver: Callable[..., Any], status: TaskStatus) -> None:
        outcome, asked = driver(status, rule=self.PATIENT)
        assert (outcome.what, outcome.status, asked) == ("ended", status, ["status"])

    def test_the_cloud_is_asked_until_it_answers(self, driver: Callable[..., Any]) -> None:
        outcome, asked = driver(BUSY, BUSY, TaskStatus.PROCESSING, rule=self.PATIENT)
        assert (outcome.what, asked) == ("cancelled", ["status"] * 3 + ["cancel"])

    def test_silence_leaves_it_running_and_says_why(
        self, driver: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        outcome, asked = driver(BUSY, rule=CancelRule(0.05))
        assert (outcome.what, outcome.error) == ("unknown", BUSY)
        assert "cancel" not in asked
        assert "may still run, although a test ends: 503" in caplog.text

    def test_silence_is_taken_for_running_where_there_is_no_time(self, driver: Callable[..., Any]) -> None:
        outcome, asked = driver(BUSY, rule=CancelRule(0.0, on_silence="cancel"))
        assert (outcome.what, asked[-1]) == ("cancelled", "cancel")

    def test_a_cancel_that_fails_is_told_and_not_raised(
        self, driver: Callable[..., Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        outcome, _ = driver(TaskStatus.PROCESSING, rule=self.PATIENT, cancels=False)
        assert outcome.what == "unknown"
        assert "no route" in caplog.text


async def test_what_the_cloud_has_just_answered_is_not_asked_again() -> None:
    cloud: Any = AsyncCloud(BUSY)
    outcome = await cancel_if_running_async(cloud, REF, "a test ends", IN_TRIGGER, TaskStatus.PROCESSING)
    assert (outcome.what, cloud.asked) == ("cancelled", ["cancel"])


def test_a_signal_handler_whose_time_is_over_cancels_nothing() -> None:
    cloud: Any = Cloud(TaskStatus.PROCESSING)
    assert cancel_if_running(cloud, REF, "a test ends", may_cancel=lambda: False).what == "unknown"
    assert cloud.asked == ["status"]
