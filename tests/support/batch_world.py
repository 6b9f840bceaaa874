"""
A cloud, a journal and processes that die, for the machine of a batch: it draws every fault that a batch can meet.

What must hold at each moment is asserted where it could break.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    CloudUnavailableError,
    CredentialsLockedError,
    QuotaExceededError,
    RateLimitedError,
    RequestRejectedError,
    ResultCorruptError,
    SourceError,
    SourceUnreadableError,
    StorageError,
    SubmitUnknownError,
    TaskExpiredError,
    TaskUnknownError,
)
from airflow_provider_asposeocr.api.polling.durations import ENOUGH, DurationBook
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.machine import Machine
from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument
from airflow_provider_asposeocr.batch.records import Intent, parse_record, record_to_dict
from airflow_provider_asposeocr.batch.state import BatchState, replay
from airflow_provider_asposeocr.batch.steps import Step

if TYPE_CHECKING:
    from random import Random

    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.settings import BatchSettings

OPERATIONS = ("UpscaleImage", "BinarizeImage", "RecognizeImage")
BEGINNING = 1_800_000_000.0


def small_batch(documents: int, steps: int = 3) -> Batch:
    """Return a batch of that many documents."""
    return Batch(
        key="0123456789abcdef",
        conn_id="ocr",
        destination="/out/",
        steps=tuple(Step(operation) for operation in OPERATIONS[-steps:]),
        documents=tuple(
            BatchDocument(index, f"/in/{index}.png", None, f"{index}.png") for index in range(documents)
        ),
    )


@dataclass
class CloudTask:
    """A task that the cloud has accepted, also if no process has its id."""

    document: int
    step: int
    status: TaskStatus = TaskStatus.PROCESSING

    @property
    def counts(self) -> bool:
        """Whether it runs, or has a result that is paid for."""
        return self.status in (TaskStatus.PROCESSING, TaskStatus.COMPLETED)


@dataclass
class World:
    """
    A batch and all that can happen to it.

    :param batch: The batch.
    :param settings: Of its first try.
    :param random: Decides what happens.
    """

    batch: Batch
    settings: BatchSettings
    random: Random
    journal: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, CloudTask] = field(default_factory=dict)
    announced: Counter[tuple[int, int]] = field(default_factory=Counter)
    over: Counter[tuple[int, int]] = field(default_factory=Counter)
    now: float = BEGINNING
    epoch: int = 1
    #: Whether faults are still drawn.
    trouble: bool = True

    def __post_init__(self) -> None:
        self.pending: list[actions.Action] = []
        self.finished = False
        self.tries = 0
        #: What the journal says.
        self.state = BatchState()
        self._begin(None)

    def chance(self, share: float) -> bool:
        """Draw whether a fault happens."""
        return self.trouble and self.random.random() < share

    # Processes.

    def _begin(self, ended: frozenset[int] | None) -> None:
        self.finished, self.pending = False, []
        self.state = replay(self.journal)
        self.state.epoch = self.epoch
        state = replay(self.journal)
        assert _same(
            state, replay(json.loads(json.dumps([record_to_dict(record) for record in state.snapshot()])))
        )
        state.epoch = self.epoch
        self.machine = Machine(self.batch, state, self.settings, self._book(), self.random.random)
        self._do(self.machine.start(self.now, ended))

    def _book(self) -> DurationBook:
        """What a process knows of durations: nothing, or that tasks end within a second."""
        book = DurationBook()
        for operation in OPERATIONS * (ENOUGH if self.random.random() < 0.5 else 0):
            book.entry(operation).observe(0.1, 0.9)
        return book

    def crash(self) -> None:
        """Let the process die at this moment, and the next one take over."""
        for action in self.pending:
            if isinstance(action, actions.Commit) and self.random.random() < 0.5:
                self._write(action.records)
            elif isinstance(action, actions.Send) and self.random.random() < 0.5:
                self._accept(action)
            elif isinstance(action, actions.Cancel) and self.random.random() < 0.5:
                self._delete(action)
        self.next_try()

    def next_try(self) -> None:
        """Let Airflow's retry go on."""
        self.epoch += 1
        self.tries += 1
        self.settings = dataclasses.replace(self.settings, try_number=self.settings.try_number + 1)
        self._begin(None)

    def defer(self) -> None:
        """Leave the worker, and come back when some have ended."""
        assert self.machine.is_idle
        self.journal = [record_to_dict(record, self.epoch) for record in self.machine.state.snapshot()]
        self.now += self.random.random() * 100
        running = {index for index, work in self.machine.works.items()}
        ended = frozenset(index for index in running if self.random.random() < 0.5)
        self.epoch += 1
        self._begin(ended)

    # Time.

    def step(self) -> None:
        """Let one thing happen."""
        if self.finished:
            return
        if self.machine.next_at == float("inf") or (self.pending and self.random.random() < 0.9):
            assert self.pending, "Nothing is under way, and nothing will be."
            self._happen(self.pending.pop(self.random.randrange(len(self.pending))))
            return
        self.now = max(self.now, min(self.machine.next_at, self.now + 3600))
        self._tell(events.Tick())

    def _tell(self, event: events.Event) -> None:
        self._do(self.machine.on(event, self.now))

    def _do(self, wanted: list[actions.Action]) -> None:
        for action in wanted:
            match action:
                case actions.Announce(document, step):
                    self.announced[self._place(document, step)] += 1
                case actions.Discard():
                    pass
                case actions.Finish():
                    assert not self.pending
                    assert self.machine.limits.are_unused, "places are taken, and no document is under way"
                    self.finished = True
                case actions.Send():
                    self._check_send(action)
                    self.pending.append(action)
                case _:
                    self.pending.append(action)
        self._check_limits()

    def _place(self, document: int, step: int) -> tuple[int, int]:
        """Return what is billed once."""
        return document, step

    # What must hold.

    def _check_limits(self) -> None:
        assert len(self.machine.works) <= self.settings.max_in_flight
        assert self.machine.limits.slots.taken == len(self.machine.works)
        assert 0 <= self.machine.limits.permits.taken <= self.settings.max_unanswered_submits

    def _check_send(self, action: actions.Send) -> None:
        known = self.state.of(action.document)
        assert known.intended, "sent without a durable intent"
        assert known.step == action.step
        assert known.outcome is None
        alive = [
            task
            for task in self.tasks.values()
            if (task.document, task.step) == (action.document, action.step) and task.counts
        ]
        assert len(alive) <= known.at(action.step).doubts, "a second bill that was not announced"

    def check_bills(self) -> None:
        """Compare what was billed with what was announced."""
        billed = Counter((task.document, task.step) for task in self.tasks.values())
        for place, count in billed.items():
            assert count <= 1 + self.announced[place] + self.over[place], place
            assert self.state.of(place[0]).at(place[1]).doubts <= 1
        state = self.state
        for (index, step), count in billed.items():
            assert state.of(index).at(step).submits >= count
        if self.settings.max_submits is not None:
            assert len(self.tasks) <= self.settings.max_submits

    def _write(self, records: tuple[Record, ...]) -> None:
        for record in records:
            if isinstance(record, Intent):
                before = self.state.documents.get(record.document)
                assert before is None or before.outcome not in ("succeeded", "skipped")
            self.journal.append(record_to_dict(record, self.epoch))
            self.state.apply(parse_record(self.journal[-1]))
        self._check_intents()

    def _check_intents(self) -> None:
        intended = sum(known.intended for known in self.state.documents.values())
        assert intended <= self.settings.max_unanswered_submits, "more unknown than a killed worker may leave"

    # What comes of an action.

    def _happen(self, action: actions.Action) -> None:
        match action:
            case actions.Commit(records):
                self._write(records)
                self._tell(events.Durable(records))
            case actions.Prepare():
                self._tell(self._prepared(action))
            case actions.Send():
                self._tell(self._sent(action))
            case actions.Poll(document, ref):
                self._tell(self._polled(document, ref.id))
            case actions.Deliver(document, ref):
                self._tell(self._delivered(document, ref.id))
            case actions.Cancel():
                self._tell(self._cancelled(action))

    def _prepared(self, action: actions.Prepare) -> events.Event:
        if action.upstream is not None:
            upstream = self.state.of(action.document).at(action.step - 1).reference
            assert upstream is not None
            assert upstream.id == action.upstream.id, "the wrong result would be sent"
            if error := self._no_result(action.upstream.id):
                return events.Broken(action.document, error)
        if self.chance(0.05):
            cls = self.random.choice((SourceError, SourceUnreadableError, ResultCorruptError))
            return events.Broken(action.document, cls("It cannot be read."))
        if self.chance(0.05):
            return events.Broken(action.document, RateLimitedError("Slowly.", retry_after_seconds=7.0))
        return events.Prepared(action.document, 1000, "00", None)

    def _accept(self, action: actions.Send) -> str:
        id = f"task-{len(self.tasks)}"
        self.tasks[id] = CloudTask(action.document, action.step)
        return id

    def _sent(self, action: actions.Send) -> events.Event:
        if self.chance(0.05):
            if self.random.random() < 0.5:
                self._accept(action)
            return events.Broken(action.document, SubmitUnknownError("No answer."))
        if self.chance(0.1):
            refusals: tuple[AsposeOcrError, ...] = (
                RateLimitedError("Slowly.", retry_after_seconds=20.0),
                CloudUnavailableError("Out of order."),
                RequestRejectedError("No."),
            )
            return events.Broken(action.document, self.random.choice(refusals))
        if self.chance(0.01):
            cls = self.random.choice((QuotaExceededError, CredentialsLockedError))
            return events.Broken(action.document, cls("No."))
        return events.Sent(action.document, OPERATIONS[action.step], self._accept(action), self.now)

    def _go_on(self, id: str) -> CloudTask:
        task = self.tasks[id]
        if task.status is TaskStatus.PROCESSING:
            if self.chance(0.05):
                task.status = TaskStatus.ERROR
                self.over[task.document, task.step] += 1
            elif not self.chance(0.5):
                task.status = TaskStatus.COMPLETED
        if task.counts and self.chance(0.02):
            task.status = TaskStatus.NOT_EXIST
        return task

    def _polled(self, document: int, id: str) -> events.Event:
        if self.chance(0.1):
            return events.Broken(document, CloudUnavailableError("Out of order."))
        if self.chance(0.01):
            return events.Broken(document, QuotaExceededError("No."))
        self.now += 20 * self.chance(0.3)
        return events.Polled(document, TaskState(taskStatus=self._go_on(id).status.value))

    def _no_result(self, id: str) -> AsposeOcrError | None:
        if self._go_on(id).status is TaskStatus.NOT_EXIST:
            return self.random.choice((TaskExpiredError, TaskUnknownError))("It is gone.")
        return None

    def _delivered(self, document: int, id: str) -> events.Event:
        assert self.tasks[id].step == len(self.batch.steps) - 1
        if error := self._no_result(id):
            return events.Broken(document, error)
        if self.chance(0.1):
            cls = self.random.choice((StorageError, CloudUnavailableError))
            return events.Broken(document, cls("Not now."))
        return events.Delivered(document, {"results": []})

    def _delete(self, action: actions.Cancel) -> None:
        task = self.tasks[action.ref.id]
        if task.status is TaskStatus.PROCESSING:
            task.status = TaskStatus.NOT_EXIST
            self.over[task.document, task.step] += 1

    def _cancelled(self, action: actions.Cancel) -> events.Event:
        if self.chance(0.2):
            return events.CancelEnded(action.document, False, None)
        status = self.tasks[action.ref.id].status
        self._delete(action)
        return events.CancelEnded(action.document, status is TaskStatus.PROCESSING, status)


def _same(one: BatchState, other: BatchState) -> bool:
    documents = [{index: known.to_dict() for index, known in each.documents.items()} for each in (one, other)]
    return documents[0] == documents[1] and (one.submits, +one.outcomes) == (other.submits, +other.outcomes)
