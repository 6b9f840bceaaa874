"""
Read the manifest of a batch, and choose its rows.

Invariant: a manifest is read only if its size and checksum are those that the batch has pushed, and only once: its rows are
kept in memory by the checksum.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.json_lines import parse_objects
from airflow_provider_asposeocr.documents.manifest import OUTCOMES, Manifest, parse_manifest
from airflow_provider_asposeocr.viewer.answers import NO_SUCH_DOCUMENT, RefusedError
from airflow_provider_asposeocr.viewer.verified import Claim, open_verified

if TYPE_CHECKING:
    from airflow_provider_asposeocr.viewer.manifests import BatchAddress

#: Largest manifest that is read.
MOST_BYTES = 16 * 1024 * 1024
#: How many manifests are kept.
_MOST_KEPT = 4
NO_MANIFEST = "The file that the batch names as its manifest is none, or a newer version of the provider has written it."


@dataclass(frozen=True)
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

    :param content: The file.
    :raises InputError: if it is no manifest.
    """

    def __init__(self, content: bytes) -> None:
        # Complete rows are parsed when they are shown: ten thousand of them would take a second and much memory.
        self._lines: list[bytes] = []
        self.heads: list[RowHead] = []
        for index, (_, row) in enumerate(parse_objects([content], "the manifest")):
            outcome, error = row.get("outcome"), row.get("error")
            if outcome not in OUTCOMES:
                raise InputError(f"Row {index} has the outcome {shown(repr(outcome), 80)}.")
            name = error.get("class") if isinstance(error, dict) else None
            self.heads.append(RowHead(index, outcome, name if isinstance(name, str) else None))
            self._lines.append(json.dumps(row).encode())

    def row(self, index: int) -> Manifest:
        """
        Return a row.

        :param index: Its place, from 0.
        :raises RefusedError: if there is none, or it cannot be read.
        """
        if not 0 <= index < len(self._lines):
            raise RefusedError(404, NO_SUCH_DOCUMENT)
        try:
            return parse_manifest(json.loads(self._lines[index]))
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


_lock = threading.Lock()
_kept: OrderedDict[tuple[str, str, int], BatchRows] = OrderedDict()


def read_batch(address: BatchAddress) -> BatchRows:
    """
    Read the manifest of a batch.

    :param address: Where it is; it must be written.
    :return: Its rows.
    :raises RefusedError: if it is not the one that the batch has written, is too large, or is no manifest.
    """
    claim = Claim(address.manifest, (address.sha256 or "").lower(), address.size_bytes)
    key = (claim.uri, claim.sha256 or "", claim.size_bytes or 0)
    with _lock:
        if (known := _kept.get(key)) is not None:
            _kept.move_to_end(key)
            return known
    opened = open_verified(claim, MOST_BYTES)
    try:
        rows = BatchRows(opened.content())
    except InputError:
        raise RefusedError(409, NO_MANIFEST) from None
    finally:
        opened.close()
    with _lock:
        _kept[key] = rows
        while len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return rows
