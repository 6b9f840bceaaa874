"""
Compare the requests of our client with those of the vendor's SDK: for the same operation and settings they are the same.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import enums
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.client import CloudClient
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.settings import validate_settings
from tests.contract.recorder import ID, TOKEN, Recorder
from tests.contract.samples import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.contract.sdk import Sdk


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture
def client(recorder: Recorder) -> Iterator[CloudClient]:
    running = CloudClient(Account("id", "secret", base_url=recorder.url))
    yield running
    running.close()


class NoResults:
    """The recorder's answers have none."""

    def begin(self) -> Callable[[bytes], object]:
        raise AssertionError("a result began")


def token_for(operation: str) -> str | None:
    return TOKEN if OPERATIONS[operation].needs_token else None


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_submit(
    sdk: Sdk, recorder: Recorder, client: CloudClient, document: Callable[[str], Path], operation: str
) -> None:
    row, file = OPERATIONS[operation], document(operation)
    chosen = validate_settings(row, settings_of(operation))
    client.submit(row, file, chosen)
    sdk.call(
        "submit",
        host=recorder.url,
        token=token_for(operation),
        operation=operation,
        file=str(file),
        settings=settings_of(operation),
    )

    ours, theirs = recorder.take()
    assert replace(ours, body=None) == replace(theirs, body=None)
    assert ours.path == row.path.lower()
    defaults = sdk.call("default_settings", operation=operation)
    # The SDK fills in its own defaults; ours leaves to the cloud what the user left open.
    assert theirs.body == ours.body | ({} if defaults is None else {"settings": defaults | chosen})
    assert ours.body.get("settings", {}) == chosen == settings_of(operation)
    assert ours.body[row.body_field] == theirs.body[row.body_field] != ""


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_status_fetch_and_cancel(sdk: Sdk, recorder: Recorder, client: CloudClient, operation: str) -> None:
    client.status(operation, ID)
    client.fetch(operation, ID, NoResults)
    client.cancel(operation, ID)
    ours = recorder.take()
    who: dict[str, Any] = {"host": recorder.url, "token": token_for(operation), "id": ID}
    sdk.call("status", **who)
    sdk.call("fetch", operation=operation, **who)
    sdk.call("cancel", operation=operation, **who)
    assert ours == recorder.take()
    assert [request.method for request in ours] == ["GET", "GET", "DELETE"]
    assert all(request.query == (("id", ID),) for request in ours)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Language", enums.LANGUAGES),
        ("LanguageTTS", enums.LANGUAGES_TTS),
        ("ResultTypeTable", enums.RESULT_TYPES_TABLE),
        ("ResultTypeTTS", enums.RESULT_TYPES_TTS),
        ("ResultType", enums.RESULT_TYPES),
        ("DsrMode", enums.DSR_MODES),
        ("DsrConfidence", enums.DSR_CONFIDENCES),
    ],
)
def test_our_words_are_those_of_the_latest_release(latest_sdk: Sdk, name: str, ours: tuple[str, ...]) -> None:
    assert sorted(latest_sdk.call("vocabulary", name=name)) == sorted(ours)


def test_the_recorder_tells_bodies_apart(
    recorder: Recorder, client: CloudClient, document: Callable[[str], Path]
) -> None:
    client.submit(OPERATIONS["RecognizeImage"], document("RecognizeImage"), {"language": "English"})
    client.submit(OPERATIONS["RecognizeImage"], document("RecognizeImage"), {"language": "German"})
    first, second = recorder.take()
    assert first != second
    assert json.dumps(second.body["settings"]) == '{"language": "German"}'
