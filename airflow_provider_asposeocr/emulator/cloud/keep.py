"""
The folder of ``--keep``, in which tasks, results and counters are kept over a restart.

Each task has a folder with its files and a record in JSON. A file in the folder of ``--keep`` contains the counters. Records
and counters are replaced atomically, so that an emulator that is killed leaves the last complete version.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.emulator.cloud.tasks import Fate, Task
from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome, JobResult

if TYPE_CHECKING:
    from pathlib import Path

#: Changes when older emulators cannot read the kept files any more.
_VERSION = 1
_RECORD, _COUNTERS, _LOCK = "task.json", "aspose-ocr-emulator.json", "aspose-ocr-emulator.lock"
_TASKS = "aspose-ocr-emulator-tasks"
_UNREADABLE = "{} cannot be read. Remove it, or choose another folder."
#: Fields of a task that a record contains unchanged.
_PLAIN_FIELDS = (
    *("id", "operation", "account", "settings", "digest", "submitted_at", "duration_seconds"),
    *("started_at", "worked_at", "failure", "id_sent", "hidden_polls", "hidden_until"),
)


@dataclass(frozen=True)
class Counters:
    """
    The counters that are kept in addition to the tasks.

    :param billing: Accepted submits per operation.
    :param advanced_seconds: Seconds by which the clock is ahead of real time.
    """

    billing: dict[str, int] = field(default_factory=dict)
    advanced_seconds: float = 0.0


class KeptFolder:
    """
    The folder of ``--keep``. Only one emulator at a time can use it.

    :param folder: The folder; it is created if it does not exist.
    :raises RuntimeError: if another emulator uses it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tasks = folder / _TASKS
        try:
            self.tasks.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise RuntimeError(
                f"Another emulator keeps its tasks in {folder}. Stop it, or choose another folder."
            ) from None
        except OSError as error:
            raise RuntimeError(f"Tasks cannot be kept in {folder}: {error.strerror}.") from error

    def close(self) -> None:
        """Release the folder, so that another emulator can use it."""
        self._lock.close()

    def counters(self) -> Counters:
        """
        Return the kept counters; in a new folder they are 0.

        :raises RuntimeError: if they cannot be read.
        """
        path = self._folder / _COUNTERS
        if not path.exists():
            return Counters()
        document = _read(path)
        try:
            billing = {str(name): int(number) for name, number in document["billing"].items()}
            return Counters(billing, float(document["advanced_seconds"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RuntimeError(_UNREADABLE.format(path)) from error

    def save_counters(self, counters: Counters) -> None:
        """Write the counters."""
        _write(self._folder / _COUNTERS, asdict(counters))

    def load_tasks(self) -> list[Task]:
        """
        Return the kept tasks, oldest first. Tasks that had not ended have the state of newly accepted ones.

        :raises RuntimeError: if the record of a task cannot be read.
        """
        tasks = []
        for folder in self.tasks.iterdir():
            if (folder / _RECORD).exists():
                tasks.append(_task(folder, folder / _RECORD))
            else:
                shutil.rmtree(folder, ignore_errors=True)  # The emulator ended before it accepted the submit.
        return sorted(tasks, key=lambda task: task.submitted_at)

    def save_task(self, task: Task) -> None:
        """Write the record of a task."""
        record = {name: getattr(task, name) for name in _PLAIN_FIELDS}
        outcome = task.outcome
        record["fate"] = asdict(task.fate) if task.fate else None
        record["outcome"] = outcome and {
            "results": [{"type": result.type, "file": result.path.name} for result in outcome.results],
            "messages": outcome.messages,
            "warnings": outcome.warnings,
            "canned": outcome.canned,
        }
        _write(task.folder / _RECORD, record)

    def forget_task(self, task: Task) -> None:
        """Remove the record of a task. Its other files are removed when no worker and no answer uses them any more."""
        (task.folder / _RECORD).unlink(missing_ok=True)


def _task(folder: Path, path: Path) -> Task:
    record = _read(path)
    try:
        task = _from_record(folder, record)
    except (KeyError, TypeError, ValueError) as error:
        raise RuntimeError(_UNREADABLE.format(path)) from error
    if task.worked_at is None:
        task.started_at = None
        shutil.rmtree(folder / "results", ignore_errors=True)
        (folder / "results").mkdir()
    return task


def _from_record(folder: Path, record: dict[str, Any]) -> Task:
    task = Task(folder=folder, **{name: record[name] for name in _PLAIN_FIELDS})
    if record["fate"]:
        fate = record["fate"]
        task.fate = Fate(fate["kind"], tuple(fate["messages"]), TaskStatus(fate["task_status"]))
    if record["failure"] is not None:
        task.failure = tuple(record["failure"])
    if outcome := record["outcome"]:
        results = tuple(
            JobResult(entry["type"], folder / "results" / entry["file"]) for entry in outcome["results"]
        )
        notes = tuple(outcome["messages"]), tuple(outcome["warnings"])
        task.outcome = JobOutcome(results, *notes, canned=outcome.get("canned", False))
    return task


def _write(path: Path, document: dict[str, Any]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"version": _VERSION, **document}), encoding="utf-8")
    os.replace(new, path)


def _read(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = document["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RuntimeError(_UNREADABLE.format(path)) from error
    if version != _VERSION:
        raise RuntimeError(f"{path} was written by another version of the emulator. Choose another folder.")
    return document
