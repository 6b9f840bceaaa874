"""The cloud tasks of a batch in a trigger's row."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import WaitError
from airflow_provider_asposeocr.batch.running import (
    LARGEST_ROW_BYTES,
    RunningTask,
    digest_of,
    fits_row,
    pack,
    unpack,
)
from tests.support.batch_tasks import running

NOW = 1_800_000_000.0


def aged(count: int) -> list[RunningTask]:
    """Return tasks of all ages up to the cloud's 24 hours, each seen running a moment ago."""
    tasks = []
    for number in range(count):
        (task,) = running(1, NOW - 10 - 86_000 * number / count)
        tasks.append(replace(task, seen_running_at=NOW))
    return tasks


def test_a_thousand_tasks_fit_into_40_kilobytes() -> None:
    row = pack(aged(1000))
    assert len(json.dumps(row)) <= LARGEST_ROW_BYTES
    assert fits_row(row)


def test_ids_of_another_form_are_kept_and_counted() -> None:
    """The cloud's ids are opaque; where they are long, the batch does not defer."""
    tasks = running((uuid.uuid4().hex.upper() * 3 for _ in range(1000)), NOW)
    assert [task.ref.id for task in unpack(pack(tasks))] == [task.ref.id for task in tasks]
    assert not fits_row(pack(tasks))
    assert fits_row(pack(tasks[:100]))


@pytest.mark.parametrize(
    "ids",
    [
        ["5f0c1b1e-0000-4000-8000-00000000000a"],
        ["5F0C1B1E-0000-4000-8000-00000000000A"],
        ["5f0c1b1e000040008000000000000000"],
        ["x", "5f0c1b1e-0000-4000-8000-00000000000a"],
    ],
)
def test_no_id_is_changed(ids: list[str]) -> None:
    assert [task.ref.id for task in unpack(pack(running(ids, NOW)))] == ids


def test_times_and_operations_survive() -> None:
    tasks = aged(50)
    read = unpack(json.loads(json.dumps(pack(tasks))))
    for before, after in zip(tasks, read, strict=True):
        assert after.ref.operation == before.ref.operation
        assert after.ref.conn_id == "ocr"
        assert abs(after.ref.submitted_epoch - before.ref.submitted_epoch) <= 0.1
        assert 0 <= before.seen_running_at - after.seen_running_at <= 1.1


def test_a_task_not_seen_running_is_none_that_was() -> None:
    assert [task.seen_running_at for task in unpack(pack(running(3, NOW)))] == [0.0, 0.0, 0.0]


def test_the_row_names_no_document() -> None:
    tasks = running(3, NOW, source_name="secret.png", source_uri="s3://bucket/secret.png", dag_id="d")
    assert "secret" not in json.dumps(pack(tasks))


ROW = pack(running(3, NOW))


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "row",
        {},
        {**ROW, "guids": ROW["guids"][:-4]},
        {**ROW, "guids": "no base64!"},
        {**ROW, "guids": ""},
        {**ROW, "guids": 7},
        {**ROW, "ids": [1, 2, 3]},
        {**ROW, "ids": 7},
        {**ROW, "operation": "0 1"},
        {**ROW, "operation": "0 1 9"},
        {**ROW, "operation": "0 1 x"},
        {**ROW, "operation": None},
        {**ROW, "operations": ["not an operation!"] * 3},
        {**ROW, "submitted_at": "soon"},
        {**ROW, "submitted_at": float("nan")},
        {**ROW, "submitted_at": 1e300},
        {**ROW, "after": f"0 0 {10**30}"},
        {**ROW, "conn_id": 5},
        pack(running(1001, NOW)),
    ],
    ids=lambda row: repr(row)[:60],
)
def test_a_row_that_makes_no_sense_is_said_to_be_one(row: Any) -> None:
    with pytest.raises(WaitError, match="row of a batch cannot be read"):
        unpack(row)


def test_a_digest_tells_tasks_and_their_order_apart() -> None:
    refs = [task.ref for task in running(3, NOW)]
    assert digest_of(refs) == digest_of(list(refs))
    assert len({digest_of(refs), digest_of(refs[::-1]), digest_of(refs[:2])}) == 3
