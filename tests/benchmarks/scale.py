"""
What a document costs a whole Airflow, and what 10^3, 10^5 and 10^7 of them a day would demand.

Invariant: ours and the rival, an empty chain, run on the same Airflow one after the other, once each; what the components
use when nothing happens is measured before and taken off. What is extrapolated says so.
"""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.chain import SCAN, Bench
from tests.benchmarks.demand import Assumptions, Costs, page
from tests.benchmarks.measuring import CHECKOUT, Publication, compared, limited
from tests.benchmarks.table import SCALE, rows_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measuring import Row

CONN_ID = "scale"
CLOUD_SECONDS = 20.0
#: Documents at once: as many as two cores run without tasks that wait for CPU.
DOCUMENTS = 6
BATCH = 20
#: Documents at once: enough to make CPU, not the cloud, what they wait for. Each cloud task outlasts the inline wait of 5 s,
#: so that all of them defer as the others do.
CROWD, CROWD_ID, CROWD_CLOUD_SECONDS = 24, "crowd", 8.0
SLOTS = 16
SETTINGS = {
    "AIRFLOW__CORE__MAX_ACTIVE_RUNS_PER_DAG": str(CROWD),
    # Airflow's default; the local Airflow of tests and demo takes a task for dead sooner than a busy machine answers.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300",
}
IDLE_SECONDS = 30.0
ONE_RUN = f"one run of {DOCUMENTS} at once"
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
    :param polls: Status requests that the cloud saw.
    :param process_bytes: Resident memory of a task process at its most, the median of all.
    :param seconds: From the start of the first document to the end of the last one.
    :param busy: Share of the machine's CPU that all of its processes used in that time.
    """

    total_cpu_seconds: float
    worker_cpu_seconds: float
    slot_seconds: float
    rows: dict[str, int]
    polls: int
    process_bytes: float
    seconds: float
    busy: float


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

    def run(self, dag_id: str, runs: int, cloud: str = CONN_ID, scan: Path = SCAN) -> Used:
        """
        Run a DAG several times at once.

        :param dag_id: Which one.
        :param runs: How often.
        :param cloud: Which cloud it is given.
        :param scan: What it reads; by default one scan.
        :return: What all of them have used.
        """
        seen = len(self._bench.asked(cloud))
        rows, cpu, since = self._rows(), self._cpu_seconds(), time.monotonic()
        psutil.cpu_percent()  # The next call looks back to this one.
        started = self._bench.run_all([(dag_id, cloud)] * runs, scan)
        seconds, busy = time.monotonic() - since, psutil.cpu_percent() / 100
        ids = {task["id"] for run in started for task in self._bench.rest.task_instances(dag_id, run.run_id)}
        slots = self._bench.occupied(ids)
        total = self._cpu_seconds() - cpu - self._idle * (time.monotonic() - since)
        after = self._rows()
        processes = self._bench.watch.of(ids)
        return Used(
            total_cpu_seconds=total,
            worker_cpu_seconds=sum(process.cpu_seconds for process in processes),
            slot_seconds=sum(map(sum, slots.values())),
            rows={
                table: after[table] - rows.get(table, 0)
                for table in after
                if after[table] > rows.get(table, 0)
            },
            polls=sum(path.endswith("/GetTaskStatus") for path in self._bench.asked(cloud, seen)),
            process_bytes=statistics.median(process.peak_bytes for process in processes),
            seconds=seconds,
            busy=busy,
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


def costs_of(used: Used, documents: int, tasks: float, triggerer: Sequence[Row] | None = None) -> Costs:
    """
    Say what one document costs.

    :param used: What some documents have used.
    :param documents: How many they were.
    :param tasks: Airflow tasks per document.
    :param triggerer: Rows of the benchmark of that name, for what a poll and a wait cost; by default nothing waits there.
    """
    return Costs(
        tasks=tasks,
        polls=used.polls / documents,
        slot_seconds=used.slot_seconds / documents,
        worker_cpu_seconds=used.worker_cpu_seconds / documents,
        airflow_cpu_seconds=(used.total_cpu_seconds - used.worker_cpu_seconds) / documents,
        process_bytes=used.process_bytes,
        rows=sum(used.rows.values()) / documents,
        poll_cpu_seconds=_figure(triggerer, "CPU per status poll") if triggerer else 0.0,
        wait_bytes=_figure(triggerer, "Memory of a wait") if triggerer else 0.0,
    )


def _figure(rows: Sequence[Row], begins: str) -> float:
    unit = {"ms": 1e-3, "µs": 1e-6, "us": 1e-6, "s": 1.0, "KiB": 1024.0, "MiB": 2.0**20}
    found = next(row.ours for row in rows if row.what.startswith(begins))
    return found.median * unit[found.unit]


def _per_document(used: Used, documents: int, chain: str, note: str, empty: Used) -> list[Row]:
    kinds = (
        ("CPU of all of Airflow per document", "total_cpu_seconds"),
        ("CPU of task processes per document", "worker_cpu_seconds"),
        ("Slot-seconds per document", "slot_seconds"),
    )
    return [
        compared(
            f"{what}, {chain}",
            [getattr(used, name) / documents],
            "four empty tasks",
            [getattr(empty, name) / DOCUMENTS],
            unit="s",
            note=note,
        )
        for what, name in kinds
    ]


def _processes_and_rows(ours: Used, empty: Used) -> list[Row]:
    rows = [
        compared(
            "Memory of a task process, chain deferred",
            [ours.process_bytes / 2**20],
            "empty task",
            [empty.process_bytes / 2**20],
            unit="MiB",
            note=f"resident at its most, what it shares with the process that started it included; {ONE_RUN}",
        )
    ]
    for what, used in (("chain deferred", ours), ("four empty tasks", empty)):
        tables = ", ".join(f"{table} {count / DOCUMENTS:.3g}" for table, count in sorted(used.rows.items()))
        each = sum(used.rows.values()) / DOCUMENTS
        note = f"by table: {tables}; {ONE_RUN}"
        rows.append(limited(f"Database rows per document, {what}", [each], unit="", note=note))
    return rows


def crowd_rows(ours: Used, crowd: Used) -> list[Row]:
    """
    Make the rows of many documents at once.

    :param ours: A few chains that defer.
    :param crowd: Many chains that defer.
    """
    rows = [
        limited(
            f"Documents per minute, chain deferred, {count} at once",
            [60 * count / used.seconds],
            unit="",
            note=f"cloud tasks of {cloud_seconds:g} s, {SLOTS} slots; {used.busy:.0%} of the machine's CPU in use from the "
            "first start to the last end, the emulated cloud's included; one run",
        )
        for used, count, cloud_seconds in (
            (ours, DOCUMENTS, CLOUD_SECONDS),
            (crowd, CROWD, CROWD_CLOUD_SECONDS),
        )
    ]
    each = [crowd.total_cpu_seconds / CROWD], [ours.total_cpu_seconds / DOCUMENTS]
    what = f"CPU of all of Airflow per document, chain deferred, {CROWD} at once"
    return [*rows, compared(what, each[0], f"{DOCUMENTS} at once", each[1], unit="s", note="one run")]


def chain_rows(ours: Used, empty: Used) -> list[Row]:
    """
    Make the rows of a chain.

    :param ours: A few chains that defer.
    :param empty: As many empty ones.
    """
    return [
        *_per_document(ours, DOCUMENTS, "chain deferred", ONE_RUN, empty),
        *_processes_and_rows(ours, empty),
    ]


def batch_rows(batch: Used, empty: Used) -> list[Row]:
    """
    Make the rows of many documents in one task.

    :param batch: One task with many documents.
    :param empty: A few empty chains.
    """
    return _per_document(batch, BATCH, f"{BATCH} documents in one `@task` with the hook", "one run", empty)


def pages(ours: Used, batch: Used, triggerer: Sequence[Row]) -> str:
    """
    Extrapolate.

    :param ours: A few chains that defer.
    :param batch: One task with many documents.
    :param triggerer: Rows of the benchmark of that name.
    """
    assumed = Assumptions(cloud_seconds=CLOUD_SECONDS)
    chain = costs_of(ours, DOCUMENTS, 4, triggerer)
    batched = costs_of(batch, BATCH, 1 / BATCH, triggerer)
    hook = f"One `@task` per {BATCH} documents, with the hook, which waits in the task's process:"
    return "\n\n".join(
        (
            page("A chain of four tasks per document:", chain, assumed, A_DAY),
            page(hook, batched, replace(assumed, waits=0), A_DAY),
        )
    )


def measure(here: Meter, publication: Publication, triggerer: Sequence[Row]) -> None:
    """
    Run all parts; each is kept when it ends, because the last ones load the machine most and may break.

    :param here: Reads off what runs have used.
    :param publication: Takes the rows of each part.
    :param triggerer: Rows of the benchmark of that name.
    """
    for dag_id in ("chain_deferrable", "chain_empty"):  # The first of all is slow.
        here.run(dag_id, 1)
    here.note_idle()
    empty, ours = here.run("chain_empty", DOCUMENTS), here.run("chain_deferrable", DOCUMENTS)
    publication.add(chain_rows(ours, empty))
    batch = here.run("scale_batch", 1)
    publication.add(batch_rows(batch, empty))
    text = pages(ours, batch, triggerer)
    SCALE.write_text(f"{text}\n", encoding="utf-8")
    print(text, flush=True)
    publication.add(crowd_rows(ours, here.run("chain_deferrable", CROWD, CROWD_ID)))


def main() -> None:
    """Set up, measure, publish, and leave nothing behind."""
    triggerer = rows_of((CHECKOUT / ".bench" / "triggerer.json").read_text(encoding="utf-8"))
    home = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        clouds = {CONN_ID: CLOUD_SECONDS, CROWD_ID: CROWD_CLOUD_SECONDS}
        with Bench(home, clouds, SLOTS, SETTINGS) as bench:
            measure(Meter(bench, home), Publication("scale"), triggerer)
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
