"""The types of the functions with which tests run jobs on workers of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome, Worker

#: ``run(worker, operation, data, **settings)`` does one job.
Run: TypeAlias = Callable[..., JobOutcome]
#: ``blind(max_pixels=...)`` makes a worker that decodes and filters, and recognizes no text.
MakeWorker: TypeAlias = Callable[..., Worker]
#: ``read(name, language, operation, **settings)`` returns the files of the results by their type.
Reader: TypeAlias = Callable[..., dict[str, Path]]
