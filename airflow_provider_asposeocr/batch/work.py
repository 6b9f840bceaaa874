"""One document that is under way in this process: what it waits for, and what it holds. Pure."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.polling.poller import Poller
    from airflow_provider_asposeocr.api.responses import TaskRef


class Phase(Enum):
    """What a document waits for."""

    #: A place to read its source or the result of its last step.
    QUEUED = auto()
    #: That content on local disk.
    PREPARING = auto()
    #: A permit to be sent.
    PREPARED = auto()
    #: Its intent in the journal.
    INTENDING = auto()
    #: The cloud's answer to the submit.
    SENDING = auto()
    #: Its reference, or its withdrawal, in the journal.
    RECORDING = auto()
    #: The time of its next poll.
    RUNNING = auto()
    #: The answer to a poll.
    POLLING = auto()
    #: A place to fetch and store its results.
    READY = auto()
    #: Its results in the destination.
    DELIVERING = auto()
    #: The end of a cancel.
    CANCELLING = auto()
    #: Its last record in the journal.
    ENDING = auto()
    #: Its key in the journal, then its claim in the register.
    CLAIMING = auto()
    #: The end of the document of this batch that has the same content.
    FOLLOWING = auto()
    #: The end of another batch that has the document.
    BUSY = auto()
    #: The answer of the register whether that batch has ended.
    LOOKING = auto()


@dataclass(slots=True)
class Work:
    """
    A document under way.

    :param document: Index of the document.
    :param step: Index of the step that it is at.
    :param phase: What it waits for.
    :param reserved: How many submits of the budget are kept for it.
    :param input_bytes: Size of what was last prepared or sent.
    :param input_sha256: Its checksum in hex.
    :param source: What is known about the original document, until it stands in the journal.
    :param kept: What was stored of the result of the step before, likewise.
    :param doubt: Why its next submit is one more.
    :param holds_permit: Whether it may have been sent without a durable reference.
    :param holds_slot: Whether it counts as under way, by ``max_in_flight``; not while it waits for another document.
    :param claim: Number of its claim in the register, until that stands in the journal; 0 = none.
    :param holds_file: Whether what it sends is, or is being brought, on local disk.
    :param is_heavy: Whether the transfer under way counts as a heavy one.
    :param ref: The cloud task of its step.
    :param poller: The wait for it.
    :param due: When it is polled, or tried again, in seconds since the epoch.
    :param seconds: How long the cloud task of its step took.
    :param failing_since: When the requests for it began to fail in a row; 0 = they do not.
    :param attempts: How many have failed in a row.
    :param error: Why its cloud task is being cancelled; ``None`` = because the batch was stopped.
    """

    document: int
    step: int
    phase: Phase = Phase.QUEUED
    reserved: int = 0
    input_bytes: int = 0
    input_sha256: str = ""
    source: Mapping[str, Any] | None = None
    kept: Mapping[str, Any] | None = None
    doubt: str | None = None
    holds_permit: bool = False
    holds_slot: bool = True
    claim: int = 0
    holds_file: bool = False
    is_heavy: bool = False
    ref: TaskRef | None = None
    poller: Poller | None = None
    due: float = 0.0
    seconds: float | None = None
    failing_since: float = 0.0
    attempts: int = 0
    error: AsposeOcrError | None = None

    @property
    def task(self) -> TaskRef:
        """
        The cloud task of its step.

        :raises LookupError: if it has none yet, which its phase says.
        """
        if self.ref is None:
            raise LookupError(f"Document {self.document} has no cloud task in {self.phase}.")
        return self.ref

    @property
    def wait(self) -> Poller:
        """
        The wait for the cloud task.

        :raises LookupError: if there is none yet, which its phase says.
        """
        if self.poller is None:
            raise LookupError(f"Document {self.document} waits for no cloud task in {self.phase}.")
        return self.poller


class Line(list[tuple[bool, int, int, Work]]):
    """
    Documents that wait for a place, as a heap; a list, because each event asks whether it is empty.

    Those with a permit come first, since other documents wait for it; then those at later steps, since the cloud keeps their
    results for a day only.
    """

    _count = 0

    def put(self, work: Work) -> None:
        """
        Add a document at the end of those like it.

        :param work: The document.
        """
        self._count += 1
        heapq.heappush(self, (not work.holds_permit, -work.step, self._count, work))

    @property
    def first(self) -> Work:
        """The document whose turn it is."""
        return self[0][-1]

    def take(self) -> Work:
        """Take the document whose turn it is."""
        return heapq.heappop(self)[-1]


class Alarm:
    """Documents that are due at a time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Work]] = []
        self._count = 0

    @property
    def next_at(self) -> float | None:
        """The earliest moment; ``None`` = no document waits."""
        return self._heap[0][0] if self._heap else None

    def put(self, work: Work, at: float) -> None:
        """
        Add a document, or change the time of one.

        :param work: The document.
        :param at: The moment, in seconds since the epoch.
        """
        work.due = at
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, work))

    def take(self, now: float) -> Work | None:
        """
        Take a document that is due.

        :param now: Seconds since the epoch.
        :return: The document; ``None`` = there is none.
        """
        while self._heap and self._heap[0][0] <= now:
            at, _, work = heapq.heappop(self._heap)
            if work.due == at:
                work.due = 0.0
                return work
        return None
