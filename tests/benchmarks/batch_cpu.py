"""
What a document costs our process in a batch: three steps, local files, against a bare aiohttp loop of the same requests, and
against the vendor's SDK in a pool of 32 threads; for documents of 20 KB, and against the loop for those of 1 MB.

``BATCH_DOCUMENTS`` is the number of small documents (300), ``BATCH_LARGE_DOCUMENTS`` that of large ones (60),
``BATCH_ROUNDS`` how often both are measured (3). The emulator runs in its own process with the canned engine, and its
pictures are as large as the documents. Without the SDK's environment (``make bench`` makes it), its row is left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.document_processes import SDK_ENVIRONMENTS, SDK_RELEASE
from tests.benchmarks.measuring import CHECKOUT, Publication, compared, in_turn, limited
from tests.contract.make_sdk_environments import interpreter, is_complete

DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "300"))
LARGE_DOCUMENTS = int(os.environ.get("BATCH_LARGE_DOCUMENTS", "60"))
ROUNDS = int(os.environ.get("BATCH_ROUNDS", "3"))
BYTES, LARGE_BYTES = 20_000, 1_000_000
#: Times the CPU of the rival.
MOST_OF_FLOOR, MOST_OF_FLOOR_LARGE, MOST_OF_SDK = 3.0, 4.0, 0.9
FLOOR = "a bare aiohttp loop of the same nine requests"


def measure(url: str, documents: int, size: int, what: str) -> dict[str, float]:
    """Run one mover in a process of its own."""
    program = [sys.executable, "-m", "tests.benchmarks.batch_movers", what]
    if what == "sdk":
        program = [str(interpreter(SDK_ENVIRONMENTS, SDK_RELEASE)), "tests/benchmarks/batch_sdk.py"]
    arguments = [*program, url, str(documents), str(size)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True, cwd=CHECKOUT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}: {found}", file=sys.stderr, flush=True)
    return found


def measured(documents: int, size: int, kinds: tuple[str, ...]) -> dict[str, list[dict[str, float]]]:
    """Measure several movers in turn, and return CPU and wall time of a document in each round, in ms."""
    with EmulatorProcess("--engine", "canned", "--canned-picture-bytes", str(size)) as emulator:
        measures = (partial(measure, emulator.url, documents, size, kind) for kind in kinds)
        return {kind: list(runs) for kind, runs in zip(kinds, in_turn(ROUNDS, *measures), strict=True)}


def main() -> None:
    """Measure, print and keep the rows."""
    publication = Publication("batch_cpu")
    has_sdk = is_complete(SDK_ENVIRONMENTS, SDK_RELEASE)
    runs = measured(DOCUMENTS, BYTES, ("journal", "no_journal", "floor", *(("sdk",) if has_sdk else ())))
    cpu = {kind: [each["cpu"] for each in rounds] for kind, rounds in runs.items()}
    title = "CPU per document in a batch, 3 steps, {} KB, local files"
    small = title.format(f"{BYTES / 1000:g}")
    rows = [
        compared(small, cpu["journal"], FLOOR, cpu["floor"], unit="ms", at_most=MOST_OF_FLOOR),
        compared(f"{small}, without journal", cpu["no_journal"], FLOOR, cpu["floor"], unit="ms"),
    ]
    if has_sdk:
        rival = f"the vendor's SDK {SDK_RELEASE}, 32 threads"
        rows.append(compared(small, cpu["journal"], rival, cpu["sdk"], unit="ms", at_most=MOST_OF_SDK))
    walls = [60_000 / each["wall"] for each in runs["journal"]]
    publication.add([*rows, limited("documents per minute in the same batches", walls, unit="a minute")])
    large = measured(LARGE_DOCUMENTS, LARGE_BYTES, ("journal", "floor"))
    ours, floor = ([each["cpu"] for each in large[kind]] for kind in ("journal", "floor"))
    what = title.format(f"{LARGE_BYTES / 1000:,g}")
    publication.add([compared(what, ours, FLOOR, floor, unit="ms", at_most=MOST_OF_FLOOR_LARGE)])


if __name__ == "__main__":
    main()
