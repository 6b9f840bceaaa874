"""
``make test-live`` against the emulator: what it sends, what it shows, and what it writes.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.live.checks import CHECKS, CONN_ID, MOST_SUBMITS, SCAN, CheckFailedError, Live
from tests.live.report import Circumstances, Row, Secrets, render
from tests.live.run import BASE_URL, CLIENT_ID, CLIENT_SECRET, DOCUMENT, MARKERS
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator

CHECKOUT = Path(__file__).resolve().parents[2]
SECRET = "the-secret-of-the-live-account"
BEFORE = f"Text before.\n<!-- {MARKERS} -->\nOld.\n<!-- /{MARKERS} -->\nText after.\n"


@pytest.fixture(scope="module")
def service() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(
        "--engine", "canned", "--client-id", "live-account", "--client-secret", SECRET
    ) as emulator:
        yield emulator


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "compatibility.md"
    path.write_text(BEFORE)
    return path


class Program:
    """The program as a process, on a service that has just started."""

    def __init__(self, service: EmulatorProcess, table: Path) -> None:
        service.control.reset()
        self.cloud = service.control
        self._command = [sys.executable, "-m", "tests.live.run", "--table", str(table)]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
            BASE_URL: service.url,
        }

    def start(self, **credentials: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            env={**self._environment, **credentials},
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, **credentials: str) -> tuple[int, str]:
        process = self.start(**credentials)
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode, said

    def token_requests(self) -> list[int]:
        """The status of each answer of the token endpoint."""
        return [entry["status"] for entry in self.cloud.journal() if entry["path"] == "/connect/token"]


@pytest.fixture
def program(service: EmulatorProcess, table: Path) -> Program:
    return Program(service, table)


CREDENTIALS = {CLIENT_ID: "live-account", CLIENT_SECRET: SECRET}


def test_all_is_tried_and_written_down(program: Program, table: Path) -> None:
    code, said = program.run(**CREDENTIALS)

    assert code == 0, said
    written = table.read_text()
    assert written.startswith("Text before.\n")
    assert written.endswith("Text after.\n")
    assert "Old." not in written
    assert dt.datetime.now(dt.UTC).date().isoformat()[:8] in written
    assert [line.count("| as documented |") for line in written.splitlines() if line.startswith("| ")] == [
        0,
        *[1] * len(CHECKS),
    ]
    billed = program.cloud.billing()
    assert billed == {
        "UpscaleImage": 1,
        "BinarizeImage": 1,
        "RecognizeImage": 2,
        "DetectRegions": 1,
        "RecognizeRegions": 1,
    }
    assert sum(billed.values()) == sum(check.billed for check in CHECKS) <= MOST_SUBMITS
    assert f"Billed requests sent: {sum(billed.values())}." in written
    # It is said before the first request.
    assert said.index(f"{sum(billed.values())} billed requests are planned") < said.index("Token: A token")
    # At the start, in place of the spoilt one, and for the wrong secret.
    assert program.token_requests() == [200, 200, 400]
    assert [entry["status"] for entry in program.cloud.journal()].count(401) == 1
    assert "DELETE" in [entry["method"] for entry in program.cloud.journal()]
    assert SECRET not in said + written


def test_without_credentials_nothing_is_sent(program: Program, table: Path) -> None:
    code, said = program.run()
    assert code == 0
    assert "6 billed requests are planned, 10 at most" in said
    assert "Nothing was sent: there are no credentials." in said
    assert program.cloud.journal() == []
    assert table.read_text() == BEFORE


def test_half_of_the_credentials_is_a_mistake(program: Program, table: Path) -> None:
    code, said = program.run(**{CLIENT_SECRET: SECRET})
    assert code == 2
    assert f"set both {CLIENT_ID} and {CLIENT_SECRET}" in said
    assert program.cloud.journal() == []
    assert SECRET not in said


def test_a_failure_is_in_the_table_and_in_the_exit_code(program: Program, table: Path) -> None:
    program.cloud.add_faults(
        {"kind": "status", "status": 400, "path": "BinarizeImage", "body": "a | b <!-- /live service -->"}
    )
    code, said = program.run(**CREDENTIALS)

    assert code == 1
    written = table.read_text()
    assert written.endswith("Text after.\n")
    (failed,) = [line for line in written.splitlines() if "**failed**" in line]
    assert failed.startswith("| The chain")
    assert "a \\| b &lt;!-- /live service -->" in failed
    # Checks that need the chain are left out; the others run.
    assert written.count("| **not run** |") == 2
    assert written.count("| as documented |") == len(CHECKS) - 3
    assert "Failed: 1; not run: 2." in written
    assert SECRET not in said + written


def test_wrong_credentials_are_offered_once_and_bill_nothing(program: Program, table: Path) -> None:
    code, said = program.run(**{**CREDENTIALS, CLIENT_SECRET: "mistyped-secret"})
    assert code == 1
    assert program.token_requests() == [400]
    assert program.cloud.billing() == {}
    written = table.read_text()
    assert written.count("| **not run** |") == len(CHECKS) - 1
    assert "mistyped-secret" not in said + written


def test_an_interrupted_run_writes_what_it_has_seen(program: Program, table: Path) -> None:
    program.cloud.add_faults({"kind": "hold", "method": "POST", "path": "DetectRegions"})
    process = program.start(**CREDENTIALS)
    program.cloud.wait_for_request("POST", "DetectRegions", held=True, timeout_seconds=PATIENCE_SECONDS)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 130, said
    written = table.read_text()
    assert written.count("| as documented |") == 4
    assert written.count("| **not run** | Interrupted. |") == len(CHECKS) - 4


def test_no_more_than_the_promised_requests_are_sent(
    aspose_ocr_emulator: Emulator, connection: Callable[..., str]
) -> None:
    emulator = aspose_ocr_emulator
    connection(CONN_ID, host=emulator.url, login=emulator.client_id, password=emulator.client_secret)
    live = Live(submits=MOST_SUBMITS - 1)
    live.submit("RecognizeImage", str(SCAN))
    with pytest.raises(
        CheckFailedError, match=r"10 billed requests have been sent, RecognizeImage was not\."
    ):
        live.submit("RecognizeImage", str(SCAN))
    assert emulator.control.billing() == {"RecognizeImage": 1}


def test_secrets_are_hidden_the_longest_first() -> None:
    hidden = Secrets()
    hidden.add("abc", None, "", "abcdef")
    assert hidden.hide("abcdef abc") == "*** ***"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "Failed: 0; not run: 0."),
        ([Row("a", "failed", "b\nc"), Row("d", "not run", "")], "| a | **failed** | b c |"),
    ],
)
def test_the_table_says_when_where_and_how_much(rows: list[Any], words: str) -> None:
    text = render(Circumstances(dt.date(2026, 11, 29), "https://cloud.example", "version 1", 7), rows)
    assert words in text
    assert "on 2026-11-29 against https://cloud.example, version 1. Billed requests sent: 7." in text


def test_the_docs_have_a_place_for_the_table() -> None:
    document = DOCUMENT.read_text()
    assert document.index(f"<!-- {MARKERS} -->\n") < document.index(f"\n<!-- /{MARKERS} -->")
