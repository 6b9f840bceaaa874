"""
Read stored results: a manifest in, the data of a reader out.

Invariant: only a file that is what the manifest says is read, and at most :data:`.MOST_BYTES` of it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_asposeocr.api.errors import InputError, ResultTooLargeError, ResultUnreadableError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.readers.content import MOST_BYTES, check_sizes
from airflow_provider_asposeocr.documents.file_systems import UnusablePathError, object_path
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult, parse_manifest
from airflow_provider_asposeocr.documents.stored_files import pieces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.results.reading import Reader

T = TypeVar("T")


def from_manifest(manifest: Manifest | Mapping[str, object], reader: Reader[T]) -> T:
    """
    Read the results of a document from the storage that holds them.

    :param manifest: What the fetch operator returned, or a row of a batch's manifest.
    :param reader: One of the readers of :mod:`airflow_provider_asposeocr.api.results.reading`, for example ``INVOICE``.
    :return: What the reader makes of the files.
    :raises InputError: if it is no manifest, names no result that this reader reads, or a file that cannot be opened here.
    :raises ReaderError: if a file has changed since, is too large, or cannot be read.
    :raises OSError: if the storage does not answer; object stores raise errors of their own.
    """
    found = parse_manifest(manifest)
    operation = found.task.operation if found.task is not None else ""
    chosen = reader.choose(operation, found.results, lambda result: result.type)
    if not chosen:
        types = ", ".join(shown(result.type, 40) for result in found.results) or "nothing"
        raise InputError(
            f"The manifest of {shown(operation, 60) or 'a document without a cloud task'} names no result for the reader "
            f"{reader.name!r}; it names: {types}."
        )
    check_sizes([result.bytes for result in chosen], reader.name)
    return reader.read([read_stored(result) for result in chosen])


def read_stored(result: StoredResult, most_bytes: int = MOST_BYTES) -> bytes:
    """
    Read the file of a result, and compare it with its manifest.

    :param result: Entry of the manifest.
    :param most_bytes: Largest file that is read, in bytes.
    :return: Its content.
    :raises ResultTooLargeError: if it is larger.
    :raises ResultUnreadableError: if size or checksum are not those of the manifest.
    :raises InputError: if no installed file system can open it.
    """
    uri = shown(result.uri, 300)
    if result.bytes > most_bytes:
        raise ResultTooLargeError(f"{uri} has {result.bytes} bytes; at most {most_bytes} are read.")
    try:
        path = object_path(result.uri)
    except UnusablePathError as error:
        raise InputError(f"The file that the manifest names cannot be opened. {shown(error, 300)}") from None
    content = bytearray()
    for piece in pieces(path):
        content += piece
        if len(content) > result.bytes:
            break
    changed = len(content) != result.bytes
    if changed or (result.sha256 and hashlib.sha256(content).hexdigest() != result.sha256.lower()):
        raise ResultUnreadableError(f"{uri} is not what the manifest says: it was changed or overwritten.")
    return bytes(content)
