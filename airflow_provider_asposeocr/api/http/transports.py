"""
The two thin transports: requests in a worker, aiohttp in the triggerer.

Invariant: a transport sends one request once and says what came of it; it decides nothing. Neither follows
redirects (a bearer token must not travel) nor reads ``.netrc`` (an entry there would replace our header), and both
take proxy and certificates from the account. Each imports its library when it is made and used: that is most of what
an import of this package would cost, parsing a DAG needs neither, and a worker or a triggerer needs one.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.base_url import place_of, proxy_problem
from airflow_provider_asposeocr.api.errors import CertificateError
from airflow_provider_asposeocr.api.http.protocol import Answer, Cause, Failure, Request, is_success
from airflow_provider_asposeocr.api.http.wire import FileBody, TextBody

if TYPE_CHECKING:
    import aiohttp
    import requests

    from airflow_provider_asposeocr.api.account import Account

#: Takes the body of a successful answer; returns whether it wants more of it.
Take = Callable[[bytes], bool]

#: Of a body that nobody takes, more than this is not kept: error pages and statuses are small.
KEPT_BYTES = 64 * 1024
_READ_BYTES = 64 * 1024


def _headers(request: Request, token: str | None, user_agent: str) -> dict[str, str]:
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return {"User-Agent": user_agent, **request.headers, **authorization}


def _was_sent(request: Request) -> bool:
    """Until the last byte of the body was handed to the socket, the cloud cannot have accepted a task."""
    return request.body.finished if isinstance(request.body, FileBody | TextBody) else True


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class _Kept:
    """Keeps the beginning of a body."""

    def __init__(self) -> None:
        self.body = b""

    def take(self, chunk: bytes) -> bool:
        self.body += chunk[: KEPT_BYTES - len(self.body)]
        return len(self.body) < KEPT_BYTES


class RequestsTransport:
    """
    Send requests from a worker.

    :param account: Where to and over which route.
    :param user_agent: Who we are.
    :raises CertificateError: if the account's CA bundle cannot be read.
    """

    def __init__(self, account: Account, user_agent: str) -> None:
        self._account = account
        self._user_agent = user_agent
        self._session = self._new_session()
        if account.ca_bundle:
            tls_context(account)  # requests would complain at the first request, and less clearly.

    def exchange(self, request: Request, token: str | None, take: Take | None = None) -> Answer | Failure:
        """
        Send one request once.

        :param request: What to send.
        :param token: Bearer token, if the request carries one.
        :param take: Takes the body of a successful answer as it comes in; by default its first 64 KiB are kept.
        :return: The answer, or how it failed.
        """
        if request.kind != "submit":
            return self._exchange(self._session, request, token, take)
        # A kept connection that the server has just closed fails after the body was written: "sent, no answer". A
        # connection of its own keeps that error for the real case.
        with self._new_session() as session:
            return self._exchange(session, request, token, take)

    def close(self) -> None:
        """Close kept connections."""
        self._session.close()

    @staticmethod
    def _new_session() -> requests.Session:
        import requests

        session = requests.Session()
        session.trust_env = False
        return session

    def _exchange(
        self, session: requests.Session, request: Request, token: str | None, take: Take | None
    ) -> Answer | Failure:
        import requests
        import urllib3

        proxy = self._account.proxy_for(request.url)
        if unusable := _unusable(proxy):
            return unusable
        kept = _Kept()
        try:
            with session.request(
                request.method,
                request.url,
                headers=_headers(request, token, self._user_agent),
                data=request.body,
                timeout=(self._account.connect_timeout_seconds, self._account.request_timeout_seconds),
                verify=self._account.certificates,
                proxies={"http": proxy, "https": proxy} if proxy else {},
                allow_redirects=False,
                stream=True,
            ) as response:
                consume = take if take is not None and is_success(response.status_code) else kept.take
                for chunk in response.iter_content(_READ_BYTES):
                    if not consume(chunk):
                        break
                return Answer(response.status_code, _lower(response.headers), kept.body)
        except requests.exceptions.SSLError as error:
            # TLS may also break after the request was sent, which says nothing about certificates.
            cause = _tls_cause(error)
            return Failure(_was_sent(request) and cause != "certificate", _gist(error), cause)
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL) as error:
            return Failure(False, _gist(error), "proxy", place_of(proxy or ""))
        except requests.exceptions.ConnectTimeout as error:
            return _not_connected(_gist(error), proxy)
        except requests.exceptions.RequestException as error:
            return Failure(sent=not _never_connected(error) and _was_sent(request), detail=_gist(error))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Failure(sent=_was_sent(request), detail=_gist(error))


def _tls_cause(error: BaseException) -> Cause | None:
    """Say why TLS did not come about; ``None`` where it broke later."""
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said or "hostname" in said.lower():
        return "certificate"
    # What OpenSSL makes of an answer in plain HTTP, in its versions.
    return "scheme" if re.search(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST", said) else None


def _unusable(proxy: str | None) -> Failure | None:
    """Refuse a proxy of the environment that one of the two libraries cannot use; that of the account was checked."""
    problem = proxy_problem(proxy) if proxy else ""
    return Failure(False, problem, "proxy", place_of(proxy or "")) if problem else None


def _not_connected(detail: str, proxy: str | None) -> Failure:
    """Describe a connection that did not come about; with a proxy, that is where it leads to."""
    return Failure(False, detail, "proxy", place_of(proxy)) if proxy else Failure(False, detail)


def _never_connected(error: requests.exceptions.RequestException) -> bool:
    """Whether the failure happened before there was a connection to send over."""
    import urllib3

    reason = getattr(error.args[0] if error.args else None, "reason", None)
    before = (
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        urllib3.exceptions.NameResolutionError,
    )
    return isinstance(reason, before)


def _gist(error: BaseException) -> str:
    """Say the innermost reason; requests wraps it in pool objects with memory addresses."""
    seen = error
    for _ in range(5):
        inner = getattr(seen, "reason", None) or next(
            (arg for arg in seen.args if isinstance(arg, Exception)), None
        )
        if not isinstance(inner, BaseException):
            break
        seen = inner
    return f"{type(seen).__name__}: {seen}" if str(seen) else type(seen).__name__


class AiohttpTransport:
    """
    Send requests from the triggerer. Made and used inside one event loop.

    :param account: Where to and over which route.
    :param user_agent: Who we are.
    :param certificates: TLS context, made outside of the loop because loading certificates takes tens of milliseconds.
    """

    def __init__(self, account: Account, user_agent: str, certificates: ssl.SSLContext) -> None:
        self._account = account
        self._user_agent = user_agent
        self._certificates = certificates
        self._session: aiohttp.ClientSession | None = None
        self._under_way = 0
        self._kept = True
        # Chosen once: reading the whole environment takes longer than sending a poll.
        proxy, token_proxy = account.proxy_for(account.base_url), account.proxy_for(account.issuer_url)
        self._route = proxy, _unusable(proxy)
        self._token_route = token_proxy, _unusable(token_proxy)

    def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            account = self._account
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=account.max_connections, ssl=self._certificates),
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    sock_connect=account.connect_timeout_seconds,
                    sock_read=account.request_timeout_seconds,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session

    async def exchange(
        self, request: Request, token: str | None, take: Take | None = None
    ) -> Answer | Failure:
        """
        Send one request once.

        :param request: What to send; its body must be bytes, since documents are not sent from the triggerer.
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

        proxy, unusable = self._token_route if request.kind == "token" else self._route
        if unusable:
            return unusable
        try:
            async with self._opened().request(
                request.method,
                request.url,
                headers=_headers(request, token, self._user_agent),
                data=request.body,
                proxy=proxy,
                allow_redirects=False,
            ) as response:
                kept = _Kept()  # Not before: a poll that waits for its answer should hold few objects.
                consume = take if take is not None and is_success(response.status) else kept.take
                async for chunk in response.content.iter_chunked(_READ_BYTES):
                    if not consume(chunk):
                        break
                return Answer(response.status, _lower(response.headers), kept.body)
        except aiohttp.ClientConnectorCertificateError as error:
            return Failure(sent=False, detail=str(error), cause="certificate")
        except aiohttp.ClientSSLError as error:
            return Failure(sent=False, detail=str(error), cause=_tls_cause(error))
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.ClientHttpProxyError,
        ) as error:
            return _not_connected(f"{type(error).__name__}: {error}", proxy)
        # A ValueError is what aiohttp makes of a host name or of a proxy that it cannot use.
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(sent=True, detail=f"{type(error).__name__}: {error}")

    async def keep_connections(self, kept: bool) -> None:
        """
        Choose whether connections outlive the requests under way.

        :param kept: Whether somebody will ask again soon. A later request opens what it needs.
        """
        self._kept = kept
        await self._close_unless_needed()

    async def _close_unless_needed(self) -> None:
        if not self._kept and not self._under_way:
            await self.close()

    async def close(self) -> None:
        """Close kept connections, those in use as well."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


#: By file, with its time and size: a bundle that was replaced is loaded by the next client.
_contexts: dict[str, tuple[tuple[int, int], ssl.SSLContext]] = {}
_contexts_lock = threading.Lock()


def tls_context(account: Account) -> ssl.SSLContext:
    """
    Load the account's trusted certificates, unless this process has done so already.

    :param account: Names the file; the same one that requests uses.
    :raises CertificateError: if it cannot be read or holds none.
    """
    trusted = Path(account.certificates)
    try:
        found = trusted.stat()
        version = (found.st_mtime_ns, found.st_size)
        with _contexts_lock:
            known, context = _contexts.get(str(trusted), (None, None))
            if context is None or known != version:
                context = _loaded(trusted)
                _contexts[str(trusted)] = version, context
            return context
    except OSError as error:
        raise CertificateError(f"No certificates can be read from {str(trusted)!r}: {error}.") from None


def _loaded(trusted: Path) -> ssl.SSLContext:
    if trusted.is_dir():
        return ssl.create_default_context(capath=str(trusted))
    return ssl.create_default_context(cafile=str(trusted))
