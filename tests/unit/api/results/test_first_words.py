"""The first words of a text, which come from the cloud and are shown in galleries."""

from __future__ import annotations

import json

import pytest

from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.api.results.first_words import (
    MOST_BYTES,
    MOST_CHARACTERS,
    first_words,
    first_words_of,
)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], ""),
        ([b"", b" \n\t"], ""),
        ([b"\n\n  Two\r\nlines\n"], "Two lines"),
        ([b"one", b"two"], "one two"),
        (["\ufeffA\u202ePDF \x1b[31mred\x00".encode()], "APDF [31mred"),
        (["Stra\u00dfe".encode()[:5]], "Stra"),
        ([b"\xff\xfe not UTF-8"], "not UTF-8"),
        ([b"<img src=x onerror=alert(1)>"], "<img src=x onerror=alert(1)>"),
    ],
    ids=repr,
)
def test_they_are_one_line_of_printable_characters(texts: list[bytes], said: str) -> None:
    assert first_words(texts) == said


@pytest.mark.parametrize("text", [b"word " * 100_000, b"x" * 10_000_000, b"x" * 101])
def test_they_are_bounded_and_say_that_they_are_cut(text: bytes) -> None:
    found = first_words([text])
    assert len(found) == MOST_CHARACTERS
    assert found.endswith("…")


@pytest.mark.parametrize("text", ["x" * 100, "\u6f22" * 26])
def test_what_fits_is_not_cut(text: str) -> None:
    assert first_words([text.encode()]) == text


@pytest.mark.parametrize("text", ["\u6f22" * 5000, "\U0001f600" * 99, "\u6f22" * 27, "\\" * 99])
def test_they_are_bounded_in_the_bytes_of_a_manifest(text: str) -> None:
    """Or those of ten thousand Chinese documents would take megabytes."""
    found = first_words([text.encode()])
    assert found.endswith("…")
    assert 100 < len(json.dumps(found)) - 2 <= MOST_BYTES


@pytest.mark.parametrize(
    ("operation", "types", "words"),
    [
        ("RecognizeImage", ["Text", "Hocr"], "Text words"),
        ("RecognizeImage", ["Hocr", "SearchablePdf"], None),
        ("RecognizeImage", [], None),
        ("RecognizeImage", [None], None),
        ("UpscaleImage", ["ImagePNG"], None),
        ("DetectRegions", ["Other"], None),
    ],
)
def test_only_texts_count(operation: str, types: list[str | None], words: str | None) -> None:
    results = [Result(type, f"{type} words".encode(), 1, "") for type in types]
    assert first_words_of(OPERATIONS[operation], results) == words
