"""What runs have used of an Airflow, as the benchmark of scale measures it."""

from __future__ import annotations

from tests.benchmarks.scale import Used

USED = Used(
    total_cpu_seconds=12.0,
    worker_cpu_seconds=6.0,
    slot_seconds=60.0,
    rows={"dag_run": 6},
    polls=90,
    process_bytes=150 * 2**20,
    seconds=120.0,
    busy=0.4,
)
