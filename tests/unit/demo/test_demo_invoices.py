from __future__ import annotations

from typing import TYPE_CHECKING

from demo.invoice_pages import INVOICES, draw_invoices
from demo.invoices import COLUMNS, differences, no_server, table, truth_of

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pages_are_drawn(tmp_path: Path) -> None:
    draw_invoices(tmp_path / "inbox")
    assert sorted(path.name for path in (tmp_path / "inbox").iterdir()) == [
        invoice.file for invoice in INVOICES
    ]


def test_rows_as_drawn_have_no_differences() -> None:
    assert differences([truth_of(invoice) for invoice in INVOICES]) == []


def test_a_wrong_amount_and_a_missing_row_are_named() -> None:
    rows = [truth_of(invoice) for invoice in INVOICES[1:]]
    rows[0] = (*rows[0][:-1], None)
    assert differences(rows) == [
        f"{INVOICES[0].file} has no row",
        f"{INVOICES[1].file}: total is {INVOICES[1].total} on the page and None in the table",
    ]


def test_columns_are_aligned() -> None:
    assert table([("a", "bb"), ("ccc", None)]) == ["a    bb", "ccc"]
    assert len(COLUMNS) == len(truth_of(INVOICES[0]))


def test_the_password_is_not_shown() -> None:
    assert "hunter2" not in no_server("postgresql://me:hunter2@db.example/", "refused")
    assert "db.example:5432 (refused)" in no_server("postgresql://me:hunter2@db.example/", "refused")
