from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_asposeocr.emulator.control.api import is_loopback
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.support.emulator_clients import CloudClient


def test_the_journal_lists_every_request_to_the_cloud(cloud: CloudClient) -> None:
    task_id = cloud.submit(image=b"12345")
    cloud.wait(task_id)
    cloud.status(task_id)
    cloud.call("GET", "Nothing")

    journal = cloud.emulator.control.journal()

    shown = [(e["n"], e["method"], e["path"], e["id"], e["status"], e["task_id"]) for e in journal]
    assert shown == [
        (1, "POST", "/connect/token", None, 200, None),
        (2, "POST", "/v5.0/ocr/RecognizeImage", None, 200, task_id),
        (3, "GET", "/v5.0/ocr/Utilities/GetTaskStatus", task_id, 200, task_id),
        (4, "GET", "/v5.0/ocr/Nothing", None, 404, None),
    ]
    assert [entry["account"] for entry in journal] == ["emulator", "emulator", "emulator", None]
    assert journal[1]["request_bytes"] == len('{"image": "MTIzNDU="}')
    assert abs(journal[1]["time"] - cloud.emulator.control.clock()["now"]) < 60


def test_the_journal_can_be_read_from_a_number_on(cloud: CloudClient) -> None:
    cloud.status("x")
    cloud.status("y")

    assert [entry["id"] for entry in cloud.emulator.control.journal(since=2)] == ["y"]


def test_nothing_under_control_tells_a_secret(cloud: CloudClient) -> None:
    cloud.session.post(f"{cloud.url}/connect/token", data={"client_id": "x", "client_secret": "s3cret"})
    cloud.submit(image=b"confidential", settings={})
    token = cloud.headers["Authorization"].removeprefix("Bearer ")

    for path in ("journal", "tasks", "billing", "clock", "faults"):
        text = requests.get(f"{cloud.url}/_emulator/{path}", timeout=PATIENCE_SECONDS).text
        for secret in (token, "s3cret", "confidential", "Y29uZmlkZW50aWFs", "Bearer"):
            assert secret not in text


def test_billing_counts_accepted_submits_per_operation(cloud: CloudClient) -> None:
    for operation in ("RecognizeImage", "recognizeimage", "BinarizeImage"):
        cloud.submit(operation)
    cloud.post("RecognizeImage", settings={"no": "such"})
    cloud.status("x")

    assert cloud.emulator.control.billing() == {"RecognizeImage": 2, "BinarizeImage": 1}


def test_tasks_are_listed_with_their_state(cloud: CloudClient) -> None:
    first, second = cloud.submit(), cloud.submit("BinarizeImage")
    cloud.wait(first)
    cloud.wait(second)
    cloud.cancel(first)

    tasks = cloud.emulator.control.tasks()

    shown = [(t["id"], t["operation"], t["account"], t["status"], t["deleted"]) for t in tasks]
    assert shown == [
        (first, "RecognizeImage", "emulator", "NotExist", True),
        (second, "BinarizeImage", "emulator", "Completed", False),
    ]
    assert tasks[1]["submitted_at"] <= tasks[1]["finished_at"]


def test_a_task_tells_what_it_is_a_submit_of_also_when_it_was_deleted(cloud: CloudClient) -> None:
    task_id = cloud.submit(image=b"12345")
    cloud.cancel(task_id)

    (task,) = cloud.emulator.control.tasks()

    assert task["input_sha256"] == hashlib.sha256(b"12345").hexdigest()


def test_reset_forgets_everything(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    cloud.submit()
    control.add_faults({"kind": "drop"})
    control.advance_clock(100)
    for _ in range(6):
        cloud.session.post(f"{cloud.url}/connect/token", data={"client_id": "emulator", "client_secret": "x"})

    control.reset()

    assert (control.journal(), control.tasks(), control.faults(), control.billing()) == ([], [], [], {})
    assert control.clock()["advanced_seconds"] == 0
    bad = {"client_id": "emulator", "client_secret": "x"}
    assert cloud.session.post(f"{cloud.url}/connect/token", data=bad).status_code == 400


@pytest.mark.parametrize(
    "body",
    [{}, {"advance_seconds": -1}, {"advance_seconds": "NaN"}, {"advance_seconds": 1, "x": 1}, {"seconds": 1}],
)
def test_the_clock_refuses_what_is_no_step_forward(cloud: CloudClient, body: dict[str, Any]) -> None:
    assert (
        requests.post(f"{cloud.url}/_emulator/clock", json=body, timeout=PATIENCE_SECONDS).status_code == 422
    )
    assert cloud.emulator.control.clock()["advanced_seconds"] == 0


def test_waiting_for_a_request_ends_when_it_comes(cloud: CloudClient) -> None:
    found: list[dict[str, Any]] = []

    def wait() -> None:
        control = cloud.emulator.control
        found.extend(control.wait_for_request("GET", "utilities/*", count=2, timeout_seconds=600))

    thread = threading.Thread(target=wait)
    thread.start()
    started = time.monotonic()
    cloud.status("x")
    cloud.fetch("not this")
    cloud.status("y")
    thread.join()

    assert [entry["id"] for entry in found] == ["x", "y"]
    assert time.monotonic() - started < 300


def test_waiting_for_an_arrival_does_not_wait_for_the_answer(cloud: CloudClient) -> None:
    cloud.emulator.control.add_faults({"kind": "delay", "delay_seconds": 1})
    thread = threading.Thread(target=cloud.status, args=("x",))
    thread.start()

    (entry,) = cloud.emulator.control.wait_for_request(
        None, "*", answered=False, timeout_seconds=PATIENCE_SECONDS
    )

    assert (entry["answered"], entry["status"]) == (False, None)
    thread.join()


def test_waiting_in_vain_says_what_was_seen(cloud: CloudClient) -> None:
    cloud.status("x")

    with pytest.raises(TimeoutError, match="1 of 2 requests GET"):
        cloud.emulator.control.wait_for_request("GET", count=2, timeout_seconds=0.05)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "evil.example:80"}, {"Host": "["}, {"Origin": "http://evil.example"}],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "reset"), ("GET", "journal")])
def test_web_pages_cannot_use_the_control_api(
    cloud: CloudClient, headers: dict[str, str], method: str, path: str
) -> None:
    answer = requests.request(
        method, f"{cloud.url}/_emulator/{path}", headers=headers, timeout=PATIENCE_SECONDS
    )

    assert answer.status_code == 403
    assert cloud.emulator.control.journal()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        (None, False),
    ],
)
def test_loopback(host: str | None, expected: bool) -> None:
    assert is_loopback(host) is expected
