"""
What is tried on the live service, through the provider's own hook and client.

Invariant: at most :data:`MOST_SUBMITS` billed requests are sent, also if the service answers unexpectedly, and a wrong
secret is sent once: the vendor locks a pair of id and secret after five failures.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.auth.tokens import Token
from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import AsposeOcrError, CredentialsRejectedError
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from demo.error_rate import character_error_rate

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_SUBMITS = 10
#: A page takes seconds; a queue in front of it may take minutes.
WAIT_SECONDS = 300.0
#: How long a cancelled task may go on to read as Pending or Processing.
CANCEL_SECONDS = 30.0
SCANS = Path(__file__).resolve().parents[2] / "demo" / "scans"
SCAN = SCANS / "05-150dpi-specks.png"
UNKNOWN_TASK = "00000000-0000-0000-0000-000000000000"

CONN_ID = "aspose_ocr_live"
WRONG_CONN_ID = "aspose_ocr_live_wrong_secret"


class CheckFailedError(Exception):
    """The service answered something else than its documents say."""


@dataclass
class Live:
    """
    What the checks share.

    :param submits: Billed requests sent so far.
    :param completed: Reference of a completed task, once there is one.
    """

    submits: int = 0
    completed: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hook = AsposeOcrHook(CONN_ID)

    def submit(self, operation: str, source: Any, settings: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a document, which is billed."""
        if self.submits >= MOST_SUBMITS:
            raise CheckFailedError(f"{MOST_SUBMITS} billed requests have been sent, {operation} was not.")
        self.submits += 1  # Before it is sent: one without an answer may have been billed.
        return self.hook.submit(operation, source, settings=settings)

    def process(
        self, operation: str, source: Any, settings: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], float]:
        """Send a document and wait; returns the task's reference and the seconds that it took."""
        started = time.monotonic()
        task = self.submit(operation, source, settings)
        self.hook.wait(task, timeout_seconds=WAIT_SECONDS)
        return task, time.monotonic() - started

    def token(self) -> str:
        """Return the token in use."""
        token = self.hook.client._tokens.usable(0)  # A test may look inside.
        return token.value if token else ""


def issue_token(live: Live) -> str:
    """Ask for a token."""
    live.hook.client.obtain_token()
    token = live.hook.client._tokens.usable(0)
    assert token is not None
    return f"A token; it is renewed after {token.renew_at - time.time():.0f} s."


def ask_for_unknown_task(live: Live) -> str:
    """Ask for the status of a task that does not exist."""
    state = live.hook.client.status("RecognizeImage", UNKNOWN_TASK)
    if state.status is not TaskStatus.NOT_EXIST:
        raise CheckFailedError(f"The status of an unknown task is {state.taskStatus}.")
    return f"{state.taskStatus}, {state.responseStatusCode}."


def run_chain(live: Live) -> str:
    """Upscale, binarize and recognize a page, each from the result of the step before."""
    upscaled, first = live.process("UpscaleImage", str(SCAN))
    binarized, second = live.process("BinarizeImage", upscaled)
    settings = {"language": "English", "resultType": "TextAndPdf"}
    recognized, third = live.process("RecognizeImage", binarized, settings)
    live.completed = recognized
    results = {result.type: result for result in live.hook.fetch(recognized)}
    if set(results) != {"Text", "Pdf"}:
        raise CheckFailedError(f"Asked for TextAndPdf; the results are {sorted(map(str, results))}.")
    if not results["Pdf"].data.startswith(b"%PDF-"):
        raise CheckFailedError("The result called Pdf is no PDF.")
    truth = (SCANS / "truth.txt").read_text(encoding="utf-8")
    wrong = character_error_rate(truth, results["Text"].text)
    return (
        f"{first:.1f}, {second:.1f} and {third:.1f} s; Text and Pdf; {wrong:.1%} of the characters misread."
    )


def read_status(live: Live) -> str:
    """Ask for the status of a completed task, without its results."""
    state = live.hook.status(live.completed)
    if state.status is not TaskStatus.COMPLETED:
        raise CheckFailedError(f"The status of a completed task is {state.taskStatus}.")
    carried = "with results" if state.results else "without results"
    return f"{state.taskStatus}, {state.responseStatusCode}, {carried}."


def read_regions(live: Live) -> str:
    """Detect the regions of a page and recognize each."""
    detected, first = live.process("DetectRegions", str(SCAN))
    regions = json.loads(live.hook.fetch(detected)[0].text)
    if not isinstance(regions, list) or not regions:
        raise CheckFailedError("DetectRegions found no region on a page of text.")
    recognized, second = live.process(
        "RecognizeRegions", str(SCAN), {"language": "English", "regions": regions}
    )
    results = live.hook.fetch(recognized)
    return f"{first:.1f} and {second:.1f} s; {len(regions)} regions, {len(results)} results."


def cancel(live: Live) -> str:
    """Submit a page and remove its task at once."""
    task = live.submit("RecognizeImage", str(SCAN), {"language": "English"})
    live.hook.cancel(task)
    deadline = time.monotonic() + CANCEL_SECONDS
    while True:
        state = live.hook.status(task)
        if state.status not in (TaskStatus.PENDING, TaskStatus.PROCESSING):
            return f"DELETE was accepted; then the status was {state.taskStatus}, {state.responseStatusCode}."
        if time.monotonic() > deadline:
            raise CheckFailedError(f"{CANCEL_SECONDS:.0f} s after the DELETE the task is {state.taskStatus}.")
        time.sleep(1)


def use_expired_token(live: Live) -> str:
    """Send a token that the service does not accept, as it would not accept one that has expired meanwhile."""
    client = live.hook.client
    spoilt = live.token()[:-8] + "AAAAAAAA"
    client._tokens.store(Token(spoilt, time.time() + 3600))
    live.hook.status(live.completed)
    if live.token() == spoilt:
        raise CheckFailedError("The service accepted a token whose signature had been changed.")
    return "Refused; with a new token the same request was answered."


def offer_wrong_secret(live: Live) -> str:
    """Ask for a token with a wrong secret, once."""
    try:
        AsposeOcrHook(WRONG_CONN_ID).client.obtain_token()
    except CredentialsRejectedError as error:
        return f"Refused with {error.http_status}."
    except AsposeOcrError as error:
        raise CheckFailedError(f"Not told as wrong credentials: {error.message}") from None
    raise CheckFailedError("The service issued a token for a wrong secret.")


@dataclass(frozen=True)
class Check:
    """
    One thing to try.

    :param run: Tries it and says what was seen; raises where that is not what the documents say.
    :param what: For the table.
    :param billed: Billed requests that it sends.
    :param needs: A check without whose success this one makes no sense.
    """

    run: Callable[[Live], str]
    what: str
    billed: int = 0
    needs: Callable[[Live], str] | None = None


CHECKS = (
    Check(issue_token, "Token"),
    Check(ask_for_unknown_task, "Status of a task that does not exist", needs=issue_token),
    Check(
        run_chain,
        "The chain: UpscaleImage, BinarizeImage, RecognizeImage, fetch",
        billed=3,
        needs=issue_token,
    ),
    Check(read_status, "Status of a completed task", needs=run_chain),
    Check(read_regions, "Regions: DetectRegions, RecognizeRegions, fetch", billed=2, needs=issue_token),
    Check(cancel, "Cancel: RecognizeImage, DELETE, status", billed=1, needs=issue_token),
    Check(
        use_expired_token,
        "A token that is no longer valid is renewed (its signature spoilt)",
        needs=run_chain,
    ),
    Check(offer_wrong_secret, "A wrong secret, once", needs=issue_token),
)
