"""
The worker of all operations: each is done by an OCR engine, by a program of the distribution, or by the canned engine.

Invariant: a canned result is marked: ``canned`` in its outcome, and a warning that the client of the cloud gets to read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.emulator.work.jobs import Job, JobOutcome, Worker


class Dispatcher:
    """
    A worker that does every operation.

    :param name: Name of the engine, for messages.
    :param workers: The worker of each operation that has one, by the operation's name.
    :param canned: The worker of all others.
    """

    def __init__(self, name: str, workers: Mapping[str, Worker], canned: Worker) -> None:
        self.name = name
        self._workers = workers
        self._canned = canned

    def __call__(self, job: Job) -> JobOutcome:
        """
        Do one job.

        :raises JobError: if the input cannot be worked on.
        """
        if job.operation in self._workers:
            return self._workers[job.operation](job)
        outcome = self._canned(job)
        note = (
            f"The emulator's result of {job.operation} is canned: it does not depend on what the input shows."
        )
        return replace(outcome, warnings=(*outcome.warnings, note))
