"""How documents of a batch that has ended are gone on with, and when their claims stay open: by what its journal says."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.batch.adoption import (
    UNSURE,
    FailedBefore,
    NeverBegun,
    NothingSent,
    Sent,
    Stored,
    judge,
)
from airflow_provider_asposeocr.batch.closing import closing_of
from airflow_provider_asposeocr.batch.left import LeftBatch
from airflow_provider_asposeocr.batch.records import (
    Cancelled,
    Claimed,
    Done,
    Failed,
    Handed,
    Intent,
    Keyed,
    Record,
    Reference,
    Settled,
    Withdrawn,
)
from airflow_provider_asposeocr.batch.state import BatchState
from tests.support.batch_world import small_batch

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0123456789ab"
KEYED, CLAIMED, INTENT = Keyed(0, KEY, {}), Claimed(0, 1), Intent(0, 0)
REFERENCE = Reference(0, 0, "UpscaleImage", "id", 1.0, 10, "00")
FAILED = Failed(0, 0, {"error": "E", "message": "m", "billed": "maybe"}, True, 1, True)
RUNS = (KEYED, CLAIMED, INTENT, REFERENCE)


def left_with(*records: Record) -> LeftBatch:
    state = BatchState()
    for record in records:
        state.apply(record)
    return LeftBatch(small_batch(1), state)


@pytest.mark.parametrize(
    ("records", "found", "word"),
    [
        ((), NeverBegun, None),
        ((KEYED,), NeverBegun, "released"),
        ((KEYED, CLAIMED), NothingSent, "released"),
        ((KEYED, CLAIMED, INTENT), Sent, None),
        ((KEYED, CLAIMED, INTENT, Withdrawn(0, 0)), NothingSent, "released"),
        (RUNS, Sent, None),
        ((*RUNS, Intent(0, 1), Withdrawn(0, 1)), Sent, None),
        ((*RUNS, Done(0, {})), Stored, "done"),
        ((*RUNS, FAILED), FailedBefore, "failed"),
        ((*RUNS, Failed(0, 0, {"error": "E", "message": "m"}, False, 1)), Sent, None),
        ((*RUNS, Cancelled(0, 0)), NothingSent, "released"),
        # A second submit was refused: the first one may still have been billed.
        ((KEYED, CLAIMED, INTENT, Intent(0, 0, "unknown"), Withdrawn(0, 0)), Sent, None),
        # The source was gone at the retry: it may have been sent before.
        ((KEYED, CLAIMED, INTENT, Settled(0, "gone", {}, 1)), Sent, None),
        ((KEYED, CLAIMED, INTENT, FAILED), FailedBefore, "failed"),
        # Another batch has taken it over, and has died at once: what was known counts for the next one.
        ((KEYED, CLAIMED, INTENT, Handed(0, "/j/")), Sent, None),
        ((KEYED, CLAIMED, INTENT, Intent(0, 0, "unknown"), Withdrawn(0, 0), Handed(0, "/j/")), Sent, None),
        ((*RUNS, Handed(0, "/j/")), Sent, None),
    ],
)
def test_what_a_journal_says(records: tuple[Record, ...], found: type, word: str | None) -> None:
    left = left_with(*records)
    assert isinstance(judge(left, 0, KEY, ""), found)
    known = left.state.documents.get(0)
    if known is not None and known.has_claim:
        assert closing_of(known, comes_back=False) == word


def test_a_task_of_another_account_cannot_be_gone_on_with() -> None:
    assert judge(left_with(*RUNS), 0, KEY, "other") == UNSURE
    assert isinstance(judge(left_with(KEYED, CLAIMED), 0, KEY, "other"), NothingSent)


def test_another_content_is_another_document() -> None:
    assert isinstance(judge(left_with(*RUNS), 0, KEY.replace("9", "8"), ""), NeverBegun)
