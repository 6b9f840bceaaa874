"""
Shared clients: one session, one token and one pace per account.

Invariant: a process has one client per account, an event loop has one too; so that a thousand triggers make one token
request and keep a handful of connections. Clients are found by the account's value: a changed connection gets
another client.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_asposeocr import __version__
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.client import DEFAULT_USER_AGENT, CloudClient, Surroundings
from airflow_provider_asposeocr.api.transports import tls_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_asposeocr.api.account import Account

USER_AGENT = f"{DEFAULT_USER_AGENT}/{__version__}"
#: How long the triggers of a process share one look-up of a connection. A changed secret is noticed after that time.
LOOKUP_SECONDS = 60.0

_lock = threading.Lock()
_clients: dict[Account, CloudClient] = {}


def client_for(account: Account, on_secret: Callable[[str], object]) -> CloudClient:
    """
    Return this process's client of an account.

    :param account: Whose.
    :param on_secret: Called with each token the moment it exists.
    """
    with _lock:
        client = _clients.get(account)
        if client is None:
            around = Surroundings(on_secret=on_secret, user_agent=USER_AGENT)
            client = _clients[account] = CloudClient(account, around)
        return client


class LoopClients:
    """
    The clients of one event loop.

    :param on_secret: Called with each token the moment it exists.
    """

    def __init__(self, on_secret: Callable[[str], object]) -> None:
        self._on_secret = on_secret
        self._clients: dict[Account, AsyncCloudClient] = {}
        self._accounts: dict[str, tuple[float, Account]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def client(self, conn_id: str, look_up: Callable[[str], Awaitable[Account]]) -> AsyncCloudClient:
        """
        Return the loop's client for a connection.

        :param conn_id: Airflow connection.
        :param look_up: Reads the connection; one caller at a time does.
        """
        async with self._locks.setdefault(conn_id, asyncio.Lock()):
            looked_up_at, account = self._accounts.get(conn_id, (0.0, None))
            if account is None or time.monotonic() - looked_up_at > LOOKUP_SECONDS:
                account = await look_up(conn_id)
                self._accounts[conn_id] = (time.monotonic(), account)
            if account not in self._clients:
                # Loading certificates takes tens of milliseconds of CPU, which would stall the loop.
                certificates = await asyncio.to_thread(tls_context, account)
                # Another connection of the same account may have been faster.
                if account not in self._clients:
                    around = Surroundings(on_secret=self._on_secret, user_agent=USER_AGENT)
                    self._clients[account] = AsyncCloudClient(account, certificates, around)
            return self._clients[account]

    async def close(self) -> None:
        """Close all connections of the loop."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClients] = WeakKeyDictionary()


def loop_clients(on_secret: Callable[[str], object]) -> LoopClients:
    """
    Return the clients of the running event loop.

    :param on_secret: Called with each token the moment it exists; the first caller's is kept.
    """
    return _by_loop.setdefault(asyncio.get_running_loop(), LoopClients(on_secret))
