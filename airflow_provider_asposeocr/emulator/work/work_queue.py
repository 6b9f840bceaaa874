"""
Does the accepted tasks, a bounded number at once.

Invariant: no more than ``size`` jobs run at a time, in threads of their own; a task's record is changed on the
event loop only. A task that was deleted while queued is never started, one deleted while running leaves nothing
behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.printable import printable
from airflow_provider_asposeocr.emulator.work.jobs import Job, JobError, JobOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.clock import Clock
    from airflow_provider_asposeocr.emulator.cloud.tasks import Task, TaskStore

log = logging.getLogger(__name__)

_PAYLOAD = "payload"


class WorkQueue:
    """
    The queue in front of the worker.

    :param perform: Does one job of a task; called in a thread.
    :param size: Jobs at once.
    :param tasks: The store whose tasks these are.
    :param clock: The emulator's time.
    """

    def __init__(
        self, perform: Callable[[Task, Job], JobOutcome], size: int, tasks: TaskStore, clock: Clock
    ) -> None:
        self._perform = perform
        self._size = size
        self._tasks = tasks
        self._clock = clock
        self._waiting: asyncio.Queue[Task] = asyncio.Queue()
        self._pool: ThreadPoolExecutor | None = None
        self._runners: list[asyncio.Task[None]] = []
        self._jobs: set[Future[JobOutcome]] = set()

    @property
    def is_busy(self) -> bool:
        """Whether a job is running, be it one whose result is wanted by nobody any more."""
        return any(job.running() for job in self._jobs)

    async def start(self) -> None:
        """Start taking tasks."""
        self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="emulator-work")
        self._runners = [asyncio.create_task(self._run(self._pool)) for _ in range(self._size)]

    async def stop(self) -> None:
        """Take no more tasks; jobs that are running are left to themselves."""
        for runner in self._runners:
            runner.cancel()
        for runner in self._runners:
            with contextlib.suppress(asyncio.CancelledError):
                await runner
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def put(self, task: Task) -> None:
        """Queue a task, or settle it at once if nothing is to be done for it."""
        fate = task.fate.kind if task.fate else None
        if fate == "error":
            task.started_at = task.worked_at = self._clock.now()
            task.failure = task.fate.messages if task.fate else ()
        self._tasks.save(task)
        if fate not in ("stuck", "error"):
            self._waiting.put_nowait(task)

    async def _run(self, pool: ThreadPoolExecutor) -> None:
        while True:
            task = await self._waiting.get()
            if task.deleted:
                continue
            task.started_at = self._clock.now()
            try:
                await self._do(task, pool)
            finally:
                task.worked_at = self._clock.now()
                if task.deleted:
                    self._tasks.release_files(task)
            # An emulator that ends in the middle does not come here: it begins a kept task again at its next start.
            self._tasks.save(task)
            (task.folder / _PAYLOAD).unlink(missing_ok=True)

    async def _do(self, task: Task, pool: ThreadPoolExecutor) -> None:
        job = Job(task.operation, task.folder / _PAYLOAD, task.folder / "results", task.settings)
        try:
            future = pool.submit(self._perform, task, job)
            self._jobs.add(future)
            future.add_done_callback(self._jobs.discard)
            task.outcome = await asyncio.wrap_future(future)
        except JobError as error:
            task.failure = tuple(printable(message) for message in error.messages)
        except Exception as error:
            # Whatever a worker trips over must not end the runner, and the user is to see that it was ours.
            if not task.deleted:
                log.exception("The worker failed at task %s (%s).", task.id, task.operation)
            task.failure = (
                f"The emulator's worker failed with {type(error).__name__}; see the emulator's log.",
            )
