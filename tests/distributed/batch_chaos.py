"""
A worker that dies, stalls and is cleared while it takes a batch through the cloud, and triggerers that do while it waits.

Invariant: what is done and when is drawn from one seeded generator; every blow hits a batch that has been submitting since
the blow before, and :meth:`BatchChaos.tick` or :meth:`BatchChaos.end` repairs what a blow has stopped.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.distributed.batch_audit import Blows, unknown_documents
from tests.distributed.installation import TRIGGERERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from random import Random

    from tests.distributed.installation import Installation

KILL = "kill -9 of the worker"
KILL_SUBMITTING = "kill -9 of the worker between the cloud's acceptance and its answer"
SUSPEND = "SIGSTOP of the worker, until another one has gone on"
CLEAR = "a user's Clear"
KILL_WAITING = "kill -9 of the triggerer that waits"
SUSPEND_WAITING = "SIGSTOP of the triggerer that waits, until another one has gone on"
CLEAR_WAITING = "a user's Clear of the deferred task"
#: Before these the cloud becomes so slow that the batch leaves its worker.
WHILE_DEFERRED = frozenset({KILL_WAITING, SUSPEND_WAITING, CLEAR_WAITING})

TASK = """
    select state, hostname, try_number from task_instance where dag_id = %s and run_id = %s and task_id = 'read'
"""
#: The triggerer that has the batch's trigger. Of the jobs of a host that was started again only the last one is alive.
WAITS_AT = """
    select job.hostname from task_instance join trigger on trigger.id = task_instance.trigger_id
    join job on job.id = trigger.triggerer_id
    where task_instance.dag_id = %s and task_instance.run_id = %s and task_instance.task_id = 'read'
    and task_instance.state = 'deferred'
    and job.id in (select max(id) from job where job_type = 'TriggererJob' group by hostname)
"""
#: How long cloud tasks take that are submitted before a blow to a triggerer: longer than another triggerer needs to go on.
SLOW_TASK_SECONDS = 30.0
SLOW_CLOUD = {"kind": "task_slow", "task_seconds": SLOW_TASK_SECONDS, "path": "*Image", "probability": 1.0}
#: Longest time that the cloud's answers are held back, if it accepts fewer submits than the blow waits for.
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
    A worker or triggerer that is suspended.

    :param host: Its name.
    :param try_number: The try that it runs or waits for.
    :param epochs: How many processes had owned the journal by then.
    :param is_triggerer: Whether it is a triggerer.
    """

    host: str
    try_number: int
    epochs: int
    is_triggerer: bool = False


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
    #: How many submits were unknown when a triggerer was hit: the batch has left its worker, so there is to be none.
    unknown_deferred: list[int] = field(default_factory=list)
    _billed: int = 0
    _strike_at: float = 0.0
    _trapped_at: float | None = None
    _wanted: int = 0
    _is_slow: bool = False
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
            if self._is_replaced(self._zombie, state, try_number):
                self._wake(billed)
        elif self._trapped_at is not None:
            self._spring(state, host)
        elif self.plan and billed >= self._billed + self.least_work:
            victim = self._victim(state, host)
            if victim:
                self._strike_when_due(victim, try_number, billed)
            else:
                self._strike_at = 0.0

    def end(self) -> None:
        """Repair at once what blows have stopped."""
        self._trapped_at = None
        self._is_slow = False
        self._restore_weather()
        if self._zombie is not None:
            self._wake(0)
        for _, host in self._back:
            self.installation.airflow.launch(host)
        self._back.clear()
        self.down.clear()

    def _task(self) -> tuple[str | None, str, int]:
        found = self.installation.rows(TASK, self.target.dag_id, self.target.run_id)
        return found[0] if found else (None, "", 0)

    def _waits_at(self) -> str:
        found = self.installation.rows(WAITS_AT, self.target.dag_id, self.target.run_id)
        return str(found[0][0]) if found else ""

    def _victim(self, state: str | None, host: str) -> str:
        """Return the component that the next blow hits, once the batch is where it is to be hit."""
        if self.plan[0] not in WHILE_DEFERRED:
            return host if state == "running" else ""
        if not self._is_slow:
            self._is_slow = True
            self.installation.cloud.add_faults(SLOW_CLOUD)
        # One triggerer has to stay, to take over.
        return self._waits_at() if state == "deferred" and not self.down & set(TRIGGERERS) else ""

    def _strike_when_due(self, host: str, try_number: int, billed: int) -> None:
        """Strike a random time after the batch has done the work that must lie between two blows."""
        if not self._strike_at:
            self._strike_at = time.monotonic() + self.random.uniform(0, 2)
        if time.monotonic() < self._strike_at:
            return
        self._strike_at, self._billed = 0.0, billed
        kind = self.plan.pop(0)
        if kind in WHILE_DEFERRED:
            self._is_slow = False
            self._restore_weather()
        if kind == KILL_SUBMITTING:
            self._set_trap()
        elif kind in (KILL, KILL_WAITING):
            self._kill(host, kind, f"{billed} billed")
        elif kind in (SUSPEND, SUSPEND_WAITING):
            self._suspend(host, kind, try_number, billed)
        else:
            self._clear(kind, billed)

    def _clear(self, kind: str, billed: int) -> None:
        self.blows[kind] += 1
        self.clears.append(time.time())
        self.installation.rest.clear(self.target.dag_id, self.target.run_id, ["read"])
        self.say(f"{kind} with {billed} billed")

    def _set_trap(self) -> None:
        self._trapped_at, self._wanted = time.monotonic(), self.random.randint(1, self.target.permits)
        hold = {"kind": "hold", "method": "POST", "path": "*Image", "after": "accepted"}
        self.installation.cloud.add_faults({**hold, "count": self.target.permits})

    def _spring(self, state: str | None, host: str) -> None:
        assert self._trapped_at is not None
        if state != "running":  # The batch has left its worker: set the trap again for the next one.
            self.plan.insert(0, KILL_SUBMITTING)
            self._disarm()
            return
        try:
            held = self.installation.cloud.wait_for_request("POST", held=True, timeout_seconds=0)
        except TimeoutError:
            return
        if len(held) >= self._wanted or time.monotonic() > self._trapped_at + TRAP_SECONDS:
            self._kill(host, KILL_SUBMITTING, f"{len(held)} accepted and not answered")
            self._disarm()

    def _disarm(self) -> None:
        """Remove the trap, and let the cloud answer the submits that it holds."""
        self._trapped_at = None
        self._restore_weather()

    def _restore_weather(self) -> None:
        """Leave only the weather: rules can only be removed all at once."""
        self.installation.cloud.clear_faults()
        self.installation.cloud.add_faults(*self.target.weather)

    def _count_unknown(self, host: str) -> int:
        """Count the submits of which the journal does not say what became of them."""
        unknown = len(unknown_documents(self.target.read_journal()))
        if host in TRIGGERERS:
            self.unknown_deferred.append(unknown)
        else:
            self.ends.append(time.time())
            self.unknown.append(unknown)
        return unknown

    def _kill(self, host: str, kind: str, what: str) -> None:
        self.installation.airflow.kill(host, signal.SIGKILL)
        self.blows[kind] += 1
        unknown = self._count_unknown(host)
        after_seconds = self.random.uniform(2, 8)
        self.say(f"kill -9 of {host} with {what}; {unknown} unknown; back in {after_seconds:.1f} s")
        self.down.add(host)
        self._back.append((time.monotonic() + after_seconds, host))

    def _suspend(self, host: str, kind: str, try_number: int, billed: int) -> None:
        self.installation.airflow.kill(host, signal.SIGSTOP)
        self.blows[kind] += 1
        unknown = self._count_unknown(host)
        self.say(f"SIGSTOP of {host} in try {try_number} with {billed} billed; {unknown} unknown")
        self._zombie = Zombie(host, try_number, self.target.count_epochs(), host in TRIGGERERS)

    def _is_replaced(self, zombie: Zombie, state: str | None, try_number: int) -> bool:
        """Tell whether another process goes on with the batch."""
        if zombie.is_triggerer:
            return state != "deferred" or self._waits_at() not in ("", zombie.host)
        is_taken_over = self.target.count_epochs() > zombie.epochs
        return state == "running" and try_number > zombie.try_number and is_taken_over

    def _wake(self, billed: int) -> None:
        assert self._zombie is not None
        if not self._zombie.is_triggerer:
            self.wakes.append(time.time())
        self.installation.airflow.kill(self._zombie.host, signal.SIGCONT)
        self.say(f"SIGCONT of {self._zombie.host}; another process goes on with {billed} billed")
        self._zombie = None
        self._billed = billed
