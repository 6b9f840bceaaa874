"""Example DAGs that write into PostgreSQL, with a real server and the emulator."""

from __future__ import annotations

import runpy
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator

from tests.distributed.own_services import own_database
from tests.support.airflow_tasks import PNG
from tests.support.postgres_rows import rows
from tests.support.reviewed_invoices import told

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


class TestReview:
    """Before and after a person answers; that a person does, is in test_invoice_review.py."""

    @pytest.fixture
    def review(self) -> dict[str, Any]:
        return runpy.run_path(str(EXAMPLES / "invoices_review.py"))

    def test_nobody_is_asked_where_all_invoices_fit(
        self, database: str, aspose_ocr_run_dag: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        # Airflow would wait for an answer without an end.
        monkeypatch.setattr(HITLOperator, "execute", lambda *_: pytest.fail("a person is asked"))
        conf = {"inbox": f"file://{folder_of_three(tmp_path)}/", "outbox": f"file://{tmp_path}/out/"}
        run = aspose_ocr_run_dag(EXAMPLES / "invoices_review.py", conf=conf)
        assert (run.state, run.xcom("book")) == ("success", [])
        assert len(rows(database, "SELECT source FROM reviewed_invoices")) == 3

    def test_an_invoice_that_cannot_be_read_stops_no_other_one(
        self, database: str, aspose_ocr_run_dag: Any, review: dict[str, Any], tmp_path: Path
    ) -> None:
        conf = {"inbox": f"file://{folder_of_three(tmp_path)}/", "outbox": f"file://{tmp_path}/out/"}
        run = aspose_ocr_run_dag(EXAMPLES / "invoices.py", conf=conf)
        (stored,) = (tmp_path / "out" / "invoices").glob("invoice-1.png*")
        stored.write_text(stored.read_text() + " ")
        (asked,) = review["book"].function(run.xcom("read"), "postgres_default")
        assert asked["row"] == {
            **dict.fromkeys(review["FIELDS"]),
            "source": f"file://{tmp_path}/inbox/invoice-1.png",
        }
        assert "is not what the manifest says" in told(asked["told"])["problem"]
        assert len(rows(database, "SELECT source FROM reviewed_invoices")) == 2

    def test_an_invoice_without_a_total_is_not_written(self, database: str, review: dict[str, Any]) -> None:
        row = {"source": "page.png", **dict.fromkeys(review["FIELDS"])}
        entered = {**dict.fromkeys(review["FIELDS"]), "currency": "EUR", "issue_date": "2026-03-04"}
        answer = {"chosen_options": ["Correct"], "params_input": entered}
        write = review["book_corrected"].function
        with pytest.raises(
            ValueError, match=r"^page\.png has still no total_amount\. Clear the task review\.ask"
        ):
            write(row, answer, "postgres_default")
        entered["total_amount"] = "0"
        assert write(row, answer, "postgres_default")
        assert rows(database, "SELECT source, total_amount FROM reviewed_invoices") == [
            ("page.png", Decimal(0))
        ]


def test_a_table_on_a_scan_is_rows(database: str, aspose_ocr_run_dag: Any, tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(PNG)
    conf = {"scan": f"{tmp_path}/page.png", "outbox": f"file://{tmp_path}/out/"}
    for _ in range(2):
        assert aspose_ocr_run_dag(EXAMPLES / "table_rows.py", conf=conf).state == "success"
    found = rows(database, "SELECT row_number, cells FROM table_rows ORDER BY row_number")
    assert [number for number, _ in found] == [0, 1]
    assert found[1][1] == ["total", "42.00"]
