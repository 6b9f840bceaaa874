"""
The parameters of the batch operator: checked when a DAG is parsed, read when a task runs.

Invariant: an error that is visible at parse time is raised there, before a batch costs anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.errors import InputError, shown_at
from airflow_provider_asposeocr.api.polling import deadlines
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.policies import ON_LOW_QUALITY
from airflow_provider_asposeocr.api.results.quality import parse_gates
from airflow_provider_asposeocr.api.templates import has_template
from airflow_provider_asposeocr.batch.parts import batch_key
from airflow_provider_asposeocr.batch.plan import NAMES, RegisterPlan
from airflow_provider_asposeocr.batch.running import MOST_TASKS
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.sources import parse_sources
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.batch.summary import check_max_failures, is_green
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY, Tripwire
from airflow_provider_asposeocr.config import default_flag, default_number, default_seconds, default_text
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER, parse_folder
from airflow_provider_asposeocr.documents.owners import IF_EXISTS
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.ingestion.register import (
    ON_DONE,
    ON_DUPLICATE,
    ON_MISSING_RESULT,
    fingerprint_of,
)
from airflow_provider_asposeocr.lifecycle.identity import digest
from airflow_provider_asposeocr.lifecycle.kills import map_index_of
from airflow_provider_asposeocr.lifecycle.policies import (
    CANCEL_ON_KILL,
    ON_EXPIRED,
    ON_INCOMPLETE,
    ON_UNKNOWN_SUBMIT,
)
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.lifecycle.worker_kill import state_of
from airflow_provider_asposeocr.links import result_url
from airflow_provider_asposeocr.operators.waiting import has_retry_left
from airflow_provider_asposeocr.parameters import (
    check_choice,
    check_counts,
    check_seconds,
    constructing,
    parse_bool,
    rendered,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, timedelta

    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.results.extract import Field
    from airflow_provider_asposeocr.batch.opening import BatchRequest
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.ingestion.work_list import WorkList
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
    from airflow_provider_asposeocr.operators.batch_try import Surroundings

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


@dataclass(frozen=True)
class Instance:
    """
    The task instance of a batch.

    :param ti: Airflow's.
    :param day: A day of the DAG run that does not change from try to try.
    """

    ti: Any
    day: date

    @classmethod
    def of(cls, context: Context) -> Instance:
        """
        Read Airflow's context.

        :param context: The context.
        """
        run = context.get("dag_run")
        moment = getattr(run, "run_after", None) or getattr(run, "logical_date", None)
        return cls(context["ti"], (moment or datetime.now(UTC)).date())

    @property
    def map_index(self) -> int:
        """Number of the mapped task instance, -1 = not mapped."""
        return map_index_of(self.ti.map_index)


def request_of(
    operator: AsposeOcrBatchOperator, context: Context, *, holds: bool
) -> tuple[BatchRequest, Surroundings]:
    """
    Read the rendered parameters of a try, and what it needs of Airflow.

    :param operator: The operator, with its rendered parameters.
    :param context: Airflow's context.
    :param holds: Whether the batch stays in its worker, also with ``deferrable=True``.
    :return: What :class:`.BatchTry` takes.
    :raises InputError: if a parameter makes no sense.
    :raises InvalidConnectionError: if there is no such connection, or if it makes no sense.
    :raises JournalError: if the tripwire in Airflow's store cannot be read.
    """
    from airflow_provider_asposeocr.batch.listing import read_work_list_head
    from airflow_provider_asposeocr.batch.opening import BatchRequest
    from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies
    from airflow_provider_asposeocr.operators.batch_sweep import sweep_journals
    from airflow_provider_asposeocr.operators.batch_try import Surroundings

    instance = Instance.of(context)
    ti = instance.ti
    account = AsposeOcrHook(operator.aspose_ocr_conn_id).account
    destination = parse_folder(operator.destination, "destination")
    steps = parse_steps(rendered(operator.steps), strict=operator.strict_settings, trial=account.trial)
    work, sources = read_work_list_head(parse_sources(rendered(operator.sources)))
    register, base = _register_of(operator, work, steps, trial=account.trial)
    state = register.uri if register is not None else f"{destination}{STATE_FOLDER}"
    request = BatchRequest(
        sources=sources,
        steps=steps,
        destination=destination,
        names=operator.names,
        base=base,
        state=parse_folder(operator.state or state, "state"),
        register=register,
        archive=None if operator.archive is None else parse_folder(operator.archive, "archive"),
        if_exists=operator.if_exists,
        conn_id=operator.aspose_ocr_conn_id,
        account=digest(account.owner),
        key=batch_key(default_text("installation"), ti.dag_id, ti.run_id, ti.task_id, instance.map_index),
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=instance.map_index,
        max_tries=ti.max_tries,
        day=instance.day,
    )
    tripwire = Tripwire.of(context)
    around = Surroundings(
        account=account,
        tripwire=tripwire,
        plan=tripwire.plan(request.journal_uri),
        make_settings=lambda begun_at: settings_of(operator, ti, begun_at, holds=holds),
        push=lambda value: ti.xcom_push(key=BATCH_KEY, value=value),
        sweep=lambda: sweep_journals(request.state, ti),
        policies=RegisterPolicies(
            on_duplicate=operator.on_duplicate,
            on_missing_result=operator.on_missing_result,
            max_attempts=operator.max_attempts,
            claim_seconds=operator.claim_seconds,
            on_done=operator.on_done,
            archive=request.archive,
            low_quality=_low_quality_before(operator),
        ),
        state_of=lambda claim: state_of(ti, claim),
        is_retried=lambda end: (
            has_retry_left(ti)
            and not is_green(end.manifest.tally.judged, operator.max_failures)
            and operator.is_retry_worthwhile(end)
        ),
        polls_per_second=default_number("batch_polls_per_second"),
        page=result_url(ti),
    )
    return request, around


def _low_quality_before(operator: AsposeOcrBatchOperator) -> Literal["fail", "mark"] | None:
    if operator.quality is None:
        return None
    return "fail" if operator.on_low_quality == "fail" else "mark"


def _register_of(
    operator: AsposeOcrBatchOperator, work: WorkList | None, steps: tuple[Step, ...], *, trial: bool
) -> tuple[RegisterPlan | None, str | None]:
    """
    Tell which register a batch has, and what names of results are relative to.

    A work list says both, and the name of its pipeline: its files were chosen by what this register knows.
    """
    base = None if operator.base is None else parse_folder(operator.base, "base")
    uri = None if operator.register is None else parse_folder(operator.register, "register")
    if work is not None:
        # The next plan reads from the manifests below the register which files were read.
        state = None if operator.state is None else parse_folder(operator.state, "state")
        for name, given, listed in (
            ("register", uri, work.register),
            ("base", base, work.base),
            ("state", state, work.register),
        ):
            if given is not None and same_place(given) != same_place(listed):
                raise InputError(
                    f"The work list in sources has the {name} {shown(listed, 300)!r}, and the parameter {name} is another "
                    f"one, {shown(given, 300)!r}. Leave the parameter out."
                )
        uri, base = work.register, work.base
    if uri is None:
        if operator.on_done != "leave":
            raise InputError("on_done needs a register, which says that a document is done. Set register.")
        return None, base
    fingerprint = fingerprint_of([step.to_dict() for step in steps], evaluation=trial)
    pipeline = None if work is None else work.pipeline
    overwrites = operator.if_exists == "overwrite_any"
    return RegisterPlan(uri, fingerprint, default_text("installation"), pipeline, overwrites), base


def settings_of(operator: AsposeOcrBatchOperator, ti: Any, begun_at: float, *, holds: bool) -> BatchSettings:
    """
    Make the settings of one try.

    :param operator: The operator, with its parameters set.
    :param ti: Airflow's task instance.
    :param begun_at: When the batch's first try began, in seconds since the epoch.
    :param holds: Whether the batch stays in its worker, also with ``deferrable=True``.
    """
    return BatchSettings(
        max_in_flight=operator.max_in_flight,
        max_unanswered_submits=operator.max_unanswered_submits,
        max_submits=operator.max_submits,
        stop_after_failures=operator.stop_after_failures,
        retry_failed=operator.retry_failed,
        on_unknown_submit=operator.on_unknown_submit,
        on_expired=operator.on_expired,
        keep_incomplete=operator.on_incomplete == "keep",
        if_exists=operator.if_exists,
        gates=parse_gates(operator.quality),
        on_low_quality=operator.on_low_quality,
        fields=parse_row_fields(rendered(operator.extract), operator.extract_bytes),
        extract_bytes=operator.extract_bytes,
        previews=_flag(operator, "previews"),
        keep_steps=parse_bool(operator.keep_steps, "keep_steps"),
        cadence=WaitParameters.of(operator).cadence(),
        deadline_at=deadline_of(operator, ti, begun_at),
        deferrable=operator.deferrable and not holds,
        defer_idle_seconds=_seconds(operator, "defer_idle_seconds"),
        busy_wait_seconds=operator.busy_wait_seconds,
        copies_duplicates=operator.on_duplicate == "copy",
        disposes_of_sources=operator.on_done != "leave",
        try_number=ti.try_number,
        has_tries_left=has_retry_left(ti),
    )


def deadline_of(operator: AsposeOcrBatchOperator, ti: Any, begun_at: float) -> float:
    """
    Return when a batch is over.

    :param operator: The operator, with its parameters set.
    :param ti: Airflow's task instance.
    :param begun_at: When its first try began, in seconds since the epoch.
    :return: Seconds since the epoch. It comes before Airflow's ``execution_timeout``, which is not enforced after a
        deferral and would leave the cloud tasks running.
    """
    limit = operator.execution_timeout
    airflow_ends_at = math.inf if limit is None else ti.start_date.timestamp() + limit.total_seconds()
    margin = EXECUTION_TIMEOUT_MARGIN_SECONDS
    return deadlines.deadline_of(begun_at, operator.batch_timeout_seconds, airflow_ends_at, margin)


def _flag(operator: AsposeOcrBatchOperator, name: str) -> bool:
    given = getattr(operator, name)
    return default_flag(name) if given is None else parse_bool(given, name)


def _seconds(operator: AsposeOcrBatchOperator, name: str) -> float:
    given = getattr(operator, name)
    return default_seconds(name) if given is None else float(given)
