"""
One try of a batch in a worker, as a coroutine: open the batch, let the engine work, write the manifest.

Invariant: nothing is sent before the journal is durable, the tripwire is armed and the XCom says where the journal is.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError, StorageError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.closing import close_claims
from airflow_provider_asposeocr.batch.ending import Deferral
from airflow_provider_asposeocr.batch.engine import BatchEngine
from airflow_provider_asposeocr.batch.errors import BatchFailedError
from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.batch.metrics import noted
from airflow_provider_asposeocr.batch.opening import open_batch
from airflow_provider_asposeocr.batch.progress import ProgressLog, shown_end, shown_progress
from airflow_provider_asposeocr.batch.registrar import Registrar
from airflow_provider_asposeocr.batch.replan import replan
from airflow_provider_asposeocr.batch.superseded import end_superseded, take_over_superseded
from airflow_provider_asposeocr.clients import batch_client
from airflow_provider_asposeocr.connection import mask_token
from airflow_provider_asposeocr.operators.batch_kill import end_engine
from airflow_provider_asposeocr.operators.task_log import batch_begins

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.account import Account
    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.ending import Ended, Progress
    from airflow_provider_asposeocr.batch.left import LeftBatch
    from airflow_provider_asposeocr.batch.manifest_file import ManifestFile
    from airflow_provider_asposeocr.batch.opening import BatchRequest, OpenBatch
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.tripwire import JournalPlan, Tripwire
    from airflow_provider_asposeocr.batch.woken import Woken
    from airflow_provider_asposeocr.ingestion.register_records import ClaimRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BatchEnd:
    """
    How a try has ended, for the operator.

    :param ended: What the engine has returned.
    :param manifest: The manifest that was written.
    :param batch: The batch.
    :param begun_at: When the batch's first try began, in seconds since the epoch.
    """

    ended: Ended
    manifest: ManifestFile
    batch: Batch
    begun_at: float


@dataclass(frozen=True, kw_only=True)
class TryEnvironment:
    """
    What a try needs of Airflow: values and functions. The functions block, because they ask Airflow.

    :param account: The account of the connection.
    :param tripwire: The key in the ``task_state_store``.
    :param plan: Which journal to open.
    :param make_settings: Makes the settings of a batch that began at a moment, in seconds since the epoch.
    :param push: Pushes the XCom that says where journal and manifest are.
    :param sweep: Removes the journals of batches that are over.
    :param policies: What the user wants of the register.
    :param state_of: Asks Airflow for the state of the task instance that has claimed a document.
    :param is_retried: Tells whether Airflow tries the task again after this end.
    :param polls_per_second: Most polls per second.
    :param page: Address of the page that shows the results.
    """

    account: Account
    tripwire: Tripwire
    plan: JournalPlan
    make_settings: Callable[[float], BatchSettings]
    push: Callable[[dict[str, Any]], None]
    sweep: Callable[[], None]
    policies: RegisterPolicies
    state_of: Callable[[ClaimRecord], str | None]
    is_retried: Callable[[BatchEnd], bool]
    polls_per_second: float
    page: str


class BatchTry:
    """
    One try, or its rest after a deferral.

    :param request: What it is asked for.
    :param env: What it needs of Airflow.
    :param woken: What the trigger reported; empty at the beginning of a try.
    :param resumes: Whether it goes on after a deferral.
    """

    def __init__(self, request: BatchRequest, env: TryEnvironment, woken: Woken, *, resumes: bool) -> None:
        self._request = request
        self._env = env
        self._woken = woken
        self._resumes = resumes
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: BatchEngine | None = None
        self._open: OpenBatch | None = None
        self._registrar: Registrar | None = None
        self._open_claims = 0
        self._progress_log = ProgressLog(time.time())
        self._progress: Progress | None = None
        self._notes: set[asyncio.Task[bool]] = set()
        self._kill: Callable[[], bool] | None = None
        self._working: asyncio.Task[Ended | Deferral] | None = None
        self._ending: asyncio.Task[None] | None = None

    @property
    def journal_uri(self) -> str | None:
        """URI of the journal; ``None`` = it is not open yet."""
        return None if self._open is None else self._open.journal.uri

    @property
    def needs_journal(self) -> bool:
        """Whether claims in the register are open that name the journal, so that it has to stay."""
        return self._open_claims > 0

    async def run(self) -> Deferral | BatchEnd:
        """
        Work until the batch waits in the cloud or has ended.

        :return: How; the journal says all that the next process needs.
        :raises AsposeOcrError: what concerns the batch as a whole; what concerns a document is in its row.
        """
        self._loop = asyncio.get_running_loop()
        env = self._env
        if env.plan.warning:
            log.warning("%s", env.plan.warning)
        superseded = [] if self._resumes else await self._take_over_superseded()
        opened = self._open = await self._open_batch(superseded)
        self._log_begin(opened)
        if opened.batch.register is not None:
            self._registrar = Registrar(opened.batch, opened.journal.uri, env.policies, env.state_of)
            if not self._resumes:
                await asyncio.to_thread(self._registrar.files.check)
        await asyncio.to_thread(env.tripwire.arm, opened.journal.uri, opened.journal.acknowledged)
        whereabouts = {"journal": opened.journal.uri, "manifest": opened.batch.manifest}
        if not self._resumes:
            await asyncio.to_thread(env.push, whereabouts)
            await asyncio.to_thread(env.sweep)
        async with batch_client(env.account, mask_token, env.polls_per_second) as client:
            await end_superseded(client, superseded, self._request.account)
            if not (opened.is_new or self._resumes):
                retries = env.make_settings(opened.begun_at).retry_failed
                opened = self._open = await replan(
                    opened, self._request.steps, client, retries_failed=retries
                )
            outcome = await self._work(opened, client)
        await asyncio.gather(*self._notes)
        # The last documents may have needed no commit, which would have checked for another owner.
        await asyncio.to_thread(opened.journal.check)
        await env.tripwire.note(opened.journal.acknowledged, self._last_progress(outcome), at_once=True)
        if isinstance(outcome, Deferral):
            return outcome
        manifest = await asyncio.to_thread(self._write, opened, outcome)
        end = BatchEnd(outcome, manifest, opened.batch, opened.begun_at)
        await asyncio.to_thread(self._close_claims, opened, end)
        written = {"size_bytes": manifest.size_bytes, "sha256": manifest.sha256}
        await asyncio.to_thread(env.push, {**whereabouts, **written})
        return end

    async def _take_over_superseded(self) -> list[LeftBatch]:
        """Take over the batches of the tries before a Clear."""
        plan = self._env.plan
        superseded = await asyncio.to_thread(take_over_superseded, plan.uri, plan.superseded)
        if submits := sum(left.state.submits for left in superseded):
            log.warning(
                "The task was cleared, so that all documents are submitted again. The tries before have submitted %d "
                "cloud tasks, which stay billed.",
                submits,
            )
        return superseded

    async def _open_batch(self, superseded: list[LeftBatch]) -> OpenBatch:
        # After the journals of superseded batches were taken over: the new one needs them to know who made the files in
        # the destination.
        opened = await asyncio.to_thread(
            open_batch, self._request, self._env.plan, resumes=self._resumes, superseded=superseded
        )
        if self._request.account != opened.batch.account:
            raise InputError(
                "The batch was begun with another account, which owns its cloud tasks and their results. This try has sent "
                "nothing. Set aspose_ocr_conn_id to the connection of the first try; or clear the task to begin anew, which "
                "is billed again.",
                billed="already",
            )
        return opened

    def _close_claims(self, opened: OpenBatch, end: BatchEnd) -> None:
        """
        Close the claims of documents that no later try continues with. Call it after the manifest is written, which has
        their outcomes.
        """
        if self._registrar is None or self._engine is None:
            return
        is_retried = self._env.is_retried(end)
        self._open_claims = close_claims(
            opened.batch,
            self._engine.state,
            opened.journal,
            lambda known: is_retried and self._is_tried_again(known, opened.begun_at),
            self._registrar.files,
        )

    def _is_tried_again(self, known: DocumentState, begun_at: float) -> bool:
        if known.outcome in (None, "cancelled"):
            return True
        retries = self._env.make_settings(begun_at).retry_failed
        return known.is_worth_retry if retries else known.may_have_result

    def kill(self, is_over: Callable[[], bool]) -> None:
        """
        End the try, because its process is being ended; called in a signal handler.

        :param is_over: Tells whether the running cloud tasks are to be cancelled; it blocks.
        """
        self._kill = is_over
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._begin_ending)

    async def _work(self, opened: OpenBatch, client: AsyncCloudClient) -> Ended | Deferral:
        settings = self._env.make_settings(opened.begun_at)
        self._engine = BatchEngine(
            opened.batch,
            opened.journal,
            opened.state,
            settings,
            client,
            is_new=opened.is_new,
            woken=self._woken,
            registrar=self._registrar,
            on_progress=self._on_progress,
        )
        if not (opened.is_new or self._resumes):
            self._engine.count_reattached()
        self._working = asyncio.create_task(self._engine.run())
        if self._kill is not None:
            self._begin_ending()
        try:
            return await self._working
        except asyncio.CancelledError:
            if self._ending is None:
                raise
            raise BatchFailedError(
                "The worker process was told to end while the batch was under way."
            ) from None
        finally:
            if self._ending is not None:
                await asyncio.wait((self._ending,))

    def _begin_ending(self) -> None:
        if self._engine is None or self._working is None or self._kill is None or self._ending is not None:
            return
        self._ending = asyncio.create_task(end_engine(self._engine, self._working, self._kill))

    def _on_progress(self, progress: Progress) -> None:
        self._progress = progress
        if (line := self._progress_log.line(progress, time.time())) is not None:
            log.info("%s", line)
        if self._open is not None:
            note = self._env.tripwire.note(self._open.journal.acknowledged, shown_progress(progress))
            task = asyncio.create_task(note)
            self._notes.add(task)
            task.add_done_callback(self._notes.discard)

    def _last_progress(self, outcome: Ended | Deferral) -> dict[str, Any]:
        if isinstance(outcome, Deferral):
            known = {} if self._progress is None else shown_progress(self._progress)
            return {**known, "running": len(outcome.tasks), "deferred": True}
        return shown_end(outcome)

    def _log_begin(self, opened: OpenBatch) -> None:
        batch = opened.batch
        log.info("%s", batch_begins(batch, opened.journal.uri, self._env.page, is_new=opened.is_new))
        if self._request.destination != batch.destination:
            log.warning(
                "The destination has changed since the batch began. Its results go to the folder that it began with; clear "
                "the task to begin anew, which is billed again."
            )

    def _write(self, opened: OpenBatch, ended: Ended) -> ManifestFile:
        uri = opened.batch.manifest
        try:
            rows = noted(ended.rows(), max(0.0, time.time() - opened.begun_at))
            return write_manifest(uri, rows, len(opened.batch.documents))
        except AsposeOcrError:
            raise
        except Exception as error:  # of the storage's library
            text = (
                f"The manifest {shown(uri, 300)} cannot be written: {type(error).__name__}: {shown(error)}."
            )
            raise StorageError(text, billed="already") from error
