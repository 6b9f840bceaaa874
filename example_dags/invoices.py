"""
Read a folder of invoices and keep a typed table of them in PostgreSQL: one row for each invoice, with dates and amounts.

The folder is read by one Airflow task. A run that reads an invoice again replaces its row. An amount that the cloud has not
found is NULL. Needs apache-airflow-providers-postgres.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

# [start table]
CREATE = """
CREATE TABLE IF NOT EXISTS invoices (
    source text PRIMARY KEY,
    supplier_name text,
    receiver_name text,
    issue_date date,
    due_date date,
    currency text,
    net_amount numeric,
    vat numeric,
    total_amount numeric
)
"""
FIELDS = (
    "supplier_name",
    "receiver_name",
    "issue_date",
    "due_date",
    "currency",
    "net_amount",
    "vat",
    "total_amount",
)


def column(value: Any) -> Any:
    """Return a value that PostgreSQL takes; it refuses texts with a NUL."""
    return value.replace("\0", "") if isinstance(value, str) else value


@task
def fill_table(summary: dict[str, Any], postgres_conn_id: str) -> int:
    """Write a row for each invoice that was read; return how many there are. Fail at the end where one cannot be read."""
    # Imported here, because the DAG is parsed more often than it runs.
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from airflow_provider_asposeocr import read_manifest
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.results.reading import INVOICE
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    rows, unread = [], []
    for document in read_manifest(summary["manifest"]):
        if document.outcome == "succeeded":
            try:
                invoice = from_manifest(document, INVOICE)
            except AsposeOcrError as error:
                unread.append(f"{document.source}: {error}")
            else:
                rows.append((document.source, *(column(getattr(invoice, name)) for name in FIELDS)))
    hook = PostgresHook(postgres_conn_id)
    hook.run(CREATE, autocommit=True)
    hook.insert_rows("invoices", rows, ["source", *FIELDS], replace=True, replace_index="source")
    if unread:
        raise ValueError(f"{len(rows)} invoices are in the table. These cannot be read: {'; '.join(unread)}")
    return len(rows)


# [end table]

with DAG(
    "aspose_ocr_invoices",
    description="A folder of invoices as a typed table in PostgreSQL",
    doc_md=__doc__,
    params={
        "inbox": Param(
            INBOX,
            type="string",
            description="Folder with the invoices: absolute path or URI, with a slash at its end",
        ),
        "outbox": Param(
            OUTBOX,
            type="string",
            description="Folder for the results: absolute path or URI, with a slash at its end; not inside the inbox",
        ),
        "postgres_conn_id": Param(
            "postgres_default", type="string", description="Airflow connection of the database"
        ),
    },
    tags=["aspose-ocr"],
):
    # [start invoices]
    read: Any = AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}*.png",
        steps=["RecognizeAndParseInvoice"],
        destination="{{ params.outbox }}invoices/",
        deferrable=True,
    )
    fill_table(read.output, "{{ params.postgres_conn_id }}")
    # [end invoices]
