"""
Group commit: many coroutines make their records durable with few writes of the journal.

Invariant: one part is written at a time, and :meth:`GroupCommit.commit` returns only after its records are durable and this
process still owned the journal after that. This check follows each commit, not only those of intents. Otherwise a process
that was suspended after its last submit would store results and write a manifest after another process has finished the
batch.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_asposeocr.batch.errors import JournalUnreachableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from airflow_provider_asposeocr.batch.journal import Journal, Marks

log = logging.getLogger(__name__)

#: How long a commit waits for others to join it. Each part is dear: a PUT and a listing.
WINDOW_SECONDS = 0.1
#: Pauses after a failed commit double up to this.
_LONGEST_PAUSE_SECONDS = 30.0
_T = TypeVar("_T")


def _ignore(records: Sequence[Mapping[str, Any]]) -> None:
    """Do nothing."""


@dataclass
class _Waiting:
    records: Sequence[Mapping[str, Any]]
    done: asyncio.Future[None]


class GroupCommit:
    """
    The journal as coroutines of one event loop use it.

    :param journal: The journal; nothing else may call it meanwhile.
    :param permits: How many documents may wait for a commit at most. When as many wait, nothing more can join, and the
        commit begins at once.
    :param on_durable: Called on the loop with records that have become durable, in the order of the journal, before the
        commits return that wait for them; never after another process has taken over. So a state that is
        made here holds exactly what is durable when :meth:`snapshot` asks for it.
    :param window_seconds: How long a commit waits otherwise; 0.1 by default.
    :param error_budget_seconds: How long writes may fail before all that wait fail; meanwhile nothing is submitted.
    :param clock: Seconds since any moment.
    :param sleep: Waits; takes the number of seconds.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        permits: int,
        on_durable: Callable[[Sequence[Mapping[str, Any]]], None] = _ignore,
        window_seconds: float = WINDOW_SECONDS,
        error_budget_seconds: float = 900.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._journal = journal
        self._permits = permits
        self._window_seconds = window_seconds
        self._error_budget_seconds = error_budget_seconds
        self._on_durable = on_durable
        self._clock, self._sleep = clock, sleep
        # The journal has its own thread: in the loop's pool, a commit would wait for transfers of documents.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="aspose-ocr-journal")
        self._lock = asyncio.Lock()
        self._nothing_can_join = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._flusher: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        #: Whether others have asked the owner to submit nothing more.
        self.drain_requested = False
        #: Whether the storage has refused the last write, so that commits wait for its return.
        self.is_failing = False

    def commit(self, records: Sequence[Mapping[str, Any]]) -> asyncio.Future[None]:
        """
        Make records durable.

        :param records: JSON objects; all of them become durable, or none.
        :return: Done when they are durable. If it is cancelled meanwhile, they become durable all the same. It fails with
            :class:`.JournalFencedError` if another process has taken over the batch, or has finished it, and with
            :class:`.JournalUnreachableError` if the storage has refused for ``error_budget_seconds``.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._failure is not None:
            done.set_exception(self._failure)
            return done
        self._waiting.append(_Waiting(records, done))
        if len(self._waiting) >= self._permits:
            self._nothing_can_join.set()
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._run())
        return done

    async def snapshot(self, make_records: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """
        Replace all parts of the journal by one with the whole state.

        :param make_records: Returns the state that the durable records make, without those that still wait: these are
            replayed after the snapshot. It is called, and its records are gone through, while nothing is being written,
            so that ``on_durable`` changes nothing meanwhile; and in the journal's thread, because the records of ten
            thousand documents would keep the loop from everything else for a second.
        :raises JournalFencedError: if another process has taken over the batch, or has finished it.
        :raises JournalUnreachableError: if the storage has refused for ``error_budget_seconds``.
        """
        async with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                await self._insist(lambda: self._journal.snapshot(make_records()))
            except Exception as error:
                self._fail(error, [])
                raise

    async def close(self) -> None:
        """Commit what waits without waiting for more, and end the thread. The journal can be used directly then."""
        self._nothing_can_join.set()
        if self._flusher is not None:
            await asyncio.gather(self._flusher, return_exceptions=True)
        self._thread.shutdown()

    async def _run(self) -> None:
        try:
            while self._waiting:
                try:
                    async with asyncio.timeout(self._window_seconds):
                        await self._nothing_can_join.wait()
                except TimeoutError:
                    pass
                async with self._lock:
                    await self._flush()
        finally:
            self._flusher = None
            for waiting in self._waiting:  # Nothing, unless the loop ends.
                waiting.done.cancel()

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        self._nothing_can_join.clear()
        if not batch:
            return
        records = [record for waiting in batch for record in waiting.records]
        try:
            self.drain_requested = (await self._write(records)).drain
            self._on_durable(records)
        except Exception as error:
            self._fail(error, batch)
        except BaseException:
            for waiting in batch:
                waiting.done.cancel()
            raise
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_result(None)

    async def _write(self, records: Sequence[Mapping[str, Any]]) -> Marks:
        todo = records

        def write() -> Marks:
            nonlocal todo
            now, todo = todo, ()  # After a failure the journal has them, and takes no second copy.
            self._journal.append(now)
            return self._journal.check()

        return await self._insist(write)

    async def _insist(self, call: Callable[[], _T]) -> _T:
        """Do I/O in the thread, and repeat it while the storage fails, for at most ``error_budget_seconds``."""
        began, pause = self._clock(), 1.0
        while True:
            try:
                result = await asyncio.get_running_loop().run_in_executor(self._thread, call)
            except JournalUnreachableError as error:
                if self._clock() - began >= self._error_budget_seconds:
                    raise
                if not self.is_failing:
                    log.warning(
                        "%s The batch submits nothing until it can write the journal again.", error.message
                    )
                self.is_failing = True
                await self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            else:
                if self.is_failing:
                    log.info("The batch can write its journal again, and submits documents.")
                self.is_failing = False
                return result

    def _fail(self, error: Exception, batch: Sequence[_Waiting]) -> None:
        """Let all commits fail, those that wait and later ones: another process continues the batch."""
        self._failure = error
        waiting, self._waiting = [*batch, *self._waiting], []
        for each in waiting:
            if not each.done.done():
                each.done.set_exception(error)
