"""
The records of a batch's journal, typed, and as the JSON objects that the journal keeps.

Invariant: a record that this version does not understand is an error, never skipped: it may say that a document was billed.
Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Intent:
    """
    A document is about to be sent. Until its reference or its withdrawal follows, it may have been billed.

    :param document: Index of the document.
    :param step: Index of the step, from 0.
    :param again: Why it is sent although an earlier submit of the same step may have been billed: ``unknown`` it is not
        known whether that one was accepted; ``gone`` the cloud does not know its task any more; ``expired`` its result was
        not fetched within 24 hours. ``None``: no earlier submit of the step may have been billed.
    :param seconds: How long the cloud task of the step before took; ``None`` = it was not watched.
    :param kept: What was stored of the result of the step before, see :mod:`.kept_steps`; ``None`` = nothing was to be.
    """

    kind: ClassVar[str] = "intent"
    document: int
    step: int
    again: str | None = None
    seconds: float | None = None
    kept: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """
    The document of an intent was certainly not accepted.

    :param document: Index of the document.
    :param step: Index of the step.
    """

    kind: ClassVar[str] = "withdrawn"
    document: int
    step: int


@dataclass(frozen=True, slots=True)
class Reference:
    """
    The cloud has accepted a document.

    :param document: Index of the document.
    :param step: Index of the step.
    :param operation: Name of the operation that knows the task; the trial variant in evaluation mode.
    :param id: The cloud's id of the task.
    :param submitted_at: When it was sent, in seconds since the epoch.
    :param input_bytes: Size of what was sent.
    :param input_sha256: Checksum of what was sent, in hex.
    :param source: What is known about the original document since it was read: its ``uri``, ``qualifier``, ``bytes`` and
        ``sha256``; only with the first step.
    """

    kind: ClassVar[str] = "reference"
    document: int
    step: int
    operation: str
    id: str
    submitted_at: float
    input_bytes: int
    input_sha256: str
    source: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """
    All results of a document are stored.

    :param document: Index of the document.
    :param row: What the manifest says about it beside what the other records know: results, messages and the like.
    """

    kind: ClassVar[str] = "done"
    document: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """
    A document has failed, for this try.

    :param document: Index of the document.
    :param step: Index of the step that failed.
    :param error: The error, as :meth:`.AsposeOcrError.to_dict` describes it, with ``retryable``.
    :param over: Whether the step's cloud task is over, so that a later try submits again; ``False`` = a later try asks for
        the task again.
    :param try_number: Airflow's number of the try.
    :param final: Whether no later try sends it again, even if the error is retryable, because it was sent again once already
        or the user forbids it; ``None`` = no.
    :param again: Why the next submit may bill the step twice; see :class:`Intent`.
    """

    kind: ClassVar[str] = "failed"
    document: int
    step: int
    error: Mapping[str, Any]
    over: bool
    try_number: int
    final: bool | None = None
    again: str | None = None


@dataclass(frozen=True, slots=True)
class Undecided:
    """
    A try that submits nothing more leaves a document undecided, because only another submit could help it.

    It says in the manifest why. A later try goes on as if it were not there.

    :param document: Index of the document.
    :param step: Index of the step.
    :param error: What happened to the document, as :meth:`.AsposeOcrError.to_dict` describes it, with ``retryable``.
    """

    kind: ClassVar[str] = "undecided"
    document: int
    step: int
    error: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cancelled:
    """
    The cloud task of a document was cancelled, because the batch was stopped.

    :param document: Index of the document.
    :param step: Index of the step.
    """

    kind: ClassVar[str] = "cancelled"
    document: int
    step: int


@dataclass(frozen=True, slots=True)
class Refused:
    """
    The account was refused, so that nothing more is submitted; the next :class:`Intent` ends that.

    :param error: The error, as :meth:`.AsposeOcrError.to_dict` describes it, with ``retryable``.
    :param try_number: Airflow's number of the try.
    """

    kind: ClassVar[str] = "refused"
    error: Mapping[str, Any]
    try_number: int


@dataclass(frozen=True, slots=True)
class Keyed:
    """
    A document was read, and is about to be claimed in the register. Only in a batch with a register, as the next five.

    :param document: Index of the document.
    :param key: Its key, see :mod:`airflow_provider_asposeocr.ingestion.register`.
    :param source: What is known about the document since it was read, see :class:`Reference`, and its ``version``.
    """

    kind: ClassVar[str] = "keyed"
    document: int
    key: str
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The batch has claimed a document.

    :param document: Index of the document.
    :param n: Number of the claim.
    """

    kind: ClassVar[str] = "claimed"
    document: int
    n: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """
    The batch continues with a document of another batch, from the state in that batch's journal.

    :param document: Index of the document.
    :param state: What that batch's journal says about it, as :meth:`.DocumentState.to_dict` returns it.
    """

    kind: ClassVar[str] = "adopted"
    document: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """
    The register or the storage decides the outcome of a document, which is not sent.

    :param document: Index of the document.
    :param outcome: ``duplicate``, ``busy``, ``gone``, ``changed`` or ``failed``.
    :param row: What the manifest says about it.
    :param try_number: Airflow's number of the try.
    :param error: Why it failed, as in :class:`Failed`; ``None`` = it has not.
    :param final: Whether no later run sends it; ``None`` = no.
    """

    kind: ClassVar[str] = "settled"
    document: int
    outcome: str
    row: Mapping[str, Any]
    try_number: int
    error: Mapping[str, Any] | None = None
    final: bool | None = None


@dataclass(frozen=True, slots=True)
class Handed:
    """
    Another batch has taken a document over, and goes on with it. That batch writes it.

    :param document: Index of the document.
    :param journal: URI of the journal of that batch.
    """

    kind: ClassVar[str] = "handed"
    document: int
    journal: str


@dataclass(frozen=True, slots=True)
class Closed:
    """
    The claim of a document is closed in the register, and what was to be done with its source is done.

    :param document: Index of the document.
    """

    kind: ClassVar[str] = "closed"
    document: int


@dataclass(frozen=True, slots=True)
class BusyUntil:
    """
    The batch waits until a moment for the last documents, which other batches have.

    :param at: Until when, in seconds since the epoch.
    """

    kind: ClassVar[str] = "busy until"
    at: float


@dataclass(frozen=True, slots=True)
class Replanned:
    """
    A later try was given other steps. Documents that are done stay; the others go through the new steps.

    :param steps: All steps from now on, as :meth:`.Step.to_dict` describes them.
    :param first: Index of the first step that was changed. What a document has done before it stays.
    :param retries_failed: Whether documents that have failed at a changed step are submitted again.
    """

    kind: ClassVar[str] = "replanned"
    steps: Sequence[Mapping[str, Any]]
    first: int
    retries_failed: bool


@dataclass(frozen=True, slots=True)
class Whole:
    """
    The whole state of a document; only in snapshots, where it replaces the earlier records of the document.

    :param document: Index of the document.
    :param state: What :meth:`.DocumentState.to_dict` returns.
    """

    kind: ClassVar[str] = "document"
    document: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Durations:
    """
    How long cloud tasks take, as it was learned; only in snapshots.

    :param book: What :meth:`.DurationBook.to_dict` returns.
    """

    kind: ClassVar[str] = "durations"
    book: Mapping[str, Any]


Record = (
    Intent
    | Withdrawn
    | Reference
    | Done
    | Failed
    | Undecided
    | Cancelled
    | Refused
    | Replanned
    | Keyed
    | Claimed
    | Adopted
    | Settled
    | Handed
    | Closed
    | BusyUntil
    | Whole
    | Durations
)

_KINDS: dict[str, type[Record]] = {cls.kind: cls for cls in get_args(Record)}
_NAMES = {cls: tuple(field.name for field in fields(cls)) for cls in _KINDS.values()}


def record_to_dict(record: Record, epoch: int = 0) -> dict[str, Any]:
    """
    Return a record as a JSON object.

    :param record: The record.
    :param epoch: Number of the process that writes it, see :mod:`.journal`.
    :return: Its fields, those that are ``None`` left out; its kind as ``record``, and the ``epoch``.
    """
    described: dict[str, Any] = {"record": record.kind, "epoch": epoch}
    for name in _NAMES[type(record)]:
        value = getattr(record, name)
        if value is not None:
            described[name] = value
    return described


def parse_record(value: Mapping[str, Any]) -> Record:
    """
    Read a record.

    :param value: A JSON object of a journal.
    :raises JournalError: if it is not a record that this version knows.
    """
    try:
        cls = _KINDS[value["record"]]
        record = cls(**{name: value[name] for name in _NAMES[cls] if name in value})
    except (KeyError, TypeError) as error:
        raise JournalError(
            f"The journal has a record that this version does not understand: {shown(repr(dict(value)), 200)} "
            f"({shown(error)})."
        ) from None
    return record
