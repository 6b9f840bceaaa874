"""A worker of the emulator that answers some documents with texts of the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.server import make_worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.emulator.options import Options
    from airflow_provider_asposeocr.emulator.work.jobs import Job, JobOutcome


class AnsweringCloud:
    """
    Reads with an engine all but the documents that are marked.

    :param options: Name the engine.
    :param answers: The text that a document with these bytes at its end is answered with; a PNG ends before them.
    """

    def __init__(self, options: Options, answers: Mapping[bytes, str]) -> None:
        self.name: str = options.engine
        self._engine = make_worker(options)
        self._answers = answers

    def __call__(self, job: Job) -> JobOutcome:
        outcome = self._engine(job)
        content = job.payload.read_bytes()
        for mark, answer in self._answers.items():
            if content.endswith(mark):
                (result,) = outcome.results
                result.path.write_text(answer, encoding="utf-8")
        return outcome
