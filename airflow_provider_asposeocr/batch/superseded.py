"""
End the batches of a task instance that a Clear has superseded: cancel their cloud tasks, and delete their journals.

Invariant: an error here is only logged. A user who clears the task wants to begin again, and knows that it is billed again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.closing import close_claims
from airflow_provider_asposeocr.batch.journals import superseded_journals
from airflow_provider_asposeocr.batch.left import cancel_running, take_over_batch
from airflow_provider_asposeocr.documents.file_systems import object_path

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.batch.left import LeftBatch

log = logging.getLogger(__name__)


def take_over_superseded(journal: str, named: str | None) -> list[LeftBatch]:
    """
    Become the owner of the batches of the tries before a Clear. Blocks.

    :param journal: URI of the journal that counts.
    :param named: URI of the journal that the tripwire names; ``None`` = none.
    :return: Those whose journal can be read.
    """
    found = []
    for uri in _journals(journal, named):
        try:
            left = take_over_batch(uri)
        except AsposeOcrError as error:
            log.warning(
                "The journal of the tries before the Clear cannot be read. Their cloud tasks are not cancelled, and results "
                "that only this journal names count as those of another document: %s",
                error.message,
            )
            continue
        if left is not None:
            found.append(left)
    return found


async def end_superseded(client: AsyncCloudClient, superseded: list[LeftBatch], account: str) -> None:
    """
    Cancel the cloud tasks of the tries before a Clear, and delete their journals.

    :param client: Client of the account.
    :param superseded: The batches.
    :param account: Fingerprint of the account. The cloud does not know the tasks of another one.
    """
    for left in superseded:
        if left.batch.account != account:
            if left.running:
                log.warning(
                    "%d cloud tasks of the tries before the Clear are not cancelled: they belong to another account.",
                    len(left.running),
                )
            continue
        try:
            cancels = await cancel_running(client, left, "the Airflow task was cleared")
            if left.journal is None:
                continue
            still_open = await asyncio.to_thread(close_claims, left.batch, left.state, left.journal)
            if not cancels.left and not still_open:
                await asyncio.to_thread(left.journal.delete)
        except AsposeOcrError as error:
            log.warning(
                "The cloud tasks of the tries before the Clear may still run, or their journal was not deleted: %s",
                error.message,
            )


def _journals(journal: str, named: str | None) -> list[str]:
    own = journal.rstrip("/")
    try:
        found = [str(folder) for folder in superseded_journals(object_path(own))]
    except AsposeOcrError as error:
        log.warning("Journals of the tries before a Clear cannot be listed: %s", shown(error.message))
        found = []
    if named is not None and named.rstrip("/") not in [uri.rstrip("/") for uri in (*found, own)]:
        found.append(named)
    return found
