from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
import requests
from requests.exceptions import ChunkedEncodingError, ConnectionError

from tests.support.emulator_clients import FORM, CloudClient
from tests.support.emulator_faults import add, get, ready


def test_a_status_comes_with_its_headers_and_body(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(
        cloud,
        "status",
        status=503,
        headers={"Retry-After": "7"},
        body="busy",
        path="*/gettaskstatus",
        count=2,
    )

    answers = [get(cloud, task_id, "Utilities/GetTaskStatus") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert (answers[0].headers["Retry-After"], answers[0].text) == ("7", "busy")
    assert get(cloud, task_id).status_code == 200


def test_a_refused_submit_is_not_billed(cloud: CloudClient) -> None:
    add(cloud, "status", status=500)

    assert cloud.post("RecognizeImage").status_code == 500

    assert cloud.emulator.control.billing() == {}
    assert cloud.emulator.control.tasks() == []


def test_a_5xx_after_acceptance_is_billed(cloud: CloudClient) -> None:
    add(cloud, "status", status=502, after="accepted")

    assert cloud.post("RecognizeImage").status_code == 502

    assert cloud.emulator.control.billing() == {"RecognizeImage": 1}
    (task,) = cloud.emulator.control.tasks()
    assert cloud.wait(task["id"]) == "Completed"
    assert cloud.emulator.control.journal()[-1]["task_id"] == task["id"]


@pytest.mark.parametrize(("after", "billed"), [("request", {}), ("accepted", {"RecognizeImage": 1})])
def test_a_dropped_connection_has_no_answer(cloud: CloudClient, after: str, billed: dict[str, int]) -> None:
    add(cloud, "drop", after=after, method="POST")

    with pytest.raises(ConnectionError):
        cloud.post("RecognizeImage")

    assert cloud.emulator.control.billing() == billed
    entry = cloud.emulator.control.wait_for_request("POST", "RecognizeImage")[-1]
    assert (entry["status"], entry["faults"]) == (None, ["drop"])
    assert cloud.submit()


def test_a_delay_holds_the_answer_and_not_the_others(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "delay", delay_seconds=30, method="DELETE")

    with pytest.raises(requests.ReadTimeout):
        cloud.call("DELETE", "RecognizeImage", params={"id": task_id}, timeout=(60, 1))

    assert cloud.status(task_id)["taskStatus"] == "Completed"


def test_a_delay_after_acceptance_leaves_the_client_in_the_dark(cloud: CloudClient) -> None:
    add(cloud, "delay", delay_seconds=30, after="accepted")

    with pytest.raises(requests.ReadTimeout):
        cloud.post("RecognizeImage", timeout=(60, 1))

    cloud.emulator.control.wait_for_request("POST", "RecognizeImage", answered=False)
    assert cloud.emulator.control.billing() == {"RecognizeImage": 1}


def test_after_a_delay_the_other_rules_follow(cloud: CloudClient) -> None:
    add(cloud, "delay", delay_seconds=0.05)
    add(cloud, "status", status=500)

    started = time.monotonic()
    assert cloud.post("RecognizeImage").status_code == 500

    assert time.monotonic() - started >= 0.05
    assert cloud.emulator.control.journal()[-1]["faults"] == ["delay", "status"]


def test_a_truncated_answer_told_its_whole_length(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    whole = get(cloud, task_id).content
    add(cloud, "truncate", path="RecognizeImage")

    answer = cloud.call("GET", "RecognizeImage", params={"id": task_id}, stream=True)
    with pytest.raises(ChunkedEncodingError):
        _ = answer.content

    assert int(answer.headers["Content-Length"]) == len(whole)
    assert get(cloud, task_id).content == whole


def test_half_the_body_arrives(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    whole = get(cloud, task_id).content
    add(cloud, "truncate", path="RecognizeImage")

    with socket.create_connection(("127.0.0.1", int(cloud.url.rpartition(":")[2]))) as connection:
        token = cloud.headers["Authorization"]
        head = (
            f"GET /v5.0/ocr/RecognizeImage?id={task_id} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n"
        )
        connection.sendall(head.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert received.partition(b"\r\n\r\n")[2] == whole[: len(whole) // 2]


def test_a_truncated_answer_may_not_have_told_its_length(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "truncate", chunked=True, path="RecognizeImage")

    answer = cloud.call("GET", "RecognizeImage", params={"id": task_id}, stream=True)
    with pytest.raises(ChunkedEncodingError):
        _ = answer.content

    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_an_expired_token_is_refused_once_and_for_all(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "expired_token")

    assert get(cloud, task_id).status_code == 401
    assert get(cloud, task_id).status_code == 401

    cloud.login()
    assert get(cloud, task_id).status_code == 200


def test_an_invalid_token_does_not_use_up_the_rule(cloud: CloudClient) -> None:
    add(cloud, "expired_token")
    cloud.headers = {"Authorization": "Bearer x.y.z"}
    assert cloud.post("RecognizeImage").status_code == 401

    assert cloud.login().post("RecognizeImage").json()["status"] == 401
    assert cloud.login().post("RecognizeImage").status_code == 200


def test_a_gateway_can_answer_with_a_page(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "html", path="RecognizeImage")

    answer = get(cloud, task_id)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<html>" in answer.text


def test_the_token_endpoint_is_hit_by_name_only(cloud: CloudClient) -> None:
    add(cloud, "status", status=500, path="*", count=1)
    assert cloud.session.post(f"{cloud.url}/connect/token", data=FORM).status_code == 200

    add(cloud, "status", status=503, path="/Connect/Token")
    assert cloud.session.post(f"{cloud.url}/connect/token", data=FORM).status_code == 503


def test_probability_with_a_seed_can_be_repeated(cloud: CloudClient) -> None:
    def series() -> list[int]:
        cloud.emulator.control.reset()
        cloud.login()
        add(cloud, "status", status=503, probability=0.5, seed=7)
        return [get(cloud, "x").status_code for _ in range(20)]

    first = series()

    assert set(first) == {200, 503}
    assert series() == first


def test_rules_count_their_hits_and_can_be_lifted(cloud: CloudClient) -> None:
    control = cloud.emulator.control
    control.add_faults({"kind": "status", "status": 500, "count": 2}, {"kind": "drop", "path": "Nothing"})
    get(cloud, "x")

    faults = control.faults()

    assert [(fault["hits"], fault["exhausted"]) for fault in faults] == [(1, False), (0, False)]
    assert faults[0]["rule"]["status"] == 500
    control.clear_faults()
    assert get(cloud, "x").status_code == 200
    assert control.faults() == []


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "earthquake"},
        {"kind": "status"},
        {"kind": "status", "status": 503, "delay_seconds": 1},
        {"kind": "status", "status": 99},
        {"kind": "status", "status": 503, "headers": {"X": "a\r\nSet-Cookie: b"}},
        {"kind": "status", "status": 503, "headers": {"Content-Length": "5"}},
        {"kind": "drop", "count": 1, "probability": 0.5},
        {"kind": "drop", "count": 0},
        {"kind": "drop", "probability": 1.5},
        {"kind": "drop", "after": "lunch"},
        {"kind": "truncate", "after": "accepted"},
        {"kind": "task_stuck", "task_status": "Completed"},
        {},
    ],
)
def test_what_is_no_rule_is_refused_whole(cloud: CloudClient, rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="The emulator refuses this request"):
        cloud.emulator.control.add_faults({"kind": "drop"}, rule)

    assert cloud.emulator.control.faults() == []


def test_a_token_is_lost_while_its_request_waits(cloud: CloudClient) -> None:
    """A reset during a delay: the request goes on in the new world and is refused there."""
    add(cloud, "delay", delay_seconds=0.2)
    answers: list[requests.Response] = []
    thread = threading.Thread(target=lambda: answers.append(cloud.post("RecognizeImage")))
    thread.start()
    cloud.emulator.control.wait_for_request("POST", "RecognizeImage", answered=False)

    cloud.emulator.control.reset()
    thread.join()

    assert answers[0].status_code == 401
    assert json.dumps(cloud.emulator.control.billing()) == "{}"
