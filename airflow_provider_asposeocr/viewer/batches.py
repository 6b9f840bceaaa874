"""
Read the manifest of a batch, and choose its rows.

Invariant: a manifest is read only if its size and checksum are those that the batch has pushed, and only once: a verified
copy stays open in a temporary file, which nobody else can change. Memory holds what a gallery filters by, and the place of
each row.
"""

from __future__ import annotations

import json
import sys
import threading
import weakref
from array import array
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.polling.progress import size_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.plan import MOST_DOCUMENTS
from airflow_provider_asposeocr.documents.json_lines import LONGEST_LINE_BYTES, parse_objects
from airflow_provider_asposeocr.documents.manifest import OUTCOMES, Manifest, parse_manifest
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_DOCUMENT, RefusedError
from airflow_provider_asposeocr.viewer.verified import Claim, open_verified

if TYPE_CHECKING:
    from airflow_provider_asposeocr.viewer.manifests import BatchAddress
    from airflow_provider_asposeocr.viewer.verified import VerifiedFile

#: Largest manifest that is read. One of ten thousand documents, the most that a batch takes, has about 22 MiB after three
#: steps, and 32 MiB with pictures of a page and of two kept steps.
MOST_BYTES = 64 * 1024 * 1024
#: How many manifests are kept open, and how many are read at once.
_MOST_KEPT = 4
NO_MANIFEST = "The file that the batch names as its manifest is none, or a newer version of the provider has written it."


@dataclass(frozen=True, slots=True)
class RowHead:
    """
    What a gallery needs of all rows of a batch.

    :param index: Place of the row, from 0.
    :param outcome: One of :data:`OUTCOMES`.
    :param error: Class of its error; ``None`` = it has none.
    """

    index: int
    outcome: str
    error: str | None


class BatchRows:
    """
    The rows of a manifest.

    :param opened: The file, a copy. It is closed when the object goes, or with an error.
    :raises InputError: if it is no manifest, or has more rows than a batch can have documents: such small rows would take
        many times as much memory.
    """

    def __init__(self, opened: VerifiedFile) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        # Another thread may be reading a row when this object is dropped for another one: the last reader closes the file.
        weakref.finalize(self, opened.close)
        self.heads: list[RowHead] = []
        self._firsts, self._sizes = array("Q"), array("L")
        first = 0
        # Complete rows are parsed when they are shown.
        for line in opened.lines(LONGEST_LINE_BYTES + 1):
            for _, row in parse_objects([line], "the manifest"):
                if len(self.heads) == MOST_DOCUMENTS:
                    raise InputError(f"It has more than {MOST_DOCUMENTS} rows.")
                self.heads.append(_head(len(self.heads), row))
                self._firsts.append(first)
                self._sizes.append(len(line))
            first += len(line)

    def row(self, index: int) -> Manifest:
        """
        Return a row.

        :param index: Its place, from 0.
        :raises RefusedError: if there is none, or it cannot be read.
        """
        if not 0 <= index < len(self.heads):
            raise RefusedError(404, NO_SUCH_DOCUMENT)
        with self._lock:
            line = b"".join(self._opened.pieces(self._firsts[index], self._sizes[index]))
        try:
            return parse_manifest(json.loads(line))
        except AsposeOcrError:
            raise RefusedError(409, NO_MANIFEST) from None

    def chosen(self, outcome: str | None, error: str | None) -> list[RowHead]:
        """
        Choose rows.

        :param outcome: Only those with this outcome; ``None`` = with any.
        :param error: Only those with this class of error; ``None`` = with any or none.
        """
        return [
            head for head in self.heads if outcome in (None, head.outcome) and error in (None, head.error)
        ]

    def counts(self) -> dict[str, Any]:
        """Count the rows by outcome, and those with an error by its class."""
        return {
            "outcomes": dict(Counter(head.outcome for head in self.heads)),
            "errors": dict(Counter(head.error for head in self.heads if head.error).most_common(20)),
        }


def _head(index: int, row: dict[str, Any]) -> RowHead:
    outcome, error = row.get("outcome"), row.get("error")
    if outcome not in OUTCOMES:
        raise InputError(f"Row {index} has the outcome {shown(repr(outcome), 80)}.")
    name = error.get("class") if isinstance(error, dict) else None
    # One object for all rows with the same word.
    return RowHead(index, sys.intern(outcome), sys.intern(name) if isinstance(name, str) else None)


_lock = threading.Lock()
#: Requests for one manifest read it one after the other, so that all but the first find it open.
_reading = tuple(threading.Lock() for _ in range(_MOST_KEPT))
_kept: OrderedDict[tuple[str, str, int], BatchRows] = OrderedDict()


def read_batch(address: BatchAddress) -> BatchRows:
    """
    Read the manifest of a batch.

    :param address: Where it is; it must be written.
    :return: Its rows.
    :raises RefusedError: if it is not the one that the batch has written, is too large, or is no manifest.
    """
    claim = Claim(address.manifest, (address.sha256 or "").lower(), address.size_bytes)
    if (claim.size_bytes or 0) > MOST_BYTES:
        raise RefusedError(413, _too_large(claim))
    key = (claim.uri, claim.sha256 or "", claim.size_bytes or 0)
    with _reading[hash(key) % len(_reading)]:
        with _lock:
            if (known := _kept.get(key)) is not None:
                _kept.move_to_end(key)
                return known
        rows = _read(claim)
        with _lock:
            _kept[key] = rows
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
        return rows


def _read(claim: Claim) -> BatchRows:
    opened = open_verified(claim, MOST_BYTES, is_copy=True)
    try:
        return BatchRows(opened)
    except InputError:
        opened.close()
        raise RefusedError(409, NO_MANIFEST) from None


def _too_large(claim: Claim) -> str:
    return (
        f"The manifest of this batch has {size_text(claim.size_bytes or 0)}, more than the {size_text(MOST_BYTES)} that the "
        f"viewer reads. It is at {shown(claim.uri, 500)}; read_manifest reads it."
    )
