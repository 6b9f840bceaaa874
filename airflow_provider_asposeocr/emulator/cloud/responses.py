"""
The HTTP responses of the emulated cloud: streamed results, answers that are cut short, and closed connections.

Results are read from disk and encoded in pieces; their length is declared before. A connection that a fault rule closes
early leaves no error in the server's log.
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
#: Events of a connection that the client has closed; POLLRDHUP exists on Linux only.
_HUNG_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class OCRResponse(Response):
    """
    The answer to a GET: JSON for any ``Accept`` header.

    :param answer: The content.
    :param reading: Context in which the files are read, so that they are not removed meanwhile.
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
        """Yield the parts of the body: JSON text, and files whose base64 is inserted between."""
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
            # For a small file a thread costs more than it saves. A large file must not delay other requests.
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
    The answer to a submit: the id alone.

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
    """A closed connection instead of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Close the connection."""
        await hang_up(scope, receive)


class TruncatedResponse(Response):
    """
    The first half of another answer, followed by a closed connection.

    :param whole: The answer.
    :param chunked: Whether the answer does not declare its length.
    """

    def __init__(self, whole: Response, chunked: bool) -> None:
        super().__init__(status_code=whole.status_code)
        self._whole = whole
        self._chunked = chunked
        self._left = int(whole.headers.get("content-length", "0")) // 2

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the answer, then close the connection."""

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
    """Return whether the client has closed the connection, according to the kernel, which knows before the event loop."""
    transport: asyncio.Transport = scope["state"][TRANSPORT]
    if transport.is_closing():
        return True
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HUNG_UP)
    return bool(poll.poll(0))


async def hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection and wait until the server has noticed, so that it does not send its own answer."""
    scope["state"][TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass
