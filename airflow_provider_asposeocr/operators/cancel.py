"""
Cancel cloud tasks that are still running.

Invariant: finished cloud tasks are left alone, and a failure to cancel one does not stop the rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_asposeocr.api.errors import AsposeOcrError, CloudUnreachableError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from airflow_provider_asposeocr.config import default_number
from airflow_provider_asposeocr.failing import fail_with
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.cancel import cancel_if_running
from airflow_provider_asposeocr.operators.submit import TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class AsposeOcrCancelTasksOperator(BaseOperator):
    """
    Cancel the cloud tasks that Airflow tasks of this run have submitted and that still run.

    Use it as a teardown (``.as_teardown()``): Airflow runs a teardown however the other tasks end, also when a user
    fails the run. Give it no setups: Airflow clears a setup together with the tasks after it, and the submit would be
    billed again.

    :param task_ids: Ids of the submit tasks and of batches, mapped or not. A task that has submitted nothing is no error.
    :return: The ids that were cancelled.
    :raises ValueError: at parse time, if no task is named.
    """

    ui_color = "#e7f4e4"

    def __init__(self, *, task_ids: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.task_ids = task_ids
        names = [task_ids] if isinstance(task_ids, str) else list(task_ids)
        if not names or not all(isinstance(name, str) and name for name in names):
            raise ValueError(f"task_ids must name tasks, not {task_ids!r}")

    def execute(self, context: Context) -> list[str]:
        """
        Ask for each cloud task and cancel those that have not ended.

        :param context: Airflow's context.
        :return: The ids that were cancelled.
        """
        cancelled: list[str] = []
        failure: Exception | None = None
        for value in self._pulled(context["ti"], BATCH_KEY):
            try:
                cancelled += self._cancel_batch(str(value["journal"]))
            except Exception as error:  # of the storage, of the cloud, or of the connection
                self.log.warning("Could not cancel the batch %s: %s", shown(value, 300), shown(error))
                failure = failure or error
        for value in self._pulled(context["ti"], TASK_KEY):
            try:
                ref = parse_task_ref(value)
                if self._cancel(ref):
                    cancelled.append(ref.id)
            except Exception as error:  # of the cloud, or of the connection, which may be gone
                self.log.warning("Could not cancel %s: %s", shown(value, 300), shown(error))
                failure = failure or error
        if failure is None:
            return cancelled
        if isinstance(failure, AsposeOcrError):
            fail_with(self.log, failure)
        raise failure

    def _pulled(self, ti: Any, key: str) -> list[Any]:
        task_ids = [self.task_ids] if isinstance(self.task_ids, str) else list(self.task_ids)
        # In a mapped task group only what its own lane has submitted: the others still wait for theirs.
        lane = {"map_indexes": ti.map_index} if ti.map_index is not None and ti.map_index >= 0 else {}
        return [
            value for value in ti.xcom_pull(task_ids=task_ids, key=key, **lane) or () if value is not None
        ]

    def _cancel(self, ref: TaskRef) -> bool:
        client = AsposeOcrHook(ref.conn_id).client
        outcome = cancel_if_running(client, ref, "this task cancels what others have submitted")
        if outcome.what == "unknown":
            raise (outcome.error or CloudUnreachableError("The cloud does not answer.")).about(
                ref.operation, ref.id
            )
        return outcome.what == "cancelled"

    def _cancel_batch(self, journal: str) -> list[str]:
        # What it imports is for workers: parsing a DAG should not load it.
        from airflow_provider_asposeocr.batch.closing import close_claims
        from airflow_provider_asposeocr.batch.left import (
            cancel_batch,
            has_manifest,
            take_over_batch,
            write_manifest_of,
        )

        left = take_over_batch(journal)
        if left is None:
            return []
        if not left.running:
            if not has_manifest(left):
                write_manifest_of(left)
            if left.journal is not None:
                close_claims(left.batch, left.state, left.journal)
            return []
        account = AsposeOcrHook(left.batch.conn_id).account
        reason = "this task cancels what others have submitted"
        done = asyncio.run(cancel_batch(account, left, reason, default_number("batch_polls_per_second")))
        write_manifest_of(left)
        if left.journal is not None:
            close_claims(left.batch, left.state, left.journal)
        if done.left:
            raise CloudUnreachableError(done.text(reason))
        return [ref.id for ref in done.cancelled]
