"""Requests of an event loop, with aiohttp: the polls of a triggerer, and all that a batch sends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Request, is_success
from airflow_provider_asposeocr.api.http.transports import (
    READ_BYTES,
    Kept,
    Routes,
    Take,
    Upload,
    headers_of,
    not_connected,
    tls_cause,
    upload_of,
    was_sent,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    import aiohttp

    from airflow_provider_asposeocr.api.account import Account

#: For how long after its last answer a connection takes another submit. A connection that the server closes while a submit
#: is on its way leaves it unknown whether it was accepted. Servers close idle connections after five seconds or more.
SUBMIT_REUSE_SECONDS = 2.0
#: How long a connection for other requests is kept; they can be repeated.
_KEEP_SECONDS = 15.0
#: Bodies up to this size are read and encoded in the loop, a piece of 192 KiB at a time; larger ones in a thread.
READ_IN_LOOP_BYTES = 8 * 1024 * 1024
#: Bodies up to this size are one write that waits for nothing, also where the server takes nothing: with the header fields,
#: they fit into the 64 KiB that the event loop keeps for a socket.
WRITTEN_AT_ONCE_BYTES = 48 * 1024


class AiohttpTransport:
    """
    Send requests from an event loop. Made and used inside one loop.

    :param account: Where to and over which route.
    :param user_agent: Who we are.
    :param certificates: TLS context, made outside of the loop because loading certificates takes tens of milliseconds.
    """

    def __init__(self, account: Account, user_agent: str, certificates: ssl.SSLContext) -> None:
        self._account = account
        self._user_agent = user_agent
        self._certificates = certificates
        self._routes = Routes(account)
        #: By the time for which their connections are kept.
        self._sessions: dict[float, aiohttp.ClientSession] = {}
        self._under_way = 0
        self._kept = True

    def _opened(self, request: Request) -> aiohttp.ClientSession:
        import aiohttp

        kept_seconds = SUBMIT_REUSE_SECONDS if request.kind == "submit" else _KEEP_SECONDS
        session = self._sessions.get(kept_seconds)
        if session is None:
            account = self._account
            session = self._sessions[kept_seconds] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=account.max_connections, ssl=self._certificates, keepalive_timeout=kept_seconds
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=account.connect_timeout_seconds,
                    sock_read=account.request_timeout_seconds,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return session

    async def exchange(
        self, request: Request, token: str | None, take: Take | None = None
    ) -> Answer | Failure:
        """
        Send one request once.

        :param request: What to send.
        :param token: Bearer token, if the request carries one.
        :param take: Takes the body of a successful answer as it comes in; by default its first 64 KiB are kept.
        :return: The answer, or how it failed.
        """
        self._under_way += 1
        try:
            return await self._exchange(request, token, take)
        finally:
            self._under_way -= 1
            await self._close_unless_needed()

    async def _exchange(self, request: Request, token: str | None, take: Take | None) -> Answer | Failure:
        import aiohttp

        route, upload = self._routes.of(request.kind), upload_of(request)
        if route.unusable:
            return route.unusable
        try:
            if upload is None:
                return await self._request(request, token, take, route.proxy, request.body)
            if len(upload) <= WRITTEN_AT_ONCE_BYTES:
                return await self._request(request, token, take, route.proxy, _whole(upload), len(upload))
            async with asyncio.timeout(None) as stalled:
                body = self._pieces(upload, stalled)
                return await self._request(request, token, take, route.proxy, body, len(upload), stalled)
        except aiohttp.ClientConnectorCertificateError as error:
            return Failure(sent=False, detail=str(error), cause="certificate")
        except aiohttp.ClientSSLError as error:
            return Failure(sent=False, detail=str(error), cause=tls_cause(error))
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
        ) as error:
            return not_connected(f"{type(error).__name__}: {error}", route.proxy)
        # A ValueError is what aiohttp makes of a host name or of a proxy that it cannot use.
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            said = str(error)
            if isinstance(error, TimeoutError) and not said:
                seconds = self._account.request_timeout_seconds
                said = f"the server took nothing and answered nothing for {seconds:g} s"
            sent = was_sent(upload) and not _was_refused(upload, error)
            return Failure(sent, f"{type(error).__name__}: {said}")

    async def _request(
        self,
        request: Request,
        token: str | None,
        take: Take | None,
        proxy: str | None,
        body: Any,
        body_bytes: int | None = None,
        stalled: asyncio.Timeout | None = None,
    ) -> Answer:
        headers = headers_of(request, token, self._user_agent)
        if body_bytes is not None:  # Or aiohttp would send a body that comes in pieces in chunks.
            headers["Content-Length"] = str(body_bytes)
        async with self._opened(request).request(
            request.method, request.url, headers=headers, data=body, proxy=proxy, allow_redirects=False
        ) as response:
            if stalled is not None:
                stalled.reschedule(None)
            kept = Kept()  # Not before: a poll that waits for its answer should hold few objects.
            consume = take if take is not None and is_success(response.status) else kept.take
            async for chunk in response.content.iter_chunked(READ_BYTES):
                if not consume(chunk):
                    break
            return Answer(response.status, response.headers, kept.body)

    async def _pieces(self, upload: Upload, stalled: asyncio.Timeout | None = None) -> AsyncIterator[bytes]:
        """Hand on a body piece by piece; aiohttp asks for the next one when the socket has taken most of the last."""
        clock, seconds = asyncio.get_running_loop().time, self._account.request_timeout_seconds
        in_thread = len(upload) > READ_IN_LOOP_BYTES
        pieces = iter(upload)
        while piece := await asyncio.to_thread(next, pieces, b"") if in_thread else next(pieces, b""):
            if stalled is not None:  # aiohttp itself waits without end for a server that takes nothing.
                stalled.reschedule(clock() + seconds)
            yield piece
            if len(piece) > READ_BYTES:
                # A fast socket never blocks, so that other coroutines would get no time.
                await asyncio.sleep(0)

    async def keep_connections(self, kept: bool) -> None:
        """
        Set whether connections stay open after the running requests.

        :param kept: Whether further requests will follow soon. A later request opens a connection if there is none.
        """
        self._kept = kept
        await self._close_unless_needed()

    async def _close_unless_needed(self) -> None:
        if not self._kept and not self._under_way:
            await self.close()

    async def close(self) -> None:
        """Close kept connections, those in use as well."""
        sessions = list(self._sessions.values())
        self._sessions.clear()
        for session in sessions:
            await session.close()


async def _whole(upload: Upload) -> AsyncIterator[bytes]:
    """Hand a body on as one piece, which goes out with the header fields: each write is a call of the system."""
    yield b"".join(upload)


def _was_refused(upload: Upload | None, error: Exception) -> bool:
    """Whether nothing of a body was written, because the connection broke between the choice of it and the write."""
    import aiohttp

    is_one_write = upload is not None and len(upload) <= WRITTEN_AT_ONCE_BYTES
    return is_one_write and isinstance(error.__cause__, aiohttp.ClientConnectionResetError)
