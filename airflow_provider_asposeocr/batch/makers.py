"""
Find out which source made a file, from owner records and from the manifests of earlier batches.

Invariant: a record or manifest that cannot be read names no source. The file then counts as that of another document.
"""

from __future__ import annotations

import hashlib
import logging
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.folder_listing import find_files
from airflow_provider_asposeocr.batch.naming import folder_of
from airflow_provider_asposeocr.batch.state_folders import ELSEWHERE, state_folders
from airflow_provider_asposeocr.documents.atomic_create import read_many
from airflow_provider_asposeocr.documents.file_systems import LOCAL, object_path
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.documents.owners import (
    FOLDER,
    Made,
    Owner,
    parse_owner,
    record_path,
    storable,
)
from airflow_provider_asposeocr.documents.uris import canonical_uri, qualifier_of, same_place, source_uri
from airflow_provider_asposeocr.documents.versions import changed_at

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.batch.folder_listing import Facts
    from airflow_provider_asposeocr.documents.manifest import Manifest

log = logging.getLogger(__name__)

#: Folders above a file whose manifests are asked who made it. Each costs one listing.
MOST_FOLDERS = 4
#: Manifests that are read to find out who made one file. One of ten thousand documents has 6 MB.
MOST_MANIFESTS = 20


class SourceOwners:
    """Sources as the makers of files, to be compared with those that records and manifests name."""

    def __init__(self) -> None:
        self._qualifiers: dict[str, str | None] = {}

    def of(self, uri: str) -> Owner:
        """
        Return a source as the maker of its results.

        :param uri: Absolute path or URI of the source. One in a local temporary folder is read, because names there are used
            again for other documents.
        """
        source = storable(canonical_uri(source_uri(uri)))
        return Owner(writer="", target="", source=source, source_qualifier=self._qualifier(uri))

    def _qualifier(self, uri: str) -> str | None:
        scheme, mark, rest = uri.partition("://")
        store = f"{scheme}://{rest.partition('/')[0]}" if mark else ""
        if store not in self._qualifiers or scheme in LOCAL or not mark:
            self._qualifiers[store] = _qualifier_of(uri)
        return self._qualifiers[store]


def _qualifier_of(uri: str) -> str | None:
    try:
        path = object_path(uri)
        if path.protocol not in LOCAL or qualifier_of(path, "") is None:
            return qualifier_of(path, "")
        with open(path.path, "rb") as stream:
            return qualifier_of(path, hashlib.file_digest(stream, "sha256").hexdigest())
    except (OSError, ValueError, ImportError):
        return None  # The error of the source is raised when it is read.


class Makers:
    """
    Who made which file.

    :param destination: URI of the folder of the files, with a slash at its end, in which batches name their state folders.
    :param state: URI of one more state folder, with a slash at its end. The manifests of all are asked.
    :param earlier: Rows about which no manifest was written; they are asked before the manifests.
    """

    def __init__(self, destination: str, state: str, earlier: Iterable[Manifest] = ()) -> None:
        self._destination = destination
        self._state = state
        self._earlier = earlier

    def find(self, files: Iterable[str]) -> dict[str, Made]:
        """
        Find out who made some files. Blocks.

        :param files: URIs of files that exist.
        :return: Those of which it is known. An owner record comes before the manifests, and a newer manifest before
            an older.
        """
        places = {same_place(uri): uri for uri in files}
        found: dict[str, Made] = {}
        for uri, made in self._read_records(list(places.values())):
            found[uri] = made
        missing = {place: uri for place, uri in places.items() if uri not in found}
        for said_by, rows in self._rows():
            if not missing:
                break
            for row in rows:
                _take(row, said_by, missing, found)
        return found

    def _read_records(self, files: Sequence[str]) -> Iterator[tuple[str, Made]]:
        """Read the records that are there, which one listing for each folder tells."""
        known: dict[str, Collection[str]] = {}
        paths: dict[str, ObjectStoragePath] = {}
        for uri in files:
            path, folder = record_path(object_path(uri)), f"{folder_of(uri)}{FOLDER}/"
            if folder not in known:
                known[folder] = _files_in(folder)
            if path.name in known[folder]:
                paths[uri] = path
        for (uri, path), content in zip(paths.items(), read_many([*paths.values()]), strict=True):
            owner = parse_owner(content)
            if owner is not None:
                yield uri, Made(owner, str(path))

    def _rows(self) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
        yield "the journal of this batch", (row.to_dict() for row in self._earlier)
        others = {same_place(state): state for state in state_folders(self._destination)}
        others.pop(same_place(self._state), None)
        for manifest in _newest_first(
            {**_manifests_in(self._state), **_manifests_of_others(others.values())}
        ):
            yield manifest, _read_rows(manifest)


def maker_of(uri: str) -> Made | None:
    """
    Find out from the manifests of batches which source made a file that has no owner record. Blocks.

    A batch keeps its manifests below its destination, or says there where they are. So those of the folder of the file are
    asked, then those of the folders above it: at most :data:`MOST_FOLDERS` folders and the newest :data:`MOST_MANIFESTS`
    manifests in all.

    :param uri: Absolute path or URI of the file.
    :return: Who made it; ``None`` = none of these manifests says so.
    """
    missing, found = {same_place(uri): uri}, dict[str, Made]()
    for manifest in islice(_manifests_around(uri), MOST_MANIFESTS):
        for row in _read_rows(manifest):
            _take(row, manifest, missing, found)
            if found:
                return found[uri]
    return None


def _manifests_around(uri: str) -> Iterator[str]:
    folder = folder_of(uri)
    for _ in range(MOST_FOLDERS):
        try:
            own, *others = state_folders(folder)
            yield from _newest_first({**_manifests_in(own), **_manifests_of_others(others)})
        # Each storage library has its own root class, and a role may not list the folders above.
        except Exception as error:
            log.info("The manifests of batches in %s cannot be listed: %s", shown(folder, 300), shown(error))
        above = folder_of(folder.rstrip("/"))
        if len(above) >= len(folder) or not folder.startswith(above):
            return
        folder = above


def _newest_first(manifests: Mapping[str, Facts]) -> list[str]:
    return sorted(manifests, key=lambda uri: (changed_at(manifests[uri]), uri), reverse=True)


def _manifests_in(state: str) -> dict[str, Facts]:
    """List the manifests of a state folder by their URIs."""
    folder = f"{state}manifests/"
    return {folder + name: facts for name, facts in _files_in(folder).items()}


def _manifests_of_others(states: Iterable[str]) -> dict[str, Facts]:
    """
    List the manifests of the state folders that a destination names, as far as they can be listed.

    A batch of long ago may have named a folder whose connection is gone. That is no reason to stop the batches of today:
    a file whose maker is not found counts as that of another document.
    """
    found: dict[str, Facts] = {}
    for state in states:
        try:
            found.update(_manifests_in(state))
        except Exception as error:  # each storage library has its own root class
            log.warning(
                "The manifests in the state folder %s cannot be listed, so files that they name may count as those of "
                "another document: %s: %s. If no batch uses the folder any more, delete the file that names it in %s of "
                "the destination.",
                shown(state, 300),
                type(error).__name__,
                shown(error),
                STATE_FOLDER + ELSEWHERE,
            )
    return found


def _files_in(folder: str) -> dict[str, Facts]:
    try:
        return find_files(folder)
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _read_rows(uri: str) -> Iterator[Mapping[str, Any]]:
    try:
        for _, row in read_objects(uri, "manifest"):
            yield row
    except AsposeOcrError as error:
        log.warning(
            "A manifest cannot be read, so files that it lists may count as those of another document: %s",
            error.message,
        )


def _take(row: Mapping[str, Any], said_by: str, missing: dict[str, str], found: dict[str, Made]) -> None:
    """Note the maker of each missing file that a row of a manifest names. A user may have changed the manifest."""
    source, task, results = row.get("source"), row.get("task"), row.get("results")
    # A duplicate's results are those of another document, which has made the files.
    if not isinstance(source, str) or not isinstance(results, list) or row.get("outcome") == "duplicate":
        return
    qualifier = task.get("source_qualifier") if isinstance(task, dict) else None
    for result in results:
        if not isinstance(result, dict) or result.get("skipped") or not isinstance(result.get("uri"), str):
            continue
        uri = missing.pop(same_place(result["uri"]), None)
        if uri is not None:
            owner = Owner(
                writer="",
                target="",
                source=storable(canonical_uri(source_uri(source))),
                source_qualifier=qualifier if isinstance(qualifier, str) else None,
            )
            size, sha256 = result.get("bytes"), result.get("sha256")
            found[uri] = Made(
                owner,
                said_by,
                size if isinstance(size, int) else None,
                sha256 if isinstance(sha256, str) else None,
            )
