"""The events that :mod:`.engine` passes to :mod:`.machine`, and the actions that the machine returns. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.ending import StopReason
    from airflow_provider_asposeocr.batch.records import Record


@dataclass(frozen=True, slots=True)
class Durable:
    """
    Records are in the journal, and no other process has taken the batch over.

    :param records: The records.
    """

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    The content that a document sends for its next step is on local disk.

    :param document: Index of the document.
    :param input_bytes: Its size.
    :param input_sha256: Its checksum in hex.
    :param source: What is known about the original document, where this is it.
    :param kept: What was stored of it for people, where it is the result of a step; see :mod:`.kept_steps`.
    """

    document: int
    input_bytes: int
    input_sha256: str
    source: Mapping[str, Any] | None = None
    kept: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """
    The cloud has accepted a document.

    :param document: Index of the document.
    :param operation: Name of the operation that knows the task.
    :param id: The cloud's id.
    :param submitted_at: When it was sent, in seconds since the epoch.
    """

    document: int
    operation: str
    id: str
    submitted_at: float


@dataclass(frozen=True, slots=True)
class Polled:
    """
    The cloud has told the status of a document's task.

    :param document: Index of the document.
    :param state: What it says.
    """

    document: int
    state: TaskState


@dataclass(frozen=True, slots=True)
class Delivered:
    """
    All results of a document are stored.

    :param document: Index of the document.
    :param row: What the manifest says about them.
    """

    document: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CancelEnded:
    """
    A cloud task that is not wanted any more was cancelled, or could not be.

    :param document: Index of the document.
    :param cancelled: Whether it was cancelled.
    :param status: What the cloud has said before; ``None`` = it did not answer.
    """

    document: int
    cancelled: bool
    status: TaskStatus | None


@dataclass(frozen=True, slots=True)
class ClaimTaken:
    """
    The batch has claimed a document in the register.

    :param document: Index of the document.
    :param n: Number of the claim.
    :param left: What the journal of the batch that had it says about it, see :class:`.records.Adopted`; ``None`` = nothing
        was sent.
    """

    document: int
    n: int
    left: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """
    A document is not sent: the register or its storage says what becomes of it.

    :param document: Index of the document.
    :param outcome: ``duplicate``, ``gone``, ``changed`` or ``failed``.
    :param row: What the manifest says about it.
    :param error: Why it failed; ``None`` = it has not.
    :param final: Whether no later run sends it.
    """

    document: int
    outcome: str
    row: Mapping[str, Any]
    error: AsposeOcrError | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Occupied:
    """
    Another batch has a document.

    :param document: Index of the document.
    :param row: Fields of its row in the manifest, if the other batch still has it at the end.
    """

    document: int
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Freed:
    """
    Another batch had a document, and this one may try to claim it now.

    :param document: Index of the document.
    """

    document: int


@dataclass(frozen=True, slots=True)
class Concluded:
    """
    The claim of a document that has ended is closed and its source is handled, or that failed.

    :param document: Index of the document.
    :param is_done: Whether it is done.
    """

    document: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """
    An action for a document has failed: its preparation, its claim, its submit, its poll or its delivery.

    :param document: Index of the document.
    :param error: Why it failed.
    """

    document: int
    error: AsposeOcrError


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Stop:
    """
    Nothing more is to be submitted.

    :param reason: Why the batch stops.
    :param cancel: Whether running cloud tasks are cancelled; if not, they are waited for.
    """

    reason: StopReason
    cancel: bool = False


Event = (
    Durable
    | Prepared
    | Sent
    | Polled
    | Delivered
    | CancelEnded
    | ClaimTaken
    | Decided
    | Occupied
    | Freed
    | Concluded
    | Broken
    | Tick
    | Stop
)


@dataclass(frozen=True, slots=True)
class Commit:
    """
    Write records into the journal; :class:`Durable` follows.

    :param records: The records.
    """

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """
    Bring the content that a document sends to local disk; :class:`Prepared` or :class:`Broken` follows.

    :param document: Index of the document.
    :param step: Index of the step that it is sent for.
    :param upstream: The cloud task whose result is sent; ``None`` = the source.
    """

    document: int
    step: int
    upstream: TaskRef | None


@dataclass(frozen=True, slots=True)
class Send:
    """
    Submit what was prepared; :class:`Sent` or :class:`Broken` follows.

    :param document: Index of the document.
    :param step: Index of the step.
    """

    document: int
    step: int


@dataclass(frozen=True, slots=True)
class Discard:
    """
    Remove the prepared content from local disk.

    :param document: Index of the document.
    """

    document: int


@dataclass(frozen=True, slots=True)
class Poll:
    """
    Ask for the status of a cloud task; :class:`Polled` or :class:`Broken` follows.

    :param document: Index of the document.
    :param ref: The task.
    """

    document: int
    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Deliver:
    """
    Fetch the results of a document's last cloud task and store them; :class:`Delivered` or :class:`Broken` follows.

    :param document: Index of the document.
    :param ref: The task.
    """

    document: int
    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Cancel:
    """
    Cancel a cloud task unless it has ended; :class:`CancelEnded` follows.

    :param document: Index of the document.
    :param ref: The task.
    :param because: Why, as the rest of a sentence that begins with "because".
    """

    document: int
    ref: TaskRef
    because: str


@dataclass(frozen=True, slots=True)
class Claim:
    """
    Ask the register about a document, and claim it; :class:`ClaimTaken`, :class:`Decided`, :class:`Occupied`,
    :class:`Freed` or :class:`Broken` follows.

    :param document: Index of the document.
    :param key: Its key.
    :param source: What is known about the document since it was read.
    :param instead_of: What is known about the document under the key that it had before its source was changed, whose claim
        is released; ``None`` = it had none.
    :param looks_only: Whether only to ask the register, because the document's content is not on local disk. :class:`Freed`
        follows instead of a claim.
    """

    document: int
    key: str
    source: Mapping[str, Any]
    looks_only: bool = False
    instead_of: DocumentState | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """
    Copy the results of a document to the names of another one with the same content; :class:`Decided` or :class:`Broken`
    follows.

    :param document: Index of the other one.
    :param row: What the manifest says about it; its results are those that are copied.
    :param file_stem: Name of these results below the destination, without the suffix of a type.
    """

    document: int
    row: Mapping[str, Any]
    file_stem: str


@dataclass(frozen=True, slots=True)
class Conclude:
    """
    Close the claim of a document whose results are stored, and leave, move or delete its source, as the user wants;
    :class:`Concluded` follows.

    :param document: Index of the document.
    :param known: What is known about it; the caller does not change it meanwhile.
    """

    document: int
    known: DocumentState


@dataclass(frozen=True, slots=True)
class Announce:
    """
    Tell the user that a document may be billed twice.

    :param document: Index of the document.
    :param step: Index of the step.
    :param why: ``unknown``, ``gone`` or ``expired``, see :class:`.records.Intent`.
    """

    document: int
    step: int
    why: str

    @property
    def reason(self) -> str:
        """The reason in words."""
        return _REASONS[self.why]


_REASONS = {
    "unknown": "it is not known whether the cloud accepted the submit before",
    "gone": "the cloud does not know the task of the submit before",
    "expired": "the cloud has not kept the result of the submit before",
}


@dataclass(frozen=True, slots=True)
class Finish:
    """The try is over: no document is under way, and none can be begun."""


Action = (
    Commit | Prepare | Send | Discard | Poll | Deliver | Cancel | Claim | Share | Conclude | Announce | Finish
)
