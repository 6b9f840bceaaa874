"""
A DAG file: the example in which a person corrects invoices, with a file in the place of PostgreSQL's table.

:mod:`.reviewed_invoices` copies it into a folder of DAGs. Without the word Airflow, Airflow would not look into it.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any


def write_rows(rows: list[dict[str, Any]], postgres_conn_id: str) -> None:
    """Append rows to the file."""
    with Path(os.environ["ASPOSE_OCR_TEST_TABLE"]).open("a", encoding="utf-8") as table:
        table.writelines(f"{json.dumps(row)}\n" for row in rows)


# Its `with DAG` registers the DAG as one of this file.
_spec = importlib.util.spec_from_file_location("invoices_review", os.environ["ASPOSE_OCR_TEST_EXAMPLE"])
assert _spec is not None
assert _spec.loader is not None
_example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_example)
vars(_example)["write_rows"] = write_rows
