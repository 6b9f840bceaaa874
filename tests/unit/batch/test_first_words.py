"""The first words of a text, which come from the cloud and are shown in galleries."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.batch.ending import Ended
from airflow_provider_asposeocr.batch.first_words import MOST_BYTES, MOST_CHARACTERS, first_words
from tests.support.batch_engine import STEPS, batch_in, begin_journal, results_in, run_try

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator


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


def test_a_batch_has_them_in_each_row(aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
    begin_journal(tmp_path, batch_in(tmp_path, 2, STEPS[-1:]))
    ended = asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path))
    assert isinstance(ended, Ended)
    for row in ended.rows():
        text = results_in(tmp_path)[f"{row.index}.png.txt"]
        assert row.first_words
        assert " ".join(text.split()).startswith(row.first_words.removesuffix("…"))


def test_without_a_text_there_are_none(aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
    begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS[:1]))
    ended = asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path))
    assert isinstance(ended, Ended)
    assert [row.first_words for row in ended.rows()] == [None]
