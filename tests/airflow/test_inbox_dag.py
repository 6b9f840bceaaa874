"""
Files that are dropped into an inbox on a real Airflow: each is read once, and can be asked for.
"""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from demo.rest_session import HttpError
from tests.support.airflow_tasks import PNG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

PATIENCE_SECONDS = 300.0
WATCHED, SWEPT = "inbox_watched", "inbox_swept"


class Inbox:
    """The inbox of the DAGs, its outbox, and the Airflow that reads it."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.folder = Path(stack.airflow.env["ASPOSE_OCR_TEST_INBOX"])
        self.outbox = Path(stack.airflow.env["ASPOSE_OCR_TEST_OUTBOX"])

    def empty(self) -> None:
        for folder in (self.folder, self.outbox):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def drop(self, name: str, content: bytes) -> None:
        """Write a file as a program does that renames it into place."""
        part = self.folder / f".{name}"
        part.write_bytes(PNG + content)
        part.rename(self.folder / name)

    def texts(self) -> list[str]:
        return sorted(path.name for path in self.outbox.glob("*.txt"))

    def rows(self) -> list[Any]:
        manifests = sorted((self.outbox / ".aspose-ocr" / "manifests").rglob("*.jsonl"))
        return [row for path in manifests for row in read_manifest(str(path))]

    def settled(self) -> Counter[str]:
        return Counter(Path(row.source).name for row in self.rows() if row.settled)

    def bills(self) -> int:
        return sum(self.stack.cloud.billing().values())

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stack.rest.get(f"/dags/{dag_id}/dagRuns", limit=100)["dag_runs"]
        return found

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            self.stack.airflow.check()
            assert time.monotonic() < deadline, f"{what}: {self.settled()}, {self.texts()}"
            time.sleep(0.5)

    def is_idle(self) -> bool:
        """Tell whether no task of the two DAGs is at work."""
        return not [run for dag in (WATCHED, SWEPT) for run in self.runs(dag) if run["state"] == "running"]

    def pause(self, *dag_ids: str, is_paused: bool = True) -> None:
        """Pause DAGs or let them run; return when the DAG processor has begun or ended their watcher accordingly."""
        for dag_id in dag_ids:
            self.stack.rest.patch(f"/dags/{dag_id}", {"is_paused": is_paused})
        self.parse()

    def parse(self) -> None:
        """Let the DAG processor read the file of the two DAGs now, as Airflow's button does, and wait until it has."""
        rest = self.stack.rest
        before = rest.get(f"/dags/{WATCHED}")
        try:
            rest.request("PUT", f"/parseDagFile/{before['file_token']}")
        except HttpError as error:
            if error.status != HTTPStatus.CONFLICT:  # An earlier request is not served yet.
                raise
        self.wait(
            "parse", lambda: rest.get(f"/dags/{WATCHED}")["last_parsed_time"] > before["last_parsed_time"]
        )

    def triggers(self) -> list[int]:
        """Ids of the rows of watchers."""
        database = next(self.stack.airflow.home.glob("**/airflow.db"))
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
        try:
            found = connection.execute("select id from trigger where classpath like '%AsposeOcrInboxTrigger'")
            return [number for (number,) in found]
        finally:
            connection.close()


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Inbox]:
    found = Inbox(stack)
    found.empty()
    yield found
    found.pause(WATCHED, SWEPT)
    # A queued run of a paused DAG stays queued; the next test finds it, with an inbox of its own.
    found.wait("the last run to end", found.is_idle)


def test_a_dropped_file_is_read_by_event_and_its_row_tells_of_it(inbox: Inbox) -> None:
    """The watcher alone: files that were there, a copy, one that is still being written, and one that comes later."""
    inbox.drop("there.png", b"1")
    inbox.stack.rest.wait_for_dag(WATCHED)
    inbox.pause(WATCHED, is_paused=False)
    half = (inbox.folder / "half.png").open("wb")
    stop = threading.Event()

    def grow() -> None:
        half.write(PNG)
        while not stop.wait(0.5):
            half.write(b"x")
            half.flush()
        half.close()

    growing = threading.Thread(target=grow)
    growing.start()
    try:
        inbox.wait("the first file", lambda: inbox.settled()["there.png"] == 1)
        inbox.drop("copy.png", b"1")
        inbox.drop("later.png", b"2")
        inbox.wait("the later files", lambda: {"copy.png", "later.png"} <= set(inbox.settled()))
        assert "half.png" not in {Path(row.source).name for row in inbox.rows()}
    finally:
        stop.set()
        growing.join()
    size = (inbox.folder / "half.png").stat().st_size
    inbox.wait("the file that was being written", lambda: inbox.settled()["half.png"] == 1)

    rows = {Path(row.source).name: row for row in inbox.rows() if row.settled}
    assert {name: row.outcome for name, row in rows.items()} == {
        "there.png": "succeeded",
        "copy.png": "duplicate",
        "later.png": "succeeded",
        "half.png": "succeeded",
    }
    assert rows["half.png"].bytes == size
    assert set(inbox.settled().values()) == {1}
    assert inbox.bills() == 3
    assert inbox.texts() == ["half.png.txt", "later.png.txt", "there.png.txt"]
    assert all(run["run_type"] == "asset_triggered" for run in inbox.runs(WATCHED))
    assert not list(inbox.outbox.rglob("batches/*/*/*.jsonl")), "a journal was left"


def test_two_dags_on_one_inbox_read_each_content_once_and_do_not_disturb_the_watcher(inbox: Inbox) -> None:
    """A sweep and a watcher at once, in one file: the watcher's row stays, and each file is settled."""
    for dag_id in (WATCHED, SWEPT):
        inbox.stack.rest.wait_for_dag(dag_id)
    inbox.pause(WATCHED, SWEPT, is_paused=False)
    inbox.wait("the watcher", lambda: len(inbox.triggers()) == 1)
    first = inbox.triggers()
    for number in range(30):
        inbox.drop(f"{number:02d}.png", str(number % 25).encode())
    inbox.parse()
    inbox.wait("all files", lambda: len(inbox.settled()) == 30)
    assert inbox.bills() == 25
    assert len(inbox.texts()) == 25
    # Airflow compares the watchers of an asset at each parse.
    inbox.parse()
    assert inbox.triggers() == first
