"""What :mod:`.machine` tells :mod:`.engine` to do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.records import Record


@dataclass(frozen=True, slots=True)
class Commit:
    """
    Write records into the journal; :class:`.events.Durable` follows.

    :param records: The records.
    """

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Prepare:
    """
    Bring the content that a document sends to local disk; :class:`.events.Prepared` or :class:`.events.Broken` follows.

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
    Submit what was prepared; :class:`.events.Sent` or :class:`.events.Broken` follows.

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
    Ask for the status of a cloud task; :class:`.events.Polled` or :class:`.events.Broken` follows.

    :param document: Index of the document.
    :param ref: The task.
    """

    document: int
    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Deliver:
    """
    Fetch the results of a document's last cloud task and store them; :class:`.events.Delivered` or
    :class:`.events.Broken` follows.

    :param document: Index of the document.
    :param ref: The task.
    """

    document: int
    ref: TaskRef


@dataclass(frozen=True, slots=True)
class Cancel:
    """
    Cancel a cloud task unless it has ended; :class:`.events.CancelEnded` follows.

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
    Ask the register about a document, and claim it; :class:`.events.ClaimTaken`, :class:`.events.Decided`,
    :class:`.events.Occupied`, :class:`.events.Freed` or :class:`.events.Broken` follows.

    :param document: Index of the document.
    :param key: Its key.
    :param source: What is known about the document since it was read.
    :param instead_of: What is known about the document under the key that it had before its source was changed, whose claim
        is released; ``None`` = it had none.
    :param looks_only: Whether only to ask the register, because the document's content is not on local disk.
        :class:`.events.Freed` follows instead of a claim.
    """

    document: int
    key: str
    source: Mapping[str, Any]
    looks_only: bool = False
    instead_of: DocumentState | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """
    Copy the results of a document to the names of another one with the same content; :class:`.events.Decided` or
    :class:`.events.Broken` follows.

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
    :class:`.events.Concluded` follows.

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
