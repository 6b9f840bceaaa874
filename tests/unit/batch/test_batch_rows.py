"""The rows of a batch's manifest: what they say of documents that were not started, also when they are written again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import TaskUnknownError
from airflow_provider_asposeocr.batch.ending import Ended
from airflow_provider_asposeocr.batch.left import LeftBatch, read_batch
from airflow_provider_asposeocr.batch.records import Intent, Reference, Refused, Undecided
from airflow_provider_asposeocr.batch.state import BatchState
from airflow_provider_asposeocr.batch.verdicts import error_to_dict
from tests.support.batch_engine import STEPS, batch_in, begin_journal, journal_of, run_try
from tests.support.batch_world import BEGINNING, OPERATIONS, small_batch

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.emulator.server import Emulator

#: A poll of document 0, at its second step, was refused.
REFUSED = Refused(
    {
        "error": "QuotaExceededError",
        "message": "The plan is used up.",
        "operation": OPERATIONS[1],
        "task_id": "id-0",
        "billed": "no",
        "retryable": False,
    },
    1,
)


def state_after(*records: Record) -> BatchState:
    state = BatchState()
    for record in records:
        state.apply(record)
    return state


def test_the_refusal_of_the_account_is_told_of_each_document_and_names_no_step_of_another() -> None:
    reference = Reference(0, 0, OPERATIONS[0], "id-0", BEGINNING, 1, "aa")
    left = LeftBatch(small_batch(3), state_after(Intent(0, 0), reference, REFUSED))
    errors = [row.error for row in left.rows()]
    assert len(set(map(repr, errors))) == 1
    assert errors[0] is not None
    assert (errors[0].name, errors[0].message) == ("QuotaExceededError", "The plan is used up.")
    assert (errors[0].step, errors[0].operation, errors[0].billed) == (None, None, "no")


def test_a_submit_without_an_answer_is_told_of_its_document() -> None:
    reference = Reference(0, 0, OPERATIONS[0], "id-0", BEGINNING, 1, "aa")
    left = LeftBatch(small_batch(1), state_after(Intent(0, 0), reference, Intent(0, 1), REFUSED))
    (row,) = left.rows()
    assert row.error is not None
    assert (row.error.name, row.error.step, row.error.operation) == ("SubmitUnknownError", 1, OPERATIONS[1])
    assert row.error.billed == "maybe"


def test_what_happened_to_the_document_itself_comes_first() -> None:
    reference = Reference(0, 0, OPERATIONS[0], "id-0", BEGINNING, 1, "aa")
    own = error_to_dict(TaskUnknownError("The cloud does not know the task.", operation=OPERATIONS[0]))
    state = state_after(Intent(0, 0), reference, REFUSED, Undecided(0, 0, own))
    (row,) = LeftBatch(small_batch(1), state).rows()
    assert row.error is not None
    assert (row.error.name, row.error.step, row.error.operation) == ("TaskUnknownError", 0, OPERATIONS[0])


def test_rows_that_are_written_again_say_the_same(aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
    refusal = {"kind": "status", "status": 402, "method": "POST", "path": "BinarizeImage"}
    aspose_ocr_emulator.control.add_faults({**refusal, "probability": 1.0})
    begin_journal(tmp_path, batch_in(tmp_path, 5, STEPS))
    ended = asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, max_in_flight=3))
    assert isinstance(ended, Ended)
    assert (ended.stopped, ended.counts) == ("account", {"not_started": 5})
    rows = list(ended.rows())
    assert {row.error.name for row in rows if row.error} == {"QuotaExceededError"}
    assert {(row.error.step, row.error.operation) for row in rows if row.error} == {(None, None)}
    again = read_batch(str(journal_of(tmp_path)))
    assert [row.error for row in again.rows()] == [row.error for row in rows]
