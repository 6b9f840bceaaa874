"""
The process that writes a result and is killed, interrupted or refused while it does.

Each is forked off a server that has imported everything already, as an Airflow worker forks its tasks.
"""

from __future__ import annotations

import gc
import hashlib
import os
import resource
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import loopback  # noqa: F401  # The guard comes first.
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results import Fetched, Result
from airflow_provider_asposeocr.storage import store

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

REF = TaskRef(
    operation="RecognizeImage",
    id="id-1",
    submitted_at=datetime(2026, 3, 1, tzinfo=UTC),
    conn_id="ocr",
    source_name="page.png",
)
#: No writer lives longer, whatever becomes of the test.
_LIFE_SECONDS = 150


class DeadlineError(BaseException):
    """Comes like Airflow's ``execution_timeout``: out of a signal handler, and not below ``Exception``."""


def _interrupt(*_: Any) -> None:
    raise DeadlineError


def _prepare(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    signal.alarm(_LIFE_SECONDS)
    signal.signal(signal.SIGUSR1, _interrupt)


def write(job: dict[str, Any], pipe: Connection) -> None:
    """
    Write one result through the provider and say what came of it.

    :param job: ``environment``, ``source`` (path), ``bytes``, ``sha256``, ``uri``; perhaps ``file_size_limit``.
    :param pipe: Takes ``("manifest", …)``, ``("error", …)`` or ``("interrupted", None)``. After the last two, when
        nothing refers to the write any more, the process lives on until it is told to end.
    """
    _prepare(job["environment"])
    if limit := job.get("file_size_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    result = Result("Pdf", Path(job["source"]), job["bytes"], job["sha256"])
    outcome: tuple[str, Any] = ("interrupted", None)
    try:
        manifest = store(REF, Fetched(TaskState(taskStatus="Completed"), (result,)), job["uri"])
        outcome = ("manifest", manifest)
    except AsposeOcrError as error:
        outcome = ("error", {**error.to_dict(), "retryable": error.retryable})
    except DeadlineError:
        pass
    gc.collect()
    pipe.send(outcome)
    if outcome[0] != "manifest":
        pipe.recv()


def stream(job: dict[str, Any], pipe: Connection) -> None:
    """Write half of a result as one is tempted to, straight into the destination, and drop the writer."""
    _prepare(job["environment"])
    data = Path(job["source"]).read_bytes()
    writer = ObjectStoragePath(job["uri"]).open("wb")
    writer.write(data[: len(data) // 2])
    del writer
    gc.collect()
    pipe.send(("dropped", None))


def digest(data: bytes) -> str:
    """Return the checksum as the manifest has it."""
    return hashlib.sha256(data).hexdigest()
