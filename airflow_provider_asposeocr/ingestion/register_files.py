"""
The records of the register in their storage: list, read, create.

Invariant: each call asks the storage anew, and if several processes create the same record, exactly one succeeds. No record
is ever overwritten or deleted.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.atomic_create import CONDITIONAL, create_or_read, read, replace
from airflow_provider_asposeocr.documents.file_systems import LOCAL, object_path
from airflow_provider_asposeocr.documents.versions import changed_at
from airflow_provider_asposeocr.ingestion.errors import RegisterError, RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.register import RecordName, key_of, place_of
from airflow_provider_asposeocr.ingestion.register_records import parse_register_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.ingestion.register_records import RegisterRecord

    _R = TypeVar("_R", bound=RegisterRecord)

log = logging.getLogger(__name__)

#: Subfolder of the records. If a record is deleted, its document is read and billed again.
DOCUMENTS = "documents"


class RegisterFiles:
    """
    The register in a folder. Threads may share it.

    :param uri: URI of the folder, with a slash at its end.
    :param monotonic: Seconds since any moment.
    """

    def __init__(self, uri: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.uri = uri
        self._monotonic = monotonic
        self._folder = object_path(uri) / DOCUMENTS
        self._is_local = self._folder.protocol in LOCAL
        #: The store's clock and this process's clock at one moment; ``None`` = not asked yet.
        self._clock: tuple[float, float] | None = None

    def check(self) -> bool:
        """
        Find out, before anything is sent, whether the register can be written, and whether its store creates atomically.

        It creates a file ``probe`` beside the records twice: the store must refuse the second create.

        :return: ``True`` if exactly one of two processes that create one record succeeds. Otherwise a warning is logged.
        :raises RegisterError: if the register may not be written; :class:`.RegisterUnreachableError` if its storage does
            not answer.
        """
        probe = self._folder / "probe"
        with self._storage_errors("written", "no"):
            # The first create may succeed; the store must refuse the second one.
            is_atomic = self._is_refused(probe) or self._is_refused(probe)
        if not self._is_local and self._folder.protocol not in CONDITIONAL:
            is_atomic = False
        if not is_atomic:
            log.warning(
                "The storage of the register %s does not create files atomically. Two batches that find the same document "
                "at the same moment may both send it, which is billed twice. Let one batch run at a time: "
                "max_active_runs=1.",
                shown(self.uri, 300),
            )
        return is_atomic

    def _is_refused(self, probe: ObjectStoragePath) -> bool:
        data = f"Created to find out whether this store refuses to create it again. {uuid4().hex}".encode()
        return create_or_read(probe, data) != data

    def look(self, key: str) -> list[RecordName]:
        """
        List the names of a document's records: one request.

        :param key: The document.
        """
        with self._storage_errors("listed"):
            found = self._names(f"{key}.")
        return [name for text in found if (name := RecordName.parse(text)) and name.key == key]

    def look_for_content(self, sha256: str) -> list[RecordName]:
        """
        List the names of the records of a content with any steps and settings: one request.

        :param sha256: Checksum of the content in hex, at least 40 digits.
        """
        prefix = key_of(sha256, "")
        with self._storage_errors("listed"):
            found = self._names(prefix)
        return sorted(
            name for text in found if (name := RecordName.parse(text)) and name.key.startswith(prefix)
        )

    def _names(self, prefix: str) -> list[str]:
        folder = self._folder / place_of(prefix)
        if self._is_local:
            try:
                return [name for name in os.listdir(folder.path) if name.startswith(prefix)]
            except FileNotFoundError:
                return []
        fs: Any = folder.fs
        fs.invalidate_cache()
        try:
            if folder.protocol in CONDITIONAL:
                return list(fs.find(folder.path, prefix=prefix))
            # No ``glob``, for which a bracket in the name of the folder would be a part of the pattern.
            names = map(str, fs.ls(folder.path, detail=False))
            return [name for name in names if name.rpartition("/")[2].startswith(prefix)]
        except FileNotFoundError:
            return []

    def all_names(self) -> Iterator[RecordName]:
        """List the names of all records, one subfolder after the other, for people who ask."""
        for number in range(256):
            folder = self._folder / f"{number:02x}"
            with self._storage_errors("listed"):
                found = self._names_in(folder)
            yield from sorted(name for text in found if (name := RecordName.parse(text)))

    def _names_in(self, folder: ObjectStoragePath) -> list[str]:
        try:
            if self._is_local:
                return os.listdir(folder.path)
            folder.fs.invalidate_cache()
            return [str(name) for name in folder.fs.find(folder.path)]
        except FileNotFoundError:
            return []

    def read(self, name: RecordName) -> bytes | None:
        """
        Read a record.

        :param name: Its name.
        :return: The content of its file; ``None`` if there is none.
        """
        with self._storage_errors("read"):
            return read(self._folder / name.text)

    def record(self, kind: type[_R], name: RecordName) -> _R:
        """
        Read a record, and check what it says.

        :param kind: What it is: the class of its word.
        :param name: Its name.
        :raises RegisterError: if there is none, or this version does not understand it.
        """
        return parse_register_record(kind, self.read(name) or b"", self.where(name))

    def create(self, name: RecordName, record: RegisterRecord) -> bytes:
        """
        Create a record, unless there is one.

        :param name: Its name.
        :param record: What it says; its random ``writer`` makes it unique.
        :return: The content of its file: that of ``record`` if this call has created it, else that of the record that was
            there.
        """
        with self._storage_errors("written"):
            return create_or_read(self._folder / name.text, record.to_bytes())

    def age_seconds(self, name: RecordName) -> float:
        """
        Tell how old a record is by the store's clock, which may differ from that of this machine.

        :param name: Its name.
        :return: Seconds; 0 if the store does not say when it was written.
        """
        with self._storage_errors("read"):
            written = self._written_at(self._folder / name.text)
            return 0.0 if written is None else max(0.0, self._store_now() - written)

    def where(self, name: RecordName) -> str:
        """
        Return the URI of a record, for messages.

        :param name: Its name.
        """
        return str(self._folder / name.text)

    def _store_now(self) -> float:
        """Return the time by the store's clock, which a small file tells once per process."""
        if self._clock is None:
            clock = self._folder / "clock"
            replace(clock, datetime.now(UTC).isoformat().encode())
            now = self._written_at(clock)
            self._clock = (now or time.time(), self._monotonic())
        then, at = self._clock
        return then + self._monotonic() - at

    def _written_at(self, path: ObjectStoragePath) -> float | None:
        fs: Any = path.fs
        fs.invalidate_cache()
        try:
            return changed_at(fs.info(path.path)) or None
        except FileNotFoundError:
            return None

    def path(self, *parts: str) -> ObjectStoragePath:
        """
        Return a path below the register's folder.

        :param parts: Its parts.
        """
        found = object_path(self.uri)
        for part in parts:
            found = found / part
        return found

    @contextmanager
    def _storage_errors(self, what: str, billed: Any = None) -> Iterator[None]:
        """Raise errors of the storage as errors that name the register."""
        try:
            yield
        except AsposeOcrError:
            raise
        except Exception as error:  # each storage library has its own root class
            final = isinstance(error, ValueError | ImportError | PermissionError | NotADirectoryError)
            cls = RegisterError if final else RegisterUnreachableError
            raise cls(
                f"The register {shown(self.uri, 300)} cannot be {what}: {type(error).__name__}: {shown(error)}.",
                billed=billed,
            ) from error
