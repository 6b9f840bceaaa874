"""
The pipelined mode: submit and be done; a sensor or the fetch waits.

Submits of all documents are through within seconds. A failed cloud task shows in the consumer, whose message names the
task to clear. The last task cancels what is still running when somebody fails the run before a consumer has begun.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrCancelTasksOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor

with DAG(
    "aspose_ocr_pipelined",
    description=__doc__,
    params={
        "scan": Param("s3://scans@inbox/page.png", type="string", description="Path or URI of the scan"),
        "outbox": Param("s3://scans@outbox/", type="string", description="Folder for the results"),
    },
    tags=["aspose-ocr"],
):
    # [start pipelined]
    submit = AsposeOcrRecognizeImageOperator(
        task_id="submit", source="{{ params.scan }}", wait_for_completion=False
    )
    done = AsposeOcrTaskSensor(task_id="done", task=submit.output, deferrable=True)
    fetch = AsposeOcrFetchResultOperator(
        task_id="fetch", task=done.output, destination="{{ params.outbox }}", deferrable=True
    )
    fetch >> AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids="submit").as_teardown()
    # [end pipelined]
