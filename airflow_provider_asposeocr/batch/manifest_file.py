"""
The manifest of a batch: a file with one row for each document, in the order of the sources.

Invariant: a manifest has a row for every document, or it is not written; it appears under its name whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import ManifestError
from airflow_provider_asposeocr.batch.summary import Tally
from airflow_provider_asposeocr.documents.atomic_create import replace
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.folders import path_part
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.documents.manifest import Manifest, parse_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date


@dataclass(frozen=True)
class ManifestFile:
    """
    A manifest that was written.

    :param uri: Where it is.
    :param size_bytes: Its size.
    :param sha256: Its checksum in hex.
    :param tally: The counts of its rows.
    """

    uri: str
    size_bytes: int
    sha256: str
    tally: Tally

    def event_extra(self, submits: int) -> dict[str, Any]:
        """
        Describe the batch for an asset event.

        :param submits: How many cloud tasks all tries have submitted.
        :return: ``documents``, a count for each outcome that occurred, ``submits``, ``results`` (how many files),
            ``result_bytes``, and ``manifest`` with ``manifest_bytes`` and ``manifest_sha256``.
        """
        return {
            "documents": self.tally.documents,
            **{outcome: count for outcome, count in self.tally.counts.items() if count},
            "submits": submits,
            "results": self.tally.results,
            "result_bytes": self.tally.result_bytes,
            "manifest": self.uri,
            "manifest_bytes": self.size_bytes,
            "manifest_sha256": self.sha256,
        }


def manifest_uri(
    state: str, day: date, *, dag_id: str, run_id: str, task_id: str, map_index: int, key: str
) -> str:
    """
    Name the manifest of a batch. All tries use the same name, so that each overwrites the manifest of the try before.

    :param state: URI of the state folder, with a slash at its end.
    :param day: A day of the DAG run that does not change from try to try.
    :param dag_id: The task instance, as the next three.
    :param key: Key of the batch; its first digits make the name unique.
    """
    parts = (dag_id, run_id, task_id, str(map_index))
    name = "-".join(path_part(part) for part in parts)
    return f"{state}manifests/{day:%Y/%m/%d}/{name}-{key[:8]}.jsonl"


def write_manifest(uri: str, rows: Iterable[Manifest], documents: int) -> ManifestFile:
    """
    Write the manifest of a batch.

    :param uri: Absolute path or URI of the file.
    :param rows: The rows, in the order of the sources. They are asked for one after the other.
    :param documents: How many documents the batch has.
    :return: What was written.
    :raises ManifestError: if there is not exactly one row for each document, in order; nothing is written then.
    :raises OSError: if the storage refuses. Libraries raise errors of their own, too.
    """
    tally, digest, size = Tally(), hashlib.sha256(), 0

    def lines() -> Iterator[bytes]:
        nonlocal size
        for row in _checked(rows, documents):
            tally.add(row)
            line = json.dumps(row.to_dict()).encode() + b"\n"
            digest.update(line)
            size += len(line)
            yield line

    replace(object_path(uri), lines())
    return ManifestFile(uri, size, digest.hexdigest(), tally)


def _checked(rows: Iterable[Manifest], documents: int) -> Iterator[Manifest]:
    """Yield the rows of a manifest if there is one for each document, in order."""
    place = -1
    for place, row in enumerate(rows):
        if row.index != place or row.documents != documents:
            raise ManifestError(
                f"Row {place} of the manifest is that of document {row.index} of {row.documents}; the batch has {documents}."
            )
        yield row
    if place + 1 != documents:
        raise ManifestError(f"The manifest has {place + 1} rows for {documents} documents.")


def read_manifest(uri: str) -> Iterator[Manifest]:
    """
    Read the manifest of a batch, row by row.

    A file of manifests of single fetches, one a line, is read as well; such rows have no ``index``.

    :param uri: Absolute path or URI of the file, as the summary of a batch names it in ``manifest``.
    :return: The rows, in the order of the sources. They are read while they are asked for.
    :raises InputError: if a line is no row of a manifest, if rows are missing, doubled or out of order, or if a newer
        version of the provider has written it; the message names the line. :class:`SourceError` if there is no such file.
    """
    name = f"the manifest {shown(uri, 300)!r}"
    documents, read = None, 0
    for number, found in read_objects(uri, "manifest"):
        try:
            row = parse_manifest(found)
        except InputError as error:
            raise InputError(f"Line {number} of {name}: {error.message}") from None
        if row.index is not None or documents is not None:
            documents = row.documents if documents is None else documents
            if (row.index, row.documents) != (read, documents):
                raise InputError(
                    f"Line {number} of {name} is the row of document {row.index} of {row.documents}, where that of "
                    f"document {read} of {documents} belongs. Rows were removed, added or moved."
                )
        read += 1
        yield row
    if documents is not None and read != documents:
        raise InputError(f"{name} lacks its last {documents - read} of {documents} rows.")
