"""
A process that takes a batch through an emulated cloud, and may be killed at any moment: a try of an Airflow task without
Airflow.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import signal
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.batch.ending import Ended
from airflow_provider_asposeocr.batch.engine import BatchEngine
from airflow_provider_asposeocr.batch.errors import JournalMissingError
from airflow_provider_asposeocr.batch.journal import read_journal
from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.batch.opening import BatchRequest, open_batch
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.batch.tripwire import JournalPlan

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

log = logging.getLogger(__name__)

ACCOUNT, SECRET = "kills", "secret-of-the-kills"
STEPS = ["UpscaleImage", "BinarizeImage", "RecognizeImage"]
#: A process ends itself after this time, also if the test was killed.
_LIFE_SECONDS = 150


@dataclass(frozen=True)
class Place:
    """
    Where a batch is.

    :param folder: Existing folder, with the documents in ``inbox``.
    :param cloud_url: The emulated cloud.
    :param in_flight: ``max_in_flight``.
    :param permits: ``max_unanswered_submits``.
    """

    folder: Path
    cloud_url: str
    in_flight: int = 20
    permits: int = 8

    @property
    def outbox(self) -> Path:
        """The folder of the results."""
        return self.folder / "outbox"

    @property
    def request(self) -> BatchRequest:
        """What each try is asked for."""
        return BatchRequest(
            sources=f"file://{self.folder}/inbox/",
            steps=parse_steps(STEPS),
            destination=f"file://{self.outbox}/",
            names="path",
            base=None,
            state=f"file://{self.folder}/state/",
            conn_id="kills",
            account="kills",
            key="0123456789abcdef",
            dag_id="kills",
            run_id="kills",
            task_id="read",
            map_index=-1,
            max_tries=0,
            day=date(2026, 1, 1),
        )

    def records(self) -> list[dict[str, Any]]:
        """Read the journal's records; none where it was not begun."""
        try:
            return read_journal(ObjectStoragePath(self.request.journal_uri))[1]
        except JournalMissingError:
            return []

    def rows(self) -> list[dict[str, Any]]:
        """Read the rows of the manifest."""
        (manifest,) = self.folder.glob("state/manifests/**/*.jsonl")
        return [json.loads(line) for line in manifest.read_text().splitlines()]

    def begin(self, try_number: int) -> BaseProcess:
        """Begin a try in a process of its own; it ends with 0 when the batch has ended and the manifest is written."""
        process = multiprocessing.get_context("fork").Process(target=_run, args=(self, try_number))
        process.start()
        return process


class _Json(logging.Formatter):
    """Writes lines as Airflow's task logs have them."""

    def format(self, record: logging.LogRecord) -> str:
        timestamp = datetime.fromtimestamp(record.created, UTC).isoformat()
        return json.dumps({"timestamp": timestamp, "level": record.levelname, "event": record.getMessage()})


def _run(place: Place, try_number: int) -> None:
    signal.alarm(_LIFE_SECONDS)
    handler = logging.FileHandler(place.folder / f"try-{try_number:03}.log")
    handler.setFormatter(_Json())
    logging.getLogger().handlers = [handler]
    logging.getLogger("airflow_provider_asposeocr").setLevel(logging.INFO)
    try:
        asyncio.run(_take_through(place, try_number))
    except BaseException:
        log.exception("The try has failed.")
        os._exit(1)
    os._exit(0)


async def _take_through(place: Place, try_number: int) -> None:
    account = Account(ACCOUNT, SECRET, base_url=place.cloud_url)
    opened = open_batch(place.request, JournalPlan(place.request.journal_uri), resumes=False)
    settings = BatchSettings(
        max_in_flight=place.in_flight,
        max_unanswered_submits=place.permits,
        cadence=Cadence(0.2, 1.0),
        try_number=try_number,
    )
    client = AsyncCloudClient(account, tls_context(account), polls_per_second=200.0)
    try:
        engine = BatchEngine(opened.batch, opened.journal, opened.state, settings, client)
        ended = await engine.run()
    finally:
        await client.close()
    assert isinstance(ended, Ended)
    write_manifest(opened.batch.manifest, ended.rows(), len(opened.batch.documents))
