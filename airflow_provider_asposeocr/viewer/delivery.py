"""
Send a file of a document.

Invariant: a file goes out with its own type, which browsers do not guess, into a sandbox without scripts. An answer that the
browser has already is confirmed without asking the storage, since its entity tag is the checksum.
"""

from __future__ import annotations

import gzip
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from airflow_provider_asposeocr.viewer.ranges import (
    Part,
    UnsatisfiableRangeError,
    accepts_gzip,
    etag_of,
    names_etag,
    parse_range,
    wants_range,
)
from airflow_provider_asposeocr.viewer.verified import open_verified

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from airflow_provider_asposeocr.viewer.kinds import Kind
    from airflow_provider_asposeocr.viewer.verified import Claim, VerifiedFile

#: Policy of all answers but pages: a browser runs nothing in them, loads nothing for them, and embeds them in no other site.
GUARDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}


#: A smaller text is sent as it is.
_LEAST_COMPRESSED_BYTES = 1000


class _FileResponse(StreamingResponse):
    """Sends a part of a file, and closes the file in any case, also after an error."""

    def __init__(self, file: VerifiedFile, part: Part | None, **arguments: Any) -> None:
        first, count = (part.first, part.size_bytes) if part else (0, file.size_bytes)
        super().__init__(file.pieces(first, count), **arguments)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def deliver(claim: Claim, kind: Kind, headers: Mapping[str, str]) -> Response:
    """
    Answer a request for a file.

    :param claim: What the manifest says of it.
    :param kind: Its kind.
    :param headers: Headers of the request, in lower case.
    :return: The file, a part of it, or that it has not changed.
    :raises RefusedError: if it is not what the manifest says.
    """
    etag = etag_of((claim.sha256 or "").lower())
    is_compressed = (
        kind.is_text
        and (claim.size_bytes or 0) >= _LEAST_COMPRESSED_BYTES
        and "range" not in headers
        and accepts_gzip(headers.get("accept-encoding"))
    )
    # A strong tag names one representation.
    guards = {**GUARDS, "ETag": f"W/{etag}" if is_compressed else etag}
    if kind.is_text:
        guards["Vary"] = "Accept-Encoding"
    if claim.sha256 and names_etag(headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=guards)
    file = open_verified(claim, kind.most_bytes)
    try:
        wanted = headers.get("range") if wants_range(headers.get("if-range"), etag) else None
        part = parse_range(wanted, file.size_bytes)
    except UnsatisfiableRangeError:
        file.close()
        return Response(status_code=416, headers={**guards, "Content-Range": f"bytes */{file.size_bytes}"})
    sent = {
        **guards,
        "Accept-Ranges": "bytes",
        # Otherwise Airflow would compress the file: seconds of CPU for a large PDF, and a second representation with the
        # same ETag.
        "Content-Encoding": "gzip" if is_compressed else "identity",
        "Content-Disposition": disposition(claim.uri, kind),
    }
    if is_compressed:
        return _compressed(file, sent, kind)
    sent["Content-Length"] = str(part.size_bytes if part else file.size_bytes)
    if part is not None:
        sent["Content-Range"] = f"bytes {part.first}-{part.last}/{file.size_bytes}"
    return _FileResponse(
        file, part, status_code=206 if part else 200, headers=sent, media_type=kind.content_type
    )


def _compressed(file: VerifiedFile, headers: dict[str, str], kind: Kind) -> Response:
    """Compress a text, which has at most two megabytes: hOCR becomes a fifth."""
    try:
        content = gzip.compress(file.content(), compresslevel=6, mtime=0)
    finally:
        file.close()
    return Response(content, headers=headers, media_type=kind.content_type)


def disposition(uri: str, kind: Kind) -> str:
    """
    Say whether a browser shows or saves a file.

    :param uri: The URI of the file; its last part is the name under which a browser saves it.
    :param kind: Its kind.
    """
    name = PurePosixPath(uri).name or "result"
    # Opened by itself, an SVG is a document that could run scripts, so it is a download; an img element of the page shows
    # it.
    word = "attachment" if kind.name == "other" or "svg" in kind.content_type else "inline"
    return f"{word}; filename*=UTF-8''{quote(name, safe='')}"
