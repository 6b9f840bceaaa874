"""
The manifest: what has become of a document, which files were written for it, and what the cloud said about it.

The fetch operator and ``AsposeOcrHook.fetch_to`` return it as plain JSON, so that XCom needs no class of ours to read it. A
batch writes a file of such objects, one per document. :func:`parse_manifest` makes that JSON a :class:`Manifest` again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_serializer,
)

from airflow_provider_asposeocr.api.errors import Billed, InputError
from airflow_provider_asposeocr.api.printable import shown, storable, validation_problems
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref
from airflow_provider_asposeocr.api.results.first_words import first_words_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.results.download import Download

log = logging.getLogger(__name__)

#: A text of the cloud as it came. A manifest becomes an XCom when its files are written already, and must not fail then.
_CloudText = Annotated[str, AfterValidator(storable)]

#: Increase it when a key gets another meaning. A new key needs no new version, because readers ignore unknown keys.
SCHEMA_VERSION: Literal[1] = 1

#: What has become of a document. The list is closed: a new word needs a new version of the schema.
Outcome = Literal[
    "succeeded",
    "failed",
    "low_quality",
    "skipped",
    "duplicate",
    "busy",
    "gone",
    "changed",
    "not_started",
    "cancelled",
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
#: Outcomes after which no later run has to look at the document again.
_SETTLED = frozenset({"succeeded", "skipped", "duplicate", "gone"})


def is_settled(outcome: object, final: object) -> bool:
    """
    Tell whether no later run has to look at a document again.

    :param outcome: What has become of it.
    :param final: Whether no later run tries it again, although it has failed.
    """
    return final is True or outcome in _SETTLED


class StoredResult(BaseModel):
    """
    One result and the file that holds it.

    :param type: Result type that the cloud names, for example ``Text``; any string.
    :param uri: URI or path of the file.
    :param bytes: Size of the file in bytes.
    :param sha256: Checksum of the file in hex; ``None`` of a file that a batch has left without reading it.
    :param skipped: Whether the file was there already and was left (``if_exists="skip"``); size and checksum are then
        those of the file that was left.
    :param version: What the storage says about the file (ETag, size, time); ``None`` where it was not asked.
    :param text: The text, where ``inline_text_bytes`` allows it; ``None`` = it is only in the file.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: _CloudText | None
    uri: str
    bytes: int = Field(ge=0)
    sha256: str | None
    skipped: bool = False
    version: str | None = None
    text: str | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_absent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = serialize(self)
        return {
            name: value for name, value in found.items() if value is not None or name not in _MAY_BE_ABSENT
        }


_MAY_BE_ABSENT = frozenset({"version", "text"})


class DocumentError(BaseModel):
    """
    Why a document of a batch has failed.

    :param name: Class of the error, see docs/failures.md; in JSON it is called ``class``.
    :param message: What happened, fit to be shown.
    :param step: Index of the step that failed, from 0; ``None`` = before the first one.
    :param operation: The cloud's operation of that step.
    :param billed: Whether the step was billed: ``no``, ``maybe``, ``yes``, or ``already`` (the error bills nothing more).
    :param retryable: Whether a retry may succeed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    name: str = Field(alias="class")
    message: str
    step: int | None = None
    operation: str | None = None
    billed: Billed
    retryable: bool

    @classmethod
    def of(cls, error: AsposeOcrError, step: int | None = None) -> DocumentError:
        """
        Describe an error.

        :param error: The error.
        :param step: Index of the step that failed, from 0; by default ``None``, before the first one.
        """
        return cls(
            name=type(error).__name__,
            message=error.message,
            step=step,
            operation=error.operation,
            billed=error.billed,
            retryable=error.retryable,
        )


class StepTask(BaseModel):
    """
    The cloud task of one step of a batch; of several, the last.

    :param operation: The operation that submitted it; in evaluation mode its trial variant.
    :param id: The cloud's id of it.
    :param submitted_at: When it was submitted, UTC.
    :param seconds: How many seconds later it was seen completed; ``None`` where it was not.
    :param submits: How often the step was submitted for this document.
    :param result: Its result and the file that holds it, with ``keep_steps=True``; ``None`` = it was not kept. What the last
        step has made is in the ``results`` of the document.
    :param pages: Pictures of the pages of that result, with ``previews=True``, as those of :class:`Manifest`. In JSON they
        are left out where there are none.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    operation: str
    id: str
    submitted_at: AwareDatetime
    seconds: float | None = None
    submits: int = 1
    result: StoredResult | None = None
    pages: list[dict[str, Any]] = []

    @field_serializer("submitted_at")
    def _as_text(self, value: datetime) -> str:
        return value.isoformat()

    @model_serializer(mode="wrap")
    def _without_pages_if_there_are_none(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = serialize(self)
        return {name: value for name, value in found.items() if value or name != "pages"}


class Manifest(BaseModel):
    """
    What has become of a document. Fields that only a batch fills have a default, and are left out of a single fetch's JSON.

    :param schema_version: Version of this schema.
    :param index: Place of the document in the batch, from 0; ``None`` of a single fetch, as with all fields up to
        ``file_stem``.
    :param documents: How many documents the batch has.
    :param file_stem: Name of the document's results below the destination, with folders, without suffix.
    :param source: URI of the original document, at the beginning of a chain, as in the task reference; ``None`` where
        the reference has none.
    :param source_version: What the storage said about the original document (ETag, size, time); ``None`` where it was not
        asked.
    :param bytes: Size in bytes of the original document. ``None`` where it was not read, or the task reference does not
        have it: after the first step of a chain it has only the size of what the last step was sent.
    :param sha256: Checksum of the original document in hex; ``None`` where it was not read, or the reference has none.
    :param outcome: One of :data:`OUTCOMES`. Of a single fetch ``succeeded``: at least one file was written;
        ``skipped``: all files were there already and were left; or ``low_quality``: a gate of quality was not passed.
    :param final: Whether no later run tries the document again, although it has failed.
    :param error: Why it failed; ``None`` where it did not.
    :param task: Reference of the cloud task, the last one of a chain; ``None`` where there is none.
    :param steps: The cloud tasks of a batch's steps, in their order, as far as the document came.
    :param response_status_code: The ``responseStatusCode`` of the cloud's answer, unchanged.
    :param messages: Messages of the cloud; a successful task may have some, too.
    :param warnings: Warnings of the cloud, likewise.
    :param shortfall: With ``on_incomplete="keep"``, a sentence that says why results are missing; ``None`` if none is
        missing.
    :param results: The files, in the order of the cloud's results.
    :param pages: Pictures of the document's pages, with ``previews=True``: ``number``, ``width`` and ``height`` in pixels,
        and ``image`` and ``thumbnail``, each with ``uri``, ``bytes``, ``sha256`` and ``type``. In the JSON of a single
        fetch they are left out where there are none.
    :param first_words: How the text of the document begins, at most 100 characters in one line; empty if there is no text in
        it; ``None`` where no result is a text, or it was not read, and left out in the JSON of a single fetch then.
    :param maybe_billed_twice: Whether a step of the document was sent again although an earlier submit of it may have been
        billed.
    :param key: Key of the document in the register; ``None`` where there is none.
    :param duplicate_of: URI of the document with the same content that was read; ``None`` where it was this one.
    :param quality: What was measured in the results, see docs/results.md; ``None`` where they have no text. In the JSON of a
        single fetch it is left out then.
    :param extracted: The fields that ``extract`` of the fetch operator asks for; ``None``, and left out, where it asks for
        none.
    :param try_number: Airflow's number of the try that wrote this; in JSON it is called ``try``.
    :param continues: URI of the manifest whose rows were this batch's sources; ``None`` where they were not.
    :param pipeline: Pipeline of the work list that named the document; ``None`` of another source. The index of the files
        that were read is made of it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    schema_version: Literal[1] = SCHEMA_VERSION
    index: int | None = Field(default=None, ge=0)
    documents: int | None = Field(default=None, ge=1)
    file_stem: str | None = None
    source: str | None = None
    source_version: str | None = None
    bytes: int | None = Field(default=None, ge=0)
    sha256: str | None = None
    outcome: Outcome
    final: bool = False
    error: DocumentError | None = None
    task: TaskRef | None = None
    steps: list[StepTask] = []
    response_status_code: _CloudText | None = None
    messages: list[str] = []
    warnings: list[str] = []
    shortfall: str | None = None
    results: list[StoredResult] = []
    pages: list[dict[str, Any]] = []
    first_words: str | None = None
    maybe_billed_twice: bool = False
    key: str | None = None
    duplicate_of: str | None = None
    quality: dict[str, Any] | None = None
    extracted: dict[str, Any] | None = None
    try_number: int | None = Field(default=None, alias="try", ge=0)
    continues: str | None = None
    pipeline: str | None = None

    @field_serializer("task")
    def _task_as_xcom_has_it(self, task: TaskRef | None) -> dict[str, Any] | None:
        return None if task is None else task.to_dict()

    @property
    def settled(self) -> bool:
        """Whether no later run has to look at the document again."""
        return is_settled(self.outcome, self.final)

    def to_dict(self) -> dict[str, Any]:
        """
        Return the manifest as plain JSON, which is what XCom and the manifest of a batch carry.

        :return: All fields of a batch's row; of a single fetch those that a single fetch has.
        """
        found: dict[str, Any] = self.model_dump(by_alias=True)
        if self.index is None:
            return {
                name: value
                for name, value in found.items()
                if name in _OF_A_FETCH or (name in _OF_SOME_FETCHES and value not in (None, [], {}))
            }
        return found


#: Fields in the JSON of a single fetch.
_OF_A_FETCH = frozenset(
    {
        "schema_version",
        "source",
        "bytes",
        "sha256",
        "outcome",
        "task",
        "response_status_code",
        "messages",
        "warnings",
        "shortfall",
        "results",
    }
)


#: Fields that are there only where they say something.
_OF_SOME_FETCHES = frozenset({"pages", "first_words", "quality", "extracted"})


def make_manifest(ref: TaskRef, download: Download, results: Sequence[StoredResult]) -> Manifest:
    """
    Describe what was stored. It must not fail: the files are written already.

    :param ref: The cloud task, which also names the original document.
    :param download: What the cloud said and made.
    :param results: The files, in the order of the cloud's results.
    """
    is_original = ref.source_sha256 is not None and ref.source_sha256 == ref.input_sha256
    return Manifest(
        source=ref.source_uri,
        # The reference has the size of what was sent; only at the beginning of a chain is that the original document.
        bytes=ref.source_bytes if is_original else None,
        sha256=ref.source_sha256,
        outcome="skipped" if results and all(result.skipped for result in results) else "succeeded",
        task=ref,
        response_status_code=download.state.responseStatusCode,
        messages=download.state.messages,
        warnings=download.state.warnings,
        shortfall=download.shortfall,
        results=list(results),
        first_words=_first_words(ref, download),
    )


def _first_words(ref: TaskRef, download: Download) -> str | None:
    try:
        return first_words_of(ref.row, download.results)
    except OSError as error:
        log.debug("The manifest has no first words: %s", shown(error))
        return None


def parse_manifest(value: object) -> Manifest:
    """
    Read a manifest that came through XCom or a file.

    :param value: The mapping that the fetch operator or ``AsposeOcrHook.fetch_to`` returned, a row of a batch's manifest,
        or a :class:`Manifest`.
    :return: The manifest, of a single fetch or of a document of a batch.
    :raises InputError: if it is not a manifest, or one of a newer version; the message says what is wrong with it.
    """
    if isinstance(value, Manifest):
        return value
    no_manifest = "This is not a manifest of AsposeOcrFetchResultOperator or AsposeOcrBatchOperator"
    if is_task_ref(value):
        raise InputError(f"{no_manifest} but a task reference. Fetch the results of that task first.")
    if not isinstance(value, Mapping):
        raise InputError(f"{no_manifest} but {shown(repr(value), 80)}.")
    version = value.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise InputError(
            f"The manifest has schema_version {version}, written by a newer version of the provider; this one reads "
            f"{SCHEMA_VERSION}. Update the provider where the manifest is read."
        )
    missing = sorted({"schema_version", "task", "results"} - set(value))
    if missing:
        raise InputError(f"{no_manifest}: it has no {' and no '.join(missing)}.")
    try:
        found = Manifest.model_validate(value)
    except ValidationError as error:
        reasons = "; ".join(validation_problems(error))
        raise InputError(f"{no_manifest}: {shown(reasons)}.") from None
    if found.index is None and found.task is None:
        raise InputError(f"{no_manifest}: it names no cloud task.")
    return found
