from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.auth.credentials import (
    LOCKED_SECONDS,
    REJECTED_SECONDS,
    CredentialMemory,
    default_folder,
    describe_refusal,
    recall_refusal,
)
from airflow_provider_asposeocr.api.errors import (
    AccessDeniedError,
    AsposeOcrError,
    CloudUnavailableError,
    CloudUnreachableError,
    CredentialsLockedError,
    CredentialsRejectedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator

NOW = 1_800_000_000.0
REJECTED = CredentialsRejectedError("The cloud answered 400.")
LOCKED = CredentialsLockedError("The cloud answered 429.", retry_after_seconds=90)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "memory"


class TestMemory:
    @pytest.mark.parametrize(
        ("error", "seconds"),
        [(REJECTED, REJECTED_SECONDS), (LOCKED, 90), (CredentialsLockedError("429"), LOCKED_SECONDS)],
    )
    def test_a_refused_pair_is_remembered_for_a_while(
        self, folder: Path, error: AsposeOcrError, seconds: float
    ) -> None:
        CredentialMemory(folder).remember("pair", error, NOW)
        other_process = CredentialMemory(folder)
        for later in (0, 1, seconds - 0.1):
            recalled = other_process.recall("pair", NOW + later)
            assert type(recalled) is type(error)
            assert recalled.billed == "no"
        assert other_process.recall("pair", NOW + seconds) is None

    def test_a_lock_out_tells_the_seconds_that_are_left_and_until_when(self, folder: Path) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", LOCKED, NOW)
        recalled = memory.recall("pair", NOW + 30)
        assert recalled is not None
        assert recalled.retry_after_seconds == 60
        assert "until 08:01:30 UTC" in recalled.message

    def test_a_rejection_tells_since_and_until_when(self, folder: Path) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", REJECTED, NOW)
        recalled = memory.recall("pair", NOW + 30)
        assert recalled is not None
        assert "at 08:00:00 UTC" in recalled.message
        assert "08:01:00 UTC" in recalled.message

    def test_another_pair_is_not_affected(self, folder: Path) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", REJECTED, NOW)
        assert memory.recall("other", NOW) is None

    @pytest.mark.parametrize(
        "error", [CloudUnavailableError("503"), CloudUnreachableError("down"), AccessDeniedError("401")]
    )
    def test_a_failure_that_says_nothing_about_the_pair_is_not_remembered(
        self, folder: Path, error: AsposeOcrError
    ) -> None:
        CredentialMemory(folder).remember("pair", error, NOW)
        assert CredentialMemory(folder).recall("pair", NOW) is None
        assert describe_refusal(error, NOW) is None

    def test_a_lock_out_is_believed_for_an_hour_at_most(self, folder: Path) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", CredentialsLockedError("429", retry_after_seconds=1e9), 1000.0)
        assert memory.recall("pair", 1000.0 + 3599) is not None
        assert memory.recall("pair", 1000.0 + 3601) is None

    def test_a_clock_that_was_set_back_frees_the_pair(self, folder: Path) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", REJECTED, NOW)
        assert memory.recall("pair", NOW - 1) is None

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"\xff\xfe",
            b"[" * 100_000,
            b"[]",
            b"null",
            b"{}",
            b'{"verdict": "rejected"}',
            b'{"verdict": "rejected", "at": "x", "until": "y"}',
            b'{"verdict": "rejected", "at": 0, "until": 1e999}',
            b'{"verdict": "locked", "at": 0, "until": 1e999}',
            b'{"verdict": "locked", "at": 0, "until": 1e300}',
            b'{"verdict": "rejected", "at": -1e999, "until": 1e11}',
            b'{"verdict": "locked", "at": NaN, "until": NaN}',
            b'{"verdict": "locked", "at": 0, "until": ' + b"9" * 400 + b"}",
        ],
    )
    def test_a_corrupt_record_is_ignored(self, folder: Path, content: bytes) -> None:
        folder.mkdir()
        (folder / "pair.json").write_bytes(content)
        assert CredentialMemory(folder).recall("pair", NOW) is None

    def test_a_record_of_a_newer_version_still_holds_back(self) -> None:
        record = {"verdict": "banned", "at": NOW, "until": NOW + 5, "more": 1}
        assert isinstance(recall_refusal(record, NOW), CredentialsLockedError)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_a_folder_of_another_user_is_neither_read_nor_written(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        memory = CredentialMemory(folder)
        memory.remember("pair", REJECTED, NOW)
        os.chown(folder, 12345, 12345)
        assert memory.recall("pair", NOW) is None
        memory.remember("other", REJECTED, NOW)
        assert not (folder / "other.json").exists()
        assert "belongs to another user" in caplog.text

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link away")
    def test_a_link_of_another_user_is_not_followed(self, folder: Path, tmp_path: Path) -> None:
        ours = tmp_path / "ours"
        ours.mkdir()
        folder.symlink_to(ours)
        os.chown(folder, 12345, 12345, follow_symlinks=False)
        CredentialMemory(folder).remember("pair", REJECTED, NOW)
        assert list(ours.iterdir()) == []

    def test_a_folder_that_cannot_be_made_costs_the_memory_only(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tmp_path / "file").touch()
        memory = CredentialMemory(tmp_path / "file" / "memory")
        memory.remember("pair", REJECTED, NOW)
        assert "Cannot remember" in caplog.text
        assert memory.recall("pair", NOW) is None

    def test_no_other_user_can_read_it_and_it_holds_no_secret(self, own_temporary_folder: Path) -> None:
        account = Account("the-id", "the-secret", "http://127.0.0.1:1")
        memory = CredentialMemory()
        memory.remember(account.fingerprint, REJECTED, NOW)
        assert default_folder().is_relative_to(own_temporary_folder)
        assert default_folder().stat().st_mode & 0o777 == 0o700
        (record,) = default_folder().iterdir()
        assert record.name == f"{account.fingerprint}.json"
        assert "the-" not in record.name + record.read_text()
        assert set(json.loads(record.read_text())) == {"verdict", "at", "until"}


class TestFingerprint:
    BASE = Account("id", "secret", "https://a.example")

    @pytest.mark.parametrize(
        "other",
        [
            Account("id2", "secret", "https://a.example"),
            Account("id", "secret2", "https://a.example"),
            Account("ids", "ecret", "https://a.example"),
            Account("id", "secret", "https://b.example"),
            Account("id", "secret", "https://a.example", token_url="https://t.example"),
        ],
    )
    def test_it_tells_pairs_and_issuers_apart(self, other: Account) -> None:
        assert other.fingerprint != self.BASE.fingerprint

    def test_it_is_the_same_in_every_process_and_shows_nothing(self) -> None:
        again = Account(
            "id", "secret", "https://a.example", request_timeout_seconds=1, proxy="http://p.example"
        )
        assert again.fingerprint == self.BASE.fingerprint
        assert len(self.BASE.fingerprint) == 64


#: What Airflow tasks do: processes that know nothing of each other. They are forked off a process without threads.
_HOST = """
import json, multiprocessing, sys
from airflow_provider_asposeocr.api.account import Account
from airflow_provider_asposeocr.api.client import CloudClient
from airflow_provider_asposeocr.api.errors import AsposeOcrError

def ask(url, secret, start, answers):
    client = CloudClient(Account("emulator", secret, url))
    start.wait()
    try:
        client.obtain_token()
        answers.put("token")
    except AsposeOcrError as error:
        answers.put(type(error).__name__)

url, secret, count = sys.argv[1:]
context = multiprocessing.get_context("fork")
start, answers = context.Event(), context.Queue()
processes = [context.Process(target=ask, args=(url, secret, start, answers)) for _ in range(int(count))]
for process in processes:
    process.start()
start.set()
print(json.dumps([answers.get(timeout=60) for _ in processes]))
for process in processes:
    process.join()
"""


def _ask_in_processes(emulator: Emulator, secret: str, count: int) -> list[str]:
    command = [sys.executable, "-c", _HOST, emulator.url, secret, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    answers: list[str] = json.loads(done.stdout)
    return answers


def _token_requests(emulator: Emulator) -> int:
    return sum(entry["path"] == "/connect/token" for entry in emulator.control.journal())


class TestHost:
    @pytest.mark.process
    def test_a_corrected_secret_works_at_once_although_twenty_processes_had_the_pair_locked(
        self, aspose_ocr_emulator: Emulator
    ) -> None:
        refused = {"CredentialsRejectedError", "CredentialsLockedError"}
        assert set(_ask_in_processes(aspose_ocr_emulator, "wrong", 20)) <= refused
        assert _ask_in_processes(aspose_ocr_emulator, "emulator", 1) == ["token"]

    @pytest.mark.process
    def test_a_later_process_does_not_ask_again(self, aspose_ocr_emulator: Emulator) -> None:
        for _ in range(2):
            assert _ask_in_processes(aspose_ocr_emulator, "wrong", 1) == ["CredentialsRejectedError"]
        assert _token_requests(aspose_ocr_emulator) == 1


class TestBothClients:
    def test_a_rejection_is_remembered_between_clients(
        self, new_driver: Callable[..., Any], account: Account, aspose_ocr_emulator: Emulator
    ) -> None:
        wrong = Account("emulator", "wrong", account.base_url)
        for _ in range(3):
            with pytest.raises(CredentialsRejectedError):
                new_driver(wrong).status("RecognizeImage", "x")
        assert _token_requests(aspose_ocr_emulator) == 1

    def test_a_lock_out_is_remembered_until_it_ends(
        self, new_driver: Callable[..., Any], account: Account, aspose_ocr_emulator: Emulator
    ) -> None:
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "path": "/connect/token", "status": 429, "headers": {"Retry-After": "600"}}
        )
        with pytest.raises(CredentialsLockedError) as first:
            new_driver(account).status("RecognizeImage", "x")
        assert first.value.retry_after_seconds == 600
        with pytest.raises(
            CredentialsLockedError, match="locked the client id and secret out until"
        ) as second:
            new_driver(account).status("RecognizeImage", "x")
        assert 590 < (second.value.retry_after_seconds or 0) <= 600
        assert _token_requests(aspose_ocr_emulator) == 1

    def test_an_outage_of_the_token_endpoint_is_not_remembered(
        self, new_driver: Callable[..., Any], account: Account, aspose_ocr_emulator: Emulator
    ) -> None:
        aspose_ocr_emulator.control.add_faults(
            {"kind": "status", "path": "/connect/token", "status": 503, "count": 4}
        )
        driver = new_driver(account)
        with pytest.raises(CloudUnavailableError):
            driver.status("RecognizeImage", "x")
        assert driver.status("RecognizeImage", "x").taskStatus == "NotExist"
