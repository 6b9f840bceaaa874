"""The connection as a real Airflow API shows, tests and hides it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.airflow_stack import SECRET

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow


def body(stack: Stack, **changes: Any) -> dict[str, Any]:
    return {
        "connection_id": "tried",
        "conn_type": "aspose_ocr",
        "host": stack.url,
        "login": "tests",
        "password": SECRET,
        **changes,
    }


def test_the_provider_is_listed(stack: Stack) -> None:
    names = [provider["package_name"] for provider in stack.rest.providers()]
    assert "airflow-provider-asposeocr" in names


def test_the_form_has_labels_placeholders_and_typed_extras(stack: Stack) -> None:
    answer = requests.get(
        f"{stack.airflow.base_url}/ui/connections/hook_meta",
        headers={"Authorization": f"Bearer {stack.rest.token()}"},
        timeout=30,
    )
    [form] = [form for form in answer.json() if form["connection_type"] == "aspose_ocr"]
    assert form["hook_name"] == "Aspose.OCR Cloud"
    standard = form["standard_fields"]
    assert standard["login"]["title"] == "Client id"
    assert standard["password"]["title"] == "Client secret"
    assert standard["host"]["title"] == "Base URL"
    assert standard["host"]["placeholder"] == "https://api.aspose.cloud"
    assert standard["url_schema"]["hidden"]
    assert not standard["port"]["hidden"]
    assert "Test button" in standard["port"]["placeholder"]
    extras = form["extra_fields"]
    assert extras["evaluation_mode"]["schema"]["type"] == ["boolean", "null"]
    assert extras["request_timeout_seconds"]["schema"]["type"] == ["number", "null"]
    assert extras["proxy"]["schema"]["format"] == "password"
    assert all(field["schema"]["title"] and field["description"] for field in extras.values())


def test_secrets_are_masked_in_what_the_api_returns(stack: Stack) -> None:
    stored = body(
        stack, connection_id="masked", extra=json.dumps({"proxy": "http://u:hidden-word@127.0.0.1:9"})
    )
    stack.rest.post("/connections", stored)
    try:
        answer = stack.rest.get("/connections/masked")
    finally:
        stack.rest.request("DELETE", "/connections/masked")
    assert answer["password"] == "***"
    assert SECRET not in json.dumps(answer)


def test_the_test_button_works_for_a_saved_connection_with_a_port(stack: Stack) -> None:
    """As the UI presses it: with a masked secret, with the port of the row, and with empty texts for empty fields."""
    saved = body(stack, connection_id="saved", port=urlsplit(stack.url).port)
    stack.rest.post("/connections", saved)
    try:
        pressed = {**saved, "password": "***", "description": "", "extra": "{}", "schema": ""}
        answer = stack.rest.test_connection(pressed)
    finally:
        stack.rest.request("DELETE", "/connections/saved")
    assert answer["status"], answer["message"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({}, True, "accepts the client id and secret"),
        ({"password": "wrong"}, False, "client id and secret"),
        ({"host": "http://127.0.0.1:9"}, False, "Could not ask for a token"),
        ({"login": None, "password": None, "extra": '{"evaluation_mode": true}'}, True, "evaluation mode"),
        ({"login": None, "password": None}, False, "no client id"),
    ],
    ids=["good", "bad credentials", "unreachable", "evaluation mode", "no credentials"],
)
def test_the_test_button_says_in_words_what_is_wrong(
    stack: Stack, changes: dict[str, Any], status: bool, words: str
) -> None:
    answer = stack.rest.test_connection(body(stack, **changes))
    assert (answer["status"], words in answer["message"]) == (status, True), answer["message"]


def test_the_test_button_recognizes_what_is_not_the_api(stack: Stack) -> None:
    stack.cloud.add_faults({"kind": "html", "path": "/connect/token"})
    answer = stack.rest.test_connection(body(stack))
    assert not answer["status"]
    assert "not the documented object" in answer["message"]
    assert "those of Aspose.OCR Cloud" in answer["message"]


def test_the_test_button_says_until_when_a_pair_is_locked_out(stack: Stack) -> None:
    stack.cloud.add_faults(
        {"kind": "status", "status": 429, "headers": {"Retry-After": "600"}, "path": "/connect/token"}
    )
    # A pair of its own: this host remembers the answer.
    locked = body(stack, password="locked-out")
    stack.rest.test_connection(locked)
    answer = stack.rest.test_connection(locked)
    assert not answer["status"]
    assert "locked the client id and secret out until" in answer["message"]
