"""The tasks of the DAGs that read an inbox, for several DAG files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator, AsposeOcrPlanInboxOperator
from tests.distributed.inbox_place import BATCH_DOCUMENTS

if TYPE_CHECKING:
    from airflow_provider_asposeocr.ingestion import AsposeOcrInbox

# A killed worker costs each of its tasks a try.
RETRIES = {"retries": 60, "retry_delay": timedelta(seconds=1)}


def read_inbox(found: AsposeOcrInbox, outbox: str) -> None:
    """Declare the two tasks."""
    plan = AsposeOcrPlanInboxOperator(
        task_id="plan", inbox=found, destination=outbox, batch_documents=BATCH_DOCUMENTS
    )
    AsposeOcrBatchOperator.partial(
        task_id="read",
        steps=[{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}],
        destination=outbox,
        max_in_flight=10,
        deferrable=True,
        # So that some batches wait in a triggerer.
        defer_idle_seconds=3,
        poll_interval_seconds=0.5,
        max_poll_interval_seconds=2,
        # What another batch of the same run has is left to the next run, which shows that it finds it.
        busy_wait_seconds=20,
    ).expand(sources=plan.output)
