"""
The record of a task instance's submit, as Airflow's ``task_state_store`` keeps it across tries.

Invariant: a record that exists and cannot be read is an :class:`UnreadableRecord`, never ``None``. "No record" means that
nothing was submitted; with an unreadable one it is unknown whether the cloud has billed a document. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from airflow_provider_asposeocr.api.operations import TRIAL_SUFFIX
from airflow_provider_asposeocr.api.printable import shown, shown_all, validation_problems
from airflow_provider_asposeocr.api.responses import OperationName, TaskRef

#: Raise it when a field of :class:`Record` gets another meaning, so that an older version of the provider does not
#: misread the record. ``schema_version``, ``max_tries`` and ``resubmits`` keep name and meaning in all schemas.
SCHEMA_VERSION = 1

Phase = Literal["idle", "intent", "submitted"]


class Identity(BaseModel):
    """
    What makes two submits the same; known before a source is read.

    :param operation: The cloud's operation, perhaps one that only a newer version knows.
    :param source: URI of the source, or the upstream cloud task.
    :param version: What the storage says about the file (ETag, size, time); ``None`` where it does not say anything.
    :param settings: Fingerprint of the settings.
    :param account: Fingerprint of the account.
    """

    model_config = ConfigDict(frozen=True)

    operation: OperationName
    source: str
    version: str | None
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
