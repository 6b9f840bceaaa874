"""
Read the rendered parameters of the batch operator, and what one try needs of Airflow.

:mod:`.batch_parameters` checks the same parameters when a DAG is parsed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.polling import deadlines
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.quality import parse_gates
from airflow_provider_asposeocr.batch.listing import read_work_list_head
from airflow_provider_asposeocr.batch.opening import BatchRequest
from airflow_provider_asposeocr.batch.parts import batch_key
from airflow_provider_asposeocr.batch.plan import RegisterPlan
from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.sources import parse_sources
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.batch.summary import is_green
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY, Tripwire
from airflow_provider_asposeocr.config import default_flag, default_number, default_seconds, default_text
from airflow_provider_asposeocr.documents.folders import STATE_FOLDER, parse_folder
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.ingestion.register import fingerprint_of
from airflow_provider_asposeocr.lifecycle.identity import digest
from airflow_provider_asposeocr.lifecycle.kills import map_index_of
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.lifecycle.worker_kill import state_of
from airflow_provider_asposeocr.links import result_url
from airflow_provider_asposeocr.operators.batch_end import is_retry_worthwhile
from airflow_provider_asposeocr.operators.batch_parameters import (
    EXECUTION_TIMEOUT_MARGIN_SECONDS,
    parse_row_fields,
)
from airflow_provider_asposeocr.operators.batch_sweep import sweep_journals
from airflow_provider_asposeocr.operators.batch_try import TryEnvironment
from airflow_provider_asposeocr.operators.waiting import has_retry_left
from airflow_provider_asposeocr.parameters import parse_bool, rendered

if TYPE_CHECKING:
    from datetime import date

    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.ingestion.work_list import WorkList
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator


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
) -> tuple[BatchRequest, TryEnvironment]:
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
    return request, _environment(operator, context, request, account, holds=holds)


def _environment(
    operator: AsposeOcrBatchOperator,
    context: Context,
    request: BatchRequest,
    account: Account,
    *,
    holds: bool,
) -> TryEnvironment:
    ti = context["ti"]
    tripwire = Tripwire.of(context)
    return TryEnvironment(
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
            and is_retry_worthwhile(operator, end)
        ),
        polls_per_second=default_number("batch_polls_per_second"),
        page=result_url(ti),
    )


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
        max_bytes=operator.max_bytes,
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
