"""
The record of a submit, which outlives the tries of an Airflow task, and what it means to the next try.

Invariant: a record that exists and cannot be read is an :class:`UnreadableRecord`, never ``None``. "No record" means that
nothing was submitted; with an unreadable one it is unknown whether the cloud has billed a document. Pure:
:mod:`.store` reads and writes records, :mod:`.submit` asks the cloud.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS, TRIAL_SUFFIX
from airflow_provider_asposeocr.api.printable import shown, shown_all, validation_problems
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.api.tasks import is_young
from airflow_provider_asposeocr.lifecycle.identity import Identity

if TYPE_CHECKING:
    from airflow_provider_asposeocr.lifecycle.policies import OnExpired, OnUnknownSubmit, Reuse

#: Key of the record of a task instance that submits one document; Airflow's UI shows it.
KEY = "aspose_ocr_submit"
#: Raise it when a field of :class:`Record` gets another meaning, so that an older version of the provider does not
#: misread the record. ``schema_version``, ``max_tries`` and ``resubmits`` keep name and meaning in all schemas.
SCHEMA_VERSION = 1
#: How often a document is sent again of which it is unknown whether it was accepted, per task instance.
MOST_RESUBMITS = 1

Phase = Literal["idle", "intent", "submitted"]


class Record(BaseModel):
    """
    What is known about this task instance's submit.

    No field has a default, because a field that is missing in the store means that the record was damaged.

    :param schema_version: Version of this schema.
    :param phase: ``intent``: about to be sent, or sent without an answer; ``submitted``: the cloud has accepted it;
        ``idle``: what was submitted is over.
    :param identity: What it is a submit of.
    :param max_tries: Airflow's count when it was written. Airflow's own retries leave it alone; a Clear sets it anew,
        always to another number, because the tries so far are added to it.
    :param task: The cloud task; ``None`` in the other phases than ``submitted``.
    :param inherited: Whether this try has found the cloud task instead of submitting it.
    :param resubmits: How often a document was sent again although an earlier submit may have been billed.
    """

    model_config = ConfigDict(frozen=True)

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
    phase: Phase
    identity: Identity
    max_tries: Annotated[int, Field(ge=0)]
    task: TaskRef | None
    inherited: bool
    resubmits: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _has_its_task(self) -> Record:
        if self.phase == "submitted" and self.task is None:
            raise ValueError("phase is 'submitted' and task is missing")
        return self


@dataclass(frozen=True)
class UnreadableRecord:
    """
    A record that exists and that this version cannot read.

    :param why: What is wrong with it, in words that are fit to be shown.
    :param max_tries: Its ``max_tries``; ``None`` where that cannot be read either.
    :param resubmits: Its ``resubmits``; 0 where that cannot be read.
    """

    why: str
    max_tries: int | None = None
    resubmits: int = 0


def parse_record(stored: object) -> Record | UnreadableRecord:
    """
    Read what the store has.

    :param stored: The stored value. Airflow's UI and REST API let users change it to any JSON.
    :return: The record, or what is wrong with it.
    """
    if not isinstance(stored, Mapping):
        return UnreadableRecord(f"it is not a JSON object but {shown(repr(stored), 80)}")
    max_tries, resubmits = (_count(stored.get(name)) for name in ("max_tries", "resubmits"))
    why = _schema_problem(stored.get("schema_version"))
    if why is None:
        try:
            # From text, because only there strict validation takes objects for models and texts for times.
            record = Record.model_validate_json(json.dumps(dict(stored)), strict=True)
            why = _contradiction(record)
            if why is None:
                return record
        except ValidationError as error:
            why = shown_all(validation_problems(error, "record"))
        except (TypeError, ValueError) as error:  # what JSON does not know
            why = shown(error)
    return UnreadableRecord(why, max_tries, resubmits or 0)


def _schema_problem(version: object) -> str | None:
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        return (
            f"its schema_version is {version}, written by a newer version of the provider; this one reads "
            f"{SCHEMA_VERSION}"
        )
    return None


def _contradiction(record: Record) -> str | None:
    """
    Say where a record that was submitted names two operations, of which one was changed later.

    Read as it is, it would look like a DAG that asks for another operation now, and the document would be billed again.
    Only reading checks this: writing down a submit that was billed must not fail.
    """
    if record.phase != "submitted" or record.task is None:
        return None
    asked, submitted = record.identity.operation, record.task.operation
    # In evaluation mode the trial variant is submitted.
    if submitted in (asked, f"{asked}{TRIAL_SUFFIX}"):
        return None
    return f"identity.operation is {asked}, but task.operation is {submitted}"


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True)
class Submit:
    """
    Send the document.

    :param superseded: An earlier cloud task that is not needed any more.
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
    record: Record | UnreadableRecord | None,
    identity: Identity,
    max_tries: int,
    reuse: Reuse,
    key: str = KEY,
) -> Submit | LookUp | Unknown:
    """
    Decide what a try does first.

    :param record: What an earlier try has left.
    :param identity: What this one would submit.
    :param max_tries: Airflow's count now.
    :param reuse: The user's policy.
    :param key: Key of the record in Airflow's store, for messages; by default :data:`KEY`.
    """
    if record is None:
        return Submit()
    cleared = was_cleared(record, max_tries)
    if isinstance(record, UnreadableRecord):
        because = (
            f"the record of an earlier submit ({key!r} in the task state store) cannot be read: {record.why}"
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
    :param status: Status in the cloud's answer; ``None`` if it does not answer or the status is unknown, which the wait
        handles.
    :param now: Seconds since the epoch.
    :param on_expired: The user's policy.
    """
    if status is TaskStatus.ERROR:
        return "submit"
    if status is not TaskStatus.NOT_EXIST or is_young(task, now):
        return "reuse"
    is_expired = now - task.submitted_epoch >= RETENTION_SECONDS
    return "expired" if is_expired and on_expired == "fail" else "submit"


def may_resubmit(policy: OnUnknownSubmit, resubmits: int) -> bool:
    """
    Return whether a document may be submitted again if it is unknown whether the cloud accepted it.

    :param policy: ``on_unknown_submit`` of the operator.
    :param resubmits: How often this task instance has done so before.
    """
    return policy == "resubmit" and resubmits < MOST_RESUBMITS
