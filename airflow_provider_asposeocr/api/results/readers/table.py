"""
Read the result of RecognizeTable: rows of CSV or of an Excel workbook.

The vendor's sample of CSV begins with a row of column numbers (``0,1``) and pads cells with blanks. Rows may have different
lengths, and stay as they are.
"""

from __future__ import annotations

import csv
import importlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from airflow_provider_asposeocr.api.errors import (
    LibraryMissingError,
    ResultTooLargeError,
    ResultUnreadableError,
)
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.readers.content import MOST_BYTES, check_size, decode, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: A workbook names its sheets and cells in XML that is packed; unpacked it may be a thousand times as large.
MOST_UNPACKED_BYTES = 8 * 1024 * 1024
#: The same of a part that is neither a sheet nor the text of cells: an object is made of each of its elements.
MOST_PART_BYTES = 256 * 1024
_LARGE_PARTS = ("xl/worksheets/", "xl/sharedstrings.xml")
#: Cells that are read, empty ones included: a cell at the end of a sheet stands for millions of empty ones.
MOST_CELLS = 1_000_000
#: Characters of a cell of a workbook, which is Excel's own limit, and of all cells, which may share one string of the file.
MOST_CELL_CHARACTERS = 32_767
MOST_CHARACTERS = MOST_BYTES
_PROLOG_BYTES = 64 * 1024
#: Byte order marks of all encodings, the other half of two bytes, and white space.
_BEFORE_XML = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"


@dataclass(frozen=True, slots=True)
class Table:
    """
    A table.

    :param rows: The rows from top to bottom, each with its cells from left to right, without blanks around them. Rows may
        have different lengths. A row of column numbers at the top is not among them.
    :param has_numbers: Whether there was a row of column numbers at the top.
    """

    rows: list[list[str]]
    has_numbers: bool = False

    @property
    def count(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    @property
    def width(self) -> int:
        """Number of cells of the longest row."""
        return max(map(len, self.rows), default=0)

    def padded_rows(self) -> list[list[str | None]]:
        """Return the rows with equal lengths; cells that are missing at the end of a row are ``None``."""
        width = self.width
        return [[*row, *[None] * (width - len(row))] for row in self.rows]

    def to_pandas(self, *, header: bool = False) -> Any:
        """
        Return a data frame of pandas, with all cells as text.

        :param header: Whether the first row names the columns; by default they are numbered from 0.
        :raises LibraryMissingError: if pandas is not installed.
        """
        names, rows = self._frame(header)
        return _library("pandas").DataFrame(rows, columns=names)

    def to_polars(self, *, header: bool = False) -> Any:
        """
        Return a data frame of polars, with all cells as text.

        :param header: Whether the first row names the columns; by default they are numbered from 0.
        :raises LibraryMissingError: if polars is not installed.
        """
        names, rows = self._frame(header)
        polars = _library("polars")
        return polars.DataFrame(rows, schema=dict.fromkeys(names, polars.String), orient="row")

    def _frame(self, header: bool) -> tuple[list[str], list[list[str | None]]]:
        rows = self.padded_rows()
        if not header or not rows:
            return [str(number) for number in range(self.width)], rows
        return _column_names(rows[0]), rows[1:]


def read_csv(data: bytes) -> Table:
    """
    Read a table in CSV.

    :param data: Its content, with commas between cells.
    :return: The table.
    :raises ResultUnreadableError: if it is not UTF-8, or no CSV.
    :raises ResultTooLargeError: if it is too large.
    """
    text = decode(data, "CSV")
    # More than there are where cells hold commas; each takes memory, however few characters it has.
    if text.count(",") + text.count("\n") + text.count("\r") > MOST_CELLS:
        raise _too_many_cells()
    try:
        rows = [list(map(str.strip, row)) for row in csv.reader(io.StringIO(text, newline="")) if row]
    except csv.Error as error:
        raise unreadable("CSV", error) from None
    return _table(rows)


def read_excel(data: bytes, sheet: int = 0) -> Table:
    """
    Read a sheet of an Excel workbook (OOXML). Needs the extra ``tables``.

    :param data: Content of the workbook.
    :param sheet: Number of the sheet, from 0.
    :return: The table, with all cells as text.
    :raises LibraryMissingError: if openpyxl is not installed.
    :raises ResultUnreadableError: if it is no such workbook.
    :raises ResultTooLargeError: if it is too large, packed or unpacked.
    """
    openpyxl = _library("openpyxl", extra="tables")
    check_size(data, "Excel")
    try:
        _check_workbook(data)
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            found = book.worksheets[sheet]
            # What a sheet says of its own size is not to be believed; without it, rows end with their last cell.
            found.reset_dimensions()
            rows = _cells(found.iter_rows(values_only=True))
        finally:
            book.close()
    except (ResultTooLargeError, ResultUnreadableError):
        raise
    except Exception as error:  # openpyxl lets errors of whatever it meets through
        raise unreadable("Excel", f"{type(error).__name__} {error}") from None
    return _table(rows)


def _too_many_cells() -> ResultTooLargeError:
    return ResultTooLargeError(f"The table has more than {MOST_CELLS} cells.")


def _cells(rows: Iterable[Sequence[object]]) -> list[list[str]]:
    found, cells, characters = [], 0, 0
    for row in rows:
        cells += len(row) + 1
        if cells > MOST_CELLS:
            raise _too_many_cells()
        texts = [_cell(cell) for cell in row]
        characters += sum(map(len, texts))
        if characters > MOST_CHARACTERS:
            raise ResultTooLargeError(f"The table has more than {MOST_CHARACTERS} characters.")
        found.append(texts)
    while found and not any(found[-1]):
        found.pop()
    return found


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if len(text) > MOST_CELL_CHARACTERS:
        raise ResultTooLargeError(
            f"The table has a cell of {len(text):,} characters; Excel allows {MOST_CELL_CHARACTERS:,}."
        )
    return text.strip()


def _check_workbook(data: bytes) -> None:
    """Refuse what unpacks to too much, and XML with a document type, which OOXML does not have: it could define entities."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if unpacked > MOST_UNPACKED_BYTES:
            raise ResultTooLargeError(
                f"The workbook unpacks to {unpacked} bytes; the reader takes {MOST_UNPACKED_BYTES} at most."
            )
        for part in parts:
            with archive.open(part) as stream:
                beginning = stream.read(_PROLOG_BYTES)
            # By content: the workbook says itself how its parts are called. A picture is not looked at.
            if not beginning.lstrip(_BEFORE_XML).startswith(b"<"):
                continue
            if part.file_size > MOST_PART_BYTES and not part.filename.lower().startswith(_LARGE_PARTS):
                raise ResultTooLargeError(
                    f"The workbook has a part of {part.file_size} bytes, {shown(part.filename, 100)}; the reader takes "
                    f"{MOST_PART_BYTES} of one that has no cells."
                )
            _check_prolog(beginning)


class _PrologOverError(Exception):
    pass


def _check_prolog(beginning: bytes) -> None:
    """Read the beginning of an XML file up to its first element."""

    def refuse(*_: object) -> None:
        raise unreadable("Excel", "it has a document type")

    def over(*_: object) -> None:
        raise _PrologOverError

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = over
    try:
        parser.Parse(beginning, False)
    except _PrologOverError:
        return
    raise unreadable("Excel", f"one of its files has no element within {_PROLOG_BYTES} bytes")


def _table(rows: list[list[str]]) -> Table:
    has_numbers = bool(rows) and rows[0] == [str(number) for number in range(len(rows[0]))]
    # A table whose only row is "0" has a cell, and no numbers of columns.
    if has_numbers and len(rows) > 1:
        return Table(rows[1:], has_numbers=True)
    return Table(rows)


def _column_names(row: list[str | None]) -> list[str]:
    """Make names of columns of a row: an empty one gets its number, and of equal ones the later get it, too."""
    names: list[str] = []
    taken = set[str]()
    for number, cell in enumerate(row):
        name = cell or str(number)
        while name in taken:
            name = f"{name}_{number}"
        taken.add(name)
        names.append(name)
    return names


def _library(name: str, extra: str | None = None) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        how = f"Install airflow-provider-asposeocr[{extra}]" if extra else f"Install {name}"
        raise LibraryMissingError(f"The package {name} is not installed here. {how}.") from None
