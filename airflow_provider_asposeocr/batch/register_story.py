"""
Describe for people what the register and the journals say about documents.

Invariant: nothing is changed here, and no batch is disturbed: journals are read while their owners go on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.left import read_batch
from airflow_provider_asposeocr.documents.file_systems import UnusablePathError
from airflow_provider_asposeocr.documents.uris import reachable
from airflow_provider_asposeocr.ingestion.register import RecordName, standing_of
from airflow_provider_asposeocr.ingestion.register_records import (
    ClaimRecord,
    DoneRecord,
    FailedRecord,
    ReleasedRecord,
    VoidedRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.left import LeftBatch
    from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
    from airflow_provider_asposeocr.ingestion.register_records import JournalPlace, RegisterRecord

#: Documents that are named in a table, of each kind.
MOST_NAMED = 20

_KINDS: dict[str, type[RegisterRecord]] = {
    "claim": ClaimRecord,
    "done": DoneRecord,
    "failed": FailedRecord,
    "released": ReleasedRecord,
    "voided": VoidedRecord,
}


@dataclass
class Status:
    """
    The counts of a register, with examples.

    :param counts: How many documents stand where.
    :param claims: The last claims of documents that batches have, the first :data:`MOST_NAMED`.
    :param failures: The last records of documents that have failed, likewise.
    """

    counts: Counter[str] = field(default_factory=Counter)
    claims: list[RecordName] = field(default_factory=list)
    failures: list[RecordName] = field(default_factory=list)


#: The words of a status, by the word that decides.
_STATES = {
    "done": "done",
    "failed": "failed",
    "claim": "claimed",
    "released": "to be read again",
    "voided": "to be read again",
}


def count_documents(names: Iterable[RecordName]) -> Status:
    """
    Count documents by where they stand. Pure.

    :param names: The names of all records; those of one document follow each other.
    """
    status = Status()
    for of_document in _by_document(names):
        standing = standing_of(of_document)
        if standing.word is None:
            continue
        status.counts[_STATES[standing.word]] += 1
        last = RecordName(of_document[0].key, standing.n, standing.word)
        kept = {"claim": status.claims, "failed": status.failures}.get(standing.word)
        if kept is not None and len(kept) < MOST_NAMED:
            kept.append(last)
    return status


def _by_document(names: Iterable[RecordName]) -> Iterator[list[RecordName]]:
    group: list[RecordName] = []
    for name in names:
        if group and group[0].key != name.key:
            yield group
            group = []
        group.append(name)
    if group:
        yield group


class Stories:
    """
    Tell what has happened to documents.

    :param files: The register.
    """

    def __init__(self, files: RegisterFiles) -> None:
        self._files = files
        self._batches: dict[str, LeftBatch | str] = {}

    def lines(self, names: Iterable[RecordName]) -> Iterator[str]:
        """
        Tell the story of a document, a line for each record, and what the journal says about an open claim.

        :param names: The names of its records.
        """
        ordered = sorted(names, key=lambda name: (name.n, name.word != "claim", name.word))
        for name in ordered:
            yield self.line(name)
        standing = standing_of(ordered)
        if standing.word == "claim":
            claim = self._read(RecordName(ordered[0].key, standing.n, "claim"))
            if isinstance(claim, ClaimRecord):
                yield f"  its journal: {self.in_journal(claim.place)}"

    def line(self, name: RecordName) -> str:
        """
        Tell what one record says.

        :param name: Its name.
        """
        record = self._read(name)
        if isinstance(record, str):
            return f"{name.n}. {name.word}: {record}"
        return f"{name.n}. {name.word:<8} {record.at}  {_told(record)}"

    def in_journal(self, place: JournalPlace) -> str:
        """
        Tell what the journal of a batch says about a document.

        :param place: Where the document is in the journals.
        """
        if place.journal not in self._batches:
            self._batches[place.journal] = _read_batch(reachable(place.journal, self._files.uri))
        left = self._batches[place.journal]
        if isinstance(left, str):
            return left
        return _stands(left.state.documents.get(place.index))

    def _read(self, name: RecordName) -> RegisterRecord | str:
        try:
            return self._files.record(_KINDS[name.word], name)
        except AsposeOcrError as error:
            return error.message


def _read_batch(journal: str) -> LeftBatch | str:
    try:
        return read_batch(journal)
    except AsposeOcrError as error:
        return f"unknown what was sent: {error.message}"
    except UnusablePathError as error:
        return f"unknown what was sent: the journal {shown(journal, 200)} cannot be opened: {shown(error)}"


def _stands(known: DocumentState | None) -> str:
    if known is None or (known.outcome is None and not known.steps):
        return "not sent yet"
    if known.outcome is not None:
        return f"{known.outcome}, and the claim is not closed yet"
    if known.intended:
        return f"unknown: sent for step {known.step}, and no answer stands in the journal"
    if known.running is not None:
        return f"running: {known.running.operation} {shown(known.running.id, 80)}"
    return f"at step {known.step}"


def _told(record: RegisterRecord) -> str:
    match record:
        case ClaimRecord():
            who = "/".join(shown(name, 80) for name in (record.dag_id, record.run_id, record.task_id))
            taken = f", taken over from {shown(record.continues.journal, 200)}" if record.continues else ""
            where = f"journal {shown(record.place.journal, 200)}{taken}"
            return f"{shown(record.source.uri, 200)} by {who}[{record.map_index}], {where}"
        case DoneRecord():
            results = ", ".join(shown(result.get("uri"), 200) for result in record.results[:3])
            where = f"manifest {shown(record.manifest, 200)}"
            return f"{shown(record.source.uri, 200)} -> {results or 'no results'}; {where}"
        case FailedRecord():
            return f"{shown(record.error.get('error'), 60)}: {shown(record.error.get('message'), 300)}"
        case ReleasedRecord() | VoidedRecord():
            return shown(record.why, 200)
