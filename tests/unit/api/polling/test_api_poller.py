from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling.durations import DurationBook, Entry, Estimate
from airflow_provider_asposeocr.api.polling.plan import Cadence, Limits, WaitPlan
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller, Wait
from airflow_provider_asposeocr.api.polling.schedules import Geometric
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.tasks import YOUNG_SECONDS, gone_error
from tests.support.cadences import with_cadence
from tests.support.error_classes import all_errors

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
    return Poller(REF, WaitPlan(START + deadline, **with_cadence(plan)), middle)


def says(status: str) -> TaskState:
    return TaskState(taskStatus=status)


def error_of(step: Wait | Finished) -> errors.AsposeOcrError:
    assert isinstance(step, Finished)
    assert step.error is not None
    return step.error


class TestCadence:
    @pytest.mark.parametrize(
        ("age", "seconds"), [(-5, 1.6), (0, 1.6), (1.6, 0.8), (16, 8), (400, 200), (1200, 600), (3000, 600)]
    )
    def test_the_interval_grows_with_the_age_between_its_limits(self, age: float, seconds: float) -> None:
        step = poller(deadline=9000).on_state(says("Processing"), START + age)
        assert isinstance(step, Wait)
        assert step.seconds == pytest.approx(seconds)

    def test_the_limits_are_the_user_s(self) -> None:
        for age in (0, 10, 100, 1000):
            step = poller(poll_interval_seconds=5, max_poll_interval_seconds=7).on_state(
                says("Pending"), START + age
            )
            assert isinstance(step, Wait)
            assert 5 <= step.seconds <= 7

    @pytest.mark.parametrize(("age", "seconds"), [(-5, 1.6), (0, 1.6), (0.5, 1.1), (1.6, 0), (1000, 0)])
    def test_a_fresh_task_is_left_alone_and_an_old_one_is_asked_at_once(
        self, age: float, seconds: float
    ) -> None:
        assert poller().first_wait(START + age).seconds == pytest.approx(seconds, abs=1e-6)

    def test_no_poll_comes_before_its_answer_is_of_use(self) -> None:
        subject = poller(not_before_at=START + 8)
        assert subject.first_wait(START) == Wait(8)
        assert subject.first_wait(START + 6) == Wait(2)
        assert subject.on_state(says("Pending"), START + 3) == Wait(5)
        assert subject.on_error(UNAVAILABLE, START + 3) == Wait(5)
        assert subject.on_state(says("Pending"), START + 16) == Wait(8)
        assert poller(deadline=4, not_before_at=START + 8).first_wait(START) == Wait(4)

    def test_no_jitter_goes_beyond_the_longest_interval(self) -> None:
        late = Poller(REF, WaitPlan(START + 90_000), lambda: 0.999)
        step = late.on_state(says("Processing"), START + 80_000)
        assert isinstance(step, Wait)
        assert step.seconds == 600

    def test_a_poll_that_was_held_back_is_none_that_failed(self) -> None:
        subject, held = (
            poller(deadline=90_000, error_budget_seconds=10),
            errors.RateLimitedError("429", retry_after_seconds=7),
        )
        held.held_back = True
        for age in (1, 100, 1000):
            step = subject.on_error(held, START + age)
            assert isinstance(step, Wait)
            assert step.asked_seconds == 7
        assert isinstance(subject.on_error(UNAVAILABLE, START + 1001), Wait)
        assert isinstance(subject.on_error(UNAVAILABLE, START + 1012), Finished)

    def test_who_takes_over_goes_on_where_the_other_stopped(self) -> None:
        before = poller()
        before.on_state(says("Processing"), START + 4)
        after = poller(seen_running_at=before.seen_running_at)
        assert after.first_wait(START + 5) == Wait(1)
        assert after.first_wait(START + 7) == Wait(0)

    def test_not_even_a_fresh_one_beyond_the_deadline(self) -> None:
        assert poller(deadline=0.5).first_wait(START) == Wait(0.5)

    @given(st.floats(0, 86_400), st.floats(0.1, 60), st.floats(0.1, 600), st.floats(0, 1, exclude_max=True))
    def test_an_interval_is_jittered_by_at_most_a_tenth(
        self, age: float, shortest: float, longest: float, draw: float
    ) -> None:
        plan = WaitPlan(START + 1e9, Cadence(shortest, longest))
        ref = REF.model_copy(update={"submitted_at": datetime.fromtimestamp(START, UTC)})
        now = START + min(age, RETENTION_SECONDS - 1000)
        step = Poller(ref, plan, lambda: draw).on_state(says("Pending"), now)
        assert isinstance(step, Wait)
        assert 0.9 * shortest <= step.seconds + 1e-4
        assert step.seconds <= max(longest, shortest) + 1e-4

    def test_tasks_that_start_together_do_not_poll_together(self) -> None:
        draws = [0.0, 0.25, 0.5, 0.75]
        plan = WaitPlan(START + 3600)
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
            step = ask(Poller(REF, WaitPlan(START + deadline), lambda: draw))
            if isinstance(step, Wait):
                assert 0 <= step.seconds
                assert START + now + step.seconds <= max(limit, START + now) + 1e-3


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


CLASSES = sorted(all_errors(), key=lambda cls: cls.__name__)


class TestErrors:
    @pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
    def test_only_what_a_retry_may_heal_is_waited_out(self, cls: type[errors.AsposeOcrError]) -> None:
        error = cls("Oh.")
        step = poller().on_error(error, START + 10)
        waits = cls.retryable or cls is errors.AccessDeniedError
        assert step == (Wait(5) if waits else Finished(error))

    def test_a_refused_token_has_a_budget_of_its_own(self) -> None:
        # A token may expire on its way to the cloud, even twice in a row. Refusals over 30 s are an error.
        subject, refused = poller(), errors.AccessDeniedError("401")
        for age in (100, 110, 129.9):
            assert isinstance(subject.on_error(refused, START + age), Wait)
        assert subject.on_error(refused, START + 130) == Finished(refused)

    def test_retry_after_is_obeyed(self) -> None:
        error = errors.RateLimitedError("429", retry_after_seconds=77)
        assert poller().on_error(error, START) == Wait(77)
        step = poller().on_error(errors.RateLimitedError("429", retry_after_seconds=1), START + 16)
        assert step == Wait(8)

    def test_what_the_cloud_asks_for_is_told_apart(self) -> None:
        """A poking sensor changes its poke interval only for a Retry-After."""
        asked = poller().on_error(errors.RateLimitedError("429", retry_after_seconds=77), START)
        own = poller().on_error(UNAVAILABLE, START + 50)
        assert isinstance(asked, Wait)
        assert isinstance(own, Wait)
        assert (asked.asked_seconds, own.asked_seconds) == (77, 0)

    def test_after_a_failure_the_next_poll_does_not_wait_for_an_old_task_s_interval(self) -> None:
        assert poller().on_error(UNAVAILABLE, START + 1000) == Wait(30)
        assert poller(max_poll_interval_seconds=7).on_error(UNAVAILABLE, START + 1000) == Wait(7)
        slow = poller(poll_interval_seconds=60)
        assert slow.on_error(UNAVAILABLE, START + 1000) == Wait(60)

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
        """For any three answers that the cloud repeats, the wait ends by the deadline."""
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


class TestLearning:
    def taught(self, seconds: float = 60.0, count: int = 20) -> DurationBook:
        book = DurationBook()
        for _ in range(count):
            book.entry("UpscaleImage").observe(0.95 * seconds, 1.05 * seconds)
        return book

    def learner(self, book: DurationBook, **plan: float) -> Poller:
        return Poller(REF, WaitPlan(START + 3600, **with_cadence(plan)), middle, book.entry("UpscaleImage"))

    def learned(self, polls: list[tuple[str, float]], came_at: float = 0.0) -> list[tuple[float, float]]:
        """Return the observations that a wait with these answers at these ages adds to the book."""
        told: list[tuple[float, float]] = []

        class Listener(Estimate):
            def observe(self, after_seconds: float, until_seconds: float) -> None:
                told.append((after_seconds, until_seconds))

        subject = Poller(REF, WaitPlan(START + 3600), middle, Entry(Listener()))
        subject.first_wait(START + came_at)
        for status, age in polls:
            subject.on_state(says(status), START + age)
        return told

    def test_the_first_poll_comes_when_the_task_is_likely_to_be_done(self) -> None:
        subject = self.learner(self.taught())
        assert 45 < subject.first_wait(START).seconds < 80

    def test_also_for_who_comes_before_that(self) -> None:
        subject = self.learner(self.taught())
        assert 25 < subject.first_wait(START + 20).seconds < 60

    def test_who_comes_later_asks_at_once(self) -> None:
        assert self.learner(self.taught()).first_wait(START + 100) == Wait(0)

    def test_the_user_s_limits_hold_for_what_was_learned(self) -> None:
        subject = self.learner(self.taught(), max_poll_interval_seconds=10)
        assert subject.first_wait(START).seconds == pytest.approx(10)
        step = subject.on_state(says("Processing"), START + 10)
        assert isinstance(step, Wait)
        assert step.seconds == pytest.approx(10)

    def test_a_task_that_outlasts_all_others_is_asked_for_at_growing_ages(self) -> None:
        subject, now, polls = self.learner(self.taught()), START + 100, 0
        while now < START + 1500:
            step = subject.on_state(says("Processing"), now)
            assert isinstance(step, Wait)
            now, polls = now + step.seconds, polls + 1
        assert polls <= 12

    def test_a_task_ended_between_the_last_two_polls(self) -> None:
        assert self.learned([("Pending", 5), ("Processing", 9), ("Completed", 14)]) == [(9, 14)]

    def test_a_task_that_was_never_seen_running_ended_after_its_submit(self) -> None:
        assert self.learned([("NotExist", 1), ("Completed", 14)]) == [(0, 14)]

    def test_a_first_poll_that_finds_a_task_completed_adds_no_observation(self) -> None:
        assert self.learned([("Completed", 500)], came_at=500) == []
        assert self.learned([("Processing", 500), ("Completed", 700)], came_at=500) == [(500, 700)]

    def test_of_two_waits_one_after_the_other_the_first_alone_tells_how_long_the_task_took(self) -> None:
        """As a submit that waits and a fetch: the fetch may draw the longest interval and the submit the shortest."""
        first, second = (Poller(REF, WaitPlan(START + 3600), partial(float, draw)) for draw in (0.0, 0.999))
        seen_at = START + first.first_wait(START).seconds + 1e-3
        told = [first.on_state(says("Completed"), seen_at)]
        told.append(second.on_state(says("Completed"), seen_at + second.first_wait(seen_at).seconds))
        durations = [step.seconds for step in told]
        assert durations == [pytest.approx(seen_at - START), None]

    def test_a_task_that_failed_or_vanished_teaches_nothing(self) -> None:
        for end in ("Error", "NotExist"):
            assert self.learned([("Processing", 20), (end, 30)]) == []

    def test_a_task_submitted_in_the_future_teaches_nothing(self) -> None:
        """The clock of the machine that submitted it is ahead."""
        book = DurationBook()
        self.learner(book).on_state(says("Completed"), START - 5)
        assert book.entry("UpscaleImage").schedule(Limits(0.8, 600)) == Geometric(Limits(0.8, 600))

    @given(
        came_at=st.floats(0, 2000),
        seen_at=st.none() | st.floats(0, 2000),
        draw=st.floats(0, 1, exclude_max=True),
    )
    @settings(max_examples=30)
    def test_no_first_wait_passes_the_deadline(
        self, came_at: float, seen_at: float | None, draw: float
    ) -> None:
        plan = WaitPlan(START + 1000, seen_running_at=START + seen_at if seen_at is not None else 0.0)
        step = Poller(REF, plan, lambda: draw, self.taught().entry("UpscaleImage")).first_wait(
            START + came_at
        )
        assert 0 <= step.seconds <= max(0.0, 1000 - came_at) + 1e-3
