"""The DAG of the storm over a batch: all documents in one Airflow task."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

PARAMS = {"inbox": Param("", type="string"), "outbox": Param("", type="string")}

with DAG("batch_storm", params=PARAMS):
    AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}",
        steps=["UpscaleImage", "BinarizeImage", "RecognizeImage"],
        destination="{{ params.outbox }}",
        max_in_flight=int(os.environ.get("BATCH_STORM_IN_FLIGHT", "20")),
        max_unanswered_submits=int(os.environ.get("BATCH_STORM_PERMITS", "16")),
        # Where the storm hits the same submit twice, the document fails and is counted.
        max_failures=0.1,
        deferrable=True,
        # What the storm makes slow takes longer, so that the batch leaves its worker then, and seldom otherwise.
        defer_idle_seconds=5,
        poll_interval_seconds=0.5,
        max_poll_interval_seconds=2,
        # Each blow costs a try.
        retries=60,
        retry_delay=timedelta(seconds=1),
    )
