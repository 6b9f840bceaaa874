"""The first words of each document in the manifest of a batch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.batch.ending import Ended
from tests.support.batch_engine import STEPS, batch_in, begin_journal, results_in, run_try

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator


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
