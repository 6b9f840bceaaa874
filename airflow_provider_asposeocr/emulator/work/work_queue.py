"""
The queue of accepted tasks, which runs a limited number of jobs at once.

Invariant: at most ``size`` jobs run at a time, each in a thread. Only code on the event loop changes the record of a task. A
task that is deleted while it is queued is never started. A task that is deleted while it runs leaves no files.
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
    The queue of the worker.

    :param perform: Does the job of a task; called in a thread.
    :param size: Most jobs at once.
    :param tasks: The store of the tasks.
    :param clock: The clock of the emulator.
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
        """Whether a job is running, also if its task was deleted."""
        return any(job.running() for job in self._jobs)

    async def start(self) -> None:
        """Start to work on tasks."""
        self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="emulator-work")
        self._runners = [asyncio.create_task(self._run(self._pool)) for _ in range(self._size)]

    async def stop(self) -> None:
        """Start no more tasks. Running jobs are neither stopped nor waited for."""
        for runner in self._runners:
            runner.cancel()
        for runner in self._runners:
            with contextlib.suppress(asyncio.CancelledError):
                await runner
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def put(self, task: Task) -> None:
        """Queue a task. If a fault rule has determined its end, set that end instead."""
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
            # If the emulator ends before this line, it works on a kept task again after its next start.
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
            # An unexpected error must not end the runner, and its message must blame the emulator, not the document.
            if not task.deleted:
                log.exception("The worker failed in the task %s (%s).", task.id, task.operation)
            task.failure = (
                f"The emulator's worker failed with {type(error).__name__}; see the emulator's log.",
            )
