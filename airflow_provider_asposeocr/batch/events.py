"""What :mod:`.engine` tells :mod:`.machine`: what has happened. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.responses import TaskState
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
