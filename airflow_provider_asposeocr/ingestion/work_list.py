"""
A work list: the files of an inbox that one batch is to read, and the register that the batch uses.

Invariant: a work list is read whole or is an error that names the line. A file of it may have any name, because others
choose the names of files in an inbox: a name that no storage can open fails later, in a row of the batch's manifest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.atomic_create import replace
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.folders import parse_folder
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.documents.uris import same_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Raise it when a key gets another meaning.
SCHEMA_VERSION = 1
#: The word in the first line that tells a work list from other lists of sources.
KIND = "work_list"
_HEAD_KEYS = frozenset({"schema_version", "kind", "register", "base", "pipeline"})
_FILE_KEYS = frozenset({"uri", "version", "bytes"})


@dataclass(frozen=True, slots=True)
class WorkFile:
    """
    A file that a batch is to read.

    :param uri: Absolute path or URI that it is opened by, with its Airflow connection. It lies below ``base``.
    :param version: Its version when it was listed, see :func:`.listed_version`; ``None`` = the storage reports none.
    :param size_bytes: Its size when it was listed; ``None`` = the storage reports none.
    """

    uri: str
    version: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class WorkList:
    """
    The files that one batch is to read.

    :param register: URI of the folder of the register, with a slash at its end.
    :param base: URI of the inbox, with a slash at its end; names of results are relative to it.
    :param pipeline: Name under which the files count as seen once the batch has settled them.
    :param files: The files, the oldest first. At least one.
    """

    register: str
    base: str
    pipeline: str
    files: tuple[WorkFile, ...]


def is_work_list(first: Mapping[str, Any]) -> bool:
    """
    Tell a work list from another list of sources.

    :param first: The first object of the file.
    """
    return first.get("kind") == KIND


def write_work_list(uri: str, work: WorkList) -> None:
    """
    Write a work list; it appears whole.

    :param uri: Where to; it ends with ``.jsonl``.
    :param work: The work list.
    :raises OSError: if the storage refuses. Libraries raise errors of their own, too.
    """
    head = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "register": work.register,
        "base": work.base,
        "pipeline": work.pipeline,
    }
    files = ({"uri": file.uri, "version": file.version, "bytes": file.size_bytes} for file in work.files)
    lines = [json.dumps(each) for each in (head, *files)]
    replace(object_path(uri), "".join(f"{line}\n" for line in lines).encode())


def read_work_list(uri: str) -> WorkList:
    """
    Read a work list.

    :param uri: Absolute path or URI of the file.
    :return: The work list.
    :raises InputError: if it is none; the message names the line.
    :raises SourceError: if there is no such file or it may not be read; :class:`.SourceUnreadableError` if the storage does
        not answer.
    """
    name = f"the work list {shown(uri, 300)!r}"
    return parse_work_list(read_objects(uri, "work list"), name)


def parse_work_list(lines: Iterable[tuple[int, Mapping[str, Any]]], name: str) -> WorkList:
    """
    Understand a work list. Pure.

    :param lines: The number and the object of each line.
    :param name: What the file is, for messages.
    :return: The work list.
    :raises InputError: if a line does not belong into a work list; the message names the line.
    """
    head: WorkList | None = None
    files: list[WorkFile] = []
    first: dict[str, int] = {}
    for number, found in lines:
        where = f"Line {number} of {name}"
        if head is None:
            head = parse_head(found, where)
            base = same_place(head.base)
            continue
        file = _parse_file(found, where)
        place = same_place(file.uri)
        if not place.startswith(base):
            raise InputError(
                f"{where} names {shown(file.uri, 300)!r}, which does not lie in the inbox {shown(head.base, 300)!r}."
            )
        if first.setdefault(place, number) != number:
            raise InputError(
                f"{where} names the file of line {first[place]} once more: {shown(file.uri, 300)!r}."
            )
        files.append(file)
    if head is None or not files:
        raise InputError(f"There is no file in {name}.")
    return WorkList(head.register, head.base, head.pipeline, tuple(files))


def parse_head(found: Mapping[str, Any], where: str) -> WorkList:
    """
    Understand the first line of a work list. Pure.

    :param found: Its object.
    :param where: Which line it is, for messages.
    :return: The work list, without files.
    :raises InputError: if it is not the beginning of a work list.
    """
    if not is_work_list(found):
        raise InputError(f"{where} is not the beginning of a work list: it has no kind {KIND!r}.{_MADE_BY}")
    version = found.get("schema_version")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise InputError(
            f"{where} has schema_version {version}, written by a newer version of the provider; this one reads "
            f"{SCHEMA_VERSION}. Update the provider on the workers that run the batch."
        )
    _check_keys(found, _HEAD_KEYS, where)
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise InputError(f"{where} has schema_version {shown(repr(version), 60)}, not {SCHEMA_VERSION}.")
    pipeline = found["pipeline"]
    if not isinstance(pipeline, str) or not pipeline:
        raise InputError(f"{where}: pipeline is a text that is not empty, not {shown(repr(pipeline), 80)}.")
    register = parse_folder(found["register"], f"{where}: register")
    return WorkList(register, parse_folder(found["base"], f"{where}: base"), pipeline, ())


def _parse_file(found: Mapping[str, Any], where: str) -> WorkFile:
    _check_keys(found, _FILE_KEYS, where)
    uri, version, size = found["uri"], found["version"], found["bytes"]
    if not isinstance(uri, str) or uri.endswith("/") or not (uri.startswith("/") or "://" in uri):
        raise InputError(f"{where}: uri is the absolute path or URI of a file, not {shown(repr(uri), 200)}.")
    if not (version is None or isinstance(version, str)):
        raise InputError(f"{where}: version is a text or null, not {shown(repr(version), 80)}.")
    is_size = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    if not (size is None or is_size):
        raise InputError(f"{where}: bytes is a number of bytes or null, not {shown(repr(size), 80)}.")
    return WorkFile(uri, version, size)


#: What a user can do about a file that is no work list.
_MADE_BY = " AsposeOcrPlanInboxOperator writes work lists; pass one as it was written."


def _check_keys(found: Mapping[str, Any], keys: frozenset[str], where: str) -> None:
    missing, unknown = sorted(keys - set(found)), sorted(set(found) - keys)
    if missing or unknown:
        what = f"has no {' and no '.join(missing)}" if missing else f"has the unknown key {unknown[0]!r}"
        raise InputError(f"{where} {shown(what, 200)}.{_MADE_BY}")
