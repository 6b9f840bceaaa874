"""
No address but loopback: a guard for the process that imports it, as long as ``STRAY_CONNECTIONS`` names a file.

Each other attempt is refused and noted in that file, so that it is not lost in a library that catches errors. An audit hook
sees every socket of the interpreter, also those that libraries open.
"""

from __future__ import annotations

import os
import sys
from ipaddress import ip_address
from typing import Any


class StrayConnectionError(OSError):
    """A process tries to connect to another machine."""


def _is_loopback(host: Any) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost"):
        return True
    try:
        return ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(what: str) -> None:
    descriptor = os.open(os.environ["STRAY_CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{what}\n".encode())
    os.close(descriptor)
    raise StrayConnectionError(f"Not on loopback: {what}")


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not event.startswith("socket.") or "STRAY_CONNECTIONS" not in os.environ:
        return
    if event == "socket.getaddrinfo" and not _is_loopback(args[0]):
        _refuse(f"look-up of {args[0]}")
    elif event in ("socket.gethostbyname", "socket.gethostbyaddr") and not _is_loopback(args[0]):
        _refuse(f"look-up of {args[0]}")
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            _refuse(f"connection to {address[0]}:{address[1]}")


sys.addaudithook(_audit)
