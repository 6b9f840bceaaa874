"""
A batch on a real Airflow: documents per minute against the mapped chain, the whole run against what the cloud needs alone,
what a document costs all of Airflow, and what 10^3, 10^5 and 10^7 of them a day would demand.

``BATCH_DOCUMENTS`` is the number of documents (1,000), ``BATCH_CHAINED`` how many the mapped chain reads (24),
``BATCH_SECONDS`` how long a cloud task takes where it is not a second (20). With the defaults it takes 15 minutes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_png
from tests.benchmarks.chain import Bench
from tests.benchmarks.demand import Assumptions, page
from tests.benchmarks.measuring import Publication, compared, limited
from tests.benchmarks.scale import A_DAY, SETTINGS, SLOTS, Meter, Used, costs_of
from tests.benchmarks.table import SCALE_BATCH

if TYPE_CHECKING:
    from tests.benchmarks.measuring import Row

DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "1000"))
CHAINED = int(os.environ.get("BATCH_CHAINED", "24"))
LONG_SECONDS = float(os.environ.get("BATCH_SECONDS", "20"))
SHORT_SECONDS = 1.0
STEPS, IN_FLIGHT, DOCUMENT_BYTES = 3, 100, 20_000
#: What the chain costs, in ms of CPU, is in the rows of `scale`.
MOST_CPU_MS = 40.0
MOST_MAKESPAN, LEAST_RATE = 1.25, 25.0


def documents_in(folder: Path, count: int) -> Path:
    """Write documents into a folder."""
    folder.mkdir(parents=True)
    noise = b"\0" * DOCUMENT_BYTES
    for number in range(count):
        (folder / f"{number:05}.png").write_bytes((tiny_png(f"{number:064x}") + noise)[:DOCUMENT_BYTES])
    return folder


def rate_row(batch: Used, documents: int, chain: Used, chained: int) -> Row:
    """
    Compare the documents per minute of a batch with those of the mapped chain.

    :param batch: One batch.
    :param documents: How many documents it had.
    :param chain: The chain, mapped.
    :param chained: Over how many documents.
    """
    return compared(
        f"Documents per minute, batch, cloud tasks of {SHORT_SECONDS:g} s, {IN_FLIGHT} in flight, with journal",
        [60 * documents / batch.seconds],
        "the chain of four tasks, mapped",
        [60 * chained / chain.seconds],
        unit="",
        at_least=LEAST_RATE,
        note=f"{documents:,} documents in the batch, {chained} in the chain, {SLOTS} slots; from the start of the run to "
        f"its end; {batch.busy:.0%} and {chain.busy:.0%} of the machine's CPU in use; one run each",
    )


def long_rows(batch: Used, documents: int) -> list[Row]:
    """
    Make the rows of a batch whose cloud tasks are long.

    :param batch: One batch.
    :param documents: How many documents it had.
    """
    least = documents * STEPS * LONG_SECONDS / min(IN_FLIGHT, documents)
    one_run = f"{documents:,} documents, cloud tasks of {LONG_SECONDS:g} s, {IN_FLIGHT} in flight; one run"
    return [
        compared(
            "Time of a batch, from the start of the run to its end",
            [batch.seconds],
            "documents x steps x seconds of a cloud task / documents in flight",
            [least],
            unit="s",
            at_most=MOST_MAKESPAN,
            note=one_run,
        ),
        limited(
            "CPU of all of Airflow per document, batch",
            [1000 * batch.total_cpu_seconds / documents],
            unit="ms",
            at_most=MOST_CPU_MS,
            note=f"{one_run}; what Airflow uses when nothing happens is subtracted",
        ),
        limited(
            "CPU of task processes per document, batch",
            [1000 * batch.worker_cpu_seconds / documents],
            unit="ms",
            note=one_run,
        ),
        limited("Slot-seconds per document, batch", [batch.slot_seconds / documents], unit="s", note=one_run),
        limited(
            "Memory of a task process, batch",
            [batch.process_bytes / 2**20],
            unit="MiB",
            note=f"resident at its most, what it shares with the process that started it included; {one_run}",
        ),
    ]


def demand_page(batch: Used, documents: int) -> str:
    """
    Extrapolate.

    :param batch: One batch whose cloud tasks are long.
    :param documents: How many documents it had.
    """
    assumed = replace(Assumptions(cloud_seconds=LONG_SECONDS), waits=0)
    title = f"One batch operator per {documents:,} documents, which stays in its worker, because its cloud tasks are short:"
    return page(title, costs_of(batch, documents, 1 / documents), assumed, A_DAY)


def measure(here: Meter, inbox: Path, publication: Publication) -> None:
    """
    Run all parts; each is kept when it ends.

    :param here: Reads off what runs have used.
    :param inbox: Folder for the documents.
    :param publication: Takes the rows of each part.
    """
    many, few = documents_in(inbox / "many", DOCUMENTS), documents_in(inbox / "few", CHAINED)
    for dag_id in ("batch_folder", "mapped_chain"):  # The first of all is slow.
        here.run(dag_id, 1, "short", documents_in(inbox / dag_id, 2))
    here.note_idle()
    chain, short = here.run("mapped_chain", 1, "short", few), here.run("batch_folder", 1, "short", many)
    publication.add([rate_row(short, DOCUMENTS, chain, CHAINED)])
    long = here.run("batch_folder", 1, "long", many)
    publication.add(long_rows(long, DOCUMENTS))
    text = demand_page(long, DOCUMENTS)
    SCALE_BATCH.write_text(f"{text}\n", encoding="utf-8")
    print(text, flush=True)


def main() -> None:
    """Set up, measure, publish, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="batch-airflow-"))
    try:
        with Bench(home, {"short": SHORT_SECONDS, "long": LONG_SECONDS}, SLOTS, SETTINGS) as bench:
            measure(Meter(bench, home), home / "inbox", Publication("batch_airflow"))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
