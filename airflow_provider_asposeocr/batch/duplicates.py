"""
Check and copy the results of a document that was read before, for another document with the same content.

Invariant: an error of a storage is an error of the document; it was not sent, and nothing is billed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.storage_errors import storage_errors
from airflow_provider_asposeocr.documents.stored_files import Writer
from airflow_provider_asposeocr.documents.uris import reachable
from airflow_provider_asposeocr.ingestion.stored_results import (
    are_there,
    copy_name,
    copy_results,
    is_taken,
    stem_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.batch.plan import BatchDocument
    from airflow_provider_asposeocr.ingestion.register_records import DoneRecord


class Duplicates:
    """
    The results of other documents with the same content, as one batch uses them. All methods block.

    :param destination: URI of the folder of the batch's results, with a slash at its end.
    :param overwrites: Whether results of another content are overwritten; if not, a copy gets a name of its own.
    """

    def __init__(self, destination: str, *, overwrites: bool) -> None:
        self._destination = destination
        self._overwrites = overwrites
        self._writer = Writer(many=True)

    def found(self, done: DoneRecord) -> DoneRecord:
        """
        Spell the results of a document so that they can be opened, see :func:`.reachable`.

        :param done: The record of the document that was read.
        :return: The same record.
        """
        here = self._destination
        results = [{**result, "uri": reachable(str(result["uri"]), here)} for result in done.results]
        folder = reachable(done.destination, here)
        return done.model_copy(update={"results": results, "destination": folder})

    def are_complete(self, document: BatchDocument, done: DoneRecord) -> bool:
        """
        Tell whether all results of a document that was read before are there, as they were stored.

        :param document: The document with the same content, for messages.
        :param done: The record of the document that was read.
        :raises StorageError: if the storage does not answer.
        """
        text = f"It cannot be seen whether the results of {shown(document.source, 300)} are still there"
        with storage_errors(text, billed="already"):
            return are_there(done.results)

    def copy(self, document: BatchDocument, key: str, row: Mapping[str, Any], source: str) -> dict[str, Any]:
        """
        Copy the results of a document to the names of another one with the same content.

        :param document: The other one.
        :param key: Its key.
        :param row: What the manifest says about it; its results are those that are copied.
        :param source: URI that the names of these begin with: folder and name without the suffix of a type.
        :return: The fields of its row that say where the copies are.
        :raises StorageError: if they cannot be copied.
        """
        folder, results = self._destination, row["results"]
        plain = {
            copy_name(result, source, f"{folder}{document.file_stem}"): result["sha256"] for result in results
        }
        text = f"The results of {shown(row.get('duplicate_of'), 300)} cannot be copied for {shown(document.source, 300)}"
        with storage_errors(text, billed="already"):
            stem = stem_of(document.file_stem, key, is_taken=not self._overwrites and is_taken(plain))
            results = copy_results(results, source, f"{folder}{stem}", self._writer)
            return {"results": results, "file_stem": stem}
