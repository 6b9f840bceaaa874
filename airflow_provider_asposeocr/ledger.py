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
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS
from airflow_provider_asposeocr.api.polling import YOUNG_SECONDS
from airflow_provider_asposeocr.api.responses import TaskRef

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

#: Key in the ``task_state_store``, visible in Airflow's UI.
KEY = "aspose_ocr_submit"
#: How often a document of which nobody knows whether it was accepted is sent again, per task instance.
MOST_RESUBMITS = 1

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


class Identity(BaseModel):
    """
    What makes two submits the same; known before a source is read.

    :param operation: The cloud's operation.
    :param source: URI of the source, or the upstream cloud task.
    :param version: What the storage says about the file (ETag, size, time); ``None`` where it does not say anything.
    :param settings: Fingerprint of the settings.
    :param account: Fingerprint of the account.
    """

    model_config = ConfigDict(frozen=True)

    operation: str
    source: str
    version: str | None = None
    settings: str
    account: str

    def differs_in(self, other: Identity) -> list[str]:
        """
        Name what has changed.

        :param other: The identity of an earlier submit.
        :return: Names of fields. A version that is not known, for example because the file is gone, is no change.
        """
        changed = [name for name in type(self).model_fields if getattr(self, name) != getattr(other, name)]
        if None in (self.version, other.version) and "version" in changed:
            changed.remove("version")
        return changed


class Record(BaseModel):
    """
    What is known about this task instance's submit.

    :param phase: ``intent``: about to be sent, or sent without an answer; ``submitted``: the cloud has accepted it;
        ``idle``: what was submitted is over.
    :param identity: What it is a submit of.
    :param max_tries: Airflow's count when it was written. Airflow's own retries leave it alone; a Clear sets it anew,
        always to another number, because the tries so far are added to it.
    :param task: The cloud task.
    :param inherited: Whether this try has found the cloud task instead of submitting it.
    :param resubmits: How often a document was sent again although an earlier submit may have been billed.
    """

    model_config = ConfigDict(frozen=True)

    phase: Literal["idle", "intent", "submitted"]
    identity: Identity
    max_tries: int
    task: TaskRef | None = None
    inherited: bool = False
    resubmits: int = 0


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
    """An earlier try died while it submitted; see :func:`may_resubmit`."""


def was_cleared(record: Record, max_tries: int) -> bool:
    """
    Tell a user's Clear from Airflow's own retry.

    Clearing a task sets ``max_tries`` to the tries made plus the retries configured. The exception is a task that is
    cleared while it runs and whose process the executor reports as failed; it looks like a retry, and reusing its
    cloud task bills nothing twice. ``DagRun.clear_number`` does not help: it counts Clears of other tasks too.

    :param record: What an earlier try has left.
    :param max_tries: Airflow's count now.
    """
    return record.max_tries != max_tries


def decide_start(
    record: Record | None, identity: Identity, max_tries: int, reuse: Reuse
) -> Submit | LookUp | Unknown:
    """
    Decide what a try does first.

    :param record: What an earlier try has left.
    :param identity: What this one would submit.
    :param max_tries: Airflow's count now.
    :param reuse: The user's policy.
    """
    if record is None or record.phase == "idle":
        return Submit()
    changed = identity.differs_in(record.identity)
    cleared = was_cleared(record, max_tries)
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
        self.record = self._read()

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Ledger:
        """
        Open the record of the running task instance.

        :param context: Airflow's context.
        """
        return cls(context.get("task_state_store"), getattr(context["ti"], "max_tries", 0))

    @property
    def durable(self) -> bool:
        """Whether the record outlives this try: there is a store, and it has taken what was last written."""
        return self._store is not None and self._kept

    @property
    def resubmits(self) -> int:
        """How often this task instance has sent a document again; a Clear begins anew."""
        if self.record is None or was_cleared(self.record, self.max_tries):
            return 0
        return self.record.resubmits

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

    def withdraw(self) -> None:
        """Write down that there is no cloud task to come back to: nothing was accepted, or it is over."""
        if self.record is None:
            return
        if self.resubmits:
            self._write("idle", self.record.identity, self.resubmits)
            return
        self.record = None
        if self._store is not None:
            self._store.delete(KEY)

    def _read(self) -> Record | None:
        stored = None if self._store is None else self._store.get(KEY)
        if stored is None:
            return None
        try:
            return Record.model_validate(stored)
        except ValidationError:
            # Editable in Airflow's UI.
            log.warning("The record %r in the task's state store is not understood and ignored.", KEY)
            return None

    def _write(
        self,
        phase: Literal["idle", "intent", "submitted"],
        identity: Identity,
        resubmits: int,
        task: TaskRef | None = None,
        inherited: bool = False,
    ) -> None:
        self.record = Record(
            phase=phase,
            identity=identity,
            max_tries=self.max_tries,
            task=task,
            inherited=inherited,
            resubmits=resubmits,
        )
        if self._store is not None:
            self._kept = False
            self._store.set(KEY, self.record.model_dump(mode="json", exclude_none=True))
            self._kept = True


def forget_on_success(context: Mapping[str, Any]) -> None:
    """
    Leave nothing behind; runs after Airflow has noted the success, so that a crash before that finds the record.

    :param context: Airflow's context.
    """
    store = context.get("task_state_store")
    if store is not None:
        store.delete(KEY)
