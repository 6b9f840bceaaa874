"""
Do the actions of the machine of a batch: requests to the cloud, and transfers from and to storages.

Invariant: every action ends with exactly one event, also after any error. An error that the provider does not expect fails
the document.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    SourceError,
    SourceUnreadableError,
    SubmitUnknownError,
)
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.results.extract import extract_for_row
from airflow_provider_asposeocr.api.results.first_words import first_words_of
from airflow_provider_asposeocr.api.results.measures import ONE_AT_A_TIME, measure
from airflow_provider_asposeocr.api.results.quality import describe, judge
from airflow_provider_asposeocr.api.results.reasons import state_with_reasons_async
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.cancels import AT_ONCE, QUESTION_SECONDS
from airflow_provider_asposeocr.batch.existing import check_unforeseen
from airflow_provider_asposeocr.batch.foreseen import Foreseen
from airflow_provider_asposeocr.documents.manifest import DocumentError
from airflow_provider_asposeocr.ingestion.register import key_of
from airflow_provider_asposeocr.ingestion.stored_results import stem_of, versions_at, with_version
from airflow_provider_asposeocr.lifecycle.cancel import IN_WORKER, Turns, cancel_if_running_async

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
    from airflow_provider_asposeocr.api.results.download import Download
    from airflow_provider_asposeocr.api.results.extract import Field
    from airflow_provider_asposeocr.api.results.measures import Measured
    from airflow_provider_asposeocr.api.results.policies import OnLowQuality
    from airflow_provider_asposeocr.api.results.quality import Gates, Verdict
    from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument
    from airflow_provider_asposeocr.batch.registrar import Registrar
    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.batch.transfer import Transfer
    from airflow_provider_asposeocr.documents.destinations import Target
    from airflow_provider_asposeocr.documents.manifest import StoredResult
    from airflow_provider_asposeocr.documents.owners import IfExists
    from airflow_provider_asposeocr.documents.sources import Document

log = logging.getLogger(__name__)


class Errands:
    """
    Does the actions of one batch.

    :param batch: The batch.
    :param client: The client of its account.
    :param transfer: Moves documents and results.
    :param keep_incomplete: Whether a cloud task that lost some of its results is stored with the rest.
    :param if_exists: What the user wants where another file has the name of a result that the settings do not promise.
    :param quality: What a result has to reach, and what becomes of its document where it does not; by default nothing.
    :param extract: Fields of the results that are in a document's row, and the largest value of one as JSON, in bytes.
    :param previews: Whether pictures of the pages of each document are stored before it is sent.
    :param keep_steps: Whether the results of all steps before the last one are stored, too.
    :param max_bytes: Size of the largest document that is sent; by default any.
    :param registrar: The register of the batch; ``None`` = it has none.
    """

    def __init__(
        self,
        batch: Batch,
        client: AsyncCloudClient,
        transfer: Transfer,
        *,
        keep_incomplete: bool,
        if_exists: IfExists = "overwrite",
        quality: tuple[Gates | None, OnLowQuality] = (None, "fail"),
        extract: tuple[Sequence[Field], int] = ((), 0),
        previews: bool = False,
        keep_steps: bool = False,
        max_bytes: int | None = None,
        registrar: Registrar | None = None,
    ) -> None:
        self._registrar = registrar
        self._batch = batch
        self._client = client
        self._transfer = transfer
        self._keep_incomplete = keep_incomplete
        self._if_exists = if_exists
        self._gates, self._on_low_quality = quality
        self._fields, self._extract_bytes = extract
        self._foreseen = Foreseen(batch)
        self._previews = previews
        self._keep_steps = keep_steps
        self._max_bytes = max_bytes
        self._prepared: dict[int, Document] = {}
        # A killed worker has three seconds. A thousand status requests at once would take all of them before the first
        # cancel.
        self._turns = Turns(asyncio.Semaphore(AT_ONCE), QUESTION_SECONDS)

    async def do(self, action: actions.Action) -> events.Event:
        """
        Do one action.

        :param action: The action; one that ends with an event of its document.
        :return: The event.
        """
        try:
            match action:
                case actions.Prepare():
                    return await self._prepare(action)
                case actions.Send():
                    return await self._send(action)
                case actions.Poll():
                    return await self._poll(action)
                case actions.Deliver():
                    return await self._deliver(action)
                case actions.Cancel():
                    return await self._cancel(action)
                case actions.Claim() | actions.Share() | actions.Conclude():
                    return await self._ask_register(action)
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

    async def _prepare(self, action: actions.Prepare) -> events.Event:
        step = self._batch.steps[action.step]
        source: dict[str, Any] | None = None
        kept: dict[str, Any] | None = None
        if action.upstream is not None:
            content = await self._transfer.read_result(action.document, action.upstream, step)
            if self._keep_steps:
                made_by = action.step - 1
                kept = await self._transfer.keep_result(
                    content, made_by, self._batch.steps[made_by], self._batch.destination
                )
                if self._previews and "uri" in kept:
                    kept = kept | await self._transfer.store_previews(content, self._batch.destination)
        else:
            document = self._batch.documents[action.document]
            if self._registrar is None:
                content, version = await self._read_source(document, step), None
            else:
                read = await self._read_as_listed(document, step)
                if isinstance(read, events.Decided):
                    return read
                content, version = read
            source = {
                "uri": content.source_uri,
                "qualifier": content.source_qualifier,
                "bytes": content.size_bytes,
                "sha256": content.sha256,
            }
            if self._previews:
                source |= await self._transfer.store_previews(content, self._batch.destination)
            if version is not None:
                source["version"] = version
        self._prepared[action.document] = content
        return events.Prepared(action.document, content.size_bytes, content.sha256, source, kept)

    async def _read_as_listed(
        self, document: BatchDocument, step: Step
    ) -> tuple[Document, str | None] | events.Decided:
        """Read a source in the version that was listed. If it is gone or was changed since, leave it to the next run."""
        listed = document.version
        # The listing has no version: the source must have the same one before and after it is read.
        if listed is None:
            before = await self._versions_of(document)
            listed = before[0] if before else None
        try:
            content = await self._read_source(document, step)
        except SourceUnreadableError:
            raise
        except SourceError:
            if await self._versions_of(document) is None:
                return events.Decided(document.index, "gone", {})
            raise
        versions = await self._versions_of(document)
        if versions is None or (listed is not None and listed not in versions):
            self._transfer.discard(document.index)
            return events.Decided(document.index, "gone" if versions is None else "changed", {})
        return content, versions[0]

    async def _read_source(self, document: BatchDocument, step: Step) -> Document:
        source, size = document.source, document.size_bytes
        return await self._transfer.read_source(document.index, source, step, size, self._max_bytes)

    async def _versions_of(self, document: BatchDocument) -> tuple[str | None, ...] | None:
        """Ask for the present version of a source; ``None`` = it is not there."""
        try:
            return await self._transfer.in_thread(lambda: versions_at(document.source))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except ValueError:  # a name that no storage can open
            return ()
        except AsposeOcrError:
            raise
        except Exception as error:  # each storage library has its own root class
            what = f"{type(error).__name__}: {shown(error)}"
            raise SourceUnreadableError(
                f"The version of {shown(document.source, 300)!r} cannot be read: {what}."
            ) from error

    async def _ask_register(self, action: actions.Claim | actions.Share | actions.Conclude) -> events.Event:
        registrar = self._registrar
        if registrar is None:
            raise LookupError("The batch has no register.")
        match action:
            case actions.Claim():
                return await self._transfer.in_thread(lambda: registrar.claim(action))
            case actions.Share():
                return await self._transfer.in_thread(lambda: registrar.share(action))
            case actions.Conclude():
                return await self._transfer.in_thread(lambda: registrar.conclude(action))

    async def _send(self, action: actions.Send) -> events.Event:
        submitted = await self._transfer.send(self._prepared[action.document], self._batch.steps[action.step])
        return events.Sent(
            action.document, submitted.operation, submitted.id, submitted.submitted_at.timestamp()
        )

    async def _poll(self, action: actions.Poll) -> events.Event:
        ref = action.ref
        state: TaskState = await self._client.status(ref.operation, ref.id, ONCE)
        if state.taskStatus == TaskStatus.ERROR.value:
            state = await state_with_reasons_async(self._client, ref) or state
        return events.Polled(action.document, state)

    async def _deliver(self, action: actions.Deliver) -> events.Event:
        document, ref = self._batch.documents[action.document], action.ref
        try:
            fetched = await self._transfer.fetch(document.index, ref, keep_incomplete=self._keep_incomplete)
            # All of it in one turn of a thread, which costs more than to read a page of text.
            row = await self._transfer.in_thread(lambda: self._store(document, ref, fetched))
        finally:
            self._transfer.discard(document.index)
        return events.Delivered(document.index, row)

    def _store(self, document: BatchDocument, ref: TaskRef, fetched: Download) -> dict[str, Any]:
        """Judge the results of a document and store them. Blocks; returns what the manifest says about them."""
        register, stem, destination = self._batch.register, document.file_stem, self._batch.destination
        measured = measure(ref.operation, fetched.results)
        verdict = judge(measured, self._gates, self._on_low_quality)
        if register is not None and not register.overwrites and ref.source_sha256 is not None:
            # Checked just before the results are stored: another run may have written there since this one has begun.
            key = key_of(ref.source_sha256, register.fingerprint)
            stem = stem_of(stem, key, is_taken=self._transfer.is_taken(ref, fetched, destination, stem))
        # What is read from local disk is read before something is stored: an error then leaves nothing behind.
        words, extracted = first_words_of(ref.row, fetched.results), self._extract(ref, fetched, verdict)
        results: list[StoredResult] = []
        if verdict.stores:
            check = partial(self._check_targets, document)
            results = self._transfer.store(ref, fetched, destination, stem, check)
        if register is not None:
            results = [with_version(result) for result in results]
        row = {
            "results": [result.model_dump() for result in results],
            "file_stem": stem if stem != document.file_stem else None,
            **_said_by_cloud(fetched),
            **extracted,
            **self._quality(ref, measured, verdict),
        }
        known = {name: value for name, value in row.items() if value}
        return known if words is None else known | {"first_words": words}

    def _check_targets(self, document: BatchDocument, targets: Sequence[Target]) -> None:
        """Refuse results that the settings do not promise where they would be written over something else. Blocks."""
        batch = self._batch
        unforeseen = self._foreseen.check(document.index, [target.name for target in targets])
        # With a register, the names were chosen for the files that are there.
        if unforeseen and batch.register is None:
            files = {
                str(target.path): target.result.sha256 for target in targets if target.name in unforeseen
            }
            check_unforeseen(document, files, batch.destination, batch.state, self._if_exists)

    def _extract(self, ref: TaskRef, fetched: Download, verdict: Verdict) -> dict[str, Any]:
        if not self._fields or not verdict.stores:
            return {}
        # A batch stores in many threads, and data takes many times the memory of its file.
        with ONE_AT_A_TIME:
            found = extract_for_row(
                ref.operation, fetched.results, self._fields, most_bytes=self._extract_bytes
            )
        said = [f"extract: {why}" for why in found.unread]
        said += [f"extract: {name} was cut to {self._extract_bytes} bytes." for name in found.cut]
        return {"extracted": found.values, "warnings": [*fetched.state.warnings, *said]}

    def _quality(self, ref: TaskRef, measured: Measured, verdict: Verdict) -> dict[str, Any]:
        row: dict[str, Any] = {"quality": describe(measured, verdict)}
        if verdict.is_low:
            # Final, because a later run with the same steps would read the same, and never come to newer files.
            row |= {"outcome": "low_quality", "final": True}
        if verdict.fails:
            error = DocumentError.of(verdict.error(ref.operation, ref.id), len(self._batch.steps) - 1)
            row["error"] = error.model_dump(by_alias=True)
        return row

    async def _cancel(self, action: actions.Cancel) -> events.Event:
        outcome = await cancel_if_running_async(
            self._client, action.ref, action.because, IN_WORKER, turns=self._turns
        )
        return events.CancelEnded(action.document, outcome.what == "cancelled", outcome.status)


def _said_by_cloud(fetched: Download) -> dict[str, Any]:
    state = fetched.state
    return {
        "response_status_code": state.responseStatusCode,
        "messages": state.messages,
        "warnings": state.warnings,
        "shortfall": fetched.shortfall,
    }


def _document(action: Any) -> int:
    return int(action.document)


def _unforeseen(action: actions.Action, error: Exception) -> AsposeOcrError:
    what = f"{type(error).__name__}: {shown(error)}"
    if isinstance(action, actions.Send):
        return SubmitUnknownError(
            f"The submit broke off for a reason that the provider does not know: {what}."
        )
    return AsposeOcrError(f"A defect of the provider, please report it: {what}.", billed="maybe")
