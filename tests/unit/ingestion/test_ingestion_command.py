"""The questions that a person asks a register, from a command line."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.ingestion import __main__ as command
from airflow_provider_asposeocr.ingestion.__main__ import main
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles
from tests.support.object_stores import attached
from tests.support.registered_runs import Folder, is_claim

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def asked(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """Run a command, and return what it says."""
    capsys.readouterr()
    assert main(words) == status
    said = capsys.readouterr()
    return said.out if status == 0 else said.err


def left_by_a_dead_batch(folder: Folder, monkeypatch: pytest.MonkeyPatch, name: str = "status") -> None:
    folder.drop("left.png", 9)
    run = folder.run("dead", sources=[f"{folder.inbox}/left.png"])
    run.die_at(monkeypatch, AsyncCloudClient, name)


def test_status_counts_and_says_why(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder.drop("a.png", 1)
    folder.run("one").go()
    cloud.add_faults({"kind": "task_error"})
    folder.drop("b.png", 2)
    folder.run("two", max_failures=1, retry_failed=False).go()
    left_by_a_dead_batch(folder, monkeypatch)
    said = asked(capsys, "status", folder.register)
    lines = {line[:20].strip(): line[20:].strip() for line in said.splitlines()[:5]}
    assert lines == {"documents": "3", "done": "1", "failed": "1", "claimed": "1", "to be read again": "0"}
    assert "TaskFailedError" in said
    assert "left.png by the_dag/dead/read[-1]" in said
    assert "running: RecognizeImage" in said


def test_explain_tells_the_story_of_a_document(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_by_a_dead_batch(folder, monkeypatch, "submit")
    document = folder.inbox / "left.png"
    assert "unknown: sent for step 0" in asked(capsys, "explain", folder.register, str(document))
    folder.run("next").go()
    story = asked(capsys, "explain", folder.register, str(document)).splitlines()
    assert [line.split()[:2] for line in story[1:]] == [["1.", "claim"], ["2.", "claim"], ["2.", "done"]]
    assert "taken over from" in story[2]
    assert "left.png.txt" in story[3]
    by_checksum = asked(
        capsys, "explain", folder.register.rstrip("/"), hashlib.sha256(document.read_bytes()).hexdigest()
    )
    assert by_checksum.splitlines() == story
    assert asked(capsys, "explain", folder.register, story[0].rstrip(":")).splitlines() == story


def test_explain_of_what_was_never_read(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    document = folder.drop("a.png", 1)
    assert "knows nothing" in asked(capsys, "explain", folder.register, str(document))
    assert "The register of an inbox is the folder\n.aspose-ocr/ below" in asked(
        capsys, "status", f"{folder.out}/"
    )
    said = asked(capsys, "explain", folder.register, f"{folder.inbox}/gone.png", status=2)
    assert "There is no file" in said


def test_a_storage_that_does_not_answer_is_said_in_a_sentence(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    attached("s3", "command_fails", fails="open")
    said = asked(capsys, "explain", folder.register, "s3://command_fails@bucket/a.png", status=2)
    assert "s3://command_fails@bucket/a.png cannot be read: StoreError: the store is on fire" in said


def test_forget_that_ends_halfway_says_what_to_do(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = folder.drop("a.png", 1)
    folder.run("one").go()

    def refuses(*_: object) -> None:
        raise OSError("Disk quota exceeded")

    words = ("forget", folder.register, str(document))
    with monkeypatch.context() as patch:
        patch.setattr(SeenFiles, "forget", refuses)
        said = asked(capsys, *words, status=1)
    assert "Run the same command again" in said
    assert "Disk quota exceeded" in said
    assert "forgotten before" in asked(capsys, *words)


def test_forget_has_a_document_read_again(
    folder: Folder, cloud: EmulatorControl, capsys: pytest.CaptureFixture[str]
) -> None:
    document = folder.drop("a.png", 1)
    folder.run("one").go()
    assert "is billed again" in asked(
        capsys, "forget", folder.register, str(document), "--why", "a better scan"
    )
    assert folder.run("two").go() == {"succeeded": 1, "submits": 1}
    assert folder.words() == ["1.claim", "1.done", "1.voided", "2.claim", "2.done"]
    assert "a better scan" in asked(capsys, "explain", folder.register, str(document))
    assert folder.run("three").go() == {"duplicate": 1}


def test_forget_leaves_what_a_batch_has(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_by_a_dead_batch(folder, monkeypatch)
    words = ("forget", folder.register, f"{folder.inbox}/left.png")
    assert "A batch has" in asked(capsys, *words, status=1)
    assert folder.words() == ["1.claim"]
    asked(capsys, *words, "--force")
    assert folder.words() == ["1.claim", "1.voided"]


def test_forget_of_what_is_not_known(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert "knows nothing" in asked(capsys, "forget", folder.register, "0" * 64, status=1)


def test_sweep_keeps_a_journal_while_the_cloud_may_have_a_result_of_it(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_by_a_dead_batch(folder, monkeypatch)
    now = time.time()
    for days, deleted in ((1, 0), (3, 1)):
        monkeypatch.setattr(time, "time", lambda after=days * 86_400: now + after)
        assert f"of {deleted} batches" in asked(capsys, "sweep", folder.register)
        assert bool(folder.journals()) == (not deleted)
    # The document has failed in doubt.
    assert folder.words() == ["1.claim", "1.failed"]


def test_sweep_keeps_the_journal_of_an_old_batch_that_still_writes(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left_by_a_dead_batch(folder, monkeypatch)
    parts = folder.journals()
    monkeypatch.setattr(command, "_is_over", lambda header: True)  # It began long ago.
    assert "of 0 batches" in asked(capsys, "sweep", folder.register)
    assert folder.words() == ["1.claim"]
    assert folder.journals() == parts


def test_sweep_leaves_the_claim_of_an_old_batch_that_is_about_to_send_a_document(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder.drop("a.png", 1)
    folder.run("one").die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
    monkeypatch.setattr(command, "_is_over", lambda header: True)  # It began long ago.
    assert "of 0 batches" in asked(capsys, "sweep", folder.register)
    assert folder.words() == ["1.claim"]


@pytest.mark.parametrize("register", ["relative/", "s3://no_such_connection@bucket/register/"])
def test_a_register_that_cannot_be_meant(register: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, "status", register, status=2)
