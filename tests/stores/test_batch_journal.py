"""
The journal of a batch on real object stores: owners in processes of their own, each with its own client and its own cache.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
import store_writer
from store_kinds import S3, AzureBlob, Local, Place

from airflow_provider_asposeocr.batch.errors import JournalMissingError
from airflow_provider_asposeocr.batch.journal import Journal, read_journal, request_drain
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.journals import sweep
from airflow_provider_asposeocr.batch.parts import journal_folder_name
from airflow_provider_asposeocr.documents.file_systems import object_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerContext
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

PROCESSES = 8
_DEADLINE_SECONDS = 140.0
#: So large that the gate takes a part for an upload, and half of it does not fit into the buffers of the kernel.
PADDING = "x" * 16_000_000


class Owner:
    """A process that owns a journal."""

    def __init__(self, place: Place, processes: ForkServerContext, folder: str, number: int) -> None:
        ours, theirs = processes.Pipe()
        job = {"environment": place.environment, "folder": folder, "number": number}
        self.process: BaseProcess = processes.Process(target=store_writer.own_journal, args=(job, theirs))
        self.process.start()
        theirs.close()
        self._pipe: Connection = ours

    def answer(self) -> Any:
        assert self._pipe.poll(_DEADLINE_SECONDS), "The process says nothing."
        return self._pipe.recv()

    def send(self, method: str, *args: Any) -> None:
        self._pipe.send((method, *args))

    def do(self, method: str, *args: Any) -> Any:
        self.send(method, *args)
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class Owners:
    """All processes of a test, and the folder of their journal."""

    def __init__(self, place: Place, processes: ForkServerContext) -> None:
        self.place, self._processes = place, processes
        self.state = object_path(place.uri.rpartition("/")[0] + "/.aspose-ocr")
        self.folder: ObjectStoragePath = self.state / journal_folder_name("0123456789abcdef", 2)
        self._running: list[Owner] = []

    def start(self) -> Owner:
        owner = Owner(self.place, self._processes, str(self.folder), len(self._running))
        self._running.append(owner)
        return owner

    def end(self) -> None:
        for owner in self._running:
            owner.kill()


@pytest.fixture(params=["local", "s3", "abfs"])
def owners(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    processes: ForkServerContext,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Owners]:
    """Return the processes that own a journal, one after the other or at once."""
    if request.param == "local":
        place: Place = Local(tmp_path)
    elif request.param == "s3":
        place = S3(request.getfixturevalue("s3_server"), stop_at=1)
    else:
        place = AzureBlob(request.getfixturevalue("azure_server"), stop_at=1)
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    owners = Owners(place, processes)
    yield owners
    owners.end()
    place.let_go()


def numbers(owners: Owners) -> list[int]:
    return [record["n"] for record in read_journal(owners.folder)[1]]


def test_a_journal_goes_from_process_to_process(owners: Owners) -> None:
    first = owners.start()
    assert first.answer() == (1, {"key": "k", "documents": [0]}, [])
    first.do("append", [{"n": 1}, {"n": 2}])
    assert not first.do("check").drain
    second = owners.start()
    epoch, header, records = second.answer()
    assert (epoch, header, records) == (2, {"key": "k", "documents": [0]}, [{"n": 1}, {"n": 2}])
    # The first one has listed the folder before: its library would answer from that.
    assert first.do("check") == ("JournalFencedError", True)
    first.do("append", [{"n": 3}])  # An answer of the cloud that it still waited for.
    second.do("append", [{"n": 4}])
    request_drain(owners.folder)
    assert second.do("check").drain
    # The second one did not know of 3 when it began, so that comes after what it has written.
    assert numbers(owners) == [1, 2, 4, 3]
    second.do("snapshot", [{"n": 124}])
    assert numbers(owners) == [124, 3]
    third = owners.start()
    assert third.answer()[2] == [{"n": 124}, {"n": 3}]
    third.do("append", [{"n": 5}])
    third.do("snapshot", [{"n": 12345}])
    assert numbers(owners) == [12345]
    third.do("delete")
    with pytest.raises(JournalMissingError):
        read_journal(owners.folder)
    assert second.do("check") == ("JournalFencedError", True)
    assert owners.place.names() == []


def test_of_those_that_begin_at_once_one_goes_on(owners: Owners) -> None:
    several = [owners.start() for _ in range(PROCESSES)]
    answers = [owner.answer() for owner in several]
    assert len({answer[0] for answer in answers}) == PROCESSES
    assert len({str(answer[1]) for answer in answers}) == 1
    last = max(answer[0] for answer in answers)
    for owner, (epoch, _, _) in zip(several, answers, strict=True):
        owner.do("append", [{"n": epoch}])
        answer = owner.do("check")
        assert (answer == ("JournalFencedError", True)) is (epoch != last), (epoch, answer)
    assert sorted(numbers(owners)) == sorted(answer[0] for answer in answers)


def test_a_sweep_takes_what_killed_processes_have_left(owners: Owners) -> None:
    first = owners.start()
    first.answer()
    first.do("append", [{"n": 1}])
    first.kill()
    late = Journal.take_over(owners.folder).journal
    assert sweep(owners.state, lambda header: False, now=lambda: 1000.0) == 0
    assert sweep(owners.state, lambda header: header["key"] == "k", now=lambda: 2000.0) == 1
    late.append([{"n": 2}])
    assert sweep(owners.state, lambda header: header["key"] == "k", now=lambda: 3000.0) == 1
    assert JournalFiles(owners.state / "batches").names() == {"swept.json"}


@pytest.mark.parametrize("owners", ["s3", "abfs"], indirect=True)
def test_a_kill_in_the_middle_of_a_commit_leaves_nothing_of_it(owners: Owners) -> None:
    first = owners.start()
    first.answer()
    first.do("append", [{"n": 1}])
    owners.place.stop_midway(None)
    first.send("append", [{"n": 2, "padding": PADDING}])
    owners.place.wait_stopped()
    first.kill()
    assert first.process.exitcode == -signal.SIGKILL
    owners.place.let_go()
    second = owners.start()
    assert second.answer()[2] == [{"n": 1}]
    second.do("append", [{"n": 3}])
    assert numbers(owners) == [1, 3]


@pytest.mark.parametrize("owners", ["s3", "abfs"], indirect=True)
def test_what_the_store_refuses_goes_out_with_the_next_commit(owners: Owners) -> None:
    first = owners.start()
    first.answer()
    owners.place.fail_midway()
    assert first.do("append", [{"n": 1, "padding": PADDING}]) == ("JournalUnreachableError", True)
    owners.place.let_go()
    assert numbers(owners) == []
    first.do("append", [{"n": 2}])
    assert numbers(owners) == [1, 2]
