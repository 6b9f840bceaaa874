"""
Read all documents of a folder: dynamic task mapping over a task group.

Images go through upscale, binarize and recognize, PDFs through recognize only, because upscale and binarize read images.

The pool `aspose_ocr` limits how many cloud tasks run at once. It has to count deferred tasks, because a deferred task
holds no worker slot. Create it before the first run; without it Airflow does not start the tasks:

    airflow pools set aspose_ocr 20 "cloud tasks in flight" --include-deferred
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrRecognizePdfOperator,
    AsposeOcrUpscaleImageOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

IMAGES = [".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff"]

with DAG(
    "aspose_ocr_mapped_folder",
    description="All documents of a folder, each through the chain",
    doc_md=__doc__,
    params={
        "inbox": Param(
            INBOX,
            type="string",
            description="Folder with documents: absolute path or URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(OUTBOX, type="string", description="Folder for the results: absolute path or URI"),
        "conn_id": Param("aspose_ocr_default", type="string", description="Connection to the cloud"),
    },
    tags=["aspose-ocr"],
):

    @task
    def list_documents(inbox: str, suffixes: list[str]) -> list[str]:
        """List the files of the inbox whose names end in one of the suffixes, in lower or upper case."""
        files = ObjectStoragePath(inbox).iterdir()
        return sorted(str(file) for file in files if file.suffix.lower() in suffixes)

    # [start mapped]
    with_pool = {"deferrable": True, "pool": "aspose_ocr", "aspose_ocr_conn_id": "{{ params.conn_id }}"}

    @task_group(default_args=with_pool)
    def read_image(scan: str) -> None:
        """Take one image through the chain."""
        upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source=scan)
        binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output)
        recognize = AsposeOcrRecognizeImageOperator(task_id="recognize", source=binarize.output)
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=recognize.output, destination="{{ params.outbox }}"
        )

    @task_group(default_args=with_pool)
    def read_pdf(document: str) -> None:
        """Recognize all pages of one PDF."""
        recognize = AsposeOcrRecognizePdfOperator(task_id="recognize", source=document)
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=recognize.output, destination="{{ params.outbox }}"
        )

    read_image.expand(scan=list_documents.override(task_id="list_images")("{{ params.inbox }}", IMAGES))
    read_pdf.expand(document=list_documents.override(task_id="list_pdfs")("{{ params.inbox }}", [".pdf"]))
    # [end mapped]
