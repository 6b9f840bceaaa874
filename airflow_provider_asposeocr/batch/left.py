"""
A batch whose tries are over, or are to be over: what its journal says, its running cloud tasks, its manifest.

Invariant: a batch is taken over before its cloud tasks are cancelled. A process that still runs the batch would otherwise
find them gone, and submit the documents again.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import InputError, SourceError
from airflow_provider_asposeocr.batch.cancels import Cancels, cancel_all_async
from airflow_provider_asposeocr.batch.errors import JournalMissingError
from airflow_provider_asposeocr.batch.journal import Journal, read_journal
from airflow_provider_asposeocr.batch.manifest_file import read_manifest, write_manifest
from airflow_provider_asposeocr.batch.plan import parse_header
from airflow_provider_asposeocr.batch.records import Cancelled, record_to_dict
from airflow_provider_asposeocr.batch.references import running_refs
from airflow_provider_asposeocr.batch.rows import make_rows
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.clients import batch_client
from airflow_provider_asposeocr.connection import mask_token
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.lifecycle.cancel import IN_WORKER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.batch.manifest_file import ManifestFile
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.state import BatchState
    from airflow_provider_asposeocr.documents.manifest import Manifest

#: Time for all cancels of one batch. A thousand take 7 s with a cloud that answers in 50 ms.
CANCEL_SECONDS = 120.0


@dataclass(frozen=True)
class LeftBatch:
    """
    A batch as its journal describes it.

    :param batch: What it does.
    :param state: What has become of its documents.
    :param journal: The journal, if this process has taken it over; else ``None``.
    """

    batch: Batch
    state: BatchState
    journal: Journal | None = None

    @property
    def running(self) -> list[TaskRef]:
        """The cloud tasks that may run, in the order of their documents."""
        return [ref for _, ref in running_refs(self.batch, self.state)]

    def rows(self) -> Iterator[Manifest]:
        """Return the rows of the manifest, in the order of the documents."""
        tries = (document.try_number for document in self.state.documents.values())
        return make_rows(self.batch, self.state, max(tries, default=0))

    def note_cancelled(self, cancelled: Collection[TaskRef]) -> None:
        """
        Write into the journal, if it was taken over, that cloud tasks were cancelled. Blocks.

        :param cancelled: The cloud tasks.
        :raises JournalUnreachableError: if the storage does not answer or refuses.
        """
        ids = {ref.id for ref in cancelled}
        records = [
            Cancelled(index, self.state.documents[index].step)
            for index, ref in running_refs(self.batch, self.state)
            if ref.id in ids
        ]
        if self.journal is not None and records:
            self.journal.append([record_to_dict(record, self.journal.epoch) for record in records])
        for record in records:
            self.state.apply(record)


def read_batch(uri: str) -> LeftBatch:
    """
    Read the journal of a batch, whose tries go on. Blocks.

    :param uri: URI of the journal's folder, as the XCom ``aspose_ocr_batch`` names it.
    :raises JournalError: if there is no journal, or it cannot be read.
    """
    header, records = read_journal(object_path(uri))
    state = replay(records)
    return LeftBatch(parse_header(header, state.replanned), state)


def take_over_batch(uri: str) -> LeftBatch | None:
    """
    Become the owner of a batch, so that any try of it stops. Blocks.

    :param uri: URI of the journal's folder.
    :return: The batch; ``None`` = there is no journal any more, because the batch has succeeded.
    :raises JournalError: if the journal cannot be read.
    """
    try:
        opened = Journal.take_over(object_path(uri))
    except JournalMissingError:
        return None
    state = replay(opened.records, opened.journal.epoch)
    return LeftBatch(parse_header(opened.header, state.replanned), state, opened.journal)


def write_manifest_of(left: LeftBatch) -> ManifestFile:
    """
    Write the manifest of a batch whose tries were all killed. Blocks.

    :param left: The batch.
    :return: What was written.
    """
    return write_manifest(left.batch.manifest, left.rows(), len(left.batch.documents))


def has_manifest(left: LeftBatch) -> bool:
    """
    Tell whether the manifest of a batch says what its journal says. Blocks.

    :param left: The batch.
    :return: Whether the manifest is there, and each document has in it the outcome that the journal gives it.
    :raises OSError: if the storage does not answer. Libraries raise errors of their own, too.
    """
    try:
        written = [row.outcome for row in read_manifest(left.batch.manifest)]
    except (InputError, SourceError):  # it is missing, or is no manifest
        return False
    return written == [row.outcome for row in left.rows()]


async def cancel_running(client: AsyncCloudClient, left: LeftBatch, reason: str) -> Cancels:
    """
    Cancel the cloud tasks of a batch that still run.

    :param client: Client of the account.
    :param left: The batch, taken over.
    :param reason: Why, for the log: the rest of a sentence that begins with "because".
    :return: What has become of them, which is in the journal, too.
    """
    refs = left.running
    if not refs:
        return Cancels()
    done = await cancel_all_async(client, refs, reason, IN_WORKER, CANCEL_SECONDS)
    # A trigger that has cancelled them after a user's kill cannot write it into the journal.
    gone = [ref for ref in done.gone if ref.expires_at.timestamp() > time.time()]
    await asyncio.to_thread(left.note_cancelled, [*done.cancelled, *gone])
    return done


async def cancel_batch(account: Account, left: LeftBatch, reason: str, polls_per_second: float) -> Cancels:
    """
    Cancel the cloud tasks of a batch that still run, with a client that is made for it.

    :param account: The account of the batch.
    :param left: The batch, taken over.
    :param reason: Why, for the log.
    :param polls_per_second: Most status requests per second.
    :return: What has become of them.
    """
    async with batch_client(account, mask_token, polls_per_second) as client:
        return await cancel_running(client, left, reason)
