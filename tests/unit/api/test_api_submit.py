"""
Submits: what is billed, and what is repeated.
"""

from __future__ import annotations

import socket
import ssl
import struct
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.client import CloudClient, Surroundings
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.operations import _TABLE, Operation
from tests.support.client_drivers import PNG, Desk
from tests.support.raw_servers import RawServer, answering, free_port, read_request

if TYPE_CHECKING:
    from pathlib import Path

SUBMIT = {"path": "RecognizeImage", "method": "POST"}
AFTER = {**SUBMIT, "after": "accepted"}


def submits(desk: Desk) -> list[int | None]:
    return [
        entry["status"]
        for entry in desk.emulator.control.journal()
        if entry["method"] == "POST" and "token" not in entry["path"]
    ]


def failure(desk: Desk) -> errors.AsposeOcrError:
    with pytest.raises(errors.AsposeOcrError) as caught:
        desk.client.submit("RecognizeImage", desk.document, {})
    return caught.value


@pytest.mark.parametrize("row", [row for row in _TABLE if row.needs_token], ids=lambda row: row.name)
def test_every_operation_is_accepted(desk: Desk, row: Operation) -> None:
    if row.body_field == "text":
        desk.document.write_text("Read this aloud.")
    settings = {"ConvertTextToSpeech": {"language": "English", "resultType": "Wav"}}.get(row.name, {})
    done = desk.client.submit(row.name, desk.document, settings)
    assert done.operation == row.name
    assert desk.emulator.control.billing() == {row.name: 1}
    desk.settle(done.id)
    assert desk.client.status(row.name, done.id).taskStatus == "Completed"


@pytest.mark.parametrize(
    "rule",
    [
        {**AFTER, "kind": "drop"},
        {**AFTER, "kind": "status", "status": 500},
        {**AFTER, "kind": "status", "status": 503, "headers": {"Retry-After": "1"}},
        {**AFTER, "kind": "status", "status": 408},
        {**AFTER, "kind": "status", "status": 303, "headers": {"Location": "/x"}},
        {**AFTER, "kind": "html"},
        {**AFTER, "kind": "status", "status": 200, "body": ""},
        {**AFTER, "kind": "status", "status": 200, "body": "x" * 1000},
        {**SUBMIT, "kind": "truncate"},
        {**AFTER, "kind": "status", "status": 502},
    ],
    ids=str,
)
def test_when_nobody_knows_it_is_not_repeated(desk: Desk, rule: dict[str, Any]) -> None:
    desk.emulator.control.add_faults(rule)
    error = failure(desk)
    assert isinstance(error, errors.SubmitUnknownError)
    assert error.billed == "maybe"
    assert error.operation == "RecognizeImage"
    assert len(submits(desk)) == 1
    assert sum(desk.emulator.control.billing().values()) <= 1


def test_an_answer_that_does_not_come_in_time_is_unknown(aspose_ocr_emulator: Any, tmp_path: Path) -> None:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)
    account = Account("emulator", "emulator", aspose_ocr_emulator.url, request_timeout_seconds=0.3)
    desk = Desk(aspose_ocr_emulator, account, document)
    desk.client.obtain_token()
    aspose_ocr_emulator.control.add_faults({**AFTER, "kind": "delay", "delay_seconds": 1})
    assert isinstance(failure(desk), errors.SubmitUnknownError)
    assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 1}
    desk.client.close()


@pytest.mark.parametrize("status", [401, 403])
def test_an_expired_token_costs_one_replay_and_one_bill(desk: Desk, status: int) -> None:
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status})
    desk.client.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [status, 200]
    assert desk.emulator.control.billing() == {"RecognizeImage": 1}


def test_429_is_waited_for(desk: Desk) -> None:
    desk.emulator.control.add_faults(
        {**SUBMIT, "kind": "status", "status": 429, "headers": {"Retry-After": "9"}}
    )
    desk.client.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [429, 200]
    assert desk.waits == [9]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, errors.RequestRejectedError),
        (402, errors.QuotaExceededError),
        (404, errors.RequestRejectedError),
        (413, errors.RequestRejectedError),
    ],
)
def test_a_refusal_is_final_and_free(desk: Desk, status: int, cls: type[errors.AsposeOcrError]) -> None:
    body = '{"title": "Not this.", "errors": {"image": ["is no image"]}}'
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status, "body": body})
    error = failure(desk)
    assert type(error) is cls
    assert "is no image" in error.message
    assert error.billed == "no"
    assert submits(desk) == [status]
    assert desk.emulator.control.billing() == {}


@pytest.mark.parametrize(
    ("status", "said", "cls"),
    [
        (403, "Your subscription has ended", errors.QuotaExceededError),
        (403, "API calls quota exceeded", errors.QuotaExceededError),
        (403, "Forbidden", errors.AccessDeniedError),
        (429, "The free plan allows 150 calls per month", errors.QuotaExceededError),
        (429, "Payment required", errors.QuotaExceededError),
        (429, "API calls quota exceeded! maximum admitted 10 per Second", errors.RateLimitedError),
        (429, "Too many requests", errors.RateLimitedError),
    ],
)
def test_a_used_up_plan_reads_as_such(
    desk: Desk, status: int, said: str, cls: type[errors.AsposeOcrError]
) -> None:
    body = f'{{"title": "{said}"}}'
    desk.emulator.control.add_faults({**SUBMIT, "kind": "status", "status": status, "body": body, "count": 9})
    error = failure(desk)
    assert type(error) is cls
    assert said in error.message
    assert desk.emulator.control.billing() == {}


def test_a_pace_that_names_its_end_is_no_quota(desk: Desk) -> None:
    fault = {
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": "9"},
        "body": "See your billing plan",
    }
    desk.emulator.control.add_faults({**SUBMIT, **fault})
    desk.client.submit("RecognizeImage", desk.document, {})
    assert submits(desk) == [429, 200]


def test_a_poll_never_ends_a_wait_because_of_a_quota(desk: Desk) -> None:
    task = desk.client.submit("RecognizeImage", desk.document, {})
    fault = {"kind": "status", "status": 429, "body": "See your billing plan", "path": "*/GetTaskStatus"}
    desk.emulator.control.add_faults({**fault, "count": 9})
    with pytest.raises(errors.RateLimitedError):
        desk.client.status("RecognizeImage", task.id)


def test_nothing_listens_is_tried_four_times_and_costs_nothing(tmp_path: Path) -> None:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)
    waits: list[float] = []
    account = Account(base_url=f"http://127.0.0.1:{free_port()}", trial=True)
    client = CloudClient(account, Surroundings(random=lambda: 0.5), sleep=waits.append)
    with pytest.raises(errors.CloudUnreachableError) as caught:
        client.submit("RecognizeImage", document, {})
    assert waits == [0.75, 1.5, 3]
    assert caught.value.billed == "no"
    client.close()


def _trial_submit(server: RawServer, document: Path, ca_bundle: Path | None = None) -> errors.AsposeOcrError:
    account = Account(base_url=server.url, trial=True, ca_bundle=str(ca_bundle) if ca_bundle else None)
    client = CloudClient(account, Surroundings(random=lambda: 0.5), sleep=lambda _: None)
    with pytest.raises(errors.AsposeOcrError) as caught:
        client.submit("RecognizeImage", document, {})
    client.close()
    return caught.value


def test_a_connection_that_breaks_within_the_body_was_not_accepted(tmp_path: Path) -> None:
    """The last byte was never handed on, so that it is safe to send the document again."""
    document = tmp_path / "page.png"
    document.write_bytes(PNG + b"\0" * 50_000_000)

    def hang_up(connection: socket.socket) -> None:
        read_request(connection, whole_body=False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with RawServer(hang_up) as server:
        assert isinstance(_trial_submit(server, document), errors.CloudUnreachableError)
        assert server.connections == 4


def test_a_broken_connection_after_the_body_is_unknown(tmp_path: Path) -> None:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)
    with RawServer(lambda connection: (read_request(connection), None)[1]) as server:
        assert isinstance(_trial_submit(server, document), errors.SubmitUnknownError)
        assert server.connections == 1


def test_tls_that_breaks_after_the_body_is_unknown(tmp_path: Path, server_certificate: Path) -> None:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)

    def garble(connection: socket.socket) -> None:
        read_request(connection)
        assert isinstance(connection, ssl.SSLSocket)
        raw = socket.socket(fileno=connection.detach())
        raw.sendall(b"this is not TLS at all, " * 10)
        raw.close()

    with RawServer(garble, tls=server_certificate) as server:
        error = _trial_submit(server, document, server_certificate)
        assert isinstance(error, errors.SubmitUnknownError)
        assert server.connections == 1


def test_the_document_arrives_whole(tmp_path: Path) -> None:
    import base64
    import json

    document = tmp_path / "page.png"
    document.write_bytes(PNG + bytes(range(256)) * 5000)
    bodies: list[bytes] = []

    def take(connection: socket.socket) -> None:
        bodies.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n id-1\n")

    with RawServer(take) as server:
        client = CloudClient(Account(base_url=server.url, trial=True))
        done = client.submit("RecognizeImage", document, {"language": "German"})
        client.close()
    head, _, body = bodies[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v5.0/ocr/RecognizeImageTrial HTTP/1.1")
    assert b"authorization" not in head.lower()
    parsed = json.loads(body)
    assert base64.b64decode(parsed["image"]) == document.read_bytes()
    assert parsed["settings"] == {"language": "German"}
    assert (done.operation, done.id) == ("RecognizeImageTrial", "id-1")


def test_an_operation_without_settings_sends_none(tmp_path: Path, desk: Desk) -> None:
    desk.client.submit("UpscaleImage", desk.document, {})
    assert desk.emulator.control.billing() == {"UpscaleImage": 1}


class TestFindOperation:
    @pytest.mark.parametrize("row", _TABLE, ids=lambda row: row.name)
    def test_evaluation_mode_takes_the_trial_variant_or_refuses(self, row: Operation) -> None:
        assert find_operation(row.name) is row
        if row.trial or not row.needs_token:
            assert find_operation(row.name, trial=True).name == (row.trial or row.name)
        else:
            with pytest.raises(errors.TrialNotAvailableError, match="ConvertTextToSpeech, RecognizeImage"):
                find_operation(row.name, trial=True)

    def test_a_near_miss_is_met_with_what_was_meant(self) -> None:
        with pytest.raises(errors.InputError, match="Did you mean 'RecognizeImage'"):
            find_operation("recogniseimage")


def test_an_html_page_is_shown_by_its_beginning_only(tmp_path: Path) -> None:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)
    page = b"<!DOCTYPE html>\n<title>Gateway</title>" + b"x" * 1_000_000
    with RawServer(answering("400 Bad Request", page, "Content-Type: text/html")) as server:
        error = _trial_submit(server, document)
    assert isinstance(error, errors.RequestRejectedError)
    assert "Gateway" in error.message
    assert len(error.message) < 500
