"""
Receive request bodies.

Invariant: no more bytes than the limit are kept. The body of a submit is stored on disk, not in memory, until it is parsed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.cloud.error_responses import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from starlette.requests import Request

    from airflow_provider_asposeocr.emulator.control.journal import Entry

#: How long a refused client may pause while it sends its body, before the emulator answers.
_PATIENCE_SECONDS = 2.0


async def receive_to_file(request: Request, target: Path, max_bytes: int, entry: Entry) -> None:
    """
    Write a request's body to a file.

    :param request: The request.
    :param target: The file.
    :param max_bytes: Size above which the body is refused.
    :param entry: Journal entry, which gets the size.
    :raises Refused: with 413, if the declared or the received length is over the limit. The function does not decompress
        encoded bodies.
    """
    declared = int(request.headers.get("content-length") or 0)
    too_large = Refused(
        413,
        f"The body is larger than {max_bytes} bytes (--max-body-bytes of the emulator).",
        headers={"Connection": "close"},
    )
    if declared > max_bytes and "expect" in request.headers:
        raise too_large  # The client waits for permission before it sends.
    pieces = request.stream()
    if declared <= max_bytes:
        # Writing to the page cache blocks the loop for less time than a switch to a thread takes.
        with target.open("wb") as file:
            async for piece in pieces:
                entry.request_bytes += len(piece)
                if entry.request_bytes > max_bytes:
                    break
                file.write(piece)
            else:
                return
    await _drop(pieces, max_bytes, entry)
    raise too_large


async def _drop(pieces: AsyncGenerator[bytes, None], max_bytes: int, entry: Entry) -> None:
    """Read and discard the rest: a client that is still sending would see a broken connection instead of the answer."""
    with suppress(TimeoutError, StopAsyncIteration):
        while entry.request_bytes <= 2 * max_bytes:
            entry.request_bytes += len(await asyncio.wait_for(anext(pieces), _PATIENCE_SECONDS))


async def receive(request: Request, max_bytes: int, entry: Entry) -> bytes:
    """
    Read a small body.

    :param request: The request.
    :param max_bytes: Size above which the body is refused.
    :param entry: Journal entry, which gets the size.
    :raises Refused: with 413, if the body is larger.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        entry.request_bytes += len(piece)
        if len(body) > max_bytes:
            raise Refused(413, f"The body is larger than {max_bytes} bytes.", headers={"Connection": "close"})
    return body
