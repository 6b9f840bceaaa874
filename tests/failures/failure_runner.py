"""
Runs the cases of the failure table on one Airflow.

Invariant: a case can be told from all others: it has an emulated cloud, a connection and a run of its own. What hits all
of Airflow happens after the cases that would not stand it, and a kill is timed in a triggerer that has long been up.
"""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_png
from demo.airflow_settings import as_environment
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.distributed.own_services import own_database
from tests.failures.failure_cases import LONG_TASK_SECONDS, STEP_SECONDS, Case
from tests.failures.failure_table import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from tests.failures.failure_cases import Mode
    from tests.failures.failure_table import Row

DAGS = Path(__file__).parent / "dags"
SCAN = Path(__file__).resolve().parents[2] / "demo" / "scans" / "01-75dpi.png"
SECRET = "s3cr3t-of-the-failing-account"
HEARTBEAT_SECONDS = 3
LOST_WORKER_SECONDS = 60
#: From the end of a run to the last line of a log: a killed worker has five seconds, a trigger half a minute.
LAST_WORDS_SECONDS = 40
#: Worker processes, and cases at once: most of their time cases wait in the triggerer or for a deadline.
PARALLELISM = 6
CASES_AT_ONCE = 10
#: Cases at once among those in which a user's kill is timed: few, so that a busy machine does not add to the time.
TIMED_CASES_AT_ONCE = 6
PRELOAD = """
import aiohttp, fsspec, requests
import airflow.sdk.io, airflow.sdk.execution_time.task_runner
import airflow_provider_asposeocr.operators.batch, airflow_provider_asposeocr.operators.fetch
import airflow_provider_asposeocr.operators.operations, airflow_provider_asposeocr.documents.destinations
"""


@dataclass
class Finding:
    """
    What a case has come to.

    :param outcome: To compare with the row's.
    :param running: Cloud tasks that go on after the end of the run.
    :param deleted_when_completed: Cloud tasks that were deleted although they were done.
    :param log: All task logs of the run.
    :param kill_seconds: From a user's kill to the first DELETE.
    :param cancelled_first: Whether the first DELETE came before the first submit after the kill.
    :param in_worker: Whether the task that was killed waited in a worker.
    :param waiter: State of the task that waits.
    :param states: State and tries of each task.
    :param journal: What the cloud has seen.
    """

    outcome: Outcome
    running: list[str]
    deleted_when_completed: list[str]
    log: str
    kill_seconds: float | None
    cancelled_first: bool
    in_worker: bool
    waiter: str
    states: dict[str, str]
    journal: list[str]

    def __repr__(self) -> str:
        kill = f"kill_seconds={self.kill_seconds} cancelled_first={self.cancelled_first}"
        head = f"{self.outcome} {self.states} running={self.running} {kill}"
        return "\n".join([head, *self.journal, *map(_short, self.log.splitlines())])


def _short(line: str) -> str:
    """Show a line of a task log as people read it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    errors = [f"{each['exc_type']}: {each['exc_value']}" for each in entry.get("error_detail") or ()]
    return " ".join(
        [entry.get("timestamp", "")[11:23], entry.get("level", ""), str(entry.get("event")), *errors]
    )


class Board:
    """
    The cases, and what became of them.

    :param home: Existing folder.
    :param airflow: Started.
    :param emulators: Started; one for each case, by its row's name and mode.
    :param wanted: Rows and modes.
    :param seed: Chooses order and pauses.
    """

    def __init__(
        self,
        home: Path,
        airflow: LocalAirflow,
        emulators: Mapping[tuple[str, Mode], Emulator],
        wanted: Sequence[tuple[Row, Mode]],
        seed: int,
    ) -> None:
        self._home = home
        self._airflow = airflow
        self._seed = seed
        self._emulators = emulators
        self._wanted = wanted
        self._futures: dict[tuple[str, Mode], Future[Finding]] = {
            (row.name, mode): Future() for row, mode in wanted
        }

    def result(self, row: Row, mode: Mode) -> Finding:
        """Wait for a case; raises what went wrong in it."""
        return self._futures[row.name, mode].result()

    def run(self) -> None:
        """Run the cases, those that disturb others last."""
        try:
            self._run_all(self._wanted)
        finally:
            for future in self._futures.values():
                if not future.done():
                    future.set_exception(RuntimeError("The case was not run."))

    def _run_all(self, wanted: Sequence[tuple[Row, Mode]]) -> None:
        order = random.Random(self._seed)
        calm = [pair for pair in wanted if pair[0].disturbs is None]
        groups = {
            CASES_AT_ONCE: [pair for pair in calm if not (pair[0].timed or pair[0].alone)],
            TIMED_CASES_AT_ONCE: [pair for pair in calm if pair[0].timed and not pair[0].alone],
            1: [pair for pair in calm if pair[0].alone],
        }
        for at_once, cases in groups.items():
            order.shuffle(cases)
            with ThreadPoolExecutor(at_once) as pool:
                for row, mode in cases:
                    pool.submit(self._run_into, row, mode, lambda: None)
        for row in dict.fromkeys(row for row, _ in wanted if row.disturbs is not None):
            modes = [mode for each, mode in wanted if each is row]
            for group in [[mode] for mode in modes] if row.one_by_one else [modes]:
                self._run_disturbed(row, group)

    def _run_disturbed(self, row: Row, modes: Sequence[Mode]) -> None:
        ready = threading.Barrier(len(modes), action=lambda: self._disturb(row))
        with ThreadPoolExecutor(len(modes)) as pool:
            for mode in modes:
                pool.submit(self._run_into, row, mode, lambda: ready.wait(STEP_SECONDS), ready.abort)

    def _disturb(self, row: Row) -> None:
        if row.disturbs == "kill":
            self._airflow.kill("triggerer")
        self._airflow.restart("triggerer")

    def _run_into(
        self, row: Row, mode: Mode, disturb: Callable[[], object], failed: Callable[[], object] = lambda: None
    ) -> None:
        future = self._futures[row.name, mode]
        try:
            future.set_result(self._run_case(row, mode, disturb))
        except BaseException as error:
            failed()
            future.set_exception(error)

    def _run_case(self, row: Row, mode: Mode, disturb: Callable[[], object]) -> Finding:
        here = row.in_mode(mode)
        assert here is not None
        emulator = self._emulators[row.name, mode]
        conn_id = f"{row.name}_{mode}"
        case = Case(
            mode=mode,
            variant=here.variant,
            rest=AirflowRest(self._airflow.base_url, self._check, look_every_seconds=1),
            cloud=emulator.control,
            conf={
                "scan": str(SCAN),
                "inbox": f"file://{self._home}/inbox-{row.documents}/",
                "outbox": f"file://{self._home}/{conn_id}/outbox/",
                "state": f"file://{self._home}/{conn_id}/state/",
                "conn_id": conn_id,
            },
            at_once=here.at_once,
            cancels=here.outcome.cancelled,
            chance=random.Random(f"{self._seed} {row.name} {mode}"),
            disturb=disturb,
        )
        case.rest.create_connection(conn_id, "aspose_ocr", host=emulator.url, login="tests", password=SECRET)
        case.cloud.add_faults(*map(dict, here.faults))
        case.run_id = case.rest.start(case.dag_id, case.conf)
        try:
            here.action(case)
        except Exception as error:
            raise AssertionError(f"{error!r}\n{self._found(case)}") from error
        self._wait_for_words(case, here.words)
        return self._found(case)

    def _wait_for_words(self, case: Case, words: tuple[str, ...]) -> None:
        """Wait for what a process logs last: the cloud has seen its last request before, and Airflow has ended the run."""
        deadline = time.monotonic() + LAST_WORDS_SECONDS
        while not all(each in self._log(case) for each in words) and time.monotonic() < deadline:
            time.sleep(0.5)

    def _check(self) -> None:
        self._airflow.check(without=("triggerer",))

    def _found(self, case: Case) -> Finding:
        tasks, journal = case.cloud.tasks(), case.cloud.journal()
        deletes = [entry for entry in journal if entry["method"] == "DELETE"]
        # A second one, of the new attempt, finds nothing any more.
        first_delete = {entry["id"]: entry["time"] for entry in reversed(deletes)}
        submits = [
            entry for entry in journal if entry["path"].endswith("Image") and entry["method"] == "POST"
        ]
        later = [entry for entry in submits if entry["time"] > (case.killed_at or float("inf"))]
        kill_seconds = None
        if case.killed_at is not None and deletes:
            kill_seconds = deletes[0]["time"] - case.killed_at
        run = case.rest.run(case.dag_id, case.run_id)
        instances = case.rest.task_instances(case.dag_id, case.run_id)
        return Finding(
            outcome=Outcome(
                billed=sum(case.cloud.billing().values()),
                cancelled=sum(task["deleted"] for task in tasks),
                end=run["state"],
            ),
            running=_still_running(case.cloud),
            deleted_when_completed=[
                task["id"]
                for task in tasks
                if (task["finished_at"] or float("inf")) <= first_delete.get(task["id"], 0.0)
            ],
            log=self._log(case),
            kill_seconds=kill_seconds,
            cancelled_first=bool(deletes and later and deletes[0]["n"] < later[0]["n"]),
            in_worker=case.in_worker,
            waiter=next(each["state"] for each in instances if each["task_id"] == case.waiter),
            states={each["task_id"]: f"{each['state']}/{each['try_number']}" for each in instances},
            journal=[
                f"{entry['n']} {entry['time']:.1f} {entry['method']} {entry['path']} {entry['status']} {entry['faults']}"
                for entry in journal
            ],
        )

    def _log(self, case: Case) -> str:
        folder = self._airflow.home / "logs" / f"dag_id={case.dag_id}" / f"run_id={case.run_id}"
        return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.log*")))


def _still_running(cloud: EmulatorControl) -> list[str]:
    """Cloud tasks that do not end by themselves within seconds."""
    for _ in range(10):
        running = [task["id"] for task in cloud.tasks() if task["status"] in ("Pending", "Processing")]
        if not running:
            break
        time.sleep(0.3)
    return running


@contextmanager
def _clouds(home: Path, wanted: Sequence[tuple[Row, Mode]]) -> Iterator[dict[tuple[str, Mode], Emulator]]:
    """Start all emulators, in this thread: FastAPI changes warning filters for a moment, which are the process's."""
    with ExitStack() as stack:
        started = {}
        for row, mode in wanted:
            options = Options(
                engine="canned",
                client_id="tests",
                client_secret=SECRET,
                task_seconds=str(LONG_TASK_SECONDS if row.long else 1),
                data_dir=home / f"{row.name}_{mode}" / "cloud",
            )
            started[row.name, mode] = stack.enter_context(Emulator(options))
        yield started


def _settings(database_url: str) -> dict[str, dict[str, object]]:
    return {
        # Not sqlite: this number of cases at once would wait long for its lock. SQLAlchemy 2.1 reads a bare "postgresql://"
        # as psycopg 3.
        "database": {"sql_alchemy_conn": database_url.replace("postgresql://", "postgresql+psycopg2://")},
        "workers": {"min_heartbeat_interval": HEARTBEAT_SECONDS},
        # For this time a suspended worker counts as running.
        "scheduler": {
            "task_instance_heartbeat_timeout": LOST_WORKER_SECONDS,
            "task_instance_heartbeat_timeout_detection_interval": 5,
        },
        # Another triggerer takes over after this long.
        "triggerer": {"job_heartbeat_sec": 2, "triggerer_health_check_threshold": 10},
        "aspose_ocr": {"error_budget_seconds": 10},
        # The file does not change; reading it again and again costs a tenth of a core.
        "dag_processor": {"min_file_process_interval": 300},
    }


@contextmanager
def installed(home: Path, wanted: Sequence[tuple[Row, Mode]], seed: int) -> Iterator[Board]:
    """
    Start an Airflow and the cases on it.

    :param home: Existing folder.
    :param wanted: Rows and modes.
    :param seed: Chooses order and pauses.
    """
    (home / "dags").mkdir()
    for file in DAGS.glob("*.py"):
        shutil.copy(file, home / "dags")
    for documents in {row.documents for row, _ in wanted}:
        (home / f"inbox-{documents}").mkdir()
        for number in range(documents):
            (home / f"inbox-{documents}" / f"page-{number}.png").write_bytes(tiny_png(f"page {number}"))
    # Every task is a fork of the scheduler and does not import again what the scheduler has imported. Imports are most of a
    # task's CPU.
    (home / "airflow" / "plugins").mkdir(parents=True)
    (home / "airflow" / "plugins" / "preload.py").write_text(PRELOAD)
    with (
        own_database() as database_url,
        _clouds(home, wanted) as emulators,
        LocalAirflow(
            home / "airflow", home / "dags", as_environment(_settings(database_url)), parallelism=PARALLELISM
        ) as airflow,
    ):
        board = Board(home, airflow, emulators, wanted, seed)
        runner = threading.Thread(target=board.run, name="failure-table", daemon=True)
        runner.start()
        try:
            yield board
        finally:
            airflow.stop()
            runner.join(STEP_SECONDS)
