"""
Two batches that find the same documents, one register, one cloud, and processes that die, for the machine with a register.

The register's decisions are the provider's own; its files and the journals are in memory.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.adoption import Found, Sent, judge
from airflow_provider_asposeocr.batch.closing import closing_of
from airflow_provider_asposeocr.batch.left import LeftBatch
from airflow_provider_asposeocr.batch.plan import RegisterPlan
from airflow_provider_asposeocr.batch.records import Handed, record_to_dict
from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies
from airflow_provider_asposeocr.batch.registrar import Registrar
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.ingestion.register_records import parse_register_record
from tests.support.batch_world import CloudTask, World, small_batch

if TYPE_CHECKING:
    from random import Random

    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.ingestion.register import RecordName
    from airflow_provider_asposeocr.ingestion.register_records import (
        ClaimRecord,
        JournalPlace,
        RegisterRecord,
    )

    _R = TypeVar("_R", bound=RegisterRecord)

POLICIES = RegisterPolicies(max_attempts=3)


class MemoryRegister:
    """The files of a register, in memory: created once, never changed."""

    def __init__(self) -> None:
        self.records: dict[RecordName, bytes] = {}

    def look(self, key: str) -> list[RecordName]:
        return [name for name in self.records if name.key == key]

    def read(self, name: RecordName) -> bytes | None:
        return self.records.get(name)

    def record(self, kind: type[_R], name: RecordName) -> _R:
        return parse_register_record(kind, self.read(name) or b"", self.where(name))

    def create(self, name: RecordName, record: RegisterRecord) -> bytes:
        return self.records.setdefault(name, record.to_bytes())

    def age_seconds(self, name: RecordName) -> float:
        return 0.0

    def where(self, name: RecordName) -> str:
        return name.text


@dataclass
class Shared:
    """What the batches have in common."""

    register: MemoryRegister = field(default_factory=MemoryRegister)
    tasks: dict[str, CloudTask] = field(default_factory=dict)
    announced: Counter[tuple[int, int]] = field(default_factory=Counter)
    over: Counter[tuple[int, int]] = field(default_factory=Counter)
    #: What Airflow says about the task instances, by their runs.
    states: dict[str | None, str] = field(default_factory=dict)
    worlds: dict[str, RegisteredWorld] = field(default_factory=dict)

    def state_of(self, claim: ClaimRecord) -> str | None:
        return self.states.get(claim.run_id)


class MemoryJournals:
    """The journals of batches that have ended, taken over as :class:`.LeftJournals` does."""

    def __init__(self, world: RegisteredWorld) -> None:
        self._world = world

    def find(self, place: JournalPlace, key: str) -> Found:
        other = self._world.shared.worlds[place.journal]
        other.fence()
        found = judge(LeftBatch(other.batch, replay(other.journal)), place.index, key, "")
        if isinstance(found, Sent):
            other.journal.append(record_to_dict(Handed(place.index, self._world.uri), other.epoch))
        return found


def shared_batch(documents: int, steps: int, run_id: str) -> Batch:
    """Return a batch of a run, whose documents are claimed."""
    return dataclasses.replace(
        small_batch(documents, steps),
        register=RegisterPlan("/register/", "f" * 12, "", None),
        dag_id="dag",
        run_id=run_id,
        task_id="task",
        map_index=-1,
    )


class RegisteredWorld(World):
    """
    One of the batches.

    :param batch: The batch.
    :param settings: Of its first try.
    :param random: Decides what happens.
    :param shared: What it has in common with others.
    :param contents: The content of each document; equal numbers are equal contents.
    """

    def __init__(
        self, batch: Batch, settings: BatchSettings, random: Random, shared: Shared, contents: list[int]
    ) -> None:
        self.shared, self.contents, self.uri = shared, contents, f"/journals/{batch.run_id}/"
        self.fenced = False
        shared.worlds[self.uri] = self
        shared.states[batch.run_id] = "running"
        registrar = Registrar(
            batch, self.uri, POLICIES, shared.state_of, monotonic=self._tick, sleep=lambda _: None
        )
        registrar.files = registrar._closer._files = shared.register  # type: ignore[assignment]  # in memory
        registrar._left = MemoryJournals(self)  # type: ignore[assignment]  # in memory
        self.registrar, self._ticks = registrar, 0.0
        super().__init__(
            batch, settings, random, tasks=shared.tasks, announced=shared.announced, over=shared.over
        )

    def _tick(self) -> float:
        self._ticks += 100.0  # Airflow is asked each time.
        return self._ticks

    def fence(self) -> None:
        """Another batch has taken the journal over: what this one announces from now on is not sent."""
        if not self.fenced:
            self.fenced = True
            self.epoch += 1

    def die(self) -> None:
        """Let the process die, and Airflow give the task up."""
        self._die_midway()
        self.pending, self.finished = [], True
        self.shared.states[self.batch.run_id] = "failed"

    def succeed(self) -> None:
        """Close the claims that are left, as the end of a try does, and let the task succeed."""
        for index, known in list(self.state.documents.items()):
            if known.has_claim:
                word = closing_of(known, comes_back=False)
                if word is not None:
                    self.registrar._closer.close(index, known, word)
        self.shared.states[self.batch.run_id] = "success"

    # What happens.

    def _die_midway(self) -> None:
        for action in self.pending:
            if self.random.random() < 0.5:
                continue
            match action:
                case actions.Claim():
                    self.registrar.claim(action)
                case actions.Conclude():
                    self.registrar.conclude(action)
                case actions.Commit(records):
                    self._write(records)
                case actions.Send():
                    self._accept(action)

    def crash(self) -> None:
        self._die_midway()
        self.next_try()

    def _happen(self, action: actions.Action) -> None:
        match action:
            case actions.Commit(records) if self.fenced:
                if self.random.random() < 0.5:  # The write may arrive, without an answer.
                    self.journal += [record_to_dict(record, self.epoch - 1) for record in records]
                self.finished, self.pending = True, []  # The process finds the higher epoch, and stops.
            case actions.Claim():
                self._tell(self.registrar.claim(action))
            case actions.Conclude():
                self._tell(self.registrar.conclude(action))
            case actions.Share():
                self._tell(self.registrar.share(action))
            case _:
                super()._happen(action)

    def _prepared(self, action: actions.Prepare) -> events.Event:
        event = super()._prepared(action)
        if not isinstance(event, events.Prepared) or action.step:
            return event
        sha256 = hashlib.sha256(str(self.contents[action.document]).encode()).hexdigest()
        source = {"uri": f"/in/{action.document}.png", "bytes": 1000, "sha256": sha256}
        return dataclasses.replace(event, input_sha256=sha256, source=source)

    def _accept(self, action: actions.Send) -> str:
        id = f"task-{len(self.tasks)}"
        self.tasks[id] = CloudTask(self.contents[action.document], action.step)
        return id

    def _place(self, document: int, step: int) -> tuple[int, int]:
        return self.contents[document], step

    # What must hold.

    def _check_send(self, action: actions.Send) -> None:
        known = self.state.of(action.document)
        assert known.intended, "sent without a durable intent"
        assert known.n > 0, "sent without a claim"
        highest = max(name.n for name in self.shared.register.look(known.key or ""))
        assert known.n == highest, "sent with a claim that another batch has taken over"
        place = self._place(action.document, action.step)
        alive = sum((task.document, task.step) == place and task.counts for task in self.tasks.values())
        allowed = self.announced[place] + self._attempts_before(place[0])
        assert alive <= allowed, "a second bill that was not announced"

    def _attempts_before(self, content: int) -> int:
        """Count what has ended without a result: the next attempt pays all steps again."""
        digits = hashlib.sha256(str(content).encode()).hexdigest()[:40]
        return sum(
            name.key.startswith(digits) and name.word == "failed" for name in self.shared.register.records
        )

    def check_bills(self) -> None:
        billed = Counter((task.document, task.step) for task in self.tasks.values())
        for place, count in billed.items():
            again = self._attempts_before(place[0])
            assert count <= 1 + self.announced[place] + self.over[place] + again, place

    def _check_limits(self) -> None:
        holders = sum(work.holds_slot for work in self.machine.works.values())
        assert self.machine.limits.slots.taken == holders
        assert self.machine.limits.permits.taken >= 0

    def _check_intents(self) -> None:
        """What is taken over may be more than the batch itself leaves unknown."""
