"""
Measure the quality of the results of a cloud task.

Invariant: measuring never fails. What cannot be read has no numbers, and a gate that needs them is not passed.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_asposeocr.api.errors import ReaderError
from airflow_provider_asposeocr.api.results.reading import BLOCKS, HOCR, TEXT
from airflow_provider_asposeocr.api.results.scripts import script_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.results.download import Result
    from airflow_provider_asposeocr.api.results.reading import Reader

T = TypeVar("T")

log = logging.getLogger(__name__)

#: A larger result is not measured; a page of text has some kilobytes, and one of hOCR some hundred.
MOST_MEASURED_BYTES = 16 * 1024 * 1024
#: The same of JSON, which may become forty times as large in memory.
MOST_JSON_BYTES = 2 * 1024 * 1024
#: Most writing systems that a manifest names.
MOST_SCRIPTS = 3
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Measured:
    """
    What was measured in the results of a cloud task.

    :param characters: Characters that are no white space; ``None`` = no result has text.
    :param words: What stands between white space; in scripts without spaces that is a line.
    :param mean_confidence: Mean confidence of the words, from 0 to 1; ``None`` = no result has confidences.
    :param language_share: Share of the letters for each writing system.
    :param text: The text itself; it does not go into the manifest.
    """

    characters: int | None = None
    words: int | None = None
    mean_confidence: float | None = None
    language_share: dict[str, float] | None = None
    text: str = field(default="", repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as plain JSON, without those that could not be measured."""
        found = {
            "characters": self.characters,
            "words": self.words,
            "mean_confidence": self.mean_confidence,
            "language_share": _largest(self.language_share),
        }
        return {name: value for name, value in found.items() if value is not None}


def _largest(shares: dict[str, float] | None) -> dict[str, float] | None:
    """Return the largest shares: the manifest of a batch has them in each of thousands of rows."""
    return None if shares is None else dict(sorted(shares.items(), key=lambda each: -each[1])[:MOST_SCRIPTS])


def measure(operation: str, results: Sequence[Result]) -> Measured:
    """
    Measure the results of a cloud task.

    :param operation: Name of the operation that made them.
    :param results: The results, in the cloud's order. The text is that of ``Text``, else that of hOCR, else that of JSON.
    """
    # A batch measures in many threads, and data takes many times the memory of its file.
    with ONE_AT_A_TIME:
        return _measure(operation, results)


def _measure(operation: str, results: Sequence[Result]) -> Measured:
    hocr = _read(HOCR, operation, results)
    confidence = None if hocr is None else hocr.mean_confidence
    plain = _read(TEXT, operation, results)
    text = None if plain is None else plain.text
    if text is None and hocr is not None:
        text = hocr.text
    if text is None:
        blocks = _read(BLOCKS, operation, results)
        text = None if blocks is None else blocks.text
    rounded = None if confidence is None else round(confidence, 4)
    if text is None:
        return Measured(mean_confidence=rounded)
    words = text.split()
    return Measured(sum(map(len, words)), len(words), rounded, script_shares(text), text)


def _read(reader: Reader[T], operation: str, results: Sequence[Result]) -> T | None:
    chosen = reader.choose(operation, results, lambda result: result.type)
    most = MOST_JSON_BYTES if reader is BLOCKS else MOST_MEASURED_BYTES
    if not chosen or sum(result.size_bytes for result in chosen) > most:
        return None
    try:
        return reader.read([result.data for result in chosen])
    except ReaderError:
        return None
    except Exception:  # a defect of a reader must not lose a result that is paid for
        log.exception("A defect of the provider, please report it: a result was not measured.")
        return None
