"""
What a document costs our process in a batch from S3 to S3, against a bare aiohttp loop with s3fs's own get and put.

``BATCH_DOCUMENTS`` and ``BATCH_ROUNDS`` as in :mod:`.batch_cpu`. The S3 server (moto) and the emulator run
in their own processes. ``python -m tests.benchmarks.batch_s3 ours|floor URL DOCUMENTS BYTES`` is one mover.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.transfer import STORAGE_THREADS
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.batch_cpu import BYTES, DOCUMENTS, ROUNDS
from tests.benchmarks.batch_movers import documents_in, floor, run_batch
from tests.benchmarks.measuring import CHECKOUT, compared, in_turn, publish

#: Connection and bucket.
PLACE = "s3://bench@airflow-logs/"


def uploaded(folder: Path, documents: int, size: int) -> Any:
    """Plan a batch whose documents and results are in S3."""
    batch = documents_in(folder, documents, size)
    place = f"{PLACE}{uuid4().hex}/"
    root = object_path(place)
    root.fs.put(f"{folder}/in/", f"{root.path}/in/", recursive=True)
    found = tuple(replace(document, source=f"{place}in/{document.index}.png") for document in batch.documents)
    return replace(batch, destination=f"{place}out/", documents=found)


async def ours(url: str, folder: Path, documents: int, size: int) -> dict[str, float]:
    """Run a batch with its journal in S3."""
    batch = await asyncio.to_thread(uploaded, folder, documents, size)
    place = object_path(f"{batch.destination}.aspose-ocr/batches/key/0")
    begun = await asyncio.to_thread(lambda: Journal.create(place, batch.to_header()))
    return await run_batch(url, batch, begun.journal)


async def bare(url: str, folder: Path, documents: int, size: int) -> dict[str, float]:
    """Send the same requests, with one get and one put of s3fs per document."""
    batch = await asyncio.to_thread(uploaded, folder, documents, size)
    sources = iter([object_path(document.source) for document in batch.documents])
    fs, loop = object_path(PLACE).fs, asyncio.get_running_loop()
    pool = ThreadPoolExecutor(STORAGE_THREADS)
    target = object_path(batch.destination).path

    async def get() -> None:
        source = next(sources)
        await loop.run_in_executor(pool, fs.get_file, source.path, f"{folder}/{source.name}")

    async def put() -> None:
        (local := folder / uuid4().hex).write_bytes(b"text" * 20)  # the floor is a plain script
        await loop.run_in_executor(pool, fs.put_file, str(local), f"{target}/{local.name}.txt")

    return await floor(url, documents, size, before=get, after=put)


def move(what: str, url: str, documents: int, size: int) -> None:
    """Run one mover twice, first to warm up, and print what it took."""
    mover = ours if what == "ours" else bare

    def run(count: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            return asyncio.run(mover(url, Path(folder), count, size))

    run(max(1, documents // 10))
    print(json.dumps(run(documents)))


def measure(url: str, environment: dict[str, str], what: str) -> float:
    """Run one mover in a process of its own, and return the CPU time per document in milliseconds."""
    arguments = [sys.executable, "-m", "tests.benchmarks.batch_s3", what, url, str(DOCUMENTS), str(BYTES)]
    done = subprocess.run(
        arguments, check=True, capture_output=True, text=True, cwd=CHECKOUT, env={**os.environ, **environment}
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found["cpu"]


def main() -> None:
    """Measure, print and keep the row."""
    from tests.distributed.s3_server import S3Server

    options = ["--engine", "canned", "--canned-picture-bytes", str(BYTES)]
    with (
        tempfile.TemporaryDirectory() as folder,
        S3Server(Path(folder)) as store,
        EmulatorProcess(*options) as emulator,
    ):
        extra = {"endpoint_url": store.url, "region_name": "us-east-1"}
        connection = {"conn_type": "aws", "login": "bench", "password": "bench-secret", "extra": extra}
        environment = {
            "AIRFLOW_CONN_BENCH": json.dumps(connection),
            "AIRFLOW_HOME": f"{folder}/airflow",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        }
        ours_, theirs = in_turn(
            ROUNDS, *(partial(measure, emulator.url, environment, what) for what in ("ours", "floor"))
        )
    title = f"CPU per document in a batch, 3 steps, {BYTES / 1000:g} KB, from S3 to S3, with journal"
    rival = "a bare aiohttp loop of the same nine requests with s3fs's get and put"
    publish("batch_s3", [compared(title, ours_, rival, theirs, unit="ms", at_most=1.6)])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        move(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
