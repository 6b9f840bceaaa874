"""
Part files of a batch's journal: their names and their form. Pure, but for a temporary file where a part is large.

A part is one commit, as JSON Lines: a head, then a line per record. The head says how many records there are and what
their checksum is, so that a cut part is not taken for a shorter one, and which part was the last durable one before it.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from dataclasses import dataclass, replace
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SCHEMA_VERSION = 1
#: Subfolder with the first part of each epoch and the marks: few files, so that looking for a higher epoch is cheap.
EPOCHS = "epochs"
#: Where the records of all batches lie, below the state folder.
BATCHES = "batches"
#: A part of more bytes is on local disk until it is written. The commits of a hundred documents have a fifth of that.
_MOST_BYTES_IN_MEMORY = 1024 * 1024
_PIECE_BYTES = 256 * 1024
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
    :param identity: Which task instance's journal it is; each commit says so, because it may outlive the header.
    :param writer: 32 hex digits, random per process: tells in sequence 0 who has created it.
    """

    name: PartName
    records: Sequence[Mapping[str, Any]]
    acknowledged: int = 0
    after: Sequence[str] = ()
    replaces: Sequence[str] | None = None
    header: Mapping[str, Any] | None = None
    identity: Mapping[str, Any] | None = None
    writer: str = ""

    @property
    def total(self) -> int:
        """Return how many records of the journal are durable with this part; a snapshot repeats, and adds none."""
        return self.acknowledged + (len(self.records) if self.replaces is None else 0)

    def to_bytes(self) -> bytes:
        """Return the content of the part's file: JSON Lines, the head first."""
        return b"".join(self.pieces_with(self.records))

    def pieces_with(self, records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
        """
        Return the content of the part's file with other records than its own.

        :param records: They are gone through once, and what is large is kept on local disk: the text of a snapshot of ten
            thousand documents has 16 MB.
        :return: The content, in pieces.
        :raises OSError: if local disk is full.
        """
        with SpooledTemporaryFile(_MOST_BYTES_IN_MEMORY) as body:
            count = checksum = 0
            for record in records:
                line = f"{_line(record)}\n".encode()
                body.write(line)
                checksum = zlib.crc32(line, checksum)
                count += 1
            yield f"{_line(self._head(count, checksum))}\n".encode()
            body.seek(0)
            while piece := body.read(_PIECE_BYTES):
                yield piece

    def _head(self, count: int, checksum: int) -> dict[str, Any]:
        head: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "epoch": self.name.epoch,
            "sequence": self.name.sequence,
            "writer": self.writer,
            "acknowledged": self.acknowledged,
            "after": list(self.after),
            "records": count,
            "crc32": f"{checksum:08x}",
        }
        if self.replaces is not None:
            head["replaces"] = list(self.replaces)
        if self.header is not None:
            head["header"] = dict(self.header)
        if self.identity is not None:
            head["identity"] = dict(self.identity)
        return head


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
        identity=head.get("identity"),
        writer=str(head.get("writer")),
    )
    records = [_object(line) for line in body.splitlines()]
    if head.get("crc32") != f"{zlib.crc32(body):08x}" or len(records) != head.get("records"):
        raise BrokenPartError("it is cut or was altered", part)
    return replace(part, records=[record for record in records if record is not None])


def _is_head(head: Mapping[str, Any]) -> bool:
    replaces = head.get("replaces", [])
    mappings = [head.get(name, {}) for name in ("header", "identity")]
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
