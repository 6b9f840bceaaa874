"""The event that wakes the worker of a batch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import QuotaExceededError
from airflow_provider_asposeocr.batch.woken import MOST_DURATIONS, Duration, Woken, read_event

DURATIONS = tuple(Duration("RecognizeImage", number + 0.5, number + 1.5) for number in range(3))


def sent(woken: Woken) -> Any:
    return json.loads(json.dumps(woken.to_event()))


def test_it_is_read_as_it_was_written() -> None:
    woken = Woken(
        "a share has ended",
        frozenset({0, 7, 999}),
        "0123456789abcdef",
        DURATIONS,
        cancelled=frozenset({1, 998}),
    )
    assert read_event(sent(woken)) == woken


def test_an_event_of_an_earlier_version_names_nothing_cancelled() -> None:
    event = sent(Woken("deadline", frozenset({1}), "d", cancelled=frozenset({2})))
    del event["cancelled"]
    assert read_event(event) == Woken("deadline", frozenset({1}), "d")


def test_the_error_of_an_account_arrives_as_itself() -> None:
    read = read_event(sent(Woken("error", error=QuotaExceededError("The plan is used up."))))
    assert isinstance(read.error, QuotaExceededError)
    assert read.error.message == "The plan is used up."


def test_it_is_small_for_a_thousand_tasks() -> None:
    many = tuple(Duration("RecognizeImage", 100.123456, 200.123456) for _ in range(1000))
    event = Woken("all have ended", frozenset(range(1000)), "0" * 16, many).to_event()
    assert len(json.dumps(event)) < 3000
    assert len(event["durations"]) == MOST_DURATIONS


GOOD = Woken("deadline", frozenset({1}), "d", DURATIONS).to_event()


@pytest.mark.parametrize(
    "event",
    [
        None,
        "woken",
        [],
        {},
        {**GOOD, "because": "of something later"},
        {**GOOD, "because": ["deadline"]},
        {**GOOD, "ended": "no number"},
        {**GOOD, "ended": None},
        {**GOOD, "cancelled": 3},
        {**GOOD, "durations": [["RecognizeImage"]]},
        {**GOOD, "durations": [["RecognizeImage", "soon", 1]]},
        {**GOOD, "durations": 3},
        {"because": "deadline"},
    ],
    ids=lambda event: repr(event)[:60],
)
def test_what_is_not_understood_names_nothing(event: Any) -> None:
    assert read_event(event) == Woken()
