"""
List the sources of a batch.

Invariant: a batch has at least one document and at most :data:`.MOST_DOCUMENTS`, or nothing is sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from fsspec.utils import glob_translate

from airflow_provider_asposeocr.api.errors import InputError, SourceError, SourceUnreadableError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.folder_listing import list_folder
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.batch.naming import is_name
from airflow_provider_asposeocr.batch.plan import MOST_DOCUMENTS, ListedSource
from airflow_provider_asposeocr.batch.sources import Folder, Glob, ListFile, Rows, parse_entry
from airflow_provider_asposeocr.documents.folders import check_uri
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.ingestion.work_list import is_work_list, parse_head, parse_work_list

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_asposeocr.batch.sources import Sources
    from airflow_provider_asposeocr.ingestion.work_list import WorkList


@dataclass(frozen=True)
class Listing:
    """
    The sources of a batch.

    :param sources: The documents, in the order of their indexes.
    :param base: URI of the folder that names are relative to, where the sources say it: the folder that was listed,
        that of a glob before its first wildcard, or what a list file carries; else ``None``.
    :param pattern: What the listed files match below ``base``, as a regular expression; ``None`` = nothing was listed.
    :param continues: URI of the manifest that names the sources; else ``None``.
    :param is_work_list: Whether a work list names them, whose base is an inbox.
    """

    sources: tuple[ListedSource, ...]
    base: str | None = None
    pattern: re.Pattern[str] | None = None
    continues: str | None = None
    is_work_list: bool = False


def list_sources(wanted: Sources) -> Listing:
    """
    List the sources of a batch.

    :param wanted: What :func:`.parse_sources` returned.
    :return: The documents; of a folder and a glob in the order of their paths, see :func:`.list_folder`.
    :raises InputError: if there are none, or more than :data:`.MOST_DOCUMENTS`, or a list or a manifest cannot be
        understood; the message names the line.
    :raises SourceError: if the folder, the list or the manifest does not exist or may not be read;
        :class:`SourceUnreadableError` if the storage does not answer.
    """
    if isinstance(wanted, Folder):
        found = list_folder(wanted.uri)
        where = f"in the folder {_quoted(wanted.uri)}{_SKIPPED}"
        return Listing(_counted(found, where), wanted.uri, re.compile(".*", re.DOTALL))
    if isinstance(wanted, Glob):
        return _list_glob(wanted)
    if isinstance(wanted, ListFile):
        return _read_list(wanted)
    if isinstance(wanted, Rows):
        return _read_rows(wanted)
    return Listing(_counted(wanted.sources, "in sources"))


#: Part of a message where files were listed.
_SKIPPED = " (files and folders whose name begins with a dot or an underscore are skipped)"


def _quoted(uri: str) -> str:
    return repr(shown(uri, 300))


def _counted(sources: Iterable[ListedSource], where: str) -> tuple[ListedSource, ...]:
    found = tuple(islice(sources, MOST_DOCUMENTS + 1))
    if not found:
        raise SourceError(f"There is no document {where}.")
    if len(found) > MOST_DOCUMENTS:
        raise InputError(
            f"There are more than {MOST_DOCUMENTS} documents {where}, and one batch takes no more. Give each task a "
            "part of them: AsposeOcrBatchOperator.partial(...).expand(sources=[...]) with several folders, globs or lists."
        )
    return found


def _list_glob(wanted: Glob) -> Listing:
    base = wanted.base
    below = wanted.uri.removeprefix(base)
    pattern = re.compile(glob_translate(below))
    depth = None if "**" in below else below.count("/") + 1
    found = [source for source in list_folder(base, depth) if pattern.match(source.uri.removeprefix(base))]
    return Listing(_counted(found, f"that {_quoted(wanted.uri)} matches{_SKIPPED}"), base, pattern)


def read_work_list_head(wanted: Sources) -> tuple[WorkList | None, Sources]:
    """
    Read the first line of a work list, which says where what was done is kept.

    :param wanted: What :func:`.parse_sources` returned.
    :return: The work list without its files, ``None`` if it is none; and the sources, to be listed without another request
        for the line. A list that is missing or is no list is none here: listing its sources says why.
    :raises InputError: if the line cannot be understood.
    :raises SourceUnreadableError: if the storage does not answer: the batch would have no register if it answers later.
    """
    if not isinstance(wanted, ListFile):
        return None, wanted
    lines = read_objects(wanted.uri, "list of sources")
    try:
        first = next(lines, None)
    except SourceUnreadableError:
        raise
    except (InputError, SourceError):
        return None, wanted
    if first is None:
        return None, wanted
    where = f"Line {first[0]} of {_list_name(wanted.uri)}"
    work = parse_head(first[1], where) if is_work_list(first[1]) else None
    return work, replace(wanted, lines=chain((first,), lines))


def _list_name(uri: str) -> str:
    return f"the list {_quoted(uri)}"


def _read_work_list(lines: Iterable[tuple[int, dict[str, Any]]], name: str) -> Listing:
    work = parse_work_list(lines, name)
    files = (ListedSource(file.uri, file.version, file.size_bytes) for file in work.files)
    return Listing(_counted(files, f"in {name}"), work.base, is_work_list=True)


def _read_list(wanted: ListFile) -> Listing:
    name = _list_name(wanted.uri)
    lines = wanted.lines or read_objects(wanted.uri, "list of sources")
    first = next(lines, None)
    lines = chain(() if first is None else (first,), lines)
    if first is not None and is_work_list(first[1]):
        return _read_work_list(lines, name)
    base: str | None = None
    sources: list[ListedSource] = []
    for number, found in islice(lines, MOST_DOCUMENTS + 2):
        where = f"Line {number} of {name}"
        if set(found) == {"base"} and not sources and base is None:
            base = _parse_base(found["base"], where)
        else:
            sources.append(parse_entry(found, where))
    return Listing(_counted(sources, f"in {name}"), base)


def _parse_base(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.endswith("/"):
        raise InputError(
            f"{where}: base is the URI of a folder, with a slash at its end, not {shown(repr(value), 200)}."
        )
    return check_uri(value, f"{where}: base")


def _read_rows(wanted: Rows) -> Listing:
    words, name = " or ".join(wanted.outcomes), f"the manifest {_quoted(wanted.manifest)}"
    found = _counted(_rows(wanted, name), f"with the outcome {words} in {name}")
    return Listing(found, continues=wanted.manifest)


def _rows(wanted: Rows, name: str) -> Iterator[ListedSource]:
    for number, row in enumerate(read_manifest(wanted.manifest), 1):
        if row.outcome not in wanted.outcomes:
            continue
        # A source that cannot be opened fails again, in its row; but a manifest without these was made by other means.
        is_absolute = row.source is not None and (row.source.startswith("/") or "://" in row.source)
        if row.source is None or not is_absolute or row.file_stem is None or not is_name(row.file_stem):
            what = (
                "file_stem that can be the name of results"
                if is_absolute
                else "source that is a path or a URI"
            )
            raise InputError(
                f"Row {number} of {name} has no {what}. Pass the manifest of a batch as it was written."
            )
        # Keep the name of the earlier batch, so that a document's results go to one place in both batches.
        submitted = tuple(step.operation for step in row.steps)
        yield ListedSource(row.source, None, row.bytes, row.file_stem, submitted)
