"""
The chain over many documents while its machines die and the cloud stutters.

What is left at the end is what a user would look at: the texts, the bill, the logs, the task states.
``STORM_DOCUMENTS`` is the size, ``STORM_SEEDS`` the seeds, separated by commas; without them, one seed is drawn.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_asposeocr.lifecycle.record import KEY, MOST_RESUBMITS
from tests.distributed.audit import (
    ALIVE,
    LogLine,
    check_cloud,
    check_states,
    check_storage,
    check_temporary_files,
    draw_up,
)
from tests.distributed.chaos import Chaos
from tests.distributed.installation import FOLDER, TRIGGERERS, WORKERS, Installation
from tests.distributed.patience import wait_until
from tests.distributed.storm_run import StormRun, seeds
from tests.distributed.weather import KINDS, SHARE, rules

pytestmark = pytest.mark.airflow

DOCUMENTS = int(os.environ.get("STORM_DOCUMENTS", "12"))
#: Several times what two free cores need.
DEADLINE_SECONDS = float(os.environ.get("STORM_SECONDS", 600 + 30 * DOCUMENTS))
#: This share of the work is done while processes are killed. Then killed components are restarted, and the rest may finish.
STRUCK_SHARE = 2 / 3
STEPS_PER_DOCUMENT = 4
#: Tasks that succeed between two blows: many more blows than two dozen teach nothing.
LEAST_WORK = max(2, STEPS_PER_DOCUMENT * DOCUMENTS // 35)
#: From this number of documents on, each kind of kill and restart has to occur; a smaller storm ends within a minute.
MANY, LEAST_KINDS = 50, 2
#: A document is sent again once per task instance; the next time a user has to decide.
ASKS = "it has been submitted again once already"


class Storm(StormRun):
    """One run of the DAG under one seed."""

    def __init__(self, installation: Installation, seed: int) -> None:
        super().__init__(installation, f"storm-{seed}", DOCUMENTS, seed)
        self.chaos = Chaos(installation, Random(seed), LEAST_WORK, self.say)

    def cells(self) -> dict[tuple[str, int], str | None]:
        """States by task and map index."""
        query = "select task_id, map_index, state from task_instance where dag_id = 'storm' and run_id = %s"
        return {(task, index): state for task, index, state in self.installation.rows(query, self.run_id)}

    def states(self) -> dict[str, str | None]:
        return {f"{task}[{index}]": state for (task, index), state in self.cells().items()}

    def blow(self) -> str:
        """Run the DAG under blows until it has ended; returns the state of its run."""
        where = {"inbox": f"file://{self.inbox}/", "outbox": f"file://{self.outbox}/"}
        self.run_id = self.installation.rest.start("storm", where)
        deadline = time.monotonic() + DEADLINE_SECONDS
        total, done, said = 1 + STEPS_PER_DOCUMENT * DOCUMENTS, 0, 0
        while time.monotonic() < deadline:
            self.chaos.tick(done, strike=done < STRUCK_SHARE * total or not self.chaos.complete)
            self.installation.airflow.check(without=self.chaos.down)
            states = self.states()
            done = sum(state == "success" for state in states.values())
            if done - said >= total / 10:
                said = done
                self.say(f"{done} of {total} tasks done; {dict(Counter(states.values()))}")
            ((state,),) = self.installation.rows("select state from dag_run where run_id = %s", self.run_id)
            if state == "success" or (state == "failed" and not self.attend()):
                return str(state)
            time.sleep(0.5)
        return f"not over after {DEADLINE_SECONDS:g} s"

    def attend(self) -> bool:
        """Clear, as the error asks the user to, each task that may have been billed twice; returns whether there was one."""
        states = self.cells()
        failed = {cell for cell, state in states.items() if state == "failed"}

        def asked() -> set[tuple[str, int]]:
            return self.given_up() | {
                (f"read.{line.step}", line.index) for line in self.log_lines() if ASKS in line.text
            }

        # A log is sent away when the process ends, which is after the task's failure.
        wait_until(lambda: failed <= asked())
        if not failed or not failed <= asked():
            return False
        over = [cell for cell, state in states.items() if state in ("failed", "upstream_failed")]
        self.say(f"two unknown windows hit the same task: a user clears {over}")
        self.installation.rest.clear("storm", self.run_id, over, downstream=False)
        return True

    def given_up(self) -> set[tuple[str, int]]:
        """
        Tasks whose record says that a second submit may have been billed.

        Their message is lost where their worker was killed before it had sent the log away; a user sees the record.
        """
        query = "select task_id, map_index, value from task_state_store where run_id = %s and key = %s"
        records = {
            (task, index): json.loads(value)
            for task, index, value in self.installation.rows(query, self.run_id, KEY)
        }
        return {
            cell
            for cell, record in records.items()
            if record["phase"] == "intent" and record["resubmits"] >= MOST_RESUBMITS
        }

    def settle(self) -> None:
        """Repair everything, and wait until cloud tasks of lost answers have ended and rows of fired triggers are gone."""
        self.chaos.end()
        self.installation.airflow.wait_healthy()
        wait_until(lambda: not [task for task in self.cloud_tasks() if task["status"] in ALIVE])
        wait_until(lambda: not self.triggers())

    def cloud_tasks(self) -> list[dict[str, Any]]:
        return self.installation.cloud.tasks()

    def triggers(self) -> int:
        query = """
            select count(*) from trigger left join task_instance on task_instance.trigger_id = trigger.id
            where coalesce(dag_id, 'storm') = 'storm'
        """
        return int(self.installation.rows(query)[0][0])

    def manifests(self) -> dict[int, Any]:
        """What the fetch tasks returned: XCom holds the path of a file, see the XCom backend."""
        query = "select map_index, value from xcom where key = 'return_value' and task_id = 'read.fetch' and run_id = %s"
        return {
            index: json.loads(Path(urlsplit(value).path).read_bytes())
            for index, value in self.installation.rows(query, self.run_id)
        }

    def log_lines(self) -> list[LogLine]:
        """All task logs: those sent to object storage, and those that died with their worker."""
        # These first: a log that is being sent away meanwhile is then read twice and not missed.
        texts = {
            str(path): path.read_text(errors="replace")
            for path in self.installation.local_logs()
            if f"run_id={self.run_id}" in path.parts
        }
        texts |= {
            key: self.installation.s3.read(key)
            for key in self.installation.s3.keys(f"dag_id=storm/run_id={self.run_id}/")
        }
        return [
            LogLine(*self.place(file), file, line)
            for file, text in texts.items()
            for line in text.splitlines()
        ]

    @staticmethod
    def place(file: str) -> tuple[str, int]:
        """Read task and map index from the path of a log."""
        parts = dict(part.split("=", 1) for part in file.split("/") if "=" in part)
        return parts["task_id"].removeprefix("read."), int(parts.get("map_index", -1))


@pytest.mark.parametrize("seed", seeds("STORM_SEEDS"))
def test_a_storm_loses_nothing_and_bills_nothing_in_secret(installation: Installation, seed: int) -> None:
    storm = Storm(installation, seed)
    storm.say(f"storm over {DOCUMENTS} documents; repeat it with STORM_SEEDS={seed}")
    installation.cloud.add_faults(*rules(seed))
    state = storm.blow()
    storm.say(f"the run is {state}; blows: {dict(storm.chaos.blows)}")
    storm.settle()

    journal, lines = installation.cloud.journal(), storm.log_lines()
    faults = Counter(fault for entry in journal for fault in entry["faults"])
    storm.say(f"{len(journal)} requests, {faults.total()} faults: {dict(faults)}")
    storm.say(f"{sum('re-attached' in line.text for line in lines)} tries re-attached to a cloud task")
    installation.cloud.clear_faults()
    tasks = installation.results()
    bill = draw_up(storm.documents, installation.cloud.billing(), tasks, lines, storm.chaos.worker_kills)
    storm.say(str(bill))
    for again in bill.again:
        storm.say(f"billed again: {again}")
    temporary = [installation.airflow.temporary_folder(host) for host in (*WORKERS, *TRIGGERERS)]
    findings = [
        *check_states(storm.states(), storm.triggers()),
        *check_storage(storm.documents, storm.outbox, storm.manifests()),
        *bill.findings,
        *check_cloud(tasks),
        *check_temporary_files(temporary, storm.chaos.worker_kills),
    ]
    for finding in findings:
        storm.say(f"FOUND: {finding}")
    assert not findings, f"seed {seed}; logs: {FOLDER}"
    assert state == "success"
    assert set(faults) >= KINDS
    assert faults.total() > SHARE / 2 * len(journal), "the weather was too good"
    # With few documents, the last wait may end before each kind of blow has happened.
    enough = storm.chaos.complete if DOCUMENTS >= MANY else len(storm.chaos.blows) >= LEAST_KINDS
    assert enough, f"the storm was too short for everything: {storm.chaos.blows}"
