"""Write the results of RecognizeTable: text, CSV and a workbook."""

from __future__ import annotations

import csv
import io
import unicodedata
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_workbook
from airflow_provider_asposeocr.emulator.work.imaging.rulings import find_rulings
from airflow_provider_asposeocr.emulator.work.imaging.tables import table_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage


class TableFile:
    """
    Collects the tables of pages, one below the other.

    :param path: File to write.
    :param type: Type of the result: ``Text``, ``Csv`` or ``Excel`` (the cloud's word for a workbook is undocumented).
    """

    def __init__(self, path: Path, type: str) -> None:
        self.path = path
        self.type = type
        self._rows: list[list[str]] = []

    def add(self, recognized: RecognizedPage) -> None:
        """Append the table of one page."""
        rows = [row for block in recognized.blocks for row in block.rows]
        self._rows += table_of(rows, find_rulings(recognized.page.image))

    def finish(self) -> None:
        """Write the file."""
        rows = [[_printable(text) for text in row] for row in self._rows]
        if self.type == "Text":
            content = "\n".join(" ".join(filter(None, row)) for row in rows).encode()
        elif self.type == "Csv":
            content = csv_of(rows)
        else:
            content = tiny_workbook(rows)
        self.path.write_bytes(content)

    def close(self) -> None:
        """Do nothing: the file is opened only in :meth:`finish`."""


def csv_of(rows: list[list[str]]) -> bytes:
    """
    Return rows as the cloud's CSV, which begins with a row of column numbers as in the sample of the vendor's docs.

    :param rows: The rows of a table.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(range(max((len(row) for row in rows), default=0)))
    writer.writerows(rows)
    return written.getvalue().encode()


def _printable(text: str) -> str:
    """Remove the control characters, which XML does not allow."""
    return "".join(char for char in text if unicodedata.category(char) != "Cc")
