"""
What the watcher of an inbox with 10,000 documents in S3 costs the triggerer's event loop: how late the loop is while looks
go on, against the same loop without a watcher, in turn.

``python -m tests.benchmarks.inbox_watch idle|watching URL`` measures once.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import Any

from tests.benchmarks.inbox_plan import connection
from tests.benchmarks.listing_server import BUCKET
from tests.benchmarks.measuring import CHECKOUT, compared, in_turn, limited, publish

KEYS = 10_000
ROUNDS = int(os.environ.get("WATCH_ROUNDS", "3"))
LOOKS = 5
TICK_SECONDS = 0.01
IDLE_SECONDS = 10.0


async def _lags(until: asyncio.Event) -> list[float]:
    """Sleep again and again, and note by how many milliseconds each sleep was too long."""
    lags: list[float] = []
    while not until.is_set():
        begun = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        lags.append((time.perf_counter() - begun - TICK_SECONDS) * 1000)
    return lags


async def _measure(*, watching: bool) -> dict[str, float]:
    from airflow_provider_asposeocr.triggers.inbox import AsposeOcrInboxTrigger

    over = asyncio.Event()
    if not watching:
        asyncio.get_running_loop().call_later(IDLE_SECONDS, over.set)
        lags = await _lags(over)
        return {"p99": statistics.quantiles(lags, n=100)[98]}
    trigger = AsposeOcrInboxTrigger(f"s3://bench@{BUCKET}/in/", most_files=KEYS)
    trigger._look_seconds = 600.0  # other work of the machine must not end a look
    await trigger._look()  # imports and the first connection, which each start pays once
    sampler = asyncio.create_task(_lags(over))
    begun, collections = time.perf_counter(), _old_collections()
    for _ in range(LOOKS):
        look = await trigger._look()
        assert look.files == KEYS, look.files
    seconds = (time.perf_counter() - begun) / LOOKS
    collections = _old_collections() - collections
    over.set()
    p99 = statistics.quantiles(await sampler, n=100)[98]
    return {"p99": p99, "seconds": seconds, "collections": collections}


def _old_collections() -> int:
    """Count how often Python has gone through all objects of the process; the loop stands still meanwhile."""
    return int(gc.get_stats()[2]["collections"])


def measure(url: str, what: str) -> dict[str, float]:
    """Measure one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, **connection(url, folder)}
        command = [sys.executable, "-m", "tests.benchmarks.inbox_watch", what]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment
        )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure, print and keep the rows."""
    from tests.benchmarks.inbox_plan import listings

    with listings(KEYS) as url:
        watching, idle = in_turn(ROUNDS, *(partial(measure, url, what) for what in ("watching", "idle")))

    def of(figures: Any, what: str) -> list[float]:
        return [figure[what] for figure in figures]

    name = "Watcher of an inbox with 10,000 keys in S3"
    publish(
        "inbox_watch",
        [
            compared(
                f"{name}: how late the event loop is while it looks (99th percentile)",
                of(watching, "p99"),
                "the same loop without a watcher",
                of(idle, "p99"),
                unit="ms",
                note="A look goes on for a small part of the time, by default once a minute. In "
                f"{LOOKS * len(watching)} looks, Python's garbage collection went through all objects of the process "
                f"{sum(of(watching, 'collections')):.0f} times.",
            ),
            limited(f"{name}: one look", of(watching, "seconds"), unit="s"),
        ],
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(asyncio.run(_measure(watching=sys.argv[1] == "watching"))))
    else:
        main()
