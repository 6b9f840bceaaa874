"""Read all pages of a PDF: the result is a text and a searchable PDF, which shows the scanned pages."""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizePdfOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_searchable_pdf",
    description="A scanned PDF as text and as a searchable PDF",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}report.pdf",
            type="string",
            description="Absolute path of the PDF, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(OUTBOX, type="string", description="Folder for the results: absolute path or URI"),
    },
    tags=["aspose-ocr"],
):
    # [start pdf]
    recognize = AsposeOcrRecognizePdfOperator(
        task_id="recognize",
        source="{{ params.scan }}",
        settings={"language": "English", "resultType": "TextAndPdf"},
        deferrable=True,
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end pdf]
