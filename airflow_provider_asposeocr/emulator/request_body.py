"""
Receives request bodies.

Invariant: no more than the limit is ever kept, and a large body lies on disk, not in memory, until it is its turn
to be parsed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.problems import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from airflow_provider_asposeocr.emulator.journal import Entry


async def receive_to_file(request: Request, target: Path, max_bytes: int, entry: Entry) -> None:
    """
    Write a request's body to a file.

    :param request: The request.
    :param target: The file.
    :param max_bytes: Size above which the body is refused.
    :param entry: Journal entry that learns the size.
    :raises Refused: with 413, once the body is too large. As much again is read and dropped, because a client that
        is still sending would see a broken connection instead of the answer.
    """
    too_large = int(request.headers.get("content-length") or 0) > max_bytes
    # Writing to the page cache does not block the loop for longer than a thread would cost.
    with target.open("wb") as file:
        async for piece in request.stream():
            entry.request_bytes += len(piece)
            too_large = too_large or entry.request_bytes > max_bytes
            if entry.request_bytes > 2 * max_bytes:
                break
            if not too_large:
                file.write(piece)
    if too_large:
        raise Refused(
            413,
            f"The body is larger than {max_bytes} bytes (--max-body-bytes of the emulator).",
            headers={"Connection": "close"},
        )


async def receive(request: Request, max_bytes: int, entry: Entry) -> bytes:
    """
    Read a small body.

    :param request: The request.
    :param max_bytes: Size above which the body is refused.
    :param entry: Journal entry that learns the size.
    :raises Refused: with 413, if the body is larger.
    """
    body = b""
    async for piece in request.stream():
        body += piece
        entry.request_bytes += len(piece)
        if len(body) > max_bytes:
            raise Refused(413, f"The body is larger than {max_bytes} bytes.", headers={"Connection": "close"})
    return body
