"""Example DAGs that write into PostgreSQL, with a real server and the emulator."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributed.own_services import own_database
from tests.support.airflow_tasks import PNG
from tests.support.postgres_rows import rows

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Make a database that the connection ``postgres_default`` leads to; return its URL."""
    with own_database() as url:
        monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", url)
        yield url


def folder_of_three(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(3):
        (inbox / f"invoice-{number}.png").write_bytes(PNG + bytes([number]))
    return inbox


def test_a_folder_of_invoices_is_a_typed_table(
    database: str, aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path
) -> None:
    inbox = folder_of_three(tmp_path)
    conf = {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"}
    for _ in range(2):  # The second run replaces the rows of the first one.
        run = aspose_ocr_run_dag(EXAMPLES / "invoices.py", conf=conf)
        assert run.state == "success"
        assert run.xcom("fill_table") == 3
    found = rows(
        database, "SELECT source, issue_date, currency, total_amount, vat FROM invoices ORDER BY source"
    )
    assert [Path(row[0]).name for row in found] == [f"invoice-{number}.png" for number in range(3)]
    # The vendor writes -1 for an amount that is not on the page.
    assert {row[1:] for row in found} == {(date(2024, 11, 12), "EUR", Decimal("42.0"), None)}
    assert aspose_ocr_emulator.control.billing() == {"RecognizeAndParseInvoice": 6}


def test_an_invoice_that_cannot_be_read_keeps_no_other_one_out_of_the_table(
    database: str, aspose_ocr_run_dag: Any, aspose_ocr_emulator: Any, tmp_path: Path
) -> None:
    inbox = folder_of_three(tmp_path)
    aspose_ocr_emulator.control.add_faults({"kind": "result_type", "result_type": "Other", "count": 1})
    conf = {"inbox": f"file://{inbox}/", "outbox": f"file://{tmp_path}/out/"}
    run = aspose_ocr_run_dag(EXAMPLES / "invoices.py", conf=conf)
    assert run.task_states == {"read": "success", "fill_table": "failed"}
    assert len(rows(database, "SELECT source FROM invoices")) == 2


def test_a_table_on_a_scan_is_rows(database: str, aspose_ocr_run_dag: Any, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(PNG)
    conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out/"}
    for _ in range(2):
        assert aspose_ocr_run_dag(EXAMPLES / "table_rows.py", conf=conf).state == "success"
    found = rows(database, "SELECT row_number, cells FROM table_rows ORDER BY row_number")
    assert [number for number, _ in found] == [0, 1]
    assert found[1][1] == ["total", "42.00"]
