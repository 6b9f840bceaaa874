"""`python -m demo.noise`: what the emulator's second estimate of noise changes on the bundled scans.

`BinarizeImage` estimates the noise of an image, and removes it. The second estimate, in an image of half the size, sees
noise also in an image that was enlarged before. The program runs the demo's chain on each scan with both estimates and with
the first one alone, and each of its two steps alone, in this process, and prints a table in Markdown. Nothing is tuned to
the scans.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.work.imaging import filters
from airflow_provider_asposeocr.emulator.work.jobs import Job
from airflow_provider_asposeocr.emulator.work.workers import make_worker
from demo.emulators import engines_here
from demo.error_rate import character_error_rate
from demo.inbox import SCANS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_asposeocr.emulator.work.jobs import Worker

CHAIN = ("UpscaleImage", "BinarizeImage")
#: Columns of the table: heading, steps before the recognition, and whether the second estimate is on.
COLUMNS = (
    ("read directly", (), True),
    ("upscaled alone", CHAIN[:1], True),
    ("binarized alone", CHAIN[1:], True),
    ("whole chain, first estimate alone", CHAIN, False),
    ("whole chain, both estimates", CHAIN, True),
)


@contextmanager
def first_estimate_alone() -> Iterator[None]:
    """Take the second estimate out of `BinarizeImage`, as before it was added."""
    both = filters.noise_before_interpolation
    filters.noise_before_interpolation = filters.noise_sigma
    try:
        yield
    finally:
        filters.noise_before_interpolation = both


def read(worker: Worker, scan: Path, steps: Sequence[str]) -> str:
    """Send a scan through steps, and recognize it.

    :param worker: does the work of one engine.
    :param scan: the scan.
    :param steps: operations before the recognition.
    :return: the text.
    """
    with tempfile.TemporaryDirectory() as folder:
        payload = scan
        for number, step in enumerate([*steps, "RecognizeImage"]):
            place = Path(folder) / str(number)
            place.mkdir()
            settings = {} if step in CHAIN else {"language": "English", "resultType": "Text"}
            payload = worker(Job(step, payload, place, settings)).results[0].path
        return payload.read_text(encoding="utf-8")


def rates(engine: str) -> dict[str, list[float]]:
    """Measure the character error rates of one engine.

    :param engine: its name.
    :return: for each scan, a rate for each of `COLUMNS`.
    """
    worker, truth = make_worker(engine), (SCANS / "truth.txt").read_text(encoding="utf-8")
    found: dict[str, list[float]] = {}
    for scan in sorted(SCANS.glob("*.png")):
        found[scan.stem] = []
        for _, steps, both in COLUMNS:
            if both:
                text = read(worker, scan, steps)
            else:
                with first_estimate_alone():
                    text = read(worker, scan, steps)
            found[scan.stem].append(character_error_rate(truth, text))
    return found


def table(engine: str, found: dict[str, list[float]]) -> list[str]:
    """Lay out the rates of one engine as a table in Markdown.

    :param engine: its name.
    :param found: what `rates` has measured.
    """
    lines = [
        f"| {engine} | " + " | ".join(heading for heading, _, _ in COLUMNS) + " |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    columns = list(zip(*found.values(), strict=True))
    rows = {**found, "median": [median(each) for each in columns], "worst": [max(each) for each in columns]}
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.1%}" for value in values) + " |")
    return lines


def main() -> int:
    """Measure each engine that is installed here; returns the exit code."""
    for engine, why_not in engines_here().items():
        if why_not is not None:
            print(f"without {engine}: {why_not}", file=sys.stderr)
            continue
        print("\n".join(table(engine, rates(engine))) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
