"""An inbox on a distributed Airflow: what a test drops into it, and what it asks afterwards."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.batch.register_story import count_documents
from airflow_provider_asposeocr.emulator.work.engines.canned import canned_text, tiny_png
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from tests.distributed.inbox_audit import (
    SETTLED,
    Dropped,
    check_cloud,
    check_rows,
    check_texts,
    draw_up,
    name_of,
)
from tests.distributed.installation import FOLDER
from tests.distributed.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.distributed.inbox_audit import Bill
    from tests.distributed.installation import Installation

DAG_ID = "inbox_swept"
#: Only a defect makes a test wait so long.
PATIENCE_SECONDS = 900.0


class InboxRun:
    """
    The inbox on the disk, empty, and the DAGs that read it.

    :param installation: Where it runs.
    :param name: Of the test, for its log.
    """

    def __init__(self, installation: Installation, name: str) -> None:
        self.installation = installation
        self.folder, self.outbox = installation.inbox / "dropped", installation.inbox / "read"
        self.files: list[Dropped] = []
        #: The DAGs that read the inbox.
        self.dags = [DAG_ID]
        self._name, self._started_at = name, time.monotonic()
        for folder in (self.folder, self.outbox):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.began_at = time.time()

    def say(self, text: str) -> None:
        """Print a line and append it to the log of the test."""
        line = f"{time.strftime('%H:%M:%S')} {time.monotonic() - self._started_at:6.1f} s  {text}"
        print(line, flush=True)
        with (FOLDER / f"{self._name}.log").open("a") as log:
            log.write(f"{line}\n")

    def pause(self, *, is_paused: bool = True) -> None:
        """Pause the DAGs, or let them run."""
        for dag_id in self.dags:
            self.installation.rest.wait_for_dag(dag_id, PATIENCE_SECONDS)
            self.installation.rest.patch(f"/dags/{dag_id}", {"is_paused": is_paused})

    def drop(self, content: object = None) -> None:
        """
        Drop the next file, as a program does that renames it into the inbox.

        :param content: What it is made of; by default another content than that of all other files.
        """
        number = len(self.files)
        picture = tiny_png(f"{self._name} {number if content is None else content}")
        digest = hashlib.sha256(picture).hexdigest()
        file = Dropped(f"document-{number:04}.png", digest, canned_text(digest))
        part = self.folder / f".{file.name}"
        part.write_bytes(picture)
        part.rename(self.folder / file.name)
        self.files.append(file)

    @property
    def contents(self) -> int:
        """How many contents were dropped."""
        return len({file.sha256 for file in self.files})

    def rows(self) -> list[dict[str, Any]]:
        """The rows of all manifests."""
        manifests = sorted((self.outbox / ".aspose-ocr" / "manifests").rglob("*.jsonl"))
        return [json.loads(line) for path in manifests for line in path.read_text().splitlines()]

    def settled(self) -> Counter[str]:
        """Count the settled rows of each file."""
        return Counter(name_of(row) for row in self.rows() if row["outcome"] in SETTLED)

    def is_all_settled(self) -> bool:
        return len(self.settled()) >= len(self.files)

    def billed(self) -> int:
        return sum(self.installation.cloud.billing().values())

    def runs(self, *states: str) -> list[str]:
        """
        The runs of the DAGs since the inbox is empty that have begun, in their order.

        :param states: Their states; by default any.
        """
        query = """
            select run_id, state from dag_run where dag_id = any(%s) and start_date > to_timestamp(%s) order by start_date
        """
        found = self.installation.rows(query, self.dags, self.began_at)
        return [run_id for run_id, state in found if not states or state in states]

    def reading_runs(self) -> set[str]:
        """The runs that had something to read: those that have a batch."""
        query = """
            select distinct run_id from task_instance where dag_id = any(%s) and task_id = 'read' and map_index >= 0
            and start_date > to_timestamp(%s)
        """
        return {run_id for (run_id,) in self.installation.rows(query, self.dags, self.began_at)}

    def watchers(self) -> list[tuple[int, str | None]]:
        """The rows of the watcher: its id, and the host of the triggerer that has it."""
        query = """
            select trigger.id, job.hostname from trigger left join job on job.id = trigger.triggerer_id
            where classpath like '%%AsposeOcrInboxTrigger'
        """
        return [(number, host) for number, host in self.installation.rows(query)]

    def wait(self, what: str, holds: Callable[[], object], timeout_seconds: float = PATIENCE_SECONDS) -> None:
        """
        Wait until something holds.

        :param what: For the message.
        :param holds: Tells whether it does.
        :param timeout_seconds: Longest wait.
        """
        wait_until(holds, timeout_seconds)
        assert holds(), (
            f"waited in vain for {what}; {len(self.settled())} of {len(self.files)} files are settled"
        )

    def _paused_between_runs(self) -> bool:
        if self.runs("running"):
            return False
        self.pause()
        if not self.runs("running"):
            return True
        self.pause(is_paused=False)
        return False

    def end(self) -> None:
        """
        Pause the DAGs between two of their runs, and wait until the cloud has nothing to do.

        Airflow queues no task of a paused DAG: a run that had begun a moment before would stay "running".
        """
        if self.runs("running"):
            self.pause(is_paused=False)
        self.wait("the runs to end", self._paused_between_runs)
        wait_until(lambda: not check_cloud(self.installation.cloud.tasks()))

    def task_logs(self) -> list[str]:
        """The lines of all task logs: those sent to object storage, and those that died with their worker."""
        texts = [
            path.read_text(errors="replace")
            for path in self.installation.local_logs()
            if not {f"dag_id={dag_id}" for dag_id in self.dags}.isdisjoint(path.parts)
        ]
        for dag_id in self.dags:
            texts += map(self.installation.s3.read, self.installation.s3.keys(f"dag_id={dag_id}/"))
        return [line for text in texts for line in text.splitlines()]

    def audit(self, *, exactly: bool = True) -> Bill:
        """
        Compare all that can be compared.

        :param exactly: Whether each file has one settled row.
        """
        rows, tasks = self.rows(), self.installation.cloud.tasks()
        bill = draw_up(self.files, rows, tasks, self.task_logs())
        bill.findings += check_rows(self.files, rows, exactly=exactly)
        bill.findings += check_texts(self.files, self.outbox, rows)
        bill.findings += check_cloud(tasks)
        names = RegisterFiles(f"{self.outbox}/.aspose-ocr/").all_names()
        status = count_documents(names)
        if status.counts != {"done": bill.contents}:
            bill.findings.append(f"the register says {dict(status.counts)}")
        self.say(f"{bill}; outcomes {dict(Counter(row['outcome'] for row in rows))}; runs {len(self.runs())}")
        for finding in bill.findings:
            self.say(f"FOUND: {finding}")
        return bill
