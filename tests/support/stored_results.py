"""Results that are stored, and the folder that they are stored in."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results.download import Download, Result

if TYPE_CHECKING:
    from pathlib import Path


REF = TaskRef(
    operation="RecognizeImage",
    id="id-1",
    submitted_at=datetime(2026, 3, 1, tzinfo=UTC),
    conn_id="ocr",
    source_name="page.png",
)


def result(folder: Path, type: str | None, data: bytes) -> Result:
    """Return a result whose data is in a new file of a folder."""
    path = folder / f"{len(list(folder.iterdir()))}.result"
    path.write_bytes(data)
    return Result(type, path, len(data), hashlib.sha256(data).hexdigest())


def done(*results: Result) -> Download:
    """Return what a fetch of a completed cloud task brings."""
    state = TaskState(
        taskStatus="Completed", responseStatusCode="Ok", error={"messages": ["m"], "warnings": ["w"]}
    )
    return Download(state, results)


def listing(folder: Path) -> dict[str, bytes]:
    """Return all files but the owner records."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in files.items() if ".aspose-ocr/owners/" not in name}
