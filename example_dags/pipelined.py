"""
Submit a document, and let another task wait for it: the pipelined mode.

All submits are through within seconds. If a cloud task fails, the task that waits for it fails, and its message names
the task to clear. The last task cancels a cloud task that still runs when a user fails the run before the sensor has
started.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrCancelTasksOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_pipelined",
    description="Submit first, wait later",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}page.png",
            type="string",
            description="Absolute path of the scan, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(OUTBOX, type="string", description="Folder for the results: absolute path or URI"),
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
