"""What only the transport of an event loop has to do: connections of submits, and an event loop that is never blocked."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http import aiohttp_transport
from airflow_provider_asposeocr.api.http.aiohttp_transport import (
    READ_IN_LOOP_BYTES,
    WRITTEN_AT_ONCE_BYTES,
    AiohttpTransport,
)
from airflow_provider_asposeocr.api.http.transports import READ_BYTES, Upload, tls_context
from airflow_provider_asposeocr.api.operations import OPERATIONS
from tests.support.client_drivers import PNG
from tests.support.raw_servers import RawServer, read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def answer_for_ever(connection: socket.socket) -> None:
    """Answer all requests of a connection until the client closes it."""
    while request := read_request(connection):
        body = b"id-1" if request.startswith(b"POST") else b'{"taskStatus":"Processing"}'
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.sendall(head + body)


class TestConnections:
    @pytest.mark.parametrize(("kept_seconds", "connections"), [(3600.0, 1), (0.0, 3)])
    async def test_a_submit_takes_one_only_shortly_after_its_last_answer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_seconds: float, connections: int
    ) -> None:
        (page := tmp_path / "page.png").write_bytes(PNG)
        monkeypatch.setattr(aiohttp_transport, "SUBMIT_REUSE_SECONDS", kept_seconds)
        with RawServer(answer_for_ever) as server:
            account = Account(base_url=server.url, trial=True)
            client = AsyncCloudClient(account, tls_context(account))
            for _ in range(3):
                await client.submit(OPERATIONS["RecognizeImageTrial"], page, {})
            await client.close()
            assert server.connections == connections

    def test_that_time_is_shorter_than_what_servers_keep_an_idle_one(self) -> None:
        """Uvicorn keeps one for 5 s, which is the shortest among usual servers."""
        assert aiohttp_transport.SUBMIT_REUSE_SECONDS <= 5 / 2

    async def test_a_submit_never_takes_one_that_polls_keep(self, tmp_path: Path) -> None:
        (page := tmp_path / "page.png").write_bytes(PNG)
        with RawServer(answer_for_ever) as server:
            account = Account(base_url=server.url, trial=True)
            client = AsyncCloudClient(account, tls_context(account))
            await client.status("RecognizeImageTrial", "x")
            await client.submit(OPERATIONS["RecognizeImageTrial"], page, {})
            await client.status("RecognizeImageTrial", "x")
            await client.close()
            assert server.connections == 2


class Pieces:
    """A body that notes which threads make it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        piece = self._size // 10
        for _ in range(10):
            self.threads.add(threading.current_thread().name)
            yield bytes(piece)
        yield bytes(self._size - 10 * piece)


@pytest.mark.parametrize("size", [READ_IN_LOOP_BYTES, READ_IN_LOOP_BYTES + 1])
async def test_the_loop_goes_on_while_a_document_is_sent(size: int) -> None:
    """Also where the socket takes all at once, so that nothing else lets the loop go on."""
    account = Account(base_url="http://127.0.0.1:1", trial=True)
    transport = AiohttpTransport(account, "test", tls_context(account))
    body, turns = Pieces(size), 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    async with asyncio.timeout(None) as stalled:
        sent = sum([len(piece) async for piece in transport._pieces(Upload(body), stalled)])
    counting.cancel()
    assert sent == size
    assert turns >= 10
    is_in_loop = body.threads == {threading.current_thread().name}
    assert is_in_loop == (size <= READ_IN_LOOP_BYTES)


class TestSmallBodies:
    async def test_one_goes_out_in_one_write_with_its_header_fields(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (page := tmp_path / "page.png").write_bytes(PNG + bytes(20_000))
        written: list[int] = []
        opened = asyncio.get_running_loop().create_connection

        async def noting(make: Callable[[], asyncio.Protocol], *args: Any, **named: Any) -> Any:
            transport, protocol = await opened(make, *args, **named)
            write = transport.write

            def note(data: bytes) -> None:
                written.append(len(data))
                write(data)

            monkeypatch.setattr(transport, "write", note)
            return transport, protocol

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", noting)
        with RawServer(answer_for_ever) as server:
            account = Account(base_url=server.url, trial=True)
            client = AsyncCloudClient(account, tls_context(account))
            await client.submit(OPERATIONS["RecognizeImageTrial"], page, {})
            await client.close()
        assert len(written) == 1
        assert written[0] > 20_000

    async def test_one_whose_connection_breaks_before_the_write_was_not_sent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the choice of a connection and the write, the loop may find that the server has closed it."""
        (page := tmp_path / "page.png").write_bytes(PNG)
        write = aiohttp.ClientRequest.write_bytes
        breaks = [True]

        async def break_once(
            request: aiohttp.ClientRequest, writer: Any, connection: Any, *rest: Any
        ) -> None:
            if breaks and breaks.pop():
                connection.transport.abort()
            await write(request, writer, connection, *rest)

        monkeypatch.setattr(aiohttp.ClientRequest, "write_bytes", break_once)
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)

        with RawServer(answer_for_ever) as server:
            account = Account(base_url=server.url, trial=True)
            client = AsyncCloudClient(account, tls_context(account), sleep=sleep)
            done = await client.submit(OPERATIONS["RecognizeImageTrial"], page, {})
            await client.close()
        assert done.id == "id-1"
        assert len(waits) == 1


async def test_a_small_body_is_written_without_a_wait_where_the_server_takes_nothing() -> None:
    """No timer guards its writing. Its header fields, with a token, have less than 8 KiB."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            ours.send(bytes(READ_BYTES))
    paused = []

    class Noting(asyncio.Protocol):
        def pause_writing(self) -> None:
            paused.append(True)

    transport, _ = await asyncio.get_running_loop().create_connection(Noting, sock=ours)
    transport.write(bytes(WRITTEN_AT_ONCE_BYTES + 8 * 1024))
    assert not paused
    transport.write(bytes(READ_BYTES))
    assert paused
    transport.abort()
    theirs.close()
