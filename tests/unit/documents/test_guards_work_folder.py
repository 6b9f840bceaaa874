"""Local writers remove the files of ended writers, and never those of running ones."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.files import work_folder
from airflow_provider_asposeocr.api.files.work_folder import lock_file, remove_abandoned
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.documents.destinations import store
from tests.support.stored_results import REF, done, listing, result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def left_of(out: Path, name: str) -> Path:
    """Make what a writer of a file has left that was killed."""
    out.mkdir(exist_ok=True)
    path = out / f".aspose-ocr-{hashlib.sha256(name.encode()).hexdigest()[:16]}-{'0' * 32}.part"
    path.write_text("half a result")
    return path


class TestSweep:
    def test_one_that_lives_keeps_no_dead_one(self, tmp_path: Path) -> None:
        """For any order in which the folder lists them."""
        streams = []
        for n in range(16):
            path = tmp_path / f"ours-{n}"
            path.write_text("half a result")
            if n % 2:
                streams.append(path.open())
                lock_file(streams[-1].fileno())
        remove_abandoned(str(tmp_path), "ours-")
        assert {path.name for path in tmp_path.iterdir()} == {f"ours-{n}" for n in range(1, 16, 2)}
        for stream in streams:
            stream.close()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
    @pytest.mark.parametrize("kind", ["file", "folder"])
    def test_another_user_s_stays(self, tmp_path: Path, kind: str) -> None:
        path = tmp_path / "ours-1"
        if kind == "folder":
            path.mkdir()
        (path / "source" if kind == "folder" else path).write_text("a document")
        os.chown(path, 12345, 12345)
        remove_abandoned(str(tmp_path), "ours-")
        assert path.exists()

    def test_where_a_file_system_has_no_locks_nothing_fails_and_nothing_goes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_locks(*_: Any) -> None:
            raise OSError(95, "Operation not supported")

        path = tmp_path / "ours-1"
        path.write_text("half a result")
        monkeypatch.setattr(fcntl, "flock", no_locks)
        with path.open() as stream:
            lock_file(stream.fileno())
        remove_abandoned(str(tmp_path), "ours-")
        assert path.exists()


class Meanwhile:
    """A result that lets something happen when half of it has been written."""

    def __init__(self, happens: Callable[[], object]) -> None:
        self._happens = happens

    @contextmanager
    def open(self, _: str) -> Iterator[Any]:
        halves, happens = iter([b"half", b"half", b""]), self._happens

        class Reader(io.RawIOBase):
            def read(self, size: int = -1) -> bytes:
                half = next(halves)
                if not half:
                    happens()
                return half

        yield Reader()


class TestWriter:
    def test_it_takes_away_what_a_killed_writer_of_that_file_has_left(self, spool: Path, out: Path) -> None:
        of_this, of_another = left_of(out, "page.txt"), left_of(out, "page.pdf")
        store(REF, done(result(spool, "Text", b"Hello.")), f"{out}/")
        assert not of_this.exists()
        assert of_another.exists()

    def test_another_writer_of_that_file_does_not_take_it_away(self, spool: Path, out: Path) -> None:
        """A task and its cleared self may write one file at once: each is whole, the last one stays."""
        hello = done(result(spool, "Text", b"Hello."))
        slow = Meanwhile(lambda: store(REF, hello, f"{out}/"))
        store(REF, done(Result("Text", slow, 8, "")), f"{out}/")  # type: ignore[arg-type]  # as much of bytes as store() needs
        assert listing(out) == {"page.txt": b"halfhalf"}

    def test_nor_between_the_last_byte_and_the_rename(
        self, spool: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace = os.replace

        def after_a_sweep(source: str, target: str) -> None:
            work_folder.remove_abandoned(str(out), ".aspose-ocr-")
            replace(source, target)

        monkeypatch.setattr(os, "replace", after_a_sweep)
        store(REF, done(result(spool, "Text", b"Hello.")), f"{out}/")
        assert listing(out) == {"page.txt": b"Hello."}

    def test_the_bytes_are_on_the_disk_before_the_name(
        self, spool: Path, out: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Or a power cut leaves an empty file under the final name."""
        fsync, synced = os.fsync, []

        def noted(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}").startswith(f"{out}/.aspose-ocr-"):
                synced.append((os.fstat(descriptor).st_size, listing(out).get("page.txt")))
            fsync(descriptor)

        monkeypatch.setattr(os, "fsync", noted)
        store(REF, done(result(spool, "Text", b"Hello.")), f"{out}/")
        assert synced == [(6, None)]
