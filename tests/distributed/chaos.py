"""
Kill, suspend and restart components during a storm.

Invariant: what is done to which component and when is drawn from one seeded generator, every blow hits something that
has work to lose, and :meth:`Chaos.tick` or :meth:`Chaos.end` repairs what a blow has stopped. Between two blows
some work gets done: on a slow machine the time between them grows, or nothing would ever be finished.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil

from demo.processes import session_members
from tests.distributed.documents import STEPS
from tests.distributed.installation import TRIGGERER_THRESHOLD_SECONDS, TRIGGERERS, WORKERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.distributed.installation import Installation

KILL_WORKER = "kill -9 of a worker"
KILL_TRIGGERER = "kill -9 of a triggerer"
KILL_SUBMITTING = "kill -9 of a worker between the cloud's acceptance and its answer"
SUSPEND_TRIGGERER = "SIGSTOP of a triggerer"
RESTART_SCHEDULER = "restart of the scheduler"
KINDS = (KILL_WORKER, KILL_SUBMITTING, KILL_TRIGGERER, SUSPEND_TRIGGERER, RESTART_SCHEDULER)

RUNNING = "select hostname, count(*) from task_instance where state = 'running' group by hostname"
#: Steps that run, and in which no task is retried now (unless that does not matter): a second unknown window of the
#: same task needs a user.
STEPS_RUNNING = """
    select task_id from task_instance
    where dag_id = 'storm' and state not in ('success', 'failed', 'upstream_failed')
    group by task_id having (max(try_number) = 1 or %s) and bool_or(state = 'running')
"""
#: A restarted triggerer has another job and the same host name; only the last job of each is alive.
WAITING = """
    select job.hostname, count(*) from trigger join job on job.id = trigger.triggerer_id
    where job.id in (select max(id) from job where job_type = 'TriggererJob' group by hostname)
    group by job.hostname
"""


def open_connections(pid: int) -> list[Any]:
    """TCP connections of a process; none if it has ended."""
    try:
        connections: list[Any] = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return []
    return [connection for connection in connections if connection.status == psutil.CONN_ESTABLISHED]


class Chaos:
    """
    The blows of one storm.

    :param installation: What is hit.
    :param random: Decides.
    :param least_work: Tasks that succeed between two blows.
    :param say: Takes a sentence about each blow.
    """

    def __init__(
        self, installation: Installation, random: Random, least_work: int, say: Callable[[str], None]
    ) -> None:
        self._installation = installation
        self._airflow = installation.airflow
        self._random = random
        self._least_work = least_work
        self._say = say
        self._next_at = time.monotonic() + random.uniform(3, 8)
        self._next_done = 0
        self._round: list[str] = []
        #: Steps of which a submit will be held back.
        self._traps: list[str] = []
        self._repairs: list[tuple[float, str, Callable[[], None]]] = []
        #: Components that do not run now because of a blow.
        self.down: set[str] = set()
        self.blows: Counter[str] = Counter()
        #: When, in seconds since the epoch.
        self.worker_kills: list[float] = []
        #: Triggers that another triggerer had taken over when a suspended one went on.
        self.taken_over = 0

    @property
    def complete(self) -> bool:
        """Whether everything has happened at least once, and a take-over too."""
        return set(self.blows) == set(KINDS) and self.taken_over > 0

    def tick(self, done: int, *, strike: bool) -> None:
        """
        Do what is due.

        :param done: Tasks that have succeeded.
        :param strike: Whether there may be another blow; otherwise only repairs are made.
        """
        now = time.monotonic()
        for repair in [repair for repair in self._repairs if repair[0] <= now]:
            self._mend(repair)
        if self._traps:
            self._spring()
        if not strike or now < self._next_at or done < self._next_done:
            return
        # First the kinds that have not happened yet. Last the restart, which is always possible; the others need a wait, and
        # waits are short.
        for kind in sorted(self._round, key=lambda kind: (kind in self.blows, kind == RESTART_SCHEDULER)):
            if self._strike(kind):
                self._round.remove(kind)
                self._next_at = time.monotonic() + self._random.uniform(5, 12)
                self._next_done = done + self._least_work
                return
        # No component that these would hit has work now; begin a round of the other kinds meanwhile.
        others = [kind for kind in KINDS if kind not in self._round]
        self._round += self._random.sample(others, len(others))

    def _count(self, kind: str, text: str) -> None:
        self.blows[kind] += 1
        self._say(text)

    def end(self) -> None:
        """Repair at once what blows have stopped."""
        self._traps.clear()
        self._installation.cloud.release()
        for repair in list(self._repairs):
            self._mend(repair)

    def _mend(self, repair: tuple[float, str, Callable[[], None]]) -> None:
        self._repairs.remove(repair)
        _, component, mend = repair
        mend()
        self.down.discard(component)

    def _mend_later(self, after_seconds: float, component: str, mend: Callable[[], None]) -> None:
        self.down.add(component)
        self._repairs.append((time.monotonic() + after_seconds, component, mend))

    def _strike(self, kind: str) -> bool:
        if kind == RESTART_SCHEDULER:
            self._count(kind, "restart of the scheduler")
            self._airflow.end("scheduler")
            self._airflow.launch("scheduler")
            self._say("the scheduler starts")
            return True
        if kind == KILL_WORKER:
            return self._kill(kind, WORKERS, RUNNING, "running tasks")
        if kind == KILL_SUBMITTING:
            return self._set_trap()
        if self.down & set(TRIGGERERS):
            return False  # One has to stay, to take over.
        if kind == KILL_TRIGGERER:
            return self._kill(kind, TRIGGERERS, WAITING, "waits")
        return self._suspend()

    def _set_trap(self) -> bool:
        cloud = self._installation.cloud
        urgent = KILL_SUBMITTING not in self.blows
        running = {step for (step,) in self._installation.rows(STEPS_RUNNING, urgent)}
        if any(f"read.{step}" in running for step in self._traps):
            return False
        # A fault already takes the answer from the next submit of these operations.
        spoken_for = {fault["rule"]["path"] for fault in cloud.faults() if not fault["exhausted"]}
        free = [
            step
            for step, operation in STEPS.items()
            if f"read.{step}" in running and f"*{operation}" not in spoken_for
        ]
        if not free:
            return False
        step = self._random.choice(free)
        hold = {"kind": "hold", "method": "POST", "path": f"*{STEPS[step]}", "after": "accepted", "count": 1}
        cloud.add_faults(hold)
        self._traps.append(step)
        return True

    def _spring(self) -> None:
        """Kill the worker whose submit the cloud holds back, and other workers that send requests at that moment."""
        cloud = self._installation.cloud
        try:
            entry = cloud.wait_for_request("POST", held=True, timeout_seconds=0)[0]
        except TimeoutError:
            return
        operation = entry["path"].rsplit("/", 1)[-1]
        (step,) = (step for step, name in STEPS.items() if name == operation)
        self._traps.remove(step)
        victims = [name for name in WORKERS if name not in self.down and self._talks_to_the_cloud(name)]
        if victims:  # Otherwise another blow has stopped that worker.
            self._count(KILL_SUBMITTING, f"{operation} {entry['task_id']} is accepted and not answered yet")
        for victim in victims:
            self._end(victim, "the submit")
        cloud.release(entry["n"])

    def _talks_to_the_cloud(self, worker: str) -> bool:
        port = urlsplit(self._installation.cloud_url).port
        return any(
            connection.raddr and connection.raddr.port == port
            for pid in session_members(self._airflow.pid(worker))
            for connection in open_connections(pid)
        )

    def _victim(self, candidates: tuple[str, ...], work: str) -> tuple[str, int] | None:
        busy = dict(self._installation.rows(work))
        able = [name for name in candidates if name not in self.down and busy.get(name)]
        if not able:
            return None
        victim = self._random.choice(able)
        return victim, busy[victim]

    def _kill(self, kind: str, candidates: tuple[str, ...], work: str, what: str) -> bool:
        found = self._victim(candidates, work)
        if found is None:
            return False
        victim, busy = found
        self.blows[kind] += 1
        self._end(victim, f"{busy} {what}")
        return True

    def _end(self, victim: str, what: str) -> None:
        self._airflow.kill(victim, signal.SIGKILL)
        if victim in WORKERS:
            self.worker_kills.append(time.time())
        after_seconds = self._random.uniform(2, 8)
        self._say(f"kill -9 of {victim} with {what}; back in {after_seconds:.1f} s")

        def come_back() -> None:
            self._airflow.launch(victim)
            self._say(f"{victim} starts")

        self._mend_later(after_seconds, victim, come_back)

    def _suspend(self) -> bool:
        found = self._victim(TRIGGERERS, WAITING)
        if found is None:
            return False
        victim, waits = found
        self._airflow.kill(victim, signal.SIGSTOP)
        # Its last heartbeat was before now, so that another triggerer takes over within this time.
        after_seconds = TRIGGERER_THRESHOLD_SECONDS + self._random.uniform(3, 8)
        self._count(
            SUSPEND_TRIGGERER, f"SIGSTOP of {victim} with {waits} waits; SIGCONT in {after_seconds:.1f} s"
        )
        rows = "select id from trigger where triggerer_id in (select max(id) from job where hostname = %s)"
        stalled = {id for (id,) in self._installation.rows(rows, victim)}

        def go_on() -> None:
            left = {id for (id,) in self._installation.rows(rows, victim)}
            moved = len(stalled - left)
            self.taken_over += moved
            self._airflow.kill(victim, signal.SIGCONT)
            self._say(f"SIGCONT of {victim}; {moved} of its {len(stalled)} waits had been taken over")

        self._mend_later(after_seconds, victim, go_on)
        return True
