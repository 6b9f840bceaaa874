"""
The lock-out of the token endpoint.

Source: Aspose Cloud's "rate limits" page. Five failed requests per pair of id and secret are allowed. After more, every
request of the pair is answered 429 with ``Retry-After: 600`` for ten minutes. Pure: a decision depends only on the record of
the pair, the time and the constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """
    The failed requests and the lock-out of one pair of id and secret.

    :param failures: Failed requests since the last lock-out (depending on an option, since the last success).
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
    :param success_resets: Whether a success resets the count of failures (undocumented).
    """

    allowed: int
    seconds: int
    success_resets: bool

    def retry_after_seconds(self, record: Record, now: float) -> int | None:
        """Return the seconds, rounded up, until the end of the pair's lock-out, or ``None`` if the pair is not locked."""
        if record.locked_until is None or now >= record.locked_until:
            return None
        return math.ceil(record.locked_until - now)

    def after_failure(self, record: Record, now: float) -> Record:
        """Return the new record of a pair that was not locked, after one more failed request."""
        failures = 1 if record.locked_until is not None else record.failures + 1
        if failures > self.allowed:
            return Record(failures, now + self.seconds)
        return Record(failures)

    def after_success(self, record: Record) -> Record:
        """Return the new record of a pair after the emulator has issued a token."""
        return Record() if self.success_resets or record.locked_until is not None else record
