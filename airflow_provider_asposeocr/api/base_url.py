"""
The URLs of an account: the base URL from its parts, and what is wrong with a URL.

Invariant: a user or a password that was written into a URL does not show in any message.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, unquote, urlsplit

from airflow_provider_asposeocr.api.errors import InvalidConnectionError
from airflow_provider_asposeocr.api.operations import (
    API_PREFIX,
    DEFAULT_BASE_URL,
    OPERATIONS,
    STATUS_PATH,
    TOKEN_PATH,
)
from airflow_provider_asposeocr.api.printable import shown

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: What stands behind the base URL in the vendor's docs, and is copied with it.
_COPIED_PATHS = {
    path.lower()
    for path in (
        API_PREFIX.rsplit("/", 1)[0],
        API_PREFIX,
        STATUS_PATH,
        TOKEN_PATH,
        *(operation.path for operation in OPERATIONS.values()),
    )
}


def base_url_of(host: str | None, scheme: str | None = None, port: int | None = None) -> str:
    """
    Put a base URL together.

    :param host: A URL, a host name or an IP address, perhaps with a port and a path; by default that of the cloud. The
        path of the API or of one of its operations is cut off.
    :param scheme: ``http`` or ``https``, where ``host`` has no scheme; https by default.
    :param port: Port, where ``host`` has none.
    :return: Scheme, host, port where it is not the scheme's own, and path if there is one, without a slash at the end.
    :raises InvalidConnectionError: if that is no http or https URL, holds a user or a password, or the ports differ.
    """
    text = (host or "").strip() or DEFAULT_BASE_URL
    if "://" not in text:
        text = f"{scheme or 'https'}://{_bracketed(text)}"
    problem = url_problem("The base URL", text)
    parts = _split(text)
    if problem or parts is None:
        raise InvalidConnectionError(problem)
    if parts.query or parts.fragment:
        raise InvalidConnectionError(f"The base URL {masked(text)!r} must end before '?' and '#'.")
    if port and parts.port and port != parts.port:
        raise InvalidConnectionError(
            f"The base URL names port {parts.port} and the field Port says {port}. Leave one of them empty."
        )
    port = parts.port or port
    if port and not 0 < port < 65536:
        raise InvalidConnectionError(f"Port {port} does not exist.")
    suffix = f":{port}" if port and port != _DEFAULT_PORTS[parts.scheme] else ""
    return f"{parts.scheme}://{_bracketed(parts.hostname or '')}{suffix}{_without_copied(parts.path)}"


def url_problem(name: str, url: str) -> str:
    """
    Say what is wrong with a URL.

    :param name: What the URL is, to begin the sentence with.
    :param url: The URL.
    :return: A sentence that does not show user and password, or an empty string where nothing is wrong.
    """
    parts = _split(url)
    if parts is None or not _is_http(parts):
        return f"{name} {masked(url)!r} is not an http or https URL."
    # Anywhere: with a password that has a slash and was not encoded, the user would be taken for the host.
    if "@" in url:
        return (
            f"{name} {masked(url)!r} contains a user or a password. "
            "Write the client id and the client secret into the fields of these names, and an @ in a path as %40."
        )
    return ""


def proxy_problem(proxy: str) -> str:
    """
    Say what is wrong with a proxy's URL.

    :param proxy: The URL, perhaps with a user and a password.
    :return: A sentence that does not show the URL, or an empty string where nothing is wrong.
    """
    parts = _split(proxy)
    if parts is None or not _is_http(parts):
        return "The proxy is not an http or https URL."
    if ":" in unquote(parts.username or ""):
        return (
            "The user of the proxy contains a colon, which HTTP's Basic authentication cannot carry. "
            "Use a user without one."
        )
    return ""


def masked(url: str) -> str:
    """
    Make a URL fit to be shown.

    :param url: The URL, perhaps none.
    :return: The URL without user, password, query and fragment.
    """
    scheme, _, rest = url.partition("://")
    # A password that was not encoded may hold any character, so all before the last "@" may belong to it.
    prefix = f"{scheme}://" if rest and _SCHEME.fullmatch(scheme) else ""
    before, at, behind = url[len(prefix) :].rpartition("@")
    return shown(prefix + ("***@" if at else before) + re.split(r"[?#]", behind, maxsplit=1)[0], 200)


def place_of(url: str) -> str:
    """
    Return the host and the port of a URL.

    :param url: The URL.
    """
    parts = _split(url)
    if parts is None or not parts.hostname:
        return masked(url)
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    return f"{_bracketed(parts.hostname)}:{port}" if port else parts.hostname


def _split(url: str) -> SplitResult | None:
    # Python drops line breaks and tabs from a URL in silence.
    if re.search(r"\s", url) or not url.isprintable():
        return None
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _is_http(parts: SplitResult) -> bool:
    return parts.scheme in _DEFAULT_PORTS and bool(parts.hostname)


def _bracketed(host: str) -> str:
    try:
        IPv6Address(host)
    except ValueError:
        return host
    return f"[{host}]"


def _without_copied(path: str) -> str:
    path = path.rstrip("/")
    for copied in sorted(_COPIED_PATHS, key=len, reverse=True):
        if path.lower().endswith(copied):
            return path[: -len(copied)].rstrip("/")
    return path
