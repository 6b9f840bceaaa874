"""
Triggerers, workers and the scheduler that are killed while files are dropped.

Invariant: what is killed and when is drawn from one seeded generator, and whatever was killed comes back by
:meth:`InboxChaos.tick` or :meth:`InboxChaos.end`.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.local_airflow import kind_of
from tests.distributed.installation import TRIGGERERS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from demo.local_airflow import LocalAirflow

SCHEDULER = "scheduler"
#: Each kind as often as another.
KINDS = (TRIGGERERS, WORKERS, (SCHEDULER,))
SHORTEST_SECONDS, LONGEST_SECONDS = 15.0, 30.0


@dataclass
class InboxChaos:
    """
    The kills of one storm.

    :param airflow: What is hit.
    :param random: Decides.
    :param say: Takes a sentence about each kill.
    """

    airflow: LocalAirflow
    random: Random
    say: Callable[[str], None]
    #: Kills by the kind of component.
    kills: Counter[str] = field(default_factory=Counter)
    #: Components that do not run now.
    down: set[str] = field(default_factory=set)
    _back: list[tuple[float, str]] = field(default_factory=list)
    _round: list[tuple[str, ...]] = field(default_factory=list)
    _next_at: float = 0.0

    def tick(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for at, host in [back for back in self._back if back[0] <= now]:
            self._back.remove((at, host))
            self._launch(host)
        if now < self._next_at:
            return
        if self._next_at:
            self._kill()
        self._next_at = now + self.random.uniform(SHORTEST_SECONDS, LONGEST_SECONDS)

    def end(self) -> None:
        """Start what is down, at once."""
        for _, host in self._back:
            self._launch(host)
        self._back.clear()

    def _kill(self) -> None:
        if not self._round:
            self._round = self.random.sample(KINDS, len(KINDS))
        able = [host for host in self._round.pop() if host not in self.down]
        if not able:
            return
        host = self.random.choice(able)
        self.airflow.kill(host, signal.SIGKILL)
        self.kills[kind_of(host)] += 1
        after_seconds = self.random.uniform(2, 8)
        self.say(f"kill -9 of {host}; back in {after_seconds:.1f} s")
        self.down.add(host)
        self._back.append((time.monotonic() + after_seconds, host))

    def _launch(self, host: str) -> None:
        self.airflow.launch(host)
        self.down.discard(host)
        self.say(f"{host} starts")
