"""
The pipelined mode: submit and be done; a sensor or the fetch waits.

Submits of all documents are through within seconds. A failed cloud task shows in the consumer, whose message names the
task to clear.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizeImageOperator
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
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=done.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end pipelined]
