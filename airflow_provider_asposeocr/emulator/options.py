"""
The options of the emulator, with their defaults.

The command line and the tables in ``docs/emulator.md`` are made from these fields. An option marked "undocumented"
selects one of several behaviours because the vendor does not document which one the cloud has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from airflow_provider_asposeocr.api.operations import OPERATIONS, RETENTION_SECONDS, Operation
from airflow_provider_asposeocr.emulator.cloud.durations import parse_duration


def _undocumented(default: Any, description: str, **limits: Any) -> Any:
    """Declare an option about behaviour that the vendor does not document."""
    return Field(default, description=description, json_schema_extra={"undocumented": True}, **limits)


class Options(BaseModel):
    """The emulator's options; see the description of each field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: Literal["rapidocr", "tesseract", "canned"] = Field(
        "rapidocr",
        description="OCR engine: rapidocr (models inside its wheel), tesseract (language data of the"
        " distribution) or canned (fixed answers that do not depend on what the input shows, for load tests)",
    )
    client_id: str = Field("emulator", min_length=1, description="client id of the first account")
    client_secret: str = Field(
        "emulator", min_length=1, repr=False, description="client secret of the first account"
    )
    accounts: dict[str, str] = Field(
        default_factory=dict, repr=False, description="more accounts: client id to client secret"
    )
    operations: tuple[Operation, ...] = Field(
        (),
        description="more operations, which this version of the emulator does not know: the fields of Operation as JSON."
        " Their results are canned",
    )
    task_seconds: str = Field(
        "0",
        description="shortest time from the start of a task's work to its end: a number of seconds, uniform:A,B,"
        " exponential:MEAN or lognormal:MEAN,SIGMA; a task that waits for this time occupies no worker",
    )
    seed: int = Field(0, description="seed of the distribution in task_seconds")
    workers: int = Field(
        2, ge=1, le=256, description="number of tasks worked on at once; the others are Pending"
    )
    max_pages: int = Field(
        50,
        ge=1,
        description="most pages of a document; if it has more, the task ends with the status Error (not canned)",
    )
    max_pixels: int = Field(
        100_000_000,
        ge=1,
        description="most pixels of an image or page, checked in its header, if it has one, before it is decoded; if it"
        " has more, the task ends with the status Error (not canned)",
    )
    token_seconds: float = Field(
        3600, gt=0, description="lifetime of an access token (documented sample: 3600)"
    )
    retention_seconds: float = Field(
        RETENTION_SECONDS,
        gt=0,
        description="how long tasks and results exist, counted from the submit (documented: 24 h)",
    )
    token_failures: int = Field(
        5,
        ge=0,
        description="failed token requests per pair of id and secret before the pair is locked (documented: 5)",
    )
    lockout_seconds: int = Field(
        600, ge=1, description="length of the lock-out, and its Retry-After (documented: 600)"
    )
    canned_picture_bytes: int = Field(
        0,
        ge=0,
        description="size up to which the canned engine fills its images with noise, for benchmarks of large results"
        " (default: none)",
    )
    data_dir: Path | None = Field(
        None,
        description="folder in which the emulator makes a new folder for inputs and results, which it removes at the end"
        " (default: the system's folder for temporary files)",
    )
    keep: Path | None = Field(
        None,
        description="folder in which tasks, results, the billing counter and the clock are kept over a restart; tokens, the"
        " journal and fault rules are not (default: nothing is kept)",
    )

    max_body_bytes: int = _undocumented(
        64 * 1024 * 1024,
        "largest request body; a larger one is answered 413. The emulator parses one body at a time, which takes about"
        " four times its size in memory",
        ge=1024,
    )
    max_regions: int = _undocumented(1000, "most regions of a request; more are answered 400", ge=1)
    bad_image: Literal["400", "task_error"] = _undocumented(
        "400", "if the input is not base64: refuse the request, or accept it and end the task with Error"
    )
    unknown_settings: Literal["400", "ignore"] = _undocumented(
        "400", "if the request has a setting that the cloud does not have"
    )
    bad_values: Literal["400", "ignore"] = _undocumented("400", "if a setting has an invalid value")
    missing_settings: Literal["accept", "400"] = _undocumented(
        "accept",
        "if the request has no settings object, which the vendor's OpenAPI document requires and the docs do not",
    )
    lenient_enums: bool = _undocumented(
        False, "accept the docs' spellings CraftPoly and HWT_eng, and enum values in any casing"
    )
    quoted_ids: bool = _undocumented(
        False, "answer a submit that accepts application/json with the id as a JSON string"
    )
    pending_code: Literal["NotReady", "NoAnyResultData"] = _undocumented(
        "NotReady", "responseStatusCode of a task that has not ended"
    )
    cross_operation: Literal["not_exist", "answer"] = _undocumented(
        "not_exist", "answer to a GET or DELETE of a task under the path of another operation"
    )
    delete_finished: Literal["remove", "keep"] = _undocumented(
        "remove", "what a DELETE does to a task that has ended"
    )
    status_auth: Literal["required", "optional"] = _undocumented(
        "required", "whether GetTaskStatus needs a token for a task of an account"
    )
    trial_status_auth: Literal["anonymous", "required"] = _undocumented(
        "anonymous", "whether GetTaskStatus needs a token for a trial task"
    )
    status_messages: bool = _undocumented(
        False, "whether the answer of GetTaskStatus also contains the error object"
    )
    trial_masks: Literal["text", "text_and_hocr"] = _undocumented(
        "text", "results of the trial in which words are masked; PDF and JSON are never masked"
    )
    hocr_confidences: bool = _undocumented(
        True,
        "whether hOCR contains x_wconf, how sure the engine is of each word (not canned: that engine reads nothing)",
    )
    token_success_resets: bool = _undocumented(
        True, "whether a successful token request resets the count of failed ones"
    )

    @field_validator("task_seconds", mode="before")
    @classmethod
    def _check_task_seconds(cls, value: Any) -> str:
        parse_duration(str(value))
        return str(value)

    @field_validator("keep")
    @classmethod
    def _check_keep(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is not None and info.data.get("data_dir") is not None:
            raise ValueError("takes the place of --data-dir; name only one of them")
        return value

    @field_validator("operations")
    @classmethod
    def _check_operations(cls, value: tuple[Operation, ...]) -> tuple[Operation, ...]:
        known = [operation.path.lower() for operation in OPERATIONS.values()]
        for operation in value:
            if operation.path.lower() in known:
                raise ValueError(f"names {operation.name}, which the emulator has already")
            known.append(operation.path.lower())
        return value

    def by_path(self) -> dict[str, Operation]:
        """Return all operations, by their path in lower case."""
        return {row.path.lower(): row for row in (*OPERATIONS.values(), *self.operations)}

    def secrets(self) -> dict[str, str]:
        """Return all accounts: client id to client secret, the first account first."""
        return {self.client_id: self.client_secret, **self.accounts}
