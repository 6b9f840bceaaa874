"""
TLS in front of the emulator, because the real cloud has it and opening a connection costs most of its CPU there.

Invariant: runs in a thread of the benchmark, never in the process that is measured.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def certificate(folder: Path) -> Path:
    """
    Make a certificate for localhost that signs itself.

    :param folder: Where.
    :return: PEM file with certificate and key.
    """
    key, both = folder / "key.pem", folder / "both.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=bench -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), "-keyout", str(key), "-out", str(both)], check=True, capture_output=True
    )
    both.write_bytes(both.read_bytes() + key.read_bytes())
    return both


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@contextmanager
def tls_front(port: int, both: Path) -> Iterator[str]:
    """
    Serve TLS on a free port.

    :param port: Port of this machine that everything is passed on to.
    :param both: Certificate and key.
    :return: The base URL. It names a host, as that of the cloud does, since a look-up is part of opening a connection.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    loop, listening = asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pipe(reader, onward[1]), _pipe(onward[0], writer), return_exceptions=True)

    async def listen() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context, backlog=1024)
        ports.append(server.sockets[0].getsockname()[1])
        with suppress(OSError):  # a machine without IPv6
            await asyncio.start_server(serve, "::1", ports[0], ssl=context, backlog=1024)
        listening.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.create_task(listen())
        loop.run_forever()

    threading.Thread(target=run, daemon=True).start()
    listening.wait()
    yield f"https://localhost:{ports[0]}"
    loop.call_soon_threadsafe(loop.stop)
