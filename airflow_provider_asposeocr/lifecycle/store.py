"""
What an Airflow task has submitted, remembered across its tries.

Invariant: from before a document is sent until the cloud's answer has been written down there is a record that says
so. Whatever dies, the next try finds the cloud task, or knows that one may have been billed. What a record means is
decided by pure functions; the rest reads and writes Airflow's ``task_state_store``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.configuration import conf

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import TaskUnknownError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling.poller import YOUNG_SECONDS
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.lifecycle.record import (
    SCHEMA_VERSION,
    Identity,
    Phase,
    Record,
    UnreadableRecord,
    parse_record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.responses import TaskRef

log = logging.getLogger(__name__)

#: Key in the ``task_state_store``, visible in Airflow's UI.
KEY = "aspose_ocr_submit"
#: How often a document of which nobody knows whether it was accepted is sent again, per task instance.
MOST_RESUBMITS = 1
#: Airflow keeps a record at least this long after it was last written, also where ``[state_store]
#: default_retention_days`` is less. The cloud keeps results for one day, and a retry may come after that one, when
#: ``on_expired`` needs the record to know that a result has expired.
LEAST_RETENTION_DAYS = 7
#: What the store returns if it has no record. ``None`` may also be a record whose content is lost.
_ABSENT = object()

Reuse = Literal["retry", "always", "never"]
REUSE: tuple[Reuse, ...] = ("retry", "always", "never")
OnUnknownSubmit = Literal["resubmit", "fail"]
ON_UNKNOWN_SUBMIT: tuple[OnUnknownSubmit, ...] = ("resubmit", "fail")
OnExpired = Literal["fail", "resubmit"]
ON_EXPIRED: tuple[OnExpired, ...] = ("fail", "resubmit")


def digest(value: Any) -> str:
    """
    Fingerprint a value that does not belong into the metadata database.

    :param value: Anything; what JSON does not know counts as its text.
    """
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Submit:
    """
    Send the document.

    :param superseded: A cloud task that nobody wants any more.
    :param because: Why an earlier submit does not count, for the log.
    """

    superseded: TaskRef | None = None
    because: str | None = None


@dataclass(frozen=True)
class LookUp:
    """
    Ask the cloud about the task of an earlier try, see :func:`decide_found`.

    :param task: Its reference.
    """

    task: TaskRef


@dataclass(frozen=True)
class Unknown:
    """
    It is unknown whether an earlier try's document was accepted; see :func:`may_resubmit`.

    :param because: Why, in words that are fit to be shown; ``None`` = the earlier try died while it submitted.
    """

    because: str | None = None


def was_cleared(record: Record | UnreadableRecord, max_tries: int) -> bool:
    """
    Tell a user's Clear from Airflow's own retry.

    Clearing a task sets ``max_tries`` to the tries made plus the retries configured. The exception is a task that is
    cleared while it runs and whose process the executor reports as failed; it looks like a retry, and reusing its
    cloud task bills nothing twice. ``DagRun.clear_number`` does not help: it counts Clears of other tasks too.

    :param record: What an earlier try has left.
    :param max_tries: Airflow's count now.
    :return: Whether a user has cleared the task since; ``False`` where the record does not tell.
    """
    return record.max_tries is not None and record.max_tries != max_tries


def decide_start(
    record: Record | UnreadableRecord | None, identity: Identity, max_tries: int, reuse: Reuse
) -> Submit | LookUp | Unknown:
    """
    Decide what a try does first.

    :param record: What an earlier try has left.
    :param identity: What this one would submit.
    :param max_tries: Airflow's count now.
    :param reuse: The user's policy.
    """
    if record is None:
        return Submit()
    cleared = was_cleared(record, max_tries)
    if isinstance(record, UnreadableRecord):
        because = (
            f"the record of an earlier submit ({KEY!r} in the task state store) cannot be read: {record.why}"
        )
        if cleared:
            return Submit(because=f"{because}. That submit may have been billed")
        return Unknown(because)
    if record.phase == "idle":
        return Submit()
    changed = identity.differs_in(record.identity)
    task = record.task
    if record.phase == "intent" or task is None:
        # Changed or not: what may have been billed is counted, and only a user may begin anew.
        if cleared:
            return Submit(
                because="an earlier submit of this task was never answered; it may have been billed"
            )
        return Unknown()
    if changed:
        return Submit(task, f"{' and '.join(changed)} changed since")
    if reuse == "never":
        return Submit(task, "reuse is 'never'")
    if cleared and reuse == "retry":
        return Submit(task, "the task was cleared")
    return LookUp(task)


def decide_found(
    task: TaskRef, status: TaskStatus | None, now: float, on_expired: OnExpired
) -> Literal["reuse", "submit", "expired"]:
    """
    Decide about the cloud task of an earlier try.

    :param task: The cloud task.
    :param status: What the cloud says; ``None`` where it does not answer or says something new: whoever waits for the
        task knows how to deal with that.
    :param now: Seconds since the epoch.
    :param on_expired: The user's policy.
    """
    age = now - task.submitted_epoch
    if status is TaskStatus.ERROR:
        return "submit"
    if status is TaskStatus.NOT_EXIST and age >= RETENTION_SECONDS:
        return "submit" if on_expired == "resubmit" else "expired"
    if status is TaskStatus.NOT_EXIST and age >= YOUNG_SECONDS:
        return "submit"
    return "reuse"


def may_resubmit(policy: OnUnknownSubmit, resubmits: int) -> bool:
    """
    Decide about a document of which nobody knows whether it was accepted.

    :param policy: The user's.
    :param resubmits: How often this task instance has done so before.
    """
    return policy == "resubmit" and resubmits < MOST_RESUBMITS


class Ledger:
    """
    The record of one task instance.

    :param store: Airflow's ``task_state_store``; ``None`` before Airflow 3.3, where a record lasts for one try only.
    :param max_tries: Airflow's count now.
    """

    def __init__(self, store: Any, max_tries: int) -> None:
        self._store = store
        self._kept = True
        self.max_tries = max_tries
        self.stored = self._read()

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Ledger:
        """
        Open the record of the running task instance.

        :param context: Airflow's context.
        """
        return cls(context.get("task_state_store"), getattr(context["ti"], "max_tries", 0))

    @property
    def record(self) -> Record | None:
        """The record, if there is one that can be read. To decide about a submit, look at :attr:`stored`."""
        return self.stored if isinstance(self.stored, Record) else None

    @property
    def has_store(self) -> bool:
        """Whether Airflow has a store for records."""
        return self._store is not None

    @property
    def durable(self) -> bool:
        """
        Whether a later try may find the cloud task: there is a store, and it has taken what was last written.

        So it may with an unreadable record, too, if the later try runs the newer version that wrote the record.
        """
        return self._store is not None and self._kept

    @property
    def resubmits(self) -> int:
        """How often this task instance has sent a document again; a Clear begins anew."""
        if self.stored is None or was_cleared(self.stored, self.max_tries):
            return 0
        return self.stored.resubmits

    def intend(self, identity: Identity, *, again: bool = False) -> None:
        """
        Write down that a document is about to be sent.

        :param identity: What.
        :param again: Whether an earlier submit of it may have been billed.
        """
        self._write("intent", identity, resubmits=self.resubmits + again)

    def submitted(self, task: TaskRef, *, inherited: bool = False) -> None:
        """
        Write down the cloud task.

        :param task: The cloud task.
        :param inherited: Whether this try has found it instead of submitting it.
        """
        if self.record is not None:
            self._write("submitted", self.record.identity, self.resubmits, task, inherited)

    def doubt(self, identity: Identity) -> None:
        """
        Write down that an earlier submit may have been billed, where the record cannot even tell a Clear from a retry.

        Otherwise the Clear that the error advises would meet the same record again. A newer version's record stays.

        :param identity: What this try would submit.
        """
        if isinstance(self.stored, UnreadableRecord) and self.stored.max_tries is None:
            self._write("intent", identity, self.resubmits)

    def withdraw(self) -> None:
        """
        Write down that there is no cloud task to come back to: nothing was accepted, or it is over.

        A record that cannot be read stays, because it is unknown what it says.
        """
        if self.record is None:
            return
        if self.resubmits:
            self._write("idle", self.record.identity, self.resubmits)
            return
        self.stored = None
        if self._store is not None:
            self._store.delete(KEY)

    def forget_vanished(self, error: Exception) -> bool:
        """
        Forget a re-attached cloud task that no longer exists, so that this try submits.

        A user's Clear cancels it while the new attempt takes it up: nothing in Airflow orders the two.

        :param error: Why the wait for a cloud task failed.
        :return: Whether it was that: the cloud does not know the task, and another try has submitted it.
        """
        record = self.record
        if record is None or record.task is None or not record.inherited:
            return False
        if not isinstance(error, TaskUnknownError) or error.task_id != record.task.id:
            return False
        log.warning("The cloud task of an earlier try was cancelled meanwhile; submitting again.")
        self.withdraw()
        return True

    def _read(self) -> Record | UnreadableRecord | None:
        if self._store is None:
            return None
        try:
            stored = self._store.get(KEY, _ABSENT)
        except ValueError as error:  # what a store of the user's has is no JSON
            read: Record | UnreadableRecord = UnreadableRecord(shown(error))
        else:
            if stored is _ABSENT:
                return None
            read = parse_record(stored)
        if isinstance(read, UnreadableRecord):
            log.warning("The record %r in the task state store cannot be read: %s.", KEY, read.why)
        return read

    def _write(
        self,
        phase: Phase,
        identity: Identity,
        resubmits: int,
        task: TaskRef | None = None,
        inherited: bool = False,
    ) -> None:
        record = self.stored = Record(
            schema_version=SCHEMA_VERSION,
            phase=phase,
            identity=identity,
            max_tries=self.max_tries,
            task=task,
            inherited=inherited,
            resubmits=resubmits,
        )
        if self._store is not None:
            self._kept = False
            self._store.set(KEY, record.model_dump(mode="json"), retention=least_retention())
            self._kept = True


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
