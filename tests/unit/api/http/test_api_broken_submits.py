"""
Submits whose connection breaks: until the last byte of the body is sent, they were certainly not accepted.

Each test runs with both clients, so that the rule is one.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.http.transports import Upload
from airflow_provider_asposeocr.api.http.wire import CHUNK_BYTES, FileBody
from tests.support.client_drivers import PNG, Driver
from tests.support.patience import PATIENCE_SECONDS
from tests.support.raw_servers import RawServer, answering, free_port, read_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Handler = Callable[[socket.socket], None]

#: More than the buffers of two sockets hold, so that the last byte cannot be handed on while the server reads nothing.
LARGE_BYTES = 32_000_000
#: Several pieces, which the client of an event loop reads without a thread.
MIDDLE_BYTES = 500_000


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.png"
    page.write_bytes(PNG)
    return page


@pytest.fixture
def large(tmp_path: Path) -> Path:
    large = tmp_path / "large.png"
    large.write_bytes(PNG)
    with large.open("r+b") as stream:
        stream.truncate(LARGE_BYTES)
    return large


def trial(server: RawServer, **options: object) -> Account:
    return Account(base_url=server.url, trial=True, **options)  # type: ignore[arg-type]  # fields of several types


def failure(driver: Driver, document: Path) -> errors.AsposeOcrError:
    with pytest.raises(errors.AsposeOcrError) as caught:
        driver.submit("RecognizeImage", document)
    return caught.value


def reset(connection: socket.socket) -> None:
    """Let the close that follows break the connection instead of ending it."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def break_off(connection: socket.socket, *, read_bytes: int, say: bytes = b"", hard: bool = True) -> None:
    """Read this number of bytes of the request (-1: all of it), answer in part, and break the connection."""
    if read_bytes < 0:
        read_request(connection)
    while read_bytes > 0:
        read_bytes -= len(connection.recv(min(read_bytes, 65536)) or b" " * read_bytes)
    if say:
        connection.sendall(say)
    elif hard:
        reset(connection)


@dataclass(frozen=True)
class Break:
    """Where a connection breaks, and what that means."""

    handler: Handler
    certain: bool
    large: bool = False


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n"
BREAKS = {
    "before the head": Break(partial(break_off, read_bytes=0), certain=True, large=True),
    "within the head": Break(partial(break_off, read_bytes=30), certain=True, large=True),
    "within the body": Break(partial(break_off, read_bytes=300_000), certain=True, large=True),
    "late in the body": Break(partial(break_off, read_bytes=20_000_000), certain=True, large=True),
    "after the body, reset": Break(partial(break_off, read_bytes=-1), certain=False),
    "after the body, closed": Break(partial(break_off, read_bytes=-1, hard=False), certain=False),
    "after a large body": Break(partial(break_off, read_bytes=-1), certain=False, large=True),
    "within the status line": Break(partial(break_off, read_bytes=-1, say=HEAD[:10]), certain=False),
    "within the answer's head": Break(partial(break_off, read_bytes=-1, say=HEAD[:25]), certain=False),
    "before the id": Break(partial(break_off, read_bytes=-1, say=HEAD), certain=False),
    "within the id": Break(partial(break_off, read_bytes=-1, say=HEAD + b"8c3d"), certain=False),
}


@pytest.mark.parametrize("name", BREAKS)
def test_the_byte_at_which_it_breaks_decides(
    new_driver: Callable[..., Driver], page: Path, large: Path, name: str
) -> None:
    broken = BREAKS[name]
    with RawServer(broken.handler) as server:
        driver = new_driver(trial(server))
        error = failure(driver, large if broken.large else page)
        assert type(error) is (errors.CloudUnreachableError if broken.certain else errors.SubmitUnknownError)
        assert error.billed == ("no" if broken.certain else "maybe")
        # The client sends again only if the cloud cannot have accepted the document.
        assert server.connections == (4 if broken.certain else 1)
        assert driver.waits == ([0.75, 1.5, 3] if broken.certain else [])


def test_a_server_that_takes_nothing_more_is_given_up(new_driver: Callable[..., Driver], large: Path) -> None:
    given_up = threading.Event()

    def take_nothing_more(connection: socket.socket) -> None:
        """Read a little of the request, and then nothing: the end that the client sends waits behind the rest of it."""
        connection.recv(100)
        given_up.wait(PATIENCE_SECONDS)

    with RawServer(take_nothing_more) as server:
        account = trial(server, connect_timeout_seconds=0.3, request_timeout_seconds=0.3)
        driver = new_driver(account)
        try:
            error = failure(driver, large)
        finally:
            given_up.set()
        assert (type(error), error.billed) == (errors.CloudUnreachableError, "no")
        assert server.connections == 4


def test_each_attempt_is_judged_by_itself(new_driver: Callable[..., Driver], large: Path) -> None:
    """The attempt that was refused has sent the whole body; those whose connection broke have not."""
    refusal = b"HTTP/1.1 429 Slow down\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    handlers = iter([partial(break_off, read_bytes=-1, say=refusal)])

    def handle(connection: socket.socket) -> None:
        next(handlers, partial(break_off, read_bytes=0))(connection)

    with RawServer(handle) as server:
        assert type(failure(new_driver(trial(server)), large)) is errors.CloudUnreachableError
        assert server.connections == 4


def test_nothing_listens_is_tried_four_times_and_costs_nothing(
    new_driver: Callable[..., Driver], page: Path
) -> None:
    driver = new_driver(Account(base_url=f"http://127.0.0.1:{free_port()}", trial=True))
    error = failure(driver, page)
    assert (type(error), error.billed) == (errors.CloudUnreachableError, "no")
    assert driver.waits == [0.75, 1.5, 3]


def test_tls_that_breaks_after_the_body_is_unknown(
    new_driver: Callable[..., Driver], page: Path, server_certificate: Path
) -> None:
    def garble(connection: socket.socket) -> None:
        read_request(connection)
        assert isinstance(connection, ssl.SSLSocket)
        raw = socket.socket(fileno=connection.detach())
        raw.sendall(b"this is not TLS at all, " * 10)
        raw.close()

    with RawServer(garble, tls=server_certificate) as server:
        driver = new_driver(trial(server, ca_bundle=str(server_certificate)))
        assert type(failure(driver, page)) is errors.SubmitUnknownError
        assert server.connections == 1


def test_an_untrusted_server_gets_no_document(
    new_driver: Callable[..., Driver], page: Path, server_certificate: Path
) -> None:
    with RawServer(answering("200 OK", b"id-1"), tls=server_certificate) as server:
        error = failure(new_driver(trial(server)), page)
        assert (type(error), error.billed) == (errors.CertificateError, "no")


@pytest.mark.parametrize("size", [20, MIDDLE_BYTES, LARGE_BYTES])
def test_the_document_arrives_whole(new_driver: Callable[..., Driver], page: Path, size: int) -> None:
    page.write_bytes(PNG + bytes(range(256)) * (size // 256 + 1))
    requests: list[bytes] = []

    def take(connection: socket.socket) -> None:
        requests.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n id-1\n")

    with RawServer(take) as server:
        done = new_driver(trial(server)).submit("RecognizeImage", page, {"language": "German"})
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v5.0/ocr/RecognizeImageTrial HTTP/1.1")
    assert b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
    assert b"transfer-encoding" not in head.lower()
    assert b"authorization" not in head.lower()
    parsed = json.loads(body)
    assert base64.b64decode(parsed["image"]) == page.read_bytes()
    assert parsed["settings"] == {"language": "German"}
    assert (done.operation, done.id) == ("RecognizeImageTrial", "id-1")


def test_an_html_page_is_shown_by_its_beginning_only(new_driver: Callable[..., Driver], page: Path) -> None:
    content = b"<!DOCTYPE html>\n<title>Gateway</title>" + b"x" * 1_000_000
    with RawServer(answering("400 Bad Request", content, "Content-Type: text/html")) as server:
        error = failure(new_driver(trial(server)), page)
    assert isinstance(error, errors.RequestRejectedError)
    assert "Gateway" in error.message
    assert len(error.message) < 500


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_an_upload_is_finished_when_its_last_byte_is_handed_on(page: Path, size: int) -> None:
    page.write_bytes(b"x" * size)
    body = FileBody(page, {})
    upload = Upload(body)
    count = len(list(body))
    pieces = iter(upload)
    for _ in range(count - 1):
        next(pieces)
        assert not upload.finished
    next(pieces)
    assert upload.finished
    # A library that sends a body twice has sent it.
    next(iter(upload))
    assert upload.finished
    assert not Upload(body).finished
