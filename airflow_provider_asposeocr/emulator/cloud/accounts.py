"""
The accounts of the emulator, their tokens, and the lock-out of the token endpoint.

Invariant: a token is valid until it expires, belongs to exactly one account, and cannot be guessed. No answer contains a
secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.cloud.lockout import LockOut, Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.emulator.clock import Clock

#: Most pairs that are remembered, so that a client with random pairs does not fill the memory.
_MAX_RECORDS = 10_000


@dataclass(frozen=True)
class TokenAnswer:
    """
    The decision about a token request.

    :param status: 200, 400 or 429.
    :param token: The access token of a 200.
    :param error: The OAuth error code of a 400.
    :param retry_after_seconds: The waiting time of a 429.
    """

    status: int
    token: str | None = None
    error: str | None = None
    retry_after_seconds: int | None = None


class Accounts:
    """
    The accounts of one emulator.

    :param known: Client id to client secret.
    :param token_seconds: Lifetime of a token.
    :param lock_out: The rule of the lock-out.
    :param clock: The clock of the emulator.
    """

    def __init__(
        self, known: Mapping[str, str], token_seconds: float, lock_out: LockOut, clock: Clock
    ) -> None:
        self._known = dict(known)
        self._token_seconds = token_seconds
        self._lock_out = lock_out
        self._clock = clock
        self._tokens: dict[str, tuple[str, float]] = {}
        self._records: dict[str, Record] = {}

    def request_token(self, grant_type: str, client_id: str, client_secret: str) -> TokenAnswer:
        """
        Decide about one token request.

        The answer to wrong credentials is 400, not 401 (source: Aspose Cloud's "rate limits" page). The vendor does not
        document its body; it follows OAuth 2.
        """
        now = self._clock.now()
        pair = hashlib.sha256(json.dumps([client_id, client_secret]).encode()).hexdigest()
        record = self._records.get(pair, Record())
        wait = self._lock_out.retry_after_seconds(record, now)
        if wait is not None:
            return TokenAnswer(429, retry_after_seconds=wait)
        error = self._refusal(grant_type, client_id, client_secret)
        if error is None:
            self._remember(pair, self._lock_out.after_success(record))
            return TokenAnswer(200, token=self._issue(client_id, now))
        record = self._lock_out.after_failure(record, now)
        self._remember(pair, record)
        wait = self._lock_out.retry_after_seconds(record, now)
        return TokenAnswer(400, error=error) if wait is None else TokenAnswer(429, retry_after_seconds=wait)

    def account_of(self, token: str) -> str | None:
        """Return the client id that a token belongs to, or ``None`` if the token is unknown or has expired."""
        account, expires_at = self._tokens.get(token, (None, 0.0))
        return account if self._clock.now() < expires_at else None

    def revoke(self, token: str) -> None:
        """Make a token invalid before it expires."""
        self._tokens.pop(token, None)

    def reset(self) -> None:
        """Delete all tokens and lock-outs."""
        self._tokens.clear()
        self._records.clear()

    def _refusal(self, grant_type: str, client_id: str, client_secret: str) -> str | None:
        known = self._known.get(client_id, "")
        matches = hmac.compare_digest(known.encode(), client_secret.encode("utf-8", "replace"))
        if client_id not in self._known or not matches:
            return "invalid_client"
        return None if grant_type == "client_credentials" else "unsupported_grant_type"

    def _issue(self, client_id: str, now: float) -> str:
        for token, (_, expires_at) in list(self._tokens.items()):
            if expires_at > now:
                break  # All tokens have the same lifetime, so the oldest come first.
            del self._tokens[token]
        token = new_token()
        self._tokens[token] = (client_id, now + self._token_seconds)
        return token

    def _remember(self, pair: str, record: Record) -> None:
        self._records.pop(pair, None)
        if record == Record():
            return
        self._records[pair] = record
        while len(self._records) > _MAX_RECORDS:
            del self._records[next(iter(self._records))]


def new_token() -> str:
    """Make an opaque token of the same form as the cloud's: three base64url parts, with RS256 in the first one."""
    header = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"at+jwt"}').rstrip(b"=").decode()
    return f"{header}.{secrets.token_urlsafe(96)}.{secrets.token_urlsafe(64)}"
