"""
What the two thin transports share: requests in a worker, aiohttp in an event loop.

Invariant: a transport sends one request once and says what came of it; it decides nothing. Neither follows
redirects (a bearer token must not travel) nor reads ``.netrc`` (an entry there would replace our header), and both
take proxy and certificates from the account. Each imports its library when it is made and used: that is most of what
an import of this package would cost, parsing a DAG needs neither, and a worker or a triggerer needs one.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.base_url import place_of, proxy_problem
from airflow_provider_asposeocr.api.errors import CertificateError
from airflow_provider_asposeocr.api.http.messages import Body, Cause, Failure, Kind, Request

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.account import Account

#: Takes the body of a successful answer; returns whether it wants more of it.
Take = Callable[[bytes], bool]

#: Most bytes that are kept of a body that is not streamed, because error pages and statuses are small.
KEPT_BYTES = 64 * 1024
#: How much of an answer is read at once.
READ_BYTES = 64 * 1024


class Upload:
    """
    One attempt to send the body of a submit.

    Until its last byte is written to the socket, the cloud cannot have accepted a task. After that, only an answer can tell.
    Each attempt has its own upload, so that none is judged by an earlier one.

    :param body: The body.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        #: Whether the last byte is handed on, or is about to be.
        self.finished = False

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        left = len(self._body)
        for chunk in self._body:
            left -= len(chunk)
            self.finished = self.finished or left <= 0
            yield chunk


def upload_of(request: Request) -> Upload | None:
    """
    Begin an attempt to send a request.

    :param request: The request.
    :return: The upload of its body; ``None`` where it has none, or only the few bytes of a form.
    """
    return None if request.body is None or isinstance(request.body, bytes) else Upload(request.body)


def was_sent(upload: Upload | None) -> bool:
    """
    Return whether a request without an answer may have been sent completely.

    :param upload: The upload of its body; ``None`` for a request without a body, of which this is unknown.
    """
    return upload is None or upload.finished


def headers_of(request: Request, token: str | None, user_agent: str) -> dict[str, str]:
    """
    Return the header fields of a request.

    :param request: The request.
    :param token: Bearer token, if the request carries one.
    :param user_agent: Who we are.
    """
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return {"User-Agent": user_agent, **request.headers, **authorization}


class Kept:
    """Keeps the beginning of an answer's body."""

    def __init__(self) -> None:
        self.body = b""

    def take(self, chunk: bytes) -> bool:
        """
        Take more of the body.

        :param chunk: The next bytes.
        :return: Whether more of it is kept.
        """
        self.body += chunk[: KEPT_BYTES - len(self.body)]
        return len(self.body) < KEPT_BYTES


@dataclass(frozen=True)
class Route:
    """
    How requests get to a server.

    :param proxy: URL of the proxy; ``None`` = a direct connection.
    :param unusable: Why nothing can be sent over that proxy; ``None`` = it can be used. The environment may name a proxy
        that one of the two libraries cannot use; that of the account was checked before.
    """

    proxy: str | None
    unusable: Failure | None


class Routes:
    """
    The ways to the API and to the token endpoint, chosen once: reading the whole environment takes longer than a poll.

    :param account: The account whose requests take these ways.
    """

    def __init__(self, account: Account) -> None:
        self._api = _route(account, account.base_url)
        self._tokens = _route(account, account.issuer_url)

    def of(self, kind: Kind) -> Route:
        """
        Return the route of a request.

        :param kind: What the request is for.
        """
        return self._tokens if kind == "token" else self._api


def _route(account: Account, url: str) -> Route:
    proxy = account.proxy_for(url)
    problem = proxy_problem(proxy) if proxy else ""
    return Route(proxy, Failure(False, problem, "proxy", place_of(proxy or "")) if problem else None)


def tls_cause(error: BaseException) -> Cause | None:
    """
    Say why TLS did not come about.

    :param error: What the library raised.
    :return: ``None`` where TLS broke later, which says nothing about certificates.
    """
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said or "hostname" in said.lower():
        return "certificate"
    # What OpenSSL makes of an answer in plain HTTP, in its versions.
    return "scheme" if re.search(r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST", said) else None


def not_connected(detail: str, proxy: str | None) -> Failure:
    """
    Describe a connection that did not come about.

    :param detail: What the library said.
    :param proxy: URL of the proxy; with one, the connection would have led to it.
    """
    return Failure(False, detail, "proxy", place_of(proxy)) if proxy else Failure(False, detail)


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
