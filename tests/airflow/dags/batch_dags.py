"""Batches for the tests on real Airflow processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

for dag_id, given in (
    ("test_batch_held", {"deferrable": False}),
    ("test_batch_deferred", {"deferrable": True, "defer_idle_seconds": 5.0}),
    ("test_batch_retried", {"deferrable": False, "retries": 1, "retry_delay": timedelta(seconds=1)}),
):
    parameters: dict[str, Any] = given
    with DAG(dag_id, params={"inbox": "", "outbox": ""}):
        AsposeOcrBatchOperator(
            task_id="read",
            sources="{{ params.inbox }}",
            steps=[{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}],
            destination="{{ params.outbox }}",
            **parameters,
        )
