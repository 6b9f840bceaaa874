"""
What the journal of a batch says about each document.

Invariant: the state is a function of the durable records and of nothing else, so that a process which takes a batch over has
the same state as the one before. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError
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
    record_to_dict,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(slots=True)
class StepState:
    """
    What is known about one step of one document.

    :param submits: How often the document was sent for it, without those that were certainly not accepted.
    :param doubts: How often it was sent although an earlier submit may have been billed. Each was announced.
    :param again: Why the next submit is one more, see :class:`.records.Intent`; ``None`` = it is not.
    :param reference: The cloud task; ``None`` = none is known.
    :param over: Whether that cloud task is over without a result, so that the step needs another one.
    :param seconds: How long the cloud task took; ``None`` = it was not watched.
    :param kept: What was stored of its result for people, see :mod:`.kept_steps`; ``None`` = nothing.
    """

    submits: int = 0
    doubts: int = 0
    again: str | None = None
    reference: Reference | None = None
    over: bool = False
    seconds: float | None = None
    kept: Mapping[str, Any] | None = None

    @property
    def task(self) -> Reference:
        """
        The cloud task.

        :raises LookupError: if none is known.
        """
        if self.reference is None:
            raise LookupError("The step has no cloud task.")
        return self.reference

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON object, without what has its default."""
        found: dict[str, Any] = {
            name: value
            for name in ("submits", "doubts", "again", "over", "seconds", "kept")
            if (value := getattr(self, name))
        }
        if self.reference is not None:
            found["reference"] = record_to_dict(self.reference)
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> StepState:
        """
        Read a state.

        :param value: What :meth:`to_dict` returned.
        """
        reference = parse_record(value["reference"]) if "reference" in value else None
        if reference is not None and not isinstance(reference, Reference):
            raise JournalError("The journal has a snapshot in which a reference is something else.")
        return cls(**{**value, "reference": reference})


@dataclass(slots=True)
class DocumentState:
    """
    What is known about one document.

    :param step: The step that it has come to.
    :param intended: Whether it may have been sent for that step, with no answer in the journal yet.
    :param steps: The states of its steps, up to the present one.
    :param source: What is known about the original document since it was read.
    :param outcome: ``None`` = it is not decided yet.
    :param row: What the manifest says beside, as JSON, which takes a tenth of the memory of a mapping.
    :param error: Why it failed.
    :param last_intent: Why the last intent was one more, for its withdrawal.
    :param try_number: Airflow's number of the try that decided.
    :param final: Whether no later try sends it again.
    :param epoch: Number of the process that wrote what is known.
    :param key: Its key in the register; ``None`` = it has none, or another document of the batch has the claim.
    :param n: Number of its claim; 0 = the journal knows of none.
    :param closed: Whether nothing is to be done about the claim any more.
    """

    step: int = 0
    intended: bool = False
    steps: list[StepState] = field(default_factory=list)
    source: Mapping[str, Any] | None = None
    outcome: str | None = None
    row: str | None = None
    error: Mapping[str, Any] | None = None
    last_intent: str | None = None
    try_number: int = 0
    final: bool = False
    epoch: int = 0
    key: str | None = None
    n: int = 0
    closed: bool = False

    @property
    def submits(self) -> int:
        """How many cloud tasks were submitted for it."""
        return sum(step.submits for step in self.steps)

    @property
    def doubts(self) -> int:
        """How many of its submits were announced as perhaps billed twice."""
        return sum(step.doubts for step in self.steps)

    @property
    def current(self) -> StepState:
        """The step that it has come to."""
        return self.at(self.step)

    def at(self, step: int) -> StepState:
        """
        Return a step.

        :param step: Its index; steps that were not reached yet are made.
        """
        while len(self.steps) <= step:
            self.steps.append(StepState())
        return self.steps[step]

    @property
    def running(self) -> Reference | None:
        """The cloud task of the current step, unless it is over or not known."""
        if self.intended or not self.steps:
            return None
        current = self.current
        return None if current.over else current.reference

    @property
    def may_run(self) -> bool:
        """Whether it was sent and is not over: a cloud task of it may run, or has a result that is paid for."""
        if self.intended or self.running is not None:
            return True
        return self.step > 0 and not (len(self.steps) > self.step and self.steps[self.step].over)

    @property
    def in_doubt(self) -> bool:
        """Whether an earlier submit of its step may have been billed, and nothing came of it."""
        return self.intended or (bool(self.steps) and self.current.again is not None)

    @property
    def is_left_open(self) -> bool:
        """Whether its claim stays open when its batch ends: what was sent may still run, or may have been billed."""
        # If a failed document may have been billed, its record in the register says so, and the next attempt is announced.
        return self.may_run or (self.in_doubt and self.outcome != "failed")

    @property
    def has_claim(self) -> bool:
        """Whether it may have an open claim of this batch in the register."""
        # With these two outcomes, the register has said that another document or batch has the claim.
        is_others = self.n == 0 and self.outcome in ("duplicate", "busy")
        return self.key is not None and not self.closed and not is_others

    @property
    def is_worth_retry(self) -> bool:
        """Whether it has failed, and a later try may succeed."""
        return self.outcome == "failed" and bool((self.error or {}).get("retryable")) and not self.final

    @property
    def may_have_result(self) -> bool:
        """Whether a later try may succeed with its present cloud task, which is not billed a second time."""
        return self.is_worth_retry and self.running is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the state as a JSON object, without what has its default."""
        names = (
            "step",
            "intended",
            "source",
            "outcome",
            "row",
            "error",
            "last_intent",
            "try_number",
            "final",
            "key",
            "n",
            "closed",
        )
        found: dict[str, Any] = {name: value for name in names if (value := getattr(self, name))}
        found["steps"] = [step.to_dict() for step in self.steps]
        return found

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> DocumentState:
        """
        Read a state.

        :param value: What :meth:`to_dict` returned.
        :raises JournalError: if it is anything else.
        """
        try:
            return cls(**{**value, "steps": [StepState.from_dict(step) for step in value["steps"]]})
        except (KeyError, TypeError) as error:
            raise JournalError(
                f"The journal has a snapshot that this version does not understand ({shown(error)})."
            ) from None


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
