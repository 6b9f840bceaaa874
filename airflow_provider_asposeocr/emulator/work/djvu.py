"""
DjVu2PDF with the program ``ddjvu`` of DjVuLibre, if the distribution has it.

Invariant: the program runs with limits of time and memory, and gets no name that a user has chosen.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.files.file_kinds import sniff_file
from airflow_provider_asposeocr.emulator.work.jobs import Job, JobError, JobOutcome, JobResult
from airflow_provider_asposeocr.emulator.work.programs import run_program

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.jobs import Worker

_PROGRAM = "ddjvu"


def djvu_worker(max_pages: int) -> Worker | None:
    """
    Return the worker of DjVu2PDF.

    :param max_pages: Most pages of a document; the pages after them are not converted, and the task has a warning.
    :return: The worker; ``None`` if the program is not installed (Debian: ``apt-get install djvulibre-bin``).
    """
    program = shutil.which(_PROGRAM)
    return None if program is None else _DjVuWorker(program, max_pages)


class _DjVuWorker:
    name = _PROGRAM

    def __init__(self, program: str, max_pages: int) -> None:
        self._program = program
        self._max_pages = max_pages

    def __call__(self, job: Job) -> JobOutcome:
        if sniff_file(job.payload) != "djvu":
            raise JobError("The submitted file is not a DjVu file.")
        path = job.result_dir / "result.pdf"
        pages = f"-page=1-{self._max_pages}"
        arguments = [self._program, "-format=pdf", pages, "-skip", str(job.payload), str(path)]
        said = run_program(arguments, job.result_dir)
        if not path.exists() or not path.stat().st_size:
            raise JobError(f"The DjVu file cannot be converted, it is damaged or cut short ({said}).")
        return JobOutcome((JobResult("Pdf", path),))
