"""Invoices: the documented fields, found in text by labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Word
from airflow_provider_asposeocr.emulator.work.imaging.invoices import invoice_of
from airflow_provider_asposeocr.emulator.work.imaging.tables import Cell
from tests.support.drawn_pages import blank, encoded, write

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.jobs import Worker
    from tests.support.emulator_workers import MakeWorker, Run

#: The keys of the vendor's docs.
KEYS = {
    *("issue_date", "due_date", "supplier_name", "supplier_address", "supplier_email", "supplier_phone"),
    *("supplier_tax_id", "receiver_name", "receiver_address", "receiver_tax_id", "currency", "total_amount"),
    *("vat", "net_amount", "bank_name", "bic", "account"),
}
#: Cells as (text, x); a row below the other.
PAGE = [
    [("Kettle and Lamp Ltd", 60), ("INVOICE", 800)],
    [("12 Garden Street", 60), ("Invoice date: 2026-03-05", 800)],
    [("Alderbrook", 60), ("Due date: 2026-04-04", 800)],
    [("VAT ID: GB123456789", 60)],
    [("Email: office@kettle.example", 60)],
    [("Bill to", 60)],
    [("Museum of Copper", 60)],
    [("3 Pond Lane", 60)],
    [("Description", 60), ("Amount", 800)],
    [("Copper kettle", 60), ("1,000.00", 800)],
    [("Subtotal", 60), ("1,000.00", 800)],
    [("VAT 20%", 60), ("200.00", 800)],
    [("Total", 60), ("EUR 1,200.00", 800)],
    [("Bank: River Bank", 60)],
    [("IBAN: GB29 NWBK 6016 1331 9268 19", 60)],
    [("BIC: NWBKGB2L", 60)],
]
TRUTH = {
    "issue_date": "2026-03-05",
    "due_date": "2026-04-04",
    "supplier_name": "kettle and lamp ltd",
    "supplier_address": "12 garden street, alderbrook",
    "supplier_email": "office@kettle.example",
    "supplier_phone": "",
    "supplier_tax_id": "gb123456789",
    "receiver_name": "museum of copper",
    "receiver_address": "3 pond lane",
    "receiver_tax_id": "",
    "currency": "eur",
    "total_amount": 1200.0,
    "vat": 200.0,
    "net_amount": 1000.0,
    "bank_name": "river bank",
    "bic": "nwbkgb2l",
    "account": "gb29 nwbk 6016 1331 9268 19",
}


def cells(rows: list[list[tuple[str, int]]]) -> list[list[Cell]]:
    return [
        [Cell((Word(text, Box(x, 40 * y, x + 12 * len(text), 40 * y + 24)),)) for text, x in row]
        for y, row in enumerate(rows)
    ]


def of_lines(*lines: str) -> dict[str, Any]:
    return invoice_of(cells([[(line, 0)] for line in lines]))


def test_all_fields_of_a_page() -> None:
    assert invoice_of(cells(PAGE)) == TRUTH


def test_nothing_is_all_keys_with_their_absent_values() -> None:
    found = invoice_of([])
    assert found.keys() == KEYS
    assert (found["vat"], found["total_amount"], found["due_date"], found["currency"]) == (-1, 0.0, "", "")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-05", "2026-03-05"),
        ("05.03.2026", "2026-03-05"),
        ("5/3/2026", "2026-03-05"),
        ("03/25/2026", "2026-03-25"),
        ("5 March 2026", "2026-03-05"),
        ("Mar 5, 2026", "2026-03-05"),
        ("March 5, 2026", "2026-03-05"),
        ("31.02.2026", ""),
        ("soon", ""),
    ],
)
def test_dates_in_many_forms_are_iso_dates(written: str, read: str) -> None:
    assert of_lines(f"Invoice date: {written}")["issue_date"] == read
    assert of_lines(f"Payment due: {written}")["due_date"] == read


@pytest.mark.parametrize(
    ("lines", "amounts"),
    [
        (["Total 1.234,50 EUR"], (1234.5, -1, 0.0)),
        (["Total: $99.00"], (99.0, -1, 0.0)),
        (["Subtotal 10.00", "Tax (8%) 0.80", "Total 10.80"], (10.8, 0.8, 10.0)),
        (["Total 5.00", "Amount due 4.00"], (4.0, -1, 0.0)),
        (["Net amount 7.00", "VAT 19% 1.33", "Grand total 8.33"], (8.33, 1.33, 7.0)),
        (["VAT No: GB123456789", "Total 8.00"], (8.0, -1, 0.0)),
        (["Total 12 pieces"], (0.0, -1, 0.0)),
    ],
    ids=str,
)
def test_amounts_are_found_by_their_labels(lines: list[str], amounts: tuple[float, float, float]) -> None:
    found = of_lines(*lines)
    assert (found["total_amount"], found["vat"], found["net_amount"]) == amounts


@pytest.mark.parametrize(
    ("line", "currency"), [("Total £5.00", "gbp"), ("Total 5.00 USD", "usd"), ("€ 5,00", "eur"), ("5.00", "")]
)
def test_the_currency_is_a_sign_or_a_code(line: str, currency: str) -> None:
    assert of_lines(line)["currency"] == currency


def test_long_hostile_lines_are_read_in_no_time() -> None:
    """No pattern goes back and forth over a line: a quadratic one would need minutes here."""
    of_lines(
        "1" * 200_000,
        "total " + "1,1" * 60_000,
        "tel " + "(1) " * 50_000,
        "a@" + "b-." * 60_000,
        "iban " + "1 " * 90_000,
    )


def drawn_invoice() -> bytes:
    page = blank(1240, 1100)
    for y, row in enumerate(PAGE):
        for text, x in row:
            write(page, (text,), x=x, y=60 + 60 * y, size=28)
    return encoded(page)


def test_a_drawn_invoice_is_read(worker: Worker, run: Run) -> None:
    (result,) = run(worker, "RecognizeAndParseInvoice", drawn_invoice()).results
    assert result.type == "Text"
    found = json.loads(result.path.read_bytes())
    # Spaces and letters may be read wrong; what a table of totals needs is not.
    exact = ("issue_date", "due_date", "currency", "total_amount", "vat", "net_amount", "receiver_name")
    assert {name: found[name] for name in exact} == {name: TRUTH[name] for name in exact}
    assert found["supplier_name"] == TRUTH["supplier_name"]


def test_an_empty_page_and_another_result_type(run: Run, blind: MakeWorker) -> None:
    outcome = run(blind(), "RecognizeAndParseInvoice", encoded(blank()), resultType="Pdf")
    assert json.loads(outcome.results[0].path.read_bytes()).keys() == KEYS
    assert any("resultType Pdf has no effect" in warning for warning in outcome.warnings)
