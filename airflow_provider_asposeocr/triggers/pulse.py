"""
Whether this triggerer has stalled.

Invariant: a triggerer that was silent for so long that another one may have taken its waits over knows it before it acts
on a kill. It is two processes: this one, whose event loop may stand still, and Airflow's supervisor, which sends the
heartbeats and may stand still alone, for example for the 17 s and more in which it builds Airflow's API for the first
question. One task per event loop watches both for all triggers; a trigger that sleeps for minutes notices nothing itself.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

#: Each question makes the supervisor look into the database once more; it does so each second anyway.
BEAT_SECONDS = 2.0
#: A beat or an answer that is overdue by so much means that one of the two has stalled. Airflow lets another triggerer take
#: over after 30 s without a heartbeat by default, hardly anybody sets less than 10, and the last heartbeat before the
#: silence may be some seconds old.
STALL_SECONDS = 4.0


async def ask_supervisor() -> None:
    """Wait for Airflow's supervisor to answer what needs neither the database nor the API: an empty secret is none."""
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import MaskSecret

    if (supervisor := getattr(task_runner, "SUPERVISOR_COMMS", None)) is not None:
        await supervisor.asend(MaskSecret(value=""))


class Pulse:
    """
    Notices when its event loop did not run, or the supervisor did not answer.

    :param clock: The wall clock, in seconds since the epoch: unlike others it goes on while a machine is suspended.
    :param ask: Returns when the supervisor has answered.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, ask: Callable[[], Awaitable[None]] = ask_supervisor
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._last_at = clock()
        self._stalled_at = 0.0
        self._users = 0
        self._task: asyncio.Task[None] | None = None
        self._asked_at: float | None = None
        self._question: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Take note of the time."""
        if self._is_overdue():
            self._stalled_at = self._clock()
        self._last_at = self._clock()

    async def question(self) -> None:
        """Ask the supervisor, and take note of when it answers; an error is an answer."""
        self._asked_at = self._clock()
        with suppress(Exception):
            await self._ask()
        if self._is_unanswered():
            self._stalled_at = self._clock()
        self._asked_at = None

    def has_stalled_since(self, at: float) -> bool:
        """
        Tell whether there was a stall, the one included that ends with this call or that goes on.

        :param at: Since when, in seconds since the epoch.
        """
        return self._stalled_at > at or self._is_overdue() or self._is_unanswered()

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

    def _is_unanswered(self) -> bool:
        return self._asked_at is not None and self._clock() - self._asked_at > STALL_SECONDS

    async def _go_on(self) -> None:
        while True:
            # Not awaited: what is asked must not keep the beats waiting, nor be cancelled with them.
            if self._question is None or self._question.done():
                self._question = asyncio.get_running_loop().create_task(self.question())
            await asyncio.sleep(BEAT_SECONDS)
            self.beat()


_pulses: WeakKeyDictionary[asyncio.AbstractEventLoop, Pulse] = WeakKeyDictionary()


def loop_pulse() -> Pulse:
    """Return the pulse of the running event loop."""
    return _pulses.setdefault(asyncio.get_running_loop(), Pulse())
