"""
Limits of a batch: documents at once, transfers at once, unanswered submits, and the budget of submits. Pure.

Invariant: what is counted here does not depend on the number of documents, so that memory, local disk, what runs in the
cloud and what a killed worker leaves unknown are bounded by parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.work import Work

#: Most documents that are read, fetched or stored at once.
MOST_TRANSFERS = 32
#: Most of them that are heavy: their content passes through memory in large pieces.
MOST_HEAVY = 8
#: From this size on a document is heavy.
HEAVY_BYTES = 256 * 1024
#: A snapshot replaces the parts of the journal when there are more than this number, which the next process would read,
MOST_PARTS = 200
#: and more than one for this number of documents, because a snapshot is as large as the batch.
DOCUMENTS_PER_PART = 10


@dataclass
class Gate:
    """
    A number of places.

    :param places: How many there are.
    :param taken: How many are taken; by default none.
    """

    places: int
    taken: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a place is free."""
        return self.taken < self.places

    def take(self) -> None:
        """Take a place, also if none is free: documents that an earlier process has begun go on."""
        self.taken += 1

    def leave(self) -> None:
        """Give a place back."""
        self.taken -= 1


@dataclass
class Budget:
    """
    How many cloud tasks may be submitted, all tries together.

    :param most: The limit; ``None`` = none.
    :param reserved: How many are promised to documents that are under way; by default none.
    """

    most: int | None
    reserved: int = 0

    def allows(self, submits: int, more: int) -> bool:
        """
        Tell whether the budget covers more cloud tasks.

        :param submits: How many were submitted.
        :param more: How many more are wanted.
        """
        return self.most is None or submits + self.reserved + more <= self.most


class Limits:
    """
    All limits of one process.

    :param settings: What the user sets.
    """

    def __init__(self, settings: BatchSettings) -> None:
        self.slots = Gate(settings.max_in_flight)
        self.permits = Gate(settings.max_unanswered_submits)
        #: Documents whose content is on local disk to be sent.
        self.files = Gate(settings.max_unanswered_submits + MOST_HEAVY)
        self.budget = Budget(settings.max_submits)
        self._transfers, self._heavy = Gate(MOST_TRANSFERS), Gate(MOST_HEAVY)

    @property
    def are_unused(self) -> bool:
        """Whether nothing takes a place, as it is when no document is under way."""
        gates = (self.slots, self.permits, self.files, self._transfers, self._heavy)
        return not any(gate.taken for gate in gates)

    def begin_transfer(self, work: Work, size_bytes: int) -> bool:
        """
        Take a place for a transfer, if one is free.

        :param work: The document.
        :param size_bytes: How large it is, as far as that is known; results are about as large as what was sent.
        :return: Whether one was free.
        """
        is_heavy = size_bytes >= HEAVY_BYTES
        if not self._transfers.is_open or (is_heavy and not self._heavy.is_open):
            return False
        self._transfers.take()
        if is_heavy:
            self._heavy.take()
        work.is_heavy = is_heavy
        return True

    def end_transfer(self, work: Work) -> None:
        """
        Give the place of a transfer back.

        :param work: The document.
        """
        self._transfers.leave()
        if work.is_heavy:
            self._heavy.leave()
            work.is_heavy = False

    def take_permit(self, work: Work) -> None:
        """
        Take a permit, unless the document holds one.

        :param work: The document.
        """
        if not work.holds_permit:
            work.holds_permit = True
            self.permits.take()

    def release_permit(self, work: Work) -> None:
        """
        Give the permit back, if the document holds one.

        :param work: The document.
        """
        if work.holds_permit:
            work.holds_permit = False
            self.permits.leave()

    def reserve(self, work: Work, submits: int) -> None:
        """
        Keep a part of the budget for a document.

        :param work: The document.
        :param submits: How many cloud tasks it still needs.
        """
        self.budget.reserved += submits - work.reserved
        work.reserved = submits


def most_parts(documents: int) -> int:
    """
    Return how many parts of the journal the next process may have to read.

    :param documents: Of the batch. To write ten thousand of them takes half a second, as long as to read 200 parts from S3.
    """
    return max(MOST_PARTS, documents // DOCUMENTS_PER_PART)
