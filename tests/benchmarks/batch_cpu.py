"""
What a document costs our process in a batch: three steps, local files, against a bare aiohttp loop of the same requests, and
against the vendor's SDK in a pool of 32 threads.

``BATCH_DOCUMENTS`` is the number of documents (300), ``BATCH_BYTES`` their size (20,000), ``BATCH_ROUNDS`` how often it is
measured (3). The emulator runs in its own process with the canned engine, and its pictures are as large as the documents.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.document_processes import SDK_ENVIRONMENTS, SDK_RELEASE
from tests.benchmarks.measuring import CHECKOUT, compared, in_turn, limited, publish
from tests.contract.make_sdk_environments import interpreter

DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "300"))
BYTES = int(os.environ.get("BATCH_BYTES", "20000"))
ROUNDS = int(os.environ.get("BATCH_ROUNDS", "3"))


def measure(url: str, what: str) -> dict[str, float]:
    """Run one mover in a process of its own."""
    program = [sys.executable, "-m", "tests.benchmarks.batch_movers", what]
    if what == "sdk":
        program = [str(interpreter(SDK_ENVIRONMENTS, SDK_RELEASE)), "tests/benchmarks/batch_sdk.py"]
    arguments = [*program, url, str(DOCUMENTS), str(BYTES)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=CHECKOUT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure, print and keep the rows."""
    options = ["--engine", "canned", "--canned-picture-bytes", str(BYTES)]
    with EmulatorProcess(*options) as emulator:
        kinds = ("journal", "no_journal", "floor", "sdk")
        measures = (partial(measure, emulator.url, kind) for kind in kinds)
        journal, plain, floor, sdk = in_turn(ROUNDS, *measures)
    title = f"CPU per document in a batch, 3 steps, {BYTES / 1000:g} KB, local files"
    rival = "a bare aiohttp loop of the same nine requests"
    cpu = [[each["cpu"] for each in runs] for runs in (journal, plain, floor, sdk)]
    walls = [60_000 / each["wall"] for each in journal]
    publish(
        "batch_cpu",
        [
            compared(title, cpu[0], rival, cpu[2], unit="ms", at_most=3.0 if BYTES < 500_000 else 4.0),
            compared(f"{title}, without journal", cpu[1], rival, cpu[2], unit="ms"),
            compared(
                title, cpu[0], f"the vendor's SDK {SDK_RELEASE}, 32 threads", cpu[3], unit="ms", at_most=0.9
            ),
            limited("documents per minute in the same batches", walls, unit="a minute"),
        ],
    )


if __name__ == "__main__":
    main()
