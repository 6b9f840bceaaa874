from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.emulator.cloud.lockout import LockOut, Record

LOCK_OUT = LockOut(allowed=5, seconds=600, success_resets=True)


@pytest.mark.parametrize(
    ("record", "now", "expected"),
    [
        (Record(), 0.0, None),
        (Record(5), 0.0, None),
        (Record(6, 600.0), 0.0, 600),
        (Record(6, 600.0), 0.5, 600),
        (Record(6, 600.0), 599.5, 1),
        (Record(6, 600.0), 600.0, None),
    ],
)
def test_waiting_time(record: Record, now: float, expected: int | None) -> None:
    assert LOCK_OUT.retry_after_seconds(record, now) == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (Record(), Record(1)),
        (Record(4), Record(5)),
        (Record(5), Record(6, 1600.0)),
        (Record(6, 900.0), Record(1)),  # The lock-out is over; counting starts again.
    ],
)
def test_after_a_failure(record: Record, expected: Record) -> None:
    assert LOCK_OUT.after_failure(record, 1000.0) == expected


def test_no_failure_allowed_locks_at_once() -> None:
    assert LockOut(0, 60, True).after_failure(Record(), 0.0) == Record(1, 60.0)


@pytest.mark.parametrize(("resets", "expected"), [(True, Record()), (False, Record(3))])
def test_after_a_success(resets: bool, expected: Record) -> None:
    assert LockOut(5, 600, resets).after_success(Record(3)) == expected


@given(gaps=st.lists(st.floats(0, 1000), max_size=60))
def test_never_more_than_the_allowed_failures_per_lock_out(gaps: list[float]) -> None:
    record, now, answered = Record(), 0.0, 0
    for gap in gaps:
        now += gap
        if LOCK_OUT.retry_after_seconds(record, now) is not None:
            continue
        record = LOCK_OUT.after_failure(record, now)
        answered = answered + 1 if record.locked_until is None else 0
        assert answered <= 5
