"""Write the result of RecognizeAndParseInvoice: a JSON object under the type ``Text``, as in the vendor's docs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.imaging.invoices import invoice_of
from airflow_provider_asposeocr.emulator.work.imaging.tables import cells_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage
    from airflow_provider_asposeocr.emulator.work.imaging.tables import Cell


class InvoiceFile:
    """
    Collects the rows of an invoice.

    :param path: File to write.
    """

    type = "Text"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: list[list[Cell]] = []

    def add(self, recognized: RecognizedPage) -> None:
        """Append the rows of one page."""
        self._rows += [cells_of(row) for block in recognized.blocks for row in block.rows if row.words]

    def finish(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(invoice_of(self._rows), ensure_ascii=False), encoding="utf-8")

    def close(self) -> None:
        """Do nothing: the file is opened only in :meth:`finish`."""
