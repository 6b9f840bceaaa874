"""
Limits for a large document: bytes in memory, reads of the source, blocks of a store. They are counted, not timed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach

from airflow_provider_asposeocr.api.http.wire import FileBody
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.documents import destinations, stored_files
from airflow_provider_asposeocr.documents.blocks import BLOCK_BYTES, upload
from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from tests.support.object_stores import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"
LARGE_BYTES = 24 * MIB


class Busy(Store):
    """A store that notes how it is read, and takes the words that s3fs and adlfs know."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []
        self.opened: list[dict[str, Any]] = []
        self.uploads: list[tuple[int, int]] = []
        self.downloads: list[tuple[int, int]] = []

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        stream = super().open(path, mode, **kwargs)
        if mode != "rb":
            return stream
        self.opened.append(kwargs)
        whole = stream.read

        def read(size: int = -1) -> bytes:
            data: bytes = whole(size)
            self.reads.append(len(data))
            return data

        stream.read = read
        return stream

    def get_file(
        self, rpath: str, lpath: str, chunksize: int = 50 * MIB, max_concurrency: int = 10, **kwargs: Any
    ) -> None:
        self.downloads.append((chunksize, max_concurrency))
        super().get_file(rpath, lpath)

    def put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Any = None,
        chunksize: int = 50 * MIB,
        max_concurrency: int = 10,
        **kwargs: Any,
    ) -> None:
        self.uploads.append((chunksize, max_concurrency))
        super().put_file(lpath, rpath)


@pytest.fixture
def busy() -> Store:
    from airflow.sdk.io.store import _STORE_CACHE

    _STORE_CACHE.pop("s3-busy", None)
    _STORE_CACHE.pop("gs-busy", None)
    store = Busy()
    attach("s3", conn_id="busy", fs=store)
    attach("gs", conn_id="busy", fs=store)
    return store


@pytest.fixture(scope="module")
def far_emulator() -> Iterator[EmulatorProcess]:
    """An emulator in a process of its own, whose memory is not counted here, with large pictures."""
    with EmulatorProcess("--engine", "canned", "--canned-picture-bytes", str(LARGE_BYTES)) as emulator:
        yield emulator


@pytest.fixture
def hook(far_emulator: EmulatorProcess, connection: Callable[..., str]) -> AsposeOcrHook:
    # Not reset: the process has one client per account, which has a token.
    return AsposeOcrHook(connection("ocr", host=far_emulator.url, login="emulator", password="emulator"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    page = tmp_path / "page.png"
    page.write_bytes(PNG + os.urandom(LARGE_BYTES))
    return page


def upscaled(hook: AsposeOcrHook, tmp_path: Path) -> dict[str, Any]:
    """Return a completed task with a large result, once all that the hook needs has been set up."""
    tiny = tmp_path / "tiny.png"
    tiny.write_bytes(PNG + b"\0" * 20)
    task = hook.submit("UpscaleImage", str(tiny))
    hook.wait(task, poll_interval_seconds=0.01)
    text = hook.submit("RecognizeImage", str(tiny))
    hook.wait(text, poll_interval_seconds=0.01)
    hook.fetch_to(text, str(tmp_path / "tiny.txt"))
    return task


@contextmanager
def held_at_most(most: int) -> Iterator[None]:
    """Check that Python objects never hold more than this number of bytes at once."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < most, f"{(peak - before) / MIB:.1f} MiB were held."


class TestMemory:
    def test_of_a_submit(self, hook: AsposeOcrHook, page: Path, tmp_path: Path) -> None:
        upscaled(hook, tmp_path)
        with held_at_most(BLOCK_BYTES + 2 * MIB):
            hook.submit("RecognizeImage", str(page))

    def test_of_a_fetch(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        task = upscaled(hook, tmp_path)
        with held_at_most(3 * MIB):
            manifest = hook.fetch_to(task, str(tmp_path / "large.png"))
        assert manifest["results"][0]["bytes"] == (tmp_path / "large.png").stat().st_size == LARGE_BYTES

    def test_of_escapes_all_over_a_fetch(
        self, hook: AsposeOcrHook, far_emulator: EmulatorProcess, tmp_path: Path
    ) -> None:
        task = upscaled(hook, tmp_path)
        plain = hook.fetch_to(task, str(tmp_path / "plain.png"))
        far_emulator.control.add_faults({"kind": "escape_base64", "path": "UpscaleImage"})
        with held_at_most(3 * MIB):
            escaped = hook.fetch_to(task, str(tmp_path / "escaped.png"))
        assert escaped["results"][0]["sha256"] == plain["results"][0]["sha256"]

    def test_of_handing_a_result_on(self, hook: AsposeOcrHook, tmp_path: Path) -> None:
        task = upscaled(hook, tmp_path)
        with held_at_most(3 * MIB):
            hook.submit("RecognizeImage", task)


class TestSource:
    def test_is_read_once_in_pieces_of_a_declared_block(
        self,
        hook: AsposeOcrHook,
        busy: Busy,
        page: Path,
        far_emulator: EmulatorProcess,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(hook.client, "_sleep", lambda _: None)
        busy.pipe_file("bucket/page.png", page.read_bytes())
        far_emulator.control.add_faults(
            {"kind": "status", "status": 429, "method": "POST", "path": "RecognizeImage"}
        )
        since = len(far_emulator.control.journal())

        hook.submit("RecognizeImage", "gs://busy@bucket/page.png")

        assert sum(busy.reads) == page.stat().st_size
        assert max(busy.reads) <= BLOCK_BYTES
        assert [(o["block_size"] <= BLOCK_BYTES, o["cache_type"]) for o in busy.opened] == [(True, "none")]
        assert busy.downloads == []
        # The second attempt sent the same bytes, although the source was read once.
        posts = far_emulator.control.wait_for_request("POST", "RecognizeImage", count=2, since=since)
        assert [entry["status"] for entry in posts] == [429, 200]
        assert posts[1]["request_bytes"] == len(FileBody(page, {}))

    def test_of_s3_is_downloaded_by_one_request_at_a_time(
        self, hook: AsposeOcrHook, busy: Busy, page: Path
    ) -> None:
        """By default s3fs holds ten parts of 50 MiB at once. Not opened, it is not asked for its size first."""
        busy.pipe_file("bucket/page.png", page.read_bytes())

        task = hook.submit("RecognizeImage", "s3://busy@bucket/page.png")

        assert busy.downloads == [(BLOCK_BYTES, 1)]
        assert task["source_sha256"] == hashlib.sha256(page.read_bytes()).hexdigest()
        assert task["source_bytes"] == page.stat().st_size

    def test_its_length_is_known_without_reading_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        huge = tmp_path / "huge.png"
        with huge.open("wb") as stream:
            stream.truncate(10**10 + 1)

        def never(*_: Any, **__: Any) -> None:
            raise AssertionError("There is no need to read it.")

        monkeypatch.setattr(Path, "open", never)
        body = FileBody(huge, {"language": "English"})

        around = len(json.dumps({"image": "", "settings": {"language": "English"}}, separators=(",", ": ")))
        assert abs(len(body) - (10**10 + 3) // 3 * 4 - around) <= 2

    def test_a_body_can_be_sent_again(self, page: Path) -> None:
        body = FileBody(page, None)
        assert list(body) == list(body)
        assert sum(map(len, body)) == len(body)


class TestUpload:
    def test_holds_one_block_at_a_time(self, hook: AsposeOcrHook, busy: Busy, tmp_path: Path) -> None:
        task = upscaled(hook, tmp_path)
        hook.fetch_to(task, "s3://busy@bucket/large.png")

        assert busy.uploads == [(BLOCK_BYTES, 1)]
        assert busy.size("bucket/large.png") == LARGE_BYTES

    def test_tells_a_library_only_what_it_understands(self, tmp_path: Path) -> None:
        class Plain(Store):
            def put_file(self, lpath: str, rpath: str, *args: Any, **kwargs: Any) -> None:
                self.calls.append(f"{args} {kwargs}")

        store = Plain()
        upload(store, tmp_path / "any", "bucket/any")

        assert store.calls == ["() {}"]

    def test_what_is_there_is_described_in_pieces(self, busy: Busy) -> None:
        busy.pipe_file("bucket/there.png", os.urandom(2 * BLOCK_BYTES))
        target = destinations.Target(
            Result("ImagePNG", b"", 0, ""), ObjectStoragePath("s3://busy@bucket/there.png")
        )

        with held_at_most(2 * BLOCK_BYTES):
            found = destinations._describe_left_file(target)

        assert (found.bytes, max(busy.reads) <= BLOCK_BYTES) == (2 * BLOCK_BYTES, True)


@pytest.mark.parametrize("size_bytes", [None, 10])
def test_a_file_is_read_in_pieces_whether_or_not_its_size_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int | None
) -> None:
    monkeypatch.setattr(stored_files, "_PIECE_BYTES", 4)
    (tmp_path / "rows").write_bytes(b"0123456789")
    read = list(stored_files.pieces(ObjectStoragePath(f"file://{tmp_path}/rows"), size_bytes))
    assert read == [b"0123", b"4567", b"89"]
