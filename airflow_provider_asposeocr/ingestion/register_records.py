"""
The contents of the register's records. Pure.

Invariant: a record that cannot be understood is an error. It never counts as missing, because it may say that a document was
billed.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_provider_asposeocr.api.printable import shown, shown_all, validation_problems
from airflow_provider_asposeocr.ingestion.errors import RegisterError

#: Raise it when a field gets another meaning.
SCHEMA_VERSION = 1


class Source(BaseModel):
    """
    A document that a record is about.

    :param uri: Its URI, without connection, password and signature.
    :param bytes: Its size.
    :param sha256: Checksum of its content in hex.
    :param version: What its storage said about it (ETag, size, time) when it was read; ``None`` where it was not asked.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    uri: str | None = None
    bytes: int | None = None
    sha256: str | None = None
    version: str | None = None


class JournalPlace(BaseModel):
    """
    The place of a document in a journal.

    :param journal: URI of the journal's folder.
    :param index: Index of the document in its batch.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    journal: str
    index: int = Field(ge=0)


class _Record(BaseModel):
    """
    What all records have.

    :param schema_version: Version of this form.
    :param writer: Random text, by which a process recognizes a record that its own repeated request has created.
    :param at: When it was written by the writer's clock, ISO 8601, for people who read it. Nothing is decided by it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1
    writer: str = Field(default_factory=lambda: uuid4().hex)
    at: str

    def to_bytes(self) -> bytes:
        """Return the content of the record's file."""
        return self.model_dump_json(exclude_none=True).encode()


class ClaimRecord(_Record):
    """
    A batch is about to send a document.

    :param place: The journal of the batch, which says what was sent.
    :param installation: Name of the Airflow installation; may be empty.
    :param dag_id: The task instance of the batch, as the next three.
    :param source: The document.
    :param continues: The place of the claim that this one has taken over; ``None`` = there was none.
    :param after: What the owner of that claim may have sent, see :class:`.register.Claim`; ``None`` = there was none.
    """

    place: JournalPlace
    installation: str
    dag_id: str | None
    run_id: str | None
    task_id: str | None
    map_index: int | None
    source: Source
    continues: JournalPlace | None = None
    after: Literal["journal", "unsure"] | None = None


class DoneRecord(_Record):
    """
    A document was read, and its results are stored.

    :param place: The journal of the batch that has stored them.
    :param manifest: URI of that batch's manifest.
    :param source: The document.
    :param destination: URI of the folder of the results, with a slash at its end.
    :param file_stem: Name of the results below it, without the suffix of a type.
    :param results: The results, as in a row of a manifest; empty where they were not to be stored.
    :param outcome: ``succeeded``, or ``low_quality`` where a gate of quality was not passed.
    :param quality: What was measured, as in a row of a manifest, if the outcome is ``low_quality``.
    """

    place: JournalPlace
    manifest: str
    source: Source
    destination: str
    file_stem: str
    results: list[dict[str, Any]]
    outcome: Literal["succeeded", "low_quality"] = "succeeded"
    quality: dict[str, Any] | None = None


class FailedRecord(_Record):
    """
    An attempt at a document has ended without a result.

    :param place: The journal of the batch.
    :param manifest: URI of that batch's manifest.
    :param source: The document.
    :param error: The error, as in a row of a manifest.
    """

    place: JournalPlace
    manifest: str
    source: Source
    error: dict[str, Any]


class ReleasedRecord(_Record):
    """
    A batch has ended without having sent a document, or a user has cancelled it: no attempt.

    :param place: The journal of the batch.
    :param why: Why, for people.
    """

    place: JournalPlace
    why: str


class VoidedRecord(_Record):
    """
    A person has asked to have a document read again.

    :param why: Why, for people.
    """

    why: str


RegisterRecord = ClaimRecord | DoneRecord | FailedRecord | ReleasedRecord | VoidedRecord
_R = TypeVar("_R", bound=_Record)


def parse_register_record(kind: type[_R], content: bytes, where: str) -> _R:
    """
    Read a record.

    :param kind: The class for the last word of its name.
    :param content: Content of its file.
    :param where: Its URI, for messages.
    :raises RegisterError: if it is anything else, or of a newer version; the message says what is wrong.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise RegisterError(
            f"The record {shown(where, 400)} of the register cannot be read: {shown_all(validation_problems(error))}. "
            "Another version of the provider has written it, or it was changed."
        ) from None
