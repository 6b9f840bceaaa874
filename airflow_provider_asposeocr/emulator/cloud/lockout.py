"""
When the token endpoint refuses to look at a pair of credentials.

Invariant: pure; a decision depends on the pair's record, the instant and the constants alone. Source: Aspose
Cloud's "rate limits" page: five failed requests per pair of id and secret are allowed; once the number is
exceeded, the pair is answered 429 with ``Retry-After: 600`` for ten minutes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """
    What is remembered about one pair of id and secret.

    :param failures: Failed requests since the last lock-out (or since a success, by option).
    :param locked_until: End of the lock-out, or ``None``.
    """

    failures: int = 0
    locked_until: float | None = None


@dataclass(frozen=True)
class LockOut:
    """
    The constants of the lock-out.

    :param allowed: Failed requests that are answered 400.
    :param seconds: Length of the lock-out.
    :param success_resets: Whether a success forgets earlier failures (undocumented).
    """

    allowed: int
    seconds: int
    success_resets: bool

    def retry_after_seconds(self, record: Record, now: float) -> int | None:
        """Return the whole seconds the pair still has to wait, or ``None`` if it may try."""
        if record.locked_until is None or now >= record.locked_until:
            return None
        return math.ceil(record.locked_until - now)

    def after_failure(self, record: Record, now: float) -> Record:
        """Return the record after one more failed request of a pair that was not locked."""
        failures = 1 if record.locked_until is not None else record.failures + 1
        if failures > self.allowed:
            return Record(failures, now + self.seconds)
        return Record(failures)

    def after_success(self, record: Record) -> Record:
        """Return the record after a token was issued."""
        return Record() if self.success_resets or record.locked_until is not None else record
