"""What a batch does next, case by case; tests/properties combines the cases at random."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AsposeOcrError,
    AuthenticationError,
    CertificateError,
    CloudUnavailableError,
    CredentialsLockedError,
    InvalidConnectionError,
    QuotaExceededError,
    RateLimitedError,
    RequestRejectedError,
    SourceError,
    StorageError,
    SubmitUnknownError,
    TaskExpiredError,
    TaskUnknownError,
    TrialNotAvailableError,
)
from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.machine import Machine
from airflow_provider_asposeocr.batch.records import (
    Cancelled,
    Done,
    Failed,
    Intent,
    Reference,
    Refused,
    Undecided,
    Withdrawn,
)
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.state import BatchState
from airflow_provider_asposeocr.batch.verdicts import MOST_REFUSED_TOKENS
from tests.support.batch_world import BEGINNING, OPERATIONS, small_batch
from tests.support.cadences import with_cadence

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.records import Record

COMPLETED = TaskState(taskStatus="Completed")
GONE = TaskState(taskStatus="NotExist")


class Batch:
    """A machine, and the outcomes of its actions, which are successes unless the test gives others."""

    def __init__(
        self,
        documents: int = 1,
        steps: int = 1,
        state: BatchState | None = None,
        book: DurationBook | None = None,
        **settings: Any,
    ) -> None:
        self.now = BEGINNING
        self.machine = Machine(
            small_batch(documents, steps),
            state or BatchState(),
            BatchSettings(**with_cadence(settings)),
            book or DurationBook(),
            lambda: 0.5,
        )
        self.todo: list[actions.Action] = []
        self.past: list[actions.Action] = []
        self.take(self.machine.start(self.now))

    def take(self, actions: list[actions.Action]) -> None:
        self.todo += actions
        self.past += actions

    def tell(self, event: events.Event) -> None:
        self.take(self.machine.on(event, self.now))

    def pop(self, kind: type[Any], document: int | None = None) -> Any:
        for action in self.todo:
            if isinstance(action, kind) and document in (None, getattr(action, "document", None)):
                self.todo.remove(action)
                return action
        raise AssertionError(f"There is no {kind.__name__} in {self.todo}.")

    def commit(self) -> tuple[Record, ...]:
        records: tuple[Record, ...] = self.pop(actions.Commit).records
        self.tell(events.Durable(records))
        return records

    def tick(self) -> None:
        assert self.machine.next_at < math.inf
        self.now = max(self.now, self.machine.next_at)
        self.tell(events.Tick())

    def to_send(self, document: int = 0) -> None:
        self.pop(actions.Prepare, document)
        self.tell(events.Prepared(document, 20_000, "aa"))
        self.commit()
        self.pop(actions.Send, document)

    def to_run(self, document: int = 0, step: int = 0) -> None:
        self.to_send(document)
        self.tell(events.Sent(document, OPERATIONS[-1], f"id-{document}-{step}", self.now))
        self.commit()
        self.pop(actions.Discard, document)

    def poll(self, state: TaskState = COMPLETED, document: int = 0) -> actions.Poll:
        while not any(
            isinstance(action, actions.Poll) and action.document == document for action in self.todo
        ):
            self.tick()
        poll: actions.Poll = self.pop(actions.Poll, document)
        self.tell(events.Polled(document, state))
        return poll

    @property
    def outcome(self) -> str | None:
        return self.machine.state.of(0).outcome

    def kinds(self) -> list[str]:
        return [type(action).__name__ for action in self.todo]


def failed(batch: Batch) -> Failed:
    (record,) = batch.commit()
    assert isinstance(record, Failed)
    return record


def test_one_document_through_two_steps() -> None:
    batch = Batch(steps=2)
    batch.to_run()
    batch.poll()
    assert batch.pop(actions.Prepare).upstream.id == "id-0-0"
    batch.todo.append(actions.Prepare(0, 1, None))
    batch.to_run(step=1)
    batch.poll()
    assert batch.pop(actions.Deliver).ref.id == "id-0-1"
    batch.tell(events.Delivered(0, {"results": []}))
    (done,) = batch.commit()
    assert isinstance(done, Done)
    assert batch.kinds() == ["Finish"]
    assert batch.outcome == "succeeded"


def test_nothing_is_sent_before_the_intent_is_durable() -> None:
    batch = Batch()
    batch.pop(actions.Prepare)
    batch.tell(events.Prepared(0, 20_000, "aa"))
    assert batch.kinds() == ["Commit"]


def test_nothing_is_built_on_a_task_before_its_reference_is_durable() -> None:
    batch = Batch()
    batch.to_send()
    batch.tell(events.Sent(0, OPERATIONS[-1], "id", batch.now))
    assert batch.kinds() == ["Discard", "Commit"]
    assert batch.machine.next_at == math.inf


def test_a_permit_is_held_until_the_reference_is_durable() -> None:
    batch = Batch(documents=2, max_unanswered_submits=1)
    for document in (0, 1):
        batch.pop(actions.Prepare, document)
        batch.tell(events.Prepared(document, 20_000, "aa"))
    assert batch.commit() == (Intent(0, 0),)
    batch.pop(actions.Send)
    batch.tell(events.Sent(0, OPERATIONS[-1], "id", batch.now))
    assert [type(record) for record in batch.commit()] == [Reference]
    assert batch.commit() == (Intent(1, 0),)


def test_later_steps_come_first() -> None:
    batch = Batch(documents=3, steps=2, max_unanswered_submits=1)
    for document in range(3):
        batch.pop(actions.Prepare, document)
    batch.tell(events.Prepared(0, 1, "aa"))
    batch.tell(events.Prepared(1, 1, "aa"))
    batch.commit()
    batch.pop(actions.Send, 0)
    batch.tell(events.Sent(0, OPERATIONS[-2], "id", batch.now))
    batch.commit()  # the permit is free, and goes to document 1
    batch.commit()
    batch.poll()
    batch.pop(actions.Prepare, 0)
    batch.tell(events.Prepared(2, 1, "aa"))
    batch.tell(events.Prepared(0, 1, "aa"))
    batch.pop(actions.Send, 1)
    batch.tell(events.Sent(1, OPERATIONS[-2], "id-1", batch.now))
    batch.commit()
    assert batch.commit() == (Intent(0, 1, seconds=ANY),)


def test_no_more_documents_than_max_in_flight_are_begun() -> None:
    batch = Batch(documents=5, max_in_flight=2)
    assert batch.kinds() == ["Prepare", "Prepare"]


@pytest.mark.parametrize(
    "error", [SourceError("No."), RequestRejectedError("No.")], ids=["source", "refused"]
)
def test_one_bad_document_does_not_stop_the_others(error: AsposeOcrError) -> None:
    batch = Batch(documents=2)
    if isinstance(error, SourceError):
        batch.pop(actions.Prepare, 0)
    else:
        batch.to_send(0)
    batch.tell(events.Broken(0, error))
    batch.commit()
    assert batch.outcome == "failed"
    batch.to_run(1)
    assert batch.machine.stopped is None


def test_a_refused_submit_is_not_left_unknown() -> None:
    batch = Batch()
    batch.to_send()
    batch.tell(events.Broken(0, RequestRejectedError("No.")))
    assert [type(record) for record in batch.commit()] == [Withdrawn, Failed]
    assert batch.machine.state.submits == 0
    assert batch.machine.state.of(0).current.again is None


def test_one_refused_token_does_not_stop_the_batch() -> None:
    batch = Batch()
    batch.to_send()
    batch.tell(events.Broken(0, AccessDeniedError("No.")))
    assert [type(record) for record in batch.commit()] == [Withdrawn]
    assert batch.machine.stopped is None
    batch.tick()
    batch.commit()
    batch.pop(actions.Send)
    batch.tell(events.Sent(0, OPERATIONS[-1], "id", batch.now))
    batch.commit()
    assert batch.machine.state.submits == 1


def test_tokens_that_are_refused_again_and_again_stop_the_batch() -> None:
    batch = Batch()
    batch.to_send()
    for _ in range(MOST_REFUSED_TOKENS):
        batch.tell(events.Broken(0, AccessDeniedError("No.")))
        batch.commit()
        batch.tick()
        batch.commit()
        batch.pop(actions.Send)
    batch.tell(events.Broken(0, AccessDeniedError("No.")))
    assert batch.machine.stopped == "account"


def begun(documents: int, *unknown: int) -> BatchState:
    """A journal in which all documents run in the cloud at step 0, but for those that may have been sent for step 1."""
    state = BatchState()
    for index in range(documents):
        state.apply(Intent(index, 0))
        state.apply(Reference(index, 0, OPERATIONS[-2], f"id-{index}", BEGINNING, 1, "aa"))
        if index in unknown:
            state.apply(Intent(index, 1))
    return state


def test_a_document_with_a_permit_is_prepared_although_others_hold_all_files() -> None:
    documents = 13
    batch = Batch(documents, steps=2, state=begun(documents, 0), max_unanswered_submits=1)
    batch.pop(actions.Prepare, 0)
    batch.tell(events.Broken(0, CloudUnavailableError("Out of order.")))
    for index in range(1, documents):
        batch.poll(document=index)
    # The failed one is due again. All that can be prepared is; those documents wait for its permit.
    for index in [action.document for action in batch.todo if isinstance(action, actions.Prepare)]:
        if index:
            batch.pop(actions.Prepare, index)
            batch.tell(events.Prepared(index, 1, "aa"))
    while "Prepare" not in batch.kinds():
        batch.tick()
    batch.pop(actions.Prepare, 0)


def test_what_is_sent_once_more_leaves_the_budget_of_the_others() -> None:
    # The two documents that run need one more submit each.
    batch = Batch(3, steps=2, state=begun(3, 0), max_submits=6)
    assert batch.machine.state.submits == 4
    assert failed(batch).document == 0


@pytest.mark.parametrize(
    "error",
    [
        cls("No.")
        for cls in (
            AuthenticationError,
            CertificateError,
            CredentialsLockedError,
            InvalidConnectionError,
            QuotaExceededError,
            TrialNotAvailableError,
        )
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_account_stops_submits_and_lets_the_running_end(error: AsposeOcrError) -> None:
    batch = Batch(documents=4, max_in_flight=3)
    batch.to_run(0)
    batch.to_send(1)
    batch.tell(events.Broken(1, error))
    batch.commit()
    assert batch.machine.stopped == "account"
    assert batch.machine.error is error
    batch.pop(actions.Prepare, 2)
    batch.tell(events.Prepared(2, 1, "aa"))  # was under way
    assert "Send" not in batch.kinds()
    batch.poll()
    batch.pop(actions.Deliver, 0)
    batch.tell(events.Delivered(0, {}))
    batch.commit()
    assert batch.kinds()[-1] == "Finish"
    assert batch.machine.state.submits == 1
    assert dict(+batch.machine.state.outcomes) == {"succeeded": 1}
    refused = batch.machine.state.refused
    assert refused is not None
    assert refused.error["error"] == type(error).__name__
    batch.now += 1
    assert Batch(documents=4, state=batch.machine.state, try_number=2).machine.state.refused is None


def test_the_try_does_not_end_before_the_refusal_of_the_account_is_durable() -> None:
    batch = Batch(documents=2, max_in_flight=1)
    batch.pop(actions.Prepare)
    batch.tell(events.Broken(0, QuotaExceededError("No.")))
    assert "Finish" not in batch.kinds()
    assert [type(record) for record in batch.commit()] == [Refused]
    assert batch.kinds()[-1] == "Finish"


def test_a_pause_holds_back_everything() -> None:
    batch = Batch(documents=3, max_in_flight=3)
    batch.to_run(0)
    batch.to_send(1)
    began = batch.now
    batch.tell(events.Broken(1, RateLimitedError("Slowly.", retry_after_seconds=100.0)))
    batch.commit()
    batch.pop(actions.Prepare, 2)
    batch.tell(events.Prepared(2, 1, "aa"))
    assert [kind for kind in batch.kinds() if kind != "Discard"] == []
    batch.tick()
    assert batch.now >= began + 100
    assert {"Poll", "Commit"} <= set(batch.kinds())


def test_an_unanswered_submit_is_announced_and_sent_once_more() -> None:
    batch = Batch()
    batch.to_send()
    batch.tell(events.Broken(0, SubmitUnknownError("No answer.")))
    assert batch.pop(actions.Announce) == actions.Announce(0, 0, "unknown")
    assert batch.commit() == (Intent(0, 0, "unknown"),)
    batch.pop(actions.Send)
    batch.tell(events.Broken(0, SubmitUnknownError("No answer.")))
    assert failed(batch).final
    assert batch.machine.state.of(0).doubts == 1


@pytest.mark.parametrize(
    ("settings", "state", "again"),
    [
        ({"on_unknown_submit": "fail"}, SubmitUnknownError("No answer."), None),
        ({}, GONE, "gone"),
        ({"max_submits": 1}, GONE, None),
    ],
    ids=["unknown, the user says fail", "gone", "gone, the budget is used up"],
)
def test_what_may_be_sent_again(settings: Any, state: Any, again: str | None) -> None:
    batch = Batch(**settings)
    if isinstance(state, AsposeOcrError):
        batch.to_send()
        batch.tell(events.Broken(0, state))
    else:
        batch.to_run()
        batch.now += 60
        batch.poll(state)
    if again is None:
        assert failed(batch).final
    else:
        batch.pop(actions.Prepare)
        batch.tell(events.Prepared(0, 1, "aa"))
        assert batch.commit() == (Intent(0, 0, again),)


def after(*records: Record) -> BatchState:
    state = BatchState()
    for record in records:
        state.apply(record)
    return state


REFERENCE = Reference(0, 0, OPERATIONS[-1], "id", BEGINNING - 5, 1, "aa")


def test_a_reference_of_an_earlier_process_is_polled_at_once() -> None:
    batch = Batch(state=after(Intent(0, 0), REFERENCE))
    batch.tick()
    assert batch.now == BEGINNING
    assert batch.pop(actions.Poll).ref.id == "id"


def test_after_a_deferral_only_what_has_ended_is_polled_at_once() -> None:
    second = Reference(1, 0, OPERATIONS[-1], "id-1", BEGINNING - 500, 1, "aa")
    machine = Machine(
        small_batch(2, 1),
        after(Intent(0, 0), REFERENCE, Intent(1, 0), second),
        BatchSettings(),
        DurationBook(),
        lambda: 0.5,
    )
    machine.start(BEGINNING, frozenset({0}))
    polls = machine.on(events.Tick(), BEGINNING)
    assert [action.document for action in polls if isinstance(action, actions.Poll)] == [0]


@pytest.mark.parametrize(
    ("age_seconds", "record"),
    [(50, Cancelled), (150, Failed)],
    ids=["at the deadline of the batch", "at its own"],
)
def test_what_the_trigger_has_cancelled_is_cancelled(age_seconds: float, record: type[Record]) -> None:
    """The cloud does not know it any more, so that a poll would take it for lost and the document would be sent again."""
    reference = Reference(0, 0, OPERATIONS[-1], "id", BEGINNING - age_seconds, 1, "aa")
    machine = Machine(
        small_batch(1, 1),
        after(Intent(0, 0), reference),
        BatchSettings(cadence=Cadence(timeout_seconds=100.0), deadline_at=BEGINNING),
        DurationBook(),
        lambda: 0.5,
    )
    (commit,) = machine.start(BEGINNING, frozenset(), frozenset({0}))
    assert isinstance(commit, actions.Commit)
    (written,) = commit.records
    assert isinstance(written, record)
    if isinstance(written, Failed):
        assert (written.error["error"], written.over) == ("TaskTimeoutError", True)
    machine.on(events.Durable(commit.records), BEGINNING)
    assert not machine.works


def test_an_intent_of_an_earlier_process_is_unknown() -> None:
    batch = Batch(state=after(Intent(0, 0)))
    assert batch.pop(actions.Announce).why == "unknown"
    batch.pop(actions.Prepare)
    batch.tell(events.Prepared(0, 1, "aa"))
    assert batch.commit() == (Intent(0, 0, "unknown"),)


def test_what_is_done_is_not_touched_again() -> None:
    batch = Batch(state=after(Intent(0, 0), REFERENCE, Done(0, {})), try_number=2)
    assert batch.kinds() == ["Finish"]


@pytest.mark.parametrize(
    ("retryable", "settings", "tried"),
    [
        (True, {"try_number": 2}, True),
        (False, {"try_number": 2}, False),
        (True, {"try_number": 1}, False),
        (True, {"try_number": 2, "retry_failed": False}, False),
    ],
)
def test_what_a_retry_tries_again(retryable: bool, settings: Any, tried: bool) -> None:
    error = {"error": "TaskFailedError", "message": "No.", "retryable": retryable}
    state = after(Intent(0, 0), REFERENCE, Failed(0, 0, error, over=True, try_number=1))
    assert Batch(state=state, **settings).kinds() == (["Prepare"] if tried else ["Finish"])


@pytest.mark.parametrize("retry_failed", [True, False])
def test_a_retry_fetches_again_what_could_not_be_stored(retry_failed: bool) -> None:
    batch = Batch()
    batch.to_run()
    batch.poll()
    batch.pop(actions.Deliver)
    batch.tell(events.Broken(0, StorageError("Full.")))
    assert not failed(batch).over
    again = Batch(state=batch.machine.state, try_number=2, retry_failed=retry_failed)
    again.poll()
    again.pop(actions.Deliver)
    assert again.machine.state.submits == 1


def test_the_deadline_cancels_what_runs() -> None:
    batch = Batch(documents=3, max_in_flight=2, deadline_at=BEGINNING + 100)
    batch.to_run(0)
    batch.to_send(1)
    batch.now += 100
    batch.tell(events.Tick())
    batch.pop(actions.Cancel, 0)
    batch.tell(events.CancelEnded(0, True, TaskStatus.PROCESSING))
    assert batch.commit() == (Cancelled(0, 0),)
    batch.tell(events.Sent(1, OPERATIONS[-1], "id-1", batch.now))
    batch.commit()
    batch.pop(actions.Cancel, 1)
    batch.tell(events.CancelEnded(1, False, None))
    assert batch.kinds()[-1] == "Finish"
    assert batch.machine.stopped == "deadline"
    assert batch.machine.state.of(1).running is not None


@pytest.mark.parametrize("error", [TaskUnknownError, TaskExpiredError])
def test_the_journal_says_why_a_document_whose_result_is_gone_is_left(error: type[AsposeOcrError]) -> None:
    """Nothing more is submitted, and only another submit would help."""
    batch = Batch(deadline_at=BEGINNING + 100)
    batch.to_run()
    batch.poll()
    batch.pop(actions.Deliver)
    batch.now += 100
    batch.tell(events.Tick())
    batch.tell(events.Broken(0, error("It is gone.")))
    (record,) = batch.commit()
    assert isinstance(record, Undecided)
    assert batch.kinds()[-1] == "Finish"
    known = batch.machine.state.of(0)
    assert known.error is not None
    assert (known.outcome, known.error["error"]) == (None, error.__name__)
    assert known.running is not None  # A later try asks for it, and finds out the same.
    again = Batch(state=batch.machine.state, try_number=2)
    again.now += 60
    again.poll(GONE)
    assert again.pop(actions.Announce) == actions.Announce(0, 0, "gone")


def test_what_is_completed_at_the_deadline_is_stored() -> None:
    batch = Batch(timeout_seconds=100)
    batch.to_run()
    batch.now += 100
    batch.poll(TaskState(taskStatus="Processing"))
    batch.pop(actions.Cancel)
    batch.tell(events.CancelEnded(0, False, TaskStatus.COMPLETED))
    batch.pop(actions.Deliver)


def test_the_budget_covers_whole_documents_only() -> None:
    batch = Batch(documents=3, steps=2, max_submits=5)
    assert batch.kinds() == ["Prepare", "Prepare"]


def test_nothing_is_submitted_after_too_many_failures() -> None:
    batch = Batch(documents=3, max_in_flight=1, stop_after_failures=1)
    batch.pop(actions.Prepare)
    batch.tell(events.Broken(0, SourceError("No.")))
    batch.commit()
    assert batch.kinds() == ["Discard", "Finish"]
    assert batch.machine.stopped == "failures"


def test_it_is_idle_only_while_all_runs_and_nothing_can_be_begun() -> None:
    batch = Batch(documents=2, max_in_flight=1)
    assert not batch.machine.is_idle
    batch.to_run()
    assert batch.machine.is_idle
    batch.poll()
    assert not batch.machine.is_idle
