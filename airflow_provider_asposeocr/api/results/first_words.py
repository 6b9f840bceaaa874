"""The first words of a document's text, by which people recognize it in a gallery of many."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.files.filetypes import suffix_for

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.api.operations import Operation
    from airflow_provider_asposeocr.api.results.download import Result

#: Most characters of them.
MOST_CHARACTERS = 100
#: Most bytes that they take in a manifest, where a letter that is not ASCII takes six. With more, those of ten thousand
#: documents would take megabytes.
MOST_BYTES = 160
#: As many bytes of a text are looked at: blank lines may stand before the first word.
_LOOKED_AT_BYTES = 4096


def first_words_of(operation: Operation, results: Iterable[Result]) -> str | None:
    """
    Return the first words of a document.

    :param operation: The operation of the cloud task that made the results.
    :param results: Its results. Only texts count, not hOCR, JSON or documents.
    :return: As :func:`first_words`; ``None`` = no result is a text.
    :raises OSError: if a result cannot be read from local disk.
    """
    heads = [result.head for result in results if suffix_for(operation, result.type, b"") == ".txt"]
    return first_words(heads) if heads else None


def first_words(texts: Iterable[bytes]) -> str:
    """
    Return the first words of the texts of a document.

    :param texts: The first bytes of each, UTF-8; perhaps cut within a character. They come from the cloud.
    :return: At most :data:`MOST_CHARACTERS` printable characters in one line, or fewer where they would take more than
        :data:`MOST_BYTES`; empty if the texts are.
    """
    found: list[str] = []
    for text in texts:
        words = text[:_LOOKED_AT_BYTES].decode("utf-8", "ignore").split()
        # Invisible characters are left out: some reverse the order in which a browser shows the rest of a line.
        found += ["".join(char for char in word if char.isprintable()) for word in words]
        if sum(map(len, found)) > MOST_CHARACTERS:
            break
    return _cut(" ".join(filter(None, found)))


def _cut(text: str) -> str:
    mark = "…"
    left = MOST_BYTES - _json_bytes(mark)
    for place, char in enumerate(text):
        left -= _json_bytes(char)
        if place == MOST_CHARACTERS - 1 or left < 0:
            is_all = place == len(text) - 1 and left + _json_bytes(mark) >= 0
            return text if is_all else f"{text[:place]}{mark}"
    return text


def _json_bytes(char: str) -> int:
    # Nearly all, and each costs a call of the encoder otherwise.
    return 1 if char.isascii() and char.isalnum() else len(json.dumps(char)) - 2
