"""
Close the claims of a batch in the register.

Invariant: a claim is closed by what its journal says, and the journal notes it. A claim whose document may still run stays
open: the next batch that finds the document takes it over.
"""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.batch.records import Closed, record_to_dict
from airflow_provider_asposeocr.documents.uris import same_place, source_uri
from airflow_provider_asposeocr.ingestion.register import RecordName, close_with
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import (
    ClaimRecord,
    DoneRecord,
    FailedRecord,
    JournalPlace,
    ReleasedRecord,
    Source,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.journal import Journal
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.state import BatchState
    from airflow_provider_asposeocr.ingestion.register import Closing

log = logging.getLogger(__name__)

#: Records that are created at once.
_THREADS = 16


def now_text() -> str:
    """Return the present time as ISO 8601, for people who read the records."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def source_of(batch: Batch, index: int, source: Mapping[str, Any] | None) -> Source:
    """
    Describe a document for a record.

    :param batch: Its batch.
    :param index: Its index.
    :param source: What is known about it since it was read; ``None`` = it was not.
    """
    known = source or {}
    return Source(
        uri=known.get("uri") or source_uri(batch.documents[index].source),
        bytes=known.get("bytes"),
        sha256=known.get("sha256"),
        version=known.get("version"),
    )


def done_record(batch: Batch, journal: str, index: int, known: DocumentState) -> DoneRecord:
    """
    Make the record of a document whose results are stored.

    :param batch: The batch that has stored them.
    :param journal: URI of its journal.
    :param index: Index of the document.
    :param known: What the journal says about it.
    """
    row = json.loads(known.row or "{}")
    is_low = known.outcome == "low_quality"
    return DoneRecord(
        at=now_text(),
        place=JournalPlace(journal=journal, index=index),
        manifest=batch.manifest,
        source=source_of(batch, index, known.source),
        destination=batch.destination,
        file_stem=row.get("file_stem") or batch.documents[index].file_stem,
        results=row.get("results", []),
        outcome="low_quality" if is_low else "succeeded",
        quality=row.get("quality") if is_low else None,
    )


def failed_record(batch: Batch, journal: str, index: int, known: DocumentState) -> FailedRecord:
    """
    Make the record of a document of which an attempt has failed.

    :param batch: The batch.
    :param journal: URI of its journal.
    :param index: Index of the document.
    :param known: What the journal says about it.
    """
    return FailedRecord(
        at=now_text(),
        place=JournalPlace(journal=journal, index=index),
        manifest=batch.manifest,
        source=source_of(batch, index, known.source),
        error=dict(known.error or {}),
    )


def closing_of(known: DocumentState, *, comes_back: bool) -> Closing | None:
    """
    Decide how the claim of a document is closed; see :func:`.register.close_with`. Pure.

    :param known: What the journal says about the document.
    :param comes_back: Whether a later try of the batch takes it up again.
    """
    return close_with(known.outcome, may_run=known.is_left_open, comes_back=comes_back)


class ClaimCloser:
    """
    Closes the claims of one journal.

    :param files: The register.
    :param batch: The batch.
    :param journal: URI of its journal.
    """

    def __init__(self, files: RegisterFiles, batch: Batch, journal: str) -> None:
        self._files = files
        self._batch = batch
        self._journal = journal

    def close(self, index: int, known: DocumentState, word: Closing) -> bool:
        """
        Close the claim of a document. Closing it twice is no error.

        :param index: Index of the document.
        :param known: What the journal says about it; it has a key.
        :param word: What closes the claim.
        :return: Whether no claim is open any more. A claim that continues another one, of which the journal does not know
            yet, stays: what the other one has left may still run.
        :raises RegisterError: if the register cannot be written.
        """
        key = known.key or ""
        n, continues = known.n, False
        if n == 0:
            n, continues = self._ours(key)
        if n == 0:
            return True  # The process has died between its journal and the register: there is no claim.
        if continues:
            return False
        name = RecordName(key, n, word)
        if word == "done":
            self._files.create(name, done_record(self._batch, self._journal, index, known))
        elif word == "failed" and known.n:
            self._files.create(name, failed_record(self._batch, self._journal, index, known))
        else:
            # If the journal does not have the claim yet, the document was not sent with it.
            place = JournalPlace(journal=self._journal, index=index)
            released = ReleasedRecord(
                at=now_text(), place=place, why=f"outcome {known.outcome or 'not_started'}"
            )
            self._files.create(RecordName(key, n, "released"), released)
        return True

    def _ours(self, key: str) -> tuple[int, bool]:
        """Return the number of an open claim of this journal, 0 = there is none, and whether it continues another one."""
        names = self._files.look(key)
        closed = {name.n for name in names if name.word != "claim"}
        for name in sorted((name for name in names if name.n not in closed), reverse=True):
            claim = self._files.record(ClaimRecord, name)
            if same_place(claim.place.journal) == same_place(self._journal):
                return name.n, claim.after is not None
        return 0, False


def close_claims(
    batch: Batch,
    state: BatchState,
    journal: Journal,
    comes_back: Callable[[DocumentState], bool] = lambda _: False,
    files: RegisterFiles | None = None,
) -> int:
    """
    Close the claims of a batch whose try has ended, and note it in its journal. Blocks.

    :param batch: The batch; without a register nothing is done.
    :param state: What its journal says.
    :param journal: The journal, owned by this process.
    :param comes_back: Tells whether a later try takes a document up again; by default none does.
    :param files: The register; by default that of the batch.
    :return: How many claims are still open.
    """
    if batch.register is None:
        return 0
    closer = ClaimCloser(files or RegisterFiles(batch.register.uri), batch, journal.uri)
    open_claims = [(index, known) for index, known in state.documents.items() if known.has_claim]

    def close(item: tuple[int, DocumentState]) -> bool:
        index, known = item
        word = closing_of(known, comes_back=comes_back(known))
        if word is None:
            return False
        try:
            return closer.close(index, known, word)
        except AsposeOcrError as error:
            log.warning("A claim in the register stays open, and a later batch closes it: %s", error.message)
            return False

    with ThreadPoolExecutor(_THREADS) as pool:
        done = [
            index
            for (index, _), closed in zip(open_claims, pool.map(close, open_claims), strict=True)
            if closed
        ]
    records = [Closed(index) for index in done]
    if records:
        journal.append([record_to_dict(record, journal.epoch) for record in records])
    for record in records:
        state.apply(record)
    return len(open_claims) - len(done)
