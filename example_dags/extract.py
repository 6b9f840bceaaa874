"""Read an invoice: its total as an XCom for the next task, and a result of low quality for a person."""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Param, XComArg, task

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrSubmitOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_extract",
    description="Read an invoice, and hand its total on",
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
    # [start extract]
    read = AsposeOcrSubmitOperator(
        task_id="read", operation="RecognizeAndParseInvoice", source="{{ params.scan }}", deferrable=True
    )
    fetch = AsposeOcrFetchResultOperator(
        task_id="fetch",
        task=read.output,
        destination="{{ params.outbox }}",
        extract={"supplier": "invoice.supplier_name", "total": "invoice.total_amount"},
        deferrable=True,
    )

    @task
    def book(supplier: Any, total: Any) -> str:
        """Use what was read."""
        return f"{supplier}: {total}"

    book(XComArg(fetch, "supplier"), XComArg(fetch, "total"))
    # [end extract]
