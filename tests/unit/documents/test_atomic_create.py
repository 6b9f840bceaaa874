from __future__ import annotations

import errno
import hashlib
import json
import logging
import multiprocessing
import os
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.documents import atomic_create
from airflow_provider_asposeocr.documents.atomic_create import create_or_read, is_atomic, read, replace
from airflow_provider_asposeocr.documents.blocks import BLOCK_BYTES
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

PROCESSES, ROUNDS = 16, 25


def _create_all(folder: str, rounds: int, number: int, start: Barrier) -> None:
    won = []
    for round in range(rounds):
        mine = json.dumps({"writer": uuid4().hex, "padding": "x" * 5000}).encode()
        start.wait(PATIENCE_SECONDS)
        found = create_or_read(ObjectStoragePath(f"{folder}/names/{round}.json"), mine)
        assert json.loads(found)["padding"] == "x" * 5000  # complete, from any of the writers
        if found == mine:
            won.append(round)
    with open(f"{folder}/{number}.won", "w") as stream:
        json.dump(won, stream)


class TestLocally:
    def test_of_sixteen_processes_one_creates_each_name(self, tmp_path: Path) -> None:
        context = multiprocessing.get_context("fork")
        start = context.Barrier(PROCESSES)
        processes = [
            context.Process(target=_create_all, args=(str(tmp_path), ROUNDS, number, start))
            for number in range(PROCESSES)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0] * PROCESSES
        won = [round for path in tmp_path.glob("*.won") for round in json.loads(path.read_text())]
        assert sorted(won) == list(range(ROUNDS))
        assert all(not name.startswith(".") for name in os.listdir(tmp_path / "names"))

    def test_of_two_that_have_found_nothing_one_creates_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both have written their bytes before either publishes them; what looks first and writes then has two winners."""
        path, fsync, both = ObjectStoragePath(f"{tmp_path}/record.json"), os.fsync, threading.Barrier(2)
        met: set[int] = set()

        def wait_for_the_other(descriptor: int) -> None:
            fsync(descriptor)
            if threading.get_ident() not in met:
                met.add(threading.get_ident())
                both.wait(PATIENCE_SECONDS)

        monkeypatch.setattr(os, "fsync", wait_for_the_other)
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(lambda data: create_or_read(path, data), (b"one", b"two")))
        assert len(met) == 2
        assert found in ([b"one"] * 2, [b"two"] * 2)

    def test_its_content_is_on_the_disk_before_its_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a power failure, a record without content would stop its document for ever."""
        done: list[str] = []
        fsync, link = os.fsync, os.link

        def noted_fsync(descriptor: int) -> None:
            done.append("fsync")
            fsync(descriptor)

        def noted_link(*given: Any) -> None:
            done.append("link")
            link(*given)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "link", noted_link)
        create_or_read(ObjectStoragePath(f"{tmp_path}/record.json"), b"1")
        assert done[:2] == ["fsync", "link"]

    def test_what_is_there_stays_and_is_returned(self, tmp_path: Path) -> None:
        path = ObjectStoragePath(f"{tmp_path}/a/b/record.json")
        assert create_or_read(path, b"first") == b"first"
        assert create_or_read(path, b"second") == b"first"
        assert read(path) == b"first"
        assert os.listdir(tmp_path / "a" / "b") == ["record.json"]

    def test_a_file_system_without_links_does_as_well(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: Any) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
        path = ObjectStoragePath(f"{tmp_path}/record.json")
        assert create_or_read(path, b"first") == b"first"
        assert create_or_read(path, b"second") == b"first"

    def test_a_folder_that_cannot_be_written_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match="file"):
            create_or_read(ObjectStoragePath(f"{tmp_path}/file/record.json"), b"x")

    def test_who_reads_a_file_that_is_replaced_reads_the_old_one_whole(self, tmp_path: Path) -> None:
        path = ObjectStoragePath(f"{tmp_path}/manifest.jsonl")
        replace(path, b"old" * 10)
        with open(tmp_path / "manifest.jsonl", "rb", buffering=0) as reader:
            begin = reader.read(3)
            replace(path, b"new")
            assert begin + reader.read() == b"old" * 10
        assert read(path) == b"new"

    def test_replacing_is_possible_too(self, tmp_path: Path) -> None:
        path = ObjectStoragePath(f"{tmp_path}/new/record.json")
        for data in (b"first", b"second"):
            replace(path, data)
            assert read(path) == data
        assert os.listdir(tmp_path / "new") == ["record.json"]


class TestReplacingInAStore:
    @pytest.fixture
    def store(self) -> Store:
        return attached("s3", "pieces")

    def test_what_is_large_is_uploaded_from_local_disk_and_never_whole_in_memory(self, store: Store) -> None:
        piece, count = os.urandom(256 * 1024), 4 * BLOCK_BYTES // (256 * 1024)
        written: list[bytes] = []
        store.put_file = lambda local, path, **_: written.append(digest_of(local))  # type: ignore[method-assign]

        tracemalloc.start()
        try:
            replace(ObjectStoragePath("s3://pieces@bucket/snapshot.jsonl"), (piece for _ in range(count)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert written == [hashlib.sha256(piece * count).digest()]
        assert peak < 1.5 * BLOCK_BYTES
        assert store.files() == {}

    def test_what_is_small_is_one_request(self, store: Store) -> None:
        replace(ObjectStoragePath("s3://pieces@bucket/part.jsonl"), iter((b"one ", b"two")))
        assert store.files() == {"/bucket/part.jsonl": b"one two"}
        assert not [call for call in store.calls if call.startswith("put_file")]

    def test_pieces_that_break_off_leave_no_file(self, store: Store) -> None:
        def broken() -> Iterator[bytes]:
            yield b"x" * 2 * BLOCK_BYTES
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            replace(ObjectStoragePath("s3://pieces@bucket/part.jsonl"), broken())
        assert store.files() == {}


def digest_of(local: str) -> bytes:
    with open(local, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


class Odd(Store):
    """
    A store whose answers to creates the test chooses.

    :param errors: What each create raises in turn; ``None`` = it does as it should.
    :param stores: Whether a create that raises has stored its object all the same.
    :param honours: Whether it honours the condition.
    """

    def __init__(self, errors: list[Exception | None], stores: bool = False, honours: bool = True) -> None:
        super().__init__()
        self.errors, self.stores, self.honours = errors, stores, honours
        self.creates = 0

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        if mode == "create":
            self.creates += 1
            error = self.errors.pop(0) if self.errors else None
            if error is not None and not self.stores:
                raise error
            super().pipe_file(path, value, mode if self.honours else "overwrite", **kwargs)
            if error is not None:
                raise error
            return
        super().pipe_file(path, value, mode, **kwargs)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic_create, "_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(atomic_create, "_honoured", {})


def odd(errors: list[Exception | None], **kind: bool) -> tuple[ObjectStoragePath, Odd]:
    from airflow.sdk.io import attach
    from airflow.sdk.io.store import _STORE_CACHE

    _STORE_CACHE.pop("s3-odd", None)
    store = Odd(errors, **kind)
    attach("s3", conn_id="odd", fs=store)
    return ObjectStoragePath("s3://odd@bucket/folder/record.json"), store


class Remembering(Odd):
    """A store that looks for a file's size in an old listing, as s3fs does, unless it reads in one request."""

    def cat_file(
        self,
        path: str,
        start: int | None = None,
        end: int | None = None,
        max_concurrency: int = 10,
        **kwargs: Any,
    ) -> bytes:
        if max_concurrency > 1:
            raise FileNotFoundError(path)
        content: bytes = super().cat_file(path, start, end, **kwargs)
        return content


class TestObjectStores:
    def test_a_file_is_read_that_an_old_listing_does_not_have(self) -> None:
        from airflow.sdk.io import attach
        from airflow.sdk.io.store import _STORE_CACHE

        _STORE_CACHE.pop("s3-odd", None)
        attach("s3", conn_id="odd", fs=Remembering([]))
        path = ObjectStoragePath("s3://odd@bucket/folder/record.json")
        assert create_or_read(path, b"another's") == b"another's"
        assert create_or_read(path, b"mine") == b"another's"

    def test_the_answer_that_was_lost_is_read_back(self) -> None:
        """The library sends the request again, and the store refuses it because of the first one."""
        path, _ = odd([FileExistsError()], stores=True)
        assert create_or_read(path, b"mine") == b"mine"

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.EBUSY])
    def test_a_refusal_in_other_words_is_one(self, number: int) -> None:
        path, store = odd([OSError(number, "PreconditionFailed")])
        store.pipe_file("bucket/folder/record.json", b"another's")
        assert create_or_read(path, b"mine") == b"another's"

    def test_a_conflict_is_tried_again(self) -> None:
        path, store = odd([OSError(errno.EBUSY, "ConditionalRequestConflict"), FileExistsError(), None])
        assert create_or_read(path, b"mine") == b"mine"
        assert store.creates == 3

    def test_a_conflict_without_end_is_an_error(self) -> None:
        path, _ = odd([OSError(errno.EBUSY, "ConditionalRequestConflict")] * 99)
        with pytest.raises(OSError, match="ConditionalRequestConflict"):
            create_or_read(path, b"mine")

    def test_another_error_is_not_a_refusal(self) -> None:
        path, store = odd([PermissionError(errno.EACCES, "no")])
        with pytest.raises(PermissionError):
            create_or_read(path, b"mine")
        assert store.creates == 1

    def test_one_that_honours_the_condition_is_asked_once_per_process(self) -> None:
        path, store = odd([])
        assert [is_atomic(path) for _ in range(3)] == [True] * 3
        assert store.creates == 2
        atomic_create._honoured.clear()  # the next process
        assert is_atomic(path)
        assert store.creates == 3

    def test_one_that_ignores_it_is_found_out(self, caplog: pytest.LogCaptureFixture) -> None:
        path, _ = odd([], honours=False)
        with caplog.at_level(logging.WARNING):
            assert not is_atomic(path)
            assert not is_atomic(path)
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "ignores the condition" in caplog.text

    def test_other_storages_look_first_and_write_then(self) -> None:
        attached("memory", "other")
        path = ObjectStoragePath("memory://other@bucket/folder/record.json")
        assert not is_atomic(path)
        assert create_or_read(path, b"first") == b"first"
        assert create_or_read(path, b"second") == b"first"
