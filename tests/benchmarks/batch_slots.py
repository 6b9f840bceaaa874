"""
How long a batch with long cloud tasks occupies a slot: simulated, and beside it a real batch that is scaled down in time.

The simulation (:mod:`.batch_simulator`) makes the provider's decisions in virtual time. The real batch runs on an Airflow
with cloud tasks of ``BATCH_SECONDS`` (30), ``BATCH_DOCUMENTS`` (60) of them, and is simulated with the same numbers.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from pathlib import Path

from airflow_provider_asposeocr.batch.settings import BatchSettings
from tests.benchmarks.batch_airflow import documents_in
from tests.benchmarks.batch_simulator import Cloud, Delays, Simulated, Simulation
from tests.benchmarks.chain import Bench
from tests.benchmarks.dags.batch_dags import DEFERRED_IDLE_SECONDS, DEFERRED_IN_FLIGHT
from tests.benchmarks.measuring import Publication, compared, limited

SECONDS = float(os.environ.get("BATCH_SECONDS", "30"))
DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "60"))
ROUNDS = 5
#: The case that the goal is about: 1,000 documents of three steps, cloud tasks of 300 s, 100 documents in flight.
LARGE, LARGE_STEPS, LARGE_SECONDS, LARGE_IN_FLIGHT = 1000, 3, 300.0, 100
MOST_SLOT_SECONDS, MOST_OF_SIMULATED = 0.5, 1.5
#: The LocalExecutor delays events.
SMALL_DELAYS = Delays(not_before=8.0)
SMALL_SIGMA = 0.35


def simulated_large() -> list[Simulated]:
    """Simulate the batch of the goal, with several seeds."""
    settings = BatchSettings(deferrable=True, max_in_flight=LARGE_IN_FLIGHT)
    cloud = Cloud(LARGE_SECONDS)
    return [Simulation(LARGE, LARGE_STEPS, cloud, settings, seed=seed).run() for seed in range(1, ROUNDS + 1)]


def simulated_small() -> list[Simulated]:
    """Simulate the batch that runs on the real Airflow, with several seeds."""
    settings = BatchSettings(
        deferrable=True, max_in_flight=DEFERRED_IN_FLIGHT, defer_idle_seconds=DEFERRED_IDLE_SECONDS
    )
    cloud = Cloud(SECONDS, SMALL_SIGMA)
    return [
        Simulation(DOCUMENTS, 1, cloud, settings, SMALL_DELAYS, seed).run() for seed in range(1, ROUNDS + 1)
    ]


def real() -> tuple[float, int]:
    """Run a batch on an Airflow; return its slot-seconds and how often it was deferred."""
    home = Path(tempfile.mkdtemp(prefix="batch-slots-"))
    try:
        with Bench(home, {"slow": f"lognormal:{SECONDS},{SMALL_SIGMA}", "quick": 0.0}) as bench:
            bench.run_all(
                [("batch_folder", "quick")], documents_in(home / "first", 2)
            )  # The first of all is slow.
            (started,) = bench.run_all([("batch_deferred", "slow")], documents_in(home / "inbox", DOCUMENTS))
            tasks = bench.rest.task_instances("batch_deferred", started.run_id)
            (slots,) = bench.occupied({task["id"] for task in tasks}).values()
            return sum(slots), len(slots) - 1
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Simulate, measure, print and keep the rows."""
    publication = Publication("batch_slots")
    large = simulated_large()
    what = f"cloud tasks of {LARGE_SECONDS:g} s, {LARGE_IN_FLIGHT} in flight"
    least = LARGE * LARGE_STEPS * LARGE_SECONDS / LARGE_IN_FLIGHT
    publication.add(
        [
            limited(
                f"Slot-seconds per document, batch, {what}, simulated",
                [each.slot_seconds / LARGE for each in large],
                unit="s",
                at_most=MOST_SLOT_SECONDS,
                note=f"{LARGE:,} documents, {LARGE_STEPS} steps, "
                f"{statistics.median(each.deferrals for each in large):g} deferrals",
            ),
            compared(
                f"Time of a batch, {what}, simulated",
                [each.makespan_seconds for each in large],
                "documents x steps x seconds of a cloud task / documents in flight",
                [least] * len(large),
                unit="s",
            ),
        ]
    )
    small = simulated_small()
    slot_seconds, deferrals = real()
    publication.add(
        [
            compared(
                f"Slot-seconds per document, batch, cloud tasks of {SECONDS:g} s, {DEFERRED_IN_FLIGHT} in flight",
                [slot_seconds / DOCUMENTS],
                "the same, simulated",
                [statistics.median(each.slot_seconds for each in small) / DOCUMENTS],
                unit="s",
                at_most=MOST_OF_SIMULATED,
                note=f"{DOCUMENTS} documents, 1 step, {deferrals} deferrals, simulated "
                f"{statistics.median(each.deferrals for each in small):g}; one run",
            )
        ]
    )


if __name__ == "__main__":
    main()
