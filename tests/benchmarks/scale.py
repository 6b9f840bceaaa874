"""
What a document costs a whole Airflow, and what 10^3, 10^5 and 10^7 of them a day would demand.

Invariant: ours and the rival, an empty chain, run on the same Airflow one after the other; what the components use when
nothing happens is measured before and taken off. What is extrapolated says so.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.chain import Bench
from tests.benchmarks.demand import Assumptions, Costs, demand, render
from tests.benchmarks.measuring import CHECKOUT, compared, limited, publish
from tests.benchmarks.table import SCALE, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measuring import Row

CONN_ID = "scale"
CLOUD_SECONDS = 20.0
#: At once: as many as two cores take without tasks that wait for each other's CPU.
DOCUMENTS = 6
BATCH = 20
IDLE_SECONDS = 30.0
#: One column each.
A_DAY = (1e3, 1e5, 1e7)


@dataclass(frozen=True)
class Used:
    """
    What some documents have used.

    :param total_cpu_seconds: Of all of Airflow's processes, workers included.
    :param worker_cpu_seconds: Of the task processes.
    :param slot_seconds: Time in task slots.
    :param rows: Rows added to the database, by table.
    """

    total_cpu_seconds: float
    worker_cpu_seconds: float
    slot_seconds: float
    rows: dict[str, int]


class Meter:
    """
    Reads off what runs on an Airflow have used.

    :param bench: The running stage.
    :param home: Its folder.
    """

    def __init__(self, bench: Bench, home: Path) -> None:
        self._bench = bench
        self._home = home
        self._idle = 0.0

    def note_idle(self) -> None:
        """Measure what the components use when nothing happens."""
        before = self._cpu_seconds()
        time.sleep(IDLE_SECONDS)
        self._idle = (self._cpu_seconds() - before) / IDLE_SECONDS

    def run(self, dag_id: str, runs: int) -> Used:
        """
        Run a DAG several times at once.

        :param dag_id: Which one.
        :param runs: How often.
        :return: What all of them have used.
        """
        rows, cpu, since = self._rows(), self._cpu_seconds(), time.monotonic()
        started = self._bench.run_all([(dag_id, CONN_ID)] * runs)
        ids = {task["id"] for run in started for task in self._bench.rest.task_instances(dag_id, run.run_id)}
        slots = self._bench.occupied(ids)
        total = self._cpu_seconds() - cpu - self._idle * (time.monotonic() - since)
        after = self._rows()
        return Used(
            total_cpu_seconds=total,
            worker_cpu_seconds=sum(process.cpu_seconds for process in self._bench.watch.of(ids)),
            slot_seconds=sum(map(sum, slots.values())),
            rows={
                table: after[table] - rows.get(table, 0)
                for table in after
                if after[table] > rows.get(table, 0)
            },
        )

    def _cpu_seconds(self) -> float:
        """CPU of all components with everything they have started and waited for."""
        total = 0.0
        for pid in self._bench.airflow.pids().values():
            parent = psutil.Process(pid)
            for process in (parent, *parent.children(recursive=True)):
                try:
                    times = process.cpu_times()
                except psutil.NoSuchProcess:  # Its parent counts it.
                    continue
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def _rows(self) -> dict[str, int]:
        with sqlite3.connect(
            f"file:{self._home}/airflow/airflow.db?mode=ro", uri=True, timeout=30
        ) as database:
            tables = [
                name for (name,) in database.execute("select name from sqlite_master where type = 'table'")
            ]
            return {name: database.execute(f'select count(*) from "{name}"').fetchone()[0] for name in tables}


def costs_of(used: Used, documents: int, tasks: float, triggerer: Sequence[Row]) -> Costs:
    """
    Say what one document costs.

    :param used: What some documents have used.
    :param documents: How many they were.
    :param tasks: Airflow tasks per document.
    :param triggerer: Rows of the benchmark of that name, for what a poll and a wait cost.
    """
    return Costs(
        tasks=tasks,
        slot_seconds=used.slot_seconds / documents,
        worker_cpu_seconds=used.worker_cpu_seconds / documents,
        airflow_cpu_seconds=(used.total_cpu_seconds - used.worker_cpu_seconds) / documents,
        rows=sum(used.rows.values()) / documents,
        poll_cpu_seconds=_figure(triggerer, "CPU per status poll"),
        wait_bytes=_figure(triggerer, "Memory of a wait"),
    )


def _figure(rows: Sequence[Row], begins: str) -> float:
    unit = {"ms": 1e-3, "µs": 1e-6, "us": 1e-6, "s": 1.0, "KiB": 1024.0, "MiB": 2.0**20}
    found = next(row.ours for row in rows if row.what.startswith(begins))
    return found.median * unit[found.unit]


def _rows_of_document(ours: Used, empty: Used, batch: Used) -> list[Row]:
    def each(used: Used, documents: int, name: str) -> list[float]:
        return [float(getattr(used, name)) / documents]

    kinds = (
        ("CPU of all of Airflow per document", "total_cpu_seconds", "s"),
        ("CPU of task processes per document", "worker_cpu_seconds", "s"),
        ("Slot-seconds per document", "slot_seconds", "s"),
    )
    kinds_of_chain = (
        (ours, DOCUMENTS, "chain deferred"),
        (batch, BATCH, f"{BATCH} documents in one `@task` with the hook"),
    )
    rows = [
        compared(
            f"{what}, {chain}",
            each(used, documents, name),
            "four empty tasks",
            each(empty, DOCUMENTS, name),
            unit=unit,
        )
        for used, documents, chain in kinds_of_chain
        for what, name, unit in kinds
    ]
    for what, used in (("chain deferred", ours), ("four empty tasks", empty)):
        tables = ", ".join(f"{table} {count / DOCUMENTS:.3g}" for table, count in sorted(used.rows.items()))
        note = f"by table: {tables}"
        rows.append(
            limited(
                f"Database rows per document, {what}",
                [sum(used.rows.values()) / DOCUMENTS],
                unit="",
                note=note,
            )
        )
    return rows


def main() -> None:
    """Measure, publish, extrapolate."""
    triggerer = rows_of((CHECKOUT / ".bench" / "triggerer.json").read_text(encoding="utf-8"))
    home = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        with Bench(home, {CONN_ID: CLOUD_SECONDS}) as bench:
            here = Meter(bench, home)
            for dag_id in ("chain_deferrable", "chain_empty"):  # The first of all is slow.
                here.run(dag_id, 1)
            here.note_idle()
            empty, ours = here.run("chain_empty", DOCUMENTS), here.run("chain_deferrable", DOCUMENTS)
            batch = here.run("scale_batch", 1)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    publish("scale", _rows_of_document(ours, empty, batch))
    assumed = Assumptions(cloud_seconds=CLOUD_SECONDS)
    chain = costs_of(ours, DOCUMENTS, 4, triggerer)
    batched = replace(costs_of(batch, BATCH, 1 / BATCH, triggerer), wait_bytes=0.0)
    pages = [
        ("A chain of four tasks per document:", chain, assumed),
        (f"One `@task` per {BATCH} documents, with the hook:", batched, replace(assumed, waits=0)),
    ]
    text = "\n\n".join(
        f"{title}\n\n{render(demand(number, costs, given) for number in A_DAY)}"
        for title, costs, given in pages
    )
    SCALE.write_text(f"{text}\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
