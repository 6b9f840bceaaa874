"""
Read all PNG files of a folder in one Airflow task: upscale, binarize and recognize each, write texts and searchable PDFs.

The manifest has a row for each scan, also for those that failed. A retry submits only what is not done.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_batch_folder",
    description="Upscale, binarize and recognize a folder in one task",
    doc_md=__doc__,
    params={
        "inbox": Param(
            INBOX,
            type="string",
            description="Folder with the scans: absolute path or URI, with a slash at its end",
        ),
        "outbox": Param(
            OUTBOX,
            type="string",
            description="Folder for the results: absolute path or URI, with a slash at its end; not inside the inbox",
        ),
    },
    tags=["aspose-ocr"],
):
    # [start batch]
    AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}*.png",
        steps=[
            "UpscaleImage",
            "BinarizeImage",
            {"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "TextAndPdf"}},
        ],
        destination="{{ params.outbox }}",
        max_in_flight=100,
        max_failures=0.02,
        deferrable=True,
        retries=2,
    )
    # [end batch]
