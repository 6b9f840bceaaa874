"""
A batch whose workers and triggerers are killed, suspended and cleared while the cloud stutters.

What is left at the end is what a user would look at: the texts, the manifest, the bill, the logs.
``BATCH_STORM_DOCUMENTS``, ``BATCH_STORM_KILLS`` (of workers at random), ``BATCH_STORM_TRAPS`` (at the worst moment),
``BATCH_STORM_TRIGGERER_KILLS`` and ``BATCH_STORM_SUSPENDS`` (of one worker and one triggerer each) are its size, with
``BATCH_STORM_IN_FLIGHT`` and ``BATCH_STORM_PERMITS`` for its DAG; ``BATCH_STORM_SEEDS`` are the seeds, separated by commas;
without them, one seed is drawn.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.errors import JournalMissingError
from airflow_provider_asposeocr.batch.journal import read_journal
from tests.distributed.audit import ALIVE, LogLine, check_states
from tests.distributed.batch_audit import (
    check_cloud,
    check_parts,
    check_rows,
    check_temporary_files,
    check_texts,
    draw_up,
)
from tests.distributed.batch_chaos import (
    CLEAR,
    CLEAR_WAITING,
    KILL,
    KILL_SUBMITTING,
    KILL_WAITING,
    SLOW_TASK_SECONDS,
    SUSPEND,
    SUSPEND_WAITING,
    WHILE_DEFERRED,
    BatchChaos,
    Target,
)
from tests.distributed.documents import STEPS, write_documents
from tests.distributed.installation import FOLDER, TRIGGERERS, WORKERS, Installation
from tests.distributed.patience import wait_until
from tests.distributed.storm_run import StormRun, seeds
from tests.distributed.weather import SHARE, batch_rules, once

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.airflow

DOCUMENTS = int(os.environ.get("BATCH_STORM_DOCUMENTS", "80"))
KILLS = int(os.environ.get("BATCH_STORM_KILLS", "2"))
TRAPS = int(os.environ.get("BATCH_STORM_TRAPS", "1"))
TRIGGERER_KILLS = int(os.environ.get("BATCH_STORM_TRIGGERER_KILLS", "1"))
SUSPENDS = int(os.environ.get("BATCH_STORM_SUSPENDS", "1"))
IN_FLIGHT = int(os.environ.get("BATCH_STORM_IN_FLIGHT", "20"))
PERMITS = int(os.environ.get("BATCH_STORM_PERMITS", "16"))
DAG_ID = "batch_storm"
#: Said in the log by a batch that leaves its worker.
DEFERS = "Deferring the wait for"
#: Patience for a batch of one document. A triggerer's first trigger may wait for more than a minute on a busy machine.
SWEEP_SECONDS = 600
#: What the journal of a cleared batch leaves is swept by the next batch, at most every ten minutes.
SWEPT = "swept.json"


def plan_of(random: Random) -> list[str]:
    """Draw the order of the blows: the Clear in the first half, because all that was billed before is billed again."""
    blows = [*[KILL] * KILLS, *[KILL_SUBMITTING] * TRAPS, *[KILL_WAITING] * TRIGGERER_KILLS]
    blows += [SUSPEND, SUSPEND_WAITING] * SUSPENDS
    random.shuffle(blows)
    blows.insert(random.randint(1, max(1, len(blows) // 2)), random.choice([CLEAR, CLEAR_WAITING]))
    return blows


def least_work_of(plan: list[str]) -> int:
    """Compute how many submits there are between two blows. A batch leaves its worker when all places hold slow ones."""
    slow = IN_FLIGHT * sum(kind in WHILE_DEFERRED for kind in plan)
    return max(1, (len(STEPS) * DOCUMENTS - slow) // (len(plan) + 2))


class BatchStorm(StormRun):
    """One run of the DAG under one seed."""

    def __init__(self, installation: Installation, seed: int) -> None:
        super().__init__(installation, f"batch-storm-{seed}", DOCUMENTS, seed)
        self.seed = seed
        self.state = self.outbox / ".aspose-ocr"
        self.plan = plan_of(Random(seed))
        self.deadline_seconds = 300 + 90 * len(self.plan) + DOCUMENTS

    def start(self, inbox: Path) -> str:
        where = {"inbox": f"file://{inbox}/", "outbox": f"file://{self.outbox}/"}
        return self.installation.rest.start(DAG_ID, where)

    def blow(self) -> tuple[str, BatchChaos]:
        """Run the batch under blows until it has ended; returns the state of its run."""
        weather = batch_rules(self.seed)
        self.installation.cloud.add_faults(*weather, *once())
        self.run_id = self.start(self.inbox)
        chaos = BatchChaos(
            self.installation,
            Target(DAG_ID, self.run_id, self.read_journal, self.count_epochs, weather, PERMITS),
            Random(self.seed),
            list(self.plan),
            least_work_of(self.plan),
            self.say,
        )
        deadline = time.monotonic() + self.deadline_seconds
        state = ""
        while state not in ("success", "failed"):
            if time.monotonic() > deadline:
                state = f"not over after {self.deadline_seconds:g} s"
                break
            chaos.tick()
            self.installation.airflow.check(without=chaos.down)
            ((state,),) = self.installation.rows("select state from dag_run where run_id = %s", self.run_id)
            time.sleep(0.2)
        chaos.end()
        return state, chaos

    def journal(self) -> Path | None:
        """The folder of the journal that counts: after a Clear, that of the higher number of tries."""
        folders = [path for path in self.state.glob("batches/*/*") if path.name.isdecimal()]
        return max(folders, key=lambda path: int(path.name), default=None)

    def read_journal(self) -> list[dict[str, Any]]:
        """Read its records."""
        folder = self.journal()
        try:
            return [] if folder is None else read_journal(ObjectStoragePath(f"file://{folder}"))[1]
        except JournalMissingError:
            return []

    def count_epochs(self) -> int:
        """Count the processes that have begun or taken it over."""
        folder = self.journal()
        return 0 if folder is None else len(list(folder.glob("epochs/*.jsonl")))

    def settle(self) -> None:
        """Wait for workers that come back, and for cloud tasks of lost answers to end."""
        self.installation.airflow.wait_healthy()
        wait_until(
            lambda: not [task for task in self.installation.cloud.tasks() if task["status"] in ALIVE],
            2 * SLOW_TASK_SECONDS,
        )
        wait_until(lambda: not self.triggers())

    def triggers(self) -> int:
        """Count the rows of triggers of this DAG that are left."""
        query = """
            select count(*) from trigger left join task_instance on task_instance.trigger_id = trigger.id
            where coalesce(dag_id, %s) = %s
        """
        return int(self.installation.rows(query, DAG_ID, DAG_ID)[0][0])

    def sweep(self) -> str:
        """Run one more batch, of one document, some ten minutes later: it removes what this one has left."""
        (self.state / "batches" / SWEPT).unlink(missing_ok=True)
        inbox = self.folder / "another"
        inbox.mkdir()
        write_documents(inbox, 1, self.seed + 1)
        (inbox / "document-000.png").rename(inbox / "another.png")
        run_id = self.start(inbox)
        state = self.installation.rest.wait_for_run(DAG_ID, run_id, SWEEP_SECONDS)
        (self.outbox / "another.png.txt").unlink(missing_ok=True)
        return state

    def states(self) -> dict[str, str | None]:
        query = "select task_id, state from task_instance where dag_id = %s and run_id = %s"
        return dict(self.installation.rows(query, DAG_ID, self.run_id))

    def summary(self) -> Mapping[str, Any]:
        """What the task returned: XCom holds the path of a file, see the XCom backend."""
        query = "select value from xcom where key = 'return_value' and dag_id = %s and run_id = %s"
        found = self.installation.rows(query, DAG_ID, self.run_id)
        return json.loads(Path(urlsplit(found[0][0]).path).read_bytes()) if found else {}

    def log_lines(self) -> list[LogLine]:
        """All logs of the run: those sent to object storage, and those that died with their worker."""
        texts = {
            str(path): path.read_text(errors="replace")
            for path in self.installation.local_logs()
            if f"run_id={self.run_id}" in path.parts
        }
        prefix = f"dag_id={DAG_ID}/run_id={self.run_id}/"
        texts |= {key: self.installation.s3.read(key) for key in self.installation.s3.keys(prefix)}
        return [LogLine("read", -1, file, line) for file, text in texts.items() for line in text.splitlines()]


def errors_in(lines: list[LogLine]) -> list[str]:
    """What the logs say about tries that have failed, to find out why."""
    entries = [json.loads(line.text) for line in lines if '"level":"error"' in line.text]
    return [f"{entry['timestamp']} {entry['event'][:500]}" for entry in entries]


def rows_of(manifest: Any) -> list[dict[str, Any]]:
    if not manifest:
        return []
    return [json.loads(line) for line in Path(urlsplit(manifest).path).read_text().splitlines()]


@pytest.mark.parametrize("seed", seeds("BATCH_STORM_SEEDS"))
def test_a_batch_in_a_storm_loses_nothing_and_bills_nothing_in_secret(
    installation: Installation, seed: int
) -> None:
    storm = BatchStorm(installation, seed)
    storm.say(f"{DOCUMENTS} documents; repeat it with BATCH_STORM_SEEDS={seed}; blows: {storm.plan}")
    state, chaos = storm.blow()
    storm.say(f"the run is {state}; blows: {dict(chaos.blows)}")
    storm.settle()

    journal, lines, tasks = installation.cloud.journal(), storm.log_lines(), installation.cloud.tasks()
    faults = Counter(fault for entry in journal for fault in entry["faults"] if fault != "task_slow")
    storm.say(f"{len(journal)} requests, {faults.total()} faults: {dict(faults)}")
    summary = storm.summary()
    in_order = rows_of(summary.get("manifest"))
    rows = {row["index"]: row for row in in_order}
    deferrals = {line.text for line in lines if DEFERS in line.text}
    storm.say(f"the batch has left its worker {len(deferrals)} times")
    for message in errors_in(lines):
        storm.say(f"an error in a log: {message}")
    storm.say(f"outcomes: {dict(Counter(row['outcome'] for row in in_order))}")
    billed = installation.cloud.billing()
    bill = draw_up(storm.documents, rows, billed, tasks, lines, chaos.happened())
    storm.say(str(bill))
    installation.cloud.clear_faults()
    swept = storm.sweep()
    workers = [installation.airflow.temporary_folder(host) for host in (*WORKERS, *TRIGGERERS)]
    findings = [
        *check_states(storm.states(), storm.triggers()),
        *check_rows(storm.documents, in_order),
        *check_texts(storm.documents, storm.outbox, rows),
        *bill.findings,
        *check_cloud(tasks, chaos.clears),
        *(f"a blow has left {count} submits unknown" for count in chaos.unknown if count > PERMITS),
        *(
            f"the batch has left its worker with {count} submits unknown"
            for count in chaos.unknown_deferred
            if count
        ),
        *check_parts(storm.state),
        *check_temporary_files(workers),
    ]
    for finding in findings:
        storm.say(f"FOUND: {finding}")
    assert not findings, f"seed {seed}; logs: {FOLDER}"
    assert (state, swept) == ("success", "success")
    assert summary["documents"] == DOCUMENTS
    assert summary["succeeded"] + summary["failed"] == DOCUMENTS
    assert summary["maybe_billed_twice"] == sum(row["maybe_billed_twice"] for row in in_order)
    assert faults.total() > SHARE / 2 * len(journal), "the weather was too good"
    assert len(deferrals) >= sum(kind in WHILE_DEFERRED for kind in storm.plan)
    assert chaos.blows == Counter(storm.plan), "the batch was over before all blows"
