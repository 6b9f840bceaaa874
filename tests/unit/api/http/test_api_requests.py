from __future__ import annotations

import email.utils
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.http.answer_errors import explanation, retry_after_seconds
from airflow_provider_asposeocr.api.http.endpoints import (
    cancel_request,
    fetch_request,
    status_request,
    submit_request,
    token_request,
)
from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Kind, Request
from airflow_provider_asposeocr.api.http.retrying import (
    ONCE,
    Accept,
    Again,
    GiveUp,
    RenewToken,
    RequestRetry,
    Step,
    next_step,
)
from airflow_provider_asposeocr.api.operations import _TABLE, OPERATIONS, Operation

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000.0
ACCOUNT = Account("the-id", "the-secret", "https://cloud.example")
IMAGE = OPERATIONS["RecognizeImage"]
TRIAL = OPERATIONS["RecognizeImageTrial"]
RETRY = RequestRetry()


class Text:
    """A body with any text."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[bytes]:
        yield b"{}"


REQUESTS: dict[Kind, Request] = {
    "token": token_request(ACCOUNT),
    "submit": submit_request(ACCOUNT, IMAGE, Text()),
    "status": status_request(ACCOUNT, IMAGE, "id-1"),
    "fetch": fetch_request(ACCOUNT, IMAGE, "id-1"),
    "cancel": cancel_request(ACCOUNT, IMAGE, "id-1"),
}
KINDS: list[Kind] = list(REQUESTS)
REFUSED = Failure(sent=False, detail="refused")
LOST = Failure(sent=True, detail="lost")
UNTRUSTED = Failure(sent=False, detail="self-signed", cause="certificate")


def step_after(
    request: Request,
    outcome: Answer | Failure,
    attempt: int = 1,
    *,
    renewed: bool = False,
    retry: RequestRetry = RETRY,
    draw: float = 0.5,
) -> Step:
    return next_step(
        request, outcome, attempt=attempt, renewed=renewed, now=NOW, random=lambda: draw, retry=retry
    )


class TestWhatIsSent:
    def test_token(self) -> None:
        request = token_request(ACCOUNT)
        assert (request.method, request.url) == ("POST", "https://cloud.example/connect/token")
        assert not request.authorized
        assert isinstance(request.body, bytes)
        assert parse_qs(request.body.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["the-id"],
            "client_secret": ["the-secret"],
        }
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "the-secret" not in repr(request)

    def test_the_token_url_can_be_elsewhere(self) -> None:
        account = Account("i", "s", "https://a.example", token_url="https://b.example/t")
        assert token_request(account).url == "https://b.example/t"

    @pytest.mark.parametrize("row", _TABLE, ids=lambda row: row.name)
    @pytest.mark.parametrize("base", ["https://c.example", "https://c.example/", "http://127.0.0.1:8080"])
    def test_paths(self, row: Operation, base: str) -> None:
        account = Account("i", "s", base)
        root = base.rstrip("/") + "/v5.0/ocr/"
        submit = submit_request(account, row, Text())
        assert (submit.method, submit.url) == ("POST", root + row.name)
        fetch = fetch_request(account, row, "x")
        assert (fetch.method, fetch.url) == ("GET", f"{root}{row.name}?id=x")
        cancel = cancel_request(account, row, "x")
        assert (cancel.method, cancel.url) == ("DELETE", f"{root}{row.name}?id=x")
        status = status_request(account, row, "x")
        assert (status.method, status.url) == ("GET", f"{root}Utilities/GetTaskStatus?id=x")
        assert {each.authorized for each in (submit, fetch, cancel, status)} == {row.needs_token}

    @given(st.text(min_size=1, max_size=50))
    def test_an_id_cannot_leave_its_parameter(self, id: str) -> None:
        try:
            id.encode()
        except UnicodeEncodeError:
            return
        parts = urlsplit(fetch_request(ACCOUNT, IMAGE, id).url)
        assert parts.path == "/v5.0/ocr/RecognizeImage"
        assert parse_qs(parts.query, keep_blank_values=True) == {"id": [id]}
        assert not parts.fragment


#: What a status code means where it is no success, per kind of request: (class of step, class of error).
def expected(kind: Kind, status: int, renewed: bool) -> tuple[type[Any], type[errors.AsposeOcrError] | None]:
    if 200 <= status < 300:
        return Accept, None
    if status == 407:
        return Again, errors.ProxyUnreachableError
    if kind == "token":
        return _expected_of_token(status)
    if status in (401, 403):
        return (GiveUp if renewed else RenewToken), errors.AccessDeniedError
    if kind == "submit" and (status < 400 or status >= 500 or status == 408):
        return GiveUp, errors.SubmitUnknownError
    if status < 400:
        return Again, errors.UnexpectedResponseError
    if status >= 500 or status == 408:
        return Again, errors.CloudUnavailableError
    if status == 429:
        return Again, errors.RateLimitedError
    if status == 402:
        return GiveUp, errors.QuotaExceededError
    return GiveUp, errors.RequestRejectedError


def _expected_of_token(status: int) -> tuple[type[Any], type[errors.AsposeOcrError]]:
    if status in (400, 401, 403):
        return GiveUp, errors.CredentialsRejectedError
    if status == 429:
        return GiveUp, errors.CredentialsLockedError
    if status >= 500 or status == 408:
        return Again, errors.CloudUnavailableError
    return GiveUp, errors.UnexpectedResponseError


class TestEveryStatus:
    @pytest.mark.parametrize("renewed", [False, True])
    @pytest.mark.parametrize("kind", KINDS)
    def test_decides_the_step_and_the_error(self, kind: Kind, renewed: bool) -> None:
        wrong = {}
        for status in range(200, 600):
            step = step_after(REQUESTS[kind], Answer(status), renewed=renewed)
            found = (type(step), None if isinstance(step, Accept) else type(step.error))
            if found != expected(kind, status, renewed):
                wrong[status] = found
        assert not wrong

    @pytest.mark.parametrize("kind", KINDS)
    def test_is_given_up_after_the_last_attempt(self, kind: Kind) -> None:
        for status in range(300, 600):
            step = step_after(REQUESTS[kind], Answer(status), attempt=RETRY.attempts, renewed=True)
            assert isinstance(step, GiveUp)
            assert step_after(REQUESTS[kind], Answer(status), renewed=True, retry=ONCE) == step or isinstance(
                step_after(REQUESTS[kind], Answer(status), renewed=True, retry=ONCE), GiveUp
            )

    @pytest.mark.parametrize("status", [401, 403])
    def test_of_a_trial_renews_nothing(self, status: int) -> None:
        step = step_after(submit_request(ACCOUNT, TRIAL, Text()), Answer(status))
        assert isinstance(step, GiveUp)
        assert type(step.error) is errors.AccessDeniedError

    @pytest.mark.parametrize("kind", KINDS)
    def test_names_the_task_and_what_was_billed(self, kind: Kind) -> None:
        for status in range(300, 600):
            step = step_after(REQUESTS[kind], Answer(status), attempt=99, renewed=True)
            assert isinstance(step, GiveUp)
            error = step.error
            about_a_task = kind in ("status", "fetch", "cancel")
            assert error.task_id == ("id-1" if about_a_task else None)
            assert error.operation == (None if kind == "token" else "RecognizeImage")
            assert error.http_status == status
            assert str(status) in error.message
            unknown = isinstance(error, errors.SubmitUnknownError)
            assert error.billed == ("already" if about_a_task else "maybe" if unknown else "no")


@pytest.mark.parametrize(
    ("kind", "failure", "step", "error"),
    [
        ("token", REFUSED, Again, errors.CloudUnreachableError),
        ("token", LOST, Again, errors.CloudUnreachableError),
        ("submit", REFUSED, Again, errors.CloudUnreachableError),
        ("submit", LOST, GiveUp, errors.SubmitUnknownError),
        ("status", REFUSED, Again, errors.CloudUnreachableError),
        ("status", LOST, Again, errors.CloudUnreachableError),
        ("fetch", REFUSED, Again, errors.CloudUnreachableError),
        ("fetch", LOST, Again, errors.CloudUnreachableError),
        ("cancel", REFUSED, Again, errors.CloudUnreachableError),
        ("cancel", LOST, Again, errors.CloudUnreachableError),
        *((kind, UNTRUSTED, GiveUp, errors.CertificateError) for kind in KINDS),
    ],
)
def test_every_missing_answer(
    kind: Kind, failure: Failure, step: type[Step], error: type[errors.AsposeOcrError]
) -> None:
    taken = step_after(REQUESTS[kind], failure)
    assert type(taken) is step
    assert not isinstance(taken, Accept)
    assert type(taken.error) is error
    assert failure.detail in taken.error.message


@given(
    outcome=st.builds(Answer, st.integers(100, 599), st.just({}))
    | st.builds(Failure, st.booleans(), st.text()),
    attempt=st.integers(1, 10),
    renewed=st.booleans(),
    retry=st.builds(RequestRetry, st.integers(1, 10), st.floats(0, 10), st.floats(0, 100)),
    operation=st.sampled_from(_TABLE),
)
@example(
    outcome=Answer(407, {}),
    attempt=1,
    renewed=False,
    retry=RequestRetry(2, 0.0, 0.0),
    operation=_TABLE[0],
)
def test_a_submit_is_repeated_only_when_it_was_surely_not_accepted(
    outcome: Answer | Failure, attempt: int, renewed: bool, retry: RequestRetry, operation: Operation
) -> None:
    request = submit_request(ACCOUNT, operation, Text())
    step = step_after(request, outcome, attempt, renewed=renewed, retry=retry)
    if isinstance(step, Again):
        # A proxy that answers 407 has not passed the request on.
        assert outcome.status in (407, 429) if isinstance(outcome, Answer) else not outcome.sent
        assert attempt < retry.attempts
    if isinstance(step, RenewToken):
        assert isinstance(outcome, Answer)
        assert outcome.status in (401, 403)
        assert not renewed


def _date(seconds_from_now: float) -> str:
    return email.utils.formatdate(NOW + seconds_from_now, usegmt=True)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("7", 7),
            (" 600 ", 600),
            ("9" * 500, 999_999_999),
            (_date(90), 90),
            (_date(-90), 0),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("٣", None),
            ("²", None),
            ("Fri, 99 Foo 2026 99:99:99 GMT", None),
            ("Fri, 01 Jan 99999 00:00:00 GMT", None),
            ("nan", None),
            ("inf", None),
        ],
    )
    def test_is_seconds_a_date_or_nothing(self, value: str, seconds: float | None) -> None:
        assert retry_after_seconds(Answer(429, {"retry-after": value}), NOW) == seconds

    def test_may_be_missing(self) -> None:
        assert retry_after_seconds(Answer(429), NOW) is None

    @given(
        st.text(max_size=60)
        | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:]{0,9} .{0,5}")
    )
    def test_never_breaks(self, value: str) -> None:
        seconds = retry_after_seconds(Answer(429, {"retry-after": value}), NOW)
        assert seconds is None or seconds >= 0

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("asked", "waits"), [(0, 0.75), (7, 7), (30, 30), (31, None), (600, None)])
    def test_is_waited_for_unless_a_worker_would_sleep_it_off(
        self, kind: Kind, asked: int, waits: float | None
    ) -> None:
        step = step_after(REQUESTS[kind], Answer(429, {"retry-after": str(asked)}))
        assert not isinstance(step, Accept)
        assert step.error.retry_after_seconds == asked
        assert f"asks to wait {asked} s" in step.error.message
        assert isinstance(step, GiveUp) if waits is None else step == Again(waits, step.error)


@given(
    st.integers(1, 1000),
    st.floats(0, 1, exclude_max=True),
    st.floats(0, 100),
    st.floats(0, 1000),
)
def test_waits_grow_are_jittered_and_bounded(attempt: int, draw: float, first: float, longest: float) -> None:
    wait = RequestRetry(9, first, longest).wait_seconds(attempt, lambda: draw)
    full = min(longest, first * 2.0 ** (attempt - 1))
    assert 0.5 * full <= wait <= full


SECRETS = ("the-secret", "the%2Dsecret", "eyJhbGciOi")


class TestTokenErrors:
    BODIES = (
        b"grant_type=client_credentials&client_id=the-id&client_secret=the-secret",
        b'{"error":"invalid_client","error_description":"the-secret is wrong"}',
        b'{"access_token": "eyJhbGciOiJSUzI1NiIs", "detail": "the-secret"}',
        b"<html>the-secret</html>",
    )

    @pytest.mark.parametrize("body", BODIES)
    def test_say_neither_the_secret_nor_the_body(self, body: bytes) -> None:
        for status in range(300, 600):
            step = step_after(REQUESTS["token"], Answer(status, {"retry-after": "60"}, body), attempt=99)
            assert isinstance(step, GiveUp)
            said = f"{step.error} {step.error!r} {step.error.to_dict()} {step!r}"
            assert not any(secret in said for secret in SECRETS)
            assert "<html>" not in said
            assert "invalid_client" not in said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", ""),
        (b"plain words", "plain words"),
        (b"<html>\n<b>Gateway</b>", r"<html>\n<b>Gateway</b>"),
        (b"\xff\x00", "�\\x00"),
        (json.dumps({"title": "Unauthorized", "status": 401, "detail": None}).encode(), "Unauthorized"),
        (json.dumps({"title": "T", "detail": "D"}).encode(), "T; D"),
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b'{"errors": {"image": ["required"]}}', "{'image': ['required']}"),
        (b'{"other": 1}', '{"other": 1}'),
        (b"[1, 2]", "[1, 2]"),
        (b"[" * 10_000, "[" * 199 + "…"),
    ],
)
def test_what_an_error_answer_says(body: bytes, said: str) -> None:
    assert explanation(Answer(400, body=body)) == said


@given(st.binary(max_size=300))
def test_an_explanation_is_one_short_line(body: bytes) -> None:
    said = explanation(Answer(400, body=body))
    assert len(said) <= 300
    assert said == "" or said.isprintable()
