"""A server in the test's own event loop that counts its requests, and can delay its answers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_asposeocr.api.account import Account
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STATE = b'{"taskStatus":"Processing"}'
COMPLETED = b'{"taskStatus":"Completed"}'


class CountingCloud:
    """
    Answers tokens, polls and cancels.

    :param token_seconds: Life of a token.
    """

    def __init__(self, token_seconds: int = 3600) -> None:
        self._token_seconds = token_seconds
        self.asked: Counter[str] = Counter()
        self.connections = 0
        self.most_connections = 0
        self.opened = 0
        self.url = ""
        #: Polls are answered while it is set.
        self.answering = asyncio.Event()
        self.answering.set()
        #: Cancels are answered while it is set.
        self.cancelling = asyncio.Event()
        self.cancelling.set()
        #: What polls are answered with.
        self.state = STATE
        #: What the next poll and the next cancel are refused with.
        self.refusals: list[bytes] = []
        self.cancel_refusals: list[bytes] = []
        #: How long each answer takes.
        self.answer_seconds = 0.0
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.answering.set()
        self.cancelling.set()
        self._server.close()
        await self.until(lambda: self.connections == 0)

    def account(self, **options: Any) -> Account:
        return Account("id", "secret", self.url, **{"max_requests_per_second": 1e6, **options})

    async def until(self, reached: Any) -> None:
        async with self._changed, asyncio.timeout(PATIENCE_SECONDS):
            await self._changed.wait_for(reached)

    async def _count(self, what: str = "", connections: int = 0) -> None:
        async with self._changed:
            if what:
                self.asked[what] += 1
            self.connections += connections
            self.opened += max(0, connections)
            self.most_connections = max(self.most_connections, self.connections)
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._count(connections=1)
        try:
            async for method, path in _requests(reader):
                await asyncio.sleep(self.answer_seconds)
                writer.write(await self._answer(method, path))
        finally:
            writer.close()
            await self._count(connections=-1)

    async def _answer(self, method: str, path: str) -> bytes:
        if method == "POST":
            await self._count("token")
            return _ok(b'{"access_token":"t%d","expires_in":%d}' % (self.asked["token"], self._token_seconds))
        if method == "DELETE":
            await self._count("cancel")
            await self.cancelling.wait()
            return self.cancel_refusals.pop() if self.cancel_refusals else _ok(b"")
        await self._count("poll")
        await self.answering.wait()
        return self.refusals.pop() if self.refusals else _ok(self.state)


def _ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def refusal(status: int, retry_after_seconds: int | None) -> bytes:
    """An answer that refuses, and perhaps says for how long."""
    after = b"" if retry_after_seconds is None else b"Retry-After: %d\r\n" % retry_after_seconds
    return b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n%s\r\n" % (status, after)


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[tuple[str, str]]:
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        fields = head.decode().split("\r\n")
        lengths = [line.partition(":")[2] for line in fields if line.lower().startswith("content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        method, path, _ = fields[0].split(" ")
        yield method, path
