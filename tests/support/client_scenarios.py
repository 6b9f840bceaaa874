"""
Calls of a client while the emulator fails, and their expected results, which are the same for both clients.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, CloudUnreachableError, SubmitUnknownError
from tests.support.client_drivers import DRIVERS, Desk, Driver

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.server import Emulator

STATUS = "GET Utilities/GetTaskStatus"
TOKEN = "POST /connect/token"


@dataclass
class Scenario:
    """A call of the client, and its expected result."""

    outcome: str
    requests: list[str]
    faults: list[dict[str, Any]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    act: Callable[[Driver, str], Any] = lambda driver, id: driver.status("RecognizeImage", id).taskStatus
    account: dict[str, Any] = field(default_factory=dict)


def outcome_of(act: Callable[[], Any]) -> tuple[str, str]:
    """The result of a call: in short for the table, and in full to compare the two clients."""
    try:
        result = str(act())
    except AsposeOcrError as error:
        after = f" retry after {error.retry_after_seconds:.0f}" if error.retry_after_seconds else ""
        # Without an answer, the message names the exception of the library.
        no_answer = isinstance(error, CloudUnreachableError | SubmitUnknownError) and not error.http_status
        said = "" if no_answer else error.message
        return f"{type(error).__name__} {error.http_status} {error.billed}{after}", said
    return result, ""


def requests_of(emulator: Emulator, since: int) -> list[str]:
    return [
        f"{entry['method']} {entry['path'].removeprefix('/v5.0/ocr/')} {entry['status']}"
        for entry in emulator.control.journal(since)
    ]


def run(cls: type[Driver], scenario: Scenario, desk: Desk) -> tuple[tuple[str, str], list[str], list[float]]:
    desk.emulator.control.reset()
    desk.client.obtain_token()
    id = desk.submit().id
    since = len(desk.emulator.control.journal())
    desk.emulator.control.add_faults(*scenario.faults)
    memory = desk.document.parent / cls.name
    driver = cls(replace(desk.account, **scenario.account), memory)
    driver.document = desk.document
    try:
        outcome = outcome_of(lambda: scenario.act(driver, id).replace(id, "ID"))
    finally:
        driver.close()
    return outcome, requests_of(desk.emulator, since), driver.waits


def both_do(scenario: Scenario, desk: Desk) -> None:
    """Assert that both clients do what the scenario says: same outcome, same requests, same waits."""
    one, other = (run(cls, scenario, desk) for cls in DRIVERS)
    assert one == other
    assert (one[0][0], one[1], one[2]) == (scenario.outcome, scenario.requests, scenario.waits)
