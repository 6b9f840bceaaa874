"""
The HTTP server of the emulator, in a thread of this process or in a separate process.

Invariant: an emulator reports its address only when it accepts connections. When it ends, it leaves no server thread,
process or file behind.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from airflow_provider_asposeocr.emulator.app import create_app
from airflow_provider_asposeocr.emulator.cloud.responses import TRANSPORT, hang_up
from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
from airflow_provider_asposeocr.emulator.emulation import Emulation
from airflow_provider_asposeocr.emulator.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from starlette.types import ASGIApp, Receive, Scope, Send

    from airflow_provider_asposeocr.emulator.work.jobs import Worker

_LISTENING = re.compile(r"listening on (http://\S+) \(engine (\S+), client id (.*)\)$")


def make_worker(options: Options) -> Worker:
    """
    Make the worker of the engine in the options.

    :param options: Engine and limits.
    :raises RuntimeError: if the engine is not installed; the message says what is missing.
    """
    from airflow_provider_asposeocr.emulator.work.engines.canned import CannedWorker

    canned = CannedWorker(options.canned_picture_bytes, options.operations)
    if options.engine == "canned":
        return canned
    from airflow_provider_asposeocr.emulator.work import workers
    from airflow_provider_asposeocr.emulator.work.dispatch import Dispatcher
    from airflow_provider_asposeocr.emulator.work.djvu import djvu_worker
    from airflow_provider_asposeocr.emulator.work.speech import speech_worker

    worker = workers.make_worker(
        options.engine,
        max_pages=options.max_pages,
        max_pixels=options.max_pixels,
        hocr_confidences=options.hocr_confidences,
    )
    does: dict[str, Worker] = dict.fromkeys(worker.operations, worker)
    if djvu := djvu_worker(options.max_pages):
        does["DjVu2PDF"] = djvu
    if speech := speech_worker():
        does |= dict.fromkeys(("ConvertTextToSpeech", "ConvertTextToSpeechTrial"), speech)
    return Dispatcher(worker.name, does, canned)


class Server(uvicorn.Server):
    """
    The HTTP server of one emulator.

    :param emulation: The state that the server's paths read and change.
    :param on_listening: Called on the event loop when the server accepts connections.
    """

    def __init__(self, emulation: Emulation, on_listening: Callable[[], None]) -> None:
        self._on_listening = on_listening
        config = uvicorn.Config(
            _quiet_at_the_end(create_app(emulation)),
            http=_protocol_class(),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            backlog=2048,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the server, then call ``on_listening``."""
        await super().startup(sockets)
        self._on_listening()


def _quiet_at_the_end(app: ASGIApp) -> ASGIApp:
    """Close the connections of requests that still wait when the server ends, without an error in its log."""

    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            await hang_up(scope, receive)

    return quiet


def _protocol_class() -> type[asyncio.Protocol]:
    """
    Return uvicorn's HTTP protocol, with its transport in the request's state so that an answer can close the
    connection.
    """
    base: Any = AutoHTTPProtocol

    class Protocol(base):  # type: ignore[misc]  # uvicorn chooses the base at run time
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self.app_state: dict[str, Any] = {**self.app_state, TRANSPORT: transport}

    return Protocol


def listening_socket(host: str, port: int) -> socket.socket:
    """
    Bind a socket.

    :param host: Address of this machine.
    :param port: Port; 0 lets the kernel choose a free one.
    :raises OSError: if the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound


def url_of(bound: socket.socket) -> str:
    """Return the base URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Emulator:
    """
    An emulator in a thread of this process, as a context manager.

    :param options: Options of the emulator; by default the canned engine, which needs no packages of the extra ``emulator``.
    :param worker: Worker that does the jobs instead of the engine in the options.
    """

    def __init__(self, options: Options | None = None, worker: Worker | None = None) -> None:
        self.options = options or Options(engine="canned")
        self._worker = worker
        self._thread: threading.Thread | None = None
        self._server: Server | None = None
        self.url = ""

    @property
    def client_id(self) -> str:
        """Client id of the first account."""
        return self.options.client_id

    @property
    def client_secret(self) -> str:
        """Client secret of the first account."""
        return self.options.client_secret

    @property
    def control(self) -> EmulatorControl:
        """The control API."""
        return EmulatorControl(self.url)

    def __enter__(self) -> Emulator:
        emulation = Emulation(self.options, self._worker or make_worker(self.options))
        bound = listening_socket("127.0.0.1", 0)
        listening = threading.Event()
        server = Server(emulation, listening.set)

        def run() -> None:
            try:
                server.run([bound])
            finally:
                listening.set()  # If the server fails to start, the main thread must not wait for ever.

        self._thread = threading.Thread(target=run, name="aspose-ocr-emulator", daemon=True)
        self._server = server
        self._thread.start()
        listening.wait()
        if not server.started:
            self._thread.join()
            bound.close()
            raise RuntimeError("The emulator did not start. Its log contains the reason.")
        self.url = url_of(bound)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join()


class EmulatorProcess:
    """
    An emulator in a separate process group, as a context manager.

    :param arguments: Arguments of ``python -m airflow_provider_asposeocr.emulator``. Without ``--port``, it listens on a
        free port.
    """

    def __init__(self, *arguments: str) -> None:
        port = () if "--port" in arguments else ("--port", "0")
        self._command = [sys.executable, "-m", "airflow_provider_asposeocr.emulator", *port, *arguments]
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.engine = ""
        self.client_id = ""

    @property
    def control(self) -> EmulatorControl:
        """The control API."""
        return EmulatorControl(self.url)

    def start(self, timeout_seconds: float = 60.0) -> EmulatorProcess:
        """
        Start the process and wait until it accepts connections.

        :param timeout_seconds: Longest wait; loading the models of an engine takes a few seconds.
        :raises RuntimeError: if the process ends, or takes longer. Its messages are on stderr.
        """
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None  # noqa: S101 - for the type checker; PIPE was asked for
        in_time, _, _ = select.select([self.process.stdout], [], [], timeout_seconds)
        line = self.process.stdout.readline() if in_time else ""
        match = _LISTENING.search(line.rstrip("\n"))
        if match is None:
            self.stop()
            raise RuntimeError(
                f"The emulator did not start (it wrote {line!r}). Read its messages on stderr."
            )
        self.url, self.engine, self.client_id = match.groups()
        return self

    def stop(self, timeout_seconds: float = 10.0) -> int:
        """
        End the process group with SIGTERM, and with SIGKILL if it does not end in time.

        :param timeout_seconds: How long to wait after SIGTERM.
        :return: The exit code.
        """
        process = self.process
        if process is None:
            raise RuntimeError("The emulator was not started.")
        self._signal(process, signal.SIGTERM)
        try:
            return process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._signal(process, signal.SIGKILL)
            return process.wait()
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def _signal(self, process: subprocess.Popen[str], number: signal.Signals) -> None:
        if process.poll() is None:
            os.killpg(process.pid, number)

    def __enter__(self) -> EmulatorProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
