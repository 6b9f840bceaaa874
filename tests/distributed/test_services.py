"""
What else an Airflow in production has, each used once: remote logs, queues of triggers, a secrets backend, and XComs in
object storage.

All four are on for all tests of this folder, the storm too; here is shown that they are really used.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.distributed.documents import STEPS, Document, write_documents
from tests.distributed.installation import LATE_TRIGGERER, SECRET
from tests.distributed.patience import wait_until

if TYPE_CHECKING:
    from tests.distributed.installation import Installation

pytestmark = pytest.mark.airflow

RUN_SECONDS = 240
#: A triggerer takes a trigger that it may take within two seconds.
LONG_ENOUGH_SECONDS = 15


@dataclass
class Runs:
    """
    What runs before the first test, all at once because that takes no longer.

    :param installation: Where.
    :param document: The one document.
    :param outbox: Where its text goes.
    :param chain: Run of the chain over it.
    :param ocr: Run of a task on the queue of the triggerers.
    :param nobody: Run of a task on a queue that no triggerer has.
    """

    installation: Installation
    document: Document
    outbox: Path
    chain: str
    ocr: str
    nobody: str

    def wait(self, dag_id: str, run_id: str) -> str:
        return self.installation.rest.wait_for_run(dag_id, run_id, RUN_SECONDS)

    def task_logs(self) -> dict[str, str]:
        """What is in object storage of the task on the queue of the triggerers: file name to text."""
        s3, folder = self.installation.s3, f"dag_id=on_queue_ocr/run_id={self.ocr}/task_id=recognize/"
        return {key.removeprefix(f"logs/{folder}"): s3.read(key) for key in s3.keys(folder)}

    def trigger_logs(self) -> str:
        """What the triggers of that task have said."""
        named = "attempt=1.log.trigger."
        return "".join(text for name, text in self.task_logs().items() if name.startswith(named))

    def status(self, cloud_task: str) -> str:
        """What the cloud says about one of its tasks."""
        (status,) = (task["status"] for task in self.installation.cloud.tasks() if task["id"] == cloud_task)
        return str(status)

    def triggers(self, dag_id: str) -> list[tuple[str | None, int | None]]:
        """Queue and triggerer of the triggers that a DAG waits for."""
        query = """
            select trigger.queue, trigger.triggerer_id from trigger
            join task_instance on task_instance.trigger_id = trigger.id where task_instance.dag_id = %s
        """
        return [(queue, triggerer) for queue, triggerer in self.installation.rows(query, dag_id)]


def read_xcom(value: str) -> Any:
    """Read what a task has handed on: the database holds a path only, and the file the value."""
    assert value.startswith("file://"), value
    return json.loads(Path(urlsplit(value).path).read_bytes())


def _let_its_trigger_s_poll_fail(installation: Installation, dag_id: str, run_id: str) -> None:
    """
    Wait until the trigger of a run's task has met the fault that is active.

    Before the task is deferred its worker may poll as well, for example after a slow start, and other tasks poll at any
    time. Only what is asked about the task's own cloud task after its deferral is asked by its trigger.
    """
    rest, cloud = installation.rest, installation.cloud
    rest.wait_for_task_state(dag_id, run_id, "recognize", "deferred", RUN_SECONDS)
    deferred = max((entry["n"] for entry in cloud.journal()), default=0)
    cloud_task = read_xcom(rest.xcom(dag_id, run_id, "recognize", "aspose_ocr_task"))["id"]

    def failed() -> bool:
        return any(entry["status"] == 503 and entry["id"] == cloud_task for entry in cloud.journal(deferred))

    wait_until(failed, RUN_SECONDS)
    assert failed()


@pytest.fixture(scope="module")
def runs(session_installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    inbox, outbox = tmp_path_factory.mktemp("inbox"), tmp_path_factory.mktemp("outbox")
    (document,) = write_documents(inbox, 1, 0)
    cloud, rest = session_installation.cloud, session_installation.rest
    cloud.reset()
    # From the beginning, so that no wait is over before its trigger has something to say.
    cloud.add_faults({"kind": "status", "status": 503, "path": "*/GetTaskStatus", "probability": 1.0})
    one = {"inbox": f"{inbox}/{document.name}.png"}
    chain = rest.start("storm", {"inbox": f"file://{inbox}/", "outbox": f"file://{outbox}/"})
    ocr, nobody = rest.start("on_queue_ocr", one), rest.start("on_queue_nobody", one)
    _let_its_trigger_s_poll_fail(session_installation, "on_queue_ocr", ocr)
    cloud.clear_faults()
    return Runs(session_installation, document, outbox, chain, ocr, nobody)


def test_task_logs_and_trigger_logs_arrive_in_object_storage(runs: Runs) -> None:
    assert runs.wait("on_queue_ocr", runs.ocr) == "success"
    # They are sent when the process ends, which is after the task's success.
    wait_until(lambda: "is completed" in runs.task_logs().get("attempt=1.log", ""))
    wait_until(lambda: "503" in runs.trigger_logs())
    logs = runs.task_logs()
    # Both halves of the task: two processes, perhaps of two workers, wrote to the same key.
    assert "Deferring the wait for RecognizeImage" in logs["attempt=1.log"]
    assert "is completed" in logs["attempt=1.log"]
    # One of each triggerer that the trigger was in: on a slow machine one may have taken it over from the other.
    assert "503" in runs.trigger_logs(), "what the provider says of a poll that failed"
    # What a user sees comes from there: the hosts' own files are not the API server's.
    assert "is completed" in runs.installation.rest.logs("on_queue_ocr", runs.ocr, "recognize")
    assert all(SECRET not in text for text in logs.values())


def test_references_are_handed_on_through_xcoms_in_object_storage(runs: Runs) -> None:
    assert runs.wait("storm", runs.chain) == "success"
    query = "select task_id, value from xcom where dag_id = 'storm' and run_id = %s and key = 'return_value'"
    returned: dict[str, Any] = {}
    for task_id, value in runs.installation.rows(query, runs.chain):
        returned[task_id.removeprefix("read.")] = read_xcom(value)
    assert {step: returned[step]["operation"] for step in STEPS} == STEPS
    (result,) = returned["fetch"]["results"]
    content = (runs.outbox / f"{runs.document.name}.txt").read_bytes()
    assert content == runs.document.text.encode()
    assert result["sha256"] == hashlib.sha256(content).hexdigest()


def test_workers_and_triggerers_read_the_connection_from_the_secrets_backend(runs: Runs) -> None:
    installation = runs.installation
    assert runs.wait("on_queue_ocr", runs.ocr) == "success"
    assert not [name for name in installation.airflow.env if name.startswith("AIRFLOW_CONN_")]
    assert installation.rows("select conn_id from connection where conn_id like 'aspose%%'") == []
    requests = [entry for entry in installation.cloud.journal() if entry["account"] == "storm"]
    # A worker submits; since no task waits inline, all looks at the status are a triggerer's.
    assert {entry["method"] for entry in requests if entry["path"].endswith("/RecognizeImage")} >= {"POST"}
    assert [entry for entry in requests if entry["path"].endswith("/GetTaskStatus")]


def test_a_wait_on_a_queue_without_triggerer_goes_on_once_there_is_one(runs: Runs) -> None:
    installation, rest = runs.installation, runs.installation.rest
    assert runs.wait("on_queue_ocr", runs.ocr) == "success"
    rest.wait_for_task_state("on_queue_nobody", runs.nobody, "recognize", "deferred", RUN_SECONDS)
    handed_on = rest.xcom("on_queue_nobody", runs.nobody, "recognize", "aspose_ocr_task")
    cloud_task = read_xcom(handed_on)["id"]
    wait_until(lambda: runs.status(cloud_task) == "Completed")
    assert runs.status(cloud_task) == "Completed", "no process has asked for its status yet"
    time.sleep(LONG_ENOUGH_SECONDS)
    assert runs.triggers("on_queue_nobody") == [("nobody", None)]

    installation.airflow.launch(LATE_TRIGGERER)
    try:
        assert runs.wait("on_queue_nobody", runs.nobody) == "success"
    finally:
        installation.airflow.end(LATE_TRIGGERER)
