"""Detect the regions of a page, then recognize each of them: one result per region."""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrDetectRegionsOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeRegionsOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_regions",
    description="Detect regions, then recognize each",
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
    # [start regions]
    detect = AsposeOcrDetectRegionsOperator(task_id="detect", source="{{ params.scan }}", deferrable=True)
    recognize = AsposeOcrRecognizeRegionsOperator(
        task_id="recognize", source="{{ params.scan }}", regions=detect.output, deferrable=True
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end regions]
