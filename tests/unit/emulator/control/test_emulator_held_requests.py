"""
Faults that a test places at a certain moment: held requests, new tasks that are hidden, lost answers.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest
import requests

from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.emulator_clients import CloudClient
from tests.support.patience import PATIENCE_SECONDS

HOLD = {"kind": "hold", "method": "POST", "path": "RecognizeImage"}


class InBackground:
    """A call in a thread; the end of the context waits for it."""

    def __init__(self, call: Any) -> None:
        self.answer: requests.Response | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Any) -> None:
        with suppress(requests.RequestException):
            self.answer = call()

    def join(self) -> requests.Response | None:
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
        return self.answer


@pytest.mark.parametrize(("after", "billed"), [("request", {}), ("accepted", {"RecognizeImage": 1})])
def test_a_submit_is_held_until_it_is_released(
    cloud: CloudClient, after: str, billed: dict[str, int]
) -> None:
    control = cloud.emulator.control
    control.add_faults({**HOLD, "after": after})
    submit = InBackground(lambda: cloud.post("RecognizeImage"))

    (entry,) = control.wait_for_request("POST", "RecognizeImage", held=True)

    assert (entry["held"], entry["answered"], entry["status"]) == (True, False, None)
    assert control.billing() == billed
    assert control.release() == 1
    answer = submit.join()
    assert answer is not None
    assert answer.status_code == 200
    (task,) = control.tasks()
    assert (task["id"], task["id_sent"]) == (answer.text, True)
    (entry,) = control.wait_for_request("POST", "RecognizeImage")
    assert (entry["held"], entry["faults"], entry["answer_lost"]) == (False, ["hold"], False)
    assert control.release() == 0


SUBMIT = """
import sys, requests
requests.post(sys.argv[1], json={"image": "aGk="}, headers={"Authorization": sys.argv[2]})
"""


@pytest.mark.process
@pytest.mark.parametrize(("after", "tasks"), [("request", 0), ("accepted", 1)])
def test_a_client_that_is_killed_in_mid_submit_never_learns_the_id(
    cloud: CloudClient, after: str, tasks: int
) -> None:
    control = cloud.emulator.control
    control.add_faults({**HOLD, "after": after})
    arguments = [f"{cloud.url}/v5.0/ocr/RecognizeImage", cloud.headers["Authorization"]]
    client = subprocess.Popen([sys.executable, "-c", SUBMIT, *arguments], start_new_session=True)
    control.wait_for_request("POST", "RecognizeImage", held=True)

    os.kill(client.pid, signal.SIGKILL)
    client.wait(PATIENCE_SECONDS)
    assert control.release() == 1

    (entry,) = control.wait_for_request("POST", "RecognizeImage")
    assert entry["answer_lost"] is True
    assert [task["id_sent"] for task in control.tasks()] == [False] * tasks


def test_a_held_delete_waits_while_the_others_are_served(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    task_id = cloud.submit()
    control.add_faults({"kind": "hold", "method": "DELETE", "after": "accepted"})
    cancel = InBackground(lambda: requests.delete(**request_about(cloud, task_id)))
    control.wait_for_request("DELETE", held=True)

    assert cloud.status(task_id)["taskStatus"] == "NotExist"

    control.release()
    answer = cancel.join()
    assert answer is not None
    assert answer.status_code == 200


def request_about(cloud: CloudClient, task_id: str) -> dict[str, Any]:
    url = f"{cloud.url}/v5.0/ocr/RecognizeImage"
    return {"url": url, "params": {"id": task_id}, "headers": cloud.headers, "timeout": 10}


def test_one_of_the_held_requests_can_be_released(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    control.add_faults({"kind": "hold", "method": "GET", "count": 2})
    calls = {
        name: InBackground(lambda name=name: requests.get(**request_about(cloud, name))) for name in "xy"
    }
    held = control.wait_for_request("GET", held=True, count=2)
    numbers = {entry["id"]: entry["n"] for entry in held}

    assert control.release(numbers["y"]) == 1
    assert calls["y"].join() is not None

    assert [entry["id"] for entry in control.journal() if entry["held"]] == ["x"]
    assert control.release(10_000) == 0
    control.clear_faults()
    assert calls["x"].join() is not None


def test_a_reset_lets_go_what_is_held(cloud: CloudClient) -> None:
    cloud.emulator.control.add_faults({**HOLD, "after": "request"})
    submit = InBackground(lambda: cloud.post("RecognizeImage"))
    cloud.emulator.control.wait_for_request("POST", "RecognizeImage", held=True)

    cloud.emulator.control.reset()

    answer = submit.join()
    assert answer is not None
    assert answer.status_code == 401


def test_an_emulator_ends_although_a_request_is_held() -> None:
    with Emulator() as emulator:
        emulator.control.add_faults({"kind": "hold", "path": "/connect/token"})
        client = InBackground(
            lambda: requests.post(f"{emulator.url}/connect/token", timeout=PATIENCE_SECONDS)
        )
        emulator.control.wait_for_request("POST", "/connect/token", held=True)

    assert client.join() is None


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "drop"},
        {"kind": "status", "status": 502},
        {"kind": "html"},
        {"kind": "truncate", "method": "POST"},
    ],
)
def test_submits_whose_id_never_reached_the_client_can_be_counted(
    cloud: CloudClient, rule: dict[str, Any]
) -> None:
    control = cloud.emulator.control
    lost = {**rule} if rule["kind"] == "truncate" else {**rule, "after": "accepted"}
    control.add_faults({**lost, "path": "RecognizeImage", "count": 2})

    known = []
    for _ in range(5):
        with suppress(requests.RequestException):
            answer = cloud.post("RecognizeImage")
            known += [answer.text] if len(answer.text) == 36 else []

    assert [task["id_sent"] for task in control.tasks()] == [False] * 2 + [True] * 3
    assert [task["id"] for task in control.tasks() if task["id_sent"]] == known
    submits = [entry for entry in control.journal() if entry["path"].endswith("RecognizeImage")]
    cut = rule["kind"] in ("drop", "truncate")
    assert [entry["answer_lost"] for entry in submits] == [cut] * 2 + [False] * 3
    assert {task["id"] for task in control.tasks()} == {entry["task_id"] for entry in submits}


def test_a_client_that_hung_up_during_a_delay_did_not_get_the_id(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    control.add_faults({"kind": "delay", "delay_seconds": 3, "after": "accepted"})

    with pytest.raises(requests.ReadTimeout):
        cloud.post("RecognizeImage", timeout=(60, 0.3))

    (entry,) = control.wait_for_request("POST", "RecognizeImage")
    assert (entry["answer_lost"], entry["task_id"]) == (True, control.tasks()[0]["id"])
    assert control.tasks()[0]["id_sent"] is False


def test_a_client_that_half_closes_is_taken_for_gone(cloud: CloudClient) -> None:
    """The kernel knows of the end before the event loop does; without asking it, the answer would count as sent."""
    control = cloud.emulator.control
    control.add_faults({**HOLD, "after": "accepted"})
    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2]))) as connection:
        token = cloud.headers["Authorization"]
        head = f"POST /v5.0/ocr/RecognizeImage HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n"
        connection.sendall(f'{head}Content-Length: 16\r\n\r\n{{"image":"aGk="}}'.encode())
        control.wait_for_request("POST", "RecognizeImage", held=True)

    control.release()

    assert control.wait_for_request("POST", "RecognizeImage")[0]["answer_lost"] is True


@pytest.mark.parametrize(("hiding", "polls"), [({"hidden_polls": 3}, 3), ({"hidden_polls": 0}, 0), ({}, 1)])
def test_a_young_task_is_not_seen_in_its_first_polls(
    cloud: CloudClient, hiding: dict[str, int], polls: int
) -> None:
    cloud.emulator.control.add_faults({"kind": "not_exist", **hiding})
    first, second = cloud.submit(), cloud.submit()
    cloud.wait(first)
    cloud.wait(second)

    seen = [cloud.status(first), cloud.fetch(first), cloud.status(first), cloud.status(first)]

    assert [answer["taskStatus"] for answer in seen] == ["NotExist"] * polls + ["Completed"] * (4 - polls)
    assert cloud.status(second)["taskStatus"] == "Completed"
    gets = [entry for entry in cloud.emulator.control.journal() if entry["id"] == first]
    assert [entry["faults"] for entry in gets] == [["not_exist"]] * polls + [[]] * (4 - polls)
    assert {entry["task_id"] for entry in gets} == {first}


def test_a_young_task_is_not_seen_in_its_first_seconds(cloud: CloudClient) -> None:
    cloud.emulator.control.add_faults({"kind": "not_exist", "hidden_seconds": 1000})
    task_id = cloud.submit()
    cloud.wait(task_id)
    for _ in range(3):
        answer = cloud.status(task_id)
        assert (answer["taskStatus"], answer["responseStatusCode"]) == ("NotExist", "TaskNotFound")
    assert cloud.fetch(task_id)["results"] is None

    cloud.emulator.control.advance_clock(1001)

    assert cloud.status(task_id)["taskStatus"] == "Completed"


def test_a_delete_sees_a_young_task(cloud: CloudClient) -> None:
    cloud.emulator.control.add_faults({"kind": "not_exist", "hidden_seconds": 1000})
    task_id = cloud.submit()

    cloud.cancel(task_id)

    assert cloud.emulator.control.tasks()[0]["deleted"] is True


def test_a_single_answer_can_deny_the_task(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)
    cloud.emulator.control.add_faults({"kind": "not_exist", "method": "GET", "count": 2})

    answers = [cloud.status(task_id), cloud.fetch(task_id), cloud.fetch(task_id)]

    assert [answer["taskStatus"] for answer in answers] == ["NotExist", "NotExist", "Completed"]
    assert answers[1]["results"] is None


@pytest.mark.parametrize(
    "rule",
    [{"method": "GET", "hidden_polls": 1}, {"method": "get", "hidden_seconds": 0}, {"hidden_polls": -1}],
)
def test_hiding_that_makes_no_sense_is_refused(cloud: CloudClient, rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The emulator refuses this request"):
        cloud.emulator.control.add_faults({"kind": "not_exist", **rule})


def test_a_delete_works_on_arrival_although_its_answer_is_slow(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    task_id = cloud.submit()
    control.add_faults({"kind": "delay", "delay_seconds": 30, "method": "DELETE", "after": "accepted"})

    with pytest.raises(requests.ReadTimeout):
        requests.delete(**{**request_about(cloud, task_id), "timeout": 0.2})

    assert control.tasks()[0]["deleted"] is True
    assert control.wait_for_request("DELETE", answered=False)[0]["task_id"] == task_id


def test_a_rule_after_acceptance_leaves_deletes_alone_unless_it_names_them(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.emulator.control.add_faults({"kind": "status", "status": 500, "after": "accepted"})

    assert cloud.cancel(task_id).status_code == 200
    assert cloud.post("RecognizeImage").status_code == 500


def test_a_run_of_a_hundred_documents_with_five_percent_of_faults_adds_up(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    for kind in ({"kind": "status", "status": 503}, {"kind": "drop"}, {"kind": "expired_token"}):
        control.add_faults({**kind, "probability": 0.0125, "seed": 1})
    control.add_faults({"kind": "delay", "delay_seconds": 0.05, "probability": 0.0125, "seed": 1})
    control.add_faults({"kind": "drop", "after": "accepted", "probability": 0.05, "seed": 1})
    known, unanswered = [], 0
    lock = threading.Lock()

    def document(_: int) -> None:
        nonlocal unanswered
        client = CloudClient(cloud.emulator)
        with client.session:
            client.login()
            while True:
                try:
                    answer = client.post("RecognizeImage")
                except requests.ConnectionError:
                    with lock:
                        unanswered += 1
                    continue
                if answer.status_code == 200:
                    break
                client.login()
            with lock:
                known.append(answer.text)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(document, range(100)))

    tasks = control.tasks()
    lost = [task for task in tasks if not task["id_sent"]]
    hits = {(fault["rule"]["kind"], fault["rule"].get("after")): fault["hits"] for fault in control.faults()}
    assert sorted(known) == sorted(task["id"] for task in tasks if task["id_sent"])
    assert len(lost) == hits["drop", "accepted"] == sum(control.billing().values()) - 100 > 0
    assert unanswered == hits["drop", "accepted"] + hits["drop", "request"]


@pytest.mark.slow
def test_twenty_emulators_live_in_one_process_and_know_nothing_of_each_other() -> None:
    threads = threading.active_count()
    with ExitStack() as stack:
        emulators = [stack.enter_context(Emulator()) for _ in range(20)]
        assert threading.active_count() == threads + 20
        for emulator in emulators[::2]:
            CloudClient(emulator).login().submit()

        assert [emulator.control.billing() for emulator in emulators] == [{"RecognizeImage": 1}, {}] * 10

    assert threading.active_count() == threads
