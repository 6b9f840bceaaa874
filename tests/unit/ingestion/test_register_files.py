"""The records of the register on local disk and in stores: whole, created once, and never answered from memory."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.documents import atomic_create
from airflow_provider_asposeocr.ingestion import register_files
from airflow_provider_asposeocr.ingestion.errors import RegisterError, RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.register import RecordName
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import (
    ClaimRecord,
    JournalPlace,
    ReleasedRecord,
    Source,
    parse_register_record,
)
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0123456789ab"
OTHER = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-ba9876543210"
PROCESSES, ROUNDS = 16, 25


def claim_of(index: int = 0) -> ClaimRecord:
    return ClaimRecord(
        at="2026-03-01T00:00:00+00:00",
        place=JournalPlace(journal="/state/batches/k/0/", index=index),
        installation="",
        dag_id="dag",
        run_id="run",
        task_id="task",
        map_index=-1,
        source=Source(uri="/in/page.png", bytes=3, sha256="00", version=None),
    )


def _claim_all(folder: str, number: int, start: Barrier) -> None:
    register, won = RegisterFiles(f"{folder}/"), []
    for n in range(1, ROUNDS + 1):
        mine = claim_of(number)
        start.wait(PATIENCE_SECONDS)
        content = register.create(RecordName(KEY, n, "claim"), mine)
        found = parse_register_record(ClaimRecord, content, "the claim")  # complete, from any of the writers
        if found.writer == mine.writer:
            won.append(n)
    with open(f"{folder}/{number}.won", "w") as stream:
        json.dump(won, stream)


class TestLocally:
    def test_of_sixteen_processes_one_has_each_claim(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        start = context.Barrier(PROCESSES)
        processes = [
            context.Process(target=_claim_all, args=(str(tmp_path), number, start))
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0] * PROCESSES
        won = [n for path in tmp_path.glob("*.won") for n in json.loads(path.read_text())]
        assert sorted(won) == list(range(1, ROUNDS + 1))
        assert len(RegisterFiles(f"{tmp_path}/").look(KEY)) == ROUNDS

    def test_a_look_tells_the_records_of_one_document(self, tmp_path: Path) -> None:
        register = RegisterFiles(f"{tmp_path}/")
        assert register.look(KEY) == []
        for key, n in ((KEY, 1), (KEY, 12), (OTHER, 1)):
            register.create(RecordName(key, n, "claim"), claim_of())
        register.create(RecordName(KEY, 1, "released"), released())
        assert sorted(register.look(KEY)) == [
            RecordName(KEY, 1, "claim"),
            RecordName(KEY, 1, "released"),
            RecordName(KEY, 12, "claim"),
        ]
        assert sorted(register.all_names())[-1] == RecordName(OTHER, 1, "claim")

    def test_a_record_is_never_changed(self, tmp_path: Path) -> None:
        register, name = RegisterFiles(f"{tmp_path}/"), RecordName(KEY, 1, "claim")
        first, second = claim_of(1), claim_of(2)
        assert register.create(name, first) == first.to_bytes()
        assert register.create(name, second) == first.to_bytes()
        assert register.read(name) == first.to_bytes()
        assert register.read(RecordName(KEY, 2, "claim")) is None

    def test_its_age_is_told_by_the_store_alone(self, tmp_path: Path) -> None:
        """A machine whose clock is wrong by a day does not take over a claim that is an hour old."""
        now = [50.0]
        register, name = RegisterFiles(f"{tmp_path}/", monotonic=lambda: now[0]), RecordName(KEY, 1, "claim")
        register.create(name, claim_of())
        path = tmp_path / "documents" / name.text
        os.utime(path, (path.stat().st_mtime - 3600,) * 2)
        assert register.age_seconds(name) == pytest.approx(3600, abs=60)
        now[0] += 1000
        assert register.age_seconds(name) == pytest.approx(4600, abs=60)
        assert register.age_seconds(RecordName(KEY, 2, "claim")) == 0

    def test_the_clock_of_this_machine_does_not_count(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        register, name = RegisterFiles(f"{tmp_path}/"), RecordName(KEY, 1, "claim")
        register.create(name, claim_of())
        monkeypatch.setattr(register_files, "time", SimpleNamespace(time=lambda: 4_000_000_000.0))
        assert register.age_seconds(name) == pytest.approx(0, abs=60)

    def test_a_register_that_cannot_be_written_is_an_error_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "documents").write_text("a file where a folder must be")
        with pytest.raises(RegisterError, match="cannot be written") as raised:
            RegisterFiles(f"{tmp_path}/").check()
        assert not isinstance(raised.value, RegisterUnreachableError)
        assert (raised.value.billed, raised.value.retryable) == ("no", False)

    def test_a_local_register_is_atomic(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        register = RegisterFiles(f"{tmp_path}/")
        assert [register.check(), register.check()] == [True, True]
        assert caplog.records == []


def released() -> ReleasedRecord:
    return ReleasedRecord(at="now", place=JournalPlace(journal="/j/", index=0), why="the batch has ended")


class Honouring(Store):
    """A store that refuses to create what is there, as S3 does."""

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        self._note("pipe_file", path)
        if mode == "create" and self._strip_protocol(path) in self.store:
            raise FileExistsError(path)
        super().pipe_file(path, value, **kwargs)

    def find(
        self, path: str, maxdepth: Any = None, withdirs: bool = False, detail: bool = False, **kwargs: Any
    ) -> Any:
        self._note("find", f"{path} {kwargs.get('prefix', '')}")
        prefix = f"{self._strip_protocol(path)}/{kwargs.get('prefix', '')}"
        return sorted(name for name in self.store if name.startswith(prefix))


class Ignoring(Honouring):
    """A store that takes the condition and does not look at it."""

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        super().pipe_file(path, value, **kwargs)


class TestStores:
    def test_a_store_that_ignores_the_condition_is_found(self, caplog: pytest.LogCaptureFixture) -> None:
        attached("s3", "ignoring", kind=Ignoring)
        assert not RegisterFiles("s3://ignoring@bucket/register/").check()
        assert "max_active_runs=1" in caplog.text

    def test_one_that_honours_it_is_not_warned_about(self, caplog: pytest.LogCaptureFixture) -> None:
        attached("s3", "honouring", kind=Honouring)
        assert RegisterFiles("s3://honouring@bucket/register/").check()
        assert caplog.records == []

    def test_other_storages_are_warned_about(self, caplog: pytest.LogCaptureFixture) -> None:
        attached("sftp", "other", kind=Honouring)
        assert not RegisterFiles("sftp://other@host/register/").check()
        assert "max_active_runs=1" in caplog.text

    def test_a_look_is_one_request(self) -> None:
        store = attached("s3", "counting", kind=Honouring)
        register = RegisterFiles("s3://counting@bucket/register/")
        register.create(RecordName(KEY, 1, "claim"), claim_of())
        store.calls.clear()
        assert register.look(KEY) == [RecordName(KEY, 1, "claim")]
        assert len(store.calls) == 1
        assert f"9f {KEY}." in store.calls[0]

    def test_a_look_asks_the_store_afresh(self) -> None:
        """Libraries answer from listings that the process has made before, without limit of time."""

        class Remembering(Honouring):
            kept: Any = None

            def invalidate_cache(self, path: str | None = None) -> None:
                self.kept = None

            def find(self, *args: Any, **kwargs: Any) -> Any:
                if self.kept is None:
                    self.kept = super().find(*args, **kwargs)
                return self.kept

        attached("s3", "remembering", kind=Remembering)
        register = RegisterFiles("s3://remembering@bucket/register/")
        assert register.look(KEY) == []
        register.create(RecordName(KEY, 1, "claim"), claim_of())
        assert register.look(KEY) == [RecordName(KEY, 1, "claim")]

    def test_a_create_of_ours_that_was_refused_is_ours(self) -> None:
        """The library repeats a request whose answer was lost, and the store refuses the second for the first."""

        class Repeating(Honouring):
            def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
                super().pipe_file(path, value, mode, **kwargs)
                super().pipe_file(path, value, mode, **kwargs)

        attached("s3", "repeating", kind=Repeating)
        register, mine = RegisterFiles("s3://repeating@bucket/register/"), claim_of()
        assert register.create(RecordName(KEY, 1, "claim"), mine) == mine.to_bytes()

    def test_a_store_that_does_not_answer_is_worth_a_retry(self) -> None:
        attached("s3", "burning", "pipe_file", kind=Honouring)
        with pytest.raises(RegisterUnreachableError, match="on fire"):
            RegisterFiles("s3://burning@bucket/register/").check()


def test_a_create_that_looks_first_and_writes_then_has_two_winners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What this test guards: with fsspec's own create, both of two batches would have the claim, and send the document.

    Both have looked before either writes, which a barrier sees to.
    """
    barrier = threading.Barrier(2)
    exists = LocalFileSystem.exists

    def looked_by_both(fs: LocalFileSystem, path: str, **options: Any) -> bool:
        found: bool = exists(fs, path, **options)
        barrier.wait(10)
        return found

    monkeypatch.setattr(LocalFileSystem, "exists", looked_by_both)

    def winners() -> int:
        register, mine, won = RegisterFiles(f"{tmp_path}/"), [claim_of(0), claim_of(1)], []

        def create(record: ClaimRecord) -> None:
            won.append(register.create(RecordName(KEY, 1, "claim"), record) == record.to_bytes())

        threads = [threading.Thread(target=create, args=(record,)) for record in mine]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(won)

    assert winners() == 1
    (tmp_path / "documents" / RecordName(KEY, 1, "claim").text).unlink()
    monkeypatch.setattr(
        atomic_create, "_create", lambda path, data: path.fs.pipe_file(path.path, data, mode="create")
    )
    assert winners() == 2


class TestRecords:
    def test_a_record_of_a_newer_version_is_an_error(self) -> None:
        content = json.dumps({**json.loads(claim_of().to_bytes()), "schema_version": 2}).encode()
        with pytest.raises(RegisterError, match="schema_version"):
            parse_register_record(ClaimRecord, content, "s3://bucket/claim.json")

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}"])
    def test_a_broken_one_is_an_error(self, content: bytes) -> None:
        with pytest.raises(AsposeOcrError, match="cannot be read"):
            parse_register_record(ClaimRecord, content, "s3://bucket/claim.json")

    def test_a_record_is_what_it_was(self) -> None:
        claim = claim_of(7)
        assert parse_register_record(ClaimRecord, claim.to_bytes(), "") == claim


def test_a_folder_with_signs_of_patterns_is_a_folder() -> None:
    """
    Else no record is found in it, and each batch sends the document again. The scheme is one of a storage that fsspec alone
    knows how to list.
    """
    attached("sftp", "register_signs")
    register = RegisterFiles("sftp://register_signs@host/data [2026]/")
    register.create(RecordName(KEY, 1, "claim"), claim_of())
    assert [name.n for name in register.look(KEY)] == [1]
    assert [name.n for name in register.look_for_content(KEY.partition("-")[0])] == [1]
