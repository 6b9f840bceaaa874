"""
Submit and fetch with both clients: same outcome, same requests, same waits, and one pause for all kinds of requests.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import CloudUnavailableError, RateLimitedError
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.responses import TaskRef
from tests.support.client_scenarios import TOKEN, Scenario, both_do

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.client_drivers import Desk, Driver

SUBMIT = "POST RecognizeImage"
FETCH = "GET RecognizeImage"
DELETE = "DELETE RecognizeImage"


def _submit(driver: Driver, _: str) -> str:
    return driver.submit("RecognizeImage", driver.document).operation


def _fetch(driver: Driver, id: str) -> str:
    ref = TaskRef(operation="RecognizeImage", id=id, submitted_at=time.time(), conn_id="ocr")
    with driver.download_results(ref, time.time()) as done:
        return " ".join(f"{result.type} {result.sha256[:8]} {result.size_bytes}" for result in done.results)


def _on(method: str, kind: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {"path": "RecognizeImage", "method": method, "kind": kind, "count": count, **more}


def _asked_to_wait(method: str, seconds: int) -> dict[str, Any]:
    return _on(method, "status", status=429, headers={"Retry-After": str(seconds)})


#: What the emulator's canned engine makes of the document: type, beginning of the checksum, size.
TEXT = "Text ffc7e714 83"

SUBMITS = {
    "is accepted": Scenario("RecognizeImage", [f"{TOKEN} 200", f"{SUBMIT} 200"]),
    "expired token": Scenario(
        "RecognizeImage",
        [f"{TOKEN} 200", f"{SUBMIT} 401", f"{TOKEN} 200", f"{SUBMIT} 200"],
        [_on("POST", "expired_token")],
    ),
    "403 renews too": Scenario(
        "RecognizeImage",
        [f"{TOKEN} 200", f"{SUBMIT} 403", f"{TOKEN} 200", f"{SUBMIT} 200"],
        [_on("POST", "status", status=403)],
    ),
    "refused twice": Scenario(
        "AccessDeniedError 401 no",
        [f"{TOKEN} 200", f"{SUBMIT} 401", f"{TOKEN} 200", f"{SUBMIT} 401"],
        [_on("POST", "status", 9, status=401)],
    ),
    "429": Scenario(
        "RecognizeImage",
        [f"{TOKEN} 200", f"{SUBMIT} 429", f"{SUBMIT} 200"],
        [_asked_to_wait("POST", 9)],
        [9],
    ),
    "429 that does not say how long": Scenario(
        "RecognizeImage",
        [f"{TOKEN} 200", f"{SUBMIT} 429", f"{SUBMIT} 200"],
        [_on("POST", "status", status=429)],
        [5],
    ),
    "429 for long": Scenario(
        "RateLimitedError 429 no retry after 300",
        [f"{TOKEN} 200", f"{SUBMIT} 429"],
        [_asked_to_wait("POST", 300)],
    ),
    "402": Scenario(
        "QuotaExceededError 402 no",
        [f"{TOKEN} 200", f"{SUBMIT} 402"],
        [_on("POST", "status", 9, status=402)],
    ),
    "503 may have been accepted": Scenario(
        "SubmitUnknownError 503 maybe",
        [f"{TOKEN} 200", f"{SUBMIT} 503"],
        [_on("POST", "status", 9, status=503)],
    ),
    "a redirect is not followed, and may hide a task": Scenario(
        "SubmitUnknownError 307 maybe",
        [f"{TOKEN} 200", f"{SUBMIT} 307"],
        [_on("POST", "status", 9, status=307, headers={"Location": "/v5.0/ocr/RecognizePdf"})],
    ),
    "html": Scenario(
        "SubmitUnknownError 200 maybe", [f"{TOKEN} 200", f"{SUBMIT} 200"], [_on("POST", "html")]
    ),
    "no answer in time": Scenario(
        "SubmitUnknownError None maybe",
        [f"{TOKEN} 200", f"{SUBMIT} None"],
        [_on("POST", "delay", delay_seconds=20, after="accepted")],
        account={"request_timeout_seconds": 0.3},
    ),
    "no such operation": Scenario(
        "InputError None no", [], act=lambda driver, _: driver.submit("ReadImage", driver.document)
    ),
    "wrong secret": Scenario(
        "CredentialsRejectedError 400 no", [f"{TOKEN} 400"], account={"client_secret": "wrong"}
    ),
}

FETCHES = {
    "the result": Scenario(TEXT, [f"{TOKEN} 200", f"{FETCH} 200"]),
    "nobody's task": Scenario(
        "TaskUnknownError None maybe",
        [f"{TOKEN} 200", f"{FETCH} 200"],
        act=lambda driver, _: _fetch(driver, "0-0"),
    ),
    "expired token": Scenario(
        TEXT,
        [f"{TOKEN} 200", f"{FETCH} 401", f"{TOKEN} 200", f"{FETCH} 200"],
        [_on("GET", "expired_token")],
    ),
    "429": Scenario(TEXT, [f"{TOKEN} 200", f"{FETCH} 429", f"{FETCH} 200"], [_asked_to_wait("GET", 9)], [9]),
    "503": Scenario(
        TEXT,
        [f"{TOKEN} 200", f"{FETCH} 503", f"{FETCH} 503", f"{FETCH} 200"],
        [_on("GET", "status", 2, status=503)],
        [0.75, 1.5],
    ),
    "503 for ever": Scenario(
        "CloudUnavailableError 503 already",
        [f"{TOKEN} 200", *[f"{FETCH} 503"] * 4],
        [_on("GET", "status", 9, status=503)],
        [0.75, 1.5, 3],
    ),
    "a redirect is not followed": Scenario(
        "UnexpectedResponseError 302 already",
        [f"{TOKEN} 200", *[f"{FETCH} 302"] * 8],
        [_on("GET", "status", 9, status=302, headers={"Location": "/v5.0/ocr/RecognizePdf"})],
        [0.75, 1.5, 3, 0.75, 0.75, 1.5, 3],
    ),
    "half an answer": Scenario(
        TEXT, [f"{TOKEN} 200", f"{FETCH} 200", f"{FETCH} 200"], [_on("GET", "truncate")], [0.75]
    ),
    "broken base64": Scenario(
        TEXT, [f"{TOKEN} 200", f"{FETCH} 200", f"{FETCH} 200"], [_on("GET", "bad_base64")], [0.75]
    ),
    "broken base64 for ever": Scenario(
        "ResultCorruptError None already",
        [f"{TOKEN} 200", f"{FETCH} 200", f"{FETCH} 200"],
        [_on("GET", "bad_base64", 9)],
        [0.75],
    ),
    "html": Scenario(
        "UnexpectedResponseError None already",
        [f"{TOKEN} 200", f"{FETCH} 200", f"{FETCH} 200"],
        [_on("GET", "html", 9)],
        [0.75],
    ),
    "too slow": Scenario(
        TEXT,
        [f"{TOKEN} 200", f"{FETCH} None", f"{FETCH} 200"],
        [_on("GET", "delay", delay_seconds=1)],
        [0.75],
        account={"request_timeout_seconds": 0.3},
    ),
}


@pytest.mark.parametrize("name", SUBMITS)
def test_both_clients_submit_alike(desk: Desk, name: str) -> None:
    scenario = SUBMITS[name]
    if scenario.act is Scenario.act:
        scenario = replace(scenario, act=_submit)
    both_do(scenario, desk)


@pytest.mark.parametrize("name", FETCHES)
def test_both_clients_fetch_alike(desk: Desk, name: str) -> None:
    scenario = FETCHES[name]
    if scenario.act is Scenario.act:
        scenario = replace(scenario, act=_fetch)
    both_do(scenario, desk)


#: Calls of a client while its account has to wait: (the call, whether it waits or fails; ``None`` = it goes ahead).
ACTS: dict[str, Callable[[Driver, str], Any]] = {
    "submit": _submit,
    "fetch": _fetch,
    "status": lambda driver, id: driver.status("RecognizeImage", id),
    "poll": lambda driver, id: driver.status("RecognizeImage", id, ONCE),
    "look": lambda driver, id: driver.look("RecognizeImage", id),
    "cancel": lambda driver, id: driver.cancel("RecognizeImage", id),
}


class TestPause:
    """If the cloud asks one request to wait, all requests of the account wait."""

    @pytest.fixture(params=["POST", "GET", "DELETE", "poll"])
    def asked(self, request: pytest.FixtureRequest, desk: Desk) -> Callable[[Driver, str, int], None]:
        """Return a function that lets the cloud ask one request of a kind to wait a number of seconds."""

        def ask(driver: Driver, id: str, seconds: int) -> None:
            fault = {"kind": "status", "status": 429, "headers": {"Retry-After": str(seconds)}}
            method = "GET" if request.param == "poll" else request.param
            path = "*/GetTaskStatus" if request.param == "poll" else "RecognizeImage"
            desk.emulator.control.add_faults({**fault, "method": method, "path": path})
            act = {"POST": "submit", "GET": "fetch", "DELETE": "cancel", "poll": "poll"}[request.param]
            with pytest.raises(RateLimitedError):
                ACTS[act](driver, id)

        return ask

    @pytest.mark.parametrize("name", ["submit", "fetch", "status", "poll"])
    def test_a_long_one_lets_no_request_out(
        self, driver: Driver, desk: Desk, asked: Callable[[Driver, str, int], None], name: str
    ) -> None:
        id = desk.submit().id
        driver.document = desk.document
        asked(driver, id, 300)
        before = len(desk.emulator.control.journal())
        with pytest.raises(RateLimitedError) as caught:
            ACTS[name](driver, id)
        assert caught.value.retry_after_seconds == 300
        assert caught.value.billed == ("no" if name == "submit" else "already")
        assert len(desk.emulator.control.journal()) == before
        driver.wait(300)
        ACTS[name](driver, id)

    @pytest.mark.parametrize("name", ["look", "cancel"])
    def test_a_cancel_and_the_look_before_it_go_out(
        self, driver: Driver, desk: Desk, asked: Callable[[Driver, str, int], None], name: str
    ) -> None:
        id = desk.submit().id
        driver.document = desk.document
        asked(driver, id, 300)
        waits = list(driver.waits)
        ACTS[name](driver, id)
        assert driver.waits == waits

    @pytest.mark.parametrize("name", ["submit", "fetch", "status"])
    def test_a_short_one_is_waited_for(self, driver: Driver, desk: Desk, name: str) -> None:
        id = desk.submit().id
        driver.document = desk.document
        fault = {"kind": "status", "status": 503, "headers": {"Retry-After": "7"}}
        desk.emulator.control.add_faults({**fault, "path": "*/GetTaskStatus"})
        with pytest.raises(CloudUnavailableError):
            ACTS["poll"](driver, id)
        ACTS[name](driver, id)
        assert driver.waits == [7]

    def test_it_holds_for_the_next_attempt_of_a_request_that_failed_otherwise(
        self, driver: Driver, desk: Desk
    ) -> None:
        """Two fetches: the first one is under way when the second one is asked to wait."""
        id = desk.submit().id
        driver.token()
        desk.emulator.control.add_faults(_on("GET", "status", status=503))
        driver.env.pause.begin(driver.env.clock() - 1, 21)
        driver.env.pause.begin(driver.env.clock(), 0)
        _fetch(driver, id)
        assert driver.waits == [20, 0.75]
