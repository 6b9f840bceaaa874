"""Tasks of a DAG that recognize one page, fetch its result, or read a folder, with waits that poll at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


#: A reference to a cloud task, as the hook returns it.
CLOUD_TASK = {
    "operation": "RecognizeImage",
    "id": "id-1",
    "submitted_at": "2026-03-01T12:00:00+00:00",
    "conn_id": "ocr",
}
#: A reference to a cloud task, as a submit operator returns it.
REF = {**CLOUD_TASK, "task_id": "recognize", "dag_id": "d", "run_id": "r"}


def recognize(source: Any, cls: Any = AsposeOcrRecognizeImageOperator, **given: Any) -> Any:
    """Return a task that submits a source."""
    fields = {"task_id": "recognize", "aspose_ocr_conn_id": "ocr", "poll_interval_seconds": 0.05}
    return cls(source=source, **{**fields, "max_poll_interval_seconds": 0.1, **given})


def fetch(task: Any, destination: Any, **given: Any) -> Any:
    """Return a task that waits for a cloud task and stores its results."""
    fields = {"task_id": "fetch", "poll_interval_seconds": 0.05, "max_poll_interval_seconds": 0.1}
    return AsposeOcrFetchResultOperator(task=task, destination=str(destination), **{**fields, **given})


def read_all(sources: Any, destination: Any, **given: Any) -> AsposeOcrBatchOperator:
    """Return a task that recognizes documents and stores their results."""
    fields = {"task_id": "read", "aspose_ocr_conn_id": "ocr", "poll_interval_seconds": 0.05}
    steps = ["RecognizeImage"]
    return AsposeOcrBatchOperator(
        sources=sources,
        steps=steps,
        destination=f"{destination}/",
        **{**fields, "max_poll_interval_seconds": 0.1, **given},
    )


def completed(cloud: EmulatorControl) -> None:
    """Return when all cloud tasks have ended."""
    hook = AsposeOcrHook("ocr")
    for task in cloud.tasks():
        ref = {**REF, "operation": task["operation"], "id": task["id"], "submitted_at": now_text()}
        hook.wait(ref, poll_interval_seconds=0.02, max_poll_interval_seconds=0.05)


def now_text() -> str:
    return datetime.now(UTC).isoformat()
