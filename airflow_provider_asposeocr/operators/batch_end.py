"""
How a batch ends for Airflow: with its summary, or as a failure with or without a retry.

After a success, its journal and its tripwire are deleted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.assets import add_extra
from airflow_provider_asposeocr.batch.errors import BatchFailedError, BatchFailedForGoodError
from airflow_provider_asposeocr.batch.summary import failure_text, is_green
from airflow_provider_asposeocr.batch.tripwire import Tripwire
from airflow_provider_asposeocr.failing import fail_with
from airflow_provider_asposeocr.operators.task_log import batch_ends

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_provider_asposeocr.batch.ending import StopReason
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
    from airflow_provider_asposeocr.operators.batch_try import BatchEnd

#: Why nothing more was submitted, in words.
STOPPED: dict[StopReason, str] = {
    "account": "The account or the cloud refused to go on, so that nothing more was submitted.",
    "failures": "stop_after_failures documents have failed, so that nothing more was submitted.",
    "deadline": "The deadline of the batch has passed.",
    "drain": "A person has asked the batch to submit nothing more.",
    "budget": "max_submits is used up.",
    "stopped": "The batch was stopped.",
}


def end_batch(operator: AsposeOcrBatchOperator, end: BatchEnd, context: Context) -> dict[str, Any]:
    """
    Return the summary of a batch, or fail its Airflow task.

    :param operator: The operator.
    :param end: How its try has ended.
    :param context: Airflow's context.
    :return: The summary.
    :raises AirflowException: if more documents failed than ``max_failures`` allows, or not all were submitted; without a
        retry where that cannot help.
    """
    ended, tally = end.ended, end.manifest.tally
    summary = tally.summary(end.manifest.uri, ended.submits)
    seconds, ti = time.time() - end.begun_at, context["ti"]
    operator.log.info("%s", batch_ends(tally, ended.submits, end.batch, end.manifest.uri, seconds, ti))
    if is_green(tally.judged, operator.max_failures):
        add_extra(context, operator.outlets, end.manifest.event_extra(ended.submits))
        return summary
    text = failure_text(summary, operator.max_failures)
    if ended.stopped is not None:
        text = f"{STOPPED[ended.stopped]} {text}"
    if ended.error is not None:
        text = f"{ended.error.message} {text}"
    cls = BatchFailedError if is_retry_worthwhile(operator, end) else BatchFailedForGoodError
    fail_with(operator.log, cls(text, summary))


def is_retry_worthwhile(operator: AsposeOcrBatchOperator, end: BatchEnd) -> bool:
    """
    Tell whether a retry may have another result.

    :param operator: The operator.
    :param end: How a try has ended.
    """
    stopped, error = end.ended.stopped, end.ended.error
    if stopped == "account":
        return error is not None and error.retryable
    if stopped == "deadline":  # execution_timeout is that of one try, and the next one has it anew.
        return time.time() < end.begun_at + operator.batch_timeout_seconds
    if stopped == "budget":
        return False
    if stopped in ("drain", "stopped") or end.ended.has_results_left:
        return True
    return operator.retry_failed and end.manifest.tally.retryable


def forget_batch(context: Mapping[str, Any]) -> None:
    """
    Delete the journal, then the tripwire; runs after Airflow has noted the success, so that a crash before finds both.

    :param context: Airflow's context.
    """
    from airflow_provider_asposeocr.batch.journal import delete_journal
    from airflow_provider_asposeocr.documents.file_systems import object_path

    operator = context["task"]
    this = getattr(operator, "_try", None)
    if this is None or this.journal_uri is None or this.needs_journal:
        return
    try:
        delete_journal(object_path(this.journal_uri))
    except AsposeOcrError as error:
        # The next batch with this state folder deletes it.
        operator.log.warning(
            "The journal of the batch was not deleted; a later batch deletes it: %s", error.message
        )
        return
    Tripwire.of(context).forget()
