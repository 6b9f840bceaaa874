"""
Read the table on a scan into PostgreSQL: a row for each row of the table, its cells as a JSON array of texts.

A run replaces the rows of the same scan. Needs apache-airflow-providers-postgres.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import (
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeTableOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

# [start rows]
CREATE = """
CREATE TABLE IF NOT EXISTS table_rows (source text, row_number integer, cells jsonb, PRIMARY KEY (source, row_number))
"""


@task
def fill_table(manifest: dict[str, Any], postgres_conn_id: str) -> int:
    """Write the rows of the table; return how many there are."""
    # Imported here, because the DAG is parsed more often than it runs.
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    from airflow_provider_asposeocr.api.results.reading import TABLE
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    rows, source = from_manifest(manifest, TABLE).rows, manifest["source"]
    hook = PostgresHook(postgres_conn_id)
    hook.run(CREATE, autocommit=True)
    hook.run("DELETE FROM table_rows WHERE source = %s", parameters=(source,), autocommit=True)
    found = [(source, number, list(cells)) for number, cells in enumerate(rows)]
    hook.insert_rows("table_rows", found, ["source", "row_number", "cells"])
    return len(found)


# [end rows]

with DAG(
    "aspose_ocr_table_rows",
    description="The table on a scan as rows in PostgreSQL",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}page.png",
            type="string",
            description="Absolute path of the scan, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(OUTBOX, type="string", description="Folder for the results: absolute path or URI"),
        "postgres_conn_id": Param(
            "postgres_default", type="string", description="Airflow connection of the database"
        ),
    },
    tags=["aspose-ocr"],
):
    # [start table]
    recognize = AsposeOcrRecognizeTableOperator(
        task_id="recognize",
        source="{{ params.scan }}",
        settings={"language": "English", "resultTypeTable": "Csv"},
        deferrable=True,
    )
    fetch: Any = AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    fill_table(fetch.output, "{{ params.postgres_conn_id }}")
    # [end table]
