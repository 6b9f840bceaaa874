"""
How many status requests a process makes per second, and when it makes no request at all.

Invariant: no I/O and no clock; a caller gets a number of seconds. A clock that is set back makes no wait longer.
"""

from __future__ import annotations

import threading

#: Pause after a 429 that does not say how long.
USUAL_PAUSE_SECONDS = 5.0
#: Longest pause for all: the longest that the vendor documents, its lock-out. One odd answer must not end all waits.
LONGEST_PAUSE_SECONDS = 600.0


class Pacer:
    """
    Spread requests evenly.

    :param per_second: Most requests per second.
    """

    def __init__(self, per_second: float) -> None:
        self._gap_seconds = 1.0 / per_second
        self._next_at = 0.0
        self._now = 0.0

    def reserve(self, now: float) -> float:
        """
        Take the next free moment.

        :param now: Seconds since the epoch.
        :return: Seconds to wait until then.
        """
        if now < self._now:
            self._next_at -= self._now - now
        self._now = now
        at = max(now, self._next_at)
        self._next_at = at + self._gap_seconds
        return at - now


class Pause:
    """
    The time in which an account gets no request, because the cloud has asked one of them to come back later.

    All clients of the account in a process share it, those of threads and those of event loops.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._now = 0.0

    def begin(self, now: float, seconds: float | None) -> None:
        """
        Hold back every request for a while. A shorter pause does not end a longer one.

        :param now: Seconds since the epoch.
        :param seconds: How long the cloud asks to wait; ``None`` = it does not say, 5 s. Ten minutes are heeded at most.
        """
        length = USUAL_PAUSE_SECONDS if seconds is None else min(seconds, LONGEST_PAUSE_SECONDS)
        with self._lock:
            self._heed_clock(now)
            self._until = max(self._until, now + length)

    def held_seconds(self, now: float) -> float:
        """
        Return how long no request may be sent.

        :param now: Seconds since the epoch.
        :return: The rest of the pause; 0 where there is none.
        """
        if not self._until:
            return 0.0
        with self._lock:
            self._heed_clock(now)
            return max(0.0, self._until - now)

    def _heed_clock(self, now: float) -> None:
        if now < self._now:
            self._until -= self._now - now
        self._now = now
