"""
Check the parameters of the batch operator when a DAG is parsed.

Invariant: an error that is visible at parse time is raised there, before a batch costs anything. :mod:`.batch_request` reads
the parameters when a task runs.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import InputError, shown_at
from airflow_provider_asposeocr.api.results.policies import ON_LOW_QUALITY
from airflow_provider_asposeocr.api.results.quality import parse_gates
from airflow_provider_asposeocr.api.templates import has_template
from airflow_provider_asposeocr.batch.plan import NAMES
from airflow_provider_asposeocr.batch.running import MOST_TASKS
from airflow_provider_asposeocr.batch.sources import parse_sources
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.batch.summary import check_max_failures
from airflow_provider_asposeocr.documents.folders import parse_folder
from airflow_provider_asposeocr.documents.owners import IF_EXISTS
from airflow_provider_asposeocr.ingestion.register import (
    ON_DONE,
    ON_DUPLICATE,
    ON_MISSING_RESULT,
)
from airflow_provider_asposeocr.lifecycle.policies import (
    CANCEL_ON_KILL,
    ON_EXPIRED,
    ON_INCOMPLETE,
    ON_UNKNOWN_SUBMIT,
)
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.parameters import (
    check_choice,
    check_counts,
    check_seconds,
    constructing,
    parse_bool,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from airflow_provider_asposeocr.api.results.extract import Field
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator

#: Before Airflow's ``execution_timeout``: the time for the cancels and the manifest.
EXECUTION_TIMEOUT_MARGIN_SECONDS = 30.0


def check_batch(operator: AsposeOcrBatchOperator) -> None:
    """
    Check what a DAG's author wrote, as far as it is no template.

    :param operator: The operator, with its parameters set.
    :raises ValueError: if a number or a policy makes no sense; it names the parameter.
    :raises InputError: if steps do not fit together, or sources or a folder cannot be meant.
    """
    given = {name: getattr(operator, name) for name in _CHECKED}
    _check_numbers(given)
    with constructing(operator):
        _check_fields(given)


def check_partial(given: Mapping[str, Any]) -> None:
    """
    Check what a DAG's author passed to ``partial()``: Airflow makes the operator itself only when a mapped task runs.

    :param given: Parameters by their names; those that are missing are expanded, or have their default.
    :raises ValueError: as :func:`check_batch`; :class:`InputError` likewise.
    """
    _check_numbers(given)
    with shown_at("parse"):
        _check_fields(given)


#: Most bytes of the fields in a row; a line of a manifest may have a mebibyte.
MOST_EXTRACTED_BYTES = 262_144
#: Most of what a number may be; ``None`` = any.
_COUNTS: dict[str, int | None] = {
    "max_in_flight": MOST_TASKS,
    "max_unanswered_submits": MOST_TASKS,
    "max_submits": None,
    "max_bytes": None,
    "stop_after_failures": None,
    "max_attempts": None,
    "extract_bytes": MOST_EXTRACTED_BYTES,
}
_DURATIONS = (
    "defer_idle_seconds",
    *(field.name for field in fields(WaitParameters)),
    "batch_timeout_seconds",
    "claim_seconds",
)
_CHOICES: dict[str, tuple[str, ...]] = {
    "names": NAMES,
    "if_exists": IF_EXISTS,
    "on_incomplete": ON_INCOMPLETE,
    "on_unknown_submit": ON_UNKNOWN_SUBMIT,
    "on_expired": ON_EXPIRED,
    "cancel_on_kill": CANCEL_ON_KILL,
    "on_duplicate": ON_DUPLICATE,
    "on_missing_result": ON_MISSING_RESULT,
    "on_done": ON_DONE,
    "on_low_quality": ON_LOW_QUALITY,
}
_FOLDERS = ("destination", "state", "base", "register", "archive")
_CHECKED = (
    *_COUNTS,
    *_DURATIONS,
    *_CHOICES,
    *_FOLDERS,
    "max_failures",
    "execution_timeout",
    "previews",
    "keep_steps",
    "on_absent",
    "busy_wait_seconds",
    "sources",
    "steps",
    "strict_settings",
    "quality",
    "extract",
)


def _check_numbers(given: Mapping[str, Any]) -> None:
    check_counts(**{name: (given[name], most) for name, most in _COUNTS.items() if name in given})
    if "max_failures" in given:
        check_max_failures(given["max_failures"])
    if "batch_timeout_seconds" in given and given["batch_timeout_seconds"] is None:
        raise ValueError("batch_timeout_seconds must be a number of seconds, not None")
    check_seconds(**{name: given[name] for name in _DURATIONS if name in given})
    for name, choices in _CHOICES.items():
        if name in given:
            check_choice(name, given[name], choices)
    _check_on_absent(given.get("on_absent", "none"))
    if given.get("previews") is not None:
        parse_bool(given["previews"], "previews")
    if "keep_steps" in given:
        parse_bool(given["keep_steps"], "keep_steps")
    if given.get("busy_wait_seconds"):  # 0 = do not wait
        check_seconds(busy_wait_seconds=given["busy_wait_seconds"])
    if (given.get("on_done") == "move") != (given.get("archive") is not None):
        raise ValueError(
            "on_done='move' needs archive, the folder that sources are moved to; others take none"
        )
    _check_execution_timeout(given.get("execution_timeout"))


def _check_on_absent(given: object) -> None:
    if given == "fail":
        raise ValueError(
            "on_absent='fail' is a parameter of AsposeOcrFetchResultOperator. A batch takes only 'none': a document that "
            "fails may be sent and billed again, and the cloud would not find the field then either. Look at "
            "extracted in the rows of the manifest in the next task, and fail there; docs/results.md has an example"
        )
    check_choice("on_absent", given, ("none",))


def _check_execution_timeout(given: timedelta | None) -> None:
    if given is not None and given.total_seconds() <= EXECUTION_TIMEOUT_MARGIN_SECONDS:
        margin = f"{EXECUTION_TIMEOUT_MARGIN_SECONDS:g} seconds"
        raise ValueError(
            f"execution_timeout is {given.total_seconds():g} seconds. A batch stops {margin} before it, to cancel what runs "
            f"and to write the manifest, so that it could send nothing. Set more than {margin}, or batch_timeout_seconds, "
            "which limits all tries together"
        )


def _check_fields(given: Mapping[str, Any]) -> None:
    steps = given.get("steps")
    if isinstance(steps, list | tuple) or ("steps" in given and not has_template(steps)):
        parse_steps(steps, strict=given.get("strict_settings", True), rendered=False)
    for name in _FOLDERS:
        value = given.get(name)
        if value is not None and (isinstance(value, PurePath) or not has_template(value)):
            parse_folder(value, name)
    if given.get("quality") is not None:
        parse_gates(given["quality"])
    if given.get("extract") is not None:
        parse_row_fields(given["extract"], given.get("extract_bytes", 0), rendered=False)
    if "sources" in given and not has_template(given["sources"]):
        parse_sources(given["sources"])


def parse_row_fields(extract: Any, most_bytes: int, *, rendered: bool = True) -> list[Field]:
    """
    Check the fields that the rows of a batch carry.

    :param extract: A path for each name; ``None`` = no field.
    :param most_bytes: Largest value of a field, in bytes.
    :param rendered: ``False`` at parse time: paths that are templates are not checked.
    :raises InputError: if it makes no sense, or a row could be larger than a reader of manifests takes.
    """
    if extract is None:
        return []
    # Parsing a DAG loads the readers only where one uses them.
    from airflow_provider_asposeocr.api.results.extract import parse_extract

    fields = parse_extract(extract, rendered=rendered)
    if len(fields) * most_bytes > MOST_EXTRACTED_BYTES:
        raise InputError(
            f"extract has {len(fields)} fields of up to {most_bytes} bytes each (extract_bytes). Together they may have "
            f"{MOST_EXTRACTED_BYTES} bytes, because they are in the journal and in the manifest for each document."
        )
    return fields
