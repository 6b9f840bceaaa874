"""
A batch in virtual time, with the provider's own decisions; all else is simulated.

Invariant: the real machine, forecast and polls decide. Simulated are the cloud, the transfers and what Airflow takes for a
deferral, each as a number of seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.engine import LOOK_SECONDS, LOOK_WHILE_MOVING_SECONDS
from airflow_provider_asposeocr.batch.forecast import is_worth_leaving
from airflow_provider_asposeocr.batch.machine import Machine
from airflow_provider_asposeocr.batch.polls import BatchPolls, BatchWaitPlan
from airflow_provider_asposeocr.batch.records import parse_record, record_to_dict
from airflow_provider_asposeocr.batch.references import running_refs
from airflow_provider_asposeocr.batch.running import RunningTask
from airflow_provider_asposeocr.batch.state import BatchState, replay
from tests.support.batch_world import BEGINNING, OPERATIONS, small_batch

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.settings import BatchSettings

_COMPLETED, _PROCESSING = TaskState(taskStatus="Completed"), TaskState(taskStatus="Processing")


@dataclass(frozen=True)
class Delays:
    """
    How long things take besides the cloud, in seconds; the defaults were measured with Airflow on two cores.

    :param post: A submit.
    :param ask: A poll.
    :param move: A transfer, of which one is made after the other.
    :param commit: A commit of the journal.
    :param defer: From the deferral to the first poll of the trigger.
    :param resume: From the trigger's event to the start of the worker.
    :param edge: How much longer the worker occupies its slot, at its start and at its end each.
    :param not_before: From the deferral to the earliest event; with the LocalExecutor 8.
    """

    post: float = 0.3
    ask: float = 0.05
    move: float = 1 / 64
    commit: float = 0.1
    defer: float = 1.5
    resume: float = 2.5
    edge: float = 1.0
    not_before: float = 0.0


@dataclass(frozen=True)
class Cloud:
    """
    How long cloud tasks take: log-normal.

    :param mean_seconds: The mean.
    :param sigma: The standard deviation of the logarithm.
    """

    mean_seconds: float
    sigma: float = 0.35

    def draw(self, random: Random) -> float:
        """Return how long one task takes, in seconds."""
        return random.lognormvariate(math.log(self.mean_seconds) - self.sigma**2 / 2, self.sigma)


@dataclass
class Simulated:
    """
    What a batch came to.

    :param slot_seconds: How long its worker processes have occupied slots.
    :param makespan_seconds: From the first start to the last end.
    :param deferrals: How often it left its worker.
    :param requests: Requests to the cloud, those of the trigger included.
    """

    slot_seconds: float = 0.0
    makespan_seconds: float = 0.0
    deferrals: int = 0
    requests: int = 0


class Simulation:
    """
    One batch.

    :param documents: How many documents.
    :param steps: How many steps each goes through, at most three.
    :param cloud: How long cloud tasks take.
    :param settings: Of the batch.
    :param delays: What else takes time.
    :param seed: Of all that is drawn.
    """

    def __init__(
        self,
        documents: int,
        steps: int,
        cloud: Cloud,
        settings: BatchSettings,
        delays: Delays | None = None,
        seed: int = 1,
    ) -> None:
        self._batch = small_batch(documents, steps)
        self._cloud, self._settings, self._delays = cloud, settings, delays or Delays()
        self._random = Random(seed)
        self._now = BEGINNING
        self._ends: dict[str, float] = {}
        self._to_come: list[tuple[float, int, events.Event]] = []
        self._count = 0
        self._moving_until = 0.0
        self._finished = False
        self._triggerer_book = DurationBook()
        self._found = Simulated()

    def run(self) -> Simulated:
        """Run the batch to its end."""
        book, state = DurationBook(), BatchState()
        ended: frozenset[int] | None = None
        while True:
            began = self._now
            self._now += self._delays.edge
            self._machine = Machine(self._batch, state, self._settings, book, self._random.random)
            self._do(self._machine.start(self._now, ended))
            self._work()
            self._now += self._delays.edge
            self._found.slot_seconds += self._now - began
            if self._finished:
                self._found.makespan_seconds = self._now - BEGINNING
                return self._found
            self._found.deferrals += 1
            book = DurationBook.from_dict(self._machine.book.to_dict())
            state = replay([record_to_dict(record) for record in self._machine.state.snapshot()])
            ended = self._defer(state, book)

    def _work(self) -> None:
        """Let the worker work until it is over or leaves."""
        look_at = self._now + LOOK_WHILE_MOVING_SECONDS
        while not self._finished:
            at = min(self._machine.next_at, self._to_come[0][0] if self._to_come else math.inf, look_at)
            self._now = max(self._now, at)
            if at == look_at:
                if self._machine.is_idle and is_worth_leaving(self._machine, self._settings, self._now):
                    return
                waits = self._machine.waits_for_cloud
                look_at += LOOK_SECONDS if waits else LOOK_WHILE_MOVING_SECONDS
            elif self._to_come and self._to_come[0][0] == at:
                self._tell(heapq.heappop(self._to_come)[-1])
            else:
                self._tell(events.Tick())

    def _defer(self, state: BatchState, book: DurationBook) -> frozenset[int]:
        """Wait as the trigger does, and tell the worker's book what it has learned."""
        refs = running_refs(self._batch, state)
        not_before = self._now + self._delays.not_before
        plan = BatchWaitPlan(
            deadline_at=math.inf,
            cadence=self._settings.cadence,
            not_before_at=not_before,
        )
        self._now += self._delays.defer
        tasks = [RunningTask(ref) for _, ref in refs]
        polls = BatchPolls(tasks, plan, self._triggerer_book, self._random.random, self._now)
        while (because := polls.woken(self._now)) is None:
            self._now = max(self._now, min(polls.next_at, polls.wake_at))
            while (place := polls.take(self._now)) is not None:
                self._found.requests += 1
                polls.on_state(place, self._state_of(refs[place][1].id), self._now)
        woken = polls.event(because)
        self._now = max(self._now, not_before) + self._delays.resume
        for each in woken.durations:
            book.entry(each.operation).observe(each.after_seconds, each.until_seconds)
        return frozenset(refs[place][0] for place in woken.ended)

    def _state_of(self, id: str) -> TaskState:
        return _COMPLETED if self._now >= self._ends[id] else _PROCESSING

    def _tell(self, event: events.Event) -> None:
        self._do(self._machine.on(event, self._now))

    def _do(self, wanted: list[actions.Action]) -> None:
        todo = deque(wanted)
        while todo:
            match todo.popleft():
                case actions.Commit(records):
                    known = tuple(parse_record(record_to_dict(record)) for record in records)
                    self._later(self._delays.commit, events.Durable(known))
                case actions.Prepare(document):
                    self._later(self._moved(), events.Prepared(document, 20_000, "00"))
                case actions.Send(document, step):
                    self._send(document, OPERATIONS[-len(self._batch.steps) :][step])
                case actions.Poll(document, ref):
                    self._found.requests += 1
                    self._later(self._delays.ask, events.Polled(document, self._state_of(ref.id)))
                case actions.Deliver(document):
                    self._later(self._moved(), events.Delivered(document, {}))
                case actions.Finish():
                    self._finished = True

    def _send(self, document: int, operation: str) -> None:
        self._found.requests += 1
        id = f"task-{len(self._ends)}"
        self._ends[id] = self._now + self._delays.post + self._cloud.draw(self._random)
        self._later(self._delays.post, events.Sent(document, operation, id, self._now))

    def _moved(self) -> float:
        """Return when a transfer that begins now is over, in seconds from now."""
        self._moving_until = max(self._moving_until, self._now) + self._delays.move
        return self._moving_until - self._now

    def _later(self, seconds: float, event: Any) -> None:
        self._count += 1
        heapq.heappush(self._to_come, (self._now + seconds, self._count, event))
