"""
The clock of the emulator.

Invariant: retention, token expiry, lock-out and task durations read only this clock, so that a test can advance all of them
together.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """
    Real time plus the seconds that tests have added to it.

    :param wall: Source of real time in seconds since the epoch; replaced in tests of the clock itself.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._advanced_seconds = 0.0

    @property
    def advanced_seconds(self) -> float:
        """Seconds by which the clock is ahead of real time."""
        return self._advanced_seconds

    def now(self) -> float:
        """Return the emulator's time in seconds since the epoch."""
        return self._wall() + self._advanced_seconds

    def advance(self, seconds: float) -> None:
        """
        Move the clock forward.

        :param seconds: Seconds to add, 0 or more.
        :raises ValueError: if ``seconds`` is negative; a task cannot become younger.
        """
        if not seconds >= 0:
            raise ValueError(f"The clock only moves forward, not by {seconds} seconds.")
        self._advanced_seconds += seconds

    def reset(self) -> None:
        """Set the clock to real time."""
        self._advanced_seconds = 0.0
