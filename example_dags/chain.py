"""
Upscale, binarize and recognize a scan, and write the text and a searchable PDF.

The result of each task is the input of the next one. No worker slot is held while the cloud works, and no picture
passes through XCom or through storage of yours in between.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_chain",
    description="Upscale, binarize, recognize, fetch",
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
    # [start chain]
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source="{{ params.scan }}", deferrable=True)
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, deferrable=True)
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize",
        source=binarize.output,
        settings={"language": "English", "resultType": "TextAndPdf"},
        deferrable=True,
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end chain]
