"""
The tasks that the emulator has accepted.

Invariant: the status of a task is computed from its record and the clock; no timer changes it. The files of a task exist
while the task exists or an answer reads them. Code uses this module from the event loop only.
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
    The end of a task that a fault rule, or an input that cannot be decoded, has determined.

    :param kind: ``error``: the task ends with Error. ``stuck``: it never ends. ``no_results``, ``partial``: it is completed
        without any, or without some, results.
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

    :param id: The id in the answer to the submit.
    :param operation: Name of the operation.
    :param account: Client id of the owner; ``None`` for a trial task.
    :param folder: The task's own folder: ``payload`` and ``results/``.
    :param settings: The request's settings in the server's spelling.
    :param digest: SHA-256 of the decoded input; it determines which words the trial masks.
    :param submitted_at: Time of the acceptance; the retention counts from it.
    :param duration_seconds: Shortest time from the start of the work to the end of the task.
    :param fate: The end that a fault rule has determined.
    :param started_at: Time at which a worker began.
    :param worked_at: Time at which the worker finished.
    :param outcome: The results of the worker.
    :param failure: Why the task failed; ``None`` if it did not fail.
    :param deleted: Whether a DELETE removed the task.
    :param id_sent: Whether the answer with the id was sent while the client was still connected.
    :param hidden_polls: Number of further GETs that do not find the task.
    :param hidden_until: Time until which no GET finds the task.
    :param readers: Number of answers that are reading its files now.
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
        """Time at which the task ends, which may be in the future; ``None`` while the work is not done."""
        if self.started_at is None or self.worked_at is None:
            return None
        return max(self.worked_at, self.started_at + self.duration_seconds)

    def hide(self, polls: int | None, seconds: float | None) -> None:
        """
        Hide the task from its first GETs.

        :param polls: Number of GETs that do not find it.
        :param seconds: Time after the submit in which no GET finds it. Without both, the first GET does not find it.
        """
        self.hidden_polls = int(seconds is None) if polls is None else polls
        self.hidden_until = self.submitted_at + (seconds or 0.0)

    def is_hidden(self, now: float) -> bool:
        """Return whether a GET at the time ``now`` does not find the task."""
        return self.hidden_polls > 0 or now < self.hidden_until


def status_of(task: Task, now: float, retention_seconds: float) -> TaskStatus:
    """
    Return the status of a task.

    :param task: The task.
    :param now: The emulator's time.
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
    :param kept: Folder in which tasks are kept over a restart; by default they are not kept.
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
        """Make the folder of a new task. Its name is random and contains nothing from a request."""
        folder = self._folder / uuid.uuid4().hex
        (folder / "results").mkdir(parents=True)
        return folder

    def add(self, task: Task) -> None:
        """Add a task. Call this in the order of ``submitted_at``."""
        self._tasks[task.id] = task

    def save(self, task: Task) -> None:
        """Write the record of a task, if tasks are kept over a restart."""
        if self._kept and not task.deleted:
            self._kept.save_task(task)

    def find(self, task_id: str) -> Task | None:
        """Return the task, or ``None`` if it does not exist now."""
        task = self._tasks.get(task_id)
        if task is None or self.status(task) is TaskStatus.NOT_EXIST:
            return None
        return task

    def status(self, task: Task) -> TaskStatus:
        """Return the present status of a task."""
        return status_of(task, self._clock.now(), self._retention_seconds)

    def delete(self, task: Task) -> None:
        """Remove a task's files and set its status to NotExist; the control API still lists the task."""
        task.deleted = True
        if self._kept:
            self._kept.forget_task(task)
        self.release_files(task)

    def sweep(self) -> None:
        """Remove tasks that are older than the retention, and their files."""
        oldest = self._clock.now() - self._retention_seconds
        while self._tasks:
            task = next(iter(self._tasks.values()))
            if task.submitted_at > oldest:
                break
            self._drop(task)

    def clear(self) -> None:
        """Remove all tasks and their files."""
        for task in self:
            self._drop(task)

    def _drop(self, task: Task) -> None:
        del self._tasks[task.id]
        self.delete(task)

    @contextmanager
    def reading(self, task: Task) -> Iterator[None]:
        """Keep a task's files while an answer reads them."""
        task.readers += 1
        try:
            yield
        finally:
            task.readers -= 1
            if task.deleted:
                self.release_files(task)

    def release_files(self, task: Task) -> None:
        """
        Remove the files of a deleted task.

        While a worker or an answer uses them, do nothing: it calls this again later.
        """
        at_work = task.started_at is not None and task.worked_at is None
        if not task.readers and not at_work:
            shutil.rmtree(task.folder, ignore_errors=True)


def new_task_id(operation: str) -> str:
    """
    Make a task id of the cloud's form.

    :return: A GUID in lower case; for text to speech its first three characters are ``TTS`` (vendor's docs).
    """
    guid = str(uuid.uuid4())
    return f"TTS{guid[3:]}" if operation.startswith("ConvertTextToSpeech") else guid
