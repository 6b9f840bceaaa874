"""
The tasks the emulator has accepted, and what is visible of them at an instant.

Invariant: what a task looks like is computed from its record and the clock, never by a timer; a task's files stay
as long as an answer reads them and no longer than the task exists. Used from the event loop only.
"""

from __future__ import annotations

import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_asposeocr.api.enums import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.clock import Clock
    from airflow_provider_asposeocr.emulator.cloud.keep import KeptFolder
    from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome


@dataclass(frozen=True)
class Fate:
    """
    What a fault rule (or an input that cannot be read) decided about a task.

    :param kind: ``error`` ends it with Error, ``stuck`` never ends it, ``no_results`` and ``partial`` complete it
        without (all) data.
    :param messages: Sentences for ``error.messages`` of ``error``.
    :param task_status: Status that a ``stuck`` task shows.
    """

    kind: Literal["error", "stuck", "no_results", "partial"]
    messages: tuple[str, ...] = ()
    task_status: TaskStatus = TaskStatus.PROCESSING


@dataclass
class Task:
    """
    One accepted submit.

    :param id: What the cloud answered to the submit.
    :param operation: Name of the operation.
    :param account: Client id of the owner; ``None`` for a trial task.
    :param folder: The task's own folder: ``payload`` and ``results/``.
    :param settings: The request's settings in the server's spelling.
    :param digest: SHA-256 of the decoded input; the trial's masking depends on it.
    :param submitted_at: Instant of the acceptance; retention counts from it.
    :param duration_seconds: Shortest time from the start of the work to the end.
    :param fate: What a fault rule decided about it.
    :param started_at: Instant at which a worker took it.
    :param worked_at: Instant at which the worker was done.
    :param outcome: What the worker handed back.
    :param failure: Why it failed; ``None`` if it did not.
    :param deleted: Whether a DELETE removed it.
    :param id_sent: Whether the answer with its id was sent to a client that was still there.
    :param hidden_polls: GETs that do not see it yet.
    :param hidden_until: Instant until which no GET sees it.
    :param readers: Answers that are reading its files now.
    """

    id: str
    operation: str
    account: str | None
    folder: Path
    settings: Mapping[str, Any]
    digest: str
    submitted_at: float
    duration_seconds: float
    fate: Fate | None = None
    started_at: float | None = None
    worked_at: float | None = None
    outcome: JobOutcome | None = None
    failure: tuple[str, ...] | None = None
    deleted: bool = False
    id_sent: bool = False
    hidden_polls: int = 0
    hidden_until: float = 0.0
    readers: int = field(default=0, repr=False)

    @property
    def finished_at(self) -> float | None:
        """Instant at which the task ends, ``None`` while the work is not done; may lie ahead."""
        if self.started_at is None or self.worked_at is None:
            return None
        return max(self.worked_at, self.started_at + self.duration_seconds)

    def hide(self, polls: int | None, seconds: float | None) -> None:
        """
        Keep the task from GETs at first.

        :param polls: Number of the first GETs about it that do not see it.
        :param seconds: Time from the submit in which none does; without either, it is the first GET.
        """
        self.hidden_polls = int(seconds is None) if polls is None else polls
        self.hidden_until = self.submitted_at + (seconds or 0.0)

    def is_hidden(self, now: float) -> bool:
        """Say whether a GET at an instant does not see it."""
        return self.hidden_polls > 0 or now < self.hidden_until


def status_of(task: Task, now: float, retention_seconds: float) -> TaskStatus:
    """
    Say what a task's status is.

    :param task: The task.
    :param now: The emulator's instant.
    :param retention_seconds: How long a task exists, counted from the submit.
    """
    if task.deleted or now >= task.submitted_at + retention_seconds:
        return TaskStatus.NOT_EXIST
    if task.fate is not None and task.fate.kind == "stuck":
        return task.fate.task_status
    if task.started_at is None:
        return TaskStatus.PENDING
    finished_at = task.finished_at
    if finished_at is None or now < finished_at:
        return TaskStatus.PROCESSING
    return TaskStatus.COMPLETED if task.failure is None else TaskStatus.ERROR


class TaskStore:
    """
    All tasks that are not older than the retention.

    :param folder: Folder for the tasks' folders.
    :param retention_seconds: How long a task exists, counted from the submit.
    :param clock: The emulator's time.
    :param kept: Where tasks outlive the emulator; by default they do not.
    """

    def __init__(
        self, folder: Path, retention_seconds: float, clock: Clock, kept: KeptFolder | None = None
    ) -> None:
        self._kept = kept
        self._folder = folder
        self._retention_seconds = retention_seconds
        self._clock = clock
        self._tasks: dict[str, Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._tasks.values()))

    def new_folder(self) -> Path:
        """Make a folder for a task to come; its name is made here and owes nothing to a request."""
        folder = self._folder / uuid.uuid4().hex
        (folder / "results").mkdir(parents=True)
        return folder

    def add(self, task: Task) -> None:
        """Keep a task; call in the order of ``submitted_at``."""
        self._tasks[task.id] = task

    def save(self, task: Task) -> None:
        """Keep a task as it is now over a restart, if that was asked for."""
        if self._kept and not task.deleted:
            self._kept.save_task(task)

    def find(self, task_id: str) -> Task | None:
        """Return the task if it exists at this instant."""
        task = self._tasks.get(task_id)
        if task is None or self.status(task) is TaskStatus.NOT_EXIST:
            return None
        return task

    def status(self, task: Task) -> TaskStatus:
        """Return the task's status at this instant."""
        return status_of(task, self._clock.now(), self._retention_seconds)

    def delete(self, task: Task) -> None:
        """Remove a task's files and let it read as NotExist; its record stays for the control API."""
        task.deleted = True
        if self._kept:
            self._kept.forget_task(task)
        self.release_files(task)

    def sweep(self) -> None:
        """Forget tasks older than the retention, files included."""
        oldest = self._clock.now() - self._retention_seconds
        while self._tasks:
            task = next(iter(self._tasks.values()))
            if task.submitted_at > oldest:
                break
            self._drop(task)

    def clear(self) -> None:
        """Forget all tasks, files included."""
        for task in self:
            self._drop(task)

    def _drop(self, task: Task) -> None:
        del self._tasks[task.id]
        self.delete(task)

    @contextmanager
    def reading(self, task: Task) -> Iterator[None]:
        """Keep a task's files for the time an answer reads them."""
        task.readers += 1
        try:
            yield
        finally:
            task.readers -= 1
            if task.deleted:
                self.release_files(task)

    def release_files(self, task: Task) -> None:
        """Remove the files of a deleted task, unless a worker or an answer still uses them; those call again."""
        at_work = task.started_at is not None and task.worked_at is None
        if not task.readers and not at_work:
            shutil.rmtree(task.folder, ignore_errors=True)


def new_task_id(operation: str) -> str:
    """
    Make a task id as the cloud does.

    :return: A GUID in lower case; for text to speech its first three characters are ``TTS`` (vendor's docs).
    """
    guid = str(uuid.uuid4())
    return f"TTS{guid[3:]}" if operation.startswith("ConvertTextToSpeech") else guid
