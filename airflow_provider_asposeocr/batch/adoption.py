"""
Take over documents of batches whose processes have ended.

Invariant: the journal of such a batch is taken over before it is read. So its process, if it still lives, sends nothing
more, and the journal has all that it sent. The caller has the document's claim already.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError, JournalUnreachableError
from airflow_provider_asposeocr.batch.left import take_over_batch
from airflow_provider_asposeocr.batch.records import Handed, record_to_dict
from airflow_provider_asposeocr.documents.file_systems import UnusablePathError
from airflow_provider_asposeocr.documents.uris import reachable
from airflow_provider_asposeocr.ingestion.errors import RegisterError
from airflow_provider_asposeocr.ingestion.register import STORED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.left import LeftBatch
    from airflow_provider_asposeocr.ingestion.register_records import JournalPlace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NeverBegun:
    """The batch had the claim, but its journal does not have it yet: the claim before it says what was sent."""


@dataclass(frozen=True)
class NothingSent:
    """The document was not sent, or its cloud task is over without a result."""


@dataclass(frozen=True)
class Sent:
    """
    The document was sent, or may have been.

    :param state: What is known about its steps, see :class:`.records.Adopted`.
    """

    state: Mapping[str, Any]


@dataclass(frozen=True)
class Stored:
    """
    The results of the document are stored.

    :param left: The batch that has stored them.
    :param index: Index of the document in it.
    """

    left: LeftBatch
    index: int


@dataclass(frozen=True)
class FailedBefore:
    """
    The document has failed.

    :param left: The batch in which it has.
    :param index: Index of the document in it.
    """

    left: LeftBatch
    index: int


Found = NeverBegun | NothingSent | Sent | Stored | FailedBefore

#: For a document without a readable journal: it may have been sent for its first step.
UNSURE = Sent({"step": 0, "intended": True, "steps": [{}]})


def judge(left: LeftBatch, index: int, key: str, account: str) -> Found:
    """
    Decide from the journal of another batch where a document continues. Pure.

    :param left: The batch, as its journal describes it.
    :param index: Index of the document in it.
    :param key: The document's key.
    :param account: Fingerprint of the account that continues with the document.
    """
    known = left.state.documents.get(index)
    if known is None or known.key != key or known.n == 0:
        return NeverBegun()
    if known.outcome in STORED:
        return Stored(left, index)
    if known.is_left_open:
        # The cloud does not know the tasks of one account by the credentials of another.
        return Sent(_sent(known)) if left.batch.account == account else UNSURE
    return FailedBefore(left, index) if known.outcome == "failed" else NothingSent()


def _sent(known: DocumentState) -> dict[str, Any]:
    return {
        "step": known.step,
        "intended": known.intended,
        "steps": [step.to_dict() for step in known.steps],
    }


class LeftJournals:
    """
    The journals that a batch has taken over for some of their documents. Threads may share it.

    :param journal: URI of the journal of the batch that goes on.
    :param account: Fingerprint of its account.
    """

    def __init__(self, journal: str, account: str) -> None:
        self._journal = journal
        self._account = account
        self._lock = threading.Lock()
        self._left: dict[str, LeftBatch | None] = {}

    def find(self, place: JournalPlace, key: str) -> Found:
        """
        Take a journal over, once for all of its documents, and decide where one of them continues. Blocks.

        :param place: Where the document stands.
        :param key: Its key.
        :return: What :func:`judge` returned; :data:`UNSURE` if there is no journal any more, or it cannot be read.
        :raises JournalUnreachableError: if its storage does not answer; a retry may help.
        :raises RegisterError: if it cannot be opened because its connection is not there.
        """
        with self._lock:
            if place.journal not in self._left:
                self._left[place.journal] = _take_over(reachable(place.journal, self._journal))
            left = self._left[place.journal]
            if left is None:
                return UNSURE
            found = judge(left, place.index, key, self._account)
            if isinstance(found, Sent) and left.journal is not None:
                handed = Handed(place.index, self._journal)
                left.journal.append([record_to_dict(handed, left.journal.epoch)])
            return found


def _take_over(uri: str) -> LeftBatch | None:
    try:
        left = take_over_batch(uri)
    except JournalUnreachableError:
        raise
    except UnusablePathError as error:
        text = f"The journal {shown(uri, 300)} of a batch that has ended cannot be opened: {shown(error)}."
        raise RegisterError(text, billed="no") from None
    except JournalError as error:
        log.warning(
            "A batch has ended, and its journal cannot be read, so that it is unknown what it has sent: %s",
            error.message,
        )
        return None
    if left is None:
        log.warning(
            "The journal %s of a batch that has ended is gone, so that it is unknown what it has sent.",
            shown(uri, 300),
        )
    else:
        log.info("Taking documents over from the batch of the journal %s, which has ended", shown(uri, 300))
    return left
