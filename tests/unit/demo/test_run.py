from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo.run import DemoError, progress_line, text_of


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
        "done: upscale 1, binarize 0, recognize 0, fetch 0, read_otherwise 1, 1 deferred, 1 failed"
    )


def test_the_text_of_a_manifest_is_found_by_its_type() -> None:
    manifest = {
        "results": [
            {"type": "Pdf", "uri": "file:///out/a.pdf"},
            {"type": "Text", "uri": "file:///out/a%20b.txt"},
        ]
    }
    assert text_of(manifest) == Path("/out/a b.txt")


@pytest.mark.parametrize("results", [[], [{"type": "Pdf", "uri": "file:///a.pdf"}]])
def test_a_manifest_without_text_fails_the_demo(results: list[dict[str, str]]) -> None:
    with pytest.raises(DemoError, match="one result of the type Text"):
        text_of({"results": results})
