"""
Answers on the wire: streamed, cut short, or none at all.

Invariant: results are read from disk in pieces and encoded on the way, with the length told before; whatever is
closed early is closed without a word in the server's log, because it was wanted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import select
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    from airflow_provider_asposeocr.emulator.cloud.answers import Answer
    from airflow_provider_asposeocr.emulator.cloud.tasks import Task

#: Bytes read at once; a multiple of 3, so that the base64 of the pieces can be joined.
_PIECE_BYTES = 3 * 64 * 1024
#: Key of the connection's transport in the request's state (see :mod:`..server`).
TRANSPORT = "transport"
#: Events of a connection that the other side has closed; POLLRDHUP is Linux'.
_HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class OCRResponse(Response):
    """
    The answer to a GET: JSON, whatever ``Accept`` says.

    :param answer: What to say.
    :param reading: Held while files are read.
    """

    media_type = "application/json"

    def __init__(self, answer: Answer, reading: AbstractContextManager[None] | None = None) -> None:
        self._answer = answer
        self._reading = reading or nullcontext()
        super().__init__()
        self.headers["content-length"] = str(sum(self._lengths()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer in pieces."""
        with self._reading:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async for piece in self._pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _parts(self) -> Iterator[bytes | Path]:
        """Return the body as JSON text and files whose base64 goes between."""
        answer = self._answer
        start = {"id": answer.id, "taskStatus": answer.task_status, "responseStatusCode": answer.code}
        yield json.dumps(start)[:-1].encode() + b', "results": '
        if not answer.results:
            yield b"null"
        for index, result in enumerate(answer.results):
            opening = "[" if index == 0 else ", "
            spoiled = "!" if answer.spoiled else ""
            yield f'{opening}{{"type": {json.dumps(result.type)}, "data": "{spoiled}'.encode()
            yield result.path
            yield b'"}'
        if answer.results:
            yield b"]"
        yield b', "error": ' + json.dumps(answer.error).encode() + b"}"

    def _lengths(self) -> Iterator[int]:
        for part in self._parts():
            if isinstance(part, bytes):
                yield len(part)
            elif self._answer.escaped:
                yield sum(len(self._encoded(piece)) for piece in _read(part))
            else:
                yield (part.stat().st_size + 2) // 3 * 4

    async def _pieces(self) -> AsyncIterator[bytes]:
        gathered = b""
        for part in self._parts():
            if isinstance(part, bytes):
                gathered += part
                continue
            pieces = _read(part)
            # A thread costs more than a small file; a large one must not hold up the others.
            large = part.stat().st_size > _PIECE_BYTES
            while piece := await asyncio.to_thread(next, pieces, b"") if large else next(pieces, b""):
                gathered += self._encoded(piece)
                if len(gathered) > _PIECE_BYTES:
                    yield gathered
                    gathered = b""
        yield gathered

    def _encoded(self, piece: bytes) -> bytes:
        encoded = base64.b64encode(piece)
        if not self._answer.escaped:
            return encoded
        return encoded.replace(b"+", rb"\u002B").replace(b"/", rb"\/")


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


class IdResponse(Response):
    """
    The answer to a submit: the bare id.

    :param task: The task that was accepted.
    :param quoted: Whether the id is written as a JSON string.
    """

    def __init__(self, task: Task, quoted: bool) -> None:
        self.task = task
        super().__init__(
            json.dumps(task.id) if quoted else task.id,
            media_type="application/json" if quoted else "text/plain",
        )


class DroppedResponse(Response):
    """No answer: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        await hang_up(scope, receive)


class TruncatedResponse(Response):
    """
    The first half of another answer, then a closed connection.

    :param whole: The answer.
    :param chunked: Whether the length is kept from the client.
    """

    def __init__(self, whole: Response, chunked: bool) -> None:
        super().__init__(status_code=whole.status_code)
        self._whole = whole
        self._chunked = chunked
        self._left = int(whole.headers.get("content-length", "0")) // 2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half, then close."""

        async def send_half(message: Message) -> None:
            if message["type"] == "http.response.start":
                if self._chunked:
                    headers = [pair for pair in message["headers"] if pair[0].lower() != b"content-length"]
                    message = {**message, "headers": headers}
                await send(message)
            elif self._left > 0:
                body = message.get("body", b"")[: self._left]
                self._left -= len(body)
                await send({"type": "http.response.body", "body": body, "more_body": True})

        await self._whole(scope, receive, send_half)
        await hang_up(scope, receive)


def client_has_gone(scope: Scope) -> bool:
    """Say whether the client has closed the connection; asks the kernel, which knows before the event loop does."""
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    if transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)
    return bool(poll.poll(0))


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until the server knows, so that it does not add an answer of its own."""
    scope["state"][TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass
