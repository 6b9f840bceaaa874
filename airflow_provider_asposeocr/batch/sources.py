"""
The ``sources`` of a batch: which of the five forms they have.

Invariant: an invalid value is an error before anything is listed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import is_task_ref
from airflow_provider_asposeocr.api.settings import near_miss
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.documents.destinations import check_file_stem
from airflow_provider_asposeocr.documents.folders import check_uri
from airflow_provider_asposeocr.documents.manifest import OUTCOMES

#: Suffix of a file that lists sources.
LIST_SUFFIX = ".jsonl"
_WILDCARDS = frozenset("*?[")
_ENTRY_KEYS = ("source", "file_stem")
_MANIFEST_KEYS = ("manifest", "outcome")


@dataclass(frozen=True)
class Folder:
    """
    All files in a folder and the folders below it.

    :param uri: The folder, with a slash at its end.
    """

    uri: str


@dataclass(frozen=True)
class Glob:
    """
    All files whose path matches a pattern.

    :param uri: The pattern; ``*`` and ``?`` stand for characters of one name, ``**`` for folders, ``[ab]`` for one of
        several.
    """

    uri: str

    @property
    def base(self) -> str:
        """The folder before the first wildcard, with a slash at its end."""
        scheme, mark, rest = self.uri.partition("://")
        path = rest if mark else scheme
        first = min(path.index(char) for char in _WILDCARDS if char in path)
        folder = path[:first].rpartition("/")[0] + "/"
        return f"{scheme}{mark}{folder}" if mark else folder


@dataclass(frozen=True)
class ListFile:
    """
    A file that lists sources, one JSON object a line.

    :param uri: The file.
    :param lines: Its lines and their objects, where its first line was read before its sources are listed, so that it is
        opened once; they can be gone through once. ``None`` = it was not opened yet.
    """

    uri: str
    lines: Iterator[tuple[int, dict[str, Any]]] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Rows:
    """
    Documents of an earlier batch.

    :param manifest: URI of its manifest.
    :param outcomes: Those with one of these outcomes.
    """

    manifest: str
    outcomes: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """
    A list that the user has passed.

    :param sources: Its entries.
    """

    sources: tuple[ListedSource, ...]


Sources = Folder | Glob | ListFile | Rows | Listed


def parse_sources(value: Any) -> Sources:
    """
    Tell which form the sources of a batch have.

    :param value: The rendered ``sources``: a list of paths and URIs, or of ``{"source": uri, "file_stem": name}``;
        the URI of a folder, with a slash at its end; a glob; the URI of a ``.jsonl`` file; or ``{"manifest": uri,
        "outcome": word}``. What this function has returned stays as it is.
    :raises InputError: if it is none of these, or an entry of a list is no source; the message names the entry.
    """
    if isinstance(value, Sources):
        return value
    if isinstance(value, PurePath | ObjectStoragePath):
        value = str(value)
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, Mapping):
        return _parse_rows(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        if not value:
            raise InputError("sources is an empty list: there is nothing to read.")
        return Listed(
            tuple(parse_entry(entry, f"Entry {number} of sources") for number, entry in enumerate(value, 1))
        )
    raise InputError(f"sources is {shown(repr(value), 120)}. {_FORMS}")


_FORMS = (
    "Pass a list of paths or URIs, the URI of a folder with a slash at its end, a glob, the URI of a .jsonl file, or "
    "{'manifest': uri, 'outcome': 'failed'}."
)


def _parse_text(value: str) -> Sources:
    uri = check_uri(value, "sources")
    path = uri.partition("://")[2] if "://" in uri else uri
    if not _WILDCARDS.isdisjoint(path):
        return Glob(uri)
    if uri.endswith("/"):
        return Folder(uri)
    if uri.endswith(LIST_SUFFIX):
        return ListFile(uri)
    raise InputError(
        f"sources is {shown(uri, 300)!r}, which may be meant as a folder or as a file. End it with a slash to read all "
        f"files in the folder; for one document, pass a list of one: [{shown(uri, 300)!r}]."
    )


def _parse_rows(value: Mapping[Any, Any]) -> Rows:
    if is_task_ref(value):
        raise InputError("sources is a task reference; a batch reads files. " + _FORMS)
    unknown = [key for key in value if key not in _MANIFEST_KEYS]
    if unknown or not isinstance(value.get("manifest"), str):
        hint = near_miss(str(unknown[0]), _MANIFEST_KEYS) if unknown else ""
        raise InputError(f"sources is {shown(repr(dict(value)), 160)}.{hint} {_FORMS}")
    asked = value.get("outcome", "failed")
    outcomes = (asked,) if isinstance(asked, str) else tuple(asked) if isinstance(asked, Sequence) else ()
    wrong = [word for word in outcomes if word not in OUTCOMES]
    if wrong or not outcomes:
        first = str(wrong[0] if wrong else asked)
        raise InputError(
            f"sources has the outcome {shown(first, 60)!r}.{near_miss(first, OUTCOMES)} Known: {', '.join(OUTCOMES)}."
        )
    return Rows(check_uri(value["manifest"], "The manifest in sources"), outcomes)


def parse_entry(entry: Any, where: str) -> ListedSource:
    """
    Read one entry of a list of sources.

    :param entry: A path, a URI, or ``{"source": uri, "file_stem": name}``; the name is that of the results below the
        destination, without suffix.
    :param where: Where it stands, for messages.
    :raises InputError: if it is none of these.
    """
    stem = None
    if isinstance(entry, Mapping):
        unknown = [key for key in entry if key not in _ENTRY_KEYS]
        if is_task_ref(entry) or unknown or "source" not in entry:
            what = (
                "a task reference; a batch reads files"
                if is_task_ref(entry)
                else shown(repr(dict(entry)), 160)
            )
            hint = near_miss(str(unknown[0]), _ENTRY_KEYS) if unknown else ""
            raise InputError(
                f"{where} is {what}.{hint} Write a path or a URI, or {{'source': uri, 'file_stem': name}}."
            )
        entry, stem = entry["source"], entry.get("file_stem")
    if isinstance(entry, PurePath | ObjectStoragePath):
        entry = str(entry)
    if not isinstance(entry, str):
        raise InputError(f"{where} is {shown(repr(entry), 120)}. Write a path or a URI.")
    uri = check_uri(entry, where)
    if uri.endswith("/"):
        raise InputError(
            f"{where}, {shown(uri, 300)!r}, is a folder. List its files, or pass the folder itself as sources."
        )
    try:
        check_file_stem(stem)
    except AsposeOcrError as error:
        raise InputError(f"{where}: {error.message}") from None
    return ListedSource(uri, file_stem=stem)
