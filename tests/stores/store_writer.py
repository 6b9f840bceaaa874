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
from store_gcs import attach_gcs

from airflow_provider_asposeocr.api.errors import AsposeOcrError, DestinationError
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results.download import Download, Result
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.documents.atomic_create import create_or_read, is_atomic
from airflow_provider_asposeocr.documents.destinations import store
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.owners import Claims
from airflow_provider_asposeocr.ingestion.register import RecordName
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import (
    ClaimRecord,
    JournalPlace,
    Source,
    parse_register_record,
)

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.synchronize import Barrier

REF = TaskRef(
    operation="RecognizeImage",
    id="id-1",
    submitted_at=datetime(2026, 3, 1, tzinfo=UTC),
    conn_id="ocr",
    source_name="page.png",
)
#: The document that all processes claim.
KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0123456789ab"
#: How often all processes claim a document at the same moment.
CLAIM_ROUNDS = int(os.environ.get("CLAIM_ROUNDS", "20"))
#: No writer lives longer, also if the test ends early.
_LIFE_SECONDS = 150 + 5 * CLAIM_ROUNDS


class DeadlineError(BaseException):
    """Comes like Airflow's ``execution_timeout``: out of a signal handler, and not below ``Exception``."""


def _interrupt(*_: Any) -> None:
    raise DeadlineError


def _prepare(environment: dict[str, str]) -> None:
    os.environ.update(environment)
    attach_gcs()
    signal.alarm(_LIFE_SECONDS)
    signal.signal(signal.SIGUSR1, _interrupt)


def write(job: dict[str, Any], pipe: Connection) -> None:
    """
    Write one result through the provider and say what came of it.

    :param job: ``environment``, ``source`` (path), ``bytes``, ``sha256``, ``uri``; perhaps ``file_size_limit``.
    :param pipe: Takes ``("manifest", …)``, ``("error", …)`` or ``("interrupted", None)``. After the last two, when
        nothing refers to the write any more, the process lives on until the test ends it.
    """
    _prepare(job["environment"])
    if limit := job.get("file_size_limit"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    result = Result("Pdf", Path(job["source"]), job["bytes"], job["sha256"])
    outcome: tuple[str, Any] = ("interrupted", None)
    try:
        manifest = store(REF, Download(TaskState(taskStatus="Completed"), (result,)), job["uri"])
        outcome = ("manifest", manifest.to_dict())
    except AsposeOcrError as error:
        outcome = ("error", {**error.to_dict(), "retryable": error.retryable})
    except DeadlineError:
        pass
    gc.collect()
    pipe.send(outcome)
    if outcome[0] != "manifest":
        pipe.recv()


def claim(job: dict[str, Any], start: Barrier, pipe: Connection) -> None:
    """
    Try to get names at the same moment as other processes do, each for a document of its own.

    :param job: ``environment``, ``folder`` (URI), ``number`` of the process, ``rounds``.
    :param start: Holds all until the last one is there, in each round.
    :param pipe: Takes ``(rounds in which the record was created, rounds in which the name was got, is_atomic)``.
    """
    _prepare(job["environment"])
    created, got = [], []
    ref = REF.model_copy(update={"source_uri": f"/{job['number']}/page.png"})
    path = ObjectStoragePath(f"{job['folder']}/records/0.json")
    atomic = is_atomic(path)
    for number in range(job["rounds"]):
        mine = os.urandom(16).hex().encode()
        start.wait(_LIFE_SECONDS)
        if create_or_read(path.with_name(f"{number}.json"), mine) == mine:
            created.append(number)
        try:
            Claims(ref, "overwrite").take([ObjectStoragePath(f"{job['folder']}/{number}.txt")])
        except DestinationError:
            continue
        got.append(number)
    pipe.send((created, got, atomic))


def claim_documents(job: dict[str, Any], start: Barrier, pipe: Connection) -> None:
    """
    Try to claim a document at the same moment as other processes do, again and again.

    :param job: ``environment``, ``register`` (URI), ``number`` of the process, ``rounds``.
    :param start: Holds all until the last one is there, in each round.
    :param pipe: Takes ``(numbers of the claims that this process has, is_atomic, records that it sees at the end)``.
    """
    _prepare(job["environment"])
    register, won = RegisterFiles(job["register"]), []
    atomic = register.check()
    for n in range(1, job["rounds"] + 1):
        claim = ClaimRecord(
            at="now",
            place=JournalPlace(journal="/journal/", index=job["number"]),
            installation="",
            dag_id="dag",
            run_id=str(job["number"]),
            task_id="task",
            map_index=-1,
            source=Source(uri="/in/page.png"),
        )
        start.wait(_LIFE_SECONDS)
        found = parse_register_record(
            ClaimRecord, register.create(RecordName(KEY, n, "claim"), claim), "the claim"
        )
        if found.writer == claim.writer:
            won.append(n)
        assert RecordName(KEY, n, "claim") in register.look(KEY)
    start.wait(_LIFE_SECONDS)
    pipe.send((won, atomic, len(register.look(KEY))))


def own_journal(job: dict[str, Any], pipe: Connection) -> None:
    """
    Own the journal of a batch and do what the test says, one thing after the other.

    :param job: ``environment``, ``folder`` (URI), ``number`` of the process, for the header that it begins a journal with.
    :param pipe: Takes ``(epoch, header, records)``. Then it brings names of methods with their arguments and takes what
        each returns, or the error's class and whether a retry is worthwhile.
    """
    _prepare(job["environment"])
    opened = Journal.create(object_path(job["folder"]), {"key": "k", "documents": [job["number"]]})
    pipe.send((opened.journal.epoch, opened.header, opened.records))
    while command := pipe.recv():
        try:
            pipe.send(getattr(opened.journal, command[0])(*command[1:]))
        except AsposeOcrError as error:
            pipe.send((type(error).__name__, error.retryable))


def look_twice(job: dict[str, Any], pipe: Connection) -> None:
    """List a folder, wait until another client has written there, and try to get that name."""
    _prepare(job["environment"])
    target = ObjectStoragePath(job["uri"])
    create_or_read(target.with_name("other"), b"x")
    pipe.send([path.name for path in target.parent.iterdir()])
    pipe.recv()
    try:
        Claims(REF.model_copy(update={"source_uri": "/in/page.png"}), "overwrite").take([target])
    except DestinationError as error:
        pipe.send(error.message)
    else:
        pipe.send(None)


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
