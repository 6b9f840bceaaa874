"""
The checks after a storm.

Invariant: every check compares two sides that know nothing of each other (what was computed beforehand with what is in
storage, what the cloud accepted with what the logs admit), and a finding names documents and log files. Pure but for
files; it asks nothing of a running Airflow.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_asposeocr.api.files.work_folder import WORK_FOLDER, remove_abandoned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.distributed.documents import Document

#: Log lines of the provider before it sends a document again although the first submit may have been accepted. The second
#: one is written after a user has cleared the task.
ADMITS = ("may be billed twice", "was never answered; it may have been billed")
#: Statuses of a cloud task that still costs something.
ALIVE = ("Pending", "Processing")
Key = TypeVar("Key")


@dataclass(frozen=True)
class LogLine:
    """
    A line of a task's log.

    :param step: Airflow task, without the task group.
    :param index: Map index.
    :param file: Where it stands.
    :param text: The line.
    """

    step: str
    index: int
    file: str
    text: str

    @property
    def at(self) -> float:
        """When it was written, in seconds since the epoch."""
        return datetime.fromisoformat(json.loads(self.text)["timestamp"]).timestamp()


@dataclass(frozen=True)
class Again:
    """
    A submit of what the cloud had accepted before.

    :param index: Document.
    :param step: Airflow task.
    :param id: The cloud task that was not used.
    :param window: Why no process knew of it.
    :param line: The log line that says that the document is sent again.
    """

    index: int
    step: str
    id: str
    window: str
    line: LogLine

    def __str__(self) -> str:
        return f"document {self.index}, {self.step}: {self.window} of {self.id}; admitted in {self.line.file}"


@dataclass
class Bill:
    """
    The cloud's side and the logs' side of what was billed.

    :param billed: The cloud's counter, by operation.
    :param expected: Documents times steps.
    :param again: Submits beyond the first of a document and step.
    :param needless: Log lines that admit a possible second billing where the first submit had not been accepted.
    :param findings: What does not add up.
    """

    billed: Mapping[str, int]
    expected: int
    again: list[Again] = field(default_factory=list)
    needless: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        windows = Counter(each.window for each in self.again)
        return (
            f"billed {sum(self.billed.values())} = {self.expected} (documents x steps) + {len(self.again)} (unknown "
            f"windows: {dict(windows)}); {self.needless} more log lines admit a possible second billing after a "
            "submit that had not been accepted"
        )


def draw_up(
    documents: Sequence[Document],
    billed: Mapping[str, int],
    tasks: Iterable[Mapping[str, Any]],
    lines: Iterable[LogLine],
    kills: Iterable[float],
) -> Bill:
    """
    Draw up the bill.

    Between two accepted submits of the same document and step there has to be a log line that announces the second, and
    a reason not to know of the first: its answer was lost, or a worker was killed meanwhile.

    :param documents: What went in.
    :param billed: The cloud's counter, by operation.
    :param tasks: The cloud's tasks, each with the SHA-256 of its ``result``, which tells what it was a submit of.
    :param lines: The logs of all tasks.
    :param kills: When workers were killed, in seconds since the epoch.
    """
    steps = {
        digest: (document.index, step) for document in documents for step, digest in document.results.items()
    }
    bill = Bill(billed, len(steps))
    accepted = submits_of(steps, "result", tasks, billed, bill.findings)
    # Two copies of a log have the same line twice.
    admitted = {
        (line.index, line.step, line.text): line
        for line in lines
        if any(words in line.text for words in ADMITS)
    }
    moments = sorted(kills)
    for (index, step), submits in accepted.items():
        own = [line for line in admitted.values() if (line.index, line.step) == (index, step)]
        used = _pair(bill, (index, step), submits, own, moments)
        bill.needless += len(own) - used
    return bill


def submits_of(
    places: Mapping[str, Key],
    field: str,
    tasks: Iterable[Mapping[str, Any]],
    billed: Mapping[str, int],
    findings: list[str],
) -> dict[Key, list[Mapping[str, Any]]]:
    """
    Sort the cloud's tasks by what they are submits of.

    :param places: Each document's step, by the checksum that tells it.
    :param field: The field of a cloud task that has this checksum.
    :param tasks: The cloud's tasks.
    :param billed: The cloud's counter, by operation.
    :param findings: Receives the tasks of no document, and a counter that differs from the tasks.
    :return: The submits of each document's step, the earliest first.
    """
    submits: dict[Key, list[Mapping[str, Any]]] = {key: [] for key in places.values()}
    operations: Counter[str] = Counter()
    for task in sorted(tasks, key=lambda task: float(task["submitted_at"])):
        operations[task["operation"]] += 1
        key = places.get(task[field])
        if key is None:
            findings.append(f"cloud task {task['id']} of {task['operation']} is of no document")
        else:
            submits[key].append(task)
    if dict(operations) != dict(billed):
        findings.append(f"the counter says {dict(billed)}, the cloud's tasks are {dict(operations)}")
    return submits


def _pair(
    bill: Bill,
    key: tuple[int, str],
    submits: list[Mapping[str, Any]],
    lines: list[LogLine],
    kills: list[float],
) -> int:
    """Find the line and the reason of each submit beyond the first; returns the number of lines that were needed."""
    index, step = key
    name = f"document {index}, {step}"
    used = 0
    for earlier, later in pairwise(submits):
        since, until = float(earlier["submitted_at"]), float(later["submitted_at"])
        line = next((line for line in lines if since <= line.at <= until), None)
        if line is None:
            bill.findings.append(
                f"{name}: {later['id']} was billed after {earlier['id']}, and no log says so"
            )
            continue
        used += 1
        if any(since <= kill <= line.at for kill in kills):
            window = "worker killed before the answer was written down"
        elif not earlier["id_sent"]:
            window = "lost answer"
        else:
            bill.findings.append(f"{name}: {later['id']} was billed although {earlier['id']} was known")
            continue
        bill.again.append(Again(index, step, str(earlier["id"]), window, line))
    if not submits:
        bill.findings.append(f"{name}: was not billed")
    elif not submits[-1]["id_sent"]:
        bill.findings.append(
            f"{name}: the answer with {submits[-1]['id']} was lost, and it was not sent again"
        )
    return used


def check_storage(documents: Iterable[Document], outbox: Path, manifests: Mapping[int, Any]) -> list[str]:
    """
    Find what is wrong in the folder of the results.

    :param documents: What went in.
    :param outbox: Where results are.
    :param manifests: What the fetch task said about each document.
    """
    found = []
    expected = {f"{document.name}.txt": document for document in documents}
    files = {str(path.relative_to(outbox)) for path in outbox.rglob("*") if path.is_file()}
    there = {name for name in files if not name.startswith(".aspose-ocr/owners/")}
    found += [f"{name}: its text is missing" for name in sorted(expected.keys() - there)]
    found += [f"{name}: an orphan file in {outbox}" for name in sorted(there - expected.keys())]
    for name in sorted(there & expected.keys()):
        document, content = expected[name], (outbox / name).read_bytes()
        if content != document.text.encode():
            found.append(f"{name}: has the wrong text {content[:80]!r}")
        told = [result.get("sha256") for result in (manifests.get(document.index) or {}).get("results", [])]
        if told != [hashlib.sha256(content).hexdigest()]:
            found.append(f"{name}: its checksum is not the one that the task reported ({told})")
    return found


def check_cloud(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Find cloud tasks that still run, and cancelled ones: in this storm no user cancels a task."""
    found = []
    for task in tasks:
        if task["status"] in ALIVE:
            found.append(f"cloud task {task['id']} of {task['operation']} is still {task['status']}")
        if task["deleted"]:
            found.append(f"cloud task {task['id']} of {task['operation']} was cancelled")
    return found


def check_states(states: Mapping[str, str | None], triggers: int) -> list[str]:
    """
    Find what is stuck in Airflow.

    :param states: Task instance to state.
    :param triggers: Rows of triggers that are left.
    """
    found = [f"{name} is {state}" for name, state in sorted(states.items()) if state != "success"]
    if triggers:
        found.append(f"{triggers} triggers are left")
    return found


def check_temporary_files(folders: Sequence[Path], worker_kills: Sequence[float]) -> list[str]:
    """
    Find documents and results on the disks of workers.

    :param folders: The workers' temporary folders.
    :param worker_kills: When workers were killed. What one has left is excused if the next task on its host would
        clear it away: perhaps there was none after the last kill.
    """
    last_kill = max(worker_kills, default=0.0)
    left = [path for folder in folders for path in sorted(folder.glob("aspose-ocr-*/**/*")) if path.is_file()]
    excused = {path for path in left if path.stat().st_mtime <= last_kill}
    for folder in folders:
        remove_abandoned(str(folder), WORK_FOLDER)
    return [f"{path}: an orphan file" for path in left if path not in excused or path.exists()]
