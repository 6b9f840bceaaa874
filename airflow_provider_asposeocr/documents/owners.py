"""
Owner records: which source document made a file, so that no other document's result overwrites it.

Invariant: in the modes ``overwrite``, ``fail`` and ``skip`` a file is written only if a record of the same source exists
beside it. If several sources create the same name at the same moment, exactly one of them gets it.

A record is in ``<folder of the file>/.aspose-ocr/owners/``. Its name is the checksum of only the file's name, so that the
records of a folder are the same for every connection, mount and spelling that leads to the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_provider_asposeocr.api.errors import DestinationError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.atomic_create import create_or_read, is_atomic, read, replace
from airflow_provider_asposeocr.documents.uris import canonical_uri

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.api.responses import TaskRef

IfExists = Literal["overwrite", "overwrite_any", "fail", "skip"]
IF_EXISTS: tuple[IfExists, ...] = ("overwrite", "overwrite_any", "fail", "skip")

#: Folder of the records, below the folder of their files.
FOLDER = ".aspose-ocr/owners"


class Owner(BaseModel):
    """
    The source document that made a file.

    :param schema_version: Version of this form; a record of a later version counts as that of another document.
    :param writer: Random text; distinguishes the records of two writers that are otherwise equal.
    :param target: Name of the file, for people who read the record.
    :param source: URI of the document, without connection, query and user; ``None`` if the task reference contains none.
    :param source_qualifier: See :func:`.uris.qualifier_of`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1
    writer: str
    target: str
    source: str | None = None
    source_qualifier: str | None = None

    def is_same_source(self, other: Owner) -> bool:
        """
        Return whether two records name the same document.

        :param other: The other record.
        :return: ``False`` also if a record names no document.
        """
        mine, others = (self.source, self.source_qualifier), (other.source, other.source_qualifier)
        return self.source is not None and mine == others

    def to_bytes(self) -> bytes:
        """Return the content of the record's file."""
        return json.dumps(self.model_dump(), sort_keys=True).encode()


@dataclass(frozen=True)
class Made:
    """
    How a file came about.

    :param owner: The source that made it.
    :param said_by: URI of the record or the manifest that says so.
    :param size_bytes: The size that it had then; ``None`` where that is not said.
    :param sha256: The checksum that it had then; ``None`` where that is not said.
    """

    owner: Owner
    said_by: str
    size_bytes: int | None = None
    sha256: str | None = None


#: Says who made a file that has no record, from its URI; ``None`` = that is not known.
FindMaker = Callable[[str], Made | None]


def only_records(_: str) -> None:
    """Know no maker of a file that has no record; a :data:`FindMaker`."""


@dataclass(frozen=True)
class Refusal:
    """
    The decision not to write a file.

    :param because: ``exists``: the file exists, and ``if_exists`` is ``fail``. ``other``: another document made it.
        ``unknown``: the file exists, and no record names its document.
    """

    because: Literal["exists", "other", "unknown"]


Decision = Literal["write", "leave", "create record", "replace record"] | Refusal


def decide(if_exists: IfExists, mine: Owner, is_there: bool, maker: Owner | None) -> Decision:
    """
    Decide about one file. Pure; the storage may still refuse to create the record.

    :param if_exists: The user's policy.
    :param mine: The record of the document whose result is to be written.
    :param is_there: Whether the file exists.
    :param maker: The existing record of the file; ``None`` if there is no record, or it cannot be read.
    """
    if is_there and if_exists == "skip":
        # The manifest would describe the other document's file as the result of this one, and that would be lost.
        if maker is None or None in (mine.source, maker.source) or mine.is_same_source(maker):
            return "leave"
        return Refusal("other")
    if is_there and if_exists == "fail":
        return Refusal("exists")
    if if_exists == "overwrite_any" or mine.source is None:
        return "replace record"
    if not is_there:
        return "create record"
    if maker is None:
        return Refusal("unknown")
    return "write" if mine.is_same_source(maker) else Refusal("other")


def record_path(target: ObjectStoragePath) -> ObjectStoragePath:
    """
    Return the path of a file's record.

    :param target: The file.
    """
    digest = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:32]
    return target.parent / FOLDER / f"{digest}.json"


def parse_owner(content: bytes | None) -> Owner | None:
    """
    Read a record.

    :param content: Content of its file, which may be edited, cut off or of a later version.
    :return: The owner; ``None`` if there is none, or the content is invalid. An invalid record counts as that of another
        document.
    """
    try:
        return None if content is None else Owner.model_validate_json(content)
    except ValidationError:
        return None


class Claims:
    """
    The right to write the files of one cloud task.

    :param ref: The cloud task, for its source.
    :param if_exists: The user's policy.
    :param find_maker: Asked about a file that exists and has no record; by default its maker is not known then.
    """

    def __init__(self, ref: TaskRef, if_exists: IfExists, find_maker: FindMaker = only_records) -> None:
        self._source = None if ref.source_uri is None else storable(canonical_uri(ref.source_uri))
        self._qualifier = ref.source_qualifier
        self._if_exists = if_exists
        self._find_maker = find_maker
        self._created: list[ObjectStoragePath] = []

    def take(self, targets: Iterable[ObjectStoragePath]) -> list[ObjectStoragePath]:
        """
        Check that all files may be written, before any of them is written.

        :param targets: The files.
        :return: The files that are not written (``skip``).
        :raises DestinationError: if one of them belongs to another document, or already exists (``fail``).
        """
        decisions = [(target, *self._decide(target)) for target in targets]
        for target, decision, made in decisions:
            if isinstance(decision, Refusal):
                raise self._refused(target, decision, made)
        # All tasks use the same order. If two tasks have several names in common, the one that gets the first gets all.
        for target, decision, _ in sorted(decisions, key=lambda item: item[0].name):
            if decision == "create record":
                self._create(target)
            elif decision == "replace record":
                replace(record_path(target), self._owner(target).to_bytes())
        return [target for target, decision, _ in decisions if decision == "leave"]

    def confirm(self) -> None:
        """
        Check, after the files have been written, that no other document has got their names meanwhile.

        If creates are atomic, this sends no requests. In other storages, it turns a silent loss into an error.

        :raises DestinationError: if another document has got a name.
        """
        for target in self._created:
            if not is_atomic(record_path(target)):
                maker = parse_owner(read(record_path(target)))
                if maker is None or not self._owner(target).is_same_source(maker):
                    whose = "another document" if maker is None else f"another document, {_named(maker)},"
                    raise DestinationError(
                        f"{shown(target, 300)} was written for {whose} at the same moment, and one of the two results "
                        "is lost there. Give each document a destination folder or a file_stem of its own, and fetch "
                        "both again."
                    )

    def _decide(self, target: ObjectStoragePath) -> tuple[Decision, Made | None]:
        mine = self._owner(target)
        if self._if_exists == "overwrite_any" or (self._if_exists == "overwrite" and mine.source is None):
            return "replace record", None
        is_there = _is_there(target)
        made = self._made(target) if is_there else None
        decision = decide(self._if_exists, mine, is_there, None if made is None else made.owner)
        if decision == "write" and made is not None and made.said_by != str(record_path(target)):
            return "create record", made  # A batch has written none.
        return decision, made

    def _made(self, target: ObjectStoragePath) -> Made | None:
        record = record_path(target)
        content = read(record)
        if content is None and self._if_exists != "fail":
            return self._find_maker(str(target))
        owner = parse_owner(content)
        return None if owner is None else Made(owner, str(record))

    def _owner(self, target: ObjectStoragePath) -> Owner:
        return Owner(
            writer=uuid4().hex,
            target=storable(target.name),
            source=self._source,
            source_qualifier=self._qualifier,
        )

    def _create(self, target: ObjectStoragePath) -> None:
        path, mine = record_path(target), self._owner(target)
        is_atomic(path)  # Logs a warning if two tasks may not notice each other at the same moment.
        content = mine.to_bytes()
        found = create_or_read(path, content)
        if found == content:
            self._created.append(target)
            return
        maker = parse_owner(found)
        if maker is None or not mine.is_same_source(maker):
            made = None if maker is None else Made(maker, str(path))
            raise self._refused(target, Refusal("other"), made)

    def _refused(self, target: ObjectStoragePath, refusal: Refusal, made: Made | None) -> DestinationError:
        what, record = shown(target, 300), shown(record_path(target), 400)
        if refusal.because == "exists":
            return DestinationError(
                f"{what} exists already, and if_exists is 'fail'. Nothing was overwritten."
            )
        if made is None or made.owner.source is None:
            whose = (
                f"{what} may be another document's: no record ({record}) and no manifest of a batch that was asked says "
                "which document made it."
            )
        else:
            whose = (
                f"{what} belongs to another document, {_named(made.owner)}, says {shown(made.said_by, 400)}."
            )
        return DestinationError(
            f"{whose} Nothing was overwritten. Give each document a destination folder or a file_stem of its own. If "
            f"{_named(self._owner(target))} may replace the file, set if_exists='overwrite_any', which does not ask "
            "who made it, or delete the file and its record."
        )


def storable(text: str) -> str:
    """
    Make a name storable in JSON.

    Names of local files may contain bytes that are not UTF-8. JSON parsers refuse the surrogates that Python makes of them.

    :param text: The name.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def _named(owner: Owner) -> str:
    qualifier = f" ({shown(owner.source_qualifier, 100)})" if owner.source_qualifier else ""
    return f"{shown(owner.source, 300)}{qualifier}"


def _is_there(target: ObjectStoragePath) -> bool:
    fs: Any = target.fs
    # s3fs, gcsfs and adlfs would answer from a listing that this process keeps without a time limit.
    fs.invalidate_cache()
    try:
        facts = fs.info(target.path)
    except FileNotFoundError:
        return False
    if facts.get("type") == "directory":
        raise DestinationError(f"{shown(target, 300)} is a folder. End the destination with a slash.")
    return True
