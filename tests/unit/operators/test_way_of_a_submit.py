"""A submit reads from top to bottom: how many frames of ours lie between `execute` and the POST, and what they decide."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import airflow_provider_asposeocr as package
from airflow_provider_asposeocr.api.http.requests_transport import RequestsTransport
from airflow_provider_asposeocr.operators import AsposeOcrRecognizeRegionsOperator
from tests.support.airflow_tasks import execute
from tests.support.ocr_tasks import recognize

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.http.messages import Request
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

#: Frames that only hand on. More of them would hide the way.
MOST_THAT_DECIDE_NOTHING = 3
#: What the others decide.
DECIDES = {
    "AsposeOcrSubmitOperator._submit_and_wait": "whether to submit again, or to wait for an upstream cloud task first",
    "AsposeOcrSubmitOperator._submit_or_reattach": "whether the cloud task of an earlier try is taken up",
    "TaskSubmit.send": "whether a document is sent again if its first submit may have been accepted",
    "CloudClient.submit": "whether an answer means that the document was accepted",
    "CloudClient._call": "whether a request is repeated, and with which token",
}
PACKAGE = str(Path(package.__file__).parent)


def our_frames() -> list[str]:
    """Frames of the package from `execute` to the caller, outermost first."""
    frames, frame = [], sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            frames.append(frame.f_code.co_qualname)
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return frames[::-1]


@pytest.mark.parametrize(
    ("cls", "given"),
    [({}, {}), ({"cls": AsposeOcrRecognizeRegionsOperator}, {"regions": [[0, 0, 10, 10]]})],
    ids=["image", "regions"],
)
def test_from_execute_to_the_post(
    cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch, cls: Any, given: Any
) -> None:
    ways: list[list[str]] = []
    exchange = RequestsTransport.exchange

    def noted(transport: RequestsTransport, request: Request, *rest: Any) -> Any:
        if request.method == "POST" and "connect/token" not in request.url:
            ways.append(our_frames())
        return exchange(transport, request, *rest)

    monkeypatch.setattr(RequestsTransport, "exchange", noted)
    execute(recognize(page, wait_for_completion=False, **cls, **given))
    (way,) = ways
    assert way[0] == "AsposeOcrSubmitOperator.execute"
    assert set(DECIDES) <= set(way), "a frame that decides is gone or has another name"
    undecided = [frame for frame in way if frame not in DECIDES]
    assert len(undecided) <= MOST_THAT_DECIDE_NOTHING, undecided
