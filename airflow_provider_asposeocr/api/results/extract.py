"""
Choose fields of results: ``{"total": "invoice.total_amount", "regions": "regions.count", "text": "text"}``.

Invariant: a value is plain JSON, and not larger than the caller allows. Pure, but for reading the local files of results.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import FieldAbsentError, InputError, ReaderError
from airflow_provider_asposeocr.api.printable import shown, storable
from airflow_provider_asposeocr.api.results.readers.content import check_sizes, unreadable
from airflow_provider_asposeocr.api.results.readers.invoice import INVOICE_FIELDS
from airflow_provider_asposeocr.api.results.reading import READERS
from airflow_provider_asposeocr.api.settings import near_miss
from airflow_provider_asposeocr.api.templates import has_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.results.download import Result
    from airflow_provider_asposeocr.api.results.policies import OnAbsent
    from airflow_provider_asposeocr.api.results.readers.boxes import Box

log = logging.getLogger(__name__)

#: Most fields of a task; each becomes an XCom.
MOST_FIELDS = 50
#: A name becomes a part of an address of Airflow's.
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_DEEPEST = 50
#: Keys of XCom that Airflow or the provider uses.
_RESERVED = frozenset({"return_value", "skipmixin_key", "trigger_dag_id", "trigger_run_id"})
_RESERVED_PREFIXES = ("aspose_ocr", "_link_")

_Get = Callable[[Any], Any]


def _same(*names: str) -> dict[str, _Get]:
    return {name: attrgetter(name) for name in names}


def _edges(boxes: Sequence[Box | None]) -> list[list[int] | None]:
    return [None if box is None else list(box) for box in boxes]


#: What can be asked of each reader.
FIELDS: dict[str, dict[str, _Get]] = {
    "text": {
        "text": lambda found: found.text,
        "pages": lambda found: found.pages,
        "lines": lambda found: list(found.lines),
        "parts": lambda found: list(found.parts),
    },
    "regions": {
        "count": lambda found: found.count,
        "boxes": lambda found: _edges(found.boxes),
        "settings": lambda found: found.in_reading_order().to_settings(),
    },
    "hocr": {
        "text": lambda found: found.text,
        "pages": lambda found: [page.text for page in found.pages],
        "mean_confidence": lambda found: found.mean_confidence,
        "page_count": lambda found: len(found.pages),
        "word_count": lambda found: sum(1 for _ in found.words),
    },
    "blocks": {
        "count": lambda found: found.count,
        "text": lambda found: found.text,
        "boxes": lambda found: _edges([block.box for block in found.blocks]),
    },
    "table": {"rows": lambda found: found.rows, "count": lambda found: found.count},
    "invoice": _same(*INVOICE_FIELDS, "unread", "other"),
    "fonts": {
        "style": lambda found: found.style,
        "font": lambda found: found.font,
        "fonts": lambda found: list(found.fonts),
    },
    "speech": _same("duration_seconds", "rate_hertz", "channels", "sample_bytes"),
}


@dataclass(frozen=True)
class Field:
    """
    A field to be chosen.

    :param name: Name that the DAG's author gives it; an XCom key.
    :param reader: Name of the reader.
    :param field: Name of the field of what the reader returns.
    """

    name: str
    reader: str
    field: str

    @property
    def path(self) -> str:
        """The path as it is written."""
        return f"{self.reader}.{self.field}"


def parse_extract(extract: object, *, rendered: bool = True) -> list[Field]:
    """
    Check ``extract``.

    :param extract: A path for each name; ``None`` = no field. A path is ``reader.field``; ``text`` alone is the whole text.
    :param rendered: ``False`` at parse time: paths that are templates are not checked. A name cannot be a template.
    :raises InputError: if it is no such mapping, a name is not usable as an XCom key, or a path leads nowhere.
    """
    if extract is None or (not rendered and not isinstance(extract, Mapping) and has_template(extract)):
        return []
    if not isinstance(extract, Mapping):
        raise InputError(f"extract must be a mapping of names to paths, not {shown(repr(extract), 80)}.")
    if len(extract) > MOST_FIELDS:
        raise InputError(f"extract has {len(extract)} fields; at most {MOST_FIELDS} are possible.")
    found = []
    for name, path in extract.items():
        _check_name(name)
        if not rendered and has_template(path):
            continue
        found.append(_parse_path(str(name), path))
    return found


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"extract: {shown(repr(name), 120)} is no name for an XCom. A name has letters and digits of ASCII, and _.-"
        )
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        raise InputError(
            f"extract: the name {name!r} belongs to Airflow or to the provider. Choose another one."
        )


def _parse_path(name: str, path: object) -> Field:
    where = f"extract[{shown(name, 60)!r}] is {shown(repr(path), 100)}"
    if not isinstance(path, str):
        raise InputError(f"{where}, which is no path.")
    reader, dot, field = path.partition(".")
    if reader not in FIELDS:
        known = near_miss(reader, FIELDS) or f" Known: {', '.join(FIELDS)}."
        raise InputError(f"{where}: there is no reader of that name.{known}")
    if not dot and reader == "text":
        field = "text"
    fields = FIELDS[reader]
    if field not in fields:
        known = near_miss(field, fields) if field else ""
        raise InputError(f"{where}: {reader} has no such field.{known} Known: {', '.join(fields)}.")
    return Field(name, reader, field)


@dataclass(frozen=True)
class Extracted:
    """
    The chosen fields.

    :param values: A value of plain JSON for each name; ``None`` where it is absent.
    :param cut: Names of those that were cut because they were too large.
    :param unread: Why fields could not be read, a sentence for each reader; only of :func:`extract_for_row`.
    """

    values: dict[str, Any]
    cut: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def extract_fields(
    operation: str,
    results: Sequence[Result],
    fields: Sequence[Field],
    *,
    on_absent: OnAbsent,
    most_bytes: int,
) -> Extracted:
    """
    Choose fields of the results of a cloud task.

    :param operation: Name of the operation that made them.
    :param results: The results.
    :param fields: The fields.
    :param on_absent: What to do where a field is absent: ``none``: its value is ``None``; ``fail``: an error.
    :param most_bytes: Largest value of a field as JSON, in bytes. A longer text is cut at its end, and a longer list, too.
    :raises FieldAbsentError: if a field is absent and ``on_absent`` is ``fail``.
    :raises ReaderError: if a result cannot be read.
    """
    data: dict[str, Any] = {}
    values: dict[str, Any] = {}
    cut = []
    for field in fields:
        if field.reader not in data:
            reader = READERS[field.reader]
            chosen = reader.choose(operation, results, lambda result: result.type)
            check_sizes([result.size_bytes for result in chosen], field.reader)
            data[field.reader] = reader.read([result.data for result in chosen]) if chosen else None
        found = data[field.reader]
        value = None if found is None else plain(FIELDS[field.reader][field.field](found))
        if value is None and on_absent == "fail":
            raise FieldAbsentError(_why_absent(field, operation, results, has_result=found is not None))
        values[field.name] = limited(value, most_bytes)
        if values[field.name] != value:
            cut.append(field.name)
    return Extracted(values, tuple(cut))


def extract_for_row(
    operation: str, results: Sequence[Result], fields: Sequence[Field], *, most_bytes: int
) -> Extracted:
    """
    Choose fields for the row of a batch. It does not fail: the results are paid for, and stored without the fields, too.

    :param operation: Name of the operation that made them.
    :param results: The results.
    :param fields: The fields. One that is absent, or cannot be read, is ``None``.
    :param most_bytes: Largest value of a field as JSON, in bytes.
    """
    values: dict[str, Any] = {chosen.name: None for chosen in fields}
    cut: list[str] = []
    unread: list[str] = []
    for reader in dict.fromkeys(chosen.reader for chosen in fields):
        of_reader = [chosen for chosen in fields if chosen.reader == reader]
        try:
            found = extract_fields(operation, results, of_reader, on_absent="none", most_bytes=most_bytes)
        except ReaderError as error:
            unread.append(error.message)
        except Exception:  # a defect of a reader must not lose a result that is paid for
            log.exception("A defect of the provider, please report it: fields of a result were not read.")
            unread.append(f"The reader {reader!r} has failed; the log says why.")
        else:
            values |= found.values
            cut += found.cut
    return Extracted(values, tuple(cut), tuple(unread))


def _why_absent(field: Field, operation: str, results: Sequence[Result], *, has_result: bool) -> str:
    if has_result:
        return f"The cloud has not found {field.path}, which extract asks for as {shown(field.name, 60)!r}."
    types = ", ".join(shown(result.type, 40) for result in results)
    return (
        f"{operation} has made no result for {field.path}, which extract asks for as {shown(field.name, 60)!r}; it has "
        f"made: {types or 'nothing'}."
    )


def plain(value: Any, depth: int = 0) -> Any:
    """
    Make a value plain JSON.

    :param value: What a reader has given. A date becomes ISO 8601, and a decimal number text, so that no digit is lost.
    :param depth: How deep it is nested in another one.
    :raises ResultUnreadableError: if it is nested more deeply than what writes an XCom can take.
    """
    if depth > _DEEPEST:
        raise unreadable("a field", f"it is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() and abs(value.adjusted()) < 100 else str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {storable(str(key)): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, depth + 1) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def limited(value: Any, most_bytes: int) -> Any:
    """
    Cut a value of plain JSON that is too large.

    :param value: The value.
    :param most_bytes: Its largest size as JSON, in bytes.
    :return: The value; of a text or a list its beginning, of anything else ``None``.
    """
    if _fits(value, most_bytes):
        return value
    if not isinstance(value, str | list):
        return None
    # Each character and each entry takes a byte at least.
    value = value[:most_bytes]
    low, high = 0, len(value)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _fits(value[:middle], most_bytes) else (low, middle - 1)
    return value[:low]


def _fits(value: Any, most_bytes: int) -> bool:
    """Tell whether a value is small enough, without writing more of it than that."""
    if isinstance(value, str) and len(value) > most_bytes:
        return False
    size = 0
    for piece in json.JSONEncoder().iterencode(value):
        size += len(piece)
        if size > most_bytes:
            return False
    return True
