"""
The vendor's SDK, unchanged, works with the emulator as with the cloud.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.operations import OPERATIONS
from tests.contract.samples import REGIONS, settings_of
from tests.contract.sdk import Sdk, SdkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator

#: How the decoded results of the canned engine begin, in the order in which they come.
BEGINNINGS: dict[str, list[bytes]] = {
    "RecognizeImage": [b"This is", b"%PDF-"],
    "RecognizeImageTrial": [b"This is"],
    "RecognizePdf": [b"This is"],
    "RecognizeReceipt": [b"This is"],
    "RecognizeTable": [b"0,1\n", b"PK\x03\x04"],
    "RecognizeRegions": [b"This is"] * len(REGIONS),
    "RecognizeLabel": [b"This is"],
    "RecognizeAndParseInvoice": [b"{"],
    "DetectRegions": [b"[["],
    "IdentifyFont": [b"{'style'"],
    "DjVu2PDF": [b"%PDF-"],
    "BinarizeImage": [b"\x89PNG"],
    "DeskewImage": [b"\x89PNG"],
    "DewarpImage": [b"\x89PNG"],
    "UpscaleImage": [b"\x89PNG"],
    "ConvertTextToSpeech": [b"RIFF"],
    "ConvertTextToSpeechTrial": [b"RIFF"],
}
ID = re.compile(r"(?:[0-9a-f]{8}|TTS[0-9a-f]{5})-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class Session:
    """A user of the SDK with a host and a token."""

    def __init__(self, sdk: Sdk, host: str, token: str | None) -> None:
        self._sdk = sdk
        self._who = {"host": host, "token": token}

    def submit(self, operation: str, file: Path) -> Any:
        return self._sdk.call(
            "submit", operation=operation, file=str(file), settings=settings_of(operation), **self._who
        )

    def status(self, id: str) -> Any:
        return self._sdk.call("status", id=id, **self._who)

    def fetch(self, operation: str, id: str) -> Any:
        return self._sdk.call("fetch", operation=operation, id=id, **self._who)

    def cancel(self, operation: str, id: str) -> Any:
        return self._sdk.call("cancel", operation=operation, id=id, **self._who)


@pytest.fixture
def session(sdk: Sdk, aspose_ocr_emulator: Emulator, token: str) -> Session:
    return Session(sdk, aspose_ocr_emulator.url, token)


def wait_until_done(emulator: Emulator, session: Session, id: str) -> dict[str, Any]:
    """Ask for the status until the task has ended, as a user of the SDK has to."""
    for _ in range(200):
        state: dict[str, Any] = session.status(id)
        if state["taskStatus"] not in ("Pending", "Processing"):
            return state
        emulator.control.advance_clock(1)
    raise AssertionError(f"the task did not end: {state}")


def test_the_environment_has_the_release_that_it_should(sdk: Sdk) -> None:
    assert sdk.call("release") == sdk.release


def test_all_operations_are_covered() -> None:
    assert BEGINNINGS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("operation", sorted(BEGINNINGS))
def test_a_task_from_submit_to_cancel(
    sdk: Sdk,
    session: Session,
    aspose_ocr_emulator: Emulator,
    document: Callable[[str], Path],
    operation: str,
) -> None:
    if not OPERATIONS[operation].needs_token:
        session = Session(sdk, aspose_ocr_emulator.url, None)  # The trial needs no account.

    id = session.submit(operation, document(operation))
    assert ID.fullmatch(id)
    assert id.startswith("TTS") == ("Speech" in operation)

    state = wait_until_done(aspose_ocr_emulator, session, id)
    assert (state["id"], state["taskStatus"]) == (id, "Completed")
    assert not state.get("results")

    answer = session.fetch(operation, id)
    assert (answer["id"], answer["taskStatus"], answer["responseStatusCode"]) == (id, "Completed", "Ok")
    contents = [base64.b64decode(result["data"], validate=True) for result in answer["results"]]
    for content, beginning in zip(contents, BEGINNINGS[operation], strict=True):
        # The trial masks some words; their lengths stay.
        assert content.startswith(beginning) or (operation == "RecognizeImageTrial" and b"*" in content)
    assert session.fetch(operation, id) == answer

    assert session.cancel(operation, id) is None
    if OPERATIONS[operation].needs_token:
        # Without a token the emulator tells the status of trial tasks only, and this id is no trial task's any more.
        assert session.status(id)["taskStatus"] == "NotExist"
    assert session.fetch(operation, id)["taskStatus"] == "NotExist"
    assert aspose_ocr_emulator.control.billing() == {operation: 1}


def test_every_region_is_a_result_of_its_own(
    session: Session, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    id = session.submit("RecognizeRegions", document("RecognizeRegions"))
    wait_until_done(aspose_ocr_emulator, session, id)
    results = session.fetch("RecognizeRegions", id)["results"]
    texts = [base64.b64decode(result["data"]).decode() for result in results]
    assert [text.splitlines()[-1] for text in texts] == ["Region 1.", "Region 2."]


def test_detected_regions_are_corners(
    session: Session, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    id = session.submit("DetectRegions", document("DetectRegions"))
    wait_until_done(aspose_ocr_emulator, session, id)
    (result,) = session.fetch("DetectRegions", id)["results"]
    corners = json.loads(base64.b64decode(result["data"]))
    assert corners
    assert all(len(corner) == 4 for corner in corners)


def test_the_bill_counts_every_accepted_submit(
    session: Session, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    page = document("RecognizeImage")
    ids = [session.submit("RecognizeImage", page) for _ in range(3)]
    session.submit("BinarizeImage", page)
    session.cancel("RecognizeImage", ids[0])
    aspose_ocr_emulator.control.add_faults({"kind": "status", "status": 503, "method": "POST"})
    with pytest.raises(SdkError, match="ServiceException"):
        session.submit("RecognizeImage", page)
    assert len(set(ids)) == 3
    assert aspose_ocr_emulator.control.billing() == {"RecognizeImage": 3, "BinarizeImage": 1}


def test_an_unknown_id_is_a_status_not_an_error(session: Session) -> None:
    state = session.fetch("RecognizeImage", "00000000-0000-0000-0000-000000000000")
    assert state["taskStatus"] == "NotExist"


@pytest.mark.parametrize("token", ["no-token-of-this-cloud", None])
def test_a_bad_or_missing_token_is_the_sdks_unauthorized_exception(
    sdk: Sdk, aspose_ocr_emulator: Emulator, document: Callable[[str], Path], token: str | None
) -> None:
    stranger = Session(sdk, aspose_ocr_emulator.url, token)
    calls: list[Callable[[], Any]] = [
        lambda: stranger.submit("RecognizeImage", document("RecognizeImage")),
        lambda: stranger.fetch("RecognizeImage", "any-id"),
        lambda: stranger.status("any-id"),
        lambda: stranger.cancel("RecognizeImage", "any-id"),
    ]
    for call in calls:
        with pytest.raises(SdkError) as raised:
            call()
        assert (raised.value.type, raised.value.status) == ("UnauthorizedException", 401)
    assert aspose_ocr_emulator.control.billing() == {}


def test_an_expired_token_is_refused(
    session: Session, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    session.submit("RecognizeImage", document("RecognizeImage"))
    # Defect of both releases: they have no way to renew a token, so work of more than an hour ends so.
    aspose_ocr_emulator.control.advance_clock(3601)
    with pytest.raises(SdkError, match="UnauthorizedException"):
        session.submit("RecognizeImage", document("RecognizeImage"))


def test_a_rate_limit_has_no_class_of_its_own(
    session: Session, aspose_ocr_emulator: Emulator, document: Callable[[str], Path]
) -> None:
    aspose_ocr_emulator.control.add_faults({"kind": "status", "status": 429, "method": "POST"})
    with pytest.raises(SdkError) as raised:
        session.submit("RecognizeImage", document("RecognizeImage"))
    assert (raised.value.type, raised.value.status) == ("ApiException", 429)
