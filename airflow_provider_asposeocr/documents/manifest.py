"""
The manifest: which files were written for a document, and what the cloud said about it.

The fetch operator and ``AsposeOcrHook.fetch_to`` return it as plain JSON, so that XCom needs no class of ours to read it.
:func:`parse_manifest` makes that JSON a :class:`Manifest` again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_serializer,
    model_serializer,
)

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown, validation_problems
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.results.download import Fetched

#: Raise it when a key gets another meaning. A new key needs no new version: readers ignore what they do not know.
SCHEMA_VERSION: Literal[1] = 1

Outcome = Literal["succeeded", "skipped"]


class StoredResult(BaseModel):
    """
    One result and the file that holds it.

    :param type: The cloud's word for what it is, for example ``Text``; any string.
    :param uri: Where the file is.
    :param bytes: Size of the file in bytes.
    :param sha256: Checksum of the file in hex.
    :param skipped: Whether the file was there already and was left (``if_exists="skip"``); size and checksum are then
        those of the file that was left.
    :param text: The text, where ``inline_text_bytes`` allows it; ``None`` = it is only in the file.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str | None
    uri: str
    bytes: int = Field(ge=0)
    sha256: str
    skipped: bool = False
    text: str | None = None

    @model_serializer(mode="wrap")
    def _without_absent_text(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = serialize(self)
        if self.text is None:
            del found["text"]
        return found


class Manifest(BaseModel):
    """
    What a fetch has written.

    :param schema_version: Version of this schema.
    :param source: URI of the original document, at the beginning of a chain, as in the task reference; ``None`` where
        the reference has none.
    :param bytes: Size in bytes of the original document. ``None`` where the task reference does not have it: after the
        first step of a chain it has only the size of what the last step was sent.
    :param sha256: Checksum of the original document in hex; ``None`` where the task reference has none.
    :param outcome: ``succeeded``: at least one file was written; ``skipped``: all files were there already and were left.
    :param task: Reference of the cloud task, the last one of a chain.
    :param response_status_code: The cloud's word, kept as it came.
    :param messages: What the cloud says; may be filled although all went well.
    :param warnings: The cloud's warnings, likewise.
    :param shortfall: With ``on_incomplete="keep"``, why these are not all results, in words; ``None`` where they are.
    :param results: The files, in the order of the cloud's results.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = SCHEMA_VERSION
    source: str | None = None
    bytes: int | None = Field(default=None, ge=0)
    sha256: str | None = None
    outcome: Outcome
    task: TaskRef
    response_status_code: str | None
    messages: list[str]
    warnings: list[str]
    shortfall: str | None
    results: list[StoredResult]

    @field_serializer("task")
    def _task_as_xcom_has_it(self, task: TaskRef) -> dict[str, Any]:
        return task.to_dict()

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as plain JSON, which is what XCom carries."""
        return self.model_dump()


def make_manifest(ref: TaskRef, fetched: Fetched, results: Sequence[StoredResult]) -> Manifest:
    """
    Describe what was stored. It must not fail: the files are written already.

    :param ref: The cloud task, which also names the original document.
    :param fetched: What the cloud said and made.
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
        response_status_code=fetched.state.responseStatusCode,
        messages=fetched.state.messages,
        warnings=fetched.state.warnings,
        shortfall=fetched.shortfall,
        results=list(results),
    )


def parse_manifest(value: object) -> Manifest:
    """
    Read a manifest that came through XCom or a file.

    :param value: The mapping that the fetch operator or ``AsposeOcrHook.fetch_to`` returned, or a :class:`Manifest`.
    :raises InputError: if it is not a manifest, or one of a newer version; the message says what is wrong with it.
    """
    if isinstance(value, Manifest):
        return value
    no_manifest = "This is not a manifest of AsposeOcrFetchResultOperator"
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
        return Manifest.model_validate(value)
    except ValidationError as error:
        reasons = "; ".join(validation_problems(error))
        raise InputError(f"{no_manifest}: {shown(reasons)}.") from None
