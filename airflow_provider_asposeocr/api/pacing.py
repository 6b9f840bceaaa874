"""
How many status requests a process makes per second.

Invariant: no I/O and no clock; whoever asks gets a number of seconds to wait. After a 429 all waits of the account
pause, not only the one that met it.
"""

from __future__ import annotations

#: Pause after a 429 that does not say how long.
USUAL_PAUSE_SECONDS = 5.0


class Pacer:
    """
    Spread requests evenly.

    :param per_second: Most requests per second.
    """

    def __init__(self, per_second: float) -> None:
        self._gap_seconds = 1.0 / per_second
        self._next_at = 0.0

    def reserve(self, now: float) -> float:
        """
        Take the next free moment.

        :param now: Seconds since the epoch.
        :return: Seconds to wait until then.
        """
        at = max(now, self._next_at)
        self._next_at = at + self._gap_seconds
        return at - now

    def pause(self, now: float, seconds: float | None) -> None:
        """
        Let nobody through for a while.

        :param now: Seconds since the epoch.
        :param seconds: How long the cloud asks to wait, if it says so.
        """
        self._next_at = max(self._next_at, now + (USUAL_PAUSE_SECONDS if seconds is None else seconds))
