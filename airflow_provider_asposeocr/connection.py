"""
Read an Airflow connection of the type ``aspose_ocr``.

Invariant: one error names everything that is wrong with a connection. The secrets are registered with Airflow's masker
before anything can log them.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from airflow_provider_asposeocr.api.account import DEFAULT_CONNECTIONS, Account
from airflow_provider_asposeocr.api.base_url import base_url_of
from airflow_provider_asposeocr.api.errors import InvalidConnectionError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.settings import near_miss
from airflow_provider_asposeocr.get_provider_info import CONN_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Connection

log = logging.getLogger(__name__)

_TEXTS = ("proxy", "ca_bundle", "token_url")
_NUMBERS = ("connect_timeout_seconds", "request_timeout_seconds", "max_requests_per_second")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "none", "")

#: Connections whose unknown extras this process has logged already, with those extras.
_logged: set[tuple[str, str]] = set()


def mask_token(token: str) -> None:
    """
    Register a token with Airflow's masker.

    :param token: The token.
    """
    mask_secret(token)


async def read_account(conn_id: str) -> Account:
    """
    Read a connection within an event loop, for triggers. They do not import the hook, because it also submits and stores.

    :param conn_id: Airflow connection.
    :return: The account; its secrets have been masked.
    :raises InvalidConnectionError: if a field or an extra is invalid.
    """
    return account_of(await BaseHook.aget_connection(conn_id))


def account_of(conn: Connection) -> Account:
    """
    Read a connection.

    :param conn: The connection. Extras that this version does not know are logged once per process.
    :return: The account; its secrets have been masked.
    :raises InvalidConnectionError: if a field or an extra is invalid; the message names all of them.
    """
    if conn.password:
        mask_secret(conn.password)
    extra = _extras(conn)
    _mask_urls(conn, extra)
    _log_unknown_extras(str(conn.conn_id), extra)
    problems: list[str] = []
    texts = _texts(extra, problems)
    fields: dict[str, Any] = {
        "client_id": conn.login or None,
        "client_secret": conn.password or None,
        "trial": _evaluation_mode(extra, problems),
        "max_connections": _connections(extra, problems),
        **_numbers(extra, problems),
        **texts,
    }
    try:
        fields["base_url"] = base_url_of(conn.host, conn.schema, conn.port)
    except InvalidConnectionError as error:
        problems.append(error.message)
    try:
        account = Account(**fields)
    except InvalidConnectionError as error:
        problems.append(error.message)
    if problems:
        raise InvalidConnectionError(" ".join(problems))
    return account


def unknown_extras(conn: Connection) -> str:
    """
    Describe the extras that this version does not know, because a misspelt extra has no effect.

    :param conn: The connection.
    :return: Sentences that name them and suggest what was probably meant; empty if all extras are known.
    """
    try:
        return _unknown_extras(_extras(conn))
    except InvalidConnectionError:
        return ""


def _unknown_extras(extra: Mapping[str, Any]) -> str:
    sentences = []
    for name in extra:
        if name not in CONN_FIELDS:
            # Older versions of Airflow stored the extras of a form with this prefix.
            written = name.removeprefix("extra__aspose_ocr__")
            hint = (
                f" Did you mean {written!r}?" if written in CONN_FIELDS else near_miss(written, CONN_FIELDS)
            )
            sentences.append(f"The extra {shown(name, 60)!r} is not known and has no effect.{hint}")
    if sentences and any("Did you mean" not in sentence for sentence in sentences):
        sentences.append(f"Known extras: {', '.join(CONN_FIELDS)}.")
    return " ".join(sentences)


def _log_unknown_extras(conn_id: str, extra: Mapping[str, Any]) -> None:
    described = _unknown_extras(extra)
    if described and (conn_id, described) not in _logged:
        _logged.add((conn_id, described))
        log.warning("Connection %s: %s", shown(conn_id, 80), described)


def _extras(conn: Connection) -> dict[str, Any]:
    # Not conn.extra_dejson: it returns no extras if they are not valid JSON, and calls the supervisor synchronously.
    with suppress(ValueError, RecursionError):
        if isinstance(extra := json.loads(conn.extra or "{}"), dict):
            return extra
    raise InvalidConnectionError("The connection's extras are not a JSON object.")


def _mask_urls(conn: Connection, extra: Mapping[str, Any]) -> None:
    secrets = [extra.get("proxy")]
    for url in (conn.host, extra.get("token_url"), extra.get("proxy")):
        with suppress(ValueError):
            written = url if "://" in str(url) else f"//{url}"
            if isinstance(url, str) and (password := urlsplit(written).password):
                secrets += [password, unquote(password)]
    for secret in secrets:
        if secret and isinstance(secret, str):
            mask_secret(secret)


def _texts(extra: Mapping[str, Any], problems: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _TEXTS:
        value = extra.get(name)
        if isinstance(value, str) and value.strip():
            found[name] = value.strip()
        elif value and not isinstance(value, str):
            problems.append(f"{name} in the connection's extras is not a text.")
    return found


def _numbers(extra: Mapping[str, Any], problems: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in _NUMBERS:
        number = _positive(name, extra.get(name), problems)
        if number is not None:
            found[name] = number
    return found


def _positive(name: str, value: Any, problems: list[str]) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (ValueError, TypeError, OverflowError):
        number = 0.0
    if 0 < number < float("inf"):
        return number
    problems.append(f"{name} in the connection's extras is {shown(value, 60)!r}, not a positive number.")
    return None


def _connections(extra: Mapping[str, Any], problems: list[str]) -> int:
    number = _positive("max_connections", extra.get("max_connections"), problems)
    if number is None:
        return DEFAULT_CONNECTIONS
    if number < 2 or not number.is_integer():
        # One connection is reserved for cancels and tokens. With a limit of 1, no poll could be sent.
        given = shown(extra["max_connections"], 60)
        problems.append(
            f"max_connections in the connection's extras is {given!r}, not a whole number of 2 or more."
        )
        return DEFAULT_CONNECTIONS
    return int(number)


def _evaluation_mode(extra: Mapping[str, Any], problems: list[str]) -> bool:
    value = extra.get("evaluation_mode")
    word = str("" if value is None else value).strip().lower()
    if word not in _TRUE + _FALSE:
        problems.append(
            f"evaluation_mode in the connection's extras is {shown(value, 60)!r}, not true or false."
        )
    return word in _TRUE
