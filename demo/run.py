"""The demo, `python -m demo.run`: ten scans through the chain in a real Airflow, and what that did for the text.

Meanwhile files are dropped into an inbox of the same Airflow.

Invariant: it exits with 0 only if every scan was read in every way by every engine that runs here and every dropped file
is settled, and leaves no process behind.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_asposeocr import read_manifest
from demo import dropped_files
from demo.dropped_files import DroppedFiles, Fate
from demo.environment import FOLDER, Clock, DemoEnvironment, demo_environment, end_on_signals
from demo.error_rate import character_error_rate
from demo.processes import CHECKOUT, ServiceError
from demo.report import WAYS, batch_sentence, sentences, table
from demo.rest_session import RestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SCANS = CHECKOUT / "demo" / "scans"
RUN_SECONDS = 900.0
PROGRESS_EVERY_SECONDS = 10.0
CHAIN = ("upscale", "binarize", "recognize", "fetch")
STEPS = (*CHAIN, "batch", "read_otherwise")


class DemoError(RuntimeError):
    """The demo did not get to its end; the message says why."""


class Progress:
    """Prints how far the runs are, when that has changed, and not more often than every few seconds."""

    def __init__(self, running: DemoEnvironment, runs: Mapping[str, str], clock: Clock) -> None:
        self._environment, self._runs, self._clock = running, runs, clock
        self._shown: dict[str, str] = {}
        self._looked_at = float("-inf")

    def show(self) -> None:
        """Look, and print a line for each run that has moved."""
        if time.monotonic() - self._looked_at < PROGRESS_EVERY_SECONDS:
            return
        for engine, run_id in self._runs.items():
            line = progress_line(self._environment.rest.task_instances(f"demo_{engine}", run_id))
            if self._shown.get(engine) != line:
                self._shown[engine] = line
                self._clock.say(f"{engine}: {line}")
        self._looked_at = time.monotonic()


def progress_line(instances: Sequence[Mapping[str, Any]]) -> str:
    """Say how far a run is.

    :param instances: its task instances.
    :return: how many instances of each step have succeeded, how many wait without a worker, and how many failed.
    """
    states = Counter((str(ti["task_id"]).removeprefix("chain."), ti["state"]) for ti in instances)
    done = [f"{step} {states[step, 'success']}" for step in STEPS]
    others = Counter(ti["state"] for ti in instances)
    notes = [f"{others[state]} {state}" for state in ("deferred", "failed", "up_for_retry") if others[state]]
    return ", ".join(["done: " + ", ".join(done), *notes])


@dataclass(frozen=True)
class Readings:
    """What one engine read, and how long that took.

    :param rates: character error rate by scan and way of reading.
    :param chain_seconds: from the start of the first task of the mapped chain to the end of its last.
    :param batch_seconds: the same of the batch, which is one task.
    """

    rates: dict[str, dict[str, float]]
    chain_seconds: float
    batch_seconds: float


def read_scans(
    running: DemoEnvironment, output: Path, clock: Clock, meanwhile: Callable[[], None]
) -> dict[str, Readings]:
    """Run the DAG of each engine and measure what it read.

    :param running: Airflow and emulators.
    :param output: a folder per engine is made in it.
    :param clock: tells the user what happens.
    :param meanwhile: called twice a second while the runs go on.
    :return: what was read, by engine.
    :raises DemoError: if a run failed, with the end of a failed task's log.
    """
    runs = {
        engine: running.rest.start(f"demo_{engine}", {"scans": str(SCANS), "output": str(output / engine)})
        for engine in running.engines
    }
    progress = Progress(running, runs, clock)

    def look() -> None:
        progress.show()
        meanwhile()

    for engine, run_id in runs.items():
        state = running.rest.wait_for_run(f"demo_{engine}", run_id, RUN_SECONDS, look)
        clock.say(f"{engine}: the run ended as {state}")
        if state != "success":
            raise DemoError(why_failed(running, f"demo_{engine}", run_id))
    return {engine: readings(running, engine, run_id, output / engine) for engine, run_id in runs.items()}


def readings(running: DemoEnvironment, engine: str, run_id: str, output: Path) -> Readings:
    """Measure a run.

    :param running: where manifests and times are asked for.
    :param engine: the engine.
    :param run_id: its run.
    :param output: where the DAG wrote.
    :return: what was read and how long that took.
    """
    instances = running.rest.task_instances(f"demo_{engine}", run_id)
    return Readings(
        rates(running, engine, run_id, output),
        seconds_of(instances, "chain."),
        seconds_of(instances, "batch"),
    )


def seconds_of(instances: Sequence[Mapping[str, Any]], prefix: str) -> float:
    """Say how long some tasks of a run took together.

    :param instances: the task instances of the run, all of which have ended.
    :param prefix: what the ids of the tasks begin with.
    :return: seconds from the start of the first to the end of the last.
    """
    some = [ti for ti in instances if str(ti["task_id"]).startswith(prefix)]
    begin = min(datetime.fromisoformat(ti["start_date"]) for ti in some)
    return (max(datetime.fromisoformat(ti["end_date"]) for ti in some) - begin).total_seconds()


def rates(running: DemoEnvironment, engine: str, run_id: str, output: Path) -> dict[str, dict[str, float]]:
    """Measure what an engine read.

    :param running: where the manifests are asked for.
    :param engine: the engine.
    :param run_id: its run.
    :param output: where `read_otherwise` wrote.
    :return: character error rate by scan and way of reading.
    """
    truth = (SCANS / "truth.txt").read_text(encoding="utf-8")
    scans = [path.stem for path in sorted(SCANS.glob("*.png"))]
    batch = texts_of_batch(running.rest.xcom(f"demo_{engine}", run_id, "batch"))
    measured: dict[str, dict[str, float]] = {}
    for index, scan in enumerate(scans):
        manifest = running.rest.xcom(f"demo_{engine}", run_id, "chain.fetch", map_index=index)
        texts = {way: output / scan / f"{way}.txt" for way in WAYS if way != "chain"}
        texts["chain"] = text_of(manifest)
        if batch[scan].read_bytes() != texts["chain"].read_bytes():
            raise DemoError(
                f"{engine} read {scan} otherwise in the batch than in the chain: see {batch[scan]}"
            )
        measured[scan] = {
            way: character_error_rate(truth, texts[way].read_text(encoding="utf-8")) for way in WAYS
        }
    return measured


def texts_of_batch(summary: Mapping[str, Any]) -> dict[str, Path]:
    """Find the texts of a batch in its manifest.

    :param summary: what the batch operator returned.
    :return: the files, by the name of the scan without its suffix.
    """
    rows = [row.to_dict() for row in read_manifest(summary["manifest"])]
    return {Path(row["source"]).stem: text_of(row) for row in rows}


def text_of(manifest: Mapping[str, Any]) -> Path:
    """Find the text among the results of a manifest.

    :param manifest: what the fetch operator returned.
    :return: the file.
    :raises DemoError: if there is not exactly one.
    """
    found = [result["uri"] for result in manifest["results"] if result["type"] == "Text"]
    if len(found) != 1:
        raise DemoError(f"expected one result of the type Text in the manifest, found {found}")
    return Path(unquote(urlsplit(found[0]).path))


def why_failed(running: DemoEnvironment, dag_id: str, run_id: str) -> str:
    """Say which tasks of a run failed, and how the log of the first one ends."""
    failed = [ti for ti in running.rest.task_instances(dag_id, run_id) if ti["state"] == "failed"]
    if not failed:
        return f"{dag_id} failed without a failed task"
    first = failed[0]
    log = running.rest.logs(dag_id, run_id, first["task_id"], first["try_number"], first["map_index"])
    names = ", ".join(f"{ti['task_id']}[{ti['map_index']}]" for ti in failed)
    return f"{dag_id}: failed: {names}. The end of the first one's log:\n{log[-4000:]}"


def report(by_engine: Mapping[str, Readings], output: Path) -> None:
    """Print where the files are, and per engine the table and what it means."""
    print(f"\nTexts and searchable PDFs: {output}/<engine>/<scan>/")
    for engine, measured in by_engine.items():
        print(f"\nCharacter error rate with {engine}:\n")
        print("\n".join(table(measured.rates)), "\n")
        print("\n".join(sentences(engine, measured.rates)))
        print(batch_sentence(engine, len(measured.rates), measured.chain_seconds, measured.batch_seconds))


def report_inbox(dropped: DroppedFiles, fates: Mapping[str, Fate], asked: Sequence[str]) -> None:
    """Print what became of the dropped files, and what the register says."""
    print(f"\nFiles that were dropped into {dropped.inbox} meanwhile, with texts in {dropped.outbox}:\n")
    print("\n".join(dropped_files.table(fates)), "\n")
    print(dropped_files.sentence(fates, dropped_files.sha256_of_contents()), "The register says:\n")
    print("\n".join(asked))


def main() -> int:
    """Run the demo; returns the exit code."""
    end_on_signals()
    clock = Clock()
    home = FOLDER / "demo"
    output, dropped = home / "output", DroppedFiles(home, clock.say)
    try:
        with (
            demo_environment(home, [CHECKOUT / "demo" / "dags"], clock, dropped.variables()) as running,
            dropped,
        ):
            running.rest.wait_for_dag(dropped_files.DAG_ID, RUN_SECONDS)
            dropped.begin()
            running.rest.unpause(dropped_files.DAG_ID)
            measured = read_scans(running, output, clock, dropped.go_on)
            running.rest.wait_until(dropped.are_read, "the dropped files to be read", RUN_SECONDS)
            asked = dropped_files.status(running.airflow.python, running.airflow.env, dropped.register)
            clock.say("all read; ending Airflow and the emulators")
        clock.say("ended")
    except (DemoError, RestError, ServiceError, OSError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    report(measured, output)
    report_inbox(dropped, dropped.fates(), asked)
    return 0


if __name__ == "__main__":
    sys.exit(main())
