"""What a batch leaves its worker with: the trigger that waits for its cloud tasks, or for documents of other batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.polling.progress import moment_text
from airflow_provider_asposeocr.batch.polls import BatchWaitPlan
from airflow_provider_asposeocr.batch.running import fits_row, pack
from airflow_provider_asposeocr.config import default_number, event_delay_seconds
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.triggers.batch import AsposeOcrBatchPauseTrigger, AsposeOcrBatchTrigger

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

    from airflow_provider_asposeocr.batch.ending import Deferral
    from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator


def trigger_of(operator: AsposeOcrBatchOperator, deferral: Deferral, now: float) -> BaseTrigger | None:
    """
    Return the trigger that a batch defers with.

    :param operator: The operator, with its parameters set.
    :param deferral: What it waits for.
    :param now: The present moment, in seconds since the epoch.
    :return: The trigger; ``None`` = its row would be too large, so that the worker waits.
    """
    if deferral.look_at is not None:
        look_at = max(deferral.look_at, now + event_delay_seconds())
        until = moment_text(look_at, now)
        operator.log.info("Deferring until %s: other batches have the documents that are left", until)
        return AsposeOcrBatchPauseTrigger(look_at)
    row = pack(deferral.tasks)
    if not fits_row(row):
        operator.log.warning(
            "%d cloud tasks do not fit into a trigger's row. The worker waits.", len(deferral.tasks)
        )
        return None
    plan = BatchWaitPlan(
        deadline_at=deferral.deadline_at,
        cadence=WaitParameters.of(operator).cadence(),
        not_before_at=now + event_delay_seconds(),
        polls_per_second=default_number("batch_polls_per_second"),
    )
    until = moment_text(deferral.deadline_at, now)
    operator.log.info("Deferring the wait for %d cloud tasks until at most %s", len(deferral.tasks), until)
    return AsposeOcrBatchTrigger(row, plan.to_dict(), operator.cancel_on_kill)
