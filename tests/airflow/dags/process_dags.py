"""One DAG with a task for each way to wait, for the count of the worker processes that it starts."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizeImageOperator

with DAG(
    "test_worker_processes",
    params={"scan": Param("", type="string"), "outbox": Param("", type="string")},
    default_args={"deferrable": True},
):
    SCAN = "{{ params.scan }}"
    # Far more than the cloud takes, however busy the machine is.
    AsposeOcrRecognizeImageOperator(task_id="done_inline", source=SCAN, inline_wait_seconds=120)
    AsposeOcrRecognizeImageOperator(task_id="deferred", source=SCAN, inline_wait_seconds=0)
    submitted = AsposeOcrRecognizeImageOperator(
        task_id="submitted", source=SCAN, inline_wait_seconds=0, wait_for_completion=False
    )
    AsposeOcrFetchResultOperator(
        task_id="consumer",
        task=submitted.output,
        destination="{{ params.outbox }}",
        inline_wait_seconds=0,
        start_from_trigger=True,
    )
