"""
Results of documents that were read before: check that they are still there, and copy them.

Invariant: a result counts as present only if its file has the version or the checksum with which it was stored.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.manifest import StoredResult
from airflow_provider_asposeocr.documents.sources import version_of
from airflow_provider_asposeocr.documents.stored_files import Writer, copy_to_local, pieces
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.documents.versions import stored_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

_MARK_DIGITS = 8


def stem_of(file_stem: str, key: str, *, is_taken: bool) -> str:
    """
    Name the results of a document, so that results of an earlier content under the same name are not overwritten: the
    register's record names them.

    :param file_stem: The name by the source, without the suffix of a type.
    :param key: The document's key.
    :param is_taken: Whether a file of that name has another content.
    """
    return f"{file_stem}~{key[:_MARK_DIGITS]}" if is_taken else file_stem


def with_version(result: StoredResult) -> StoredResult:
    """
    Add to a result what its storage says about it: one request.

    :param result: A result that was just stored.
    :return: The result; without a version if the storage does not answer. Then its checksum is compared later.
    """
    try:
        version = stored_version(object_path(result.uri))
    except Exception as error:  # each storage library has its own root class
        log.info("No version of %s: %s", shown(result.uri, 300), shown(error))
        return result
    return result.model_copy(update={"version": version})


def are_there(results: Sequence[Mapping[str, Any]]) -> bool:
    """
    Tell whether all results of a document are there as they were stored: one request for each.

    :param results: The results, as a record or a row of a manifest has them.
    """
    return all(_is_there(result) for result in results)


def _is_there(result: Mapping[str, Any]) -> bool:
    path = object_path(str(result["uri"]))
    try:
        if result.get("version") is not None and stored_version(path) == result["version"]:
            return True
        # After a restore from a backup, or a move to another disk, a file has another version and the same content.
        digest, size = hashlib.sha256(), 0
        for piece in pieces(path):
            digest.update(piece)
            size += len(piece)
    except FileNotFoundError:
        return False
    return result.get("bytes") in (None, size) and digest.hexdigest() == result.get("sha256")


def is_taken(targets: Mapping[str, str | None]) -> bool:
    """
    Tell whether a file that is to be written would overwrite another content: one request for each file.

    A file with the content that is to be written does not count: a process that died after it stored the result has left it.

    :param targets: The checksums in hex, by the URIs of the files.
    """
    return any(
        _exists(uri) and not _is_there({"uri": uri, "sha256": sha256}) for uri, sha256 in targets.items()
    )


def _exists(uri: str) -> bool:
    try:
        stored_version(object_path(uri))
    except FileNotFoundError:
        return False
    return True


def copy_results(
    results: Sequence[Mapping[str, Any]], source: str, target: str, writer: Writer
) -> list[dict[str, Any]]:
    """
    Copy the results of one document to the names of another.

    :param results: The results, as a row of a manifest has them.
    :param source: URI that the names of all of them begin with: folder and name without the suffix of a type.
    :param target: The same of the copies.
    :param writer: Writes them.
    :return: The copies, as a row of a manifest has them.
    """
    return [_copied(result, source, target, writer) for result in results]


def copy_name(result: Mapping[str, Any], source: str, target: str) -> str:
    """
    Name the copy of a result; the parameters are those of :func:`copy_results`.

    :param result: The result.
    :param source: What the names of the results begin with.
    :param target: What those of the copies begin with.
    """
    uri = str(result["uri"])
    return f"{target}{uri.removeprefix(source)}" if uri.startswith(source) else f"{target}{Path(uri).suffix}"


def _copied(result: Mapping[str, Any], source: str, target: str, writer: Writer) -> dict[str, Any]:
    uri, copy = str(result["uri"]), copy_name(result, source, target)
    if same_place(copy) == same_place(uri):
        return dict(result)
    with TemporaryDirectory(prefix="aspose-ocr-copy-") as folder:
        local = Path(folder) / "result"
        size, sha256 = copy_to_local(object_path(uri), local)
        writer.write(local, object_path(copy))
    stored = StoredResult(type=result.get("type"), uri=copy, bytes=size, sha256=sha256)
    return with_version(stored).model_dump()


def versions_at(uri: str) -> tuple[str | None, ...]:
    """
    Return the present version of a file, in each form that a listing may have noted.

    :param uri: The file.
    :return: First the one that this version of the provider writes down.
    :raises FileNotFoundError: if there is no such file.
    """
    path = object_path(uri)
    now = stored_version(path)
    return now, version_of(path.fs.info(path.path))
