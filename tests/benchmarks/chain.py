"""
The four-task chain on real Airflow processes: worker processes, slot-seconds, CPU and tokens, ours and the rivals'.

Invariant: all chains of a round run side by side on one Airflow, each with a cloud of its own, so that a busy machine is
equally busy for all of them; everything that is started here is ended here.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.benchmarks.chain_rows import Run, chains, own_time, processes
from tests.benchmarks.chain_sdk import CLIENT, packages
from tests.benchmarks.chain_watch import WorkerWatch, occupied_seconds
from tests.benchmarks.measuring import CHECKOUT, Publication

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DAGS = Path(__file__).parent / "dags"
SCAN = CHECKOUT / "demo" / "scans" / "01-75dpi.png"
CHAINS = ("chain_deferrable", "chain_pipelined", "chain_sdk", "chain_empty")
SHORT_SECONDS, LONG_SECONDS = 1, 20
#: Long waits cost no CPU: all runs of them go side by side.
SHORT_ROUNDS, LONG_RUNS, STEP_ROUNDS = 3, 2, 3
RUN_SECONDS = 1800.0
#: Airflow's default, unlike the impatient settings of the tests: slots are occupied longer for it.
HEARTBEAT = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "5"}
EXIT_SECONDS = 30.0


@dataclass(frozen=True)
class Started:
    """
    A run that was started.

    :param dag_id: Its DAG.
    :param run_id: The run.
    :param cloud: Name of its cloud.
    """

    dag_id: str
    run_id: str
    cloud: str


class Bench:
    """
    One Airflow, and one emulated cloud for each kind of run, in threads of this process.

    :param home: For Airflow and the results.
    :param clouds: Name of each cloud, which is its connection too, with the seconds that its tasks take, or their
        distribution as the emulator's option ``task_seconds`` describes it.
    :param slots: Tasks that run at once in all.
    :param settings: Variables of Airflow's environment on top.
    """

    def __init__(
        self,
        home: Path,
        clouds: Mapping[str, float | str],
        slots: int = 8,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._home = home
        self._slots = slots
        self._settings = settings or {}
        self._stack = ExitStack()
        self._seconds = clouds
        self._clouds: dict[str, Emulator] = {}
        self._unpaused: set[str] = set()
        self._started = 0

    def __enter__(self) -> Bench:
        with self._stack:
            for name, seconds in self._seconds.items():
                options = Options(
                    engine="canned", task_seconds=str(seconds), client_id=CLIENT, client_secret=CLIENT
                )
                self._clouds[name] = self._stack.enter_context(Emulator(options))
            connections = {
                f"AIRFLOW_CONN_{name.upper()}": f'{{"conn_type": "aspose_ocr", "host": "{cloud.url}",'
                f' "login": "{CLIENT}", "password": "{CLIENT}"}}'
                for name, cloud in self._clouds.items()
            }
            # Many chains at once write more than sqlite lets in within its default patience of 5 s.
            database = {
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._home}/airflow/airflow.db?timeout=60"
            }
            env = {**HEARTBEAT, **database, **connections, **self._settings}
            self.airflow = self._stack.enter_context(
                LocalAirflow(self._home / "airflow", DAGS, env, parallelism=self._slots)
            )
            self.watch = self._stack.enter_context(WorkerWatch(self.airflow.pid("scheduler")))
            self.rest = AirflowRest(self.airflow.base_url, self.airflow.check)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def runs(self, wanted: Iterable[tuple[str, str]]) -> list[Run]:
        """
        Run chains side by side.

        :param wanted: Each run's DAG and cloud.
        :return: What they have cost, in the same order.
        """
        wanted = list(wanted)
        # Never reset: that would make the triggerer's token worthless, and it would ask for another.
        seen = {cloud: len(self.asked(cloud)) for _, cloud in wanted}
        started = self.run_all(wanted)
        sharing = [run.cloud for run in started]
        return [self._measured(run, seen[run.cloud], sharing.count(run.cloud)) for run in started]

    def run_all(self, wanted: Iterable[tuple[str, str]], scan: Path = SCAN) -> list[Started]:
        """
        Start runs side by side and wait until all have succeeded.

        :param wanted: Each run's DAG and cloud.
        :param scan: The document, or the folder of the documents; by default one scan.
        :return: The runs, in the same order.
        """
        started = [self._start(*each, scan) for each in wanted]
        for run in started:
            state = self.rest.wait_for_run(run.dag_id, run.run_id, timeout_seconds=RUN_SECONDS)
            if state != "success":
                raise RuntimeError(
                    f"{run.run_id} of {run.dag_id} ended as {state}: {self._log_of_failed(run)}"
                )
        return started

    def _start(self, dag_id: str, cloud: str, scan: Path) -> Started:
        self._started += 1  # Each has an outbox of its own: documents of several runs may have one name.
        conf = {
            "conn_id": cloud,
            "url": self._clouds[cloud].url,
            "scan": f"{scan}/" if scan.is_dir() else str(scan),
            "outbox": f"file://{self._home}/outbox-{self._started}/",
        }
        start = self.rest.trigger if dag_id in self._unpaused else self.rest.start
        self._unpaused.add(dag_id)
        return Started(dag_id, start(dag_id, conf), cloud)

    def _log_of_failed(self, run: Started) -> str:
        tasks = self.rest.task_instances(run.dag_id, run.run_id)
        failed = [(task["task_id"], task["map_index"]) for task in tasks if task["state"] == "failed"]
        logs = (self.rest.logs(run.dag_id, run.run_id, task, map_index=index) for task, index in failed)
        return "\n".join(log[-4000:] for log in logs)

    def _measured(self, run: Started, since: int, sharing: int) -> Run:
        ids = {task["id"]: task["task_id"] for task in self.rest.task_instances(run.dag_id, run.run_id)}
        occupied = self.occupied(set(ids))
        processes = self.watch.of(set(ids))
        asked = self.asked(run.cloud, since)
        return Run(
            processes={ids[ti]: len(seconds) for ti, seconds in occupied.items()},
            slot_seconds={ids[ti]: sum(seconds) for ti, seconds in occupied.items()},
            cpu_seconds={
                name: sum(process.cpu_seconds for process in processes if process.ti_id == ti)
                for ti, name in ids.items()
            },
            life_seconds={
                name: sum(process.life_seconds for process in processes if process.ti_id == ti)
                for ti, name in ids.items()
            },
            tokens=sum(path.endswith("/token") for path in asked) / sharing,
        )

    def asked(self, cloud: str, since: int = 0) -> list[str]:
        """
        Return the paths of a cloud's requests, oldest first.

        :param cloud: Its name.
        :param since: Number of entries to skip.
        """
        return [entry["path"] for entry in self._clouds[cloud].control.journal(since)]

    def occupied(self, ti_ids: set[str]) -> dict[str, list[float]]:
        """
        Return how long task instances have occupied slots, once per worker process.

        :param ti_ids: Their ids. The last supervisor writes its line a moment after the run has ended.
        """
        deadline = time.monotonic() + EXIT_SECONDS
        while True:
            busy = self.watch.of(ti_ids)
            found = {
                ti: seconds
                for ti, seconds in occupied_seconds(self.airflow.log("scheduler")).items()
                if ti in ti_ids
            }
            if sum(map(len, found.values())) >= len(busy) and set(found) == ti_ids:
                return found
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(busy)} processes were seen, and {found} of them ended")
            time.sleep(0.5)


def measure(bench: Bench, publication: Publication, say: Any = print) -> None:
    """
    Run all rounds.

    :param bench: The running stage.
    :param publication: Takes the rows of each part when it ends.
    :param say: Tells the user what happens.
    """
    short: dict[str, list[Run]] = {name: [] for name in CHAINS}
    long: dict[str, list[Run]] = {name: [] for name in CHAINS}
    steps: list[Run] = []
    empty: list[Run] = []
    bench.runs([("chain_steps", "steps"), ("chain_empty", "chain_empty_1")])  # The first of all is slow.
    for number in range(STEP_ROUNDS):
        say(f"steps, round {number + 1}", flush=True)
        for into, run in zip(
            (steps, empty), (("chain_steps", "steps"), ("chain_empty", "chain_empty_1")), strict=True
        ):
            into += bench.runs([run])
    publication.add(own_time(steps, empty))
    for number in range(SHORT_ROUNDS):
        say(f"cloud tasks of {SHORT_SECONDS} s, round {number + 1}", flush=True)
        done = bench.runs((name, f"{name}_{SHORT_SECONDS}") for name in CHAINS)
        _sort_in(short, CHAINS, done)
    publication.add(chains(f"{SHORT_SECONDS} s", short))
    say(f"cloud tasks of {LONG_SECONDS} s, all rounds at once", flush=True)
    many = CHAINS * LONG_RUNS
    _sort_in(long, many, bench.runs((name, f"{name}_{LONG_SECONDS}") for name in many))
    publication.add(chains(f"{LONG_SECONDS} s", long))
    publication.add(processes(short, long, steps))


def _sort_in(into: dict[str, list[Run]], names: Sequence[str], runs: Sequence[Run]) -> None:
    for name, run in zip(names, runs, strict=True):
        into[name].append(run)


def main() -> None:
    """Set up, measure, publish, and leave nothing behind."""
    packages()
    clouds: dict[str, float] = {"steps": 0}
    for seconds in (SHORT_SECONDS, LONG_SECONDS):
        clouds |= {f"{name}_{seconds}": seconds for name in CHAINS}
    home = Path(tempfile.mkdtemp(prefix="chain-"))
    try:
        with Bench(home, clouds) as bench:
            measure(bench, Publication("chain"))
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
