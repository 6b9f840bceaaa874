"""
Do what the machine of a batch says: requests to the cloud, and documents from and to storages.

Invariant: every errand ends with one event, whatever goes wrong. An error that the provider does not expect fails the
document.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    ResultError,
    StorageError,
    SubmitUnknownError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.reasons import state_with_reasons_async
from airflow_provider_asposeocr.batch import events
from airflow_provider_asposeocr.batch.foreseen import Foreseen
from airflow_provider_asposeocr.lifecycle.cancel import IN_WORKER, cancel_if_running_async

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.responses import TaskState
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.transfer import Transfer
    from airflow_provider_asposeocr.documents.sources import Document

log = logging.getLogger(__name__)


class Errands:
    """
    The errands of one batch.

    :param batch: The batch.
    :param client: The client of its account.
    :param transfer: Moves documents and results.
    :param keep_incomplete: Whether a cloud task that lost some of its results is stored with the rest.
    :param previews: Whether pictures of the pages of each document are stored before it is sent.
    """

    def __init__(
        self,
        batch: Batch,
        client: AsyncCloudClient,
        transfer: Transfer,
        *,
        keep_incomplete: bool,
        previews: bool = False,
    ) -> None:
        self._batch = batch
        self._client = client
        self._transfer = transfer
        self._keep_incomplete = keep_incomplete
        self._foreseen = Foreseen(batch)
        self._previews = previews
        self._prepared: dict[int, Document] = {}

    async def do(self, action: events.Action) -> events.Event:
        """
        Do what an action says.

        :param action: The action; one that ends with an event of its document.
        :return: The event.
        """
        try:
            match action:
                case events.Prepare():
                    return await self._prepare(action)
                case events.Send():
                    return await self._send(action)
                case events.Poll():
                    return await self._poll(action)
                case events.Deliver():
                    return await self._deliver(action)
                case events.Cancel():
                    return await self._cancel(action)
        except AsposeOcrError as error:
            return events.Broken(_document(action), error)
        except Exception as error:
            log.exception(
                "An unexpected error: the document has failed, and the others go on. Report it to the maintainers."
            )
            return events.Broken(_document(action), _unforeseen(action, error))
        raise TypeError(f"{type(action).__name__} is no errand.")

    def discard(self, document: int) -> None:
        """
        Remove what was prepared for a document.

        :param document: Its index.
        """
        self._prepared.pop(document, None)
        self._transfer.discard(document)

    async def _prepare(self, action: events.Prepare) -> events.Event:
        step = self._batch.steps[action.step]
        source: dict[str, Any] | None = None
        if action.upstream is not None:
            content = await self._transfer.read_result(action.document, action.upstream, step)
        else:
            uri = self._batch.documents[action.document].source
            content = await self._transfer.read_source(action.document, uri, step)
            source = {
                "uri": content.source_uri,
                "qualifier": content.source_qualifier,
                "bytes": content.size_bytes,
                "sha256": content.sha256,
            }
            if self._previews:
                source |= await self._transfer.store_previews(content, self._batch.destination)
        self._prepared[action.document] = content
        return events.Prepared(action.document, content.size_bytes, content.sha256, source)

    async def _send(self, action: events.Send) -> events.Event:
        submitted = await self._transfer.send(self._prepared[action.document], self._batch.steps[action.step])
        return events.Sent(
            action.document, submitted.operation, submitted.id, submitted.submitted_at.timestamp()
        )

    async def _poll(self, action: events.Poll) -> events.Event:
        ref = action.ref
        if action.with_result:
            try:
                return events.Polled(action.document, await self._transfer.collect(action.document, ref))
            except (ResultError, StorageError, UnexpectedResponseError) as error:
                # Whether that is the end is for Prepare or Deliver to find out, which read the answer more than once.
                log.debug("The status alone is asked for: %s", error.message)
        state: TaskState = await self._client.status(ref.operation, ref.id, ONCE)
        if state.taskStatus == TaskStatus.ERROR.value:
            state = await state_with_reasons_async(self._client, ref) or state
        return events.Polled(action.document, state)

    async def _deliver(self, action: events.Deliver) -> events.Event:
        document, ref = self._batch.documents[action.document], action.ref
        try:
            fetched = await self._transfer.fetch(document.index, ref, keep_incomplete=self._keep_incomplete)
            results = await self._transfer.store(
                ref,
                fetched,
                self._batch.destination,
                document.file_stem,
                partial(self._foreseen.check, document.index),
            )
        finally:
            self._transfer.discard(document.index)
        state = fetched.state
        row = {
            "results": [result.model_dump() for result in results],
            "response_status_code": state.responseStatusCode,
            "messages": state.messages,
            "warnings": state.warnings,
            "shortfall": fetched.shortfall,
        }
        return events.Delivered(document.index, {name: value for name, value in row.items() if value})

    async def _cancel(self, action: events.Cancel) -> events.Event:
        outcome = await cancel_if_running_async(self._client, action.ref, action.because, IN_WORKER)
        return events.CancelEnded(action.document, outcome.what == "cancelled", outcome.status)


def _document(action: Any) -> int:
    return int(action.document)


def _unforeseen(action: events.Action, error: Exception) -> AsposeOcrError:
    what = f"{type(error).__name__}: {shown(error)}"
    if isinstance(action, events.Send):
        return SubmitUnknownError(
            f"The submit broke off for a reason that the provider does not know: {what}."
        )
    return AsposeOcrError(f"A defect of the provider, please report it: {what}.", billed="maybe")
