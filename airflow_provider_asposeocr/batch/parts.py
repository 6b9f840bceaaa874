"""
Part files of a batch's journal: their names, their form, and in which order they are replayed. Pure.

Invariant: each record of a commit that the writer was told to be durable is replayed exactly once, or an error names the
file that is missing or broken.

A part is one commit. Its first line, the head, names the parts that were the last durable ones when it was written
(``after``). So replay follows these names from the newest part of each epoch backwards. What no chain leads to is a
commit whose answer was lost: the writer has sent its records again in the next part.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCHEMA_VERSION = 1
#: Subfolder with the first part of each epoch and the marks: few files, so that looking for a higher epoch is cheap.
EPOCHS = "epochs"
#: Where the records of all batches lie, below the state folder.
BATCHES = "batches"
_SENT_AGAIN = "its records were sent again in a later part, because no answer had come"
_NAME = re.compile(r"(?:(\d{6,})-(\d{6,})-([0-9a-f]{8})|epochs/(\d{6,}))\.jsonl")


class BrokenPartError(ValueError):
    """
    The content of a part is cut, altered, or not that of the part that its name says.

    :param why: What is wrong, for a sentence that begins with "it".
    :param head: The part without its records, where its first line can be read; else ``None``.
    """

    def __init__(self, why: str, head: Part | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.head = head


class ForeignPartError(ValueError):
    """A part was written by another version of the provider, whose form this one does not know."""


class GapError(ValueError):
    """
    A part that was durable is missing or broken.

    :param name: Name of the part in the journal's folder.
    :param what: What is wrong with it, for a sentence that begins with the name.
    """

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name} {what}")
        self.name = name
        self.what = what


@dataclass(frozen=True, order=True)
class PartName:
    """
    Name of a part.

    :param epoch: Number of the process, counted from 1, that owned the journal when the part was written.
    :param sequence: Number of the commit within the epoch; 0 = the part that began the epoch.
    :param writer: 8 hex digits, random per process, so that no two processes write the same name; empty for sequence
        0, which has one name for all, of which only one process can create the file.
    """

    epoch: int
    sequence: int
    writer: str = ""

    @property
    def text(self) -> str:
        """Return the name below the journal's folder."""
        if not self.sequence:
            return f"{EPOCHS}/{self.epoch:06}.jsonl"
        return f"{self.epoch:06}-{self.sequence:06}-{self.writer}.jsonl"

    @classmethod
    def parse(cls, text: str) -> PartName | None:
        """
        Read the name of a file.

        :param text: Name below the journal's folder.
        :return: The part's name; ``None`` for other files.
        """
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        epoch, sequence, writer, first_of = found.groups()
        name = cls(int(first_of), 0) if first_of else cls(int(epoch), int(sequence), writer)
        return name if name.text == text else None


@dataclass(frozen=True)
class Part:
    """
    One commit.

    :param name: Its name.
    :param records: What was committed, in order.
    :param acknowledged: How many records of the journal were durable before this part.
    :param after: Names of the parts that were the last durable ones: one, or at the first commit after a take-over the
        last one of each earlier epoch.
    :param replaces: Names of the parts that this one stands for; ``None`` = it is no snapshot.
    :param header: What is written once, at the beginning of the journal; ``None`` in all other parts.
    :param batch: Which task instance's journal it is; each part says so, because a part may outlive the header.
    :param writer: 32 hex digits, random per process: tells in sequence 0 who has created it.
    """

    name: PartName
    records: Sequence[Mapping[str, Any]]
    acknowledged: int = 0
    after: Sequence[str] = ()
    replaces: Sequence[str] | None = None
    header: Mapping[str, Any] | None = None
    batch: Mapping[str, Any] | None = None
    writer: str = ""

    @property
    def total(self) -> int:
        """Return how many records of the journal are durable with this part; a snapshot repeats, and adds none."""
        return self.acknowledged + (len(self.records) if self.replaces is None else 0)

    def to_bytes(self) -> bytes:
        """Return the content of the part's file: JSON Lines, the head first."""
        body = "".join(f"{_line(record)}\n" for record in self.records).encode()
        head = {
            "schema_version": SCHEMA_VERSION,
            "epoch": self.name.epoch,
            "sequence": self.name.sequence,
            "writer": self.writer,
            "acknowledged": self.acknowledged,
            "after": list(self.after),
            "records": len(self.records),
            "crc32": f"{zlib.crc32(body):08x}",
        }
        if self.replaces is not None:
            head["replaces"] = list(self.replaces)
        if self.header is not None:
            head["header"] = dict(self.header)
        if self.batch is not None:
            head["batch"] = dict(self.batch)
        return f"{_line(head)}\n".encode() + body


def parse_part(name: PartName, content: bytes) -> Part:
    """
    Read a part.

    :param name: Its name.
    :param content: Content of its file.
    :return: The part.
    :raises BrokenPartError: if it is cut, altered, or another part's.
    :raises ForeignPartError: if another version has written it.
    """
    first, newline, body = content.partition(b"\n")
    head = _object(first) if newline else None
    if head is None:
        raise BrokenPartError("its first line is cut or no JSON object")
    version = head.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ForeignPartError(
            f"it has the schema version {version!r}, and this version of the provider reads {SCHEMA_VERSION}"
        )
    if (head.get("epoch"), head.get("sequence")) != (name.epoch, name.sequence) or not _is_head(head):
        raise BrokenPartError("its first line is not that of a part with this name")
    replaces = head.get("replaces")
    part = Part(
        name=name,
        records=(),
        acknowledged=head["acknowledged"],
        after=tuple(head["after"]),
        replaces=None if replaces is None else tuple(replaces),
        header=head.get("header"),
        batch=head.get("batch"),
        writer=str(head.get("writer")),
    )
    records = [_object(line) for line in body.splitlines()]
    if head.get("crc32") != f"{zlib.crc32(body):08x}" or len(records) != head.get("records"):
        raise BrokenPartError("it is cut or was altered", part)
    return replace(part, records=[record for record in records if record is not None])


def _is_head(head: Mapping[str, Any]) -> bool:
    replaces = head.get("replaces", [])
    mappings = [head.get(name, {}) for name in ("header", "batch")]
    return (
        _are_texts(head.get("after"))
        and _are_texts(replaces)
        and all(isinstance(value, dict) for value in mappings)
        and isinstance(head.get("acknowledged"), int)
    )


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


@dataclass(frozen=True)
class Replay:
    """
    What the parts of a journal say together.

    :param header: The header; ``None`` = the journal was never begun.
    :param header_part: Name of the part that has it.
    :param records: All records in the order in which they are replayed.
    :param acknowledged: How many records were durable.
    :param last: Names of the parts that a next commit names as the last durable ones.
    :param parts_to_replay: How many parts were read for the records; many are worth a snapshot.
    :param ignored: Names and reasons of parts that are no commits.
    """

    header: Mapping[str, Any] | None = None
    header_part: str | None = None
    records: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: int = 0
    last: tuple[str, ...] = ()
    parts_to_replay: int = 0
    ignored: Mapping[str, str] = field(default_factory=dict)


def arrange(parts: Iterable[Part], broken: Mapping[str, BrokenPartError] | None = None) -> Replay:
    """
    Decide which parts count, and in which order.

    Snapshots come first, then all parts that they do not list, both by epoch and sequence. So a part that a process of
    an earlier epoch has written after the snapshot was made is replayed after it.

    :param parts: All parts that were found and can be read, in any order.
    :param broken: Names of the parts that are broken, and what is wrong with them. They count as commits that never
        happened, unless another part says that they were durable.
    :return: What they say.
    :raises GapError: if a part is missing or broken that must have been durable.
    """
    broken = broken or {}
    found = {part.name.text: part for part in parts}
    ends = _ends(found.values())
    kept = _chains(found, ends, broken)
    replaced = {name for part in kept for name in part.replaces or ()}
    live = sorted(
        (part for part in kept if part.name.text not in replaced),
        key=lambda part: (part.replaces is None, part.name),
    )
    begun = min((part for part in kept if part.header is not None), key=lambda part: part.name, default=None)
    commits = [part for part in live if part.name.sequence]
    if begun is None and commits:
        raise GapError(
            PartName(1, 0).text, f"is missing, with which the journal of {commits[-1].name.text} began"
        )
    last = [part.name.text for part in ends if part.name.sequence and part.name.text not in replaced]
    ignored = dict.fromkeys(found.keys() - replaced - {part.name.text for part in kept}, _SENT_AGAIN)
    return Replay(
        header=begun.header if begun else None,
        header_part=begun.name.text if begun else None,
        records=[dict(record) for part in commits for record in part.records],
        acknowledged=max((part.total for part in kept), default=0),
        last=tuple(last or ([begun.name.text] if begun else [])),
        parts_to_replay=len(commits),
        ignored=ignored | {name: error.why for name, error in broken.items() if name not in replaced},
    )


def _ends(parts: Iterable[Part]) -> list[Part]:
    """Return the newest part of each epoch, in the order of the epochs."""
    return list({part.name.epoch: part for part in sorted(parts, key=lambda part: part.name)}.values())


def _chains(
    found: Mapping[str, Part], ends: Sequence[Part], broken: Mapping[str, BrokenPartError]
) -> list[Part]:
    """Follow the names of the last durable parts from the newest ones backwards."""
    kept: dict[str, Part] = {}
    named: dict[str, str] = {}
    todo = [*ends, *(part for part in found.values() if not part.name.sequence)]
    while todo:
        part = todo.pop()
        if part.name.text not in kept:
            kept[part.name.text] = part
            named |= dict.fromkeys(part.after, part.name.text)
            todo += [found[name] for name in part.after if name in found]
    for name, error in broken.items():
        _check_never_happened(name, error, found)
        # What it names was durable before it was written, and is deleted only after a commit.
        named |= dict.fromkeys(error.head.after if error.head else (), name)
    _check_nothing_missing(
        {name: by for name, by in named.items() if name not in found}, kept.values(), broken
    )
    return list(kept.values())


def _check_never_happened(name: str, error: BrokenPartError, found: Mapping[str, Part]) -> None:
    """Refuse a broken part that was perhaps a snapshot whose predecessors are deleted."""
    own = PartName.parse(name)
    if own is None or error.head is not None or own.sequence <= 1:
        return
    if not any(part.name.epoch == own.epoch and part.name.sequence for part in found.values()):
        raise GapError(name, f"cannot be read: {error.why}")


def _check_nothing_missing(
    missing: Mapping[str, str], kept: Iterable[Part], broken: Mapping[str, BrokenPartError]
) -> None:
    """Refuse what is missing and stands in no snapshot."""
    snapshots = [part for part in kept if part.replaces is not None]
    replaced = {name for part in snapshots for name in part.replaces or ()}
    # Who wrote a snapshot had replayed all earlier epochs. So it stands for what an earlier snapshot of them listed, too.
    covered = max((part.name.epoch for part in snapshots), default=0)
    for name, by in sorted(missing.items()):
        parsed = PartName.parse(name)
        if name in replaced or (parsed is not None and parsed.epoch < covered):
            continue
        if name in broken:
            raise GapError(name, f"cannot be read: {broken[name].why}")
        raise GapError(name, f"is missing, although {by} says that it was written")


def batch_key(installation: str, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """
    Name the batch of a task instance.

    :param installation: Name of the Airflow installation, where several share a state folder; may be empty.
    :param dag_id: The DAG.
    :param run_id: The DAG run.
    :param task_id: The task.
    :param map_index: Number of the mapped task instance, -1 = not mapped.
    :return: 16 hex digits.
    """
    text = json.dumps([installation, dag_id, run_id, task_id, map_index])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def journal_folder_name(key: str, max_tries: int) -> str:
    """
    Name the folder of a journal below the state folder.

    :param key: Of the batch, see :func:`batch_key`.
    :param max_tries: Airflow's count: a Clear changes it, so that a Clear begins a journal of its own.
    """
    return f"{BATCHES}/{key}/{max_tries}"
