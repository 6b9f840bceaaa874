"""
Credentials, base URL, proxy and certificates of one Aspose account.

Invariant: no ``repr`` contains the secret. Both transports get their proxy and their certificates from this module, so
that a setting has the same effect in the worker and in the triggerer.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field

from airflow_provider_asposeocr.api.base_url import proxy_problem, url_problem
from airflow_provider_asposeocr.api.errors import InvalidConnectionError
from airflow_provider_asposeocr.api.operations import DEFAULT_BASE_URL, TOKEN_PATH

DEFAULT_CONNECTIONS = 16


@dataclass(frozen=True)
class Account:
    """
    A cloud and the credentials for it.

    :param client_id: Client id of the application in the vendor's dashboard; ``None`` in evaluation mode.
    :param client_secret: Client secret of the application.
    :param base_url: Scheme, host and port of the API, without a path.
    :param token_url: URL at which tokens are issued; by default ``/connect/token`` of the base URL.
    :param trial: Evaluation mode: trial operations only, no token.
    :param ca_bundle: File with trusted certificates; by default ``REQUESTS_CA_BUNDLE``, ``CURL_CA_BUNDLE``,
        else the bundle of certifi.
    :param proxy: URL of a proxy; by default that of the proxy environment variables.
    :param connect_timeout_seconds: Longest wait for a connection; 10.
    :param request_timeout_seconds: Longest wait for the next bytes of an answer; 60, since the vendor's SDKs wait 60 to 100.
    :param max_requests_per_second: Most status requests per second of one process; 20, the vendor publishes no limit.
    :param max_connections: Most connections of one triggerer, 2 or more; 16 are enough for hundreds of polls per second.
        One of them is reserved for cancels and tokens.
    :raises InvalidConnectionError: if a URL is not an http(s) URL or contains a user that is not allowed, or if there are no
        credentials outside of evaluation mode. The message names all problems.
    """

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    base_url: str = DEFAULT_BASE_URL
    token_url: str | None = None
    trial: bool = False
    ca_bundle: str | None = None
    proxy: str | None = field(default=None, repr=False)
    connect_timeout_seconds: float = 10.0
    request_timeout_seconds: float = 60.0
    max_requests_per_second: float = 20.0
    max_connections: int = DEFAULT_CONNECTIONS

    def __post_init__(self) -> None:
        problems = [
            url_problem("The base URL", self.base_url),
            url_problem("The token URL", self.token_url) if self.token_url else "",
            proxy_problem(self.proxy) if self.proxy else "",
            self._missing_credentials(),
        ]
        if any(problems):
            raise InvalidConnectionError(" ".join(filter(None, problems)))

    def _missing_credentials(self) -> str:
        missing = [
            name
            for name, value in (("client id", self.client_id), ("client secret", self.client_secret))
            if not value
        ]
        if self.trial or not missing:
            return ""
        return f"The connection has no {' and no '.join(missing)}."

    def url(self, path: str) -> str:
        """
        Return the URL of a path of the API.

        :param path: Path that starts with a slash.
        """
        return self.base_url.rstrip("/") + path

    @property
    def issuer_url(self) -> str:
        """URL of the token endpoint."""
        return self.token_url or self.url(TOKEN_PATH)

    @property
    def fingerprint(self) -> str:
        """Salted hash of the issuer and the pair of credentials, as 64 hex digits; it does not reveal the pair."""
        pair = "\0".join((self.issuer_url, self.client_id or "", self.client_secret or ""))
        return hashlib.scrypt(pair.encode(), salt=b"aspose-ocr", n=2**12, r=8, p=1, dklen=32).hex()

    @property
    def owner(self) -> tuple[str, str, bool]:
        """The owner of the account. It does not change when the secret is rotated."""
        return self.base_url.rstrip("/"), self.client_id or "", self.trial

    @property
    def certificates(self) -> str:
        """File or folder with the trusted certificates."""
        from requests import utils as requests_utils  # here, because parsing a DAG needs no HTTP client

        environment = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        return self.ca_bundle or environment or requests_utils.DEFAULT_CA_BUNDLE_PATH

    def proxy_for(self, url: str) -> str | None:
        """
        Choose the proxy for a request.

        :param url: URL of the request.
        :return: URL of the proxy, or ``None`` for a direct connection.
        """
        if self.proxy:
            return self.proxy
        from requests import utils as requests_utils  # as above

        environment = requests_utils.get_environ_proxies(url)
        proxy = requests_utils.select_proxy(url, environment) if environment else None
        # curl and requests accept a proxy without a scheme; aiohttp does not.
        return f"http://{proxy}" if proxy and "://" not in proxy else proxy
