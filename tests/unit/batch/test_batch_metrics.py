"""What a batch tells Airflow's metrics."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import metrics
from airflow_provider_asposeocr.batch.metrics import BatchMetrics, Numbers
from airflow_provider_asposeocr.batch.records import Cancelled, Done, Failed, Intent, Reference, Withdrawn
from airflow_provider_asposeocr.batch.state import BatchState
from tests.support.batch_world import BEGINNING, OPERATIONS, small_batch

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.records import Record


def state_after(*records: Record) -> BatchState:
    state = BatchState()
    for record in records:
        state.apply(record)
    return state


def counted(state: BatchState, *commits: tuple[Record, ...]) -> dict[str, int]:
    """Return what a process that finds this state counts of its own commits, by metric."""
    counting = BatchMetrics(small_batch(3), state)
    for records in commits:
        counting.take(records)
        for record in records:
            state.apply(record)
    numbers, found = counting.drain(), Counter[str]()
    assert counting.drain() == Numbers()
    for (name, _), number in numbers.sums.items():
        found[name] += number
    found["cloud_seconds"] = round(sum(seconds for _, seconds in numbers.durations))
    return {name: number for name, number in found.items() if number}


def reference(document: int, step: int) -> Reference:
    return Reference(document, step, OPERATIONS[step], f"id-{document}-{step}", BEGINNING, 1, "aa")


ERROR = {"error": "TaskFailedError", "message": "No.", "retryable": True}
RESULT = {"type": "Text", "uri": "/out/a.txt", "bytes": 10, "sha256": "0" * 64, "skipped": False}


@pytest.mark.parametrize(
    ("before", "commits", "numbers"),
    [
        ((), [(Intent(0, 0),)], {}),
        ((), [(Intent(0, 0),), (reference(0, 0),)], {"submits": 1}),
        ((), [(Intent(0, 0),), (Withdrawn(0, 0),), (Intent(0, 0),), (reference(0, 0),)], {"submits": 1}),
        ((), [(Intent(0, 0),), (Withdrawn(0, 0), Failed(0, 0, ERROR, True, 1))], {"failures": 1}),
        ((), [(Intent(0, 0),), (Intent(0, 0, "unknown"),)], {"submits": 1}),
        (
            (),
            [(Intent(0, 0),), (Intent(0, 0, "unknown"),), (reference(0, 0),)],
            {"submits": 2, "resubmits": 1},
        ),
        ((), [(Intent(0, 0),), (Failed(0, 0, ERROR, True, 1, True),)], {"submits": 1, "failures": 1}),
        ((Intent(0, 0),), [(Intent(0, 0, "unknown"),), (reference(0, 0),)], {"submits": 2, "resubmits": 1}),
        (
            (Intent(0, 0), reference(0, 0)),
            [(Done(0, {"results": [RESULT]}),)],
            {"results": 1, "result_bytes": 10},
        ),
        (
            (Intent(0, 0), reference(0, 0), Failed(0, 0, ERROR, True, 1)),
            [(Intent(0, 0),), (reference(0, 0),), (Failed(0, 0, ERROR, True, 2),)],
            {"submits": 1, "resubmits": 1, "failures": 1},
        ),
        ((Intent(0, 0), reference(0, 0)), [(Cancelled(0, 0),)], {"cancels": 1}),
        (
            (Intent(0, 0), reference(0, 0)),
            [(Intent(0, 1, None, 3.0),), (Withdrawn(0, 1),), (Intent(0, 1, None, 3.0),), (reference(0, 1),)],
            {"submits": 1, "cloud_seconds": 3},
        ),
        (
            (Intent(0, 0), reference(0, 0)),
            [
                (Intent(0, 1, None, 3.0),),
                (reference(0, 1),),
                (Intent(0, 2, None, 4.0),),
                (reference(0, 2),),
                (Done(0, {"seconds": 5.0}),),
            ],
            {"submits": 2, "cloud_seconds": 12},
        ),
    ],
    ids=[
        "a submit without an answer is not counted yet",
        "an accepted submit",
        "one that was refused and sent later",
        "one that was refused for good",
        "one that was never answered",
        "and sent again",
        "and not sent again",
        "never answered in an earlier process",
        "results of an earlier submit",
        "a failure of each try",
        "a cancel",
        "a cloud task whose next submit was refused",
        "three steps",
    ],
)
def test_each_event_counts_once(
    before: tuple[Record, ...], commits: list[tuple[Record, ...]], numbers: dict[str, int]
) -> None:
    assert counted(state_after(*before), *commits) == numbers


def test_documents_that_were_refused_unsent_count_as_failures() -> None:
    batch = small_batch(3)
    refused = replace(batch.documents[1], decided={"outcome": "failed"})
    skipped = replace(batch.documents[2], decided={"outcome": "skipped"})
    counting = BatchMetrics(replace(batch, documents=(batch.documents[0], refused, skipped)), BatchState())
    counting.count_decided()
    assert counting.drain().sums == {("failures", None): 1}


def test_a_sink_that_does_not_work_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("no such host")

    monkeypatch.setattr(metrics, "_sink", broken)
    metrics.count("submits")


def test_airflow_s_own_sink_takes_them() -> None:
    sink = metrics._sink()
    sink.incr("aspose_ocr.submits", 1, tags=None)
    sink.timing("aspose_ocr.cloud_seconds", 2000.0, tags={"operation": "RecognizeImage"})
