"""
Whether this process has stalled.

Invariant: a triggerer that has not run for so long that another one may have taken its waits over knows it before it
acts on a kill. One task per event loop watches for all triggers; a trigger that sleeps for minutes notices nothing
itself.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEAT_SECONDS = 1.0
#: A beat that is overdue by so much means that the process has stalled; Airflow lets another triggerer take over after
#: 30 s by default, and hardly anybody sets less than 10.
STALL_SECONDS = 8.0


class Pulse:
    """
    Notices when its event loop did not run.

    :param clock: The wall clock, in seconds since the epoch: unlike others it goes on while a machine is suspended.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last_at = clock()
        self._stalled_at = 0.0
        self._users = 0
        self._task: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Take note of the time."""
        if self._is_overdue():
            self._stalled_at = self._clock()
        self._last_at = self._clock()

    def has_stalled_since(self, at: float) -> bool:
        """
        Tell whether there was a stall, the one included that ends with this call.

        :param at: Since when, in seconds since the epoch.
        """
        return self._stalled_at > at or self._is_overdue()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Beat as long as somebody is interested; within an event loop."""
        self._users += 1
        if self._task is None:
            self._last_at = self._clock()
            self._task = asyncio.get_running_loop().create_task(self._go_on())
        try:
            yield
        finally:
            self._users -= 1
            if self._users == 0 and self._task is not None:
                self._task.cancel()
                self._task = None

    def _is_overdue(self) -> bool:
        return self._clock() - self._last_at > BEAT_SECONDS + STALL_SECONDS

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            self.beat()


_pulses: WeakKeyDictionary[asyncio.AbstractEventLoop, Pulse] = WeakKeyDictionary()


def loop_pulse() -> Pulse:
    """Return the pulse of the running event loop."""
    return _pulses.setdefault(asyncio.get_running_loop(), Pulse())
