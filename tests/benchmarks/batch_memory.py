"""
The memory of a batch beyond that of the idle process, for many small documents and for large ones.

``BATCH_DOCUMENTS`` is the number of small documents (10,000), ``BATCH_LARGE_DOCUMENTS`` that of documents of 1 MB (100).
``python -m tests.benchmarks.batch_memory URL DOCUMENTS BYTES`` is the process that is measured. It has moved three
documents before, so that all is imported, and its peak is the kernel's high-water mark of resident pages.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.batch_movers import ours
from tests.benchmarks.document_meter import measured
from tests.benchmarks.measuring import CHECKOUT, Publication, limited

DOCUMENTS = int(os.environ.get("BATCH_DOCUMENTS", "10000"))
LARGE_DOCUMENTS = int(os.environ.get("BATCH_LARGE_DOCUMENTS", "100"))
SMALL_BYTES, LARGE_BYTES = 20_000, 1_000_000
#: In MiB.
MOST_SMALL, MOST_LARGE = 48.0, 64.0


def move(url: str, documents: int, size: int) -> None:
    """Run a batch, and print the most memory that it took beyond the idle process, in bytes."""

    def run(count: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(ours(url, Path(folder), count, size, journal=True))

    run(3)
    print(json.dumps(measured(lambda: run(documents))["peak_bytes"]))


def measure(documents: int, size: int) -> float:
    """Run a batch in a process of its own, and return its memory in MiB."""
    options = ["--engine", "canned", "--canned-picture-bytes", str(size)]
    with EmulatorProcess(*options) as emulator:
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.batch_memory",
            emulator.url,
            str(documents),
            str(size),
        ]
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=CHECKOUT)
    return float(json.loads(done.stdout.splitlines()[-1])) / 2**20


def main() -> None:
    """Measure, print and keep the rows."""
    publication = Publication("batch_memory")
    for documents, size, most in (
        (LARGE_DOCUMENTS, LARGE_BYTES, MOST_LARGE),
        (DOCUMENTS, SMALL_BYTES, MOST_SMALL),
    ):
        what = f"memory of a batch of {documents:,} documents of {size / 1000:g} KB, above the idle process"
        note = "3 steps, local files, with journal; the emulator in another process; one run"
        publication.add([limited(what, [measure(documents, size)], unit="MiB", at_most=most, note=note)])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        move(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
