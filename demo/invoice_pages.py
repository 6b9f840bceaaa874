"""The invoices of `make demo-invoices`, which it draws itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 1240, 1100
LEFT, RIGHT = 80, 800
LINE_HEIGHT, FONT_SIZE = 56, 28
INK, PAPER = 20, 255


@dataclass(frozen=True)
class DrawnInvoice:
    """What is on a page."""

    file: str
    supplier: str
    receiver: str
    issued: date
    due: date
    currency: str
    net: Decimal
    vat: Decimal

    @property
    def total(self) -> Decimal:
        """Return the amount to be paid."""
        return self.net + self.vat


def _invoice(number: int, supplier: str, receiver: str, currency: str, net: str, vat: str) -> DrawnInvoice:
    issued, due = date(2026, 3, number), date(2026, 4, number)
    return DrawnInvoice(
        f"invoice-{number}.png", supplier, receiver, issued, due, currency, Decimal(net), Decimal(vat)
    )


INVOICES = (
    _invoice(2, "Kettle and Lamp Ltd", "Museum of Copper", "EUR", "1000.00", "200.00"),
    _invoice(3, "River Paper Works", "Alderbrook Library", "GBP", "412.50", "82.50"),
    _invoice(4, "Garden Tools Berlin", "Town Hall Kitchen", "EUR", "89.90", "17.08"),
    _invoice(5, "Northern Glass", "Pond Lane School", "USD", "2450.00", "0.00"),
    _invoice(6, "Old Bridge Printers", "Evening Paper", "EUR", "63.00", "4.41"),
)


def draw_invoices(folder: Path) -> None:
    """Draw the invoices as PNG files.

    :param folder: is made.
    """
    folder.mkdir(parents=True)
    for invoice in INVOICES:
        drawn_invoice(invoice).save(folder / invoice.file)


def _rows(invoice: DrawnInvoice) -> list[list[tuple[int, str]]]:
    return [
        [(LEFT, invoice.supplier), (RIGHT, "INVOICE")],
        [(LEFT, "12 Garden Street"), (RIGHT, f"Invoice date: {invoice.issued}")],
        [(LEFT, "Alderbrook"), (RIGHT, f"Due date: {invoice.due}")],
        [],
        [(LEFT, "Bill to")],
        [(LEFT, invoice.receiver)],
        [(LEFT, "3 Pond Lane")],
        [],
        [(LEFT, "Description"), (RIGHT, "Amount")],
        [(LEFT, "Goods as ordered"), (RIGHT, f"{invoice.net:,.2f}")],
        [(LEFT, "Subtotal"), (RIGHT, f"{invoice.net:,.2f}")],
        [(LEFT, "VAT"), (RIGHT, f"{invoice.vat:,.2f}")],
        [(LEFT, "Total"), (RIGHT, f"{invoice.currency} {invoice.total:,.2f}")],
    ]


def drawn_invoice(invoice: DrawnInvoice) -> Any:
    """Draw an invoice; return the picture."""
    from PIL import Image, ImageDraw, ImageFont  # Comes with the extra "emulator".

    page = Image.new("L", (WIDTH, HEIGHT), PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=FONT_SIZE)
    for number, row in enumerate(_rows(invoice), 1):
        for x, text in row:
            draw.text((x, number * LINE_HEIGHT), text, fill=INK, font=font)
    return page
