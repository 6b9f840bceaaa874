"""
Batches of local files against an emulator, in this process or in one that is killed.

``python -m tests.support.batch_engine URL FOLDER TRY [SETTINGS as JSON]`` runs one try of the batch in a folder and prints
how it ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.http.transports import tls_context
from airflow_provider_asposeocr.batch.ending import Ended
from airflow_provider_asposeocr.batch.engine import BatchEngine
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument, parse_header
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text, tiny_png
from tests.support.cadences import with_cadence

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.ending import Deferral
    from airflow_provider_asposeocr.batch.woken import Woken

STEPS = (Step("UpscaleImage"), Step("BinarizeImage"), Step("RecognizeImage", {"resultType": "Text"}))
#: The client id and the secret of an emulator's first account.
CREDENTIALS = ("emulator", "emulator")
#: Polls as fast as tests want them.
QUICKLY = {"poll_interval_seconds": 0.05, "max_poll_interval_seconds": 0.2}


def content_of(index: int) -> bytes:
    """Return the picture that is the document with this number."""
    return tiny_png(hashlib.sha256(str(index).encode()).hexdigest())


def expected_text(index: int, steps: tuple[Step, ...] = STEPS) -> str:
    """Return the text that the canned engine makes of a document."""
    content = content_of(index)
    for _ in steps[:-1]:
        content = tiny_png(hashlib.sha256(content).hexdigest())
    return canned_text(hashlib.sha256(content).hexdigest())


def batch_in(folder: Path, documents: int, steps: tuple[Step, ...] = STEPS) -> Batch:
    """Write a number of documents and plan their batch."""
    (folder / "in").mkdir()
    for index in range(documents):
        (folder / "in" / f"{index}.png").write_bytes(content_of(index))
    return Batch(
        key="0123456789abcdef",
        conn_id="ocr",
        destination=f"{folder}/out/",
        steps=steps,
        manifest=f"{folder}/out/.aspose-ocr/manifests/2026/03/02/m.jsonl",
        documents=tuple(
            BatchDocument(index, f"{folder}/in/{index}.png", None, f"{index}.png")
            for index in range(documents)
        ),
        dag_id="dag",
        run_id="run",
        task_id="task",
    )


def journal_of(folder: Path) -> Any:
    """Return the folder of the batch's journal."""
    return object_path(f"{folder}/out/.aspose-ocr/batches/key/0")


def begin_journal(folder: Path, batch: Batch) -> None:
    """Write the plan down, as the first try does."""
    Journal.create(journal_of(folder), batch.to_header())


def results_in(folder: Path) -> dict[str, str]:
    """Return the texts of the results by their names."""
    return {path.name: path.read_text() for path in (folder / "out").glob("*.txt")}


def client_of(url: str) -> AsyncCloudClient:
    """Return a client of an emulator."""
    account = Account(*CREDENTIALS, url)
    return AsyncCloudClient(account, tls_context(account), polls_per_second=1e6)


async def begin_try(
    url: str, folder: Path, *, woken: Woken | None = None, resumes: bool = False, **settings: Any
) -> tuple[BatchEngine, asyncio.Task[Any]]:
    """Take the journal over and begin one try."""
    journal, header, records = await asyncio.to_thread(
        lambda: Journal.take_over(journal_of(folder), resumes=resumes)
    )
    client = client_of(url)
    chosen = BatchSettings(**with_cadence(settings, **QUICKLY))
    engine = BatchEngine(
        parse_header(header), journal, replay(records, journal.epoch), chosen, client, woken=woken
    )

    async def run() -> Ended | Deferral:
        try:
            return await engine.run()
        finally:
            await client.close()

    return engine, asyncio.create_task(run())


async def run_try(
    url: str, folder: Path, *, woken: Woken | None = None, resumes: bool = False, **settings: Any
) -> Ended | Deferral:
    """Take the journal over and run one try."""
    _, running = await begin_try(url, folder, woken=woken, resumes=resumes, **settings)
    ended: Ended | Deferral = await running
    return ended


def described(ended: Ended) -> dict[str, Any]:
    """Return what a try has come to, and check that its rows say the same."""
    rows = list(ended.rows())
    assert Counter(row.outcome for row in rows) == Counter(dict(ended.counts))
    assert [row.index for row in rows] == list(range(len(rows)))
    return {
        "counts": dict(ended.counts),
        "submits": ended.submits,
        "maybe_billed_twice": ended.maybe_billed_twice,
        "doubtful": [row.index for row in rows if row.maybe_billed_twice],
        "stopped": ended.stopped,
    }


def main() -> None:
    """Run one try in this process."""
    url, folder, try_number, *more = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = json.loads(more[0]) if more else {}
    ended = asyncio.run(run_try(url, Path(folder), try_number=int(try_number), **settings))
    if not isinstance(ended, Ended):
        raise TypeError("The batch wants to be deferred.")
    print(json.dumps(described(ended)))


if __name__ == "__main__":
    main()
