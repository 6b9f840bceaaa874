"""
The operator that leaves nothing running.

Invariant: what is cancelled still runs, and what cannot be cancelled now does not keep the others from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators.submit import TASK_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class AsposeOcrCancelTasksOperator(BaseOperator):
    """
    Cancel the cloud tasks that Airflow tasks of this run have submitted and that still run.

    Made to be a teardown (``.as_teardown()``): Airflow runs it however the others end, also when a user fails the
    run. Give it no setups: Airflow clears those with whatever is cleared after them, and they would be billed again.

    :param task_ids: The tasks whose submits are meant, mapped or not. What they have not submitted is no error.
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
        cancelled, failure = [], None
        for ref in self._submitted(context):
            try:
                if self._cancel(ref):
                    cancelled.append(ref.id)
            except AsposeOcrError as error:
                self.log.warning("Could not cancel %s %s: %s", ref.operation, ref.id, error.message)
                failure = failure or error.about(ref.operation, ref.id)
        if failure is None:
            return cancelled
        if failure.retryable:
            raise failure
        raise AirflowFailException(str(failure)) from failure

    def _submitted(self, context: Context) -> list[TaskRef]:
        task_ids = [self.task_ids] if isinstance(self.task_ids, str) else list(self.task_ids)
        pulled = context["ti"].xcom_pull(task_ids=task_ids, key=TASK_KEY)
        return [parse_task_ref(value) for value in pulled or () if value]

    def _cancel(self, ref: TaskRef) -> bool:
        client = AsposeOcrHook(ref.conn_id).client
        status = client.status(ref.operation, ref.id).status
        if status.is_terminal:
            self.log.info("%s %s has ended: %s", ref.operation, ref.id, status)
            return False
        client.cancel(ref.operation, ref.id)
        self.log.info("Cancelled %s %s", ref.operation, ref.id)
        return True
