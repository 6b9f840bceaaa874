"""
Move the documents of a batch between storage, local disk and the cloud.

Invariant: nothing is decided here, and nothing blocks the event loop: storages are used in threads, and of local files only
small pieces are read or written in the loop. A small document stays in memory; of a larger one, a folder of its own holds at
most one step.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_asposeocr.api.files.contents import as_file
from airflow_provider_asposeocr.api.files.work_folder import work_folder
from airflow_provider_asposeocr.api.operation_lookup import find_operation
from airflow_provider_asposeocr.api.results.download import LocalDisk, download_into
from airflow_provider_asposeocr.batch.kept_steps import keep_result
from airflow_provider_asposeocr.batch.limits import HEAVY_BYTES
from airflow_provider_asposeocr.documents.destinations import plan, store_unasked
from airflow_provider_asposeocr.documents.sources import check_source_size, spool_file, spool_result
from airflow_provider_asposeocr.documents.stored_files import Writer
from airflow_provider_asposeocr.ingestion.stored_results import is_taken
from airflow_provider_asposeocr.previews.storing import make_previews, preview_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.http.submits import Submitted
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.api.results.download import Download, Result
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.documents.destinations import Target
    from airflow_provider_asposeocr.documents.manifest import StoredResult
    from airflow_provider_asposeocr.documents.sources import Document
    from airflow_provider_asposeocr.previews.storing import Previews

T = TypeVar("T")

#: Most files that are read from or written to storages at once. A store answers within some ten milliseconds, so that this
#: many threads move hundreds of files per second.
STORAGE_THREADS = 16
#: Largest content that is in memory instead of in a file: to make, move and remove files takes a tenth of the CPU of a small
#: document. Of the documents that hold content at once, :mod:`.limits` allows some fifty.
MOST_IN_MEMORY_BYTES = HEAVY_BYTES
#: Documents whose pictures are made at once. Each takes half a second of CPU in a process of its own.
PREVIEWS_AT_ONCE = 2


class Transfer:
    """
    The transfers of one batch in one event loop, see :func:`transfers`.

    :param client: Client of the batch's account, of this loop.
    :param folder: Existing local folder of this batch alone.
    :param pool: Threads in which storages are used.
    :param previews: Threads in which pictures of pages are made.
    :param clock: Seconds since the epoch.
    """

    def __init__(
        self,
        client: AsyncCloudClient,
        folder: Path,
        pool: ThreadPoolExecutor,
        previews: ThreadPoolExecutor,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._folder = folder
        self._pool = pool
        self._clock = clock
        self._previews = previews
        self._writer = Writer(many=True)
        #: Folders of documents, and empty ones: to make and remove a folder at each step costs more than its files.
        self._folders: dict[int, Path] = {}
        self._empty: list[Path] = []
        self._made = 0

    async def read_source(
        self, index: int, uri: str, step: Step, size_bytes: int | None = None, max_bytes: int | None = None
    ) -> Document:
        """
        Bring a source to local disk, or to memory.

        :param index: Index of the document.
        :param uri: Absolute path or URI of the source.
        :param step: The step that will read it, the first one.
        :param size_bytes: Its size, as far as it is known.
        :param max_bytes: Size of the largest source that is read; by default any.
        :return: The document, with size and checksum.
        :raises SourceError: if it is missing, empty, too large, or of a type that the step does not read. Nothing was sent.
        :raises SourceUnreadableError: if its storage does not answer.
        """
        folder = self._begin(index)

        def read() -> Document:
            check_source_size(uri, size_bytes, max_bytes)
            found = spool_file(uri, step.row, folder, most_in_memory_bytes=MOST_IN_MEMORY_BYTES)
            check_source_size(uri, found.size_bytes, max_bytes)  # It may have grown since it was listed.
            return found

        document = await self.in_thread(read)
        self._leave_unless_used(index, document)
        return document

    async def store_previews(self, document: Document, destination: str) -> dict[str, Any]:
        """
        Make pictures of a document's pages, and store them beside the results.

        :param document: What :meth:`read_source` or :meth:`read_result` returned.
        :param destination: URI of the folder of the batch's results, with a slash at its end.
        :return: What the journal says about them, see :class:`.Previews`: ``pages``, and ``preview_warning`` where some or
            all could not be made. Nothing is raised because of them.
        """

        def make() -> Previews:
            spool = Path(mkdtemp(dir=self._folder))
            try:
                local, folder = as_file(document.content, spool / "document"), preview_folder(destination)
                (pictures := spool / "pages").mkdir()
                return make_previews(local, document.sha256, folder, pictures, self._writer)
            finally:
                shutil.rmtree(spool, ignore_errors=True)

        made = await asyncio.get_running_loop().run_in_executor(self._previews, make)
        told = {"pages": made.pages, "preview_warning": made.warning}
        return {name: value for name, value in told.items() if value}

    async def read_result(self, index: int, ref: TaskRef, step: Step) -> Document:
        """
        Bring the result of one step to local disk or to memory, for the next step.

        :param index: Index of the document.
        :param ref: The completed cloud task of the step before.
        :param step: The step that will read its result.
        :return: The document. Its source is still the original one.
        :raises TaskError: if the cloud task has no result to offer.
        :raises ResultError: if its results are missing or broken.
        :raises SourceError: if none of them, or more than one, is of a type that the step reads.
        :raises RequestError: if the cloud does not answer.
        """
        upstream = await self.fetch(index, ref)
        folder = self._folders.get(index, self._folder)  # Nothing is moved where all results are in memory.
        with LocalDisk():
            return spool_result(ref, step.row, upstream.results, folder)

    async def keep_result(
        self, document: Document, number: int, step: Step, destination: str
    ) -> dict[str, Any]:
        """
        Store the result of a step that is not the last one, for people.

        :param document: What :meth:`read_result` returned.
        :param number: Index of the step that made it, from 0.
        :param step: That step.
        :param destination: URI of the folder of the batch's results, with a slash at its end.
        :return: What the journal says about it, see :func:`.kept_steps.keep_result`. Nothing is raised.
        """
        return await self.in_thread(lambda: keep_result(document, number, step, destination, self._writer))

    async def send(self, document: Document, step: Step) -> Submitted:
        """
        Submit a document, which is what the cloud bills.

        Cancelling the call while it is under way leaves it unknown whether the cloud has accepted the document.

        :param document: What :meth:`read_source` or :meth:`read_result` returned.
        :param step: The step that it is sent for.
        :return: The accepted task.
        :raises SubmitUnknownError: if it was sent and no usable answer came.
        :raises AsposeOcrError: if it certainly was not accepted.
        """
        operation = find_operation(step.declared or step.operation, self._client.account.trial)
        return await self._client.submit(operation, document.content, step.settings)

    async def fetch(self, index: int, ref: TaskRef, *, keep_incomplete: bool = False) -> Download:
        """
        Bring the results of a step to local disk, or to memory.

        :param index: Index of the document.
        :param ref: The completed cloud task of the step.
        :param keep_incomplete: Whether a cloud task that lost some of its results returns the rest.
        :return: The results; :meth:`discard` removes those in files.
        :raises TaskError: if the cloud task is not completed.
        :raises ResultError: if its results are missing or broken.
        :raises RequestError: if the cloud does not answer.
        """
        fetched = await download_into(
            self._client,
            ref,
            self._begin(index),
            self._clock(),
            keep_incomplete=keep_incomplete,
            most_in_memory_bytes=MOST_IN_MEMORY_BYTES,
        )
        self._leave_unless_used(index, *fetched.results)
        return fetched

    def store(
        self,
        ref: TaskRef,
        download: Download,
        destination: str,
        file_stem: str,
        check: Callable[[Sequence[Target]], None],
    ) -> list[StoredResult]:
        """
        Write the results of a document, each whole or not at all, over what is there. Blocks.

        :param ref: The cloud task of the last step.
        :param download: What :meth:`fetch` returned.
        :param destination: URI of the folder of the batch's results, with a slash at its end.
        :param file_stem: Name of the document's results below it, without the suffix of a type.
        :param check: See :func:`.store_unasked`.
        :return: What was written, in the order of the results.
        :raises DestinationError: if the destination cannot take them.
        :raises StorageError: if writing fails; the cloud still has the results.
        """
        return store_unasked(ref, download.results, destination, file_stem, self._writer, check)

    def is_taken(self, ref: TaskRef, download: Download, destination: str, file_stem: str) -> bool:
        """
        Tell whether the results of a document would overwrite others. Blocks.

        :param ref: As in :meth:`store`, like the others.
        :param download: What :meth:`fetch` returned.
        :param destination: URI of the folder of the batch's results.
        :param file_stem: Name of the document's results below it.
        """
        targets = plan(ref, download.results, destination, file_stem)
        return is_taken({str(target.path): target.result.sha256 for target in targets})

    def discard(self, index: int) -> None:
        """
        Remove the files of a document from local disk.

        :param index: Index of the document; one that has no files is left alone.
        """
        folder = self._folders.pop(index, None)
        if folder is None:
            return
        with suppress(OSError):  # The rest is removed with the work folder.
            for name in os.listdir(folder):
                os.unlink(folder / name)
            self._empty.append(folder)

    def _leave_unless_used(self, index: int, *made: Document | Result) -> None:
        # To list an empty folder costs as much as to make a small file.
        if not any(isinstance(each.content, Path) for each in made):
            self._empty.append(self._folders.pop(index))

    def _begin(self, index: int) -> Path:
        folder = self._folders.get(index)
        if folder is None:
            folder = self._folders[index] = self._empty.pop() if self._empty else self._make_folder()
        return folder

    def _make_folder(self) -> Path:
        folder = self._folder / str(self._made)
        self._made += 1
        with LocalDisk("The files of a document"):
            folder.mkdir()
        return folder

    async def in_thread(self, do: Callable[[], T]) -> T:
        """
        Use a storage in a thread of the batch.

        :param do: What to do there; it blocks.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, do)


@contextmanager
def transfers(client: AsyncCloudClient, clock: Callable[[], float] = time.time) -> Iterator[Transfer]:
    """
    Make the transfers of a batch, with one work folder for all its documents.

    :param client: Client of the batch's account, of the running event loop.
    :param clock: Seconds since the epoch; by default the system's.
    :return: A context in which documents can be moved. What is left on local disk is removed at its end.
    """
    previews = ThreadPoolExecutor(PREVIEWS_AT_ONCE, "aspose-ocr-preview")
    try:
        with work_folder() as folder, ThreadPoolExecutor(STORAGE_THREADS, "aspose-ocr-storage") as pool:
            yield Transfer(client, folder, pool, previews, clock)
    finally:
        previews.shutdown(
            wait=False, cancel_futures=True
        )  # Not waited for: a picture may take a minute, and a killed process has seconds.
