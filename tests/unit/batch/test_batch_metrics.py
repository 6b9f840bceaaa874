"""What a try of a batch tells Airflow's metrics."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_asposeocr import metrics
from airflow_provider_asposeocr.batch.metrics import counted
from airflow_provider_asposeocr.documents.manifest import parse_manifest

WHEN = datetime(2026, 11, 30, tzinfo=UTC).isoformat()


class Sink:
    """Counts what it is sent, by name and operation."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str | None], float] = defaultdict(float)

    def _take(self, name: str, value: float, tags: dict[str, str] | None) -> None:
        self.sent[name, tags["operation"] if tags else None] += value

    def incr(self, name: str, value: int, *, tags: dict[str, str] | None) -> None:
        self._take(name, value, tags)

    def timing(self, name: str, value: float, *, tags: dict[str, str] | None) -> None:
        self._take(name, value, tags)


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    sink = Sink()
    monkeypatch.setattr(metrics, "_sink", lambda: sink)
    return sink


def row(index: int, **changes: Any) -> Any:
    step = {"operation": "RecognizeImage", "id": "x", "submitted_at": WHEN, "seconds": 2.0, "submits": 2}
    result = {"type": "Text", "uri": "/out/a.txt", "bytes": 10, "sha256": "0" * 64, "skipped": False}
    fields: dict[str, Any] = {
        "schema_version": 1,
        "index": index,
        "documents": 3,
        "source": "/in/a.png",
        "task": None,
        "outcome": "succeeded",
        "steps": [step],
        "results": [result],
        "try": 2,
        **changes,
    }
    return parse_manifest(fields)


def test_it_counts_what_this_try_has_brought(sink: Sink) -> None:
    error = {
        "class": "TaskFailedError",
        "message": "m",
        "operation": "BinarizeImage",
        "billed": "yes",
        "retryable": True,
    }
    rows = [
        row(0),
        row(1, **{"try": 1}),
        row(2, outcome="failed", error=error, steps=[], results=[]),
    ]
    assert list(counted(rows, try_number=2)) == rows
    assert sink.sent == {
        ("aspose_ocr.submits", "RecognizeImage"): 2,
        ("aspose_ocr.resubmits", "RecognizeImage"): 1,
        ("aspose_ocr.cloud_seconds", "RecognizeImage"): 2000,
        ("aspose_ocr.results", "RecognizeImage"): 1,
        ("aspose_ocr.result_bytes", "RecognizeImage"): 10,
        ("aspose_ocr.failures", "BinarizeImage"): 1,
    }


def test_a_sink_that_does_not_work_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("no such host")

    monkeypatch.setattr(metrics, "_sink", broken)
    metrics.count("submits")


def test_airflow_s_own_sink_takes_them() -> None:
    sink = metrics._sink()
    sink.incr("aspose_ocr.submits", 1, tags=None)
    sink.timing("aspose_ocr.cloud_seconds", 2000.0, tags={"operation": "RecognizeImage"})
