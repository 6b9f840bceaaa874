"""
How many status requests a process makes per second.

Invariant: no I/O and no clock; a caller gets a number of seconds. A ``Retry-After`` for one wait holds for all
waits of the account, also for those that have reserved a moment already. A clock that is set back makes no wait longer.
"""

from __future__ import annotations

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
        self._paused_until = 0.0
        self._now = 0.0

    def reserve(self, now: float) -> float:
        """
        Take the next free moment.

        :param now: Seconds since the epoch.
        :return: Seconds to wait until then.
        """
        self._heed_clock(now)
        at = max(now, self._next_at)
        self._next_at = at + self._gap_seconds
        return at - now

    def pause(self, now: float, seconds: float | None) -> None:
        """
        Hold back every request for a while.

        :param now: Seconds since the epoch.
        :param seconds: How long the cloud asks to wait, if it says so; ten minutes of it are heeded.
        """
        self._heed_clock(now)
        length = USUAL_PAUSE_SECONDS if seconds is None else min(seconds, LONGEST_PAUSE_SECONDS)
        self._paused_until = max(self._paused_until, now + length)

    def held_seconds(self, now: float) -> float:
        """
        Return how long no request may be sent.

        :param now: Seconds since the epoch.
        :return: The rest of the pause; 0 where there is none.
        """
        self._heed_clock(now)
        return max(0.0, self._paused_until - now)

    def _heed_clock(self, now: float) -> None:
        if now < self._now:
            back = self._now - now
            self._next_at -= back
            self._paused_until -= back
        self._now = now
