"""
What must be true of an inbox when all is read.

Invariant: as in :mod:`.audit`, every check compares two sides that know nothing of each other: what was dropped with the
rows of the manifests and the files in the outbox, and what the cloud has accepted with what logs and manifests admit. Pure
but for files.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tests.distributed.audit import ALIVE
from tests.distributed.batch_audit import ADMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SETTLED = frozenset({"succeeded", "duplicate"})


@dataclass(frozen=True)
class Dropped:
    """
    A file that was dropped into the inbox.

    :param name: Its name, which no other file's name contains.
    :param sha256: Checksum of its content.
    :param text: What the cloud reads in it.
    """

    name: str
    sha256: str
    text: str


@dataclass
class Bill:
    """
    What was billed.

    :param contents: How many contents there are.
    :param billed: How many submits the cloud has accepted.
    :param announced: How many submits logs announce as perhaps a second bill.
    :param findings: What does not add up.
    """

    contents: int
    billed: int = 0
    announced: int = 0
    findings: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"billed {self.billed} for {self.contents} contents; {self.announced} announced"


def name_of(row: Mapping[str, Any]) -> str:
    """Return the name of the file that a row of a manifest is about."""
    source = str(row["source"])
    return Path(unquote(urlsplit(source).path) if "://" in source else source).name


def draw_up(
    dropped: Sequence[Dropped],
    rows: Iterable[Mapping[str, Any]],
    tasks: Iterable[Mapping[str, Any]],
    lines: Iterable[str],
) -> Bill:
    """
    Compare what the cloud has accepted with the contents, and each surplus submit with what admits it.

    :param dropped: What was dropped.
    :param rows: The rows of all manifests.
    :param tasks: The cloud's tasks.
    :param lines: The lines of all task logs; two copies of a log have the same line twice.
    """
    names = defaultdict(list)
    for file in dropped:
        names[file.sha256].append(file.name)
    accepted = Counter(str(task["input_sha256"]) for task in tasks)
    admitting = {line for line in lines if ADMITS in line}
    admitted = {row["sha256"] for row in rows if row["maybe_billed_twice"]}
    bill = Bill(len(names), accepted.total(), len(admitting))
    bill.findings += [f"a cloud task has the content {sha256}" for sha256 in accepted.keys() - names.keys()]
    for sha256, of_content in names.items():
        surplus = accepted[sha256] - 1
        said = sum(any(name in line for name in of_content) for line in admitting)
        if surplus < 0:
            bill.findings.append(f"{of_content[0]} was not billed")
        if surplus > said:
            bill.findings.append(f"{of_content[0]} was billed {surplus + 1} times, and logs announce {said}")
        if surplus > 0 and sha256 not in admitted:
            bill.findings.append(
                f"{of_content[0]} was billed {surplus + 1} times, and no manifest says that it may be"
            )
    return bill


def check_rows(dropped: Sequence[Dropped], rows: Iterable[Mapping[str, Any]], *, exactly: bool) -> list[str]:
    """
    Find files that are not read, or are read twice, and rows of which the file says otherwise.

    :param dropped: What was dropped.
    :param rows: The rows of all manifests.
    :param exactly: Whether each file has one settled row. A run that is killed between its manifest and its end has one,
        and the next run may look at the file again.
    """
    files = {file.name: file for file in dropped}
    settled = [row for row in rows if row["outcome"] in SETTLED]
    counts = Counter(map(name_of, settled))
    found = [f"{name} is lost" for name in sorted(files.keys() - counts.keys())]
    found += [f"{name} was never dropped" for name in sorted(counts.keys() - files.keys())]
    if exactly:
        found += [f"{name} has {count} settled rows" for name, count in sorted(counts.items()) if count > 1]
    for row in settled:
        file = files.get(name_of(row))
        if file is None:
            continue
        if row["sha256"] != file.sha256:
            found.append(f"{file.name}: the row has another content")
        digest = hashlib.sha256(file.text.encode()).hexdigest()
        if [result["sha256"] for result in row["results"]] != [digest]:
            found.append(f"{file.name}: the row names another text")
    return found


def check_texts(dropped: Sequence[Dropped], outbox: Path, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """
    Find texts that are missing, wrong, or of no file.

    :param dropped: What was dropped.
    :param outbox: Folder of the results.
    :param rows: The rows of all manifests.
    """
    texts = {path.read_text() for path in outbox.glob("*.txt")}
    found = [f"the text of {file.name} is missing" for file in dropped if file.text not in texts]
    files = {file.name: file for file in dropped}
    for path in outbox.glob("*.txt"):
        file = files.get(path.name.removesuffix(".txt"))
        if file is None or path.read_text() != file.text:
            found.append(f"{path.name} is of no file, or is not its text")
    named = {Path(urlsplit(result["uri"]).path).name for row in rows for result in row["results"]}
    found += [f"{path.name} is named by no row" for path in outbox.glob("*.txt") if path.name not in named]
    return found


def check_cloud(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Find cloud tasks that still run."""
    return [f"cloud task {task['id']} is still {task['status']}" for task in tasks if task["status"] in ALIVE]
