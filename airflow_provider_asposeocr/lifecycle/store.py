"""
Records of submits in Airflow's ``task_state_store``.

Invariant: a record exists from before a document is sent until the cloud's answer is stored. If a process dies at any
moment, the next try finds the cloud task, or knows that one may have been billed.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf

from airflow_provider_asposeocr.api.errors import TaskUnknownError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.lifecycle.record import (
    KEY,
    SCHEMA_VERSION,
    Phase,
    Record,
    UnreadableRecord,
    parse_record,
    was_cleared,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.lifecycle.identity import Identity

log = logging.getLogger(__name__)

#: Airflow keeps a record at least this long after it was last written, also where ``[state_store]
#: default_retention_days`` is less. The cloud keeps results for one day, and a retry may come after that one, when
#: ``on_expired`` needs the record to know that a result has expired.
LEAST_RETENTION_DAYS = 7
#: What the store returns if it has no record. ``None`` may also be a record whose content is lost.
_ABSENT = object()


class StoredRecord:
    """
    The record of one submit, under one key of Airflow's store.

    :param store: Airflow's ``task_state_store``; ``None`` before Airflow 3.3, where a record lasts for one try only.
    :param max_tries: Airflow's count now.
    :param key: Key of the record. The default is that of a task instance that submits one document; one that submits
        several has a key for each.
    """

    def __init__(self, store: Any, max_tries: int, key: str = KEY) -> None:
        self._store = store
        self._is_kept = True
        self.key = key
        self.max_tries = max_tries
        #: What the store has: a record, one that cannot be read, or none.
        self.content = self._read()

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> StoredRecord:
        """
        Read the record of the running task instance.

        :param context: Airflow's context.
        """
        return cls(context.get("task_state_store"), getattr(context["ti"], "max_tries", 0))

    @property
    def readable(self) -> Record | None:
        """The record, if there is one that can be read. To decide about a submit, look at :attr:`content`."""
        return self.content if isinstance(self.content, Record) else None

    @property
    def has_store(self) -> bool:
        """Whether Airflow has a store for records."""
        return self._store is not None

    @property
    def outlives_try(self) -> bool:
        """
        Whether a later try may find the cloud task: there is a store, and it has taken what was last written.

        So it may with an unreadable record, too, if the later try runs the newer version that wrote the record.
        """
        return self._store is not None and self._is_kept

    @property
    def resubmits(self) -> int:
        """How often this task instance has sent a document again; a Clear begins anew."""
        if self.content is None or was_cleared(self.content, self.max_tries):
            return 0
        return self.content.resubmits

    def write_intent(self, identity: Identity, *, again: bool = False) -> None:
        """
        Write down that a document is about to be sent.

        :param identity: What makes the submit the same as that of another try.
        :param again: Whether an earlier submit of it may have been billed.
        """
        self._write("intent", identity, resubmits=self.resubmits + again)

    def write_task(self, task: TaskRef, *, inherited: bool = False) -> None:
        """
        Write down the cloud task.

        :param task: The cloud task.
        :param inherited: Whether this try has found it instead of submitting it.
        """
        if self.readable is not None:
            self._write("submitted", self.readable.identity, self.resubmits, task, inherited)

    def write_doubt(self, identity: Identity) -> None:
        """
        Write down that an earlier submit may have been billed, where the record cannot even tell a Clear from a retry.

        Otherwise the Clear that the error advises would meet the same record again. A newer version's record stays.

        :param identity: What this try would submit.
        """
        if isinstance(self.content, UnreadableRecord) and self.content.max_tries is None:
            self._write("intent", identity, self.resubmits)

    def forget(self) -> None:
        """
        Write down that there is no cloud task to come back to: nothing was accepted, or it is over.

        A record that cannot be read stays, because it is unknown what it says.
        """
        if self.readable is None:
            return
        if self.resubmits:
            self._write("idle", self.readable.identity, self.resubmits)
            return
        self.content = None
        if self._store is not None:
            self._store.delete(self.key)

    def forget_vanished(self, error: Exception) -> bool:
        """
        Forget a re-attached cloud task that no longer exists, so that this try submits.

        A user's Clear cancels it while the new attempt takes it up: nothing in Airflow orders the two.

        :param error: Why the wait for a cloud task failed.
        :return: Whether it was that: the cloud does not know the task, and another try has submitted it.
        """
        record = self.readable
        if record is None or record.task is None or not record.inherited:
            return False
        if not isinstance(error, TaskUnknownError) or error.task_id != record.task.id:
            return False
        log.warning("The cloud task of an earlier try was cancelled meanwhile; submitting again.")
        self.forget()
        return True

    def _read(self) -> Record | UnreadableRecord | None:
        if self._store is None:
            return None
        try:
            stored = self._store.get(self.key, _ABSENT)
        except ValueError as error:  # what a store of the user's has is no JSON
            read: Record | UnreadableRecord = UnreadableRecord(shown(error))
        else:
            if stored is _ABSENT:
                return None
            read = parse_record(stored)
        if isinstance(read, UnreadableRecord):
            log.warning("The record %r in the task state store cannot be read: %s.", self.key, read.why)
        return read

    def _write(
        self,
        phase: Phase,
        identity: Identity,
        resubmits: int,
        task: TaskRef | None = None,
        inherited: bool = False,
    ) -> None:
        record = self.content = Record(
            schema_version=SCHEMA_VERSION,
            phase=phase,
            identity=identity,
            max_tries=self.max_tries,
            task=task,
            inherited=inherited,
            resubmits=resubmits,
        )
        if self._store is not None:
            self._is_kept = False
            self._store.set(self.key, record.model_dump(mode="json"), retention=least_retention())
            self._is_kept = True


def least_retention() -> timedelta | None:
    """Return how long Airflow has to keep a record; ``None`` = its own default, which may be "for ever"."""
    days = conf.getint("state_store", "default_retention_days", fallback=0)
    return timedelta(days=LEAST_RETENTION_DAYS) if days and days < LEAST_RETENTION_DAYS else None


def forget_on_success(context: Mapping[str, Any]) -> None:
    """
    Leave nothing behind; runs after Airflow has noted the success, so that a crash before that finds the record.

    :param context: Airflow's context.
    """
    store = context.get("task_state_store")
    if store is not None:
        store.delete(KEY)
