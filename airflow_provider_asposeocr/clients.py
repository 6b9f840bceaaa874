"""
The clients that tasks and triggers of a process share: one session, one token and one pace per account.

Invariant: there is one client per account and process, and one per account and event loop. Therefore a thousand triggers
make one token request and need few connections. The key of a client is the values of its account, so that a changed
connection gets another client. In an event loop the connections are closed when the last wait has ended; the token and
the pace are kept. All clients of an account in a process share its pause: if the cloud names a ``Retry-After``, all of
them wait for it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from airflow_provider_asposeocr import __version__
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.client import DEFAULT_USER_AGENT, ClientEnvironment, CloudClient
from airflow_provider_asposeocr.api.http.pacing import Pause
from airflow_provider_asposeocr.api.http.transports import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    from airflow_provider_asposeocr.api.account import Account

USER_AGENT = f"{DEFAULT_USER_AGENT}/{__version__}"
#: How long the triggers of a process share one look-up of a connection. They notice a changed secret after this time.
LOOKUP_SECONDS = 60.0

_lock = threading.Lock()
_clients: dict[Account, CloudClient] = {}
#: By the owner of the account, because several connections of one account may differ in timeouts, secrets and proxies.
_pauses: dict[tuple[str, str, bool], Pause] = {}


def _environment_of(account: Account, on_secret: Callable[[str], object]) -> ClientEnvironment:
    with _lock:
        pause = _pauses.setdefault(account.owner, Pause())
    return ClientEnvironment(on_secret=on_secret, user_agent=USER_AGENT, pause=pause)


def client_for(account: Account, on_secret: Callable[[str], object]) -> CloudClient:
    """
    Return this process's client of an account.

    :param account: The account.
    :param on_secret: Called with each token as soon as it exists.
    """
    env = _environment_of(account, on_secret)
    with _lock:
        client = _clients.get(account)
        if client is None:
            client = _clients[account] = CloudClient(account, env)
        return client


@asynccontextmanager
async def batch_client(
    account: Account, on_secret: Callable[[str], object], polls_per_second: float
) -> AsyncIterator[AsyncCloudClient]:
    """
    Make the client of a batch, which runs in its own event loop in a worker.

    :param account: The account.
    :param on_secret: Called with each token as soon as it exists.
    :param polls_per_second: Most status requests per second; the limit in the connection applies to triggerers only.
    :return: A context in which the client can be used. At its end the connections are closed.
    :raises CertificateError: if the trusted certificates cannot be read.
    """
    certificates = await asyncio.to_thread(_prepared, account)
    env = _environment_of(account, on_secret)
    client = AsyncCloudClient(account, certificates, env, polls_per_second=polls_per_second)
    try:
        yield client
    finally:
        await client.close()


def _prepared(account: Account) -> ssl.SSLContext:
    """Import the HTTP libraries and load the certificates; in a thread, because each takes tens of milliseconds."""
    for library in ("aiohttp", "requests.utils"):
        import_module(library)
    return tls_context(account)


@dataclass
class _Known:
    """The client of a connection, and the time of its look-up."""

    looked_up_at: float
    client: AsyncCloudClient


class LoopClients:
    """
    The clients of one event loop.

    :param on_secret: Called with each token as soon as it exists.
    """

    def __init__(self, on_secret: Callable[[str], object]) -> None:
        self._on_secret = on_secret
        self._clients: dict[Account, AsyncCloudClient] = {}
        self._known: dict[str, _Known] = {}
        self._users: Counter[str] = Counter()
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def using(self, conn_id: str) -> AsyncIterator[None]:
        """
        Keep the sockets of a connection open between requests while the context is in use.

        :param conn_id: Airflow connection.
        """
        self._users[conn_id] += 1
        try:
            yield
        finally:
            self._users[conn_id] -= 1
            if not self._users[conn_id]:
                del self._users[conn_id]
                if known := self._known.get(conn_id):
                    await self._keep_while_used(known.client)

    async def client(self, conn_id: str, look_up: Callable[[str], Awaitable[Account]]) -> AsyncCloudClient:
        """
        Return the loop's client for a connection.

        :param conn_id: Airflow connection.
        :param look_up: Reads the connection; only one caller at a time calls it.
        """
        if known := self._fresh(conn_id):
            return known.client
        async with self._locks.setdefault(conn_id, asyncio.Lock()):
            if known := self._fresh(conn_id):
                return known.client
            client = await self._client_of(await look_up(conn_id))
            before = self._known.get(conn_id)
            self._known[conn_id] = _Known(time.monotonic(), client)
            await self._keep_while_used(client)
            if before is not None and before.client is not client:
                await self._keep_while_used(before.client)
            return client

    def _fresh(self, conn_id: str) -> _Known | None:
        known = self._known.get(conn_id)
        return known if known and time.monotonic() - known.looked_up_at <= LOOKUP_SECONDS else None

    async def _client_of(self, account: Account) -> AsyncCloudClient:
        if account not in self._clients:
            certificates = await asyncio.to_thread(_prepared, account)
            # Meanwhile another connection of the same account may have made the client.
            if account not in self._clients:
                env = _environment_of(account, self._on_secret)
                self._clients[account] = AsyncCloudClient(account, certificates, env)
        return self._clients[account]

    async def _keep_while_used(self, client: AsyncCloudClient) -> None:
        """Forget a client that no connection uses any more. Its running requests end normally."""
        names = [conn_id for conn_id, known in self._known.items() if known.client is client]
        if not names:
            self._clients.pop(client.account, None)
        await client.keep_connections(any(self._users[conn_id] for conn_id in names))

    async def close(self) -> None:
        """Close all connections of the loop and forget the clients."""
        clients = list(self._clients.values())
        self._clients.clear()
        self._known.clear()
        for client in clients:
            await client.close()


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, LoopClients] = WeakKeyDictionary()


def loop_clients(on_secret: Callable[[str], object]) -> LoopClients:
    """
    Return the clients of the running event loop.

    :param on_secret: Called with each token as soon as it exists; only the first caller's function is used.
    """
    loop = asyncio.get_running_loop()
    clients = _by_loop.get(loop)
    if clients is None:
        clients = _by_loop[loop] = LoopClients(on_secret)
    return clients
