"""What the logs say of a wait, in words for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_provider_asposeocr.api.polling.progress import (
    Progress,
    document_text,
    duration_text,
    moment_text,
    size_text,
    task_text,
)
from airflow_provider_asposeocr.api.responses import TaskRef

SUBMITTED = datetime(2026, 3, 1, 18, 12, 50, tzinfo=UTC)
T0 = SUBMITTED.timestamp()
REF = TaskRef(
    operation="RecognizeImage", id="id-1", submitted_at=SUBMITTED, conn_id="ocr", source_name="page.png"
)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (18_400, "18 kB"),
        (999_499, "999 kB"),
        (999_600, "1 MB"),
        (5_300_000, "5 MB"),
        (2_000_000_000, "2.0 GB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.4, "0 s"),
        (8, "8 s"),
        (119, "119 s"),
        (120, "2 min"),
        (3600, "60 min"),
        (7140, "119 min"),
        (7200, "2 h"),
        (11_100, "3 h 5 min"),
        (86_400, "24 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_a_moment_has_its_time_zone_and_its_distance() -> None:
    assert moment_text(T0 + 3600, T0) == "19:12 UTC, in 60 min"


def test_names_are_foreign_text() -> None:
    assert document_text("page.png", 18_400) == "page.png (18 kB)"
    assert document_text(None, None) == "a document"
    hostile = "\x1b[2J\n" + "x" * 1000
    for text in (
        document_text(hostile, 1),
        task_text(REF.model_copy(update={"source_name": hostile, "id": "\n" * 200})),
    ):
        assert text.isprintable()
        assert len(text) < 300
    assert task_text(REF) == "RecognizeImage id-1 (page.png)"
    assert task_text(REF.model_copy(update={"source_name": None})) == "RecognizeImage id-1"


def test_a_long_wait_is_mentioned_at_growing_intervals() -> None:
    progress = Progress(REF, T0 + 7200, T0)
    assert progress.begun() == "Waiting for RecognizeImage id-1 (page.png) until at most 20:12 UTC, in 2 h"
    said = {second: line for second in range(10, 7200, 10) if (line := progress.polled(T0 + second))}
    assert list(said) == [60, 120, 240, 480, 960, 1920, 3840]
    assert said[240] == (
        "Still waiting for RecognizeImage id-1 (page.png): 4 min after its submit, 24 polls; "
        "the deadline is 20:12 UTC, in 116 min"
    )


def test_its_end() -> None:
    progress = Progress(REF, T0 + 3600, T0)
    assert progress.completed(T0 + 8).endswith("(page.png) is completed, 8 s after its submit")
    progress.polled(T0 + 2)
    assert progress.completed(T0 + 8).endswith("8 s after its submit, after 1 poll")
    progress.polled(T0 + 4)
    assert progress.completed(T0 + 8).endswith("8 s after its submit, after 2 polls")
