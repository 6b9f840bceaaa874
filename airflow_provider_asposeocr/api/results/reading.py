"""
Which reader reads which result of a cloud task. Pure.

The operation that made a result, and the type that the cloud names, decide. The type alone is not enough: an invoice, the
fonts and a plain text are all of the type ``Text`` (vendor's docs).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from airflow_provider_asposeocr.api.operations import TRIAL_SUFFIX
from airflow_provider_asposeocr.api.results.readers.blocks import Blocks, read_blocks
from airflow_provider_asposeocr.api.results.readers.content import unreadable
from airflow_provider_asposeocr.api.results.readers.fonts import Fonts, read_fonts
from airflow_provider_asposeocr.api.results.readers.hocr import Hocr, read_hocr
from airflow_provider_asposeocr.api.results.readers.invoice import Invoice, read_invoice
from airflow_provider_asposeocr.api.results.readers.regions import Regions, read_regions
from airflow_provider_asposeocr.api.results.readers.speech import Speech, read_speech
from airflow_provider_asposeocr.api.results.readers.table import Table, read_csv, read_excel
from airflow_provider_asposeocr.api.results.readers.text import TextDocument, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")
R = TypeVar("R")

#: First bytes of a workbook, which is a ZIP archive.
_ZIP = b"PK\x03\x04"


@dataclass(frozen=True)
class Reader(Generic[T]):
    """
    A reader of the results of one cloud task.

    :param name: Its name, for example ``invoice``.
    :param types: The types of results that it reads, in lower case. Of several, those of the first type that is there.
    :param read: Makes data of the contents of the results, at least one.
    :param operations: The operations whose results it reads; empty = all but those that have a reader of their own.
    """

    name: str
    types: tuple[str, ...]
    read: Callable[[Sequence[bytes]], T]
    operations: frozenset[str] = frozenset()

    def choose(self, operation: str, results: Iterable[R], type_of: Callable[[R], str | None]) -> list[R]:
        """
        Choose the results that this reader reads.

        :param operation: Name of the operation that made them.
        :param results: The results of one cloud task, in the cloud's order.
        :param type_of: Returns the type of one.
        :return: Those of them; empty if there is none.
        """
        name = operation.removesuffix(TRIAL_SUFFIX)
        is_meant = name in self.operations if self.operations else name not in _OWN
        if not is_meant:
            return []
        by_type: dict[str, list[R]] = {}
        for result in results:
            by_type.setdefault((type_of(result) or "").lower(), []).append(result)
        return next((by_type[kind] for kind in self.types if kind in by_type), [])


def _one(what: str, read: Callable[[bytes], T]) -> Callable[[Sequence[bytes]], T]:
    def read_one(results: Sequence[bytes]) -> T:
        if len(results) != 1:
            raise unreadable(what, f"there are {len(results)} results of that type, and not one")
        return read(results[0])

    return read_one


def _read_all_blocks(results: Sequence[bytes]) -> Blocks:
    return Blocks(tuple(block for data in results for block in read_blocks(data).blocks))


def _read_table(data: bytes) -> Table:
    return read_excel(data) if data.startswith(_ZIP) else read_csv(data)


#: Text of recognitions, RecognizeTable included.
TEXT = Reader[TextDocument]("text", ("text",), read_text)
#: The cloud names the type of regions ``Other`` (vendor's docs).
REGIONS = Reader[Regions](
    "regions", ("other", "json"), _one("regions", read_regions), frozenset({"DetectRegions"})
)
HOCR = Reader[Hocr]("hocr", ("hocr",), read_hocr)
BLOCKS = Reader[Blocks]("blocks", ("json",), _read_all_blocks)
#: What the cloud names the type of a workbook is not documented.
TABLE = Reader[Table](
    "table", ("csv", "excel", "xlsx"), _one("a table", _read_table), frozenset({"RecognizeTable"})
)
INVOICE = Reader[Invoice](
    "invoice", ("text", "json"), _one("an invoice", read_invoice), frozenset({"RecognizeAndParseInvoice"})
)
FONTS = Reader[Fonts]("fonts", ("text", "json"), _one("fonts", read_fonts), frozenset({"IdentifyFont"}))
SPEECH = Reader[Speech](
    "speech", ("wavfile", "wav"), _one("a sound", read_speech), frozenset({"ConvertTextToSpeech"})
)

_ALL: tuple[Reader[Any], ...] = (TEXT, REGIONS, HOCR, BLOCKS, TABLE, INVOICE, FONTS, SPEECH)
#: All readers, by their names.
READERS = {reader.name: reader for reader in _ALL}
#: Operations whose results have a form of their own. Text and blocks of a table are read by the readers of text and blocks.
_OWN = frozenset({"DetectRegions", "RecognizeAndParseInvoice", "IdentifyFont"})
