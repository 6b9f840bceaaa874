from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling import (
    YOUNG_SECONDS,
    Finished,
    Poller,
    PollPlan,
    Wait,
    gone_error,
)
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_800_000_000.0
REF = TaskRef(
    operation="UpscaleImage", id="id-7", submitted_at=datetime.fromtimestamp(START, UTC), conn_id="ocr"
)
UNAVAILABLE = errors.CloudUnavailableError("The cloud answered 503.")


def middle() -> float:
    return 0.5


def poller(deadline: float = 3600.0, **plan: float) -> Poller:
    return Poller(REF, PollPlan(deadline_at=START + deadline, **plan), middle)


def says(status: str) -> TaskState:
    return TaskState(taskStatus=status)


def error_of(step: Wait | Finished) -> errors.AsposeOcrError:
    assert isinstance(step, Finished)
    assert step.error is not None
    return step.error


class TestCadence:
    @pytest.mark.parametrize(
        ("age", "seconds"), [(-5, 2), (0, 2), (8, 2), (16, 4), (40, 10), (120, 30), (1000, 30), (3000, 30)]
    )
    def test_the_interval_grows_with_the_age_between_its_limits(self, age: float, seconds: float) -> None:
        assert poller().on_state(says("Processing"), START + age) == Wait(seconds)

    @pytest.mark.parametrize(("age", "seconds"), [(-5, 2), (0, 2), (0.5, 1.5), (2, 0), (1000, 0)])
    def test_a_fresh_task_is_left_alone_for_one_interval_and_an_old_one_is_asked_at_once(
        self, age: float, seconds: float
    ) -> None:
        assert poller().first_wait(START + age) == Wait(seconds)

    def test_not_even_a_fresh_one_beyond_the_deadline(self) -> None:
        assert poller(deadline=0.5).first_wait(START) == Wait(0.5)

    @given(st.floats(0, 86_400), st.floats(0.1, 60), st.floats(0.1, 600), st.floats(0, 1, exclude_max=True))
    def test_an_interval_is_jittered_by_at_most_a_fifth(
        self, age: float, shortest: float, longest: float, draw: float
    ) -> None:
        plan = PollPlan(START + 1e9, shortest, longest)
        ref = REF.model_copy(update={"submitted_at": datetime.fromtimestamp(START, UTC)})
        now = START + min(age, RETENTION_SECONDS - 1000)
        step = Poller(ref, plan, lambda: draw).on_state(says("Pending"), now)
        assert isinstance(step, Wait)
        assert 0.8 * shortest <= step.seconds <= 1.2 * max(longest, shortest)

    def test_tasks_that_start_together_do_not_poll_together(self) -> None:
        draws = [0.0, 0.25, 0.5, 0.75]
        plan = PollPlan(START + 3600)
        waits = {Poller(REF, plan, partial(float, draw)).first_wait(START) for draw in draws}
        assert len(waits) == len(draws)

    @given(
        deadline=st.floats(-100, 200_000),
        now=st.floats(0, 200_000),
        retry_after=st.none() | st.floats(0, 100_000),
        draw=st.floats(0, 1, exclude_max=True),
    )
    def test_no_wait_passes_the_deadline_or_the_retention(
        self, deadline: float, now: float, retry_after: float | None, draw: float
    ) -> None:
        limit = START + min(deadline, RETENTION_SECONDS)
        failed = errors.RateLimitedError("429", retry_after_seconds=retry_after)
        asks: tuple[Callable[[Poller], Wait | Finished], ...] = (
            lambda p: p.first_wait(START + now),
            lambda p: p.on_state(says("Pending"), START + now),
            lambda p: p.on_state(says("NotExist"), START + now),
            lambda p: p.on_error(failed, START + now),
        )
        for ask in asks:
            step = ask(Poller(REF, PollPlan(START + deadline), lambda: draw))
            if isinstance(step, Wait):
                assert 0 <= step.seconds
                assert START + now + step.seconds <= max(limit, START + now) + 1e-3

    def test_polls_are_few(self) -> None:
        """A task of an hour is asked for about 130 times, of ten minutes about 30 times."""
        for duration, most in ((600, 35), (3600, 135)):
            now, polls, subject = START, 0, poller(deadline=7200)
            while now < START + duration:
                step = subject.on_state(says("Processing"), now)
                assert isinstance(step, Wait)
                now, polls = now + step.seconds, polls + 1
            assert polls <= most


class TestStates:
    @pytest.mark.parametrize("status", ["Pending", "Processing"])
    def test_an_open_task_is_waited_for_until_the_deadline(self, status: str) -> None:
        subject = poller(deadline=100)
        assert isinstance(subject.on_state(says(status), START + 99.9), Wait)
        error = error_of(subject.on_state(says(status), START + 100))
        assert isinstance(error, errors.TaskTimeoutError)
        assert (error.operation, error.task_id) == ("UpscaleImage", "id-7")
        assert "100 s after its submit" in error.message

    @pytest.mark.parametrize("age", [0, 99, 100, 5000, RETENTION_SECONDS + 1])
    def test_completed_is_success_however_late(self, age: float) -> None:
        assert poller(deadline=100).on_state(says("Completed"), START + age) == Finished()

    def test_error_carries_the_cloud_s_words(self) -> None:
        state = TaskState(taskStatus="Error", error={"messages": ["not an\nimage"]})
        error = error_of(poller().on_state(state, START))
        assert isinstance(error, errors.TaskFailedError)
        assert error.message == r"UpscaleImage failed in the cloud: not an\nimage."
        assert error.task_id == "id-7"

    def test_an_unknown_status_is_not_waited_for(self) -> None:
        with pytest.raises(errors.UnknownStatusError) as caught:
            poller().on_state(says("Paused"), START)
        assert (caught.value.operation, caught.value.task_id) == ("UpscaleImage", "id-7")

    @pytest.mark.parametrize(
        ("age", "expected"),
        [
            (0, None),
            (YOUNG_SECONDS - 0.1, None),
            (YOUNG_SECONDS, errors.TaskUnknownError),
            (3600, errors.TaskUnknownError),
            (RETENTION_SECONDS - 1, errors.TaskUnknownError),
            (RETENTION_SECONDS, errors.TaskExpiredError),
            (RETENTION_SECONDS * 9, errors.TaskExpiredError),
        ],
    )
    def test_not_exist_is_two_things(self, age: float, expected: type[errors.AsposeOcrError] | None) -> None:
        step = poller(deadline=10 * RETENTION_SECONDS).on_state(says("NotExist"), START + age)
        if expected is None:
            assert isinstance(step, Wait)
        else:
            assert type(error_of(step)) is expected
            assert error_of(step).task_id == "id-7"

    def test_a_young_unknown_task_respects_the_deadline_too(self) -> None:
        step = poller(deadline=5).on_state(says("NotExist"), START + 6)
        assert isinstance(error_of(step), errors.TaskTimeoutError)

    def test_an_unknown_task_says_where_it_came_from(self) -> None:
        ref = REF.model_copy(update={"task_id": "scan", "dag_id": "d", "run_id": "r"})
        assert "by task 'scan' of 'd', run 'r'" in gone_error(ref, START + 60).message


CLASSES = sorted(errors._subclasses(errors.AsposeOcrError).values(), key=lambda cls: cls.__name__)


class TestErrors:
    @pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
    def test_only_what_a_retry_may_heal_is_waited_out(self, cls: type[errors.AsposeOcrError]) -> None:
        error = cls("Oh.")
        step = poller().on_error(error, START + 10)
        waits = cls.retryable or cls is errors.AccessDeniedError
        assert step == (Wait(2.5) if waits else Finished(error))

    def test_a_refused_token_has_a_budget_of_its_own(self) -> None:
        # Tokens may expire on the way, twice in a row even; a refusal that lasts is one.
        subject, refused = poller(), errors.AccessDeniedError("401")
        for age in (100, 110, 129.9):
            assert isinstance(subject.on_error(refused, START + age), Wait)
        assert subject.on_error(refused, START + 130) == Finished(refused)

    def test_retry_after_is_obeyed(self) -> None:
        error = errors.RateLimitedError("429", retry_after_seconds=77)
        assert poller().on_error(error, START) == Wait(77)
        assert poller().on_error(errors.RateLimitedError("429", retry_after_seconds=1), START) == Wait(2)

    def test_failures_in_a_row_have_a_budget(self) -> None:
        subject = poller(error_budget_seconds=60)
        for age in (100, 130, 159.9):
            assert isinstance(subject.on_error(UNAVAILABLE, START + age), Wait)
        assert subject.on_error(UNAVAILABLE, START + 160) == Finished(UNAVAILABLE)

    def test_any_answer_refills_the_budget(self) -> None:
        for status in ("Pending", "Processing"):
            subject = poller(error_budget_seconds=60)
            subject.on_error(UNAVAILABLE, START + 100)
            subject.on_state(says(status), START + 150)
            assert isinstance(subject.on_error(UNAVAILABLE, START + 170), Wait)

    def test_the_default_budget_outlasts_the_vendor_s_lock_out(self) -> None:
        subject = poller()
        locked = errors.CredentialsLockedError("Locked.", retry_after_seconds=600)
        assert subject.on_error(locked, START) == Wait(600)
        assert isinstance(subject.on_error(locked, START + 600), Wait)

    def test_the_deadline_ends_failing_polls_too(self) -> None:
        step = poller(deadline=50).on_error(UNAVAILABLE, START + 50)
        assert isinstance(error_of(step), errors.TaskTimeoutError)

    def test_every_history_ends(self) -> None:
        """Whatever three things the cloud says again and again, the wait ends by the deadline."""
        sayings: tuple[TaskState | errors.AsposeOcrError, ...] = (
            says("Pending"),
            says("Processing"),
            says("NotExist"),
            UNAVAILABLE,
        )
        for history in itertools.product(sayings, repeat=3):
            subject, now = poller(deadline=400), START
            for polls, said in enumerate(itertools.cycle(history)):
                step = (
                    subject.on_state(said, now)
                    if isinstance(said, TaskState)
                    else subject.on_error(said, now)
                )
                if isinstance(step, Finished):
                    break
                assert polls < 100
                now += step.seconds
            assert now <= START + 400


def test_every_status_is_decided() -> None:
    for status in TaskStatus:
        assert poller().on_state(says(status.value), START + 60) is not None
