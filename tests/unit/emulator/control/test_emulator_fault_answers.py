from __future__ import annotations

import pytest

from tests.support.emulator_clients import CloudClient, decoded
from tests.support.emulator_faults import add, get, ready


def test_escaped_base64_is_the_same_json(scripted: CloudClient) -> None:
    content = bytes(range(256)) * 2000
    task_id = scripted.submit(image=b"echo:" + content)
    scripted.wait(task_id)
    add(scripted, "escape_base64")

    answer = get(scripted, task_id)

    assert rb"\u002B" in answer.content
    assert rb"\/" in answer.content
    assert b"+" not in answer.content
    assert decoded(answer.json()) == [("Text", content)]
    assert int(answer.headers["Content-Length"]) == len(answer.content)


def test_bad_base64_cannot_be_decoded(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "bad_base64")

    with pytest.raises(ValueError, match="base64"):
        decoded(cloud.fetch(task_id))

    assert decoded(cloud.fetch(task_id))


def test_rules_about_results_wait_for_results(cloud: CloudClient) -> None:
    add(cloud, "task_stuck")
    stuck = cloud.submit()
    add(cloud, "bad_base64")
    cloud.fetch(stuck)
    task_id = ready(cloud)
    cloud.status(task_id)

    assert cloud.emulator.control.faults()[1]["hits"] == 0
    with pytest.raises(ValueError, match="base64"):
        decoded(cloud.fetch(task_id))


def test_results_can_have_an_evil_type(cloud: CloudClient) -> None:
    task_id = ready(cloud, {"resultType": "TextAndPdf"})
    add(cloud, "result_type", result_type="../../evil")

    assert [kind for kind, _ in decoded(cloud.fetch(task_id))] == ["../../evil"] * 2


def test_a_task_can_end_in_error(cloud: CloudClient) -> None:
    add(cloud, "task_error", messages=["Out of ink."], path="recognizeimage")
    broken, whole = ready(cloud), ready(cloud)

    for _ in range(2):
        answer = cloud.fetch(broken)
        assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Error", "Error")
        assert answer["error"]["messages"] == ["Out of ink."]
    assert cloud.status(broken)["taskStatus"] == "Error"
    assert cloud.fetch(whole)["taskStatus"] == "Completed"
    assert cloud.emulator.control.billing() == {"RecognizeImage": 2}


@pytest.mark.parametrize("task_status", ["Processing", "Pending"])
def test_a_task_can_be_stuck(cloud: CloudClient, task_status: str) -> None:
    add(cloud, "task_stuck", task_status=task_status)
    task_id = cloud.submit()

    cloud.emulator.control.advance_clock(3000)

    assert cloud.status(task_id)["taskStatus"] == task_status
    assert cloud.fetch(task_id)["results"] is None
    cloud.cancel(task_id)
    assert cloud.status(task_id)["taskStatus"] == "NotExist"


def test_a_task_can_take_longer_than_the_others(cloud: CloudClient) -> None:
    add(cloud, "task_slow", task_seconds=3000)
    slow, usual = cloud.submit(), cloud.submit()

    assert cloud.wait(usual) == "Completed"
    assert cloud.status(slow)["taskStatus"] == "Processing"
    cloud.emulator.control.advance_clock(3000)
    assert cloud.wait(slow) == "Completed"


def test_a_task_can_complete_without_results(cloud: CloudClient) -> None:
    add(cloud, "no_results")

    answer = cloud.run()

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Completed", "NoAnyResultData")
    assert answer["results"] is None


def test_a_task_can_complete_in_part(cloud: CloudClient) -> None:
    add(cloud, "partial")

    answer = cloud.run(settings={"resultType": "TextAndPdf"})

    assert (answer["taskStatus"], answer["responseStatusCode"]) == ("Completed", "PartiallyNotFound")
    assert [kind for kind, _ in decoded(answer)] == ["Text"]


@pytest.mark.parametrize(
    ("kind", "task_status", "code"),
    [
        ("task_error", "Error", "Error"),
        ("task_stuck", "Processing", "NotReady"),
        ("no_results", "Completed", "NoAnyResultData"),
        ("partial", "Completed", "PartiallyNotFound"),
    ],
)
def test_a_rule_about_get_changes_one_answer_only(
    cloud: CloudClient, kind: str, task_status: str, code: str
) -> None:
    task_id = ready(cloud)
    add(cloud, kind, method="GET", path="RecognizeImage")

    answer = cloud.fetch(task_id)

    assert (answer["taskStatus"], answer["responseStatusCode"]) == (task_status, code)
    assert cloud.fetch(task_id)["responseStatusCode"] == "Ok"


def test_the_status_can_be_an_unknown_word(cloud: CloudClient) -> None:
    task_id = ready(cloud)
    add(cloud, "unknown_status", task_status="Paused", path="Utilities/*")

    assert cloud.status(task_id)["taskStatus"] == "Paused"
    assert cloud.status(task_id)["taskStatus"] == "Completed"
