"""
What the journal of a batch says about all of its documents together.

Invariant: the state is a function of the durable records and of nothing else, so that a process which takes a batch over has
the same state as the one before. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.batch.document_state import DocumentState, StepState
from airflow_provider_asposeocr.batch.records import (
    Adopted,
    BusyUntil,
    Cancelled,
    Claimed,
    Closed,
    Done,
    Durations,
    Failed,
    Handed,
    Intent,
    Keyed,
    Record,
    Reference,
    Refused,
    Replanned,
    Settled,
    Undecided,
    Whole,
    Withdrawn,
    parse_record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class BatchState:
    """The documents of a batch that have records; all others are untouched."""

    def __init__(self) -> None:
        self.documents: dict[int, DocumentState] = {}
        #: How many cloud tasks were submitted, in all.
        self.submits = 0
        #: How many documents have which outcome, those that have one.
        self.outcomes: Counter[str] = Counter()
        #: How long cloud tasks take, from the last snapshot.
        self.durations: Mapping[str, Any] | None = None
        #: Why nothing more is submitted, where the account was refused.
        self.refused: Refused | None = None
        #: The steps, where a later try was given others than the batch began with.
        self.replanned: Replanned | None = None
        #: Until when the batch waits for documents that others have, in seconds since the epoch; ``None`` = not yet.
        self.busy_until: float | None = None
        #: Number of the process whose records are applied.
        self.epoch = 0
        #: Highest number of a process whose records were applied.
        self._newest_epoch = 0

    def of(self, document: int) -> DocumentState:
        """
        Return the state of a document.

        :param document: Its index.
        """
        found = self.documents.get(document)
        if found is None:
            found = self.documents[document] = DocumentState()
        return found

    def apply(self, record: Record) -> None:
        """
        Take a durable record.

        :param record: The record. A record of a process that has lost the batch to another one is ignored if the new owner
            has written about the same document since, or, for a record about the whole batch, has written anything. The new
            owner knew all that had been sent, and a replay may have its snapshot before a record that the old owner wrote
            too late.
        """
        if isinstance(record, Durations | Refused | Replanned | BusyUntil):
            if self.epoch >= self._newest_epoch:
                self._newest_epoch = self.epoch
                self._apply_to_all(record)
            return
        document = self.of(record.document)
        if self.epoch < document.epoch:
            return
        self._newest_epoch = max(self._newest_epoch, self.epoch)
        self._uncount(document)
        if isinstance(record, Whole):
            document = self.documents[record.document] = DocumentState.from_dict(record.state)
        else:
            if isinstance(record, Intent) and self._did_not_know_of(document, record):
                _take_back(document)
            if isinstance(record, Intent):
                self.refused = None
            _apply(document, record)
        document.epoch = self.epoch
        self.submits += document.submits
        if document.outcome is not None:
            self.outcomes[document.outcome] += 1

    def _apply_to_all(self, record: Durations | Refused | Replanned | BusyUntil) -> None:
        match record:
            case Durations(book):
                self.durations = book
            case Refused():
                self.refused = record
            case Replanned():
                self._replan(record)
            case BusyUntil(at):
                self.busy_until = at

    def _replan(self, record: Replanned) -> None:
        self.replanned = record
        for document in self.documents.values():
            again = document.outcome in (None, "cancelled") or (
                document.outcome == "failed" and record.retries_failed
            )
            if again and document.step >= record.first:
                self._uncount(document)
                _begin_again_at(document, record.first)
                document.epoch = self.epoch
                self.submits += document.submits

    def _did_not_know_of(self, document: DocumentState, record: Intent) -> bool:
        """
        Tell whether the process of an intent had not read the unanswered intent before it.

        If it had read it, it would have announced its own intent as a second submit. So the earlier intent became durable
        only after the take-over. Its writer then found the higher epoch, and did not send the document.
        """
        is_unanswered = document.intended and document.step == record.step
        return is_unanswered and record.again is None and document.epoch < self.epoch

    def _uncount(self, document: DocumentState) -> None:
        self.submits -= document.submits
        if document.outcome is not None:
            self.outcomes[document.outcome] -= 1

    def snapshot(self) -> Iterator[Record]:
        """Return records that make the same state, one per document."""
        if self.durations is not None:
            yield Durations(self.durations)
        if self.refused is not None:
            yield self.refused
        if self.replanned is not None:
            yield self.replanned
        if self.busy_until is not None:
            yield BusyUntil(self.busy_until)
        for index in sorted(self.documents):
            yield Whole(index, self.documents[index].to_dict())


def replay(records: Iterable[Mapping[str, Any]], epoch: int | None = None) -> BatchState:
    """
    Return the state that a journal's records make.

    :param records: The JSON objects, in their order.
    :param epoch: Number of the process that goes on, whose records are applied next; by default that of the last record.
    :raises JournalError: if one of them is not understood.
    """
    state = BatchState()
    for value in records:
        state.epoch = value.get("epoch", 0)
        state.apply(parse_record(value))
    if epoch is not None:
        state.epoch = epoch
    return state


def _apply(document: DocumentState, record: Record) -> None:
    match record:
        case Intent():
            _intend(document, record)
        case Withdrawn():
            document.step = record.step
            _take_back(document)
        case Reference():
            document.step, document.intended = record.step, False
            step = document.at(record.step)
            step.reference, step.over, step.again = record, False, None
            document.source = record.source or document.source
        case Done():
            row = dict(record.row)
            document.current.seconds = row.pop("seconds", None)
            _decide(document, row.pop("outcome", "succeeded"))
            document.row, document.error = json.dumps(row, separators=(",", ":")), None
        case Failed():
            _leave_unanswered(document)
            document.step, document.error = record.step, record.error
            step = document.at(record.step)
            step.over, step.again = record.over, step.again or record.again
            document.try_number, document.final = record.try_number, bool(record.final)
            _decide(document, "failed")
        case Undecided():
            # A document that an earlier try has given up stays what it was.
            if document.outcome is None:
                document.step, document.error = record.step, record.error
        case Cancelled():
            document.step = record.step
            document.at(record.step).over = True
            _decide(document, "cancelled")
        case _:
            _apply_of_register(document, record)


def _apply_of_register(document: DocumentState, record: Record) -> None:
    match record:
        case Keyed():
            if document.key != record.key or document.closed:
                document.n, document.closed = 0, False
            document.key, document.source = record.key, record.source
            if document.outcome == "busy":
                document.outcome = document.row = None
        case Claimed():
            document.n, document.closed, document.outcome, document.row = record.n, False, None, None
        case Adopted():
            left = DocumentState.from_dict(record.state)
            document.step, document.steps, document.intended = left.step, left.steps, left.intended
            document.outcome = document.row = document.error = None
        case Settled():
            _leave_unanswered(document)
            document.row, document.error = json.dumps(record.row, separators=(",", ":")), record.error
            document.try_number, document.final = record.try_number, bool(record.final)
            _decide(document, record.outcome)
        case Handed():
            # Keep what was sent: the batch that has taken over may die before its own journal has it.
            document.outcome, document.closed = "busy", True
        case Closed():
            document.closed = True


def _intend(document: DocumentState, record: Intent) -> None:
    if record.step != document.step:
        _leave_unanswered(document)
    document.step, document.intended, document.last_intent = record.step, True, record.again
    document.outcome = document.row = document.error = None
    document.final = False
    # A process that sends the document again has not watched the first cloud task.
    if record.step and record.seconds is not None:
        document.at(record.step - 1).seconds = record.seconds
    if record.step and record.kept is not None:
        document.at(record.step - 1).kept = record.kept
    step = document.at(record.step)
    step.seconds = None
    step.submits += 1
    step.doubts += record.again is not None
    step.again, step.reference, step.over, step.kept = None, None, False, None


def _begin_again_at(document: DocumentState, step: int) -> None:
    """Forget the cloud tasks of a step and those after it, but not how often the document was sent for them."""
    _leave_unanswered(document)
    document.at(step)
    dropped = document.steps[step:]
    document.steps[step:] = [
        StepState(
            submits=sum(each.submits for each in dropped),
            doubts=sum(each.doubts for each in dropped),
            again="unknown" if any(each.again == "unknown" for each in dropped) else None,
        )
    ]
    document.step, document.last_intent, document.final = step, None, False
    document.outcome = document.row = document.error = None


def _take_back(document: DocumentState) -> None:
    """Undo the last intent: the document was certainly not accepted."""
    step = document.current
    step.submits -= 1
    step.doubts -= document.last_intent is not None
    step.again = document.last_intent
    document.intended = False


def _leave_unanswered(document: DocumentState) -> None:
    """Note that the current submit was never answered, before the document continues without it."""
    if document.intended:
        document.current.again = "unknown"
        document.intended = False


def _decide(document: DocumentState, outcome: str) -> None:
    document.intended, document.outcome = False, outcome
