"""
Stored results, read by the readers: only what the manifest says is read.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError, ResultTooLargeError, ResultUnreadableError
from airflow_provider_asposeocr.api.results.readers.content import MOST_BYTES
from airflow_provider_asposeocr.api.results.reading import FONTS, HOCR, INVOICE, TABLE, TEXT, Reader
from airflow_provider_asposeocr.documents.manifest import parse_manifest
from airflow_provider_asposeocr.documents.read_results import from_manifest, read_stored
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr, tiny_workbook

if TYPE_CHECKING:
    from pathlib import Path


def manifest_of(folder: Path, operation: str, *results: tuple[str, bytes]) -> dict[str, Any]:
    """Store results, and describe them as the fetch operator does."""
    described = []
    for index, (kind, content) in enumerate(results):
        path = folder / f"{index}.result"
        path.write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        described.append({"type": kind, "uri": str(path), "bytes": len(content), "sha256": sha256})
    task = {
        "operation": operation,
        "id": "x",
        "submitted_at": datetime.now(UTC).isoformat(),
        "conn_id": "aspose_ocr_default",
    }
    return {"schema_version": 1, "outcome": "succeeded", "task": task, "results": described}


def test_each_reader_finds_its_results(tmp_path: Path) -> None:
    manifest = manifest_of(
        tmp_path,
        "RecognizeImageTrial",
        ("Text", b"one"),
        ("Hocr", tiny_hocr("two")),
        ("Pdf", b"%PDF"),
        ("Text", b"three"),
    )
    assert from_manifest(manifest, TEXT).text == "one\nthree"
    assert from_manifest(parse_manifest(manifest), HOCR).text == "two"


def test_an_invoice_is_no_text(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "RecognizeAndParseInvoice", ("Text", b'{"total_amount": 4.20}'))
    assert from_manifest(manifest, INVOICE).total_amount == Decimal("4.20")
    others: tuple[Reader[Any], ...] = (TEXT, FONTS)
    for reader in others:
        with pytest.raises(InputError, match="names no result for the reader"):
            from_manifest(manifest, reader)


def test_a_workbook_is_recognized_by_its_content(tmp_path: Path) -> None:
    book = ("Xlsx", tiny_workbook([["a"], ["b"]]))
    assert from_manifest(manifest_of(tmp_path, "RecognizeTable", book), TABLE).rows == [["a"], ["b"]]
    both = manifest_of(tmp_path, "RecognizeTable", book, ("Csv", b"c\n"))
    assert from_manifest(both, TABLE).rows == [["c"]]


def test_a_file_that_was_changed_is_not_read(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "RecognizeImage", ("Text", b"one"))
    for changed in (b"two", b"longer", b""):
        (tmp_path / "0.result").write_bytes(changed)
        with pytest.raises(ResultUnreadableError, match="is not what the manifest says"):
            from_manifest(manifest, TEXT)


def test_files_that_are_too_large_together_are_not_read(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "RecognizeImage", ("Text", b"one"), ("Text", b"two"))
    for entry in manifest["results"]:
        entry["bytes"] = MOST_BYTES // 2 + 1
    with pytest.raises(ResultTooLargeError, match="2 results"):
        from_manifest(manifest, TEXT)


def test_one_that_is_too_large_alone_is_not_read(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "RecognizeImage", ("Text", b"one"))
    manifest["results"][0]["bytes"] = MOST_BYTES + 1
    with pytest.raises(ResultTooLargeError, match=r"^The result has \d+ bytes; the reader of text takes"):
        from_manifest(manifest, TEXT)


def test_a_file_that_nothing_here_can_open_is_an_input_error(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, "RecognizeImage", ("Text", b"one"))
    manifest["results"][0]["uri"] = "http://127.0.0.1:9/page.txt"
    with pytest.raises(
        InputError, match="cannot be opened. No installed provider has a file system for http"
    ):
        from_manifest(manifest, TEXT)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    (result,) = parse_manifest(manifest_of(tmp_path, "RecognizeImage", ("Text", b"one"))).results
    with pytest.raises(ResultTooLargeError, match="at most 2 are read"):
        read_stored(result, most_bytes=2)
