"""
A proxy in front of an object store that stops an upload in its middle.

What a test needs of it: when :meth:`Gate.wait_stopped` returns, the store has answered the large bodies before the
chosen one and has half of that one, and the rest of it stays out until the gate is opened.
"""

from __future__ import annotations

import http.client
import socket
import threading
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

#: Bodies from this size on are uploads; smaller ones are lists of parts and the like.
LARGE_BYTES = 512 * 1024
_CHUNK_BYTES = 256 * 1024
#: Size of the kernel's receive buffer of the gate. By default the kernel makes it many MiB large on a busy machine. The rest
#: of a body would then be in the buffer already, and arrive although its writer is dead.
_KERNEL_BYTES = 64 * 1024
_DEADLINE_SECONDS = 60.0
#: Name of all threads of a gate, which tests/conftest.py knows.
_THREADS = "store-gate"


@dataclass
class _Rule:
    nth: int
    does: Literal["stop", "refuse"]
    seen: int = 0
    unanswered: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)


class Gate:
    """
    The proxy; open at first.

    :param upstream_port: The store's, on loopback.
    """

    def __init__(self, upstream_port: int) -> None:
        self._changed = threading.Condition()
        self.creates = threading.Lock()
        self._rule: _Rule | None = None
        self._under_way = 0
        gate = self

        class Handler(_Handler):
            def setup(self) -> None:
                self.gate, self.upstream_port = gate, upstream_port
                super().setup()

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _KERNEL_BYTES)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name=_THREADS
        )
        self._thread.start()

    def stop_at(self, nth: int) -> None:
        """Stop the nth large body from now on in its middle; others pass."""
        self._rule = _Rule(nth, "stop")

    def refuse_from(self, nth: int) -> None:
        """Answer 403 to the nth large body from now on and to all after it, as to a token that has expired."""
        self._rule = _Rule(nth, "refuse")

    def wait_stopped(self) -> None:
        """Wait until an upload is stopped, or refused, in its middle."""
        assert self._rule is not None
        assert self._rule.reached.wait(_DEADLINE_SECONDS), f"No upload came so far: {self._rule}"

    def open(self) -> None:
        """Let everything pass again, and wait until nothing is under way."""
        rule, self._rule = self._rule, None
        if rule is not None:
            rule.opened.set()
        with self._changed:
            assert self._changed.wait_for(lambda: not self._under_way, _DEADLINE_SECONDS), "A request hangs."

    def close(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def begins(self, size: int) -> _Rule | None:
        """Note a request; return the rule, if it is about a large body."""
        with self._changed:
            self._under_way += 1
            rule = self._rule if size >= LARGE_BYTES else None
            if rule is not None:
                rule.seen += 1
                rule.unanswered += rule.seen < rule.nth
            return rule

    def ends(self, rule: _Rule | None, nth: int) -> None:
        """Note that a request is over."""
        with self._changed:
            self._under_way -= 1
            if rule is not None:
                rule.unanswered -= nth < rule.nth
            self._changed.notify_all()

    def reach(self, rule: _Rule) -> None:
        """Say that the upload is where it is to be, once the store has answered what came before."""
        with self._changed:
            assert self._changed.wait_for(lambda: not rule.unanswered, _DEADLINE_SECONDS)
        rule.reached.set()


class _Server(ThreadingHTTPServer):
    """A server whose threads have names: they live as long as the connections of clients, which outlive tests."""

    def process_request(self, request: Any, client_address: Any) -> None:
        arguments = (request, client_address)
        threading.Thread(
            target=self.process_request_thread, args=arguments, daemon=True, name=_THREADS
        ).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: Gate
    upstream_port: int

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _pass(self) -> None:
        assert "Transfer-Encoding" not in self.headers, "The gate knows bodies by their length."
        size = int(self.headers.get("Content-Length", 0))
        rule = self.gate.begins(size)
        nth = rule.seen if rule else 0
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port, timeout=_DEADLINE_SECONDS)
        # Moto first checks whether the object exists, and then stores it. Two requests at once could both create it.
        one_by_one = self.gate.creates if "If-None-Match" in self.headers else nullcontext()
        try:
            if rule and rule.does == "refuse" and nth >= rule.nth:
                self._refuse(rule, size)
            else:
                with one_by_one:
                    if self._forward(upstream, size, rule if rule and nth == rule.nth else None):
                        self._answer(upstream.getresponse())
        except OSError:
            self.close_connection = True  # The writer was killed, or the store has closed its connection.
        finally:
            upstream.close()
            self.gate.ends(rule, nth)

    def _forward(self, upstream: http.client.HTTPConnection, size: int, stop: _Rule | None) -> bool:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                upstream.putheader(name, value)
        upstream.endheaders()
        left = size
        while left:
            if stop and left <= size // 2:
                self.gate.reach(stop)
                stop.opened.wait(_DEADLINE_SECONDS)
                stop = None
            chunk = self.rfile.read(min(left, _CHUNK_BYTES))
            if not chunk:
                self.close_connection = True
                return False
            upstream.send(chunk)
            left -= len(chunk)
        return True

    def _refuse(self, rule: _Rule, size: int) -> None:
        self.rfile.read(size)
        self.gate.reach(rule)
        self.send_response_only(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, response: http.client.HTTPResponse) -> None:
        body = response.read()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        no_body = self.command == "HEAD"
        self.send_header(
            "Content-Length", response.getheader("Content-Length", "0") if no_body else str(len(body))
        )
        self.end_headers()
        if not no_body:
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass
