"""
The access token of one account in one process.

Invariant: if several callers need a token, one of them requests it and the others share it. A refused token is replaced
once, not once per caller. This module decides; the clients have the lock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_asposeocr.api.errors import UnexpectedResponseError

#: A token is renewed this long before it expires, so that it does not expire during a request.
MARGIN_SECONDS = 120.0
#: The value in the vendor's documented sample; used if ``expires_in`` is missing or invalid.
USUAL_SECONDS = 3600.0


@dataclass(frozen=True)
class Token:
    """
    An access token.

    :param value: The bearer token.
    :param renew_at: When to get another one, in seconds since the epoch.
    """

    value: str = field(repr=False)
    renew_at: float


def _lifetime_seconds(expires_in: Any) -> float:
    try:
        lifetime = float(expires_in)
    except (ValueError, TypeError, OverflowError):
        return USUAL_SECONDS
    # A shorter lifetime counts as one second. If the cloud refuses the token, it is replaced.
    return max(lifetime, 1.0) if 0 < lifetime < float("inf") else USUAL_SECONDS


def parse_token(body: bytes, now: float) -> Token:
    """
    Read the answer of the token endpoint.

    :param body: Body of a successful answer.
    :param now: Seconds since the epoch.
    :return: The token. A short-lived token is used for at least half of its lifetime.
    :raises UnexpectedResponseError: if the answer contains no token. The message does not quote the body, because it may
        contain one.
    """
    try:
        parsed = json.loads(body)
        value = parsed["access_token"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise UnexpectedResponseError("The token endpoint's answer is not the documented object.") from None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or not value.strip():
        raise UnexpectedResponseError("The token endpoint's answer has no usable access_token.")
    lifetime = _lifetime_seconds(parsed.get("expires_in"))
    return Token(value, now + lifetime - min(MARGIN_SECONDS, lifetime / 2))


class TokenSlot:
    """Holds the current token of an account."""

    def __init__(self) -> None:
        self._token: Token | None = None

    def usable(self, now: float, refused: str | None = None) -> Token | None:
        """
        Return the token if it can be used.

        :param now: Seconds since the epoch.
        :param refused: Value of a token that the cloud has just refused. If the slot already contains another one, another
            caller has renewed it.
        :return: The token, or ``None`` if one must be obtained.
        """
        token = self._token
        if token is None or token.value == refused or now >= token.renew_at:
            return None
        return token

    def store(self, token: Token) -> None:
        """
        Keep a token for the next callers.

        :param token: A token just obtained.
        """
        self._token = token
