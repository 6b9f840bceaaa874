"""How long a worker of a batch will have nothing to do."""

from __future__ import annotations

import json
from bisect import bisect_left

import pytest

from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.batch.forecast import will_be_idle


def book_of(*seconds: float) -> DurationBook:
    book = DurationBook()
    for each in seconds:
        book.entry("RecognizeImage", 1000).observe(each * 0.95, each)
    return book


@pytest.fixture
def known() -> DurationBook:
    return book_of(*[300.0] * 30)


def running(book: DurationBook, *ages: float) -> float:
    """Return for how many seconds a worker would be idle, at most 1000."""
    tasks = [(age, book.entry("RecognizeImage", 1000)) for age in ages]
    return bisect_left(range(1000), True, key=lambda seconds: not will_be_idle(tasks, seconds))


def test_nothing_runs() -> None:
    assert not will_be_idle([], 100.0)


@pytest.mark.parametrize("book", [DurationBook(), book_of(300.0, 300.0)], ids=["nothing", "too little"])
def test_while_durations_are_not_known_the_batch_stays_until_its_tasks_have_run_for_a_while(
    book: DurationBook,
) -> None:
    assert running(book, *[1.0] * 100) < 5
    assert running(book, *[20.0] * 100) < 30
    assert running(book, *[40.0] * 100) > 30
    assert running(book, *[40.0] * 50, *[1.0] * 50) < 30


def test_tasks_that_began_together_leave_the_worker_idle_until_they_end(known: DurationBook) -> None:
    assert 250 < running(known, *[0.0] * 100) < 310
    assert 50 < running(known, *[200.0] * 100) < 110


def test_a_quarter_is_enough_to_be_wanted_again(known: DurationBook) -> None:
    soon = running(known, *[290.0] * 40, *[0.0] * 60)
    assert soon < 40


def test_a_few_that_end_soon_do_not_hold_the_worker(known: DurationBook) -> None:
    assert running(known, *[290.0] * 5, *[0.0] * 95) > 200


def test_the_last_one_is_waited_for_where_it_ends_soon(known: DurationBook) -> None:
    assert running(known, 280.0) < 40
    assert 200 < running(known, 50.0) < 260


def test_what_was_learned_goes_through_a_journal(known: DurationBook) -> None:
    again = DurationBook.from_dict(json.loads(json.dumps(known.to_dict())))
    assert running(again, *[0.0] * 8) == pytest.approx(running(known, *[0.0] * 8), abs=2)
    assert len(json.dumps(known.to_dict())) < 1000


def test_what_another_version_has_learned_is_learned_again() -> None:
    assert len(DurationBook.from_dict({"version": 999, "kinds": [["RecognizeImage", None, {}]]})) == 0
