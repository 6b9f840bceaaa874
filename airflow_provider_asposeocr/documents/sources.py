"""
Resolve an operator's ``source`` (path, URI or task reference), and copy it to a local file.

Invariant: every source is copied completely to a local file, or to memory, before anything is sent. Therefore its length and
checksum are known, a request can be repeated, and a source that cannot be read costs nothing.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath
from airflow.sdk.log import mask_secret

from airflow_provider_asposeocr.api.errors import (
    SourceContentError,
    SourceError,
)
from airflow_provider_asposeocr.api.files.file_kinds import has_several_pages, sniff_file
from airflow_provider_asposeocr.api.printable import shown, signatures_in
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref, parse_task_ref
from airflow_provider_asposeocr.api.results.download import Result, download_results
from airflow_provider_asposeocr.documents.file_systems import has_version, object_path
from airflow_provider_asposeocr.documents.source_errors import source_errors
from airflow_provider_asposeocr.documents.stored_files import take_content
from airflow_provider_asposeocr.documents.uris import is_web, qualifier_of, source_name, source_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.files.contents import Content
    from airflow_provider_asposeocr.api.operations import Operation

log = logging.getLogger(__name__)

#: The fields of storages that change with a file's content, the most reliable ones first.
_VERSION_FIELDS = (
    ("etag", ("ETag", "etag")),
    ("generation", ("generation",)),
    ("size", ("size",)),
    ("time", ("mtime", "LastModified", "last_modified", "updated", "modified")),
)


#: Name of a document's file in its local folder.
_SPOOLED = "source"


@dataclass(frozen=True)
class Document:
    """
    The local copy of a source.

    :param content: Local file, or the bytes of a small one.
    :param size_bytes: Its size.
    :param sha256: Checksum of its content, in hex.
    :param name: Name of the source file, without folders; names of results are made from it.
    :param source_uri: URI of the original document, see :class:`.TaskRef`, like the two below.
    :param source_qualifier: Distinguishes the document from others with the same URI.
    :param source_sha256: Checksum of the original document.
    :param result_type: The cloud's word for what it is, where it is the result of a task; ``None`` = it is an original.
    """

    content: Content = field(repr=False)
    size_bytes: int
    sha256: str
    name: str | None
    source_uri: str | None
    source_qualifier: str | None
    source_sha256: str | None
    result_type: str | None = None


def parse_source(value: Any) -> str | TaskRef:
    """
    Check the form of a source.

    :param value: The rendered ``source``: a path, a URI, an object storage path, or a task reference.
    :return: The URI as text, or the reference.
    :raises SourceError: if it is none of these.
    """
    if is_task_ref(value):
        return parse_task_ref(value)
    if isinstance(value, ObjectStoragePath | Path):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise SourceError(
            f"A source is a path, a URI or a task reference, not {shown(repr(value), 80)}. "
            "A task reference is what a submit operator returns, for example upscale.output."
        )
    if "://" not in value and not value.startswith("/"):
        raise SourceError(
            f"The source {shown(value, 200)!r} is a relative path, and workers have no common folder. "
            "Write an absolute path or a URI."
        )
    # Libraries include the URI in their own messages, which Airflow logs unchanged.
    for signature in signatures_in(value):
        mask_secret(signature)
    return value


def identity_of(source: str | TaskRef) -> tuple[str, str | None]:
    """
    Return the identity of a source without reading its content.

    :param source: Result of :func:`parse_source`.
    :return: Its name, and its version according to the storage. The version is ``None`` for an upstream task, whose result
        never changes, and if the storage reports none. The name of a web address contains no signature, because signatures
        are secrets and differ in each try.
    """
    if isinstance(source, TaskRef):
        return f"{source.operation} {source.id}", None
    called = source_uri(source) if is_web(source) else source
    try:
        path = object_path(source)
        facts = path.fs.info(path.path)
    except (
        Exception
    ) as error:  # Each storage library has its own root class. Reading the source will raise the error again.
        log.debug("No version of %s: %s", shown(source, 300), shown(error))
        return called, None
    return called, version_of(facts)


def version_of(facts: Mapping[str, Any]) -> str | None:
    """
    Return the version of a file: what changes with its content.

    :param facts: The information of its storage, as fsspec's ``info`` and ``find(detail=True)`` return it.
    :return: ETag, generation, size and time, if the storage reports them; ``None`` if it reports none.
    """
    found = (
        (name, next((facts[key] for key in keys if facts.get(key)), None)) for name, keys in _VERSION_FIELDS
    )
    return " ".join(f"{name}={value}" for name, value in found if value is not None) or None


def spool(
    source: str | TaskRef,
    operation: Operation,
    folder: Path,
    client_of: Callable[[str], CloudClient],
    now: float,
) -> Document:
    """
    Copy a source to local disk.

    :param source: Result of :func:`parse_source`.
    :param operation: The operation that will read it. Other types of file are refused here, because the cloud would bill
        them.
    :param folder: Existing local folder.
    :param client_of: Returns the client of an Airflow connection; an upstream task may be of another account.
    :param now: Seconds since the epoch.
    :return: The document.
    :raises SourceError: if it is missing; :class:`.SourceContentError` if it is empty, or of a type that the operation does
        not read.
    :raises SourceUnreadableError: if its storage does not answer.
    :raises TaskError: if the upstream task has no result.
    """
    if isinstance(source, str):
        return spool_file(source, operation, folder)
    with download_results(client_of(source.conn_id), source, now) as upstream:
        return spool_result(source, operation, upstream.results, folder)


def spool_file(uri: str, operation: Operation, folder: Path, *, most_in_memory_bytes: int = 0) -> Document:
    """
    Bring a stored file to local disk, or to memory.

    :param uri: Absolute path or URI.
    :param operation: What will read it.
    :param folder: Existing local folder.
    :param most_in_memory_bytes: As for :func:`.take_content`.
    :return: The document.
    :raises SourceError: if it is missing; :class:`.SourceContentError` if it is empty, or of a type that the operation does
        not read.
    :raises SourceUnreadableError: if its storage does not answer.
    """
    path, content, size, sha256 = _download(uri, folder / _SPOOLED, most_in_memory_bytes)
    _check_content(content, size, sniff_file(content), operation, uri)
    original = source_uri(uri, has_version=has_version(path)), qualifier_of(path, sha256), sha256
    return Document(content, size, sha256, source_name(uri) or None, *original)


def check_source_size(uri: str, size_bytes: int | None, most_bytes: int | None) -> None:
    """
    Refuse a source that is larger than the user wants to send.

    :param uri: Absolute path or URI.
    :param size_bytes: Its size; ``None`` = its storage is asked, so that a large file is not copied first.
    :param most_bytes: The largest size; ``None`` = any.
    :raises SourceContentError: if it is larger. Nothing was sent.
    """
    if most_bytes is None:
        return
    if size_bytes is None:
        try:
            path = object_path(uri)
            size_bytes = path.fs.info(path.path).get("size")
        # Each storage library has its own root class. Reading the source raises the error again.
        except Exception as error:
            log.debug("No size of %s: %s", shown(uri, 300), shown(error))
    if size_bytes is not None and size_bytes > most_bytes:
        raise SourceContentError(
            f"The source {_label(uri)} has {size_bytes} bytes, and max_bytes allows {most_bytes}."
        )


def spool_result(ref: TaskRef, operation: Operation, results: Sequence[Result], folder: Path) -> Document:
    """
    Take the one result of a task that an operation reads.

    :param ref: The task.
    :param operation: What will read it.
    :param results: All results of the task, in memory or in local files of the same disk as the folder.
    :param folder: Existing local folder; the file of the result is moved into it, if it is in one.
    :return: The document.
    :raises SourceError: if none or several of the results can be read, or if the result is empty.
    """
    chosen, kind = _choose(ref, operation, results)
    content = chosen.content if isinstance(chosen.content, bytes) else chosen.path.replace(folder / _SPOOLED)
    _check_content(content, chosen.size_bytes, kind, operation, ref)
    original = ref.source_uri, ref.source_qualifier, ref.source_sha256
    return Document(content, chosen.size_bytes, chosen.sha256, ref.source_name, *original, chosen.type)


def _label(source: str | TaskRef) -> str:
    if isinstance(source, TaskRef):
        return f"(the result of {source.operation} {shown(source.id, 80)}, submitted {source.origin})"
    return repr(shown(source, 300))


def _choose(ref: TaskRef, operation: Operation, results: Sequence[Result]) -> tuple[Result, str | None]:
    kinds = [(result, sniff_file(result.content)) for result in results]
    fitting = [(result, kind) for result, kind in kinds if kind in operation.input_types]
    if len(fitting) == 1:
        return fitting[0]
    offered = ", ".join(shown(result.type, 40) for result in results)
    how_many = "none" if not fitting else "more than one"
    raise SourceError(
        f"Of the results of {ref.operation} ({offered}), {how_many} can be the input of {operation.name}, which "
        f"reads {', '.join(sorted(operation.input_types))}. Fetch to storage and name the file as source.",
    ).about(ref.operation, ref.id)


def _download(
    uri: str, target: Path, most_in_memory_bytes: int
) -> tuple[ObjectStoragePath, Content, int, str]:
    name = repr(shown(uri, 300))
    with source_errors(
        f"The source {name}",
        denied="may not be read",
        unusable="cannot be opened",
        unanswered="cannot be read",
    ):
        try:
            return _read(uri, target, most_in_memory_bytes)
        except FileNotFoundError:
            raise SourceError(f"There is no file at the source {name}.{_oddity(uri)}") from None
        except IsADirectoryError:
            raise SourceError(
                f"The source {name} is a folder. Map the operator over the files in it."
            ) from None


def _read(uri: str, target: Path, most_in_memory_bytes: int) -> tuple[ObjectStoragePath, Content, int, str]:
    path = object_path(uri)
    if "://" in uri and "/" not in uri.partition("://")[2].rstrip("/"):
        raise IsADirectoryError(uri)  # A bucket, which libraries open with errors of their own.
    content, size, sha256 = _copy(path, target, most_in_memory_bytes)
    # Object stores open a folder like an empty file.
    if not size and (uri.endswith("/") or path.fs.isdir(path.path)):
        raise IsADirectoryError(uri)
    return path, content, size, sha256


def _copy(path: ObjectStoragePath, target: Path, most_in_memory_bytes: int) -> tuple[Content, int, str]:
    try:
        return take_content(path, target, most_in_memory_bytes)
    except FileNotFoundError:
        if path.fs.isdir(path.path):
            raise IsADirectoryError(path.path) from None
        raise


def _oddity(uri: str) -> str:
    """Describe what is unusual about the name of a file that does not exist."""
    if uri != uri.strip():
        return " The name begins or ends with a blank."
    if "://" in uri and not {"?", "#"}.isdisjoint(uri):
        return " What follows ? or # was taken for a part of the name."
    return ""


def _check_content(
    content: Content, size: int, kind: str | None, operation: Operation, source: str | TaskRef
) -> None:
    if not size:
        raise SourceContentError(f"The source {_label(source)} is empty.")
    # A text for ConvertTextToSpeech may begin like JSON or HTML.
    if operation.sends_text:
        return
    if kind == "tiff" and has_several_pages(content):
        raise SourceContentError(
            f"The source {_label(source)} is a TIFF with several pages, and the cloud reads one page per TIFF. "
            "Split it into a file per page and map the operator over them, or make it a PDF for RecognizePdf."
        )
    if kind in operation.input_types:
        return
    looks = f"looks like {kind}" if kind else "is of a type that is not known"
    hint = " Save it as an ordinary TIFF or a PNG." if kind == "bigtiff" else ""
    raise SourceContentError(
        f"The source {_label(source)} {looks}; {operation.name} reads {', '.join(sorted(operation.input_types))}.{hint}"
    )
