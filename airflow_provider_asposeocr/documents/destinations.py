"""
Destinations: where results are written, and under which names.

Invariant: a result appears under its final name completely or not at all, and never outside of the destination. The
results are complete, in local files or in memory. An object store gets each of them in one upload, which it commits at the
end. In other storages the file gets a hidden temporary name first, and is then renamed.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import AsposeOcrError, DestinationError, StorageError
from airflow_provider_asposeocr.api.files.filetypes import LONGEST_STEM_BYTES, safe_stem, suffix_for
from airflow_provider_asposeocr.api.printable import shown, storable
from airflow_provider_asposeocr.documents.file_systems import (
    UnusablePathError,
    check_form,
    check_nothing_dropped,
    object_path,
)
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult, make_manifest
from airflow_provider_asposeocr.documents.owners import IF_EXISTS, Claims, FindMaker, IfExists, only_records
from airflow_provider_asposeocr.documents.stored_files import Writer, pieces
from airflow_provider_asposeocr.metrics import count
from airflow_provider_asposeocr.parameters import native_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.api.results.download import Download, Result

#: A path without a slash at its end that names a file: below a folder or bucket, with a suffix that has a letter.
_FILE = re.compile(r"(?:[^/]*://[^/]*)?/(?:.*/)?[^/]+\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,10}", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """
    A result and its destination.

    :param result: The decoded result.
    :param path: Final path of its file.
    :param name: Its name below the destination; empty where that is the file itself.
    """

    result: Result
    path: ObjectStoragePath
    name: str = ""


def parse_destination(value: Any) -> str:
    """
    Check the form of a destination.

    :param value: The rendered ``destination``.
    :return: The URI as text; if it ends in a slash, it is a folder.
    :raises DestinationError: if it is neither a URI nor an absolute path, if it could mean a folder or a file, or if Airflow
        would open another path.
    """
    if isinstance(value, ObjectStoragePath | PurePath):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise DestinationError(
            f"A destination is a path or a URI, not {shown(repr(value), 80)}.{native_hint(value)}"
        )
    if "://" not in value and not value.startswith("/"):
        raise DestinationError(
            f"The destination {shown(value, 200)!r} is a relative path, and workers have no common folder. "
            "Write an absolute path or a URI."
        )
    if not value.endswith("/") and not _FILE.fullmatch(value):
        raise DestinationError(
            f"The destination {shown(value, 200)!r} may be meant as a folder or as a file. End it with a slash to "
            "make it a folder, or give the file a suffix. ObjectStoragePath, Path and os.path.join drop a slash at "
            "the end: add it to their text."
        )
    try:
        check_form(value)
    except ValueError as error:
        raise DestinationError(f"The destination {shown(value, 200)!r} cannot be used: {error}.") from None
    return value


def check_file_stem(value: Any) -> None:
    """
    Check a file stem that the user wrote.

    :param value: The rendered ``file_stem``.
    :raises DestinationError: if it is not the stem of a file name.
    """
    if value is None:
        return
    if not isinstance(value, str):
        raise DestinationError(f"file_stem is a text, not {shown(repr(value), 80)}.{native_hint(value)}")
    # No name contains a NUL or a lone surrogate. Most listings do not show names that begin with a dot.
    named = value.strip() and value.isprintable() and not value.startswith(".")
    if not named or "/" in value or "\\" in value:
        raise DestinationError(
            f"file_stem {shown(value, 120)!r} is not the name of a visible file; folders go into destination."
        )
    if len(value.encode()) > LONGEST_STEM_BYTES:
        raise DestinationError(
            f"file_stem {shown(value, 120)!r} has more than {LONGEST_STEM_BYTES} bytes, too many for a file name."
        )


def plan(ref: TaskRef, results: Sequence[Result], destination: str, file_stem: str | None) -> list[Target]:
    """
    Decide the path of each result, before anything is written.

    :param ref: The task, for the name of its source.
    :param results: The results of the task.
    :param destination: A folder with a slash at its end, or the one file.
    :param file_stem: Name without suffix for files in a folder; by default that of the source, else operation and task id.
    :return: A target per result, all different.
    :raises DestinationError: if the destination is one file and there are several results.
    :raises UnusablePathError: if the storage library would write to another name.
    """
    if not destination.endswith("/"):
        if len(results) != 1:
            types = ", ".join(shown(result.type, 40) for result in results)
            raise DestinationError(
                f"The destination {shown(destination, 200)!r} is one file, but there are {len(results)} results "
                f"({types}). End it with a slash to make it a folder.",
                operation=ref.operation,
                task_id=ref.id,
            )
        return [Target(results[0], object_path(destination))]
    name = ref.operation.replace("/", "-")
    stem = file_stem or safe_stem(ref.source_name) or safe_stem(f"{name}-{ref.id}") or name
    folder = object_path(destination)
    names = list(number_names(stem, [suffix_for(ref.row, result.type, result.head) for result in results]))
    targets = [Target(result, folder / name, name) for result, name in zip(results, names, strict=True)]
    for target in targets:
        check_nothing_dropped(f"{destination}{target.name}", target.path)
    return targets


def number_names(stem: str, suffixes: list[str]) -> Iterator[str]:
    """
    Name the files of several results.

    :param stem: Name without suffix.
    :param suffixes: The suffix of each result, in order.
    :return: A name for each result. Results with equal suffixes are numbered, from 1 on: ``page-1.txt``, ``page-2.txt``.
    """
    for index, suffix in enumerate(suffixes):
        if suffixes.count(suffix) == 1:
            yield f"{stem}{suffix}"
        else:
            yield f"{stem}-{suffixes[: index + 1].count(suffix)}{suffix}"


def store(
    ref: TaskRef,
    download: Download,
    destination: str,
    *,
    file_stem: str | None = None,
    if_exists: IfExists = "overwrite",
    inline_text_bytes: int = 0,
    find_maker: FindMaker = only_records,
) -> Manifest:
    """
    Write all results of a task.

    :param ref: The task.
    :param download: The downloaded results of the task.
    :param destination: A folder with a slash at its end, or the one file.
    :param file_stem: Name without suffix for files in a folder.
    :param if_exists: What to do about files that already exist. ``overwrite``: overwrite files that the same source made,
        and fail if another source made one. ``overwrite_any``: overwrite any file. ``fail``: fail before anything is
        written. ``skip``: keep the files and describe them in the manifest, and fail if a record names another document.
    :param inline_text_bytes: Largest text result in bytes that is also put into the manifest; 0 = none.
    :param find_maker: Asked who made a file that exists and has no owner record; by default its maker is not known then.
    :return: The manifest of the written files.
    :raises DestinationError: if the destination does not fit the results.
    :raises StorageError: if writing fails; the cloud still has the result.
    """
    with _storing(ref, destination):
        check_file_stem(file_stem)
        if if_exists not in IF_EXISTS:
            raise DestinationError(
                f"if_exists is {shown(if_exists, 60)!r}, not one of {', '.join(IF_EXISTS)}."
            )
        targets, writer = plan(ref, download.results, destination, file_stem), Writer()
        claims = Claims(ref, if_exists, find_maker)
        left = claims.take([target.path for target in targets])
        results = [
            _describe_left_file(target)
            if target.path in left
            else _write_result(target, writer, inline_text_bytes)
            for target in targets
        ]
        claims.confirm()
    _count(ref, results)
    return make_manifest(ref, download, results)


def store_unasked(
    ref: TaskRef,
    results: Sequence[Result],
    destination: str,
    file_stem: str,
    writer: Writer,
    check: Callable[[Sequence[Target]], None],
) -> list[StoredResult]:
    """
    Write all results of a task over what is there. A batch has decided for all its documents before whether it may.

    :param ref: The task.
    :param results: What it made.
    :param destination: A folder with a slash at its end.
    :param file_stem: Name of the files below the destination without the suffix of a type, with folders; it is made so
        that it stays inside of the destination.
    :param writer: Writes them.
    :param check: Called with all results and where they go before any is written; it raises an error if they may not be.
    :return: What was written, in the order of the results.
    :raises DestinationError: if the destination cannot take them.
    :raises StorageError: if writing fails; the cloud still has the results.
    """
    with _storing(ref, destination):
        targets = plan(ref, results, destination, file_stem)
        check(targets)
        return [_write_result(target, writer) for target in targets]


def _count(ref: TaskRef, results: Sequence[StoredResult]) -> None:
    written = [result for result in results if not result.skipped]
    count("results", len(written), ref.operation)
    count("result_bytes", sum(result.bytes for result in written), ref.operation)


@contextmanager
def _storing(ref: TaskRef, destination: str) -> Iterator[None]:
    """Name the task and the destination in failures of a storage."""
    try:
        yield
    except AsposeOcrError as error:
        error.about(ref.operation, ref.id)
        raise
    except Exception as error:  # each storage library has its own root class
        what = (
            shown(error)
            if isinstance(error, UnusablePathError)
            else f"{type(error).__name__}: {shown(error)}"
        )
        text = f"The results of {ref.operation} cannot be written to {shown(destination, 300)!r}: {what}."
        final = isinstance(error, ValueError | ImportError | IsADirectoryError)
        cls = DestinationError if final else StorageError
        raise cls(text, operation=ref.operation, task_id=ref.id) from error


def _write_result(target: Target, writer: Writer, inline_text_bytes: int = -1) -> StoredResult:
    result, text = target.result, None
    writer.write(result.content, target.path)
    if (result.type or "").lower() == "text" and result.size_bytes <= inline_text_bytes:
        text = storable(result.data.decode("utf-8", "replace"))
    return StoredResult(
        type=result.type, uri=str(target.path), bytes=result.size_bytes, sha256=result.sha256, text=text
    )


def _describe_left_file(target: Target) -> StoredResult:
    digest, size = hashlib.sha256(), 0
    for piece in pieces(target.path):
        digest.update(piece)
        size += len(piece)
    return StoredResult(
        type=target.result.type,
        uri=str(target.path),
        bytes=size,
        sha256=digest.hexdigest(),
        skipped=True,
    )
