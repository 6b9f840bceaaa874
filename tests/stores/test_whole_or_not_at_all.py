"""
A result is stored completely or not at all, on real object stores, also if its writer is killed.

A reader reads the final name all the time: each version that it sees must be a complete result. One test uses a writer that
streams into the final name, to show that the reader would notice half a file.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import store_writer
from store_kinds import MIB, NAME, S3, AzureBlob, Local, Place
from store_writer import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess
    from pathlib import Path

OLD = b"the old result"
_DEADLINE_SECONDS = 90.0


class Reader:
    """A thread that reads the final name all the time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._looks = 0
        self._looked = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        #: Checksums of all versions that it has read, in order; ``None`` = there was no file.
        self.seen: list[str | None] = []

    def look_again(self) -> None:
        """Wait until a read that begins after this call has ended."""
        with self._looked:
            enough = self._looks + 2
            assert self._looked.wait_for(lambda: self._looks >= enough or self._failure, _DEADLINE_SECONDS)

    def _run(self) -> None:
        known: dict[Any, str] = {}
        try:
            while not self._over.wait(0.02):
                version, data = self._place.look(set(known))
                if data is not None:
                    known[version] = digest(data)
                seen = known.get(version)
                if not self.seen or self.seen[-1] != seen:
                    self.seen.append(seen)
                with self._looked:
                    self._looks += 1
                    self._looked.notify_all()
        except BaseException as error:
            self._failure = error

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(_DEADLINE_SECONDS)
        if self._failure is not None:
            raise self._failure


@dataclass
class Desk:
    """
    A place for a result, and what writes there.

    :param place: The place.
    :param source: The large result, a local file.
    :param sha256: Its checksum.
    """

    place: Place
    source: Path
    sha256: str
    processes: ForkServerContext
    _running: list[BaseProcess] = field(default_factory=list)

    def start(
        self, source: Path | None = None, work: Callable[..., None] = store_writer.write, **job: Any
    ) -> tuple[BaseProcess, Connection]:
        """Start a writer; return it and what it answers through."""
        ours, theirs = self.processes.Pipe()
        job = {
            "environment": self.place.environment,
            "source": str(source or self.source),
            "bytes": self.source.stat().st_size,
            "sha256": self.sha256,
            "uri": self.place.uri,
        } | job
        process = self.processes.Process(target=work, args=(job, theirs))
        process.start()
        theirs.close()
        self._running.append(process)
        return process, ours

    def answer(self, pipe: Connection) -> tuple[str, Any]:
        """Wait for what a writer says."""
        assert pipe.poll(_DEADLINE_SECONDS), "The writer says nothing."
        what, details = pipe.recv()
        return what, details

    def end(self) -> None:
        """End all writers that still run."""
        for process in self._running:
            process.kill()
            process.join()

    def write(self) -> dict[str, Any]:
        """Write as a retry does; return the manifest's entry."""
        process, pipe = self.start()
        what, details = self.answer(pipe)
        process.join(_DEADLINE_SECONDS)
        assert what == "manifest", details
        entry: dict[str, Any] = details["results"][0]
        return entry

    def retry(self) -> None:
        """Write once more without a fault; check that exactly what the manifest lists is stored."""
        left = [] if self.place.next_write_sweeps else self.place.leftovers()
        entry = self.write()
        _, data = self.place.look(set())
        assert data is not None
        assert (entry["sha256"], entry["bytes"]) == (digest(data), len(data))
        assert digest(data) == self.sha256
        assert self.place.names() == [NAME]
        assert self.place.leftovers() == left


def make_place(kind: str, folder: Path, request: pytest.FixtureRequest) -> Place:
    if kind == "local":
        return Local(folder)
    name, _, in_one_request = kind.partition("-")
    cls, server = {"s3": (S3, "s3_server"), "abfs": (AzureBlob, "azure_server")}[name]
    place: Place = cls(request.getfixturevalue(server), **({"stop_at": 1} if in_one_request else {}))
    if in_one_request:
        place.large_bytes = 15 * MIB
    return place


@pytest.fixture
def desk(request: pytest.FixtureRequest, tmp_path: Path, processes: ForkServerContext) -> Iterator[Desk]:
    place = make_place(request.param, tmp_path, request)
    data = os.urandom(place.large_bytes)
    source = tmp_path / "0.result"
    source.write_bytes(data)
    desk = Desk(place, source, digest(data), processes)
    yield desk
    desk.end()
    place.let_go()


def on(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("desk", kinds, indirect=True)


def check_leftover(place: Place, expected: bool) -> None:
    """It is one at most, under the name that the documentation gives it."""
    left = place.leftovers()
    assert len(left) == expected
    if left and isinstance(place, Local):
        assert re.fullmatch(r"\.aspose-ocr-[0-9a-f]{16}-[0-9a-f]{32}\.part", left[0])
    elif left:
        assert left[0].endswith(NAME)


def check_kill(desk: Desk, before: bytes | None, leaves: bool) -> None:
    place = desk.place
    if before is not None:
        place.put(before)
    first = None if before is None else digest(before)
    with Reader(place) as reader:
        writer, _ = desk.start(place.stop_midway(desk.source))
        place.wait_stopped()
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        place.let_go()
        assert place.names() == ([] if before is None else [NAME])
        check_leftover(place, leaves)
        reader.look_again()
        assert reader.seen == [first]
        desk.retry()
        reader.look_again()
    assert reader.seen == [first, desk.sha256]


@on("local", "s3", "abfs")
@pytest.mark.parametrize("before", [None, OLD], ids=["new", "overwrites"])
def test_a_kill_in_the_middle(desk: Desk, before: bytes | None) -> None:
    check_kill(desk, before, leaves=True)


@on("s3-in-one-request", "abfs-in-one-request")
def test_a_kill_in_the_middle_of_the_only_request(desk: Desk) -> None:
    check_kill(desk, OLD, leaves=False)


@on("local", "s3", "abfs")
def test_an_exception_in_the_middle(desk: Desk) -> None:
    """A full disk, and a store that suddenly refuses."""
    place = desk.place
    with Reader(place) as reader:
        _, pipe = desk.start(**place.fail_midway())
        what, details = desk.answer(pipe)
        assert (what, details["error"], details["retryable"]) == ("error", "StorageError", True)
        place.let_go()
        assert place.names() == []
        check_leftover(place, isinstance(place, AzureBlob))
        reader.look_again()
        assert reader.seen == [None]
        desk.retry()
        reader.look_again()
    assert reader.seen == [None, desk.sha256]


@on("local", "s3", "abfs")
def test_a_garbage_collected_writer(desk: Desk) -> None:
    """A deadline interrupts the write, nothing refers to it any more, and the process goes on and ends normally."""
    place = desk.place
    with Reader(place) as reader:
        writer, pipe = desk.start(place.stop_midway(desk.source))
        place.wait_stopped()
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGUSR1)
        assert desk.answer(pipe) == ("interrupted", None)
        reader.look_again()
        assert reader.seen == [None]
        pipe.send("end")
        writer.join(_DEADLINE_SECONDS)
        assert writer.exitcode == 0
        place.let_go()
        assert place.names() == []
        check_leftover(place, not isinstance(place, Local))
        reader.look_again()
        assert reader.seen == [None]
        desk.retry()
        reader.look_again()
    assert reader.seen == [None, desk.sha256]


@on("local", "s3", "abfs")
def test_two_writers_of_one_name_do_not_mix(desk: Desk, tmp_path: Path) -> None:
    """A writer does not remove the other's unfinished file; in the end one of the two results is there, complete."""
    place = desk.place
    data = os.urandom(place.large_bytes)
    other = tmp_path / "1.result"
    other.write_bytes(data)
    with Reader(place) as reader:
        _, slow = desk.start(place.stop_midway(desk.source))
        place.wait_stopped()
        _, quick = desk.start(other, sha256=digest(data))
        assert desk.answer(quick)[0] == "manifest"
        reader.look_again()
        assert reader.seen == [None, digest(data)]
        check_leftover(place, not isinstance(place, AzureBlob))
        place.let_go()
        what, details = desk.answer(slow)
        # The first commit discards the uncommitted blocks of the other writer.
        if isinstance(place, AzureBlob):
            assert (what, details["error"], details["retryable"]) == ("error", "StorageError", True)
            reader.look_again()
            assert reader.seen == [None, digest(data)]
            desk.retry()
        else:
            assert what == "manifest"
        reader.look_again()
    assert reader.seen == [None, digest(data), desk.sha256]
    assert place.leftovers() == []


@on("local", "s3-in-one-request", "abfs-in-one-request")
def test_the_reader_would_notice(desk: Desk) -> None:
    """
    A writer that streams into the destination and is dropped publishes half a file: fsspec commits what was written so far.
    """
    with Reader(desk.place) as reader:
        _, pipe = desk.start(work=store_writer.stream)
        desk.answer(pipe)
        reader.look_again()
    half = desk.source.read_bytes()[: desk.place.large_bytes // 2]
    assert reader.seen[-1] == digest(half)
