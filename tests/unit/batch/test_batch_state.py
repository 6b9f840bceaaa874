"""What the journal of a batch says, by its records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.records import (
    BusyUntil,
    Cancelled,
    Done,
    Durations,
    Failed,
    Intent,
    Reference,
    Refused,
    Replanned,
    Undecided,
    Whole,
    Withdrawn,
    parse_record,
    record_to_dict,
)
from airflow_provider_asposeocr.batch.state import BatchState, replay

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.records import Record

REFERENCE = Reference(0, 0, "UpscaleImage", "id-1", 1_800_000_000.0, 20_000, "aa", {"uri": "/in/0.png"})
ERROR = {"error": "TaskFailedError", "message": "No.", "retryable": True}
EVERY_KIND: list[Record] = [
    Intent(0, 0),
    Intent(0, 1, "unknown", 2.5, {"uri": "/out/a.png"}),
    Withdrawn(0, 1),
    REFERENCE,
    Done(0, {"results": [], "seconds": 1.0}),
    Failed(0, 1, ERROR, over=True, try_number=2, final=True, again="gone"),
    Undecided(0, 1, ERROR),
    Cancelled(0, 1),
    Refused(ERROR, 2),
    Replanned([{"operation": "RecognizeImage", "settings": {}}], 0, True),
    Whole(0, {"steps": []}),
    Durations({"version": 1}),
]


def written(*records: Record, epoch: int = 1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        json.dumps([record_to_dict(record, epoch) for record in records])
    )
    return found


def told(state: BatchState) -> dict[int, dict[str, Any]]:
    return {index: known.to_dict() for index, known in state.documents.items()}


@pytest.mark.parametrize("record", EVERY_KIND, ids=lambda record: record.kind)
def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    assert parse_record(written(record)[0]) == record


@pytest.mark.parametrize(
    "line", [{}, {"record": "teleported", "document": 0}, {"record": "intent", "document": 0}]
)
def test_a_record_that_is_not_understood_is_an_error(line: dict[str, Any]) -> None:
    with pytest.raises(JournalError, match="does not understand") as raised:
        replay([line])
    assert raised.value.billed == "maybe"
    assert not raised.value.retryable


def test_an_intent_without_an_answer_may_have_been_billed() -> None:
    known = replay(written(Intent(0, 0))).of(0)
    assert (known.intended, known.submits, known.running) == (True, 1, None)


def test_a_reference_answers_it() -> None:
    state = replay(written(Intent(0, 0), REFERENCE))
    assert not state.of(0).intended
    assert state.of(0).running == REFERENCE
    assert state.submits == 1


def test_a_withdrawn_intent_was_not_billed_and_keeps_its_doubt() -> None:
    state = replay(written(Intent(0, 0), Intent(0, 0, "unknown"), Withdrawn(0, 0)))
    known = state.of(0)
    assert (known.intended, known.submits, known.doubts) == (False, 1, 0)
    assert known.current.again == "unknown"


def test_a_failure_leaves_an_unanswered_submit_in_doubt() -> None:
    known = replay(written(Intent(0, 0), Failed(0, 0, ERROR, over=True, try_number=1))).of(0)
    assert known.current.again == "unknown"
    assert known.outcome == "failed"


def test_why_a_document_was_left_undecided_lasts_until_it_is_sent_again() -> None:
    left = (Intent(0, 0), REFERENCE, Undecided(0, 0, ERROR))
    known = replay(written(*replay(written(*left)).snapshot())).of(0)
    assert (known.outcome, known.error, known.running) == (None, ERROR, REFERENCE)
    assert replay(written(*left, Intent(0, 0, "gone"))).of(0).error is None


def test_a_document_that_has_failed_before_stays_failed_for_its_first_reason() -> None:
    refused = {**ERROR, "message": "The storage is full."}
    failed = Failed(0, 0, refused, over=False, try_number=1)
    known = replay(written(Intent(0, 0), REFERENCE, failed, Undecided(0, 0, ERROR))).of(0)
    assert (known.outcome, known.error) == ("failed", refused)


def test_counts_follow_the_last_outcome() -> None:
    failed = Failed(0, 0, ERROR, over=True, try_number=1)
    state = replay(
        written(Intent(0, 0), REFERENCE, failed, Intent(0, 0), REFERENCE, Done(0, {"results": []}))
    )
    assert +state.outcomes == {"succeeded": 1}
    assert state.submits == 2


@pytest.mark.parametrize(
    "late",
    [
        Intent(0, 0),
        Reference(0, 0, "UpscaleImage", "id-late", 1_800_000_000.0, 20_000, "aa"),
        Failed(0, 0, ERROR, over=True, try_number=1),
        Withdrawn(0, 0),
        Cancelled(0, 0),
        Undecided(0, 0, ERROR),
    ],
    ids=lambda record: record.kind,
)
@pytest.mark.parametrize("end", [[], [Done(0, {"results": []})]], ids=["running", "done"])
def test_a_record_that_a_stopped_process_wrote_too_late_changes_nothing(
    late: Record, end: list[Record]
) -> None:
    """A snapshot comes first in a replay, and the late record after it."""
    state = replay(written(Intent(0, 0), REFERENCE, *end, epoch=2))
    state.epoch = 2
    snapshot = written(*state.snapshot(), epoch=2)
    assert told(replay(snapshot + written(late, epoch=1))) == told(state)


@pytest.mark.parametrize(
    "late",
    [
        Replanned([{"operation": "RecognizeImage", "settings": {}}], 0, True),
        Refused(ERROR, 1),
        BusyUntil(1_800_000_000.0),
        Durations({"version": 0}),
    ],
    ids=lambda record: record.kind,
)
@pytest.mark.parametrize("sent", [(Intent(0, 0),), (Intent(0, 0), REFERENCE)], ids=["intended", "running"])
def test_a_record_about_the_whole_batch_that_came_too_late_changes_nothing(
    late: Record, sent: tuple[Record, ...]
) -> None:
    state = replay(written(*sent, Durations({"version": 1}), epoch=2), epoch=2)
    snapshot = written(*state.snapshot(), epoch=2)
    found = replay(snapshot + written(late, epoch=1))
    assert told(found) == told(state)
    assert (found.replanned, found.refused, found.busy_until, found.durations) == (
        None,
        None,
        None,
        {"version": 1},
    )


def test_steps_that_were_changed_count_where_the_next_process_has_written_nothing_yet() -> None:
    changed = Replanned([{"operation": "RecognizeImage", "settings": {}}], 0, True)
    state = replay(written(Intent(0, 0), REFERENCE, changed), epoch=2)
    assert (state.replanned, state.of(0).running) == (changed, None)


@pytest.mark.parametrize(
    ("before", "again", "submits", "doubts"),
    [
        # The second process took over before the first one's intent was durable: the first one did not send.
        (None, None, 1, 0),
        ("unknown", None, 1, 0),
        # It has read the intent: the document may have been billed, and was announced.
        (None, "unknown", 2, 1),
    ],
)
def test_an_intent_of_which_the_next_process_did_not_know_was_not_sent(
    before: str | None, again: str | None, submits: int, doubts: int
) -> None:
    first = written(Intent(0, 0, before), epoch=1)
    state = replay(first + written(Intent(0, 0, again), REFERENCE, epoch=2))
    assert (state.of(0).submits, state.of(0).doubts, state.submits) == (submits, doubts, submits)
    assert state.of(0).running == REFERENCE


def test_a_snapshot_makes_the_same_state() -> None:
    records = written(
        Intent(0, 0),
        REFERENCE,
        Intent(0, 1, seconds=3.0),
        Intent(1, 0),
        Intent(2, 0, "gone"),
        Withdrawn(2, 0),
        Intent(3, 0),
        Failed(3, 0, ERROR, over=True, try_number=2, final=True),
        Durations({"version": 1}),
    )
    state = replay(records)
    again = replay(written(*state.snapshot()))
    assert told(again) == told(state)
    assert (again.submits, +again.outcomes, again.durations) == (
        state.submits,
        +state.outcomes,
        state.durations,
    )


@pytest.mark.parametrize("state", [{}, {"steps": [{"submit": 1}]}, {"steps": [], "colour": "red"}])
def test_a_snapshot_that_is_not_understood_is_an_error(state: dict[str, Any]) -> None:
    with pytest.raises(JournalError):
        replay(written(Whole(0, state)))


def test_a_refusal_of_the_account_lasts_until_something_is_sent() -> None:
    refused = Refused(ERROR, 1)
    state = replay(written(Intent(0, 0), REFERENCE, refused))
    assert state.refused == refused
    assert replay(written(*state.snapshot())).refused == refused
    state.apply(Intent(1, 0))
    assert state.refused is None


class TestOtherSteps:
    """The second of three steps was changed before a later try."""

    STEPS: ClassVar[list[dict[str, Any]]] = [
        {"operation": name, "settings": {}} for name in ("UpscaleImage", "Deskew", "RecognizeImage")
    ]
    SECOND = Reference(0, 1, "BinarizeImage", "id-2", 1_800_000_000.0, 20_000, "aa")

    def after(self, *records: Record, retries_failed: bool = True) -> Any:
        state = replay(written(*records, Replanned(self.STEPS, 1, retries_failed)))
        assert told(replay(written(*state.snapshot()))) == told(state)
        assert replay(written(*state.snapshot())).replanned == state.replanned
        assert state.submits == sum(known.submits for known in state.documents.values())
        return state

    @pytest.mark.parametrize(
        "records", [(REFERENCE,), (REFERENCE, Failed(0, 0, ERROR, over=False, try_number=1))]
    )
    def test_before_it_a_document_goes_on(self, records: tuple[Record, ...]) -> None:
        before = replay(written(Intent(0, 0), *records))
        assert told(self.after(Intent(0, 0), *records)) == told(before)

    def test_a_cloud_task_at_it_does_not_count_and_its_bill_does(self) -> None:
        known = self.after(Intent(0, 0), REFERENCE, Intent(0, 1), self.SECOND).of(0)
        assert (known.step, known.running, known.outcome, known.submits) == (1, None, None, 2)
        assert known.at(0).reference == REFERENCE

    def test_a_submit_without_an_answer_stays_one(self) -> None:
        known = self.after(Intent(0, 0), REFERENCE, Intent(0, 1)).of(0)
        assert (known.step, known.intended, known.current.again, known.submits) == (1, False, "unknown", 2)

    def test_what_comes_after_it_is_done_again(self) -> None:
        third = Reference(0, 2, "RecognizeImage", "id-3", 1_800_000_000.0, 20_000, "aa")
        steps = (Intent(0, 0), REFERENCE, Intent(0, 1), self.SECOND, Intent(0, 2), third)
        known = self.after(*steps).of(0)
        assert (known.step, known.running, len(known.steps), known.submits) == (1, None, 2, 3)

    @pytest.mark.parametrize(("retries_failed", "outcome"), [(True, None), (False, "failed")])
    def test_what_has_failed_at_it_is_tried_again_if_the_user_wants_that(
        self, retries_failed: bool, outcome: str | None
    ) -> None:
        refused = Failed(0, 1, {**ERROR, "retryable": False}, over=True, try_number=1)
        state = self.after(
            Intent(0, 0), REFERENCE, Intent(0, 1), self.SECOND, refused, retries_failed=retries_failed
        )
        assert state.of(0).outcome == outcome
        assert dict(+state.outcomes) == ({} if outcome is None else {"failed": 1})

    def test_what_is_done_stays(self) -> None:
        done = (Intent(0, 0), REFERENCE, Intent(0, 1), self.SECOND, Done(0, {"results": []}))
        assert told(self.after(*done)) == told(replay(written(*done)))
