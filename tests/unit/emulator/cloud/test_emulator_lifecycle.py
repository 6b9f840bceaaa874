from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.emulator_clients import CloudClient, ScriptedWorker, decoded
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 24 * 60 * 60
NOBODYS = "00000000-0000-0000-0000-000000000000"


class Gate:
    """Holds a worker until it is opened, and knows that one has come."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE_SECONDS)


@pytest.fixture
def gate(scripted: CloudClient, worker: ScriptedWorker) -> Iterator[Gate]:
    gate = Gate()
    worker.gate = gate
    yield gate
    gate.open.set()


def test_a_queued_task_is_pending_and_a_running_one_processing(scripted: CloudClient, gate: Gate) -> None:
    first, second = (scripted.submit(image=b"echo:text") for _ in range(2))
    assert gate.reached.wait(PATIENCE_SECONDS)

    answer = scripted.fetch(first)
    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Processing", "NotReady")
    assert (answer["results"], answer["error"]) == (None, None)
    assert scripted.status(second)["taskStatus"] == "Pending"

    gate.open.set()
    assert scripted.wait(second) == "Completed"
    assert scripted.status(first)["taskStatus"] == "Completed"


def test_the_status_never_carries_results(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)

    answer = cloud.status(task_id)

    assert answer == {
        "id": task_id,
        "taskStatus": "Completed",
        "responseStatusCode": "Ok",
        "results": None,
        "error": None,
    }


@pytest.mark.parametrize("path", ["RecognizeImage", "Utilities/GetTaskStatus"])
@pytest.mark.parametrize("task_id", [NOBODYS, "x", "../../etc/passwd", "%00", "a" * 5000])
def test_an_unknown_id_does_not_exist(cloud: CloudClient, path: str, task_id: str) -> None:
    answer = cloud.fetch(task_id, path)

    assert answer["id"] == task_id
    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("NotExist", "TaskNotFound")
    assert answer["results"] is None


@pytest.mark.parametrize("path", ["RecognizeImage", "Utilities/GetTaskStatus"])
def test_no_id_is_refused(cloud: CloudClient, path: str) -> None:
    assert cloud.call("GET", path).status_code == 400


def test_cancelling_a_queued_task_keeps_it_from_the_worker(
    scripted: CloudClient, gate: Gate, worker: ScriptedWorker
) -> None:
    first, second = (scripted.submit(image=b"echo:text") for _ in range(2))
    assert gate.reached.wait(PATIENCE_SECONDS)

    answer = scripted.cancel(second)

    assert (answer.status_code, answer.content) == (200, b"")
    assert scripted.status(second)["taskStatus"] == "NotExist"
    gate.open.set()
    scripted.wait(first)
    assert len(worker.jobs) == 1


def test_cancelling_a_running_task_discards_its_result(
    scripted: CloudClient, gate: Gate, worker: ScriptedWorker
) -> None:
    running = scripted.submit(image=b"echo:text")
    assert gate.reached.wait(PATIENCE_SECONDS)

    assert scripted.cancel(running).status_code == 200

    assert scripted.fetch(running)["taskStatus"] == "NotExist"
    gate.open.set()
    scripted.wait(scripted.submit(image=b"echo:next"))
    assert scripted.fetch(running)["taskStatus"] == "NotExist"
    assert not worker.jobs[0].result_dir.exists()


@pytest.mark.parametrize(("choice", "status"), [("cloud", "NotExist"), ("otherwise", "Completed")])
def test_what_cancelling_does_to_a_finished_task_is_an_option(
    request: pytest.FixtureRequest, choice: str, status: str
) -> None:
    client: CloudClient = request.getfixturevalue(choice)
    task_id = client.submit(settings={})
    client.wait(task_id)

    assert client.cancel(task_id).status_code == 200

    assert client.status(task_id)["taskStatus"] == status


def test_cancelling_what_does_not_exist_succeeds(cloud: CloudClient) -> None:
    assert cloud.cancel(NOBODYS).status_code == 200


def test_another_account_sees_nothing_and_cancels_nothing(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    mine = cloud.headers
    cloud.login("other", "secret")

    assert cloud.fetch(task_id)["taskStatus"] == "NotExist"
    assert cloud.status(task_id)["taskStatus"] == "NotExist"
    assert cloud.cancel(task_id).status_code == 200

    cloud.headers = mine
    assert cloud.wait(task_id) == "Completed"
    assert cloud.status(task_id)["taskStatus"] == "Completed"


@pytest.mark.parametrize(("choice", "status"), [("cloud", "NotExist"), ("otherwise", "Completed")])
def test_fetching_under_another_operation_is_an_option(
    request: pytest.FixtureRequest, choice: str, status: str
) -> None:
    client: CloudClient = request.getfixturevalue(choice)
    task_id = client.submit(settings={})
    client.wait(task_id)

    assert client.fetch(task_id, "RecognizePdf")["taskStatus"] == status


def test_results_are_kept_for_24_hours_from_the_submit(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)
    cloud.emulator.control.advance_clock(DAY - 60)
    assert decoded(cloud.login().fetch(task_id))

    cloud.emulator.control.advance_clock(61)

    assert cloud.fetch(task_id)["taskStatus"] == "NotExist"
    assert cloud.emulator.control.tasks() == []


def test_files_go_with_the_retention(scripted: CloudClient, worker: ScriptedWorker) -> None:
    scripted.run(image=b"echo:text")
    folder = worker.jobs[0].result_dir
    assert folder.exists()
    assert [path.name for path in folder.parent.iterdir()] == ["results"]  # Neither body nor payload.

    scripted.emulator.control.advance_clock(DAY + 1)

    assert not folder.exists()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"refuse:The file is no image.", "The file is no image."),
        (b"refuse:evil \x1b[2J\r\n name", r"evil \x1b[2J\r\n name"),
    ],
)
def test_an_input_that_cannot_be_worked_on_ends_with_error(
    scripted: CloudClient, payload: bytes, message: str
) -> None:
    answer = scripted.run(image=payload)

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Error", "Error")
    assert answer["results"] is None
    assert answer["error"] == {"messages": [message], "warnings": None}


def test_messages_come_with_the_operation_not_with_the_status(scripted: CloudClient) -> None:
    task_id = scripted.submit(image=b"refuse:No.")
    scripted.wait(task_id)

    assert scripted.status(task_id)["error"] is None


def test_messages_come_with_the_status_by_option(otherwise: CloudClient) -> None:
    otherwise.emulator.control.add_faults({"kind": "task_error", "messages": ["No."]})
    task_id = otherwise.submit(settings={})

    assert otherwise.status(task_id)["error"]["messages"] == ["No."]


def test_a_worker_that_crashes_ends_one_task_and_not_the_emulator(
    scripted: CloudClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = scripted.run(image=b"crash:secret words")

    assert answer["taskStatus"] == "Error"
    assert "ZeroDivisionError" in answer["error"]["messages"][0]
    assert "secret words" not in str(answer)
    assert "The worker failed" in caplog.text
    assert scripted.run(image=b"echo:text")["taskStatus"] == "Completed"


def test_a_completed_task_may_have_no_data(scripted: CloudClient) -> None:
    answer = scripted.run(image=b"nothing:")

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Completed", "NoAnyResultData")


def test_what_a_pending_task_answers_is_an_option(otherwise: CloudClient) -> None:
    otherwise.emulator.control.add_faults({"kind": "delay", "delay_seconds": 0, "path": "nothing"})
    with Emulator(Options(engine="canned", task_seconds="60", pending_code="NoAnyResultData")) as emulator:
        client = CloudClient(emulator)
        with client.session:
            task_id = client.login().submit()
            assert client.fetch(task_id)["responseStatusCode"] == "NoAnyResultData"


def test_tasks_take_their_time_without_holding_a_worker() -> None:
    options = Options(engine="canned", task_seconds="3000", workers=1)
    with Emulator(options) as emulator:
        client = CloudClient(emulator)
        with client.session:
            client.login()
            tasks = [client.submit() for _ in range(3)]
            for task_id in tasks:
                client.wait(task_id, "Processing")

            emulator.control.advance_clock(2990)
            assert {client.status(task_id)["taskStatus"] for task_id in tasks} == {"Processing"}
            emulator.control.advance_clock(11)

            assert {client.status(task_id)["taskStatus"] for task_id in tasks} == {"Completed"}


def test_reset_while_a_task_runs_leaves_nothing(
    scripted: CloudClient, gate: Gate, worker: ScriptedWorker
) -> None:
    scripted.submit(image=b"echo:text")
    scripted.submit(image=b"echo:queued")
    assert gate.reached.wait(PATIENCE_SECONDS)

    scripted.emulator.control.reset()
    gate.open.set()

    scripted.login().run(image=b"echo:next")
    assert not worker.jobs[0].result_dir.exists()
    assert len(scripted.emulator.control.tasks()) == 1
    assert len(worker.jobs) == 2
