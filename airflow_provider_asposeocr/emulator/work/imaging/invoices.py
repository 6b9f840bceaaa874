"""
Find the fields of an invoice in its text, by simple rules about English labels.

The keys, and the form of their values, are those of the vendor's docs: dates as ``YYYY-MM-DD``, amounts as numbers, texts in
lower case; an absent text is ``""``, an absent ``vat`` is -1. Pure.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_asposeocr.emulator.work.imaging.tables import Cell

    Rows = Sequence[Sequence[Cell]]

_AMOUNT = re.compile(r"(?<![\d.,])\d{1,3}(?:[,. ]\d{3})*[.,]\d{2}(?![\d%])|(?<![\d.,])\d+[.,]\d{2}(?![\d%])")
_CURRENCIES = {"€": "eur", "$": "usd", "£": "gbp", "¥": "jpy"}
_CURRENCY_CODE = re.compile(r"\b(EUR|USD|GBP|CHF|JPY|PLN|CZK|SEK|NOK|DKK|CAD|AUD)\b")
_DATES = (
    (re.compile(r"\b\d{4}-\d{2}-\d{2}\b"), ("%Y-%m-%d",)),
    (re.compile(r"\b\d{1,2}\.\d{1,2}\.\d{4}\b"), ("%d.%m.%Y",)),
    (re.compile(r"\b\d{1,2}/\d{1,2}/\d{4}\b"), ("%d/%m/%Y", "%m/%d/%Y")),
    (re.compile(r"\b\d{1,2} [A-Za-z]{3,9} \d{4}\b"), ("%d %B %Y", "%d %b %Y")),
    (re.compile(r"\b[A-Za-z]{3,9} \d{1,2}, ?\d{4}\b"), ("%B %d,%Y", "%b %d,%Y")),
)
_DUE = re.compile(r"\b(due date|date due|payment due|due by|due on|pay by|due)\b", re.IGNORECASE)
_ISSUED = re.compile(r"\b(invoice date|issue date|date of issue|issued|date)\b", re.IGNORECASE)
_FINAL = re.compile(
    r"\b(grand total|total due|amount due|balance due|invoice total|total amount)\b", re.IGNORECASE
)
_TOTAL = re.compile(r"(?<!sub)(?<!sub-)(?<!sub )\btotal\b(?! net)", re.IGNORECASE)
_NET = re.compile(r"\b(sub ?-?total|net amount|net total|total net|net)\b", re.IGNORECASE)
_VAT = re.compile(r"\b(vat|tax|gst|sales tax)\b(?! ?(id|no|number|reg))", re.IGNORECASE)
_TAX_ID = re.compile(
    r"\b(?:vat|tax|gst) ?(?:id|no|number|reg(?:istration)?)\b[ .:#]*(?:no\b[ .:]*)?([A-Z]{0,3}[0-9][A-Z0-9]{4,14})",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\b(?:phone|tel|telephone|call)\b[ .:]*(\+?[\d(][\d ()/-]{5,18}\d)", re.IGNORECASE)
_BANK = re.compile(r"\bbank(?: name)?[ ]?:[ ]*(.+)", re.IGNORECASE)
_BIC = re.compile(r"\b(?:bic|swift)(?: code)?[ .:/]*([A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?)\b", re.IGNORECASE)
_ACCOUNT = re.compile(
    r"\b(?:iban|account(?: no| number)?)\b[ .:]*((?:[A-Z]{2})?[0-9][0-9A-Z ]{6,32}[0-9A-Z])", re.IGNORECASE
)
_RECEIVER = re.compile(r"^(bill(ed)? to|invoice to|customer|ship to|sold to)\b[ :]*(.*)", re.IGNORECASE)
_TITLE = re.compile(r"^(tax )?invoice\b|^page\b", re.IGNORECASE)
#: A cell with one of these is no part of an address.
_LABEL = re.compile(
    r"\b(invoice|date|due|phone|tel|e-?mail|vat|tax|total|iban|bic|bank|description|quantity|qty|price|amount)\b|@",
    re.IGNORECASE,
)
_ADDRESS_LINES = 3
#: What stands further right in a line is not looked at, because some patterns need a time that grows with its square.
_LINE_CHARACTERS = 1000


def invoice_of(rows: Rows) -> dict[str, str | float]:
    """
    Return the documented fields of an invoice.

    :param rows: The rows of the page from top to bottom, each as its cells from left to right.
    """
    lines = ["  ".join(cell.text for cell in row)[:_LINE_CHARACTERS] for row in rows]
    texts = _parties(rows) | _contacts(lines)
    due = _labelled_date(lines, _DUE)
    issued = _labelled_date([line for line in lines if not _DUE.search(line)], _ISSUED)
    return {
        "issue_date": issued,
        "due_date": due,
        **{name: text.lower() for name, text in texts.items()},
        "currency": _currency(lines),
        **_amounts(lines),
    }


def _labelled_date(lines: Iterable[str], label: re.Pattern[str]) -> str:
    for line in lines:
        found = label.search(line)
        day = _date_in(line[found.end() :]) if found else None
        if day:
            return day.isoformat()
    return ""


def _date_in(text: str) -> date | None:
    for pattern, forms in _DATES:
        for found in pattern.findall(text):
            written = re.sub(r", ?", ",", found)
            for form in forms:
                try:
                    return datetime.strptime(written, form).date()
                except ValueError:
                    continue
    return None


def _amounts(lines: Sequence[str]) -> dict[str, str | float]:
    net = _labelled_amount(lines, _NET)
    vat = _labelled_amount([line for line in lines if not _NET.search(line)], _VAT)
    rest = [line for line in lines if not _NET.search(line)]
    total = _labelled_amount(rest, _FINAL)
    if total is None:
        total = _labelled_amount(rest, _TOTAL)
    found = {"total_amount": total, "vat": -1.0 if vat is None else vat, "net_amount": net}
    return {name: 0.0 if value is None else value for name, value in found.items()}


def _labelled_amount(lines: Sequence[str], label: re.Pattern[str]) -> float | None:
    """Return the last amount of the last line with the label: totals stand at the end, and so does their amount."""
    for line in reversed(lines):
        found = label.search(line)
        amounts = _AMOUNT.findall(line[found.end() :]) if found else []
        if amounts:
            return _number(amounts[-1])
    return None


def _number(text: str) -> float:
    """Return the number in a text such as ``1,234.50`` or ``1.234,50``: the last mark is the decimal one."""
    whole, cents = re.split(r"[.,](?=\d{2}$)", text)
    return float(f"{re.sub(r'[^0-9]', '', whole)}.{cents}")


def _currency(lines: Iterable[str]) -> str:
    for line in lines:
        if code := _CURRENCY_CODE.search(line):
            return code[0].lower()
        for sign, name in _CURRENCIES.items():
            if sign in line:
                return name
    return ""


def _contacts(lines: Sequence[str]) -> dict[str, str]:
    text = "\n".join(lines)
    tax_ids = [found.upper() for found in _TAX_ID.findall(text)]

    def first(pattern: re.Pattern[str], group: int = 1) -> str:
        found = pattern.search(text)
        return found[group].strip() if found else ""

    return {
        "supplier_email": first(_EMAIL, 0),
        "supplier_phone": first(_PHONE),
        "supplier_tax_id": tax_ids[0] if tax_ids else "",
        "receiver_tax_id": tax_ids[1] if len(tax_ids) > 1 else "",
        "bank_name": first(_BANK),
        "bic": first(_BIC),
        "account": first(_ACCOUNT),
    }


def _parties(rows: Rows) -> dict[str, str]:
    supplier = receiver = ("", "")
    for number, row in enumerate(rows):
        for cell in row:
            found = _RECEIVER.match(cell.text)
            if found and not receiver[0]:
                below = _below(rows[number + 1 :], cell)
                receiver = _name_and_address([found[3], *below] if found[3] else below)
    for number, row in enumerate(rows):
        names = [cell for cell in row if not _TITLE.search(cell.text) and not _LABEL.search(cell.text)]
        if names:
            supplier = _name_and_address([names[0].text, *_below(rows[number + 1 :], names[0])])
            break
    return {
        "supplier_name": supplier[0],
        "supplier_address": supplier[1],
        "receiver_name": receiver[0],
        "receiver_address": receiver[1],
    }


def _below(rows: Rows, cell: Cell) -> list[str]:
    """Return the texts directly below a cell, up to a label or a gap."""
    found: list[str] = []
    above = cell
    for row in rows:
        under = [each for each in row if each.box.x0 < above.box.x1 and each.box.x1 > above.box.x0]
        if not under:
            continue
        far = under[0].box.y0 - above.box.y1 > 2 * above.box.height
        if far or _LABEL.search(under[0].text) or _RECEIVER.match(under[0].text):
            break
        found.append(under[0].text)
        above = under[0]
    return found


def _name_and_address(lines: Sequence[str]) -> tuple[str, str]:
    return (lines[0], ", ".join(lines[1 : 1 + _ADDRESS_LINES])) if lines else ("", "")
