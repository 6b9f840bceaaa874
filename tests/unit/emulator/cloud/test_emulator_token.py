from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.emulator_clients import FORM, CloudClient

if TYPE_CHECKING:
    import requests

WRONG = {**FORM, "client_secret": "wrong"}


def ask(cloud: CloudClient, form: dict[str, str]) -> requests.Response:
    return cloud.session.post(f"{cloud.url}/connect/token", data=form)


def test_a_token_looks_like_the_clouds(cloud: CloudClient) -> None:
    answer = ask(cloud, FORM)

    assert answer.status_code == 200
    body = answer.json()
    assert body["access_token"].startswith("eyJhbGciOiJSUzI1NiIs")
    assert body["access_token"].count(".") == 2
    assert (body["expires_in"], body["token_type"]) == (3600, "Bearer")
    assert set(body) == {"access_token", "expires_in", "token_type"}


def test_two_tokens_differ_and_both_work(cloud: CloudClient) -> None:
    first, second = (ask(cloud, FORM).json()["access_token"] for _ in range(2))

    assert first != second
    for token in (first, second):
        cloud.headers = {"Authorization": f"bearer {token}"}
        assert cloud.submit()


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (WRONG, "invalid_client"),
        ({**FORM, "client_id": "nobody"}, "invalid_client"),
        ({**FORM, "client_secret": ""}, "invalid_client"),
        ({**FORM, "client_id": "nobody", "client_secret": ""}, "invalid_client"),
        ({}, "invalid_client"),
        ({**FORM, "client_secret": "ż"}, "invalid_client"),
        ({**FORM, "grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_are_a_400(cloud: CloudClient, form: dict[str, str], error: str) -> None:
    answer = ask(cloud, form)

    assert answer.status_code == 400
    assert answer.json() == {"error": error}


def test_credentials_as_json_are_refused(cloud: CloudClient) -> None:
    assert cloud.session.post(f"{cloud.url}/connect/token", json=FORM).status_code == 400


def test_an_endless_token_request_is_refused(cloud: CloudClient) -> None:
    assert ask(cloud, {**FORM, "x": "x" * 100_000}).status_code == 413


def test_more_than_five_failures_lock_the_pair_for_ten_minutes(cloud: CloudClient) -> None:
    assert [ask(cloud, WRONG).status_code for _ in range(7)] == [400] * 5 + [429] * 2

    locked = ask(cloud, WRONG)
    assert 590 <= int(locked.headers["Retry-After"]) <= 600

    cloud.emulator.control.advance_clock(590)
    assert ask(cloud, WRONG).status_code == 429
    cloud.emulator.control.advance_clock(11)
    assert ask(cloud, WRONG).status_code == 400


def test_another_pair_is_not_locked(cloud: CloudClient) -> None:
    for _ in range(6):
        ask(cloud, WRONG)

    assert ask(cloud, FORM).status_code == 200
    assert ask(cloud, {**WRONG, "client_secret": "wrong too"}).status_code == 400


@pytest.mark.parametrize(("choice", "after"), [("cloud", 400), ("otherwise", 429)])
def test_whether_success_forgets_failures_is_an_option(
    request: pytest.FixtureRequest, choice: str, after: int
) -> None:
    client: CloudClient = request.getfixturevalue(choice)
    bad = {**FORM, "grant_type": "password"}
    for _ in range(5):
        ask(client, bad)
    assert ask(client, FORM).status_code == 200

    assert ask(client, bad).status_code == after


def test_a_token_expires_by_the_clock(cloud: CloudClient) -> None:
    task_id = cloud.submit()
    cloud.wait(task_id)
    cloud.emulator.control.advance_clock(3590)  # Not to the second: the machine may be slow.
    assert cloud.status(task_id)["taskStatus"] == "Completed"

    cloud.emulator.control.advance_clock(11)

    assert cloud.call("GET", "RecognizeImage", params={"id": task_id}).status_code == 401
    assert cloud.login().status(task_id)["taskStatus"] == "Completed"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer a.b.c", "Basic ZW11bGF0b3I6ZW11bGF0b3I="]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "RecognizeImage"),
        ("GET", "RecognizeImage?id=x"),
        ("DELETE", "RecognizeImage?id=x"),
        ("POST", "ConvertTextToSpeech"),
        ("GET", "Utilities/GetTaskStatus?id=x"),
    ],
)
def test_a_call_without_a_valid_token_is_a_401(
    cloud: CloudClient, header: str | None, method: str, path: str
) -> None:
    cloud.headers = {} if header is None else {"Authorization": header}

    answer = cloud.call(method, path)

    assert answer.status_code == 401
    assert answer.json()["status"] == 401
    assert answer.json()["title"] == "Unauthorized"
    assert cloud.emulator.control.billing() == {}


def test_reset_revokes_all_tokens(cloud: CloudClient) -> None:
    cloud.emulator.control.reset()

    assert cloud.post("RecognizeImage").status_code == 401
