"""
Read a folder of invoices, and ask a person about those whose amounts or dates do not fit.

What fits is in the table at once. Of the others, each waits for its own answer (Required Actions in Airflow's UI, or
the REST API), and is in the table when it has been corrected. Needs apache-airflow-providers-postgres.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG, Param, task, task_group

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

# [start book]
CREATE = """
CREATE TABLE IF NOT EXISTS reviewed_invoices (
    source text PRIMARY KEY,
    supplier_name text,
    issue_date date,
    currency text,
    net_amount numeric,
    vat numeric,
    total_amount numeric
)
"""
FIELDS = ("supplier_name", "issue_date", "currency", "net_amount", "vat", "total_amount")


def what_is_wrong(invoice: Any) -> str:
    """Say why a person has to look at an invoice; an empty text if nobody has to."""
    missing = [name for name in ("issue_date", "currency", "total_amount") if getattr(invoice, name) is None]
    if missing:
        return f"Not found on the page: {', '.join(missing)}."
    # An invoice may have no VAT, and then perhaps no net amount.
    if invoice.net_amount is not None and invoice.net_amount + (invoice.vat or 0) != invoice.total_amount:
        return f"{invoice.net_amount} and a VAT of {invoice.vat or 0} are not {invoice.total_amount}."
    return ""


def write_rows(rows: list[dict[str, Any]], postgres_conn_id: str) -> None:
    """Write rows into the table; a row of the same invoice is replaced."""
    # Imported here, because the DAG is parsed more often than it runs.
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    hook = PostgresHook(postgres_conn_id)
    hook.run(CREATE, autocommit=True)
    columns = ["source", *FIELDS]
    values = [[row[name] for name in columns] for row in rows]
    hook.insert_rows("reviewed_invoices", values, columns, replace=True, replace_index="source")


@task
def book(summary: dict[str, Any], postgres_conn_id: str) -> list[dict[str, Any]]:
    """Write the invoices that fit into the table; return the others, each with the reason."""
    from airflow_provider_asposeocr import read_manifest
    from airflow_provider_asposeocr.api.results.extract import plain
    from airflow_provider_asposeocr.api.results.reading import INVOICE
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    right, wrong = [], []
    for document in read_manifest(summary["manifest"]):
        if document.outcome != "succeeded":
            continue
        invoice = from_manifest(document, INVOICE)
        # Amounts become texts, and dates ISO 8601, so that they can be XComs.
        row = {"source": document.source, **{name: plain(getattr(invoice, name)) for name in FIELDS}}
        why = what_is_wrong(invoice)
        if why:
            read = "\n".join(f"- {name}: {value}" for name, value in row.items())
            wrong.append({"row": row, "why": f"{why}\n\n{read}"})
        else:
            right.append(row)
    write_rows(right, postgres_conn_id)
    return wrong


# [end book]


# [start review]
@task
def book_corrected(row: dict[str, Any], answer: dict[str, Any], postgres_conn_id: str) -> bool:
    """Write the invoice as the person has corrected it; tell whether it was written."""
    if answer["chosen_options"] == ["Refuse"]:
        return False
    entered = {name: value for name, value in answer["params_input"].items() if value is not None}
    write_rows([{**row, **entered}], postgres_conn_id)
    return True


@task_group
def review(row: dict[str, Any], why: str, postgres_conn_id: str) -> None:
    """Ask a person about one invoice, and write it when the answer is there."""
    ask: Any = HITLOperator(
        task_id="ask",
        subject="An invoice does not fit",
        body=why,  # Rendered: of each invoice its own.
        options=["Correct", "Refuse"],
        params={
            "issue_date": Param(None, type=["null", "string"], format="date", description="Empty: as read"),
            "currency": Param(None, type=["null", "string"], description="Empty: as read"),
            "net_amount": Param(None, type=["null", "number"], description="Empty: as read"),
            "vat": Param(None, type=["null", "number"], description="Empty: as read"),
            "total_amount": Param(None, type=["null", "number"], description="Empty: as read"),
        },
    )
    book_corrected(row, ask.output, postgres_conn_id)


# [end review]

with DAG(
    "aspose_ocr_invoices_review",
    description="Invoices that do not fit go to a person",
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
    # [start steps]
    read: Any = AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}*.png",
        steps=["RecognizeAndParseInvoice"],
        destination="{{ params.outbox }}invoices/",
        deferrable=True,
    )
    database = "{{ params.postgres_conn_id }}"
    review.partial(postgres_conn_id=database).expand_kwargs(book(read.output, database))
    # [end steps]
