"""
The journal on local disk, and in a store in memory that creates nothing atomically.

A second process is a second owner of the same folder, which acts at a chosen point of what the first one does.
"""

from __future__ import annotations

import errno
import json
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.errors import (
    JournalError,
    JournalFencedError,
    JournalMissingError,
    JournalUnreachableError,
)
from airflow_provider_asposeocr.batch.journal import Journal, delete_journal, read_journal, request_drain
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from tests.support.object_stores import attached

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASK = {"key": "0123456789abcdef", "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}
HEADER = {"documents": ["/in/a.png"], **TASK}


@pytest.fixture
def folder(tmp_path: Path) -> ObjectStoragePath:
    """Return the folder of a journal that does not exist yet."""
    return ObjectStoragePath(f"{tmp_path}/state/batches/0123456789abcdef/2")


@pytest.fixture
def journal(folder: ObjectStoragePath) -> Journal:
    """Return a journal that this process has begun."""
    return Journal.create(folder, HEADER).journal


def numbers(folder: ObjectStoragePath) -> list[int]:
    """Return the numbers of the records, in the order in which they are replayed."""
    return [record["n"] for record in read_journal(folder)[1]]


def files(folder: ObjectStoragePath) -> list[str]:
    return sorted(JournalFiles(folder).names())


def parts(folder: ObjectStoragePath) -> list[str]:
    return [name for name in files(folder) if not name.startswith("epochs/")]


def commit(journal: Journal, *records: int) -> None:
    journal.append([{"n": number} for number in records])


def once(act: Callable[[], Any]) -> Callable[[], None]:
    """Return a function that does something at its first call only."""
    todo = [act]
    return lambda: todo.pop()() if todo else None


class Storage:
    """Lets something happen before or after the calls of a journal's storage, or lets them fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def around(
        self, method: str, before: Callable[[], Any] | None = None, after: Callable[[], Any] | None = None
    ) -> None:
        original = getattr(JournalFiles, method)

        def call(files: JournalFiles, *args: Any) -> Any:
            if before is not None:
                before()
            result = original(files, *args)
            if after is not None:
                after()
            return result

        self._patch.setattr(JournalFiles, method, call)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Storage:
    """Return what steers the storage."""
    return Storage(monkeypatch)


def refuse() -> None:
    raise JournalUnreachableError("The journal cannot be written: the store is on fire.")


class TestCommits:
    def test_what_was_appended_is_read_in_its_order(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        commit(journal, 1, 2)
        commit(journal)
        commit(journal, 3)
        assert read_journal(folder) == (HEADER, [{"n": 1}, {"n": 2}, {"n": 3}])
        assert (journal.acknowledged, journal.parts_to_replay, len(parts(folder))) == (3, 2, 2)
        assert journal.uri == str(folder)

    def test_a_next_process_goes_on(self, folder: ObjectStoragePath, journal: Journal) -> None:
        commit(journal, 1)
        for number in (2, 3):
            opened = Journal.take_over(folder)
            assert opened.header == HEADER
            assert [record["n"] for record in opened.records] == list(range(1, number))
            assert (opened.journal.epoch, opened.journal.acknowledged) == (number, number - 1)
            commit(opened.journal, number)
        assert numbers(folder) == [1, 2, 3]

    def test_there_may_be_no_journal(self, folder: ObjectStoragePath) -> None:
        for opening in (Journal.take_over, read_journal, request_drain):
            with pytest.raises(JournalMissingError, match="no journal"):
                opening(folder)
        assert files(folder) == []

    def test_only_files_whose_names_say_so_are_parts(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        commit(journal, 1)
        (folder / "notes.jsonl").write_bytes(b"mine")
        assert numbers(folder) == [1]

    def test_reading_takes_nothing_over(self, folder: ObjectStoragePath, journal: Journal) -> None:
        before = files(folder)
        read_journal(folder)
        assert files(folder) == before


class TestFailedCommits:
    def test_the_records_go_out_again_under_the_next_number(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        commit(journal, 1)
        storage.around("write", before=once(refuse))
        with pytest.raises(JournalUnreachableError) as failed:
            commit(journal, 2)
        assert failed.value.retryable
        assert journal.acknowledged == 1
        commit(journal, 3)
        assert numbers(folder) == [1, 2, 3]
        assert journal.acknowledged == 3
        assert [name.split("-")[1] for name in parts(folder)] == ["000001", "000003"]

    def test_a_lost_answer_makes_no_record_twice(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        """The part is there, and the writer does not know it."""
        storage.around("write", after=once(refuse))
        with pytest.raises(JournalUnreachableError):
            commit(journal, 1)
        assert numbers(folder) == [1]
        commit(journal, 2)
        assert len(parts(folder)) == 2
        assert numbers(folder) == [1, 2]
        assert [record["n"] for record in Journal.take_over(folder).records] == [1, 2]

    def test_nor_does_one_that_arrives_after_a_snapshot(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        storage.around("write", after=once(refuse))
        with pytest.raises(JournalUnreachableError):
            commit(journal, 1)
        [delayed] = parts(folder)
        content = (folder / delayed).read_bytes()
        (folder / delayed).unlink()
        commit(journal, 2)
        journal.snapshot([{"n": 12}])
        (folder / delayed).write_bytes(content)
        commit(journal, 3)
        assert numbers(folder) == [12, 3]

    def test_a_store_that_fails_in_its_own_words_is_named(
        self, folder: ObjectStoragePath, journal: Journal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(JournalUnreachableError, match="No space left") as failed:
            commit(journal, 1)
        assert str(folder) in failed.value.message
        assert parts(folder) == []


class TestTakeOver:
    @pytest.mark.parametrize(("appended", "looked"), [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)])
    def test_an_intent_is_read_or_stopped(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage, appended: int, looked: int
    ) -> None:
        """
        The owner makes an intent durable and then looks; another process creates its epoch and then reads.

        All orders of these four: the owner's two steps happen before the other one's first (0), between (1), or after (2).
        """
        stopped: list[bool] = []

        def look() -> None:
            try:
                journal.check()
            except JournalFencedError:
                stopped.append(True)
            else:
                stopped.append(False)

        def owner(moment: int) -> None:
            if moment == appended:
                commit(journal, 1)
            if moment == looked:
                look()

        owner(0)
        between = once(lambda: owner(1))
        for step in ("create", "read"):  # After the one that comes first.
            storage.around(step, after=between)
        records = Journal.take_over(folder).records
        owner(2)
        assert len(stopped) == 1
        assert stopped == [True] or records == [{"n": 1}]

    def test_the_owner_stops_and_the_other_goes_on(self, folder: ObjectStoragePath, journal: Journal) -> None:
        journal.check()
        other = Journal.take_over(folder).journal
        with pytest.raises(JournalFencedError, match="taken over"):
            journal.check()
        other.check()

    def test_of_two_that_begin_at_once_the_first_ones_header_counts(
        self, folder: ObjectStoragePath, storage: Storage
    ) -> None:
        first: list[Journal] = []
        storage.around("create", before=once(lambda: first.append(Journal.create(folder, HEADER).journal)))
        second = Journal.create(folder, {"documents": ["/in/a.png", "/in/new.png"]})
        assert second.header == HEADER
        assert [first[0].epoch, second.journal.epoch] == [1, 2]
        with pytest.raises(JournalFencedError):
            first[0].check()

    def test_of_two_that_take_over_at_once_one_goes_on(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        others: list[Journal] = []
        storage.around("create", before=once(lambda: others.append(Journal.take_over(folder).journal)))
        others.append(Journal.take_over(folder).journal)
        assert sorted(other.epoch for other in others) == [2, 3]
        stopped = [other for other in (journal, *others) if _is_stopped(other)]
        assert [other.epoch for other in stopped] == [1, 2]

    def test_a_journal_that_is_there_is_not_begun_again(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        commit(journal, 1)
        opened = Journal.create(folder, {"documents": []})
        assert (opened.header, opened.records) == (HEADER, [{"n": 1}])

    def test_a_reference_that_a_stopped_process_writes_late_is_replayed(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        """It comes after all that the process which has taken over wrote, because that process does not know it."""
        commit(journal, 1)
        second = Journal.take_over(folder).journal
        second.snapshot([{"n": 10}])
        commit(journal, 2)
        commit(second, 3)
        assert numbers(folder) == [10, 3, 2]

    def test_where_creates_are_not_atomic_two_owners_of_an_epoch_are_found_out(
        self, storage: Storage
    ) -> None:
        store = attached("memory", "journals")
        folder = ObjectStoragePath("memory://journals@bucket/state/batches/k/2")
        first = Journal.create(folder, HEADER).journal
        first.check()
        path = "/bucket/state/batches/k/2/epochs/000001.jsonl"
        store.pipe_file(path, store.cat_file(path).replace(first._first.writer.encode(), b"f" * 32))
        with pytest.raises(JournalFencedError, match="Another process owns"):
            first.check()


def _is_stopped(journal: Journal) -> bool:
    try:
        journal.check()
    except JournalFencedError:
        return True
    return False


class TestDamage:
    @pytest.fixture
    def three(self, folder: ObjectStoragePath, journal: Journal) -> list[ObjectStoragePath]:
        """Return the files of three commits."""
        for number in (1, 2, 3):
            commit(journal, number)
        return [folder / name for name in parts(folder)]

    def test_half_a_line_at_the_end_is_a_commit_that_never_happened(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath], caplog: pytest.LogCaptureFixture
    ) -> None:
        three[-1].write_bytes(three[-1].read_bytes()[:-5])
        with caplog.at_level(logging.WARNING):
            opened = Journal.take_over(folder)
        assert opened.records == [{"n": 1}, {"n": 2}]
        assert three[-1].name in caplog.text
        commit(opened.journal, 4)
        assert numbers(folder) == [1, 2, 4]

    @pytest.mark.parametrize("damage", [b"", b"half a li"])
    def test_a_broken_part_elsewhere_is_named(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath], damage: bytes
    ) -> None:
        three[1].write_bytes(damage)
        self.check_error(folder, three[1].name, "cannot be read")

    def test_a_missing_part_is_named(self, folder: ObjectStoragePath, three: list[ObjectStoragePath]) -> None:
        three[0].unlink()
        self.check_error(folder, three[0].name, "is missing")

    def test_a_missing_header_is_named(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath]
    ) -> None:
        (folder / "epochs/000001.jsonl").unlink()
        self.check_error(folder, "epochs/000001.jsonl", "is missing")

    def test_a_part_of_another_version_is_named(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath]
    ) -> None:
        """Also as the last one, where a broken part would be passed over."""
        three[-1].write_bytes(three[-1].read_bytes().replace(b'"schema_version":1', b'"schema_version":2'))
        self.check_error(folder, three[-1].name, "schema version 2")

    def test_a_part_under_another_parts_name_is_named(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath]
    ) -> None:
        three[1].write_bytes(three[0].read_bytes())
        self.check_error(folder, three[1].name, "cannot be read")

    def test_lost_last_parts_are_noticed_by_their_number(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath]
    ) -> None:
        assert Journal.take_over(folder, at_least=3).journal.acknowledged == 3
        three[-1].unlink()
        with pytest.raises(JournalError, match="has 2 records, and 3 were written"):
            Journal.take_over(folder, at_least=3)

    def test_a_storage_that_does_not_answer_is_no_damage(
        self, folder: ObjectStoragePath, three: list[ObjectStoragePath], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def denied(*_: Any) -> None:
            raise PermissionError(errno.EACCES, "no")

        monkeypatch.setattr("airflow_provider_asposeocr.documents.atomic_create.read", denied)
        for opening in (Journal.take_over, read_journal):
            with pytest.raises(JournalUnreachableError, match="PermissionError"):
                opening(folder)

    def test_a_header_that_was_cut_while_it_was_begun_is_begun_again(self, folder: ObjectStoragePath) -> None:
        """
        On a file system without hard links, the process that begins a journal may die when half of its header is written.
        """
        path = folder / "epochs/000001.jsonl"
        path.parent.mkdir(parents=True)
        path.write_bytes(b'{"schema_ver')
        opened = Journal.create(folder, HEADER)
        assert (opened.header, opened.records) == (HEADER, [])
        commit(opened.journal, 1)
        assert numbers(folder) == [1]

    def check_error(self, folder: ObjectStoragePath, *words: str) -> None:
        for opening in (Journal.take_over, read_journal, lambda path: Journal.create(path, HEADER)):
            with pytest.raises(JournalError) as failed:
                opening(folder)
            assert all(word in failed.value.message for word in words), failed.value.message
            assert (failed.value.retryable, failed.value.billed) == (False, "maybe")


class TestSnapshots:
    def test_a_snapshot_replaces_all_parts(self, folder: ObjectStoragePath, journal: Journal) -> None:
        for number in (1, 2, 3):
            commit(journal, number)
        journal.snapshot([{"n": 123}])
        assert len(parts(folder)) == journal.parts_to_replay == 1
        commit(journal, 4)
        assert numbers(folder) == [123, 4]
        assert read_journal(folder)[0] == HEADER
        assert Journal.take_over(folder, at_least=4).journal.acknowledged == journal.acknowledged == 4

    def test_also_those_of_the_processes_before(self, folder: ObjectStoragePath, journal: Journal) -> None:
        commit(journal, 1)
        Journal.take_over(folder)
        third = Journal.take_over(folder).journal
        third.snapshot([{"n": 11}])
        assert len(files(folder)) == 3  # The header, the epoch, the snapshot.
        assert numbers(folder) == [11]

    def test_a_kill_before_the_parts_are_deleted(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        commit(journal, 1)
        with pytest.MonkeyPatch.context() as patch:
            Storage(patch).around("delete", before=die)
            with pytest.raises(KilledError):
                journal.snapshot([{"n": 11}])
        assert len(parts(folder)) == 2
        opened = Journal.take_over(folder)
        assert opened.records == [{"n": 11}]
        opened.journal.snapshot([{"n": 12}])
        assert len(parts(folder)) == 1

    def test_a_process_that_was_taken_over_from_deletes_nothing(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        commit(journal, 1)
        others: list[Journal] = []
        storage.around("write", before=once(lambda: others.append(Journal.take_over(folder).journal)))
        with pytest.raises(JournalFencedError):
            journal.snapshot([{"n": 11}])
        assert len(parts(folder)) == 2
        commit(others[0], 2)
        assert numbers(folder) == [11, 2]

    def test_a_failed_commit_goes_out_before_the_snapshot(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        storage.around("write", before=once(refuse))
        with pytest.raises(JournalUnreachableError):
            commit(journal, 1)
        journal.snapshot([{"n": 10}])
        assert journal.acknowledged == 1

    def test_a_snapshot_that_fails_leaves_the_parts(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        commit(journal, 1)
        storage.around("write", before=once(refuse))
        with pytest.raises(JournalUnreachableError):
            journal.snapshot([{"n": 10}])
        commit(journal, 2)
        assert numbers(folder) == [1, 2]

    def test_parts_that_cannot_be_deleted_are_deleted_later(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage, caplog: pytest.LogCaptureFixture
    ) -> None:
        commit(journal, 1)
        storage.around("delete", before=once(refuse))
        with caplog.at_level(logging.WARNING):
            journal.snapshot([{"n": 10}])
        assert "next snapshot" in caplog.text
        journal.snapshot([{"n": 11}])
        assert len(parts(folder)) == 1

    def test_a_reader_sees_all_while_the_owner_deletes(
        self, folder: ObjectStoragePath, journal: Journal, storage: Storage
    ) -> None:
        """The reader has listed the old parts when the owner replaces them."""
        commit(journal, 1)
        storage.around("names", after=once(lambda: journal.snapshot([{"n": 11}])))
        assert numbers(folder) == [11]


class KilledError(BaseException):
    """The process dies."""


def die() -> None:
    raise KilledError


class TestMarks:
    def test_the_owner_sees_a_drain(self, folder: ObjectStoragePath, journal: Journal) -> None:
        assert not journal.check().drain
        request_drain(folder)
        assert journal.check().drain
        request_drain(folder)
        assert journal.check().drain

    def test_a_resumed_try_is_drained_and_a_retry_goes_on(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        request_drain(folder)
        assert Journal.take_over(folder, resumes=True).journal.check().drain
        assert not Journal.take_over(folder).journal.check().drain
        assert not Journal.take_over(folder, resumes=True).journal.check().drain


class TestDeletion:
    def test_nothing_is_left(self, folder: ObjectStoragePath, journal: Journal, tmp_path: Path) -> None:
        commit(journal, 1)
        request_drain(folder)
        (folder / ".aspose-ocr-0123.part").write_bytes(b"a killed writer's")
        journal.delete()
        assert list((tmp_path / "state/batches").iterdir()) == []
        delete_journal(folder)

    def test_a_foreign_file_stays(self, folder: ObjectStoragePath, journal: Journal) -> None:
        (folder / "mine.txt").write_bytes(b"mine")
        journal.delete()
        assert files(folder) == ["mine.txt"]

    def test_a_process_that_wakes_up_afterwards_sends_nothing(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        Journal.take_over(folder).journal.delete()
        commit(journal, 1)
        with pytest.raises(JournalFencedError, match="finished"):
            journal.check()

    @pytest.mark.parametrize("deletions", [0, 1])
    def test_nor_does_one_that_wakes_up_meanwhile(
        self, folder: ObjectStoragePath, journal: Journal, deletions: int
    ) -> None:
        """The process that deletes is killed before a deletion; what is left must not look like a journal."""
        second = Journal.take_over(folder).journal
        todo: list[Callable[[], None]] = [die, *[lambda: None] * deletions]
        with pytest.MonkeyPatch.context() as patch:
            Storage(patch).around("delete", before=lambda: todo.pop()())
            with pytest.raises(KilledError):
                second.delete()
        commit(journal, 1)
        with pytest.raises(JournalFencedError):
            journal.check()
        for opening in (Journal.take_over, read_journal, request_drain):
            with pytest.raises(JournalMissingError):
                opening(folder)

    def test_also_if_the_higher_epoch_was_deleted_first(
        self, folder: ObjectStoragePath, journal: Journal
    ) -> None:
        """A store deletes many files in any order; then a process is killed."""
        second = Journal.take_over(folder).journal
        delete = JournalFiles.delete

        def half(files: JournalFiles, names: Any) -> None:
            delete(files, ["epochs/000002.jsonl"])
            raise KilledError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(JournalFiles, "delete", half)
            with pytest.raises(KilledError):
                second.delete()
        commit(journal, 1)
        with pytest.raises(JournalFencedError, match="finished"):
            journal.check()


def test_a_part_is_json_lines(folder: ObjectStoragePath, journal: Journal) -> None:
    """People read it with jq, and so it stays."""
    commit(journal, 1)
    head, record = [json.loads(line) for line in (folder / parts(folder)[0]).read_bytes().splitlines()]
    assert record == {"n": 1}
    assert {
        name: head[name] for name in ("schema_version", "epoch", "sequence", "records", "acknowledged")
    } == {
        "schema_version": 1,
        "epoch": 1,
        "sequence": 1,
        "records": 1,
        "acknowledged": 0,
    }
    assert head["identity"] == TASK
    assert head["after"] == ["epochs/000001.jsonl"]
