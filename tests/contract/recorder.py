"""
A server that records its requests, to compare two clients.

Invariant: it answers both clients the same, so that a difference between what they send is a difference of theirs.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from types import TracebackType

ID = "a197aade-bba9-4c7a-92c7-46851b3dceaa"
TOKEN = "recorded-token"
_DONE: dict[str, Any] = {
    "id": ID,
    "taskStatus": "Completed",
    "responseStatusCode": "Ok",
    "results": [],
    "error": None,
}


@dataclass(frozen=True)
class Recorded:
    """
    A request, without what HTTP clients may choose freely.

    :param method: HTTP method.
    :param path: Path in lower case, because the cloud ignores its case.
    :param query: Fields of the query.
    :param authorization: The header, if there was one.
    :param content_type: Media type without parameters; empty without a body.
    :param body: The JSON, or ``None`` without a body.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    authorization: str | None
    content_type: str
    body: Any


class Recorder:
    """The server, as a context manager; ``take`` returns what it heard since the last call, tokens left out."""

    def __init__(self) -> None:
        self._heard: list[Recorded] = []
        recorder = self

        class Handler(_Handler):
            heard = recorder._heard

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self) -> list[Recorded]:
        heard = list(self._heard)
        self._heard.clear()
        return heard

    def __enter__(self) -> Recorder:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0 closes after each answer, so that no connection outlives the server.
    heard: list[Recorded]

    def do_POST(self) -> None:
        if self.path == "/connect/token":
            self._read()
            token = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            self._answer("application/json", json.dumps(token))
        else:
            self._record()
            self._answer("text/plain", ID)

    def do_GET(self) -> None:
        self._record()
        self._answer("application/json", json.dumps(_DONE))

    def do_DELETE(self) -> None:
        self._record()
        self._answer("text/plain", "")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Be quiet."""

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _record(self) -> None:
        body = self._read()
        address = urlsplit(self.path)
        self.heard.append(
            Recorded(
                self.command,
                address.path.lower(),
                tuple(parse_qsl(address.query)),
                self.headers.get("Authorization"),
                self.headers.get_content_type() if body else "",
                json.loads(body) if body else None,
            )
        )

    def _answer(self, media_type: str, body: str) -> None:
        content = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
