"""What a batch tells Airflow's metrics."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import metrics
from airflow_provider_asposeocr.batch.metrics import BatchMetrics, Numbers, noted
from airflow_provider_asposeocr.batch.records import (
    Adopted,
    Cancelled,
    Done,
    Failed,
    Intent,
    Reference,
    Settled,
    Withdrawn,
)
from airflow_provider_asposeocr.batch.state import BatchState
from airflow_provider_asposeocr.batch.woken import Duration, Woken
from airflow_provider_asposeocr.documents.manifest import Manifest
from tests.support.batch_engine import STEPS, batch_in, begin_journal, results_in, run_try
from tests.support.batch_world import BEGINNING, OPERATIONS, small_batch

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.emulator.server import Emulator
    from tests.support.metric_sink import Sink


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
            {"submits": 1, "failures": 1},
        ),
        ((Intent(0, 0), reference(0, 0)), [(Cancelled(0, 0),)], {}),
        (
            (),
            [(Settled(0, "duplicate", {}, 1),), (Settled(1, "failed", {}, 1, ERROR),)],
            {"duplicates": 1, "failures": 1},
        ),
        ((), [(Settled(0, "busy", {}, 1),)], {}),
        ((), [(Adopted(0, state_after(Intent(0, 0), reference(0, 0)).of(0).to_dict()),)], {"reattached": 1}),
        ((), [(Adopted(0, state_after(Intent(0, 0)).of(0).to_dict()),)], {}),
        (
            (Intent(0, 0), reference(0, 0)),
            [(Intent(0, 1, None, 3.0),), (Withdrawn(0, 1),), (Intent(0, 1, None, 3.0),), (reference(0, 1),)],
            {"submits": 1},
        ),
        (
            (),
            [
                (Intent(0, 0),),
                (reference(0, 0),),
                (Intent(0, 1, None, 3.0),),
                (Withdrawn(0, 1),),
                (Intent(0, 1, None, 3.0),),
                (reference(0, 1),),
                (Intent(0, 2, None, 4.0),),
                (reference(0, 2),),
                (Done(0, {"seconds": 5.0}),),
            ],
            {"submits": 3, "cloud_seconds": 12},
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
        "a cancel, which is counted where the cloud confirms it",
        "documents that the register knows",
        "a document that another batch reads",
        "a cloud task that is taken over from another batch",
        "a submit without an answer that is taken over",
        "a cloud task of an earlier process, which may have ended long before this one",
        "three steps, of which a submit was refused",
    ],
)
def test_each_event_counts_once(
    before: tuple[Record, ...], commits: list[tuple[Record, ...]], numbers: dict[str, int]
) -> None:
    assert counted(state_after(*before), *commits) == numbers


def test_documents_that_are_not_sent_count_once() -> None:
    batch = small_batch(4)
    decided = [
        replace(document, decided={"outcome": outcome})
        for document, outcome in zip(batch.documents[1:], ("failed", "skipped", "duplicate"), strict=True)
    ]
    counting = BatchMetrics(replace(batch, documents=(batch.documents[0], *decided)), BatchState())
    counting.count_decided()
    assert counting.drain().sums == {("failures", None): 1, ("duplicates", None): 1}


def test_a_deferral_is_part_of_the_wait_and_not_of_the_cloud_s_time() -> None:
    """What ended while the batch was deferred was seen by the trigger, which tells how long it took."""
    woken = Woken("all have ended", durations=(Duration(OPERATIONS[0], 5.0, 7.5),))
    state = state_after(Intent(0, 0), reference(0, 0))
    counting = BatchMetrics(small_batch(1), state, woken)
    counting.take((Intent(0, 1, None, 60.0),))
    numbers = counting.drain()
    assert numbers.durations == [(OPERATIONS[0], 7.5)]
    assert numbers.waits == [(OPERATIONS[0], 60.0)]


def test_cloud_tasks_that_a_retry_goes_on_with() -> None:
    ended = (Intent(1, 0), reference(1, 0), Failed(1, 0, ERROR, True, 1))
    counting = BatchMetrics(small_batch(3), state_after(Intent(0, 0), reference(0, 0), *ended, Intent(2, 0)))
    counting.count_reattached()
    assert counting.drain().sums == {("reattached", OPERATIONS[0]): 1}


@pytest.mark.parametrize(
    ("outcomes", "age_seconds"),
    [(["succeeded", "skipped"], 0.0), (["succeeded", "failed"], 60.0), (["not_started"], 60.0), ([], 0.0)],
)
def test_the_age_of_what_a_later_run_has_to_look_at(
    sink: Sink, outcomes: list[Any], age_seconds: float
) -> None:
    rows = [Manifest(index=index, outcome=outcome) for index, outcome in enumerate(outcomes)]
    assert list(noted(rows, 60.0)) == rows
    assert sink.gauges == {"oldest_unsettled_seconds": age_seconds}


def test_a_batch_tells_each_thing_once(aspose_ocr_emulator: Emulator, tmp_path: Path, sink: Sink) -> None:
    begin_journal(tmp_path, batch_in(tmp_path, 3, STEPS[1:]))
    control = aspose_ocr_emulator.control
    for try_number in (1, 2):
        control.add_faults({"kind": "task_error", "messages": ["m"], "count": 1})
        asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, try_number=try_number))
    control.add_faults({"kind": "task_stuck", "count": 1})
    asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, try_number=3, timeout_seconds=0.3))
    stored = results_in(tmp_path).values()
    assert sink.counts["submits", "BinarizeImage"] == 5 == control.billing()["BinarizeImage"]
    assert sink.counts["failures", "BinarizeImage"] == 3
    assert sink.counts["cancels", "BinarizeImage"] == 1
    assert sink.counts["results", "RecognizeImage"] == len(stored) == 2
    assert sink.counts["result_bytes", "RecognizeImage"] == sum(len(text.encode()) for text in stored)
    assert len(sink.seconds["cloud_seconds", "BinarizeImage"]) == 2
    assert len(sink.seconds["wait_seconds", "RecognizeImage"]) == 2


def test_a_sink_that_does_not_work_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Any:
        raise RuntimeError("no such host")

    monkeypatch.setattr(metrics, "_sink", broken)
    metrics.count("submits")


def test_airflow_s_own_sink_takes_them() -> None:
    sink = metrics._sink()
    sink.incr("aspose_ocr.submits", 1, tags=None)
    sink.timing("aspose_ocr.cloud_seconds", 2000.0, tags={"operation": "RecognizeImage"})
