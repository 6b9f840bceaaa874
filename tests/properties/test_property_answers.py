"""
For any answer of the cloud or a gateway, only errors of the provider are raised.
"""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, get_args

from hypothesis import strategies as st

from airflow_provider_asposeocr.api.auth.tokens import parse_token
from airflow_provider_asposeocr.api.errors import AsposeOcrError, UnexpectedResponseError, UnknownStatusError
from airflow_provider_asposeocr.api.http.answer_errors import (
    answer_error,
    explanation,
    failure_error,
    retry_after_seconds,
)
from airflow_provider_asposeocr.api.http.messages import Answer, Cause, Failure, Request
from airflow_provider_asposeocr.api.printable import SHOWN_CHARACTERS, shown, shown_all
from airflow_provider_asposeocr.api.responses import LONGEST_TASK_ID, parse_state, parse_task_id
from tests.support.hostile import (
    BODIES,
    DEEP,
    JSON_VALUES,
    NAMES,
    NASTY,
    NUMBERS,
    STATES,
    TEXTS,
    objects,
    written,
)
from tests.support.tried import holds_for

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
E = TypeVar("E", bound=Exception)
NOW = 1_790_000_000.0
REQUESTS = st.builds(
    Request,
    st.sampled_from(["token", "submit", "status", "fetch", "cancel"]),
    st.just("GET"),
    st.just("https://ocr.example/x"),
    operation=st.none() | st.just("RecognizeImage"),
    task_id=st.none() | NASTY,
)
STATUSES = st.integers(100, 999) | st.sampled_from([200, 302, 400, 401, 402, 403, 408, 413, 429, 500, 503])
DATES = st.builds(
    lambda day, clock, zone: f"Sat, {day} {clock} {zone}",
    st.sampled_from(
        ["21 Nov 2026", "99 Nov 2026", "21 Foo 2026", "21 Nov 0", "21 Nov 99999999", "-1 Jan 1", "Nov"]
    ),
    st.sampled_from(["07:28:00", "07:28", "99:99:99", "7.28", ":", "", "1:2:3:4", "-1:-1:-1"]),
    st.sampled_from(["GMT", "+9999", "-0000", "+99999999999999999999", "", "(", "EST", "+x"]),
)
RETRY_AFTER = DATES | NASTY | TEXTS | NUMBERS.map(str) | st.text('0123456789 ,:-+GMTJan()"\\', max_size=30)


def fit_to_be_shown(text: str, limit: int = SHOWN_CHARACTERS) -> bool:
    return text.isprintable() and len(text) <= limit and bool(text.encode() or True)


def refused(read: Callable[[bytes], T], body: bytes, error: type[E]) -> T | E:
    """Return what was read, or the one error that reading may raise."""
    try:
        return read(body)
    except error as refusal:
        return refusal


@holds_for(body=BODIES)
def test_a_state_is_read_or_is_an_unexpected_response(body: bytes) -> None:
    state = refused(parse_state, body, UnexpectedResponseError)
    if isinstance(state, UnexpectedResponseError):
        assert fit_to_be_shown(str(state))
        return
    with suppress(UnknownStatusError):
        assert state.status.value == state.taskStatus
    assert all(fit_to_be_shown(text) for text in [*state.messages, *state.warnings, state.reason])
    assert state.shortfall is None or fit_to_be_shown(state.shortfall)


@holds_for(text=TEXTS | NASTY | DEEP)
def test_a_state_is_read_of_text_too(text: str) -> None:
    with suppress(UnexpectedResponseError):
        parse_state(text)


@holds_for(state=STATES)
def test_what_is_read_is_what_was_written(state: dict[str, object]) -> None:
    with suppress(UnexpectedResponseError):
        read = parse_state(json.dumps(state))
        assert read.taskStatus == state["taskStatus"]
        assert len(read.results or []) == len(state.get("results") or [])  # type: ignore[arg-type]  # a list, or the parser would have refused it


@holds_for(
    body=NAMES.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=300) | BODIES
)
def test_a_task_id_is_one_word_or_a_value_error(body: bytes) -> None:
    task_id = refused(parse_task_id, body, ValueError)
    if isinstance(task_id, ValueError):
        assert not isinstance(task_id, UnicodeError)
        assert fit_to_be_shown(str(task_id))
        return
    assert task_id.isprintable()
    assert 0 < len(task_id) <= LONGEST_TASK_ID
    assert not set(task_id) & set("<>{} \t\r\n")
    assert parse_task_id(f'"{task_id}"\n'.encode()) == task_id


PROBLEMS = objects({name: JSON_VALUES for name in ("title", "detail", "error", "errors", "message")})


@holds_for(
    request=REQUESTS,
    status=STATUSES,
    headers=st.fixed_dictionaries({}, optional={"retry-after": RETRY_AFTER}),
    body=written(PROBLEMS) | BODIES,
)
def test_an_answer_that_is_no_success_becomes_one_error(
    request: Request, status: int, headers: dict[str, str], body: bytes
) -> None:
    error = answer_error(request, Answer(status, headers, body), NOW)

    assert isinstance(error, AsposeOcrError)
    assert fit_to_be_shown(str(error), 1000)
    wait = error.retry_after_seconds
    assert wait is None or (math.isfinite(wait) and wait >= 0)


@holds_for(body=DEEP.map(lambda deep: f'{{"errors":{deep}}}'.encode()) | BODIES)
def test_an_explanation_is_fit_to_be_shown(body: bytes) -> None:
    assert fit_to_be_shown(explanation(Answer(500, {}, body)), 300)


@holds_for(value=RETRY_AFTER)
def test_a_waiting_time_is_a_number_of_seconds_or_none(value: str) -> None:
    wait = retry_after_seconds(Answer(429, {"retry-after": value}), NOW)

    assert wait is None or (math.isfinite(wait) and wait >= 0)


@holds_for(
    request=REQUESTS, detail=NAMES, sent=st.booleans(), cause=st.sampled_from([None, *get_args(Cause)])
)
def test_a_missing_answer_becomes_one_error(
    request: Request, detail: str, sent: bool, cause: Cause | None
) -> None:
    error = failure_error(request, Failure(sent, f"http://user:s3cret@proxy {detail}", cause))

    assert fit_to_be_shown(str(error), 1000)
    assert "s3cret" not in str(error)


TOKENS = objects({"access_token": st.just("eyJ.a.b"), "expires_in": NUMBERS, "token_type": st.just("Bearer")})


@holds_for(body=written(TOKENS) | BODIES)
def test_a_token_is_fit_for_a_header_or_is_an_unexpected_response(body: bytes) -> None:
    token = refused(lambda body: parse_token(body, NOW), body, UnexpectedResponseError)
    if isinstance(token, UnexpectedResponseError):
        assert "eyJ" not in str(token)
        return
    assert token.value.isascii()
    assert token.value.isprintable()
    assert math.isfinite(token.renew_at)
    assert token.renew_at > NOW


@holds_for(value=JSON_VALUES | NAMES, limit=st.integers(1, 600))
def test_foreign_text_is_shown_on_one_line_without_control_characters(value: object, limit: int) -> None:
    assert fit_to_be_shown(shown(value, limit), limit)
    assert fit_to_be_shown(shown_all([value, value], limit), limit)
