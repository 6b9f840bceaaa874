"""
Rules of the register that a death, a rename or a silent storage at the wrong moment would break, against the emulator.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.io import attach
from airflow.sdk.io.store import _STORE_CACHE

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.batch import adoption, closing
from airflow_provider_asposeocr.batch.adoption import UNSURE, LeftJournals
from airflow_provider_asposeocr.batch.errors import JournalUnreachableError
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.left import take_over_batch
from airflow_provider_asposeocr.ingestion.__main__ import main
from airflow_provider_asposeocr.ingestion.errors import RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import JournalPlace
from airflow_provider_asposeocr.operators.batch_try import BatchTry
from tests.support.object_stores import Store, attached
from tests.support.registered_runs import Folder, is_done

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.ingestion.register import RecordName


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def submits(cloud: EmulatorControl) -> int:
    return sum(cloud.billing().values())


@pytest.mark.parametrize(
    ("max_attempts", "outcome", "words"),
    [
        (1, {"failed": 1}, ["1.claim", "1.failed", "2.claim", "2.failed"]),
        (2, {"succeeded": 1, "submits": 1}, ["1.claim", "1.failed", "2.claim", "2.done"]),
    ],
)
def test_an_attempt_counts_whose_process_died_before_the_register_knew_that_it_had_failed(
    folder: Folder,
    cloud: EmulatorControl,
    monkeypatch: pytest.MonkeyPatch,
    max_attempts: int,
    outcome: dict[str, int],
    words: list[str],
) -> None:
    folder.drop("a.png", 1)
    cloud.add_faults({"kind": "task_error"})
    given = {"max_failures": 1, "retry_failed": False, "max_attempts": max_attempts}
    folder.run("dead", **given).die_at(monkeypatch, closing.ClaimCloser, "close")
    assert folder.words() == ["1.claim"]
    assert folder.run("next", **given).go() == outcome
    assert folder.words() == words


def test_a_content_that_another_document_of_the_batch_may_have_sent_is_announced(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first may have been sent when its source is changed; the second has the content that it had."""
    sources = [str(folder.drop(name, 1)) for name in ("a.png", "b.png")]
    run = folder.run("one", sources=sources, max_in_flight=1)
    run.die_at(monkeypatch, AsyncCloudClient, "submit")
    folder.airflow.states["one"] = "running"
    folder.drop("a.png", 2)
    assert run.go()["changed"] == 1
    first, second = run.rows
    assert (first.outcome, second.outcome) == ("changed", "succeeded")
    assert second.maybe_billed_twice
    assert "may be billed twice" in caplog.text


def test_a_retry_does_what_a_dead_process_has_left_to_do_after_the_end_of_a_document(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("a.png", 1)
    run = folder.run("one", sources=[f"{folder.inbox}/a.png"], on_done="delete")
    run.die_at(monkeypatch, RegisterFiles, "create", when=is_done)
    assert list(folder.inbox.iterdir())
    folder.airflow.states["one"] = "running"
    assert run.go() == {"succeeded": 1, "submits": 1}
    assert folder.words() == ["1.claim", "1.done"]
    assert not list(folder.inbox.iterdir())


def test_a_document_whose_batch_ends_while_another_waits_for_it_is_read_by_the_other(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder.drop("a.png", 1)
    folder.leave_claimed(monkeypatch, "other")
    assert folder.run("one", busy_wait_seconds=600.0).go() == {"succeeded": 1, "submits": 1}
    assert folder.words() == ["1.claim", "2.claim", "2.done"]
    assert "unexpected error" not in caplog.text


def test_a_clear_of_a_batch_does_not_cancel_what_another_has_taken_over(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("a.png", 1)
    cloud.add_faults({"kind": "task_slow", "task_seconds": 3600})
    dead, other = folder.run("dead"), folder.run("other")
    for run in (dead, other):
        run.die_at(monkeypatch, AsyncCloudClient, "status")
    folder.airflow.states["other"] = "up_for_retry"
    dead.max_tries = 5
    assert dead.go() == {"busy": 1}
    cloud.advance_clock(3600)
    other.go()
    assert [row.outcome for row in other.rows] == ["succeeded"]
    assert submits(cloud) == 1


def test_a_process_whose_batch_was_taken_over_at_its_end_writes_no_manifest(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was suspended after its last record, so that no later one could tell it of the other owner."""
    folder.drop("a.png", 1)
    work = BatchTry._work

    async def overtaken(this: BatchTry, opened: Any, client: Any) -> Any:
        outcome = await work(this, opened, client)
        await asyncio.to_thread(take_over_batch, opened.journal.uri)
        return outcome

    monkeypatch.setattr(BatchTry, "_work", overtaken)
    folder.run("one").fail()
    assert not list((folder.out / ".aspose-ocr").rglob("manifests/**/*.jsonl"))


def test_forget_counts_for_the_last_attempt(folder: Folder, cloud: EmulatorControl) -> None:
    path = folder.drop("a.png", 1)
    cloud.add_faults({"kind": "task_error"})
    folder.run("one", max_failures=1, retry_failed=False).go()
    folder.run("two").go()
    assert main(["forget", folder.register, str(path)]) == 0
    assert folder.run("three").go() == {"succeeded": 1, "submits": 1}
    assert folder.words() == ["1.claim", "1.failed", "2.claim", "2.done", "2.voided", "3.claim", "3.done"]


def test_how_long_a_batch_waits_for_others_is_written_down(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry of a batch that has died waits for the rest of that time, not for all of it once more."""
    folder.drop("a.png", 1)
    folder.run("other").die_at(monkeypatch, AsyncCloudClient, "submit")
    folder.airflow.states["other"] = "running"
    written: list[Any] = []
    append = Journal.append

    def noted(journal: Journal, records: Any) -> None:
        written.extend(record["at"] for record in records if record["record"] == "busy until")
        append(journal, records)

    monkeypatch.setattr(Journal, "append", noted)
    begun = time.time()
    assert folder.run("one", busy_wait_seconds=1.0).go() == {"busy": 1}
    (until,) = written
    assert begun + 1 <= until <= time.time() + 1


def test_a_source_stays_where_the_register_does_not_know_that_it_is_done(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.drop("a.png", 1)
    create = RegisterFiles.create

    def refuses(register: RegisterFiles, name: RecordName, record: Any) -> bytes:
        if name.word == "done":
            raise RegisterUnreachableError("It does not answer.")
        return create(register, name, record)

    monkeypatch.setattr("airflow_provider_asposeocr.batch.registrar._PAUSES", (0.0,))
    monkeypatch.setattr(RegisterFiles, "create", refuses)
    assert folder.run("one", on_done="delete").go() == {"succeeded": 1, "submits": 1}
    assert list(folder.inbox.iterdir())


def test_a_journal_whose_storage_does_not_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it counted as lost, its documents would be sent again."""
    answers: list[Any] = [JournalUnreachableError("It does not answer."), None]

    def take_over(_: str) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    monkeypatch.setattr(adoption, "take_over_batch", take_over)
    journals, place = LeftJournals("/ours/", "account"), JournalPlace(journal="/theirs/", index=0)
    with pytest.raises(JournalUnreachableError):
        journals.find(place, "key")
    assert journals.find(place, "key") == UNSURE


class TestARenamedConnection:
    """What claims and records name by the old connection is found by the new one, if that leads to the same bucket."""

    def rename(self, store: Store) -> None:
        _STORE_CACHE.pop("memory-old")
        _STORE_CACHE.pop("memory-new", None)
        attach("memory", conn_id="new", fs=store)

    @pytest.mark.parametrize("on_duplicate", ["reference", "copy"])
    def test_does_not_hide_results(self, folder: Folder, cloud: EmulatorControl, on_duplicate: str) -> None:
        store = attached("memory", "old")
        folder.drop("a.png", 1)
        places = {"register": "memory://old@out/.aspose-ocr/", "destination": "memory://old@out/"}
        folder.run("one", **places).go()
        self.rename(store)
        folder.drop("b.png", 1)
        places = {name: uri.replace("old@", "new@") for name, uri in places.items()}
        run = folder.run("two", on_duplicate=on_duplicate, **places)
        assert run.go() == {"duplicate": 2}
        uris = {result.uri.replace("@/", "@") for row in run.rows for result in row.results}
        names = "ab" if on_duplicate == "copy" else "a"
        assert uris == {f"memory://new@out/{name}.png.txt" for name in names}
        assert submits(cloud) == 1

    def test_does_not_hide_what_a_batch_has_sent_that_died(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        store = attached("memory", "old")
        folder.drop("a.png", 1)
        folder.run("dead", register="memory://old@reg/").die_at(monkeypatch, AsyncCloudClient, "status")
        self.rename(store)
        assert main(["status", "memory://new@reg/"]) == 0
        assert "running: RecognizeImage" in capsys.readouterr().out
        run = folder.run("next", register="memory://new@reg/")
        assert run.go()["succeeded"] == 1
        assert submits(cloud) == 1
        assert not run.rows[0].maybe_billed_twice

    def test_that_leads_elsewhere_bills_nothing(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """The journal lay in a bucket of its own, whose connection is gone."""
        attached("memory", "old")
        folder.drop("a.png", 1)
        folder.run("dead", state="memory://old@state/").die_at(monkeypatch, AsyncCloudClient, "status")
        _STORE_CACHE.pop("memory-old")
        assert main(["status", folder.register]) == 0
        assert "cannot be opened" in capsys.readouterr().out
        run = folder.run("next", max_failures=1)
        assert run.go() == {"failed": 1}
        assert submits(cloud) == 1
        (row,) = run.rows
        assert row.error is not None
        assert (row.error.name, row.settled) == ("RegisterError", False)
        assert "cannot be opened" in row.error.message
