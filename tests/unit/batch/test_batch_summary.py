"""
The summary of a batch: what it counts, when the task is green, and what a red one says.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import SourceError, TaskFailedError
from airflow_provider_asposeocr.batch.summary import (
    MOST_BYTES,
    Tally,
    allowed_failures,
    check_max_failures,
    failure_text,
    is_green,
)
from airflow_provider_asposeocr.documents.manifest import OUTCOMES, DocumentError, Manifest


def row(outcome: str, **fields: Any) -> Manifest:
    return Manifest.model_validate({"outcome": outcome, "source": "s3://c@in/a.png", "index": 0, **fields})


FAILED = row("failed", error=DocumentError.of(TaskFailedError("The cloud says no."), 1))
UNREAD = row("failed", source="/in/b.png", error=DocumentError.of(SourceError("There is no file.")))


def tally_of(*rows: Manifest) -> Tally:
    tally = Tally()
    for each in rows:
        tally.add(each)
    return tally


def test_says_what_the_rows_add_up_to() -> None:
    tally = tally_of(
        row("succeeded"), row("succeeded", maybe_billed_twice=True), FAILED, UNREAD, row("not_started")
    )
    none: dict[str, Any] = dict.fromkeys(OUTCOMES, 0)
    assert tally.summary("s3://out/m.jsonl", 9) == {
        "manifest": "s3://out/m.jsonl",
        "documents": 5,
        **none,
        "succeeded": 2,
        "failed": 2,
        "not_started": 1,
        "submits": 9,
        "maybe_billed_twice": 1,
        "errors": {"TaskFailedError": 1, "SourceError": 1},
        "examples": [
            {"index": 0, "source": "s3://c@in/a.png", "outcome": "failed", "error": "TaskFailedError"},
            {"index": 0, "source": "/in/b.png", "outcome": "failed", "error": "SourceError"},
            {"index": 0, "source": "s3://c@in/a.png", "outcome": "not_started"},
        ],
    }
    assert tally.retryable


def test_has_at_most_ten_examples_and_cuts_names() -> None:
    rows = [row("failed", source=f"/{number}{'x' * 300}.png") for number in range(20)]
    examples = tally_of(*rows).summary("/m", 0)["examples"]
    assert len(examples) == 10
    assert {len(example["source"]) for example in examples} == {120}


def test_shows_nothing_that_breaks_a_screen_or_opens_a_file() -> None:
    rows = [row("failed", source="s3://b/\x1b[2J?X-Amz-Signature=0011223344")]
    text = failure_text(tally_of(*rows).summary("/m", 0), 0)
    assert "\x1b" not in text
    assert "0011223344" not in text


def test_the_uri_of_the_manifest_outlasts_examples() -> None:
    uri = "s3://b/" + "é" * 500
    rows = [row("failed", source="😀" * 300) for _ in range(10)]
    summary = tally_of(*rows).summary(uri, 0)
    assert summary["manifest"] == uri
    assert len(json.dumps(summary)) < MOST_BYTES


@pytest.mark.parametrize(
    ("counts", "max_failures", "green"),
    [
        ({"succeeded": 100}, 0, True),
        ({"succeeded": 99, "failed": 1}, 0, False),
        ({"succeeded": 99, "failed": 1}, 1, True),
        ({"succeeded": 98, "failed": 2}, 0.02, True),
        ({"succeeded": 97, "failed": 3}, 0.02, False),
        ({"succeeded": 96, "failed": 3}, 0.03, False),  # 2.97 documents are 2
        ({"succeeded": 71, "failed": 29}, 0.29, True),  # 28.999999999999996 in binary
        ({"succeeded": 70, "failed": 30}, 0.29, False),
        ({"succeeded": 99, "low_quality": 1}, 0, False),
        ({"succeeded": 99, "not_started": 1}, 50, False),
        ({"succeeded": 99, "cancelled": 1}, 50, False),
        ({"succeeded": 1, "skipped": 1, "duplicate": 1, "gone": 1, "busy": 1, "changed": 1}, 0, True),
    ],
    ids=str,
)
def test_when_the_task_is_green(counts: dict[str, int], max_failures: float, green: bool) -> None:
    assert is_green(counts, max_failures) is green


def test_a_document_that_has_failed_for_good_counts_and_is_no_reason_for_a_retry() -> None:
    tally = tally_of(row("succeeded"), FAILED.model_copy(update={"final": True}))
    assert not is_green(tally.counts, 0)
    assert not tally.retryable
    assert tally_of(FAILED).retryable


@pytest.mark.parametrize("value", [0, 1, 500, 0.0, 0.02, 0.999])
def test_what_max_failures_may_be(value: float) -> None:
    check_max_failures(value)


@pytest.mark.parametrize("value", [-1, -0.1, 1.0, 2.5, True, "1", None, float("nan"), float("inf")])
def test_what_max_failures_may_not_be(value: Any) -> None:
    with pytest.raises(ValueError, match="max_failures is a number of documents"):
        check_max_failures(value)


def test_one_failure_of_one_is_not_a_share() -> None:
    assert allowed_failures(10, 1) == 1
    assert allowed_failures(10, 0.99) == 9


def test_a_red_task_says_in_one_message_what_happened() -> None:
    tally = tally_of(row("succeeded"), FAILED, UNREAD, row("not_started"))
    assert failure_text(tally.summary("s3://out/m.jsonl", 4), 1) == (
        "Of 4 documents, 2 failed and 1 were not started; max_failures allows 1 to fail. Errors: 1 TaskFailedError, "
        "1 SourceError. The first: s3://c@in/a.png (TaskFailedError); /in/b.png (SourceError); s3://c@in/a.png "
        "(not_started). All rows: s3://out/m.jsonl."
    )
