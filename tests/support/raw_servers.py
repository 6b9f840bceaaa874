"""
Servers for special cases: a proxy that records its requests, and a server that sends given bytes.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Handler = Callable[[socket.socket], None]


class RawServer:
    """
    A TCP server on a free port of the loopback; each connection is handed to ``handler`` in a thread.

    :param handler: Talks; the connection is closed when it returns.
    :param tls: Certificate with its key in one PEM file; plain TCP without.
    """

    def __init__(self, handler: Handler, tls: Path | None = None) -> None:
        self._handler = handler
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with contextlib.suppress(OSError, ssl.SSLError):
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            self._handler(connection)
        with contextlib.suppress(OSError):
            connection.close()


def read_request(connection: socket.socket, whole_body: bool = True) -> bytes:
    """Read one request: its head, and its body as long as Content-Length says."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return data
        data += more
    head, _, begun = data.partition(b"\r\n\r\n")
    body = bytearray(begun)  # Bytes would be copied with each piece: gigabytes for a body of 40 MB.
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while whole_body and len(body) < length:
        more = connection.recv(65536)
        if not more:
            break
        body += more
    return head + b"\r\n\r\n" + bytes(body)


def answering(status: str, body: bytes = b"", *headers: str) -> Handler:
    """A handler that answers every request the same way."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    said = "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def handle(connection: socket.socket) -> None:
        if read_request(connection):
            connection.sendall(said)

    return handle


class RecordingProxy(RawServer):
    """An HTTP proxy that forwards and records the first line of what it is asked, and its Authorization."""

    def __init__(self) -> None:
        super().__init__(self._forward)
        self.seen: list[str] = []
        self.proxy_authorizations: list[str] = []

    def _forward(self, client: socket.socket) -> None:
        request = read_request(client)
        if not request:
            return
        head, _, body = request.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        self.seen.append(f"{method} {target}")
        self.proxy_authorizations += [
            line for line in lines if line.lower().startswith("proxy-authorization")
        ]
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), 10) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _pump(client, server)
            return
        parts = urlsplit(target)
        kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        forwarded = "\r\n".join([f"{method} {path} {version}", "Connection: close", *kept]).encode("latin-1")
        with socket.create_connection((parts.hostname or "", parts.port or 80), 10) as server:
            server.sendall(forwarded + b"\r\n\r\n" + body)
            while data := server.recv(65536):
                client.sendall(data)


def _pump(one: socket.socket, other: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([one, other], [], [], 10)
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (other if source is one else one).sendall(data)


def free_port() -> int:
    """Return a port on which no process listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
