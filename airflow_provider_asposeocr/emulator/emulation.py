"""
The state of one emulator, which the cloud's paths and the control API read and change.

Invariant: all state is in :class:`Emulation`, and :meth:`Emulation.reset` resets all of it. Code uses it from the event loop
only, except :meth:`Emulation.perform`, which runs in the worker's threads.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.clock import Clock
from airflow_provider_asposeocr.emulator.cloud.accounts import Accounts
from airflow_provider_asposeocr.emulator.cloud.durations import parse_duration
from airflow_provider_asposeocr.emulator.cloud.keep import Counters, KeptFolder
from airflow_provider_asposeocr.emulator.cloud.lockout import LockOut
from airflow_provider_asposeocr.emulator.cloud.tasks import Task, TaskStore
from airflow_provider_asposeocr.emulator.cloud.trial import mask_hocr, mask_text
from airflow_provider_asposeocr.emulator.control.faults import FaultBook
from airflow_provider_asposeocr.emulator.control.held_requests import HeldRequests
from airflow_provider_asposeocr.emulator.control.journal import Billing, Journal
from airflow_provider_asposeocr.emulator.work.work_queue import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.options import Options
    from airflow_provider_asposeocr.emulator.work.jobs import Job, JobOutcome, Worker


def _temporary_folder(parent: Path | None) -> Path:
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="aspose-ocr-emulator-", dir=parent))


class Emulation:
    """
    The state of one emulator.

    :param options: The options of the emulator.
    :param worker: The worker that does the jobs.
    :raises RuntimeError: if the folder of the option ``keep`` cannot be used.
    """

    def __init__(self, options: Options, worker: Worker) -> None:
        self.options = options
        self.worker = worker
        self.clock = Clock()
        lock_out = LockOut(options.token_failures, options.lockout_seconds, options.token_success_resets)
        self.accounts = Accounts(options.secrets(), options.token_seconds, lock_out, self.clock)
        self.faults = FaultBook()
        self.journal = Journal()
        self.held_requests = HeldRequests(self.journal)
        self.billing = Billing()
        self._kept = KeptFolder(options.keep) if options.keep is not None else None
        self._folder = self._kept.tasks if self._kept else _temporary_folder(options.data_dir)
        self.tasks = TaskStore(self._folder, options.retention_seconds, self.clock, self._kept)
        self.queue = WorkQueue(self.perform, options.workers, self.tasks, self.clock)
        self._duration = parse_duration(options.task_seconds)
        self._generator = self._seeded()
        if self._kept:
            try:
                self._restore(self._kept)
            except BaseException:
                self._kept.close()
                raise

    def _restore(self, kept: KeptFolder) -> None:
        """Load what an earlier emulator has kept, and queue the tasks that it had not finished."""
        counters = kept.counters()
        self.billing.restore(counters.billing)
        self.clock.advance(counters.advanced_seconds)
        for task in kept.load_tasks():
            self.tasks.add(task)
            if task.worked_at is None:
                self.queue.put(task)
        self.tasks.sweep()

    def save_counters(self) -> None:
        """Store the billing counter and the clock in the folder of the option ``keep``, if it is set."""
        if self._kept:
            self._kept.save_counters(Counters(self.billing.as_json(), self.clock.advanced_seconds))

    def reset(self) -> None:
        """Delete all state, release held requests, and set the clock to real time."""
        self.held_requests.release()
        self.tasks.clear()
        self.accounts.reset()
        self.faults.clear()
        self.billing.clear()
        self.clock.reset()
        self.journal.clear()
        self.save_counters()
        self._generator = self._seeded()

    def close(self) -> None:
        """Remove the temporary files; with the option ``keep``, release the folder instead."""
        if self._kept:
            self._kept.close()
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def task_duration_seconds(self) -> float:
        """Draw the duration of the next task."""
        return self._duration.sample(self._generator)

    def perform(self, task: Task, job: Job) -> JobOutcome:
        """Do one job; for a trial task, mask words in its results."""
        outcome = self.worker(job)
        if task.operation == "RecognizeImageTrial":
            self._mask(outcome, task.digest)
        return outcome

    def _mask(self, outcome: JobOutcome, digest: str) -> None:
        masks: dict[str, Callable[[str, str], str]] = {"Text": mask_text}
        if self.options.trial_masks == "text_and_hocr":
            masks["Hocr"] = mask_hocr
        for result in outcome.results:
            if mask := masks.get(result.type):
                text = result.path.read_text(encoding="utf-8", errors="replace")
                result.path.write_text(mask(text, digest), encoding="utf-8", newline="")

    def _seeded(self) -> random.Random:
        return random.Random(self.options.seed)  # noqa: S311 - durations that can be repeated
