"""
The answers of the cloud, and task references.

Invariant: ``taskStatus`` decides. An answer that is not understood is an error, never "still running". Unknown result types,
additional fields and unknown response status codes are accepted and kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_serializer,
    field_validator,
)

from airflow_provider_asposeocr.api.enums import ResponseStatusCode, TaskStatus
from airflow_provider_asposeocr.api.errors import InputError, UnexpectedResponseError, UnknownStatusError
from airflow_provider_asposeocr.api.operations import RETENTION_SECONDS, Operation, operation_named
from airflow_provider_asposeocr.api.printable import shown, shown_all, validation_problems

#: Longest accepted task id; a GUID has 36 characters.
LONGEST_TASK_ID = 200


class _Notices(BaseModel):
    """``OCRError``: a successful task may have one, too."""

    model_config = ConfigDict(extra="allow")

    messages: list[str | None] | None = None
    warnings: list[str | None] | None = None


class ResultEntry(BaseModel):
    """
    One entry of ``results``.

    :param type: The entry's type; any string, because the vendor's list of types is not complete.
    :param data: Base64 text; :mod:`.http.wire` replaces it by the number of the file that contains the decoded bytes.
    """

    model_config = ConfigDict(extra="allow")

    type: str | None = None
    data: str | int | None = None


class TaskState(BaseModel):
    """
    ``OCRResponse``, without the data of its results.

    :param id: Id of the task in the answer.
    :param taskStatus: The status as text; :attr:`status` is its enum value.
    :param responseStatusCode: Unchanged text; the vendor does not document the meanings.
    """

    model_config = ConfigDict(extra="allow")

    id: str | None = None
    taskStatus: str
    responseStatusCode: str | None = None
    results: list[ResultEntry] | None = None
    error: _Notices | None = None

    @property
    def status(self) -> TaskStatus:
        """
        Status of the task.

        :raises UnknownStatusError: if the status is not documented.
        """
        try:
            return TaskStatus(self.taskStatus)
        except ValueError:
            raise UnknownStatusError(
                f"The cloud reports the unknown task status {shown(self.taskStatus, 60)!r}.", task_id=self.id
            ) from None

    @property
    def messages(self) -> list[str]:
        """The cloud's messages, escaped for display. A successful task may have messages, too."""
        return [shown(text.strip()) for text in (self.error and self.error.messages) or [] if text]

    @property
    def warnings(self) -> list[str]:
        """The cloud's warnings, escaped for display."""
        return [shown(text.strip()) for text in (self.error and self.error.warnings) or [] if text]

    @property
    def shortfall(self) -> str | None:
        """Why results of a completed task are missing, as a phrase; ``None`` if none is missing."""
        lossy = (
            ResponseStatusCode.PARTIALLY_NOT_FOUND,
            ResponseStatusCode.RESULT_DATA_LOST,
            ResponseStatusCode.NO_ANY_RESULT_DATA,
        )
        if self.responseStatusCode in lossy:
            return f"the cloud says {self.responseStatusCode}"
        return None if self.results else "the answer has no results"

    @property
    def reason(self) -> str:
        """The cloud's messages and warnings about a failure, escaped for display."""
        return shown_all(self.messages + self.warnings) or "the cloud gave no reason"


def parse_state(text: bytes | str) -> TaskState:
    """
    Read the answer of a GET.

    :param text: Body of the answer.
    :return: The state, with any status.
    :raises UnexpectedResponseError: if the body is not the documented object.
    """
    try:
        return TaskState.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        start = text[:200].decode("utf-8", "replace") if isinstance(text, bytes) else text[:200]
        what = "no task state" if isinstance(error, ValidationError) else "no JSON"
        raise UnexpectedResponseError(
            f"The cloud's answer is {what}; it begins with {shown(start, 120)!r}."
        ) from None


def parse_task_id(text: bytes) -> str:
    """
    Read the answer of a submit.

    :param text: Body of the answer: the id alone, possibly in quotes.
    :return: The id, an opaque text.
    :raises ValueError: if the text cannot be an id.
    """
    # Cut after much more than the longest id, so that no id is cut off.
    decoded = text[: 8 * LONGEST_TASK_ID].decode("utf-8", "replace").strip().strip("\"'").strip()
    if (
        not decoded
        or len(text) > 8 * LONGEST_TASK_ID
        or len(decoded) > LONGEST_TASK_ID
        or "\ufffd" in decoded
        or not decoded.isprintable()
        or set(decoded) & set("<>{}\"' ")
    ):
        raise ValueError(f"{shown(decoded, 120)!r} is no task id")
    return decoded


def _check_operation_name(name: str) -> str:
    try:
        return operation_named(name).name
    except ValueError as error:
        raise ValueError(f"{shown(name, 60)!r} is {error}") from None


def _check_printable(id: str) -> str:
    if not id.isprintable():
        raise ValueError("it contains unprintable characters, which no id of the cloud does")
    return id


#: The name of an operation, which this version may not know.
OperationName = Annotated[str, AfterValidator(_check_operation_name)]


class TaskRef(BaseModel):
    """
    Task reference: everything that is needed to find a cloud task again. Operators pass it through XCom.

    :param operation: Operation of the cloud task. Only the path of this operation is sure to know the id. This version may
        not know the operation, if a newer version has written the reference.
    :param id: The cloud's id of the task.
    :param submitted_at: When it was submitted; results expire 24 hours later.
    :param conn_id: Airflow connection whose account owns the task.
    :param source_name: Name of the source file, without folders; names of results are made from it.
    :param source_bytes: Size in bytes of the document that was sent; durations are learned separately by size.
    :param source_uri: URI of the original document, at the beginning of a chain; with its Airflow connection, without
        password, query and signature. ``None`` in a reference that was made by hand.
    :param source_qualifier: Distinguishes documents with the same URI but different connections: the storage's account or
        endpoint, or the checksum of a file in a local temporary folder.
    :param source_sha256: Checksum of the original document in hex.
    :param input_sha256: Checksum in hex of the document that was sent; equal to ``source_sha256`` at the beginning of a
        chain.
    :param dag_id: The DAG of the Airflow task that submitted; the three fields after it name the run and the task instance.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    operation: OperationName
    id: Annotated[str, Field(min_length=1, max_length=LONGEST_TASK_ID), AfterValidator(_check_printable)]
    submitted_at: AwareDatetime
    conn_id: str
    source_name: str | None = None
    source_bytes: Annotated[int, Field(ge=0)] | None = None
    source_uri: str | None = None
    source_qualifier: str | None = None
    source_sha256: str | None = None
    input_sha256: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None

    @field_validator("submitted_at")
    @classmethod
    def _in_utc(cls, value: datetime) -> datetime:
        try:
            in_utc = value.astimezone(UTC)
            in_utc + timedelta(seconds=RETENTION_SECONDS)
        except OverflowError:
            raise ValueError("no cloud task was submitted at that time") from None
        return in_utc

    @field_serializer("submitted_at")
    def _as_text(self, value: datetime) -> str:
        return value.isoformat()

    @property
    def row(self) -> Operation:
        """The row of the operation; if this version does not know it, a row with what all operations have in common."""
        return operation_named(self.operation)

    @property
    def submitted_epoch(self) -> float:
        """``submitted_at`` in seconds since the epoch."""
        return self.submitted_at.timestamp()

    @property
    def expires_at(self) -> datetime:
        """When the cloud deletes the result."""
        return self.submitted_at + timedelta(seconds=RETENTION_SECONDS)

    @property
    def origin(self) -> str:
        """Which Airflow task submitted it, in words."""
        if not self.task_id:
            return "outside of an Airflow task"
        mapped = f" [{self.map_index}]" if self.map_index is not None and self.map_index >= 0 else ""
        return f"by task {self.task_id!r}{mapped} of {self.dag_id!r}, run {self.run_id!r}"

    def to_dict(self) -> dict[str, Any]:
        """Return the reference as plain JSON, for XCom and trigger rows."""
        return self.model_dump(exclude_none=True)


def is_task_ref(value: object) -> bool:
    """
    Return whether a value is a task reference.

    :param value: Any value from XCom.
    :return: Whether it has the form of a task reference; it may still be an invalid one.
    """
    return isinstance(value, TaskRef) or (
        isinstance(value, Mapping) and "operation" in value and "id" in value
    )


def parse_task_ref(value: object) -> TaskRef:
    """
    Read a task reference from XCom.

    :param value: The mapping, or a :class:`TaskRef`.
    :raises InputError: if it is not a task reference; the message says what is wrong with it.
    """
    if isinstance(value, TaskRef):
        return value
    try:
        return TaskRef.model_validate(value)
    except ValidationError as error:
        reasons = "; ".join(validation_problems(error))
        raise InputError(f"This is not a task reference: {shown(reasons)}.") from None
