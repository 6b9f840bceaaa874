"""`make demo-invoices` from an empty server to the table: a real Airflow, PostgreSQL and OCR engine."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg2
import pytest

from demo import invoices
from demo.invoice_pages import INVOICES
from tests.distributed.own_services import POSTGRES
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the demo make a database of another name than a user's; it is gone after the test."""
    name = f"aspose_ocr_demo_{uuid4().hex[:12]}"
    monkeypatch.setattr(invoices, "DATABASE", name)
    monkeypatch.setenv(invoices.SERVER, POSTGRES.rpartition("/")[0])
    yield name
    connection = psycopg2.connect(POSTGRES)
    connection.autocommit = True  # Databases are not made or dropped in transactions.
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    connection.close()


@pytest.mark.airflow
def test_every_value_in_the_table_is_the_one_on_the_page(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(invoices, "FOLDER", tmp_path)
    monkeypatch.setattr(invoices, "RUN_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(invoices, "end_on_signals", lambda: None)  # The signals are the test runner's.
    code = invoices.main()
    said = capsys.readouterr()
    assert (code, said.err) == (0, "")
    shown = said.out.partition(f"The table invoices of the database {database}:")[2].split("\n\n")
    header, *rows = shown[1].splitlines()
    assert header.split() == list(invoices.COLUMNS)
    assert [row.split()[0] for row in rows] == [invoice.file for invoice in INVOICES]
    assert shown[2].strip() == "Every value is the one on the page."


def test_without_a_database_it_says_so_before_anything_is_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(invoices, "end_on_signals", lambda: None)
    monkeypatch.setenv(invoices.SERVER, "postgresql://me:hunter2@127.0.0.1:9")
    assert invoices.main() == 1
    said = capsys.readouterr().err
    assert "No PostgreSQL answers at 127.0.0.1:9" in said
    assert f"or set {invoices.SERVER}=postgresql://user:password@host:port" in said
    assert "hunter2" not in said
