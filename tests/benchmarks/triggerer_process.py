"""
A triggerer with many waits, measured from inside; started by :mod:`.triggerer` as a process of its own.

Invariant: all kinds of waits run in Airflow's own ``TriggerRunner``, are spread evenly over the first interval
and are measured only once all of them run, so that two processes differ in nothing but the trigger.
"""

from __future__ import annotations

import asyncio
import asyncio.sslproto
import gc
import json
import logging
import os
import statistics
import sys
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.jobs.triggerer_job_runner import TriggerRunner

#: How long the probe of the event loop sleeps; what it oversleeps is the lag.
PROBE_SECONDS = 0.01
#: Time for the first wait to get its token and its session, and for the last one to sleep.
SETTLE_SECONDS = 1.0
#: Looks at the memory in one measurement: polls that are under way at one of them weigh more than a wait does.
LOOKS = 3


@dataclass(frozen=True)
class Job:
    """
    What to run and for how long.

    :param classpath: The trigger.
    :param waits: Constructor arguments, one per wait.
    :param spread_seconds: Time over which the waits are started.
    :param window_seconds: Length of the measurement.
    :param trace: Whether to count the bytes of Python objects; costs a lot of CPU.
    :param dag_tasks: Where it is not 0, the waits have started in the triggerer, in a DAG with this number of tasks.
    """

    classpath: str
    waits: list[dict[str, Any]]
    spread_seconds: float
    window_seconds: float
    trace: bool = False
    dag_tasks: int = 0


@dataclass(frozen=True)
class Measured:
    """
    What came out.

    :param began_at: Begin of the window in seconds since the epoch; polls are counted by the emulator.
    :param ended_at: Its end.
    :param cpu_seconds: CPU time of the process in the window.
    :param lags_seconds: What each sleep of the probe took too long.
    :param collections: Generation and seconds of each collection of garbage in the window; the loop stands still in it.
    :param bytes_per_wait: Bytes of Python objects per wait, if traced.
    :param ended: Why waits ended before their time; the figures are worthless if there are any.
    """

    began_at: float
    ended_at: float
    cpu_seconds: float
    lags_seconds: list[float]
    collections: list[tuple[int, float]]
    bytes_per_wait: float
    ended: list[str]


async def _probe(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(PROBE_SECONDS)
        lags.append(round(time.perf_counter() - began - PROBE_SECONDS, 6))


@contextmanager
def _collections() -> Iterator[list[tuple[int, float]]]:
    """Note generation and length of each collection of garbage; yields the list of them."""
    noted: list[tuple[int, float]] = []
    began = 0.0

    def note(phase: str, about: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            noted.append((about["generation"], time.perf_counter() - began))

    gc.callbacks.append(note)
    try:
        yield noted
    finally:
        gc.callbacks.remove(note)


async def _housekeeping(runner: TriggerRunner) -> None:
    """What Airflow's loop does once a second beside the triggers, as far as it needs no supervisor."""
    while True:
        await runner.cleanup_finished_triggers()
        await asyncio.sleep(1)


def _dag_fields(tasks: int) -> dict[str, Any]:
    """What Airflow's supervisor sends with a wait that has started in the triggerer."""
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    now, no_id = "2026-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000"
    with DAG("chain", schedule=None) as dag:
        for number in range(tasks):
            EmptyOperator(task_id=f"task_{number}")
    run = {"dag_id": "chain", "run_id": "run", "run_after": now, "run_type": "manual", "state": "running"}
    dates = ("logical_date", "data_interval_start", "data_interval_end", "start_date", "end_date")
    instance = {"dag_id": "chain", "run_id": "run", "task_id": "task_0", "id": no_id, "dag_version_id": no_id}
    return {
        "dag_data": DagSerialization.to_dict(dag),
        "dag_run_data": {
            **run,
            **dict.fromkeys(dates, now),
            "consumed_asset_events": [],
            "partition_key": None,
        },
        "ti": {**instance, "try_number": 1, "pool_slots": 1, "priority_weight": 1},
    }


async def _start(runner: TriggerRunner, job: Job, waits: list[dict[str, Any]], fields: str) -> None:
    from airflow.executors.workloads.trigger import RunTrigger
    from airflow.sdk.serde import serialize

    for number, kwargs in enumerate(waits):
        own = {"id": number, "classpath": job.classpath, "encrypted_kwargs": json.dumps(serialize(kwargs))}
        # Read anew for each, as it comes from the supervisor: otherwise waits would share objects.
        runner.to_create.append(RunTrigger.model_validate({**json.loads(fields), **own}))
        await runner.create_triggers()
        await asyncio.sleep(job.spread_seconds / len(waits))


def _ended(runner: TriggerRunner) -> list[str]:
    return [repr(each) for each in (*runner.failed_triggers, *runner.events)][:3]


def _traced_bytes() -> int:
    """Without the buffers of TLS connections: those are as many as there are connections, however many wait."""
    gc.collect()
    held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, asyncio.sslproto.__file__)])
    return sum(trace.size for trace in held.traces)


async def _look(job: Job) -> int:
    """Wait for a part of the window; return the bytes held then."""
    await asyncio.sleep(job.window_seconds / LOOKS)
    return _traced_bytes() if job.trace else 0


async def measured(job: Job) -> Measured:
    """
    Run the waits and measure.

    :param job: What to run.
    """
    from airflow.jobs.triggerer_job_runner import TriggerRunner

    fields = json.dumps(_dag_fields(job.dag_tasks) if job.dag_tasks else {})
    first, rest = TriggerRunner(), TriggerRunner()
    # The first wait pays for what all share: modules, session, token.
    await _start(first, job, job.waits[:1], fields)
    await asyncio.sleep(SETTLE_SECONDS)
    if job.trace:
        tracemalloc.start()
    held_before = _traced_bytes() if job.trace else 0
    await _start(rest, job, job.waits[1:], fields)
    lags: list[float] = []
    beside = (_housekeeping(rest), rest.block_watchdog(), _probe(lags))
    background = [asyncio.create_task(each) for each in beside]
    await asyncio.sleep(SETTLE_SECONDS)
    # Thousands of objects are new because the waits have just begun. Whether Python looks at all objects for that before
    # or within the window is chance, and would decide who has the longer lag.
    gc.collect()
    await asyncio.sleep(0)
    lags.clear()
    began_at, cpu = time.time(), time.process_time()
    with _collections() as collections:
        looks = [await _look(job) for _ in range(LOOKS)]
    cpu, ended_at = time.process_time() - cpu, time.time()
    held = statistics.median(looks) - held_before
    ended = _ended(first) + _ended(rest)
    for task in (
        *background,
        *(each["task"] for runner in (first, rest) for each in runner.triggers.values()),
    ):
        task.cancel()
    each = held / (len(job.waits) - 1)
    return Measured(began_at, ended_at, cpu, list(lags), collections, each, ended)


def main() -> None:
    """Read the job from the standard input, write the result as the last line of the standard output."""
    job = Job(**json.load(sys.stdin))
    from airflow.sdk.log import configure_logging

    # As the triggerer does, but to a file that is not read.
    with open(os.devnull, "wb") as sink:
        configure_logging(json_output=True, log_level="INFO", output=sink)
        logging.getLogger().setLevel(logging.INFO)
        result = asyncio.run(measured(job))
    print(json.dumps(asdict(result)))
    sys.stdout.flush()
    os._exit(0)  # The rivals leave sessions open; closing them is not what is measured.


if __name__ == "__main__":
    main()
