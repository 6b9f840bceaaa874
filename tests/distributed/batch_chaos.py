"""
A worker that dies, stalls and is cleared while it takes a batch through the cloud.

Invariant: what is done and when is drawn from one seeded generator; every blow hits a batch that has been submitting since
the blow before, and whatever was broken is mended again by :meth:`BatchChaos.tick` or :meth:`BatchChaos.end`.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.distributed.batch_audit import Blows, unknown_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from random import Random

    from tests.distributed.installation import Installation

KILL = "kill -9 of the worker"
KILL_SUBMITTING = "kill -9 of the worker between the cloud's acceptance and its answer"
SUSPEND = "SIGSTOP of the worker, until another one has gone on"
CLEAR = "a user's Clear"

TASK = """
    select state, hostname, try_number from task_instance where dag_id = %s and run_id = %s and task_id = 'read'
"""
#: The cloud's answers are held back at most for so long, if it accepts fewer than were wanted.
TRAP_SECONDS = 8.0


@dataclass(frozen=True)
class Target:
    """
    The run that is hit.

    :param dag_id: Its DAG, whose task is called ``read``.
    :param run_id: The run.
    :param read_journal: Reads the records of the journal of its batch; empty where there is none.
    :param count_epochs: Counts the processes that have begun or taken over that journal.
    :param weather: Fault rules that are in force meanwhile.
    :param permits: ``max_unanswered_submits``.
    """

    dag_id: str
    run_id: str
    read_journal: Callable[[], Iterable[Mapping[str, Any]]]
    count_epochs: Callable[[], int]
    weather: Sequence[dict[str, Any]]
    permits: int


@dataclass
class Zombie:
    """
    A worker that is suspended.

    :param host: Its name.
    :param try_number: The try that it runs.
    :param epochs: How many processes had owned the journal by then.
    """

    host: str
    try_number: int
    epochs: int


@dataclass
class BatchChaos:
    """
    The blows of one storm.

    :param installation: What is hit.
    :param target: The run that is hit.
    :param random: Decides.
    :param plan: The blows in their order.
    :param least_work: Submits between two blows.
    :param say: Takes a sentence about each blow.
    """

    installation: Installation
    target: Target
    random: Random
    plan: list[str]
    least_work: int
    say: Callable[[str], None]
    blows: Counter[str] = field(default_factory=Counter)
    #: Components that do not run now because of a blow.
    down: set[str] = field(default_factory=set)
    #: When workers were killed or suspended, when the task was cleared, and when suspended workers went on, in seconds since
    #: the epoch.
    ends: list[float] = field(default_factory=list)
    clears: list[float] = field(default_factory=list)
    wakes: list[float] = field(default_factory=list)
    #: How many submits each kill has left unknown.
    unknown: list[int] = field(default_factory=list)
    _billed: int = 0
    _strike_at: float = 0.0
    _trapped_at: float | None = None
    _wanted: int = 0
    _zombie: Zombie | None = None
    _back: list[tuple[float, str]] = field(default_factory=list)

    def happened(self) -> Blows:
        """Return what has happened, for the audit."""
        return Blows(tuple(self.ends), tuple(self.clears), tuple(self.wakes))

    def tick(self) -> None:
        """Do what is due."""
        for at, host in [back for back in self._back if back[0] <= time.monotonic()]:
            self._back.remove((at, host))
            self.installation.airflow.launch(host)
            self.down.discard(host)
            self.say(f"{host} starts")
        state, host, try_number = self._task()
        billed = sum(self.installation.cloud.billing().values())
        if self._zombie is not None:
            taken_over = self.target.count_epochs() > self._zombie.epochs
            if state == "running" and try_number > self._zombie.try_number and taken_over:
                self._wake(billed)
        elif state != "running":
            self._disarm()
        elif self._trapped_at is not None:
            self._spring(host)
        elif self.plan and billed >= self._billed + self.least_work:
            self._strike_when_due(host, try_number, billed)

    def end(self) -> None:
        """Mend what is broken, at once."""
        self._disarm()
        if self._zombie is not None:
            self._wake(0)
        for _, host in self._back:
            self.installation.airflow.launch(host)
        self._back.clear()
        self.down.clear()

    def _task(self) -> tuple[str | None, str, int]:
        found = self.installation.rows(TASK, self.target.dag_id, self.target.run_id)
        return found[0] if found else (None, "", 0)

    def _strike_when_due(self, host: str, try_number: int, billed: int) -> None:
        """Let some chance pass between the work that is asked for and the blow."""
        if not self._strike_at:
            self._strike_at = time.monotonic() + self.random.uniform(0, 2)
        if time.monotonic() < self._strike_at:
            return
        self._strike_at, self._billed = 0.0, billed
        kind = self.plan.pop(0)
        if kind == KILL:
            self._kill(host, kind, f"{billed} billed")
        elif kind == KILL_SUBMITTING:
            self._set_trap()
        elif kind == SUSPEND:
            self._suspend(host, try_number, billed)
        else:
            self.blows[kind] += 1
            self.clears.append(time.time())
            self.installation.rest.clear(self.target.dag_id, self.target.run_id, ["read"])
            self.say(f"a user clears the task with {billed} billed")

    def _set_trap(self) -> None:
        self._trapped_at, self._wanted = time.monotonic(), self.random.randint(1, self.target.permits)
        hold = {"kind": "hold", "method": "POST", "path": "*Image", "after": "accepted"}
        self.installation.cloud.add_faults({**hold, "count": self.target.permits})

    def _spring(self, host: str) -> None:
        assert self._trapped_at is not None
        try:
            held = self.installation.cloud.wait_for_request("POST", held=True, timeout_seconds=0)
        except TimeoutError:
            return
        if len(held) >= self._wanted or time.monotonic() > self._trapped_at + TRAP_SECONDS:
            self._kill(host, KILL_SUBMITTING, f"{len(held)} accepted and not answered")
            self._disarm()

    def _disarm(self) -> None:
        """Take the trap away, and let go what it holds: rules can only be removed all at once."""
        if self._trapped_at is not None:
            self._trapped_at = None
            self.installation.cloud.clear_faults()
            self.installation.cloud.add_faults(*self.target.weather)

    def _kill(self, host: str, kind: str, what: str) -> None:
        self.installation.airflow.kill(host, signal.SIGKILL)
        self.ends.append(time.time())
        self.blows[kind] += 1
        unknown = unknown_documents(self.target.read_journal())
        self.unknown.append(len(unknown))
        after_seconds = self.random.uniform(2, 8)
        self.say(f"kill -9 of {host} with {what}; {len(unknown)} unknown; back in {after_seconds:.1f} s")
        self.down.add(host)
        self._back.append((time.monotonic() + after_seconds, host))

    def _suspend(self, host: str, try_number: int, billed: int) -> None:
        self.installation.airflow.kill(host, signal.SIGSTOP)
        self.ends.append(time.time())
        self.blows[SUSPEND] += 1
        unknown = unknown_documents(self.target.read_journal())
        self.unknown.append(len(unknown))
        self.say(f"SIGSTOP of {host} in try {try_number} with {billed} billed; {len(unknown)} unknown")
        self._zombie = Zombie(host, try_number, self.target.count_epochs())

    def _wake(self, billed: int) -> None:
        assert self._zombie is not None
        self.wakes.append(time.time())
        self.installation.airflow.kill(self._zombie.host, signal.SIGCONT)
        self.say(f"SIGCONT of {self._zombie.host}; another try goes on with {billed} billed")
        self._zombie = None
        self._billed = billed
