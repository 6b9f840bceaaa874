from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult
from demo.run import DemoError, progress_line, seconds_of, text_of, texts_of_batch


def test_progress_counts_steps_and_what_is_not_well() -> None:
    instances: list[dict[str, Any]] = [
        {"task_id": "list_scans", "state": "success"},
        {"task_id": "chain.upscale", "state": "success"},
        {"task_id": "chain.upscale", "state": "deferred"},
        {"task_id": "chain.binarize", "state": None},
        {"task_id": "chain.fetch", "state": "failed"},
        {"task_id": "read_otherwise", "state": "success"},
    ]
    assert progress_line(instances) == (
        "done: upscale 1, binarize 0, recognize 0, fetch 0, batch 0, read_otherwise 1, 1 deferred, 1 failed"
    )


def test_the_time_of_tasks_is_from_the_first_start_to_the_last_end() -> None:
    instances = [
        {"task_id": "list_scans", "start_date": "2026-03-02T08:00:00Z", "end_date": "2026-03-02T08:00:05Z"},
        {
            "task_id": "chain.upscale",
            "start_date": "2026-03-02T08:00:10Z",
            "end_date": "2026-03-02T08:00:20Z",
        },
        {
            "task_id": "chain.fetch",
            "start_date": "2026-03-02T08:00:30Z",
            "end_date": "2026-03-02T08:00:40.5Z",
        },
        {"task_id": "batch", "start_date": "2026-03-02T08:01:00Z", "end_date": "2026-03-02T08:01:12Z"},
    ]
    assert seconds_of(instances, "chain.") == 30.5
    assert seconds_of(instances, "batch") == 12


def test_the_text_of_a_manifest_is_found_by_its_type() -> None:
    manifest = {
        "results": [
            {"type": "Pdf", "uri": "file:///out/a.pdf"},
            {"type": "Text", "uri": "file:///out/a%20b.txt"},
        ]
    }
    assert text_of(manifest) == Path("/out/a b.txt")


def test_the_texts_of_a_batch_are_found_by_the_name_of_the_scan(tmp_path: Path) -> None:
    rows = [
        Manifest(
            index=index,
            documents=2,
            outcome="succeeded",
            source=f"/scans/{name}.png",
            results=[StoredResult(type="Text", uri=f"file:///out/{name}.png.txt", bytes=1, sha256="0")],
        )
        for index, name in enumerate(["one", "two"])
    ]
    written = write_manifest(f"{tmp_path}/m.jsonl", rows, 2)
    assert texts_of_batch({"manifest": written.uri}) == {
        "one": Path("/out/one.png.txt"),
        "two": Path("/out/two.png.txt"),
    }


@pytest.mark.parametrize("results", [[], [{"type": "Pdf", "uri": "file:///a.pdf"}]])
def test_a_manifest_without_text_fails_the_demo(results: list[dict[str, str]]) -> None:
    with pytest.raises(DemoError, match="one result of the type Text"):
        text_of({"results": results})
