"""The quick reading of a status returns the same as the thorough one, for any bytes and any pieces of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.http import status_reading
from airflow_provider_asposeocr.api.http.status_reading import SMALL_BYTES, StatusReading
from airflow_provider_asposeocr.api.http.wire import Reading

WORDS = st.text(max_size=8) | st.sampled_from(["data", "results", "Processing", "aGk=", "\\", '"', "\u2028"])
RESULT = st.fixed_dictionaries({"type": WORDS, "data": WORDS})
STATES = st.fixed_dictionaries(
    {"taskStatus": WORDS},
    optional={
        "id": WORDS | st.none(),
        "results": st.none() | st.lists(RESULT, max_size=3) | WORDS,
        "error": st.none() | st.fixed_dictionaries({"messages": st.lists(WORDS, max_size=2)}),
        "more": st.recursive(WORDS, lambda inner: st.lists(inner, max_size=2), max_leaves=4),
    },
)
BODIES = (
    st.binary(max_size=60)
    | STATES.map(lambda state: json.dumps(state).encode())
    | STATES.map(lambda state: json.dumps(state, ensure_ascii=False).encode())
    | st.tuples(STATES, st.integers(0, 60)).map(lambda cut: json.dumps(cut[0]).encode()[: cut[1]])
)


def said(reading: Reading | StatusReading, chunks: list[bytes]) -> Any:
    try:
        take = reading.begin()
        for chunk in chunks:
            assert take(chunk)
        return reading.state().model_dump()
    except AsposeOcrError as error:
        return type(error), error.message


def cut(body: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({0, len(body), *(each % (len(body) + 1) for each in at)})
    return [body[begin:end] for begin, end in zip(ends, ends[1:], strict=False)]


@given(BODIES, st.lists(st.integers(0, 200), max_size=4))
def test_it_says_what_the_thorough_one_says(body: bytes, at: list[int]) -> None:
    chunks = cut(body, at)
    assert said(StatusReading(), chunks) == said(Reading(), chunks)


@pytest.mark.parametrize("size", [SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, 3 * SMALL_BYTES])
def test_a_large_status_is_read_piece_by_piece(size: int) -> None:
    body = b'{"taskStatus":"Processing","more":"%s"}' % (b"x" * size)
    chunks = cut(body, [100, SMALL_BYTES, 2 * SMALL_BYTES])
    reading = StatusReading()
    assert said(reading, chunks) == said(Reading(), chunks)
    assert len(reading._body) <= SMALL_BYTES


@pytest.mark.parametrize("name", [b"data", rb"d\u0061ta"])
def test_results_are_dropped(name: bytes) -> None:
    body = b'{"taskStatus":"Completed","results":[{"type":"Text","%s":"aGk="}]}' % name
    assert said(StatusReading(), [body])["results"] == [{"type": "Text", "data": 0}]


def test_a_small_state_is_not_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_reading, "Reading", lambda: None)
    assert said(StatusReading(), [b'{"taskStatus":"Processing"}'])["taskStatus"] == "Processing"


def test_each_attempt_begins_anew() -> None:
    reading = StatusReading()
    for word in ("Pending", "Processing"):
        assert said(reading, [b'{"taskStatus":', b'"%s"}' % word.encode()])["taskStatus"] == word
