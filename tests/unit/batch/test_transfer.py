"""Documents between storage, local disk and the cloud, with the emulator as the cloud."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.errors import SourceError, StorageError, TaskPendingError
from airflow_provider_asposeocr.api.files.work_folder import remove_abandoned
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.errands import Errands
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.batch.transfer import MOST_IN_MEMORY_BYTES, Transfer, transfers
from airflow_provider_asposeocr.documents import stored_files
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.stored_files import Writer
from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text
from tests.support.batch_world import small_batch
from tests.support.client_drivers import PNG
from tests.support.object_stores import Store, attached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_provider_asposeocr.api.http.submits import Submitted
    from airflow_provider_asposeocr.documents.destinations import Target
    from airflow_provider_asposeocr.documents.manifest import StoredResult
    from airflow_provider_asposeocr.documents.sources import Document
    from airflow_provider_asposeocr.emulator.server import Emulator

BINARIZE = Step("BinarizeImage")
RECOGNIZE = Step("RecognizeImage", {"language": "English", "resultType": "TextAndPdf"})


@pytest.fixture
async def transfer(aspose_ocr_emulator: Emulator) -> AsyncIterator[Transfer]:
    """Return the transfers of a batch."""
    emulator = aspose_ocr_emulator
    account = Account(emulator.client_id, emulator.client_secret, emulator.url)
    client = AsyncCloudClient(account, tls_context(account), polls_per_second=1e6)
    with transfers(client) as transfer:
        yield transfer
    await client.close()


@pytest.fixture
def page(tmp_path: Path) -> str:
    (path := tmp_path / "in" / "page.png").parent.mkdir()
    path.write_bytes(PNG)
    return str(path)


def allow(targets: Sequence[Target]) -> None:
    """Let results have any names."""


def reference(sent: Submitted, document: Document) -> TaskRef:
    return TaskRef(
        operation=sent.operation,
        id=sent.id,
        submitted_at=sent.submitted_at,
        conn_id="ocr",
        source_name=document.name,
        source_uri=document.source_uri,
        source_sha256=document.source_sha256,
        input_sha256=document.sha256,
    )


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(path: Path, content: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def check_stored(results: list[StoredResult]) -> None:
    for result in results:
        content = Path(result.uri).read_bytes()
        assert (result.bytes, result.sha256) == (len(content), digest(content))


def files_below(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


async def run(transfer: Transfer, emulator: Emulator, document: Document, step: Step) -> TaskRef:
    """Submit a document and wait until its task has ended."""
    ref = reference(await transfer.send(document, step), document)
    for _ in range(10_000):
        status = next(task["status"] for task in emulator.control.tasks() if task["id"] == ref.id)
        if status == "Completed":
            return ref
    raise AssertionError(f"The task {ref.id} does not end.")


async def test_a_document_goes_through_two_steps(
    transfer: Transfer, aspose_ocr_emulator: Emulator, page: str, out: Path, own_temporary_folder: Path
) -> None:
    source = await transfer.read_source(7, page, BINARIZE)
    assert (source.size_bytes, source.sha256) == (len(PNG), digest(PNG))
    black = await run(transfer, aspose_ocr_emulator, source, BINARIZE)
    transfer.discard(7)

    upstream = await transfer.read_result(7, black, RECOGNIZE)
    assert (upstream.source_uri, upstream.source_sha256, upstream.name) == (page, source.sha256, "page.png")
    assert upstream.sha256 != source.sha256
    text = await run(transfer, aspose_ocr_emulator, upstream, RECOGNIZE)
    transfer.discard(7)

    fetched = await transfer.fetch(7, text)
    stored = transfer.store(text, fetched, f"{out}/", "2026/page.png", allow)
    transfer.discard(7)

    assert [Path(result.uri).relative_to(out).as_posix() for result in stored] == [
        "2026/page.png.txt",
        "2026/page.png.pdf",
    ]
    assert fetched.results[0].sha256 == stored[0].sha256 == digest(canned_text(upstream.sha256).encode())
    check_stored(stored)
    assert aspose_ocr_emulator.control.billing() == {"BinarizeImage": 1, "RecognizeImage": 1}
    assert files_below(own_temporary_folder) == []


@pytest.mark.parametrize(
    ("content", "said"), [(None, "There is no file"), (b"", "is empty"), (b"GIF89a", "reads")], ids=repr
)
async def test_what_cannot_be_read_is_an_error_of_its_own(
    transfer: Transfer, aspose_ocr_emulator: Emulator, page: str, content: bytes | None, said: str
) -> None:
    put(Path(page), content)
    with pytest.raises(SourceError, match=said):
        await transfer.read_source(0, page, RECOGNIZE)
    assert aspose_ocr_emulator.control.billing() == {}


async def test_a_task_that_still_runs_is_no_failure_of_its_document(
    transfer: Transfer, aspose_ocr_emulator: Emulator, page: str
) -> None:
    ref = await run(transfer, aspose_ocr_emulator, await transfer.read_source(0, page, RECOGNIZE), RECOGNIZE)
    aspose_ocr_emulator.control.add_faults({"kind": "task_stuck", "method": "GET", "count": 2})
    with pytest.raises(TaskPendingError):
        await transfer.fetch(0, ref)
    with pytest.raises(TaskPendingError):
        await transfer.read_result(0, ref, RECOGNIZE)
    assert len((await transfer.fetch(0, ref)).results) == 2


@pytest.mark.parametrize("size", [MOST_IN_MEMORY_BYTES, MOST_IN_MEMORY_BYTES + 1])
async def test_a_large_document_is_in_a_file_and_a_small_one_in_memory(
    transfer: Transfer,
    aspose_ocr_emulator: Emulator,
    page: str,
    out: Path,
    own_temporary_folder: Path,
    size: int,
) -> None:
    content = PNG + bytes(size - len(PNG))
    put(Path(page), content)
    document = await transfer.read_source(0, page, RECOGNIZE)
    assert len(files_below(own_temporary_folder)) == (size > MOST_IN_MEMORY_BYTES)
    ref = await run(transfer, aspose_ocr_emulator, document, RECOGNIZE)
    transfer.discard(0)
    (text, _) = transfer.store(ref, await transfer.fetch(0, ref), f"{out}/", "page", allow)
    assert text.sha256 == digest(canned_text(digest(content)).encode())
    assert files_below(own_temporary_folder) == []


async def test_an_answer_with_many_results_takes_no_more_memory_than_one_with_a_single_result(
    transfer: Transfer, aspose_ocr_emulator: Emulator, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = await run(transfer, aspose_ocr_emulator, await transfer.read_source(0, page, RECOGNIZE), RECOGNIZE)
    whole = (await transfer.fetch(0, ref)).results
    # Each of the two fits alone.
    limit = sum(result.size_bytes for result in whole) - 1
    monkeypatch.setattr("airflow_provider_asposeocr.batch.transfer.MOST_IN_MEMORY_BYTES", limit)
    text, pdf = (await transfer.fetch(0, ref)).results
    assert isinstance(text.content, bytes)
    assert isinstance(pdf.content, Path)
    assert [text.data, pdf.data] == [result.data for result in whole]


class Noting(Store):
    """A store that notes the threads in which it is used."""

    def __init__(self, fails: str = "") -> None:
        super().__init__(fails)
        self.threads: set[str] = set()

    def _note(self, method: str, path: str) -> None:
        self.threads.add(threading.current_thread().name)
        super()._note(method, path)

    def get_file(self, rpath: str, lpath: str, **kwargs: Any) -> None:
        self._note("get_file", rpath)
        super().get_file(rpath, lpath)

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        self._note("pipe_file", path)
        super().pipe_file(path, value, **kwargs)


class TestStores:
    @pytest.fixture
    def store(self) -> Noting:
        store = attached("s3", "transfer", kind=Noting)
        store.pipe_file("bucket/in/page.png", PNG)
        store.threads.clear()
        store.calls.clear()
        return store

    async def test_are_used_in_threads_and_asked_for_nothing_beside(
        self, transfer: Transfer, aspose_ocr_emulator: Emulator, store: Noting
    ) -> None:
        document = await transfer.read_source(0, "s3://transfer@bucket/in/page.png", RECOGNIZE)
        ref = await run(transfer, aspose_ocr_emulator, document, RECOGNIZE)
        batch = replace(small_batch(1), steps=(RECOGNIZE,), destination="s3://transfer@bucket/out/")
        errands = Errands(batch, transfer._client, transfer, keep_incomplete=False)
        delivered = await errands.do(actions.Deliver(0, ref))
        assert isinstance(delivered, events.Delivered)
        stem = f"s3://transfer@bucket/out/{batch.documents[0].file_stem}"
        assert [result["uri"] for result in delivered.row["results"]] == [f"{stem}.txt", f"{stem}.pdf"]
        assert [call.partition(" ")[0] for call in store.calls if not call.startswith("open")] == [
            "get_file",
            "pipe_file",
            "pipe_file",
        ]
        assert all(name.startswith("aspose-ocr-storage") for name in store.threads)

    async def test_one_that_fails_leaves_the_result_in_the_cloud(
        self, transfer: Transfer, aspose_ocr_emulator: Emulator, store: Noting
    ) -> None:
        document = await transfer.read_source(0, "s3://transfer@bucket/in/page.png", RECOGNIZE)
        ref = await run(transfer, aspose_ocr_emulator, document, RECOGNIZE)
        store.fails = "pipe_file"
        fetched, out = await transfer.fetch(0, ref), "s3://transfer@bucket/out/"
        with pytest.raises(StorageError, match="the store is on fire") as caught:
            await transfer.in_thread(lambda: transfer.store(ref, fetched, out, "page", allow))
        assert (caught.value.task_id, caught.value.retryable) == (ref.id, True)
        store.fails = ""
        again = await transfer.fetch(0, ref)
        stored = await transfer.in_thread(lambda: transfer.store(ref, again, out, "page", allow))
        assert len(stored) == 2

    @pytest.mark.parametrize("size", [MOST_IN_MEMORY_BYTES, MOST_IN_MEMORY_BYTES + 1])
    async def test_a_small_document_does_not_stay_on_local_disk(
        self, transfer: Transfer, store: Noting, own_temporary_folder: Path, size: int
    ) -> None:
        """s3fs writes what it reads into a file."""
        content = PNG + bytes(size - len(PNG))
        store.pipe_file("bucket/in/page.png", content)
        document = await transfer.read_source(0, "s3://transfer@bucket/in/page.png", RECOGNIZE)
        assert (document.size_bytes, document.sha256) == (size, digest(content))
        assert len(files_below(own_temporary_folder)) == (size > MOST_IN_MEMORY_BYTES)
        transfer.discard(0)
        assert files_below(own_temporary_folder) == []

    async def test_a_folder_is_no_source(self, transfer: Transfer, store: Noting) -> None:
        for uri in ("s3://transfer@bucket/in", "s3://transfer@bucket/in/"):
            with pytest.raises(SourceError, match="is a folder"):
                await transfer.read_source(0, uri, RECOGNIZE)


async def test_a_local_disk_that_takes_nothing_is_named(transfer: Transfer, page: str) -> None:
    put(transfer._folder / "0", b"")  # A file where the folder of the document would be.
    with pytest.raises(StorageError, match="cannot be kept in the local temporary folder"):
        await transfer.read_source(0, page, RECOGNIZE)


class TestWriter:
    """The writer lists a folder once, not once for each of ten thousand results."""

    @pytest.mark.parametrize(("many", "looks"), [(True, 1), (False, 3)])
    def test_of_many_files_looks_once_for_what_killed_ones_have_left(
        self, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, many: bool, looks: int
    ) -> None:
        swept = []

        def noted(folder: str, prefix: str) -> None:
            swept.append(folder)
            remove_abandoned(folder, prefix)

        monkeypatch.setattr(stored_files, "remove_abandoned", noted)
        (result := tmp_path / "result").write_bytes(b"text")
        writer = Writer(many=many)
        for number in range(3):
            writer.write(result, object_path(f"{out}/{number}.txt"))
        assert sorted(file.name for file in out.iterdir()) == ["0.txt", "1.txt", "2.txt"]
        assert len(swept) == looks

    def test_of_many_files_removes_what_was_left_of_any(self, tmp_path: Path, out: Path) -> None:
        out.mkdir()
        (left := out / ".aspose-ocr-0123456789abcdef-00.part").write_bytes(b"half")
        (result := tmp_path / "result").write_bytes(b"text")
        Writer(many=True).write(result, object_path(f"{out}/page.txt"))
        assert not left.exists()
