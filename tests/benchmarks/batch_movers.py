"""
Move small documents through three cloud steps and print the CPU time of this process per document.

``python -m tests.benchmarks.batch_movers floor|journal|no_journal URL DOCUMENTS BYTES``. The floor is a bare aiohttp loop:
bodies that are ready, answers that are dropped, no file, no check. Both have warmed up with a tenth of the documents.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp

from airflow_provider_asposeocr.api.polling.plan import Cadence
from airflow_provider_asposeocr.api.polling.schedules import GROWTH
from airflow_provider_asposeocr.batch.ending import Ended
from airflow_provider_asposeocr.batch.engine import BatchEngine
from airflow_provider_asposeocr.batch.journal import Journal, Marks
from airflow_provider_asposeocr.batch.settings import BatchSettings
from airflow_provider_asposeocr.batch.state import BatchState
from tests.support.batch_engine import CREDENTIALS, STEPS, batch_in, client_of, journal_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from airflow_provider_asposeocr.batch.plan import Batch

T = TypeVar("T")

IN_FLIGHT = 100
#: From the submit to the poll, as the provider waits where durations are not known. A test of this program waits less.
WAIT_SECONDS = float(os.environ.get("BATCH_WAIT_SECONDS", "1.6"))


class NoJournal:
    """Takes records and forgets them, to measure what the journal costs."""

    uri, epoch, parts_to_replay, acknowledged = "", 1, 0, 0

    def append(self, records: Sequence[Any]) -> None:
        """Forget records."""

    def check(self) -> Marks:
        """Find nothing."""
        return Marks()

    def snapshot(self, records: Sequence[Any]) -> None:
        """Forget the state."""


def documents_in(folder: Path, documents: int, size: int) -> Batch:
    """Write documents of a size and plan their batch."""
    batch = batch_in(folder, documents)
    noise = random.Random(1).randbytes(size)
    for path in (folder / "in").iterdir():
        path.write_bytes((path.read_bytes() + noise)[:size])
    return batch


async def ours(url: str, folder: Path, documents: int, size: int, *, journal: bool) -> dict[str, float]:
    """Run a batch; what it is made of is there before the clock starts."""
    batch = documents_in(folder, documents, size)
    owned: Any = NoJournal()
    if journal:
        owned = Journal.create(journal_of(folder), batch.to_header()).journal
    return await run_batch(url, batch, owned)


async def run_batch(url: str, batch: Batch, owned: Any) -> dict[str, float]:
    """Run a batch whose journal has begun."""
    documents = len(batch.documents)
    client = client_of(url)
    settings = BatchSettings(max_in_flight=IN_FLIGHT, cadence=Cadence(WAIT_SECONDS * GROWTH))
    engine = BatchEngine(batch, owned, BatchState(), settings, client)
    found, ended = await measured(engine.run(), documents)
    await client.close()
    if not isinstance(ended, Ended) or ended.counts != {"succeeded": documents}:
        raise RuntimeError(f"The batch ended otherwise: {ended}.")
    return found


async def nothing() -> None:
    """Do nothing before or after a document."""


async def floor(
    url: str,
    documents: int,
    size: int,
    before: Callable[[], Awaitable[None]] = nothing,
    after: Callable[[], Awaitable[None]] = nothing,
) -> dict[str, float]:
    """Send the same nine requests per document, and nothing else but what is done before and after each."""
    noise = random.Random(1).randbytes(size)
    bodies = [
        (
            step.operation,
            json.dumps({"image": base64.b64encode(noise).decode(), "settings": dict(step.settings)}),
        )
        for step in STEPS
    ]
    api = f"{url}/v5.0/ocr"
    form = {"grant_type": "client_credentials", "client_id": CREDENTIALS[0], "client_secret": CREDENTIALS[1]}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        async with session.post(f"{url}/connect/token", data=form) as answer:
            token = (await answer.json())["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        turns = asyncio.Semaphore(IN_FLIGHT)

        async def document() -> None:
            async with turns:
                await before()
                for operation, body in bodies:
                    headers = {"Content-Type": "application/json"}
                    async with session.post(f"{api}/{operation}", data=body, headers=headers) as answer:
                        id = await answer.text()
                    await asyncio.sleep(WAIT_SECONDS)
                    async with session.get(f"{api}/Utilities/GetTaskStatus", params={"id": id}) as answer:
                        await answer.read()
                    async with session.get(f"{api}/{operation}", params={"id": id}) as answer:
                        await answer.read()
                await after()

        found, _ = await measured(asyncio.gather(*(document() for _ in range(documents))), documents)
        return found


async def measured(work: Awaitable[T], documents: int) -> tuple[dict[str, float], T]:
    """Wait for work, and return its CPU and wall time per document in milliseconds."""
    cpu, wall = time.process_time(), time.monotonic()
    result = await work
    spent = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    return {name: seconds * 1000 / documents for name, seconds in spent.items()}, result


def main() -> None:
    """Run what the arguments say twice, first to warm up, and print what it took."""
    what, url, documents, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])

    async def run(count: int) -> dict[str, float]:
        if what == "floor":
            return await floor(url, count, size)
        with tempfile.TemporaryDirectory() as folder:
            return await ours(url, Path(folder), count, size, journal=what == "journal")

    asyncio.run(run(max(1, documents // 10)))
    print(json.dumps(asyncio.run(run(documents))))


if __name__ == "__main__":
    main()
