"""Requests of a worker, with requests. Threads may share a transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.http.messages import Answer, Failure, Request, is_success
from airflow_provider_asposeocr.api.http.transports import (
    READ_BYTES,
    Kept,
    Routes,
    Take,
    headers_of,
    not_connected,
    tls_cause,
    tls_context,
    upload_of,
    was_sent,
)

if TYPE_CHECKING:
    import requests

    from airflow_provider_asposeocr.api.account import Account

#: Most connections that are kept from one request to the next, one for each thread that sends at the same time. With
#: the library's 10, a pool of more threads opens a connection per request and logs a warning about each.
KEPT_CONNECTIONS = 64


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
        self._routes = Routes(account)
        self._certificates = account.certificates
        self._session = _new_session()
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
        with _new_session() as session:
            return self._exchange(session, request, token, take)

    def close(self) -> None:
        """Close kept connections."""
        self._session.close()

    def _exchange(
        self, session: requests.Session, request: Request, token: str | None, take: Take | None
    ) -> Answer | Failure:
        import requests
        import urllib3

        route, upload, kept = self._routes.of(request.kind), upload_of(request), Kept()
        if route.unusable:
            return route.unusable
        proxy = route.proxy
        try:
            with session.request(
                request.method,
                request.url,
                headers=headers_of(request, token, self._user_agent),
                data=request.body if upload is None else upload,
                timeout=(self._account.connect_timeout_seconds, self._account.request_timeout_seconds),
                verify=self._certificates,
                proxies={"http": proxy, "https": proxy} if proxy else {},
                allow_redirects=False,
                stream=True,
            ) as response:
                consume = take if take is not None and is_success(response.status_code) else kept.take
                for chunk in response.iter_content(READ_BYTES):
                    if not consume(chunk):
                        break
                return Answer(response.status_code, response.headers, kept.body)
        except requests.exceptions.SSLError as error:
            # TLS may also break after the request was sent, which says nothing about certificates.
            cause = tls_cause(error)
            return Failure(was_sent(upload) and cause != "certificate", _gist(error), cause)
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL) as error:
            return not_connected(_gist(error), proxy)
        except requests.exceptions.ConnectTimeout as error:
            return not_connected(_gist(error), proxy)
        except requests.exceptions.RequestException as error:
            return Failure(sent=not _never_connected(error) and was_sent(upload), detail=_gist(error))
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Failure(sent=was_sent(upload), detail=_gist(error))


def _new_session() -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=KEPT_CONNECTIONS))
    return session


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
