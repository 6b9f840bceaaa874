"""
Read the result of RecognizeAndParseInvoice.

The vendor documents the keys and their types: dates as YYYY-MM-DD, amounts as numbers, -1 for an amount and an empty
string for a text that was not found, and that any key may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_asposeocr.api.results.readers.content import parse_json, unreadable

_DATES = ("issue_date", "due_date")
_AMOUNTS = ("total_amount", "vat", "net_amount")
#: An amount as text, if the cloud should send one. Anything longer is no amount.
_AMOUNT = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,10})?")
_MOST_DIGITS = 28


@dataclass(frozen=True)
class Invoice:
    """
    An invoice. Each field is ``None`` where the cloud has not found it.

    :param issue_date: Day of issue.
    :param due_date: Day on which it is due.
    :param supplier_name: Name of the supplier. The cloud's samples write texts in lower case.
    :param supplier_address: Address of the supplier.
    :param supplier_email: Address for e-mail of the supplier.
    :param supplier_phone: Telephone number of the supplier.
    :param supplier_tax_id: Tax number of the supplier.
    :param receiver_name: Name of the receiver.
    :param receiver_address: Address of the receiver.
    :param receiver_tax_id: Tax number of the receiver.
    :param currency: Currency of the amounts, in capitals.
    :param total_amount: Amount to be paid, exactly as the cloud wrote it, with its decimals.
    :param vat: Value added tax.
    :param net_amount: Amount without tax.
    :param bank_name: Name of the bank.
    :param bic: Bank identifier code.
    :param account: Number of the account.
    :param unread: Values of the fields above that are not what the vendor documents, for example a date in another form.
    :param other: Keys that the vendor does not document.
    """

    issue_date: date | None = None
    due_date: date | None = None
    supplier_name: str | None = None
    supplier_address: str | None = None
    supplier_email: str | None = None
    supplier_phone: str | None = None
    supplier_tax_id: str | None = None
    receiver_name: str | None = None
    receiver_address: str | None = None
    receiver_tax_id: str | None = None
    currency: str | None = None
    total_amount: Decimal | None = None
    vat: Decimal | None = None
    net_amount: Decimal | None = None
    bank_name: str | None = None
    bic: str | None = None
    account: str | None = None
    unread: dict[str, Any] = field(default_factory=dict)
    other: dict[str, Any] = field(default_factory=dict)


#: Fields that the vendor documents.
INVOICE_FIELDS = tuple(each.name for each in fields(Invoice) if each.name not in ("unread", "other"))
_KNOWN = frozenset(INVOICE_FIELDS)


def read_invoice(data: bytes) -> Invoice:
    """
    Read the result of RecognizeAndParseInvoice.

    :param data: Its content.
    :return: The invoice.
    :raises ResultUnreadableError: if it is no JSON object.
    :raises ResultTooLargeError: if it is too large.
    """
    found = parse_json(data, "an invoice", parse_float=_decimal)
    if not isinstance(found, Mapping):
        raise unreadable("an invoice", "it is no JSON object")
    known: dict[str, Any] = {}
    unread: dict[str, Any] = {}
    for name in INVOICE_FIELDS:
        value = found.get(name)
        if value is None or (isinstance(value, str) and not value.strip()):
            continue
        read = _field(name, value)
        if read is _UNREAD:
            unread[name] = value
        else:
            known[name] = read
    other = {name: value for name, value in found.items() if name not in _KNOWN}
    return Invoice(**known, unread=unread, other=other)


_UNREAD = object()


def _field(name: str, value: Any) -> Any:
    if name in _AMOUNTS:
        return _amount(value)
    if not isinstance(value, str):
        return _UNREAD
    value = value.strip()
    if name in _DATES:
        return _date(value)
    return value.upper() if name == "currency" else value


def _date(value: str) -> Any:
    try:
        return date.fromisoformat(value) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) else _UNREAD
    except ValueError:
        return _UNREAD


def _amount(value: Any) -> Any:
    """Return an amount; ``None`` for the cloud's sign for "not found"."""
    if isinstance(value, str) and _AMOUNT.fullmatch(value.strip()):
        value = Decimal(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return _UNREAD
    amount = Decimal(value)
    if not amount.is_finite() or amount.adjusted() >= _MOST_DIGITS or _decimals(amount) > _MOST_DIGITS:
        return _UNREAD
    return None if amount == -1 else amount


def _decimals(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _decimal(text: str) -> Decimal | str:
    """Read a number of JSON exactly; one that no amount can be stays text."""
    try:
        return Decimal(text) if len(text) <= 2 * _MOST_DIGITS else text
    except InvalidOperation:
        return text
