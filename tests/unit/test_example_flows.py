"""Example DAGs from the document to the data, in this process, against the emulator."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest

from tests.contract.samples import write_document

EXAMPLES = Path(__file__).parents[2] / "example_dags"


@pytest.fixture
def run(aspose_ocr_run_dag: Any, tmp_path: Path) -> Any:
    """Return a function that runs an example on a document which an operation reads."""

    def runs(name: str, operation: str) -> Any:
        scan = write_document(operation, tmp_path)
        conf = {"scan": str(scan), "outbox": f"file://{tmp_path}/out/"}
        return aspose_ocr_run_dag(EXAMPLES / f"{name}.py", conf=conf)

    return runs


def test_a_pdf_becomes_a_text_and_a_searchable_pdf(run: Any, tmp_path: Path) -> None:
    assert run("searchable_pdf", "RecognizePdf").state == "success"
    assert (tmp_path / "out" / "document.txt").read_text().startswith("This is the canned text")
    assert (tmp_path / "out" / "document.pdf").read_bytes().startswith(b"%PDF-")


def test_a_scan_is_read_aloud(run: Any, tmp_path: Path) -> None:
    assert run("read_aloud", "RecognizeImage").state == "success"
    with wave.open(str(tmp_path / "out" / "document.wav"), "rb") as sound:
        assert sound.getframerate() == 22050
