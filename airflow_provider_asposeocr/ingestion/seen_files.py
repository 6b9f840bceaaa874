"""
The index of the files that were read already, in its storage: read, written anew, and corrected by a person.

Invariant: each key of the index comes from a manifest. A segment that cannot be read is skipped with a warning; its files
are downloaded and compared again.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.atomic_create import read, replace
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.folder_pages import folder_pages
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.documents.versions import changed_at, listed_version
from airflow_provider_asposeocr.ingestion.seen import (
    KEY_BYTES,
    SeenKeys,
    Segment,
    parse_segment,
    plan_compaction,
    row_key,
    segment_name,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

log = logging.getLogger(__name__)

INDEX = "index/"
MANIFESTS = "manifests/"
_SEGMENT = ".keys.gz"
_FORGOTTEN = ".forgotten"


@dataclass(frozen=True)
class _Stored:
    """A file of the index in its storage: when it was written by the clock of that storage, and its size if that is told."""

    version: str | None
    changed_at: float
    size_bytes: int | None


class SeenFiles:
    """
    The index of a register. It is loaded once, by one thread.

    :param register: URI of the register's folder, with a slash at its end.
    """

    def __init__(self, register: str) -> None:
        self._register = register
        self._segments: dict[str, Segment] = {}
        self._stale: list[str] = []
        self._fresh = Segment({}, SeenKeys())

    def load(self) -> SeenKeys:
        """
        Read the index, and the manifests that it does not have yet.

        :return: The keys of the files that were read already.
        :raises OSError: if the storage does not answer. Libraries raise errors of their own, too.
        """
        forgotten = self._load_segments()
        manifests = self._list(MANIFESTS, ".jsonl")
        # A manifest that a retry has written anew is in two segments, with a version in each.
        covered = {each for segment in self._segments.values() for each in segment.manifests.items()}
        fresh_manifests: dict[str, str | None] = {}
        for name, stored in manifests.items():
            if (name, stored.version) in covered and stored.version is not None:
                continue
            if self._take_rows(name, stored, self._fresh.keys):
                fresh_manifests[name] = stored.version
        self._fresh = Segment(fresh_manifests, self._fresh.keys)
        keys = SeenKeys()
        for segment in (*self._segments.values(), self._fresh):
            keys.add(segment.keys)
        for key in self._still_forgotten(forgotten, manifests):
            for kind in (keys.settled, keys.failed, keys.put_back):
                kind.discard(key)
        return keys

    def compact(self) -> None:
        """Write the index anew if that saves requests. A failure is logged: the next run reads the manifests instead."""
        plan = plan_compaction(self._segments, self._fresh, self._stale)
        if plan.write is None:
            return
        try:
            content = plan.write.to_bytes()
            name = segment_name(content)
            replace(object_path(f"{self._register}{INDEX}{name}"), content)
            self._remove(f"{INDEX}{each}" for each in plan.remove if each != name)
        except Exception as error:  # each storage library has its own root class
            log.warning("The index of %s was not written anew: %s", shown(self._register, 300), shown(error))
        else:
            log.info("Wrote the index of %d manifests anew", len(plan.write.manifests))

    def forget(self, keys: Iterable[bytes]) -> None:
        """
        Have files read again, although manifests say that they were read.

        :param keys: Their keys, see :func:`.row_key`. They count as not read until a manifest that is written later has
            them.
        :raises OSError: if the storage refuses. Libraries raise errors of their own, too.
        """
        for key in keys:
            content = json.dumps({"schema_version": 1, "kind": "forgotten", "key": key.hex()}).encode()
            replace(object_path(f"{self._register}{INDEX}{key.hex()}{_FORGOTTEN}"), content)

    def forget_documents(self, documents: Collection[str]) -> int:
        """
        Have the files of documents of the register read again. It reads all manifests.

        :param documents: Keys of documents in the register, as rows of manifests name them in ``key``.
        :return: How many files were forgotten.
        :raises OSError: if the storage refuses. Libraries raise errors of their own, too.
        """
        keys: set[bytes] = set()
        for name in self._list(MANIFESTS, ".jsonl"):
            with suppress(AsposeOcrError):  # If a manifest was cut, the rows before the cut count.
                for _, row in read_objects(f"{self._register}{MANIFESTS}{name}", "manifest"):
                    if row.get("key") in documents:
                        keys |= keys_of([row])
        self.forget(keys)
        return len(keys)

    def _load_segments(self) -> dict[bytes, float]:
        """Read the segments; return the forgotten keys, and when they were forgotten."""
        forgotten: dict[bytes, float] = {}
        for name, stored in self._list(INDEX, _SEGMENT, _FORGOTTEN).items():
            if name.endswith(_FORGOTTEN):
                with suppress(ValueError):
                    key = bytes.fromhex(name.removesuffix(_FORGOTTEN))
                    if len(key) == KEY_BYTES:
                        forgotten[key] = stored.changed_at
                continue
            content = read(object_path(f"{self._register}{INDEX}{name}"))
            if content is None:
                continue  # Another process has just merged segments.
            try:
                self._segments[name] = parse_segment(content)
            except InputError as error:
                self._stale.append(name)
                log.warning(
                    "The file %s of the index cannot be read: %s. The manifests are read instead.",
                    shown(name, 80),
                    error.message,
                )
        return forgotten

    def _take_rows(self, name: str, stored: _Stored, keys: SeenKeys) -> bool:
        """Add the keys of a manifest; tell whether it was read to its end."""
        try:
            uri = f"{self._register}{MANIFESTS}{name}"
            for _, row in read_objects(uri, "manifest", stored.size_bytes):
                keys.take(row)
        except AsposeOcrError as error:
            log.warning(
                "A manifest cannot be read to its end, so that files that it lists may be looked at once more: %s",
                error.message,
            )
            return False
        return True

    def _still_forgotten(
        self, forgotten: dict[bytes, float], manifests: dict[str, _Stored]
    ) -> Iterator[bytes]:
        for key, since in forgotten.items():
            newer = {name: stored for name, stored in manifests.items() if stored.changed_at > since}
            if any(self._has_row(name, stored, key) for name, stored in newer.items()):
                with suppress(Exception):  # The next run removes it.
                    self._remove([f"{INDEX}{key.hex()}{_FORGOTTEN}"])
            else:
                yield key

    def _has_row(self, name: str, stored: _Stored, key: bytes) -> bool:
        keys = SeenKeys()
        self._take_rows(name, stored, keys)
        return keys.has(key)

    def _list(self, below: str, *suffixes: str) -> dict[str, _Stored]:
        found: dict[str, _Stored] = {}
        try:
            for page in folder_pages(object_path(self._register + below)):
                for name, facts in page:
                    if name.endswith(suffixes) and not name.rpartition("/")[2].startswith("."):
                        size = facts.get("size")
                        size_bytes = size if isinstance(size, int) else None
                        found[name] = _Stored(listed_version(facts), changed_at(facts), size_bytes)
        except FileNotFoundError:
            return {}
        return found

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            path: Any = object_path(self._register + name)
            with suppress(FileNotFoundError):
                path.fs.rm_file(path.path)


def keys_of(rows: Iterable[dict[str, Any]]) -> set[bytes]:
    """
    Return the keys of the files of some rows, for :meth:`SeenFiles.forget`.

    :param rows: Rows of manifests, as JSON.
    """
    return {key for row in rows if (key := row_key(row)) is not None}
