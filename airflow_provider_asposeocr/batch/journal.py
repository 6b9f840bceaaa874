"""
The journal of a batch: what was intended, submitted and stored, as part files in object storage.

Invariant: a record is durable once :meth:`Journal.append` has returned, and of two processes that believe they own the
journal at most one goes on. A writer makes its intents durable, **then** looks for a higher epoch
(:meth:`Journal.check`), then sends. A process that takes over creates its epoch, **then** lists and reads. So the new owner
reads an intent, or its writer sees the higher epoch and does not send.

The methods do I/O: an event loop calls them through :class:`.GroupCommit`, one at a time.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import (
    JournalError,
    JournalFencedError,
    JournalMissingError,
    JournalUnreachableError,
)
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.journal_reading import CLOSED, DRAIN, highest_epoch, missing, read_parts
from airflow_provider_asposeocr.batch.parts import EPOCHS, Part, PartName
from airflow_provider_asposeocr.batch.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: Fields of the header that each part repeats: whose it is, for a sweep that finds parts without their header.
IDENTITY = ("key", "dag_id", "run_id", "task_id", "map_index")
#: How many processes may begin an epoch at the same moment as this one.
_EPOCH_TRIES = 100


@dataclass(frozen=True)
class Marks:
    """
    Requests of other processes to the owner of a journal.

    :param drain: Submit nothing more, let the running cloud tasks end, and end with the rest ``not_started``.
    """

    drain: bool = False


class Opened(NamedTuple):
    """
    A journal, and what it says.

    :param journal: The journal, owned by this process.
    :param header: The header that counts: that of the process which has begun the journal.
    :param records: All records in the order in which they are replayed.
    """

    journal: Journal
    header: Mapping[str, Any]
    records: list[dict[str, Any]]


class Journal:
    """
    A journal that this process owns until another one takes over; made by :meth:`create` and :meth:`take_over`.

    :param files: Its folder.
    :param first: The part with which this process has begun its epoch.
    :param is_atomic: Whether exactly one of two processes that create the first part of an epoch succeeds.
    :param replay: What the journal says.
    :param names: Names of the files that were there.
    """

    def __init__(
        self, files: JournalFiles, first: Part, is_atomic: bool, replay: Replay, names: set[str]
    ) -> None:
        self._files = files
        self._first = first
        # Made once: with the header of ten thousand documents it is more than a megabyte, and each commit is checked.
        self._claim = None if is_atomic else first.to_bytes()
        self._identity = _identity(replay.header or {})
        self._header_part = replay.header_part
        self._writer = uuid4().hex[:8]
        self._sequence = 0
        self._last = replay.last
        self._unacknowledged: list[Mapping[str, Any]] = []
        # Names of all parts that may be in the folder, those whose commit has failed included.
        self._parts = {name for name in names if PartName.parse(name)} | {first.name.text}
        #: URI of the folder.
        self.uri = str(files.folder)
        #: Number of this process among those that have owned the journal, counted from 1.
        self.epoch = first.name.epoch
        #: How many records are durable, those that a snapshot has replaced included.
        self.acknowledged = replay.acknowledged
        #: How many parts a next process has to read; a snapshot makes one of them.
        self.parts_to_replay = replay.parts_to_replay

    @classmethod
    def create(cls, folder: ObjectStoragePath, header: Mapping[str, Any]) -> Opened:
        """
        Begin a journal; take it over if there is one, or if another process begins it at the same moment.

        :param folder: Its folder.
        :param header: What the batch is, frozen: sources, steps, settings, account, base, names; plain JSON. Each part
            repeats the fields that :data:`IDENTITY` names.
        :return: The journal. Its header is another than ``header`` if another process has begun the journal.
        :raises JournalError: if the journal that is there cannot be read.
        :raises JournalUnreachableError: if the storage does not answer or refuses; a retry may help.
        """
        files = JournalFiles(folder)
        names = files.names()
        if any(PartName.parse(name) for name in names):
            try:
                return cls.take_over(folder)
            except JournalMissingError:
                names = files.names()  # The files are left of a process that died while it began the journal.
        epoch = highest_epoch(names) + 1
        first = Part(PartName(epoch, 0), (), header=dict(header), writer=uuid4().hex)
        is_atomic = files.creates_are_atomic(first.name.text)
        if not files.create(first.name.text, first.to_bytes()):
            return cls.take_over(folder)
        replay = Replay(header=first.header, header_part=first.name.text, last=(first.name.text,))
        return Opened(cls(files, first, is_atomic, replay, names), first.header or {}, [])

    @classmethod
    def take_over(cls, folder: ObjectStoragePath, *, resumes: bool = False, at_least: int = 0) -> Opened:
        """
        Become the owner of a journal that another process has begun, and read it.

        :param folder: Its folder.
        :param resumes: Whether the same try goes on after a deferral, so that a drain mark still holds; for a retry,
            the mark is deleted.
        :param at_least: How many records must be there, by the tripwire; fewer means that the last parts are lost.
        :return: The journal, its header and its records.
        :raises JournalMissingError: if there is no journal.
        :raises JournalError: if it cannot be read, or has lost parts.
        :raises JournalUnreachableError: if the storage does not answer or refuses; a retry may help.
        """
        files = JournalFiles(folder)
        names = files.names()
        if CLOSED in names or not any(PartName.parse(name) for name in names):
            raise missing(folder)
        first, is_atomic = _begin_epoch(files, highest_epoch(names) + 1)
        replay, names = read_parts(files)
        if replay.header is None:
            raise missing(folder)
        if replay.acknowledged < at_least:
            raise JournalError(
                f"The journal of the batch, {shown(folder, 300)}, has {replay.acknowledged} records, and "
                f"{at_least} were written: its last parts are missing. This try has sent nothing."
            )
        if DRAIN in names and not resumes:
            files.delete([DRAIN])
        return Opened(cls(files, first, is_atomic, replay, names), replay.header, replay.records)

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """
        Make records durable, all or none, as one part.

        Records whose commit has failed are kept, and go out again with the next one, under the next sequence number:
        the failed request may still arrive. The caller does not pass them again.

        :param records: JSON objects.
        :raises JournalUnreachableError: if the storage does not answer or refuses.
        :raises JournalError: if the storage can never take it.
        """
        self._unacknowledged += records
        if not self._unacknowledged:
            return
        self._write(self._unacknowledged)
        self.acknowledged += len(self._unacknowledged)
        self._unacknowledged = []
        self.parts_to_replay += 1

    def check(self) -> Marks:
        """
        Check after a commit, and before its records are acted on, whether this process still owns the journal.

        :return: The requests to the owner.
        :raises JournalFencedError: if another process has taken over, or the journal was closed or is gone.
        :raises JournalUnreachableError: if the storage does not answer or refuses.
        """
        names = self._files.names(EPOCHS)
        if highest_epoch(names) > self.epoch:
            raise self._fenced("Another process has taken over the batch")
        if CLOSED in names or self._first.name.text not in names:
            raise self._fenced("Another process has finished the batch, or its journal was deleted")
        if self._claim is not None:
            # Without atomic creates, two processes may both believe that they have begun this epoch.
            content = self._files.read([self._first.name.text])[self._first.name.text]
            if content != self._claim:
                raise self._fenced("Another process owns the batch")
        return Marks(drain=DRAIN in names)

    def snapshot(self, records: Iterable[Mapping[str, Any]]) -> None:
        """
        Write the whole state as one part, and delete the parts that it replaces.

        :param records: The whole state: what was appended so far is replayed no more. They are gone through once.
        :raises JournalFencedError: if another process has taken over; then nothing is deleted.
        :raises JournalUnreachableError: if the storage does not answer or refuses; the old parts are still there.
        """
        self.append(())  # Records of a failed commit are written first: they may be missing in the snapshot.
        replaced = sorted(self._parts - {self._header_part, self._first.name.text})
        self._write(records, replaced)
        self.parts_to_replay = 1
        self.check()
        try:
            self._files.delete(replaced)
        except JournalError as error:
            log.warning("%s The next snapshot deletes these files.", error.message)
        else:
            self._parts -= set(replaced)

    def delete(self) -> None:
        """Delete the journal, see :func:`delete_journal`."""
        delete_journal(self._files.folder)

    def _write(self, records: Iterable[Mapping[str, Any]], replaces: Sequence[str] | None = None) -> None:
        self._sequence += 1
        name = PartName(self.epoch, self._sequence, self._writer)
        part = Part(
            name=name,
            records=(),
            acknowledged=self.acknowledged,
            after=self._last,
            replaces=replaces,
            identity=self._identity,
            writer=self._first.writer,
        )
        self._parts.add(name.text)  # Noted before the request, which may arrive although no answer comes.
        self._files.write(name.text, part.pieces_with(records))
        self._last = (name.text,)

    def _fenced(self, what: str) -> JournalFencedError:
        return JournalFencedError(f"{what} ({shown(self.uri, 300)}). This process stops.")


def read_journal(folder: ObjectStoragePath) -> tuple[Mapping[str, Any], list[dict[str, Any]]]:
    """
    Read a journal without taking it over: its owner goes on.

    :param folder: Its folder.
    :return: Its header, and all records in the order in which they are replayed.
    :raises JournalMissingError: if there is no journal.
    :raises JournalError: if it cannot be read, or has lost parts.
    :raises JournalUnreachableError: if the storage does not answer or refuses; a retry may help.
    """
    replay, _ = read_parts(JournalFiles(folder))
    if replay.header is None:
        raise missing(folder)
    return replay.header, replay.records


def request_drain(folder: ObjectStoragePath) -> None:
    """
    Ask the owner of a journal to submit nothing more; it sees that before it sends the next document.

    :param folder: The journal's folder.
    :raises JournalMissingError: if there is no journal.
    :raises JournalUnreachableError: if the storage does not answer or refuses.
    """
    files = JournalFiles(folder)
    names = files.names()
    if CLOSED in names or not any(PartName.parse(name) for name in names):
        raise missing(folder)
    asked = {"requested_at": datetime.now(UTC).isoformat(timespec="seconds")}
    files.write(DRAIN, json.dumps(asked).encode())


def delete_journal(folder: ObjectStoragePath) -> None:
    """
    Delete a journal whose batch is over.

    A mark is written first and deleted last. So a process that wakes up meanwhile stops, and what a kill leaves is
    recognized as a leftover.

    :param folder: Its folder; one that is gone already is no error.
    :raises JournalUnreachableError: if the storage does not answer or refuses.
    """
    files = JournalFiles(folder)
    names = files.names()
    if not names:
        return
    files.write(CLOSED, b"{}")
    files.delete([name for name in sorted(files.names()) if _is_of_journal(name)])
    files.delete([CLOSED])
    files.remove_empty_folders()


def _begin_epoch(files: JournalFiles, epoch: int) -> tuple[Part, bool]:
    """Create the first part of an epoch; if another process has, of the next one."""
    for number in range(epoch, epoch + _EPOCH_TRIES):
        first = Part(PartName(number, 0), (), writer=uuid4().hex)
        is_atomic = files.creates_are_atomic(first.name.text)
        if files.create(first.name.text, first.to_bytes()):
            return first, is_atomic
    raise JournalUnreachableError(
        f"Other processes took over the journal of the batch, {shown(files.folder, 300)}, at each attempt to open it."
    )


def _identity(header: Mapping[str, Any]) -> dict[str, Any]:
    return {name: header[name] for name in IDENTITY if name in header}


def _is_of_journal(name: str) -> bool:
    """Whether a file belongs to a journal: a part, a mark, the probe of atomic creates, or the rest of a killed write."""
    is_temporary = name.rpartition("/")[2].startswith(".aspose-ocr-") and name.endswith(".part")
    return PartName.parse(name) is not None or name in (DRAIN, f"{EPOCHS}/probe") or is_temporary
