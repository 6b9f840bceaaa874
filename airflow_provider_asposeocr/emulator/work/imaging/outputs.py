"""Choose the files that an operation makes of its pages, in the order of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_asposeocr.emulator.work.imaging.blocks_json import BlocksFile
from airflow_provider_asposeocr.emulator.work.imaging.hocr import HocrFile
from airflow_provider_asposeocr.emulator.work.imaging.invoice_file import InvoiceFile
from airflow_provider_asposeocr.emulator.work.imaging.searchable_pdf import SearchablePdf
from airflow_provider_asposeocr.emulator.work.imaging.table_files import TableFile
from airflow_provider_asposeocr.emulator.work.imaging.text import TextFile
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.imaging.pages import RecognizedPage

#: The results for each value of ``resultType``, in their order (the cloud's order is undocumented).
_FORMATS = {
    "Text": ("Text",),
    "Pdf": ("Pdf",),
    "Hocr": ("Hocr",),
    "JSON": ("JSON",),
    "TextAndPdf": ("Text", "Pdf"),
    "TextAndHocr": ("Text", "Hocr"),
    "PdfAndHocr": ("Pdf", "Hocr"),
    "TextAndPdfAndHocr": ("Text", "Pdf", "Hocr"),
}
#: The same for ``resultTypeTable``.
_TABLE_FORMATS = {
    "Text": ("TableText",),
    "Csv": ("Csv",),
    "Excel": ("Excel",),
    "CsvAndExcel": ("Csv", "Excel"),
}
_SUFFIXES = {
    "Text": "txt",
    "Pdf": "pdf",
    "Hocr": "hocr",
    "JSON": "json",
    "Invoice": "json",
    "TableText": "txt",
    "Csv": "csv",
    "Excel": "xlsx",
}


class Output(Protocol):
    """One result file that is being written."""

    type: str
    path: Path

    def add(self, recognized: RecognizedPage) -> None:
        """Append one page."""
        ...

    def finish(self) -> None:
        """Complete the file."""
        ...

    def close(self) -> None:
        """Close the file, complete or not."""
        ...


def outputs_of(
    operation: str, settings: Mapping[str, Any], folder: Path, prefix: str, *, with_pages: bool
) -> list[Output]:
    """
    Return the files of an operation's results, which are empty.

    :param operation: Name of the operation.
    :param settings: The request's settings.
    :param folder: Folder of the files.
    :param prefix: Beginning of their names.
    :param with_pages: Whether the document can have several pages.
    :raises JobError: if the operation does not make what the settings ask for.
    """
    return [
        _output(name, folder / f"{prefix}result.{_SUFFIXES[name]}", with_pages=with_pages)
        for name in _formats(operation, settings)
    ]


def _formats(operation: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    if operation == "RecognizeAndParseInvoice":
        return ("Invoice",)
    value = settings.get("resultType") or "Text"
    if operation == "RecognizeTable" and value != "JSON":
        return _TABLE_FORMATS[settings.get("resultTypeTable") or "Text"]
    if value not in _FORMATS:
        raise JobError(f"{operation} has no resultType {value!r}; it has {', '.join(_FORMATS)}.")
    return _FORMATS[value]


def _output(name: str, path: Path, *, with_pages: bool) -> Output:
    if name == "Text":
        return TextFile(path)
    if name == "Pdf":
        return SearchablePdf(path)
    if name == "Hocr":
        return HocrFile(path)
    if name == "JSON":
        return BlocksFile(path, with_pages=with_pages)
    if name == "Invoice":
        return InvoiceFile(path)
    return TableFile(path, "Text" if name == "TableText" else name)
