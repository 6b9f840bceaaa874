"""
The index of the files that were read already: a key of 16 bytes for each file and version.

Invariant: the index is a cache of the manifests. A missing key costs a download and a checksum, because the register knows
each content; a wrong key would hide a file that was not read. So a key is only made from a row with a settled outcome. Pure.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.manifest import is_settled
from airflow_provider_asposeocr.documents.uris import same_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Raise it when a key is made of something else.
SCHEMA_VERSION = 1
KEY_BYTES = 16
#: A segment is written when there are this many new manifests, because reading each costs a request.
_FRESH_FOR_A_SEGMENT = 32
#: Segments are merged when there are this many.
_SEGMENTS_FOR_ONE = 16


def seen_key(pipeline: str, uri: str, version: str | None) -> bytes:
    """
    Return the key of a file that a pipeline has read.

    :param pipeline: Name of the pipeline, as the work list says it.
    :param uri: Absolute path or URI of the file. The id of a connection is left out, so that renaming one reads nothing
        again.
    :param version: Version of the file, see :func:`.listed_version`.
    """
    return key_at(pipeline, same_place(uri), version)


def key_at(pipeline: str, place: str, version: str | None) -> bytes:
    """
    Return the key of a file whose URI is spelled as :func:`.same_place` does; see :func:`seen_key`.

    :param pipeline: Name of the pipeline.
    :param place: URI of the file.
    :param version: Version of the file.
    """
    text = "\0".join((pipeline, place, version or ""))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


@dataclass
class SeenKeys:
    """
    Keys of files.

    :param settled: Keys of files that were read, or need not be read.
    :param failed: Keys of files that have failed permanently.
    :param put_back: Keys of files that each run tries again, although that did not help before, for example because they may
        not be read. New files come before them.
    """

    settled: set[bytes] = field(default_factory=set)
    failed: set[bytes] = field(default_factory=set)
    put_back: set[bytes] = field(default_factory=set)

    def add(self, other: SeenKeys) -> None:
        """
        Add other keys.

        :param other: The others.
        """
        self.settled |= other.settled
        self.failed |= other.failed
        self.put_back |= other.put_back

    def take(self, row: Mapping[str, Any]) -> None:
        """
        Add the file of a manifest's row, if the row says that no later run has to read it.

        A file that was ``gone`` is not added: if the same content is written again under its name, a store may give it the
        same version.

        :param row: The row, as JSON.
        """
        key, outcome = row_key(row), row.get("outcome")
        if key is None or outcome == "gone":
            return
        if is_settled(outcome, row.get("final")):
            (self.failed if outcome == "failed" else self.settled).add(key)
        elif (
            outcome == "failed"
            and isinstance(error := row.get("error"), dict)
            and not error.get("retryable", True)
        ):
            self.put_back.add(key)

    def has(self, key: bytes, *, include_failed: bool = False) -> bool:
        """
        Tell whether a file need not be read.

        :param key: Its key.
        :param include_failed: Whether files that have failed permanently are to be read again.
        """
        return key in self.settled or (not include_failed and key in self.failed)

    def __len__(self) -> int:
        return len(self.settled) + len(self.failed)


def row_key(row: Mapping[str, Any]) -> bytes | None:
    """
    Return the key of the file of a manifest's row.

    :param row: The row, as JSON.
    :return: The key; ``None`` if the row does not come from a work list.
    """
    pipeline, source, version = (row.get(name) for name in ("pipeline", "source", "source_version"))
    if not isinstance(pipeline, str) or not isinstance(source, str):
        return None
    return seen_key(pipeline, source, version if isinstance(version, str) else None)


@dataclass(frozen=True)
class Segment:
    """
    A part of the index, as it is stored.

    :param manifests: The manifests whose rows it has: their version by their path below the folder of manifests.
    :param keys: The keys.
    """

    manifests: Mapping[str, str | None]
    keys: SeenKeys

    def to_bytes(self) -> bytes:
        """Return the stored form. Equal segments have equal bytes."""
        head = {
            "schema_version": SCHEMA_VERSION,
            "kind": "seen_index",
            "settled": len(self.keys.settled),
            "failed": len(self.keys.failed),
            "put_back": len(self.keys.put_back),
            "manifests": dict(sorted(self.manifests.items())),
        }
        kinds = (self.keys.settled, self.keys.failed, self.keys.put_back)
        body = b"".join(key for keys in kinds for key in sorted(keys))
        return gzip.compress(json.dumps(head).encode() + b"\n" + body, compresslevel=1, mtime=0)


def segment_name(content: bytes) -> str:
    """
    Name a segment by its content, so that two processes that make the same one do not disturb each other.

    :param content: What :meth:`Segment.to_bytes` returned.
    """
    return f"{sha256(content).hexdigest()[:32]}.keys.gz"


def parse_segment(content: bytes) -> Segment:
    """
    Read a segment.

    :param content: The stored form.
    :raises InputError: if it was cut or damaged, or another version of the provider wrote it. The manifests have what it
        had.
    """
    try:
        head_line, _, body = gzip.decompress(content).partition(b"\n")
        head = json.loads(head_line)
        version = head["schema_version"]
        counts = [head["settled"], head["failed"], head.get("put_back", 0)]
        manifests: dict[str, str | None] = dict(head["manifests"])
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"it was cut or damaged ({shown(error, 100)})") from None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"its schema_version is {shown(repr(version), 40)}, and this one reads {SCHEMA_VERSION}"
        )
    if not all(isinstance(count, int) for count in counts) or len(body) != KEY_BYTES * sum(counts):
        raise InputError("it does not have as many keys as it says")
    keys = iter([body[place : place + KEY_BYTES] for place in range(0, len(body), KEY_BYTES)])
    settled, failed, put_back = (set(islice(keys, count)) for count in counts)
    return Segment(manifests, SeenKeys(settled, failed, put_back))


@dataclass(frozen=True)
class Compaction:
    """
    How the index is to be written anew.

    :param write: The segment to write; ``None`` = none.
    :param remove: Names of the segments that it replaces.
    """

    write: Segment | None = None
    remove: tuple[str, ...] = ()


def plan_compaction(segments: Mapping[str, Segment], fresh: Segment, stale: Iterable[str] = ()) -> Compaction:
    """
    Decide whether the index is to be written anew. Pure.

    :param segments: The segments that were read, by name.
    :param fresh: The keys of manifests that are in none of them.
    :param stale: Names of segments that cannot be read; they are removed with the next segment.
    """
    if len(segments) >= _SEGMENTS_FOR_ONE:
        keys, manifests = SeenKeys(), dict[str, str | None]()
        for segment in (*segments.values(), fresh):
            keys.add(segment.keys)
            manifests |= segment.manifests
        return Compaction(Segment(manifests, keys), (*segments, *stale))
    if len(fresh.manifests) >= _FRESH_FOR_A_SEGMENT:
        return Compaction(fresh, tuple(stale))
    return Compaction()
