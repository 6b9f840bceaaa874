"""
How each release of the SDK gets a token, and what happens with wrong credentials.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract.sdk import Sdk, SdkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator


@pytest.fixture(scope="module")
def sdk_24_8() -> Iterator[Sdk]:
    with Sdk("24.8.0") as running:
        yield running


def test_24_8_gets_its_own_token(
    sdk_24_8: Sdk, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    # It sends the three fields as multipart/form-data and not, as the docs say, as a form.
    emulator = aspose_ocr_emulator
    token = sdk_24_8.call(
        "own_token", host=emulator.url, client_id=emulator.client_id, client_secret=emulator.client_secret
    )
    page = str(document("RecognizeImage"))
    sdk_24_8.call(
        "submit", host=emulator.url, token=token, operation="RecognizeImage", file=page, settings={}
    )
    assert emulator.control.billing() == {"RecognizeImage": 1}
    (task,) = emulator.control.tasks()
    assert task["account"] == emulator.client_id


def test_24_8_stumbles_over_wrong_credentials(sdk_24_8: Sdk, aspose_ocr_emulator: Emulator) -> None:
    # Defect: it does not look at the status of the answer.
    with pytest.raises(SdkError, match="KeyError.*access_token"):
        sdk_24_8.call("own_token", host=aspose_ocr_emulator.url, client_id="emulator", client_secret="wrong")
    (entry,) = aspose_ocr_emulator.control.journal()
    assert (entry["path"], entry["status"]) == ("/connect/token", 400)


def test_24_11_cannot_be_given_credentials(latest_sdk: Sdk) -> None:
    # Defect: the configuration of its README and examples does not exist any more, nor does a host.
    with pytest.raises(SdkError, match="TypeError.*client_id"):
        latest_sdk.call("configuration_of_the_readme")
    assert latest_sdk.call("default_host") == ""


def test_wrong_credentials_are_a_400_and_then_a_lockout(sdk: Sdk, aspose_ocr_emulator: Emulator) -> None:
    def ask() -> int | None:
        with pytest.raises(SdkError) as raised:
            sdk.call(
                "documented_token", host=aspose_ocr_emulator.url, client_id="emulator", client_secret="wrong"
            )
        return raised.value.status

    assert [ask() for _ in range(7)] == [400] * 5 + [429] * 2
