"""
Read a folder of invoices, and ask a person about those whose amounts or dates do not fit, or that cannot be read.

What fits is in the table at once. Of the others, each waits for its own answer (Required Actions in Airflow's UI, or
the REST API), and is in the table when it has been corrected. Needs apache-airflow-providers-postgres.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal
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
NEEDED = ("issue_date", "currency", "total_amount")


def missing(row: dict[str, Any]) -> str:
    """Name the fields that an invoice needs and has not; an empty text if it has all."""
    return ", ".join(name for name in NEEDED if row[name] is None)


def what_is_wrong(row: dict[str, Any]) -> str:
    """Say why a person has to look at an invoice; an empty text if nobody has to."""
    if absent := missing(row):
        return f"Not found on the page: {absent}."
    net, vat, total = (Decimal(row[name] or 0) for name in ("net_amount", "vat", "total_amount"))
    # An invoice may have no VAT, and then perhaps no net amount.
    if row["net_amount"] is not None and net + vat != total:
        return f"{net} and a VAT of {vat} are not {total}."
    return ""


def read_row(document: Any) -> tuple[dict[str, Any], str]:
    """Return the row of a document, as far as it could be read, and why a person has to look at it."""
    # Imported here, because the DAG is parsed more often than it runs.
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.results.extract import limited, plain
    from airflow_provider_asposeocr.api.results.reading import INVOICE
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    row = {"source": document.source, **dict.fromkeys(FIELDS)}
    if document.error is not None:
        return row, document.error.message
    try:
        invoice = from_manifest(document, INVOICE)
    except AsposeOcrError as error:
        return row, str(error)
    # Amounts become texts, and dates ISO 8601, so that they can be XComs.
    row |= {name: limited(plain(getattr(invoice, name)), 1000) for name in FIELDS}
    return row, what_is_wrong(row)


def write_rows(rows: list[dict[str, Any]], postgres_conn_id: str) -> None:
    """Write rows into the table; a row of the same invoice is replaced."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    hook = PostgresHook(postgres_conn_id)
    hook.run(CREATE, autocommit=True)
    columns = ["source", *FIELDS]
    values = [[row[name] for name in columns] for row in rows]
    hook.insert_rows("reviewed_invoices", values, columns, replace=True, replace_index="source")


def told_about(row: dict[str, Any], why: str) -> str:
    """Write in Markdown what a person is told about an invoice, a line for each field."""
    # The page's text could be Markdown. In code it is shown as it is; with a backtick it would end.
    told = {
        name: json.dumps(value, ensure_ascii=False).replace("`", r"\u0060")
        for name, value in {"problem": why, **row}.items()
    }
    return "\n".join(f"- {name}: `{value}`" for name, value in told.items())


@task
def book(summary: dict[str, Any], postgres_conn_id: str) -> list[dict[str, Any]]:
    """Write the invoices that fit into the table; return the others, each with what a person is told about it."""
    from airflow_provider_asposeocr import read_manifest

    right, wrong = [], []
    for document in read_manifest(summary["manifest"]):
        row, why = read_row(document)
        if why:
            wrong.append({"row": row, "told": told_about(row, why)})
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
    # The answer of Airflow 3.1 has the parameters of the DAG, too.
    entered = {name: answer["params_input"].get(name) for name in FIELDS}
    corrected = {**row, **{name: value for name, value in entered.items() if value not in (None, "")}}
    if absent := missing(corrected):
        raise ValueError(
            f"{row['source']} has still no {absent}. Clear the task review.ask to be asked again."
        )
    write_rows([corrected], postgres_conn_id)
    return True


def entry(form: str = "", **schema: Any) -> Param:
    """Describe a field of the form that the person fills in."""
    # The form of Airflow 3.1 cannot show a field that is null at first. An amount is text, so that no digit is lost.
    return Param("", type=["null", "string"], description=f"{form}Empty: as read.", **schema)


AMOUNT = r"^(-?[0-9]+([.][0-9]+)?)?$"
ENTRIES = {
    "supplier_name": entry(),
    "issue_date": entry("YYYY-MM-DD. ", pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"),
    "currency": entry(),
    "net_amount": entry("1234.56. ", pattern=AMOUNT),
    "vat": entry("1234.56. ", pattern=AMOUNT),
    "total_amount": entry("1234.56. ", pattern=AMOUNT),
}


@task_group
def review(row: dict[str, Any], told: str, postgres_conn_id: str) -> None:
    """Ask a person about one invoice, and write it when the answer is there."""
    ask: Any = HITLOperator(
        task_id="ask",
        subject="An invoice does not fit",
        body=told,  # Rendered: of each invoice its own.
        options=["Correct", "Refuse"],
        params=ENTRIES,
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
        # A person gets the invoices that cannot be read. Where more than half fail, something else is wrong.
        max_failures=0.5,
        deferrable=True,
    )
    database = "{{ params.postgres_conn_id }}"
    review.partial(postgres_conn_id=database).expand_kwargs(book(read.output, database))
    # [end steps]
