"""When the cloud tasks of a batch are polled, and when its worker is woken."""

from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import (
    AuthenticationError,
    CloudUnavailableError,
    QuotaExceededError,
    TaskFailedError,
    TaskTimeoutError,
    TaskUnknownError,
    UnknownStatusError,
)
from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.batch.polls import WAKE_AFTER_SECONDS, BatchPolls, BatchWaitPlan
from airflow_provider_asposeocr.batch.running import digest_of
from airflow_provider_asposeocr.batch.woken import Duration
from tests.support.batch_tasks import running, wait_plan

NOW = 1_800_000_000.0
RUNNING, COMPLETED, FAILED, GONE = (
    TaskState(taskStatus=word) for word in ("Processing", "Completed", "Error", "NotExist")
)


def polls_of(count: int, **given: Any) -> BatchPolls:
    fields: dict[str, Any] = {"deadline_at": NOW + 10_000, "timeout_seconds": 9_000.0, **given}
    return BatchPolls(running(count, NOW), wait_plan(**fields), DurationBook(), lambda: 0.5, NOW)


def drained(polls: BatchPolls, now: float) -> list[int]:
    """Take all that is due."""
    return list(iter(lambda: polls.take(now), None))


class TestHeap:
    def test_each_task_is_due_once_until_it_was_answered(self) -> None:
        polls = polls_of(100)
        assert drained(polls, NOW) == []
        assert sorted(drained(polls, NOW + 60)) == list(range(100))
        assert drained(polls, NOW + 600) == []
        assert math.isinf(polls.next_at)
        assert polls.on_state(7, RUNNING, NOW + 60) is None
        assert polls.next_at > NOW + 60
        assert drained(polls, NOW + 600) == [7]

    def test_who_is_due_first_comes_first(self) -> None:
        tasks = [*running(["old"], NOW - 500), *running(["new"], NOW)]
        polls = BatchPolls(tasks, wait_plan(poll_interval_seconds=5.0), DurationBook(), lambda: 0.5, NOW)
        assert polls.take(NOW) == 0
        assert polls.take(NOW) is None

    def test_nothing_is_polled_before_the_event_may_fire(self) -> None:
        polls = polls_of(3, not_before_at=NOW + 8)
        assert polls.next_at >= NOW + 8

    def test_a_failed_poll_is_made_again(self) -> None:
        polls = polls_of(4)
        drained(polls, NOW + 60)
        assert polls.on_error(2, CloudUnavailableError("busy"), NOW + 60) is None
        assert drained(polls, NOW + 600) == [2]


class TestWaking:
    @pytest.mark.parametrize(("count", "share"), [(1, 1), (4, 1), (5, 2), (100, 25), (1000, 250)])
    def test_a_share_wakes_the_worker(self, count: int, share: int) -> None:
        polls = polls_of(count)
        for place in range(share):
            assert polls.woken(NOW + 60) is None
            polls.on_state(place, COMPLETED, NOW + 60)
        assert polls.woken(NOW + 60) in ("a share has ended", "all have ended")

    def test_no_result_waits_long_for_the_others(self) -> None:
        polls = polls_of(100)
        polls.on_state(3, COMPLETED, NOW + 60)
        assert polls.wake_at == NOW + 60 + WAKE_AFTER_SECONDS
        assert polls.woken(polls.wake_at - 0.1) is None
        assert polls.woken(polls.wake_at) == "one has ended for long"
        assert polls.event("one has ended for long").ended == {3}

    def test_the_deadline_of_the_batch_does_and_names_what_runs(self) -> None:
        polls = polls_of(100, deadline_at=NOW + 90)
        polls.on_state(3, COMPLETED, NOW + 60)
        assert polls.wake_at == NOW + 90
        assert polls.woken(NOW + 90) == "deadline"
        assert len(polls.running) == 99
        assert polls.refs[3] not in polls.running

    @pytest.mark.parametrize(
        ("state", "error"), [(FAILED, TaskFailedError), (GONE, TaskUnknownError)], ids=["failed", "gone"]
    )
    def test_one_task_s_bad_end_is_an_end_and_stops_no_other(
        self, state: TaskState, error: type[Exception]
    ) -> None:
        polls = polls_of(100)
        finished = polls.on_state(0, state, NOW + 60)
        assert finished is not None
        assert isinstance(finished.error, error)
        assert polls.woken(NOW + 60) is None
        assert polls.event("deadline").ended == {0}

    @pytest.mark.parametrize("error", [AuthenticationError("no"), QuotaExceededError("used up")])
    def test_an_error_of_the_account_wakes_at_once_and_is_told(self, error: Any) -> None:
        polls = polls_of(100)
        polls.on_error(0, error, NOW + 60)
        assert polls.woken(NOW + 60) == "error"
        assert polls.event("error").error is error
        assert polls.event("error").ended == frozenset()

    def test_so_does_a_status_that_this_version_does_not_know(self) -> None:
        polls = polls_of(100)
        polls.on_state(0, TaskState(taskStatus="Paused"), NOW + 60)
        assert isinstance(polls.event("error").error, UnknownStatusError)
        assert polls.woken(NOW + 60) == "error"

    def test_a_cloud_that_stays_down_is_one_after_the_budget(self) -> None:
        polls = polls_of(100, error_budget_seconds=50.0)
        down = CloudUnavailableError("down")
        polls.on_error(0, down, NOW + 60)
        assert polls.woken(NOW + 60) is None
        polls.on_error(0, down, NOW + 111)
        assert polls.woken(NOW + 111) == "error"

    def test_a_task_s_own_deadline_is_its_caller_s_to_end(self) -> None:
        """The caller cancels it first."""
        polls = polls_of(100, timeout_seconds=50.0)
        finished = polls.on_state(0, RUNNING, NOW + 60)
        assert finished is not None
        assert isinstance(finished.error, TaskTimeoutError)
        assert polls.refs[0] in polls.running
        polls.end(0, NOW + 61)
        assert polls.refs[0] not in polls.running
        assert polls.woken(NOW + 61) is None


class TestLearning:
    def test_what_was_seen_running_and_then_completed_teaches_how_long_it_took(self) -> None:
        polls = polls_of(100)
        polls.on_state(0, RUNNING, NOW + 20)
        polls.on_state(0, COMPLETED, NOW + 30)
        polls.on_state(1, COMPLETED, NOW + 30)
        polls.on_state(2, RUNNING, NOW + 20)
        polls.on_state(2, FAILED, NOW + 30)
        event = polls.event("a share has ended")
        assert event.durations == (Duration("UpscaleImage", 20.0, 30.0),)
        assert event.digest == digest_of(polls.refs)

    def test_the_loop_s_book_learns_as_well(self) -> None:
        book = DurationBook()
        polls = BatchPolls(running(1, NOW), wait_plan(), book, lambda: 0.5, NOW)
        polls.on_state(0, RUNNING, NOW + 20)
        polls.on_state(0, COMPLETED, NOW + 30)
        assert len(book) == 1


def simulated_polls(count: int, seconds: float) -> int:
    """Let ``count`` tasks of one duration end; return how many polls it took until the worker was woken."""
    polls, now, made = polls_of(count, poll_interval_seconds=0.8, max_poll_interval_seconds=600.0), NOW, 0
    while polls.woken(now) is None:
        now = max(now, min(polls.next_at, polls.wake_at))
        for place in drained(polls, now):
            made += 1
            polls.on_state(place, COMPLETED if now >= NOW + seconds else RUNNING, now)
    return made


def test_the_polls_of_a_thousand_tasks_grow_with_the_logarithm_of_their_duration() -> None:
    assert simulated_polls(1000, 300.0) / 1000 < 16


class TestPlan:
    def test_it_survives_a_row(self) -> None:
        plan = wait_plan()
        row = {**plan.to_dict(), "of_a_later_version": 1}
        row["cadence"]["of_a_later_version"] = 1
        assert BatchWaitPlan.from_dict(row) == plan
