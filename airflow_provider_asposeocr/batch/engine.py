"""
Take the documents of a batch through their cloud steps.

Invariant: nothing is decided here. :mod:`.machine` decides on actions; the engine does them, and passes their results to the
machine as events.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from random import random as usual_random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.ending import Deferral, Ended, Progress, Stopped
from airflow_provider_asposeocr.batch.errands import Errands
from airflow_provider_asposeocr.batch.forecast import is_worth_leaving, next_look_at
from airflow_provider_asposeocr.batch.group_commit import GroupCommit
from airflow_provider_asposeocr.batch.limits import most_parts
from airflow_provider_asposeocr.batch.machine import Machine
from airflow_provider_asposeocr.batch.metrics import BatchMetrics
from airflow_provider_asposeocr.batch.records import record_to_dict
from airflow_provider_asposeocr.batch.references import running_refs
from airflow_provider_asposeocr.batch.rows import count_outcomes, make_rows
from airflow_provider_asposeocr.batch.running import RunningTask, digest_of
from airflow_provider_asposeocr.batch.transfer import transfers
from airflow_provider_asposeocr.batch.work import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.batch.journal import Journal
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.registrar import Registrar
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.state import BatchState
    from airflow_provider_asposeocr.batch.woken import Woken

log = logging.getLogger(__name__)

#: Time between two checks whether the batch could leave the worker, and between two reports of its progress.
LOOK_SECONDS = 1.0
#: Time between two checks while a document is being moved: with the last one, the batch may leave its worker.
LOOK_WHILE_MOVING_SECONDS = 0.1
#: Phases of documents whose cloud task may run.
_IN_CLOUD = frozenset({Phase.RUNNING, Phase.POLLING, Phase.CANCELLING})
#: Phases of documents about which the journal does not have yet what the next process needs.
_BEING_WRITTEN = frozenset({Phase.INTENDING, Phase.SENDING, Phase.RECORDING, Phase.ENDING})


#: Outcomes of documents that a batch is done with and that have not failed.
_DONE = ("succeeded", "low_quality", "skipped", "duplicate")


class BatchEngine:
    """
    One try of a batch, in one event loop.

    :param batch: What is to be done.
    :param journal: The journal, which this process owns: made with ``Journal.create`` or ``Journal.take_over``.
    :param state: What the journal says so far. The engine changes it as the journal grows.
    :param settings: Limits and policies.
    :param client: The client of the batch's account, of this loop.
    :param is_new: Whether this process has begun the batch; by default an earlier one has.
    :param woken: What the trigger reported, if the batch was deferred; by default nothing.
    :param registrar: The register, where the batch has one; by default it has none.
    :param on_progress: Called in the loop about once a second. It must not block.
    :param clock: Seconds since the epoch.
    :param random: Source of jitter.
    """

    def __init__(
        self,
        batch: Batch,
        journal: Journal,
        state: BatchState,
        settings: BatchSettings,
        client: AsyncCloudClient,
        *,
        is_new: bool = False,
        woken: Woken | None = None,
        registrar: Registrar | None = None,
        on_progress: Callable[[Progress], object] | None = None,
        clock: Callable[[], float] = time.time,
        random: Random = usual_random,
    ) -> None:
        self._batch = batch
        self._journal = journal
        self._settings = settings
        self._client = client
        self._on_progress = on_progress
        self._registrar = registrar
        self._clock = clock
        self._woken = woken
        book = DurationBook.from_dict(state.durations) if state.durations else DurationBook()
        for duration in woken.durations if woken else ():
            book.entry(duration.operation).observe(duration.after_seconds, duration.until_seconds)
        self._machine = Machine(batch, state, settings, book, random)
        self._metrics = BatchMetrics(batch, state, woken)
        if is_new:
            self._metrics.count_decided()
        self._committing: deque[tuple[Record, ...]] = deque()
        #: Errands and commits that are not done yet.
        self._under_way: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._waits = False
        self._over: asyncio.Future[Ended | Deferral] | None = None
        self._machine_stop: events.Stop | None = None
        self._moved = asyncio.Event()

    async def run(self) -> Ended | Deferral:
        """
        Work until nothing is left to do, or until all that is under way runs in the cloud for a while.

        :return: How the try ends. With :class:`.ending.Deferral` nothing is lost if the process ends now.
        :raises JournalFencedError: if another process has taken the batch over; it goes on there.
        :raises JournalUnreachableError: if the journal cannot be written. What runs in the cloud is left for the next try.
        """
        self._over = over = asyncio.get_running_loop().create_future()
        self._group = GroupCommit(
            self._journal,
            permits=self._settings.max_unanswered_submits,
            on_durable=self._on_durable,
            error_budget_seconds=self._settings.cadence.error_budget_seconds,
        )
        with transfers(self._client, self._clock) as transfer:
            self._errands = Errands(
                self._batch,
                self._client,
                transfer,
                keep_incomplete=self._settings.keep_incomplete,
                if_exists=self._settings.if_exists,
                quality=(self._settings.gates, self._settings.on_low_quality),
                extract=(self._settings.fields, self._settings.extract_bytes),
                previews=self._settings.previews,
                keep_steps=self._settings.keep_steps,
                max_bytes=self._settings.max_bytes,
                registrar=self._registrar,
            )
            return await self._run(over)

    async def _run(self, over: asyncio.Future[Ended | Deferral]) -> Ended | Deferral:
        looking = asyncio.create_task(self._look())
        try:
            self._do(self._machine.start(self._clock(), *self._told()))
            if self._machine_stop is not None:
                self._tell(self._machine_stop)
            return await over
        finally:
            looking.cancel()
            self._stop_timer()
            for each in self._under_way:
                each.cancel()
            await asyncio.gather(looking, *self._under_way, return_exceptions=True)
            await self._group.close()
            await asyncio.to_thread(self._metrics.drain().send)

    @property
    def state(self) -> BatchState:
        """What the journal says about the documents."""
        return self._machine.state

    def running(self) -> list[RunningTask]:
        """Return the cloud tasks that may run now, in the order of their documents. May be called from any thread."""
        return [
            RunningTask(work.ref, work.poller.seen_running_at if work.poller else 0.0)
            for work in sorted(self._machine.works.values(), key=lambda work: work.document)
            if work.ref is not None and work.phase in _IN_CLOUD
        ]

    def count_reattached(self) -> None:
        """Count in the metrics what a retry goes on with; called before :meth:`run`."""
        self._metrics.count_reattached()

    def progress(self) -> Progress:
        """Return how far the batch is."""
        counts = count_outcomes(self._batch, self._machine.state)
        works = self._machine.works.values()
        return Progress(
            documents=len(self._batch.documents),
            done=sum(counts.get(outcome, 0) for outcome in _DONE),
            failed=counts.get("failed", 0),
            under_way=len(works),
            running=sum(work.phase in (Phase.RUNNING, Phase.POLLING) for work in works),
            submits=self._machine.state.submits,
            stopped=self._machine.stopped,
        )

    def hold(self) -> None:
        """Submit nothing more, and do not defer. Running cloud tasks are waited for until :meth:`stop` is called."""
        self._end_process(events.Stop("stopped"))

    def _end_process(self, stop: events.Stop) -> None:
        self._machine_stop = stop
        self._waits = False  # A batch that ends does not defer.
        if self._over is not None:
            self._tell(stop)

    async def stop(self, *, cancel: bool, seconds: float) -> Stopped:
        """
        Submit nothing more; :meth:`run` returns when nothing is under way any more.

        :param cancel: Whether the running cloud tasks are cancelled; if not, they are left for a later try.
        :param seconds: How long to wait until all are cancelled, or until what was being sent stands in the journal.
        :return: What has become of the cloud tasks that ran.
        """
        cancelled = self._machine.state.outcomes["cancelled"]
        self._end_process(events.Stop("stopped", cancel))
        try:
            async with asyncio.timeout(seconds):
                while self._any_in(_BEING_WRITTEN) or (cancel and self._any_in(_IN_CLOUD)):
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            log.info(
                "The time ended before all documents of the batch were stopped; their cloud tasks may still run."
            )
        cancelled = self._machine.state.outcomes["cancelled"] - cancelled
        return Stopped(cancelled=cancelled, left=len(self.running()))

    def _any_in(self, phases: frozenset[Phase]) -> bool:
        return any(work.phase in phases for work in self._machine.works.values())

    # Actions and their events.

    def _tell(self, event: events.Event) -> None:
        if not self._is_over:
            self._do(self._machine.on(event, self._clock()))

    def _do(self, wanted: list[actions.Action]) -> None:
        for action in wanted:
            match action:
                case actions.Commit(records):
                    self._follow(self._commit(records))
                case actions.Discard(document):
                    self._errands.discard(document)
                case actions.Announce():
                    self._announce(action)
                case actions.Finish():
                    self._end(self._ended())
                case _:
                    self._follow(asyncio.create_task(self._run_errand(action)))
        self._moved.set()
        self._set_timer()

    def _follow(self, begun: asyncio.Future[None]) -> None:
        self._under_way.add(begun)
        begun.add_done_callback(self._on_done)

    def _on_done(self, begun: asyncio.Future[None]) -> None:
        self._under_way.discard(begun)
        if not begun.cancelled() and (error := begun.exception()) is not None:
            self._fail(error)

    def _end(self, result: Ended | Deferral) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    @property
    def _is_over(self) -> bool:
        return self._over is not None and self._over.done()

    async def _run_errand(self, action: actions.Action) -> None:
        self._tell(await self._errands.do(action))

    def _commit(self, records: tuple[Record, ...]) -> asyncio.Future[None]:
        self._committing.append(records)
        return self._group.commit([record_to_dict(record, self._journal.epoch) for record in records])

    def _on_durable(self, described: Sequence[Mapping[str, Any]]) -> None:
        """Take records in the order of the journal, before the next part or a snapshot is written."""
        if self._group.drain_requested and self._machine.stopped is None:
            log.warning("A drain of the batch was requested: nothing more is submitted.")
            self._tell(events.Stop("drain"))
        taken = 0
        while taken < len(described):
            records = self._committing.popleft()
            taken += len(records)
            self._metrics.take(records)
            self._tell(events.Durable(records))

    def _announce(self, action: actions.Announce) -> None:
        document = self._batch.documents[action.document]
        operation = self._batch.steps[action.step].operation
        log.warning(
            "%s of %s is submitted again and may be billed twice: %s.",
            operation,
            shown(document.source, 300),
            action.reason,
        )

    # Time.

    def _set_timer(self) -> None:
        at = self._machine.next_at
        if at == self._timer_at and self._timer is not None:
            return
        self._stop_timer()
        if at < math.inf and not self._is_over and not self._waits:
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - self._clock()), self._tick)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def _tick(self) -> None:
        self._stop_timer()
        try:
            self._tell(events.Tick())
        except Exception as error:  # The loop would log it, and the batch would wait for ever.
            self._fail(error)

    async def _look(self) -> None:
        """Report the progress and the metrics once a second, write a snapshot, or defer, where one of them is due."""
        clock = asyncio.get_running_loop().time
        report_at = clock() + LOOK_SECONDS
        while True:
            try:
                waits = self._machine.waits_for_cloud or not self._settings.deferrable
                await asyncio.sleep(LOOK_SECONDS if waits else LOOK_WHILE_MOVING_SECONDS)
                if clock() >= report_at:
                    report_at = clock() + LOOK_SECONDS
                    await self._report()
                await self._look_once()
            except Exception as error:
                self._fail(error)
                return

    async def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.progress())
        # The end of the batch cancels this. What was drained and waits for a thread then would be lost.
        await asyncio.shield(asyncio.to_thread(self._metrics.drain().send))

    async def _look_once(self) -> None:
        look_at = None if self._machine_stop else next_look_at(self._machine, self._settings, self._clock())
        if look_at is not None or self._is_to_be_deferred():
            self._pause_polls()
            if look_at is None and not self._machine.is_idle:
                return  # The next look leaves, if the polls under way have their answers and find nothing to do.
            await self._snapshot()
            if self._machine_stop is not None:  # A deferral would drop cancels that are under way.
                self._resume_polls()
                return
            self._end(Deferral(tuple(self.running()), self._settings.deadline_at, look_at))
            return
        self._resume_polls()
        if self._journal.parts_to_replay > most_parts(len(self._batch.documents)):
            await self._snapshot()

    def _pause_polls(self) -> None:
        """Begin no more polls: none may be under way while the snapshot of a deferral is written."""
        self._waits = True
        self._stop_timer()

    def _resume_polls(self) -> None:
        self._waits = False
        self._set_timer()

    async def _snapshot(self) -> None:
        # Copied here and not in the journal's thread, because the loop changes the book meanwhile.
        self._machine.state.durations = self._machine.book.to_dict()
        epoch, state = self._journal.epoch, self._machine.state
        await self._group.snapshot(lambda: (record_to_dict(record, epoch) for record in state.snapshot()))

    def _is_to_be_deferred(self) -> bool:
        return not self._machine_stop and is_worth_leaving(self._machine, self._settings, self._clock())

    # The begin and the end of a process.

    def _told(self) -> tuple[frozenset[int] | None, frozenset[int]]:
        """
        Return what the trigger reported about documents while the batch was deferred.

        :return: Those whose cloud task has ended, ``None`` = nothing is known; and those whose cloud task it has cancelled.
        """
        woken = self._woken
        if woken is None or woken.because is None:
            return None, frozenset()
        refs = running_refs(self._batch, self._machine.state)
        if digest_of([ref for _, ref in refs]) != woken.digest:
            return None, frozenset()
        ended, cancelled = (
            frozenset(refs[place][0] for place in places if place < len(refs))
            for places in (woken.ended, woken.cancelled)
        )
        return ended, cancelled

    def _ended(self) -> Ended:
        state, try_number = self._machine.state, self._settings.try_number
        return Ended(
            counts=count_outcomes(self._batch, state),
            submits=state.submits,
            maybe_billed_twice=sum(known.doubts for known in state.documents.values()),
            stopped=self._machine.stopped,
            error=self._machine.error,
            has_results_left=any(known.may_have_result for known in state.documents.values()),
            make_rows=lambda: make_rows(self._batch, state, try_number),
        )
