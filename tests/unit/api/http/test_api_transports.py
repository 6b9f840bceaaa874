"""
What both clients can do, they do alike: same outcome, same requests, same waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.errors import AsposeOcrError, CloudUnreachableError
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.client_drivers import Desk, Driver
from tests.support.client_scenarios import STATUS, TOKEN, Scenario, both_do, requests_of
from tests.support.raw_servers import RawServer, free_port, read_request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

DELETE = "DELETE RecognizeImage"
RULE = {"path": "Utilities/GetTaskStatus", "method": "GET"}


def _fault(kind: str, count: int = 1, **more: Any) -> dict[str, Any]:
    return {**RULE, "kind": kind, "count": count, **more}


def _cancel(driver: Driver, id: str) -> str:
    driver.cancel("RecognizeImage", id)
    return driver.status("RecognizeImage", id).taskStatus


def _twice(driver: Driver, id: str) -> str:
    return driver.status("RecognizeImage", id).taskStatus + driver.status("RecognizeImage", id).taskStatus


SCENARIOS: dict[str, Scenario] = {
    "status": Scenario("Completed", [f"{TOKEN} 200", f"{STATUS} 200"]),
    "one token for two": Scenario(
        "CompletedCompleted", [f"{TOKEN} 200", f"{STATUS} 200", f"{STATUS} 200"], act=_twice
    ),
    "nobody's task": Scenario(
        "NotExist",
        [f"{TOKEN} 200", f"{STATUS} 200"],
        act=lambda driver, id: driver.status("RecognizeImage", "0-0").taskStatus,
    ),
    "cancel": Scenario("NotExist", [f"{TOKEN} 200", f"{DELETE} 200", f"{STATUS} 200"], act=_cancel),
    "expired token": Scenario(
        "Completed",
        [f"{TOKEN} 200", f"{STATUS} 401", f"{TOKEN} 200", f"{STATUS} 200"],
        [_fault("expired_token")],
    ),
    "403 renews too": Scenario(
        "Completed",
        [f"{TOKEN} 200", f"{STATUS} 403", f"{TOKEN} 200", f"{STATUS} 200"],
        [_fault("status", status=403)],
    ),
    "refused twice": Scenario(
        "AccessDeniedError 401 already",
        [f"{TOKEN} 200", f"{STATUS} 401", f"{TOKEN} 200", f"{STATUS} 401"],
        [_fault("status", 9, status=401)],
    ),
    "cancel with an expired token": Scenario(
        "NotExist",
        [f"{TOKEN} 200", f"{DELETE} 401", f"{TOKEN} 200", f"{DELETE} 200", f"{STATUS} 200"],
        [{"kind": "expired_token", "method": "DELETE"}],
        act=_cancel,
    ),
    "429": Scenario(
        "Completed",
        [f"{TOKEN} 200", f"{STATUS} 429", f"{STATUS} 200"],
        [_fault("status", status=429, headers={"Retry-After": "3"})],
        [3],
    ),
    "429 for long": Scenario(
        "RateLimitedError 429 already retry after 300",
        [f"{TOKEN} 200", f"{STATUS} 429"],
        [_fault("status", 9, status=429, headers={"Retry-After": "300"})],
    ),
    "503": Scenario(
        "Completed",
        [f"{TOKEN} 200", f"{STATUS} 503", f"{STATUS} 503", f"{STATUS} 200"],
        [_fault("status", 2, status=503, body="<html>busy</html>")],
        [0.75, 1.5],
    ),
    "503 for ever": Scenario(
        "CloudUnavailableError 503 already",
        [f"{TOKEN} 200", *[f"{STATUS} 503"] * 4],
        [_fault("status", 9, status=503)],
        [0.75, 1.5, 3],
    ),
    "503 asked once": Scenario(
        "CloudUnavailableError 503 already",
        [f"{TOKEN} 200", f"{STATUS} 503"],
        [_fault("status", 9, status=503)],
        act=lambda driver, id: driver.status("RecognizeImage", id, ONCE),
    ),
    "404": Scenario(
        "RequestRejectedError 404 already",
        [f"{TOKEN} 200", f"{STATUS} 404"],
        [_fault("status", 9, status=404, body="no such path")],
    ),
    "a redirect is not followed": Scenario(
        "UnexpectedResponseError 302 already",
        [f"{TOKEN} 200", *[f"{STATUS} 302"] * 4],
        [_fault("status", 9, status=302, headers={"Location": "/v5.0/ocr/RecognizePdf?id=x"})],
        [0.75, 1.5, 3],
    ),
    "half an answer": Scenario(
        "Completed",
        [f"{TOKEN} 200", f"{STATUS} 200", f"{STATUS} 200"],
        [_fault("truncate")],
        [0.75],
    ),
    "too slow": Scenario(
        "CloudUnreachableError None already",
        [f"{TOKEN} 200", f"{STATUS} None"],
        [_fault("delay", delay_seconds=1)],
        act=lambda driver, id: driver.status("RecognizeImage", id, ONCE),
        account={"request_timeout_seconds": 0.3},
    ),
    "html": Scenario(
        "UnexpectedResponseError None already", [f"{TOKEN} 200", f"{STATUS} 200"], [_fault("html")]
    ),
    "no JSON": Scenario(
        "UnexpectedResponseError None already",
        [f"{TOKEN} 200", f"{STATUS} 200"],
        [_fault("status", status=200, body="Completed")],
    ),
    "an unknown status": Scenario(
        "Paused", [f"{TOKEN} 200", f"{STATUS} 200"], [_fault("unknown_status", task_status="Paused")]
    ),
    "wrong secret": Scenario(
        "CredentialsRejectedError 400 no", [f"{TOKEN} 400"], account={"client_secret": "wrong"}
    ),
    "locked out": Scenario(
        "CredentialsLockedError 429 no retry after 600",
        [f"{TOKEN} 429"],
        [{"kind": "status", "path": "/connect/token", "status": 429, "headers": {"Retry-After": "600"}}],
    ),
    "token endpoint is away": Scenario(
        "Completed",
        [f"{TOKEN} 503", f"{TOKEN} None", f"{TOKEN} 200", f"{STATUS} 200"],
        [
            {"kind": "status", "path": "/connect/token", "status": 503},
            {"kind": "drop", "path": "/connect/token"},
        ],
        [0.75, 1.5],
    ),
    "token endpoint says HTML": Scenario(
        "UnexpectedResponseError None already", [f"{TOKEN} 200"], [{"kind": "html", "path": "/connect/token"}]
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_both_clients_do_the_same(desk: Desk, name: str) -> None:
    both_do(SCENARIOS[name], desk)


def test_a_dropped_connection_is_tried_again(new_driver: Callable[..., Driver], desk: Desk) -> None:
    """How often differs: aiohttp itself sends a GET once more that broke on a connection that was kept."""
    id = desk.submit().id
    desk.emulator.control.add_faults(_fault("drop", 2))
    driver = new_driver(desk.account)
    assert driver.status("RecognizeImage", id).taskStatus == "Completed"
    assert driver.waits in ([0.75], [0.75, 1.5])


class TestTokens:
    def test_fifty_callers_make_one_token_request(
        self, new_driver: Callable[..., Driver], desk: Desk
    ) -> None:
        ids = [desk.submit().id for _ in range(2)] * 25
        since = len(desk.emulator.control.journal())
        driver = new_driver(desk.account)
        assert {state.taskStatus for state in driver.statuses("RecognizeImage", ids)} == {"Completed"}
        requests = requests_of(desk.emulator, since)
        assert requests.count(f"{TOKEN} 200") == 1
        assert len(requests) == 51
        assert len(driver.secrets) == 1

    def test_fifty_refused_callers_renew_it_once(self, new_driver: Callable[..., Driver], desk: Desk) -> None:
        ids = [desk.submit().id] * 50
        driver = new_driver(desk.account)
        driver.status("RecognizeImage", ids[0])
        desk.emulator.control.advance_clock(3601)
        since = len(desk.emulator.control.journal())
        driver.statuses("RecognizeImage", ids)
        assert requests_of(desk.emulator, since).count(f"{TOKEN} 200") == 1

    def test_fifty_callers_with_a_wrong_secret_make_one_token_request(
        self, new_driver: Callable[..., Driver], desk: Desk
    ) -> None:
        driver = new_driver(replace(desk.account, client_secret="wrong"))
        with pytest.raises(AsposeOcrError):
            driver.statuses("RecognizeImage", ["x"] * 50)
        assert requests_of(desk.emulator, 0) == [f"{TOKEN} 400"]

    def test_each_token_is_told_the_moment_it_exists(
        self, new_driver: Callable[..., Driver], desk: Desk
    ) -> None:
        driver = new_driver(desk.account)
        driver.status("RecognizeImage", "x")
        (token,) = driver.secrets
        assert len(token) > 10
        assert token not in repr(vars(driver.client))


def test_an_unreachable_cloud_is_named(new_driver: Callable[..., Driver]) -> None:
    driver = new_driver(Account("i", "s", f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(CloudUnreachableError) as caught:
        driver.status("RecognizeImage", "x")
    assert "ask for a token" in caught.value.message
    assert driver.waits == [0.75, 1.5, 3]


@pytest.mark.parametrize(
    "base",
    ["http://no-such-host.invalid", "http://127.0.0.1:1/", f"http://{'x' * 70}.example", "http://a..b"],
)
def test_any_address_ends_in_a_named_error(new_driver: Callable[..., Driver], base: str) -> None:
    with pytest.raises(CloudUnreachableError):
        new_driver(Account(base_url=base, trial=True)).status("RecognizeImageTrial", "x", ONCE)


@pytest.fixture(scope="module")
def strict_emulator() -> Iterator[Emulator]:
    with Emulator(Options(engine="canned", trial_status_auth="required")) as emulator:
        yield emulator


class TestTrial:
    def test_status_needs_no_token(self, new_driver: Callable[..., Driver], desk: Desk) -> None:
        account = Account(base_url=desk.emulator.url, trial=True)
        trial = Desk(desk.emulator, account, desk.document)
        ref = trial.submit()
        trial.client.close()
        driver = new_driver(account)
        assert driver.status(ref.operation, ref.id).taskStatus == "Completed"
        assert requests_of(desk.emulator, 0) == ["POST RecognizeImageTrial 200", f"{STATUS} 200"]

    def test_status_falls_back_where_it_is_refused_and_remembers_that(
        self, new_driver: Callable[..., Driver], desk: Desk, strict_emulator: Emulator
    ) -> None:
        strict_emulator.control.reset()
        account = Account(base_url=strict_emulator.url, trial=True)
        trial = Desk(strict_emulator, account, desk.document)
        ref = trial.submit()
        trial.client.close()
        driver = new_driver(account)
        for _ in range(2):
            state = driver.status(ref.operation, ref.id)
            assert (state.taskStatus, state.results) == ("Completed", None)
        assert requests_of(strict_emulator, 0) == [
            "POST RecognizeImageTrial 200",
            f"{STATUS} 401",
            "GET RecognizeImageTrial 200",
            "GET RecognizeImageTrial 200",
        ]

    def test_the_fall_back_does_not_read_the_results(self, new_driver: Callable[..., Driver]) -> None:
        hung_up = []

        def endless(connection: socket.socket) -> None:
            if b"GetTaskStatus" in read_request(connection):
                connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
            connection.sendall(b'{"taskStatus":"Completed","results":[{"type":"Pdf","data":"')
            sent = 0
            try:
                while sent < 100_000_000:
                    sent += connection.send(b"QUJD" * 10_000)
            except OSError:
                hung_up.append(sent)

        with RawServer(endless) as server:
            driver = new_driver(Account(base_url=server.url, trial=True))
            assert driver.status("RecognizeImageTrial", "x").taskStatus == "Completed"
            driver.close()
            driver.close = lambda: None  # type: ignore[method-assign]  # the fixture closes what is open
        assert hung_up
