"""
Large documents: memory and time of submitting, handing on and fetching one, on disk, S3 (moto) and Azure (Azurite).

Rivals are the script that reads all of it into memory, and the vendor's SDK 24.11.0. ``DOCUMENT_MB`` is the size of the
document (100), ``DOCUMENT_ROUNDS`` how often times are measured (5).
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.benchmarks.document_processes import (
    SDK_RELEASE,
    Measured,
    Mover,
    Store,
    check_what_is_needed,
    stores,
)
from tests.benchmarks.measuring import Publication, Row, Sample, compared, in_turn, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MEGABYTES = float(os.environ.get("DOCUMENT_MB", "100"))
ROUNDS = int(os.environ.get("DOCUMENT_ROUNDS", "5"))
MEMORY_ROUNDS = 2
SIZE_BYTES = int(MEGABYTES * 1_000_000)
MIB = 1024 * 1024
#: The goal: so much beyond the idle process, and one block where there is a store.
_OWN_MIB = 16
_SDK = f"the vendor's SDK {SDK_RELEASE}"
_SCRIPT = "a script that reads it all"


@dataclass(frozen=True)
class Bench:
    """
    What all measurements need.

    :param url: The emulator's.
    :param stores: The local disk first.
    :param movers: The programs: ``ours``, ``plain`` and ``sdk``.
    :param large: Reference of a completed task with a large result.
    :param small: Reference of one with a tiny result.
    :param cancel: Removes a task with its files from the emulator.
    """

    url: str
    stores: list[Store]
    movers: dict[str, Mover]
    large: dict[str, Any]
    small: dict[str, Any]
    cancel: Callable[[str], object]

    def task(self, ref: dict[str, Any]) -> dict[str, Any]:
        """Name a task as the rivals do."""
        return {"url": self.url, "operation": ref["operation"], "id": ref["id"]}


@contextmanager
def ours(bench: Bench, store: Store) -> Iterator[Mover]:
    """Yield a process with the provider that has moved tiny documents from and to a store."""
    with bench.movers["ours"].fresh(store.environment) as mover:
        bench.cancel(mover.do("submit", source=store.tiny).value)
        mover.do("fetch", task=bench.small, destination=f"{store.folder}tiny.txt")
        yield mover


@contextmanager
def theirs(bench: Bench, program: str) -> Iterator[Mover]:
    """Yield a rival that has moved tiny documents from and to the local disk."""
    disk = bench.stores[0]
    with bench.movers[program].fresh() as mover:
        mover.do("log_in", url=bench.url)
        bench.cancel(mover.do("submit", url=bench.url, source=disk.tiny).value)
        mover.do("fetch", **bench.task(bench.small), destination=f"{disk.folder}tiny.txt")
        yield mover


#: What a process is told to do; submits answer with the id of a task that is to be removed again.
Action = tuple[str, dict[str, Any]]


def our_actions(bench: Bench, store: Store) -> dict[str, Action]:
    """Name what we do with a large document of a store."""
    return {
        "submit": ("submit", {"source": store.source}),
        "hand on": ("hand_on", {"source": bench.large}),
        "fetch": ("fetch", {"task": bench.large, "destination": f"{store.folder}large.png"}),
    }


def their_actions(bench: Bench, store: Store) -> dict[str, Action]:
    """Name what a rival does with a large document on disk."""
    large = bench.task(bench.large)
    return {
        "submit": ("submit", {"url": bench.url, "source": store.source}),
        "hand on": ("hand_on", large),
        "fetch": ("fetch", {**large, "destination": f"{store.folder}theirs.png"}),
    }


def act(bench: Bench, mover: Mover, action: Action) -> Measured:
    """Let a process do something, and remove the task that it made."""
    command, arguments = action
    done = mover.do(command, **arguments)
    if command != "fetch":
        bench.cancel(done.value)
    return done


def peak(bench: Bench, process: Callable[[], Any], action: Action) -> float:
    """Measure the memory of something in a process that has done nothing large before."""
    with process() as mover:
        found = act(bench, mover, action).peak_bytes / MIB
    print(f"{action[0]}: {found:.1f} MiB", file=sys.stderr)
    return found


def memory_rows(bench: Bench) -> Iterator[Row]:
    """Hold our memory against the goal, and beside that of the SDK in the same round."""
    disk = bench.stores[0]
    block_mib = bench.movers["ours"].do("block_bytes").value // MIB
    for what in ("submit", "hand on", "fetch"):
        places = [disk] if what == "hand on" else bench.stores
        runs = [
            partial(peak, bench, partial(ours, bench, store), our_actions(bench, store)[what])
            for store in places
        ]
        if what != "hand on":  # The SDK cannot: it takes files.
            runs.append(partial(peak, bench, partial(theirs, bench, "sdk"), their_actions(bench, disk)[what]))
        figures = in_turn(MEMORY_ROUNDS, *runs)
        for store, found in zip(places, figures, strict=False):
            row = memory_row(what, store.name, found, 0 if store is disk else block_mib)
            yield row if what == "hand on" else against(row, _SDK, figures[-1])


def memory_row(what: str, store: str, found: Sequence[float], block_mib: int) -> Row:
    """Hold our memory of one kind of transfer against the goal; a block of 0 MiB is a local file."""
    where = {"submit": f" from {store}", "hand on": "", "fetch": f" to {store}"}[what]
    title = f"peak memory to {what} {MEGABYTES:g} MB{where}, above the idle process"
    note = (
        f"{_OWN_MIB} MiB and one block of {block_mib} MiB, which we declare to the store; the SDK knows no stores "
        "and moves a local file, measured once in each round"
        if block_mib
        else ""
    )
    return limited(title, found, unit="MiB", at_most=_OWN_MIB + block_mib, note=note)


def against(row: Row, rival: str, figures: Sequence[float]) -> Row:
    """Put a rival's figures beside ours, where the goal is a fixed limit."""
    ratio = tuple(a / b for a, b in zip(row.ours.values, figures, strict=True))
    return replace(row, rival=rival, theirs=Sample(tuple(figures), row.ours.unit), ratio=Sample(ratio, "x"))


def time_rows(bench: Bench) -> Iterator[Row]:
    """Compare our time with that of the script, and report the SDK's beside it."""
    disk = bench.stores[0]
    with (
        ours(bench, disk) as we,
        theirs(bench, "plain") as script,
        theirs(bench, "sdk") as sdk,
    ):
        for what, goal in (("submit", 1.2), ("fetch", 1.2), ("hand on", None)):
            runs = [(we, our_actions(bench, disk)[what]), (script, their_actions(bench, disk)[what])]
            if what != "hand on":
                runs.append((sdk, their_actions(bench, disk)[what]))
            done = in_turn(ROUNDS + 1, *(partial(act, bench, mover, action) for mover, action in runs))
            figures = [each[1:] for each in done]  # The first round warms up.
            title = f"time to {what} {MEGABYTES:g} MB"
            first, second = figures[:2]
            walls = [m.seconds for m in first], [m.seconds for m in second]
            cpus = [m.cpu_seconds for m in first], [m.cpu_seconds for m in second]
            yield compared(title, walls[0], _SCRIPT, walls[1], unit="s", at_most=goal)
            yield compared(f"CPU {title}", cpus[0], _SCRIPT, cpus[1], unit="s")
            for third in figures[2:]:
                yield compared(title, walls[0], _SDK, [m.seconds for m in third], unit="s")


def prepare(folder: Path) -> tuple[Path, Path]:
    """Write a large and a tiny document: they begin like PNG, and the emulator looks no further."""
    document, tiny = folder / "large.png", folder / "tiny.png"
    tiny.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    document.write_bytes(b"\x89PNG\r\n\x1a\n" + random.Random(4).randbytes(SIZE_BYTES - 8))
    return document, tiny


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """Return what a process has to know: the connection, and folders of its own."""
    connection = {"conn_type": "aspose_ocr", "host": url, "login": "emulator", "password": "emulator"}
    (temporary := folder / "temporary").mkdir()
    return {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW_CONN_OCR": json.dumps(connection),
        "TMPDIR": str(temporary),
    }


def completed(script: Mover, url: str, operation: str, source: Path) -> dict[str, Any]:
    """Submit a task, wait until the emulator has done it, and return its reference."""
    id = script.do("submit", url=url, source=str(source), operation=operation).value
    submitted_at = datetime.now(UTC).isoformat()
    while script.do("status", url=url, id=id).value != "Completed":
        pass
    return {"operation": operation, "id": id, "conn_id": "ocr", "submitted_at": submitted_at}


@contextmanager
def bench_in(folder: Path) -> Iterator[Bench]:
    """Start everything."""
    document, tiny = prepare(folder)
    options = ["--engine", "canned", "--data-dir", str(folder / "emulator")]
    options += ["--max-body-bytes", str(2 * SIZE_BYTES), "--canned-picture-bytes", str(SIZE_BYTES)]
    with ExitStack() as stack:
        url = stack.enter_context(EmulatorProcess(*options)).url
        environment = environment_of(folder, url)
        script = stack.enter_context(Mover("document_plain.py", environment))
        script.do("log_in", url=url)
        large, small = (completed(script, url, name, tiny) for name in ("UpscaleImage", "DetectRegions"))
        found = stack.enter_context(stores(folder, document, tiny))
        movers = {
            name: stack.enter_context(Mover(f"document_{name}.py", environment))
            for name in ("ours", "plain", "sdk")
        }
        remove = partial(script.do, "cancel", url=url, operation="RecognizeImage")
        yield Bench(url, found, movers, large, small, lambda id: remove(id=id))


def main() -> None:
    """Measure, print and keep the rows."""
    check_what_is_needed()
    with tempfile.TemporaryDirectory(prefix="aspose-ocr-bench-") as folder, bench_in(Path(folder)) as bench:
        publication = Publication("documents")
        publication.add([*memory_rows(bench)])
        publication.add([*time_rows(bench)])


if __name__ == "__main__":
    main()
