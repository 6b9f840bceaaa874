"""
What must be true when the storm over a batch is over.

Invariant: as in :mod:`.audit`, every check compares two sides that know nothing of each other. What the cloud was sent is
told by the checksums of the documents, which were computed beforehand; that a document may be billed twice has to stand in
a log **and** in the manifest. Pure but for files.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.files.work_folder import WORK_FOLDER, remove_abandoned
from tests.distributed.audit import ALIVE, Again, submits_of
from tests.distributed.documents import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.distributed.audit import LogLine
    from tests.distributed.documents import Document

#: Said in the log by the batch before it sends a document once more.
ADMITS = "may be billed twice"
#: The one error of a document that a storm may end with: a second submit of one step was never answered either.
ASKS = "SubmitUnknownError"
#: A step is submitted once more, and then its document has failed.
MOST_SUBMITS = 2
#: A submit that was on its way when its worker was suspended is accepted within this time.
ON_ITS_WAY_SECONDS = 10.0
#: For how long a process whose task was cleared may still send a submit whose intent is in its journal.
CLEARED_SECONDS = 30.0


@dataclass(frozen=True)
class Key:
    """
    A submit's place in the batch.

    :param index: Of the document.
    :param step: Its step, as :data:`.documents.STEPS` names it.
    """

    index: int
    step: str

    def __str__(self) -> str:
        return f"document {self.index}, {self.step}"


@dataclass(frozen=True)
class Blows:
    """
    When, in seconds since the epoch, something happened that may leave a submit unknown.

    :param ends: Workers were killed or suspended.
    :param clears: A user has cleared the task; what was submitted before is billed once more.
    :param wakes: Suspended workers went on: a submit that was half sent is accepted then, after the announced one.
    """

    ends: Sequence[float] = ()
    clears: Sequence[float] = ()
    wakes: Sequence[float] = ()


@dataclass
class Bill:
    """
    What was billed, and why.

    :param billed: The cloud's counter, by operation.
    :param expected: Steps of documents that were submitted.
    :param cleared: Submits of what had been submitted before a user has cleared the task.
    :param again: Submits beyond the first of a document and step, each announced.
    :param announced: How many of these the manifest admits.
    :param findings: What does not add up.
    """

    billed: Mapping[str, int]
    expected: int = 0
    cleared: int = 0
    again: list[Again] = field(default_factory=list)
    announced: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        windows = dict(Counter(each.window for each in self.again))
        return (
            f"billed {sum(self.billed.values())} = {self.expected} (documents x steps) + {self.cleared} (submitted again "
            f"after a Clear) + {len(self.again)} (announced: {windows}); the manifest announces {self.announced}"
        )


def draw_up(
    documents: Sequence[Document],
    rows: Mapping[int, Mapping[str, Any]],
    billed: Mapping[str, int],
    tasks: Iterable[Mapping[str, Any]],
    lines: Iterable[LogLine],
    blows: Blows,
) -> Bill:
    """
    Draw up the bill.

    :param documents: What went in.
    :param rows: The rows of the manifest, by index.
    :param billed: The cloud's counter, by operation.
    :param tasks: The cloud's tasks.
    :param lines: The logs of the batch.
    :param blows: What has happened meanwhile.
    """
    bill = Bill(billed)
    places = {
        digest: Key(document.index, step)
        for document in documents
        for step, digest in document.inputs.items()
    }
    submits = submits_of(places, "input_sha256", tasks, billed, bill.findings)
    admitted = _admitted(documents, lines)
    for key, made in submits.items():
        counted = _explain(bill, key, made, admitted.get(key, []), blows)
        _compare(bill, key, counted, rows.get(key.index, {}))
    return bill


def _admitted(documents: Sequence[Document], lines: Iterable[LogLine]) -> dict[Key, list[LogLine]]:
    """Find the lines that announce a second bill. Two copies of a log have the same line twice."""
    admitting = {line.text: line for line in lines if ADMITS in line.text}.values()
    names = {f"{document.name}.png": document.index for document in documents}
    found: dict[Key, list[LogLine]] = {}
    for line in admitting:
        for step, operation in STEPS.items():
            for name in names:
                if operation in line.text and name in line.text:
                    found.setdefault(Key(names[name], step), []).append(line)
    return found


def _explain(
    bill: Bill, key: Key, submits: list[Mapping[str, Any]], lines: list[LogLine], blows: Blows
) -> list[Mapping[str, Any]]:
    """Find out why a step was submitted more than once; returns the submits since the last Clear."""
    since_clear = 0
    clears, unused = list(blows.clears), sorted(lines, key=lambda line: line.at)
    for place, (earlier, later) in enumerate(pairwise(submits), 1):
        since, until = float(earlier["submitted_at"]), float(later["submitted_at"])
        clear = next((at for at in clears if since <= at + CLEARED_SECONDS and at <= until), None)
        if clear is not None:
            clears.remove(clear)
            since_clear = place
            bill.cleared += 1
            continue
        line = next((line for line in unused if since <= line.at <= until), None) or next(
            (line for line in unused if any(line.at <= wake <= until for wake in blows.wakes)), None
        )
        if line is None:
            bill.findings.append(f"{key}: {later['id']} was billed after {earlier['id']}, and no log says so")
            continue
        unused.remove(line)
        # What a suspended worker has half sent is accepted once it goes on; its intent was seen without an answer meanwhile.
        if any(since - ON_ITS_WAY_SECONDS <= at <= line.at for at in (*blows.ends, *blows.wakes)):
            window = "worker ended before the answer was written down"
            bill.again.append(Again(key.index, key.step, str(earlier["id"]), window, line))
        elif not earlier["id_sent"]:
            bill.again.append(Again(key.index, key.step, str(earlier["id"]), "lost answer", line))
        else:
            bill.findings.append(f"{key}: {later['id']} was billed although {earlier['id']} was known")
    return submits[since_clear:]


def _compare(bill: Bill, key: Key, submits: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> None:
    """Compare what the cloud has accepted of a step with what the manifest says about it."""
    place = list(STEPS).index(key.step)
    steps = row.get("steps", [])
    told = int(steps[place]["submits"]) if place < len(steps) else 0
    if row.get("outcome") == "failed" and place == (row.get("error") or {}).get("step"):
        told = MOST_SUBMITS  # It has no cloud task that is known, which is its error.
    if submits:
        bill.expected += 1
    bill.announced += max(0, told - 1)
    if len(submits) > told:
        bill.findings.append(f"{key}: billed {len(submits)} times, and the manifest admits {told}")
    if row.get("outcome") == "succeeded" and not submits:
        bill.findings.append(f"{key}: was not billed, and the document is said to have succeeded")
    if told > 1 and not row.get("maybe_billed_twice"):
        bill.findings.append(f"{key}: submitted {told} times, and maybe_billed_twice does not say so")
    if place < len(steps) and submits and steps[place]["id"] not in {task["id"] for task in submits}:
        bill.findings.append(f"{key}: the manifest names {steps[place]['id']}, which is not a task of it")


def check_rows(documents: Sequence[Document], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """
    Find rows of the manifest that are missing, doubled, out of order, or whose outcome no storm may have.

    :param documents: What went in.
    :param rows: The rows as they are in the file.
    """
    found = []
    if [row["index"] for row in rows] != [document.index for document in documents]:
        found.append(f"the manifest has the rows {[row['index'] for row in rows]}")
    for row in rows:
        error = (row.get("error") or {}).get("class")
        if row["outcome"] != "succeeded" and (row["outcome"], error) != ("failed", ASKS):
            found.append(f"document {row['index']} is {row['outcome']}: {row.get('error')}")
    return found


def check_texts(
    documents: Sequence[Document], outbox: Path, rows: Mapping[int, Mapping[str, Any]]
) -> list[str]:
    """
    Find what is wrong in the folder of the results.

    :param documents: What went in.
    :param outbox: Where results are; what the provider keeps there for itself is in a folder with a dot.
    :param rows: The rows of the manifest, by index.
    """
    found = []
    names = {f"{document.name}.png.txt": document for document in documents}
    there = {str(path.relative_to(outbox)) for path in outbox.rglob("*") if path.is_file()}
    there = {name for name in there if not name.startswith(".aspose-ocr/")}
    due = {
        name for name, document in names.items() if rows.get(document.index, {}).get("outcome") == "succeeded"
    }
    found += [f"{name}: its text is missing" for name in sorted(due - there)]
    found += [f"{name}: an orphan file in {outbox}" for name in sorted(there - due)]
    for name in sorted(there & due):
        document, content = names[name], (outbox / name).read_bytes()
        if content != document.text.encode():
            found.append(f"{name}: has the wrong text {content[:80]!r}")
        told = [result.get("sha256") for result in rows[document.index].get("results", [])]
        if told != [hashlib.sha256(content).hexdigest()]:
            found.append(f"{name}: its checksum is not the one of the manifest ({told})")
    return found


def check_cloud(tasks: Iterable[Mapping[str, Any]], clears: Sequence[float]) -> list[str]:
    """
    Find cloud tasks that still run, and such that were cancelled although no user had cleared the batch.

    :param tasks: The cloud's tasks.
    :param clears: When a user has cleared it.
    """
    last_clear = max(clears, default=0.0) + CLEARED_SECONDS
    found = []
    for task in tasks:
        if task["status"] in ALIVE:
            found.append(f"cloud task {task['id']} of {task['operation']} is still {task['status']}")
        if task["deleted"] and not (clears and task["submitted_at"] <= last_clear):
            found.append(f"cloud task {task['id']} of {task['operation']} was cancelled")
    return found


def unknown_documents(records: Iterable[Mapping[str, Any]]) -> set[int]:
    """
    Return the documents of which a journal does not say what became of their last submit.

    An intent of a process that has lost the batch comes after what its successor wrote. It is no submit: before its writer
    sends, it looks for a successor.

    :param records: The records of the journal, in its order.
    """
    found: set[int] = set()
    newest = 0
    for record in records:
        epoch = record.get("epoch", 0)
        newest = max(newest, epoch)
        if epoch < newest:
            continue
        if record["record"] == "intent" or record.get("state", {}).get("intended"):
            found.add(record["document"])
        else:
            found.discard(record.get("document", -1))
    return found


def check_parts(state: Path) -> list[str]:
    """
    Find files of journals that are left when no batch runs.

    :param state: The state folder.
    """
    journals = state / "batches"
    left = sorted(path for path in journals.rglob("*") if path.is_file() and path.name != "swept.json")
    return [f"{path.relative_to(state)}: an orphan file of a journal" for path in left]


def check_temporary_files(folders: Sequence[Path]) -> list[str]:
    """
    Find documents and results on the disks of workers which the next task on that host would not clear away.

    :param folders: The workers' temporary folders.
    """
    for folder in folders:
        remove_abandoned(str(folder), WORK_FOLDER)
    left = [path for folder in folders for path in sorted(folder.glob("aspose-ocr-*/**/*")) if path.is_file()]
    return [f"{path}: an orphan file" for path in left]
