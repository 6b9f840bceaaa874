"""Batches with a register: a document is sent by the batch that has its claim, and by no other one."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    SourceError,
    SourceUnreadableError,
    TaskExpiredError,
)
from airflow_provider_asposeocr.batch import closing, listing
from airflow_provider_asposeocr.batch.abandoned import close_abandoned
from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.journals import SWEPT
from airflow_provider_asposeocr.batch.left import read_batch
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.documents.stored_files import Writer
from airflow_provider_asposeocr.ingestion.errors import RegisterUnreachableError
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.stored_results import versions_at
from airflow_provider_asposeocr.ingestion.work_list import WorkFile, WorkList, write_work_list
from airflow_provider_asposeocr.operators.batch_sweep import sweep_journals
from airflow_provider_asposeocr.triggers.batch import AsposeOcrBatchPauseTrigger
from tests.support.airflow_tasks import deferral, events_of, execute, resume
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS
from tests.support.registered_runs import Death, Folder, counted, is_claim

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.ingestion.register import RecordName


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def submits(cloud: EmulatorControl) -> int:
    return sum(entry["method"] == "POST" for entry in cloud.journal() if entry["path"] != "/connect/token")


class TestOnce:
    def test_equal_contents_of_a_batch_are_sent_once(self, folder: Folder, cloud: EmulatorControl) -> None:
        for name, content in (("a", 1), ("b", 2), ("c", 1), ("d", 1)):
            folder.drop(f"{name}.png", content)
        run = folder.run("one")
        assert run.go() == {"succeeded": 2, "duplicate": 2, "submits": 2}
        assert submits(cloud) == 2
        rows = {row.source.rpartition("/")[2]: row for row in run.rows if row.source}
        (first,) = [
            row for name, row in rows.items() if name in "a.png c.png d.png" and row.outcome == "succeeded"
        ]
        for row in rows.values():
            assert row.key is not None
            assert row.sha256 is not None
            if row.outcome == "duplicate":
                assert (row.duplicate_of, row.key) == (first.source, first.key)
                assert [result.uri for result in row.results] == [result.uri for result in first.results]
                assert not row.steps
                assert row.settled
        assert folder.words() == ["1.claim", "1.claim", "1.done", "1.done"]
        assert not folder.journals()

    def test_the_next_run_sends_nothing(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.run("one").go()
        folder.drop("the same.png", 1)
        run = folder.run("two")
        assert run.go() == {"duplicate": 2}
        assert submits(cloud) == 1
        assert {row.duplicate_of for row in run.rows} == {f"{folder.inbox}/a.png"}
        assert folder.texts() == ["a.png.txt"]

    def test_copies(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.drop("b.png", 1)
        folder.run("one", on_duplicate="copy").go()
        folder.drop("c.png", 1)
        run = folder.run("two", on_duplicate="copy")
        assert run.go() == {"duplicate": 3}
        assert submits(cloud) == 1
        assert folder.texts() == ["a.png.txt", "b.png.txt", "c.png.txt"]
        assert len({path.read_bytes() for path in folder.out.glob("*.txt")}) == 1
        assert [row.results[0].uri for row in run.rows] == [f"{folder.out}/{name}.png.txt" for name in "abc"]

    def test_other_steps_are_another_document(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.run("one").go()
        steps = [{"operation": "RecognizeImage", "settings": {"resultType": "Pdf"}}]
        assert folder.run("two", steps=steps).go() == {"succeeded": 1, "submits": 1}
        assert folder.texts() == ["a.png.txt"]
        assert submits(cloud) == 2

    def test_a_change_under_the_same_name_gets_a_name_of_its_own(
        self, folder: Folder, cloud: EmulatorControl
    ) -> None:
        """So that what the register says about the first content stays true."""
        folder.drop("a.png", 1)
        folder.run("one").go()
        first = (folder.out / "a.png.txt").read_bytes()
        folder.drop("a.png", 2)
        run = folder.run("two")
        assert run.go() == {"succeeded": 1, "submits": 1}
        (row,) = run.rows
        assert row.key is not None
        assert folder.texts() == ["a.png.txt", f"a.png~{row.key[:8]}.txt"]
        assert row.file_stem == f"a.png~{row.key[:8]}"
        assert (folder.out / "a.png.txt").read_bytes() == first
        folder.drop("a.png", 1)
        assert folder.run("three").go() == {"duplicate": 1}

    def test_unless_the_user_lets_any_file_be_overwritten(
        self, folder: Folder, cloud: EmulatorControl
    ) -> None:
        folder.drop("a.png", 1)
        folder.run("one").go()
        first = (folder.out / "a.png.txt").read_bytes()
        folder.drop("a.png", 2)
        assert folder.run("two", if_exists="overwrite_any").go() == {"succeeded": 1, "submits": 1}
        assert folder.texts() == ["a.png.txt"]
        assert (folder.out / "a.png.txt").read_bytes() != first

    def test_without_a_register_nothing_of_it_happens(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.drop("b.png", 1)
        run = folder.run("one", register=None)
        assert run.go() == {"succeeded": 2, "submits": 2}
        assert [(row.key, row.duplicate_of) for row in run.rows] == [(None, None)] * 2
        assert not (folder.out / ".aspose-ocr" / "documents").exists()


class TestMissingResults:
    @pytest.fixture
    def read(self, folder: Folder) -> Path:
        folder.drop("a.png", 1)
        folder.run("one").go()
        return folder.out / "a.png.txt"

    def test_fail_by_default(self, folder: Folder, read: Path, cloud: EmulatorControl) -> None:
        read.unlink()
        run = folder.run("two", max_failures=1)
        assert run.go() == {"failed": 1}
        assert submits(cloud) == 1
        (row,) = run.rows
        assert row.error is not None
        assert (row.error.name, row.error.billed) == ("ResultsMissingError", "already")

    def test_are_read_again_on_demand(self, folder: Folder, read: Path) -> None:
        read.write_text("changed")
        assert folder.run("two", on_missing_result="again").go() == {"succeeded": 1, "submits": 1}
        assert folder.words() == ["1.claim", "1.done", "2.claim", "2.done"]
        assert folder.run("three", on_missing_result="again").go() == {"duplicate": 1}

    def test_a_restored_result_is_the_same(self, folder: Folder, read: Path) -> None:
        content = read.read_bytes()
        read.unlink()
        read.write_bytes(content)
        assert folder.run("two").go() == {"duplicate": 1}


class TestFailures:
    def test_a_poison_document_is_sent_max_attempts_times_in_all_runs(
        self, folder: Folder, cloud: EmulatorControl
    ) -> None:
        folder.drop("poison.png", 1)
        for run_id in ("one", "two"):
            cloud.add_faults({"kind": "task_error"})
            assert folder.run(run_id, max_attempts=2, max_failures=1, retry_failed=False).go() == {
                "failed": 1,
                "submits": 1,
            }
        assert folder.words() == ["1.claim", "1.failed", "2.claim", "2.failed"]
        run = folder.run("three", max_attempts=2)  # green: the runs before have told it
        assert run.go() == {"failed": 1}
        (row,) = run.rows
        assert row.error is not None
        assert (row.final, row.settled, row.error.name) == (True, True, "AttemptsUsedUpError")
        assert submits(cloud) == 2

    def test_a_retry_goes_on_with_its_own_claim(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        cloud.add_faults({"kind": "task_error"})
        run = folder.run("one")
        run.fail()
        assert folder.words() == ["1.claim"]
        assert run.go() == {"succeeded": 1, "submits": 2}
        assert folder.words() == ["1.claim", "1.done"]

    def test_a_retry_knows_what_the_register_has_said(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.run("one").go()
        folder.drop("b.png", 2)
        run = folder.run("two", sources=[f"{folder.inbox}/{name}.png" for name in ("a", "b", "gone")])
        cloud.add_faults({"kind": "task_error"})
        run.fail()
        assert run.go() == {"succeeded": 1, "duplicate": 1, "gone": 1, "submits": 2}
        assert run.rows[0].duplicate_of == f"{folder.inbox}/a.png"

    def test_what_was_not_started_is_released(self, folder: Folder, cloud: EmulatorControl) -> None:
        for number in range(3):
            folder.drop(f"{number}.png", number)
        run = folder.run("one", max_submits=1)
        run.fail()
        assert set(folder.words()) == {"1.claim", "1.done"}
        folder.airflow.states["one"] = "failed"
        assert folder.run("two").go() == {"succeeded": 2, "duplicate": 1, "submits": 2}

    def test_a_file_that_cannot_be_read_is_final(self, folder: Folder, cloud: EmulatorControl) -> None:
        """Otherwise a hundred of them, the oldest ones, would fill each plan of an inbox."""
        (folder.inbox / "empty.png").write_bytes(b"")
        (folder.inbox / "text.png").write_text("no picture")
        run = folder.run("one", max_failures=2)
        assert run.go() == {"failed": 2}
        assert [row.settled for row in run.rows] == [True, True]
        assert folder.words() == []

    def test_equal_contents_share_a_failure(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.drop("b.png", 1)
        cloud.add_faults({"kind": "task_error"})
        run = folder.run("one", max_failures=2, retry_failed=False)
        assert run.go() == {"failed": 2, "submits": 1}
        messages = [row.error and row.error.message for row in run.rows]
        assert messages[0] is not None
        assert messages[0] == messages[1]
        assert folder.words() == ["1.claim", "1.failed"]


class TestSourcesThatChange:
    def test_one_that_is_gone_fails_nothing(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        run = folder.run("one", sources=[f"{folder.inbox}/a.png", f"{folder.inbox}/gone.png"])
        assert run.go() == {"succeeded": 1, "gone": 1, "submits": 1}
        assert all(row.settled for row in run.rows)

    def test_one_that_changed_since_it_was_listed_is_for_the_next_run(
        self, folder: Folder, cloud: EmulatorControl
    ) -> None:
        path = folder.drop("a.png", 1)
        work = WorkList(folder.register, f"{folder.inbox}/", "p", (WorkFile(str(path), "size=1", 1),))
        write_work_list(f"{folder.root}/work.jsonl", work)
        run = folder.run("one", sources=f"{folder.root}/work.jsonl", register=None)
        assert run.go() == {"changed": 1}
        assert not run.rows[0].settled
        assert submits(cloud) == 0
        assert folder.words() == []


class TestWorkList:
    def test_it_names_register_and_base(self, folder: Folder) -> None:
        (folder.inbox / "2026").mkdir()
        path = folder.drop("2026/a.png", 1)
        write_work_list(
            f"{folder.root}/work.jsonl",
            WorkList(folder.register, f"{folder.inbox}/", "p", (WorkFile(str(path)),)),
        )
        run = folder.run("one", sources=f"{folder.root}/work.jsonl", register=None)
        assert run.go() == {"succeeded": 1, "submits": 1}
        assert (folder.out / "2026" / "a.png.txt").exists()
        assert folder.words() == ["1.claim", "1.done"]

    @pytest.mark.parametrize("parameter", ["register", "base", "state"])
    def test_another_register_is_an_error(
        self, folder: Folder, cloud: EmulatorControl, parameter: str
    ) -> None:
        path = folder.drop("a.png", 1)
        work = WorkList(folder.register, f"{folder.inbox}/", "p", (WorkFile(str(path)),))
        write_work_list(f"{folder.root}/work.jsonl", work)
        given = {"register": None, parameter: f"{folder.root}/other/"}
        operator, context = folder.run("one", sources=f"{folder.root}/work.jsonl", **given).begin()
        with pytest.raises(Exception, match=f"has the {parameter}"):
            execute(operator, context)
        assert submits(cloud) == 0

    @pytest.mark.parametrize("error", [SourceUnreadableError("It does not answer."), SourceError("Denied.")])
    def test_one_that_cannot_be_read_at_first_is_not_read_without_its_register(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch, error: SourceError
    ) -> None:
        path = folder.drop("a.png", 1)
        folder.run("one").go()
        work = WorkList(folder.register, f"{folder.inbox}/", "p", (WorkFile(str(path)),))
        write_work_list(f"{folder.root}/work.jsonl", work)
        errors = [error]

        def read_later(*arguments: Any) -> Iterator[tuple[int, dict[str, Any]]]:
            if errors:
                raise errors.pop()
            yield from read_objects(*arguments)

        monkeypatch.setattr(listing, "read_objects", read_later)
        run = folder.run("two", sources=f"{folder.root}/work.jsonl", register=None)
        with pytest.raises(SourceUnreadableError):  # after which Airflow tries again
            execute(*run.begin())
        assert submits(cloud) == 1
        assert run.go() == {"duplicate": 1}


class TestBusy:
    def other(self, folder: Folder, monkeypatch: pytest.MonkeyPatch, *, state: str = "running") -> Any:
        """Let another batch claim a document and stop before it sends it."""
        folder.drop("a.png", 1)
        other = folder.run("other")
        other.die_at(monkeypatch, AsyncCloudClient, "submit")
        folder.airflow.states["other"] = state
        return other

    @pytest.mark.parametrize(
        "state", ["running", "queued", "deferred", "scheduled", "restarting", "up_for_retry"]
    )
    def test_a_document_of_a_batch_that_lives_is_left_to_it(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch, state: str
    ) -> None:
        other = self.other(folder, monkeypatch, state=state)
        run = folder.run("one")
        assert run.go() == {"busy": 1}
        assert not run.rows[0].settled
        assert submits(cloud) == 0
        assert folder.words() == ["1.claim"]
        other.go()
        assert submits(cloud) == 1
        assert folder.run("two").go() == {"duplicate": 1}

    def test_it_is_looked_at_again_before_the_batch_ends(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = self.other(folder, monkeypatch)
        folder.drop("b.png", 2)
        looks = 0
        look = RegisterFiles.look

        def look_counted(register: RegisterFiles, key: str) -> Any:
            nonlocal looks
            looks += 1
            if looks == 3:  # after the batch's own documents
                other.given["sources"] = [f"{folder.inbox}/a.png"]
                with monkeypatch.context() as patch:
                    patch.setattr(RegisterFiles, "look", look)
                    in_a_thread(other.go)
            return look(register, key)

        monkeypatch.setattr(RegisterFiles, "look", look_counted)
        monkeypatch.setattr("airflow_provider_asposeocr.batch.claims.LOOK_SECONDS", 0.01)
        assert folder.run("one").go(busy_wait_seconds=60.0) == {"succeeded": 1, "duplicate": 1, "submits": 1}
        assert submits(cloud) == 2

    def test_a_batch_that_waits_for_others_alone_leaves_its_worker(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = self.other(folder, monkeypatch)
        waits = {"deferrable": True, "busy_wait_seconds": 600.0, "defer_idle_seconds": 30.0}
        run = folder.run("one", **waits)
        operator, context = run.begin()
        left = deferral(operator, context)
        trigger = left.trigger
        assert isinstance(trigger, AsposeOcrBatchPauseTrigger)
        assert 30 < trigger.until - time.time() <= 120
        until = read_batch(context["ti"].xcoms[BATCH_KEY]["journal"]).state.busy_until
        assert until is not None  # The next process waits for no longer than this one would have.
        assert abs(until - time.time() - 600) < PATIENCE_SECONDS
        folder.airflow.states["one"] = "deferred"
        other.go()
        ((event,), woken) = asyncio.run(events_of(AsposeOcrBatchPauseTrigger(until=0.0))), run.begin()[0]
        run.summary = resume(woken, event, context, left.kwargs)
        assert counted(run.summary) == {"duplicate": 1}
        assert submits(cloud) == 1

    def test_a_batch_whose_wait_for_others_is_short_stays_in_its_worker(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.other(folder, monkeypatch)
        run = folder.run("one", deferrable=True, busy_wait_seconds=1.5, defer_idle_seconds=2.0)
        assert run.go() == {"busy": 1}

    def test_one_of_another_airflow_is_left_until_it_is_old(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.other(folder, monkeypatch, state="failed")
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__INSTALLATION", "second")
        assert folder.run("one").go() == {"busy": 1}
        assert folder.airflow.asked.count("other") == 0  # It would be asked about another task of that name.
        monkeypatch.setattr(RegisterFiles, "age_seconds", lambda *_: 89_999.0)
        assert folder.run("later").go() == {"busy": 1}
        monkeypatch.setattr(RegisterFiles, "age_seconds", lambda *_: 90_001.0)
        run = folder.run("two")
        assert run.go() == {"succeeded": 1, "submits": 1}
        assert run.rows[0].maybe_billed_twice  # What the other one has sent is not known.

    def test_one_of_a_run_that_was_deleted_is_left_until_it_is_old(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.other(folder, monkeypatch)
        del folder.airflow.states["other"]
        assert folder.run("one").go() == {"busy": 1}
        monkeypatch.setattr(RegisterFiles, "age_seconds", lambda *_: 90_001.0)
        run = folder.run("two")
        assert run.go() == {"succeeded": 1, "submits": 2}  # of the two batches

    def test_an_airflow_that_does_not_answer_takes_nothing_over(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.other(folder, monkeypatch, state="failed")

        def silent(**_: Any) -> Any:
            raise RuntimeError("no answer")

        monkeypatch.setattr(folder.airflow, "answer", silent)
        assert folder.run("one").go() == {"busy": 1}


def sweep(folder: Folder) -> None:
    """Sweep as the next batch does, ten minutes later."""
    (folder.out / ".aspose-ocr" / "batches" / SWEPT).unlink(missing_ok=True)
    _, context = folder.run("sweeper").begin()
    sweep_journals(folder.register, context["ti"])


def in_a_thread(do: Any) -> None:
    """Run something with an event loop of its own."""
    from threading import Thread

    problems: list[BaseException] = []

    def run() -> None:
        try:
            do()
        except BaseException as error:
            problems.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    assert not problems


class TestTakeover:
    """A batch dies, its task has ended, and the next run goes on where the journal says that it was."""

    def die_at(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch, target: Any, name: str, **when: Any
    ) -> None:
        folder.drop("a.png", 1)
        folder.run("dead").die_at(monkeypatch, target, name, **when)

    def test_after_the_claim_nothing_was_sent(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.die_at(folder, monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        assert folder.words() == ["1.claim"]
        run = folder.run("next")
        assert run.go() == {"succeeded": 1, "submits": 1}
        assert submits(cloud) == 1
        assert "may be billed twice" not in caplog.text
        assert folder.words() == ["1.claim", "2.claim", "2.done"]

    def test_after_the_intent_it_may_have_been_sent(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "submit")
        run = folder.run("next")
        assert run.go() == {"succeeded": 1, "submits": 2}
        assert "may be billed twice" in caplog.text
        assert run.rows[0].maybe_billed_twice

    def test_unless_the_user_does_not_want_that(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "submit")
        run = folder.run("next", on_unknown_submit="fail", max_failures=1)
        run.go()
        assert submits(cloud) == 0
        assert folder.words() == ["1.claim", "2.claim", "2.failed"]

    def test_a_running_cloud_task_is_gone_on_with(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        assert submits(cloud) == 1
        run = folder.run("next")
        run.go()
        assert submits(cloud) == 1  # nothing billed again
        assert "may be billed twice" not in caplog.text
        (row,) = run.rows
        assert (row.outcome, row.maybe_billed_twice) == ("succeeded", False)

    @pytest.mark.parametrize(
        ("policy", "outcome", "billed"), [("fail", "failed", 1), ("resubmit", "succeeded", 2)]
    )
    def test_of_a_cloud_task_that_is_gone_on_with_too_late_the_user_decides(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        policy: str,
        outcome: str,
        billed: int,
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        status = AsyncCloudClient.status

        async def expired(*args: Any, **options: Any) -> Any:
            monkeypatch.setattr(AsyncCloudClient, "status", status)
            raise TaskExpiredError("The cloud has deleted it.")

        monkeypatch.setattr(AsyncCloudClient, "status", expired)
        run = folder.run("next", on_expired=policy, max_failures=1)
        assert run.go()[outcome] == 1
        assert submits(cloud) == billed

    def test_what_is_stored_is_done(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        is_done = lambda _, name, __: name.word == "done"  # noqa: E731
        self.die_at(folder, monkeypatch, RegisterFiles, "create", when=is_done)
        assert folder.words() == ["1.claim"]
        run = folder.run("next")
        assert run.go() == {"duplicate": 1}
        assert submits(cloud) == 1
        assert [result.uri for result in run.rows[0].results] == [f"{folder.out}/a.png.txt"]
        assert folder.words() == ["1.claim", "2.claim", "2.done"]

    def test_a_completed_task_whose_results_were_not_stored_is_fetched(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.die_at(folder, monkeypatch, Writer, "write")
        folder.run("next").go()
        assert submits(cloud) == 1
        assert folder.texts() == ["a.png.txt"]

    def test_a_journal_that_is_gone_leaves_it_unknown(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        for path in folder.journals():
            path.unlink()
        run = folder.run("next")
        assert run.go()["succeeded"] == 1
        assert submits(cloud) == 2
        assert run.rows[0].maybe_billed_twice
        assert "may be billed twice" in caplog.text

    def test_the_old_process_sends_nothing_more(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It was suspended with a durable intent, and wakes up after the takeover: it finds the higher epoch."""
        folder.drop("a.png", 1)
        slept = folder.run("slept")
        check = Journal.check

        def sleeps(journal: Journal) -> Any:
            monkeypatch.setattr(Journal, "check", check)
            folder.airflow.states["slept"] = "failed"
            in_a_thread(folder.run("next").go)
            return check(journal)

        is_intended = {"yes": False}
        append = Journal.append

        def noted(journal: Journal, records: Any) -> None:
            append(journal, records)
            if any(record["record"] == "intent" for record in records) and not is_intended["yes"]:
                is_intended["yes"] = True
                monkeypatch.setattr(Journal, "check", sleeps)

        monkeypatch.setattr(Journal, "append", noted)
        slept.fail(AsposeOcrError, Exception)
        assert submits(cloud) == 1
        assert folder.words() == ["1.claim", "2.claim", "2.done"]

    def test_a_second_death_between_the_claim_and_the_journal(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The one that has taken over dies before its own journal says so: its retry still finds the cloud task."""
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        run = folder.run("second")
        append = Journal.append

        def dies_there(journal: Journal, records: Any) -> None:
            if any(record["record"] == "adopted" for record in records):
                raise JournalError("The process ends here.")
            append(journal, records)

        with monkeypatch.context() as patch:
            patch.setattr(Journal, "append", dies_there)
            run.fail()
        folder.airflow.states["second"] = "up_for_retry"
        run.go()
        assert submits(cloud) == 1
        assert folder.words() == ["1.claim", "2.claim", "2.done"]

    def test_and_so_does_a_third_batch_if_that_one_never_comes_back(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The journal of the second knows nothing, so that what the first has left still counts."""
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        folder.run("second").die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        folder.run("third").go()
        assert submits(cloud) == 1
        assert folder.words() == ["1.claim", "2.claim", "3.claim", "3.done"]

    def test_the_third_one_finds_it_as_well(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        folder.run("second").die_at(monkeypatch, AsyncCloudClient, "status")
        folder.run("third").go()
        assert submits(cloud) == 1
        assert folder.words() == ["1.claim", "2.claim", "3.claim", "3.done"]

    def test_a_clear_begins_anew_and_finds_duplicates(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.drop("a.png", 1)
        folder.drop("b.png", 2)
        run = folder.run("one", max_in_flight=1)
        run.die_at(monkeypatch, AsyncCloudClient, "submit", at=2)
        run.max_tries = 5
        folder.airflow.states["one"] = "running"
        summary = run.go()
        assert (summary["succeeded"], summary["duplicate"]) == (1, 1)
        assert submits(cloud) == 2  # The second document was never sent, but no process can know that.
        sweep(folder)
        assert not folder.journals()

    def test_a_claim_that_continues_another_one_is_not_released(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The second has died between its claim and its journal, and is cleared: the first one's cloud task still counts."""
        self.die_at(folder, monkeypatch, AsyncCloudClient, "status")
        run = folder.run("second")
        run.die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        run.max_tries = 5
        folder.airflow.states["second"] = "running"
        run.go()
        assert submits(cloud) == 1
        assert "may be billed twice" not in caplog.text
        assert folder.words() == ["1.claim", "2.claim", "3.claim", "3.done"]

    def test_a_failed_attempt_that_may_be_billed_is_not_followed_in_silence(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.die_at(folder, monkeypatch, AsyncCloudClient, "submit")
        given = {"on_unknown_submit": "fail", "max_failures": 1}
        folder.run("second", **given).go()
        folder.run("third", **given).go()
        assert submits(cloud) == 0  # What the user has forbidden stays forbidden in the next run.
        run = folder.run("fourth")
        assert run.go()["succeeded"] == 1
        assert run.rows[0].maybe_billed_twice


class TestWhatChangesMeanwhile:
    def test_a_document_never_shares_the_results_of_another_content(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first source has changed when the retry reads it; the second source has the content that the first one had."""
        folder.drop("a.png", 1)
        folder.drop("b.png", 1)
        run = folder.run("one", sources=[f"{folder.inbox}/a.png", f"{folder.inbox}/b.png"], max_in_flight=1)
        run.die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        folder.airflow.states["one"] = "running"
        folder.drop("a.png", 2)
        assert run.go() == {"succeeded": 2, "submits": 2}
        one, two = run.rows
        assert one.key != two.key
        assert [row.duplicate_of for row in run.rows] == [None, None]
        assert not any(
            row.maybe_billed_twice for row in run.rows
        )  # The claim of the first content was released.
        assert (folder.out / "a.png.txt").read_text() != (folder.out / "b.png.txt").read_text()

    def test_what_was_read_is_what_is_deleted(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The source is overwritten after it was read, and before its version is asked for."""
        folder.drop("a.png", 1)
        calls = 0

        def overwritten(uri: str) -> Any:
            nonlocal calls
            calls += 1
            if calls == 2:
                folder.drop("a.png", 2)
            return versions_at(uri)

        monkeypatch.setattr("airflow_provider_asposeocr.batch.errands.versions_at", overwritten)
        run = folder.run("one", sources=[f"{folder.inbox}/a.png"], on_done="delete")
        assert run.go() == {"changed": 1}
        assert (folder.inbox / "a.png").read_bytes()[-1] == 2
        assert submits(cloud) == 0

    def test_two_runs_that_overlap_keep_both_results(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While the first waits, the source is overwritten, and another run reads it under the same name."""
        folder.drop("a.png", 1)
        status = AsyncCloudClient.status
        seen: list[int] = []

        async def overtaken(*args: Any, **options: Any) -> Any:
            if not seen:
                seen.append(1)
                folder.drop("a.png", 2)
                await asyncio.to_thread(folder.run("two").go)
            return await status(*args, **options)

        monkeypatch.setattr(AsyncCloudClient, "status", overtaken)
        folder.run("one").go()
        assert len(folder.texts()) == 2
        folder.drop("b.png", 1)
        assert folder.run("three").go() == {"duplicate": 2}
        assert submits(cloud) == 2

    def test_a_busy_document_whose_batch_dies_after_its_claim_is_sent_by_the_retry(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        folder.drop("a.png", 1)
        folder.leave_claimed(monkeypatch, "other")
        run = folder.run("one", busy_wait_seconds=60.0)
        run.die_at(monkeypatch, RegisterFiles, "create", after=True, when=is_claim)
        folder.airflow.states["one"] = "running"
        assert folder.words() == ["1.claim", "2.claim"]
        assert run.go() == {"succeeded": 1, "submits": 1}
        assert submits(cloud) == 1
        assert "may be billed twice" not in caplog.text


class TestTheEnd:
    def test_a_journal_stays_while_a_claim_names_it(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A success whose claim could not be closed: the next sweep closes it, and only then deletes the journal."""
        folder.drop("a.png", 1)
        create = RegisterFiles.create

        def refuses(register: RegisterFiles, name: RecordName, record: Any) -> bytes:
            if name.word == "done":
                raise RegisterUnreachableError("It does not answer.")
            return create(register, name, record)

        monkeypatch.setattr("airflow_provider_asposeocr.batch.registrar._PAUSES", (0.0,))
        with monkeypatch.context() as patch:
            patch.setattr(RegisterFiles, "create", refuses)
            assert folder.run("one").go() == {"succeeded": 1, "submits": 1}
        assert folder.words() == ["1.claim"]
        assert folder.journals()
        sweep(folder)
        assert folder.words() == ["1.claim", "1.done"]
        assert not folder.journals()

    def test_a_sweep_closes_what_is_left_before_it_deletes(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.drop("a.png", 1)
        run = folder.run("one")
        is_done = lambda _, name, __: name.word == "done"  # noqa: E731
        run.die_at(monkeypatch, RegisterFiles, "create", when=is_done)
        folder.airflow.states["one"] = "success"
        sweep(folder)
        assert folder.words() == ["1.claim", "1.done"]
        assert not folder.journals()

    def test_a_sweep_keeps_a_journal_whose_document_may_run(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.drop("a.png", 1)
        folder.run("one").die_at(monkeypatch, AsyncCloudClient, "status")
        folder.airflow.states["one"] = "success"
        journals = folder.journals()
        sweep(folder)
        assert folder.words() == ["1.claim"]
        assert folder.journals() == journals  # no file more at each sweep
        folder.run("next").go()
        assert submits(cloud) == 1

    def test_a_document_that_no_batch_has_gone_on_with_for_two_days_has_failed_in_doubt(
        self,
        folder: Folder,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        folder.drop("a.png", 1)
        folder.run("one").die_at(monkeypatch, AsyncCloudClient, "status")
        folder.airflow.states["one"] = "success"
        (journal,) = {path.parent.parent for path in folder.journals() if path.parent.name == "epochs"}
        assert not close_abandoned(f"{journal}/", 0.0, time.time())
        assert close_abandoned(f"{journal}/", 0.0, time.time() + 3 * 86_400)
        assert folder.words() == ["1.claim", "1.failed"]
        folder.run("next").go()
        assert submits(cloud) == 2
        assert "may be billed twice" in caplog.text

    def test_claims_are_closed_after_the_manifest(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A kill between the two leaves the claim to the retry, never a closed claim without a row."""
        folder.drop("a.png", 1)
        cloud.add_faults({"kind": "task_error"})
        seen: list[bool] = []
        close = closing.ClaimCloser.close

        def noted(closer: Any, *args: Any) -> None:
            seen.append(any((folder.out / ".aspose-ocr" / "manifests").rglob("*.jsonl")))
            close(closer, *args)

        monkeypatch.setattr(closing.ClaimCloser, "close", noted)
        folder.run("one", max_failures=1, retry_failed=False).go()
        assert seen == [True]


class TestSourcesAfterwards:
    def test_they_are_moved_after_they_are_done(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        folder.drop("b.png", 1)
        folder.drop("c.png", 2)
        cloud.add_faults({"kind": "task_error"})
        archive = folder.root / "archive"
        given = {"on_done": "move", "archive": f"{archive}/", "max_failures": 3, "retry_failed": False}
        run = folder.run("one", **given)
        run.go()
        left = {row.file_stem for row in run.rows if row.outcome == "failed"}
        assert {path.name for path in folder.inbox.iterdir()} == left
        assert {path.name for path in archive.iterdir()} == {"a.png", "b.png", "c.png"} - left

    def test_they_keep_their_suffix_where_results_are_named_without_it(self, folder: Folder) -> None:
        folder.drop("a.png", 1)
        archive = folder.root / "archive"
        folder.run("one", on_done="move", archive=f"{archive}/", names="stem").go()
        assert [path.name for path in archive.iterdir()] == ["a.png"]

    def test_or_deleted(self, folder: Folder) -> None:
        folder.drop("a.png", 1)
        folder.run("one", on_done="delete").go()
        assert not list(folder.inbox.iterdir())

    def test_one_that_was_written_again_meanwhile_stays(
        self, folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.drop("a.png", 1)
        status = AsyncCloudClient.status

        async def written_meanwhile(*args: Any, **options: Any) -> Any:
            folder.drop("a.png", 2)
            return await status(*args, **options)

        monkeypatch.setattr(AsyncCloudClient, "status", written_meanwhile)
        folder.run("one", on_done="delete").go()
        assert [path.read_bytes()[-1] for path in folder.inbox.iterdir()] == [2]
        monkeypatch.setattr(AsyncCloudClient, "status", status)
        assert folder.run("two", on_done="delete").go() == {"succeeded": 1, "submits": 1}

    def test_a_second_file_of_the_same_name_does_not_replace_the_first_in_the_archive(
        self, folder: Folder
    ) -> None:
        archive = folder.root / "archive"
        for run_id, content in (("one", 1), ("two", 2)):
            folder.drop("a.png", content)
            folder.run(run_id, on_done="move", archive=f"{archive}/").go()
        assert len(list(archive.iterdir())) == 2

    @pytest.mark.parametrize(
        "given",
        [{"on_done": "move"}, {"archive": "/archive/"}, {"on_done": "delete", "archive": "/archive/"}],
    )
    def test_move_and_archive_belong_together(self, folder: Folder, given: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="archive"):
            folder.run("one", **given).begin()

    def test_an_archive_among_the_sources_is_an_error(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        run = folder.run("one", on_done="move", archive=f"{folder.inbox}/archive/")
        with pytest.raises(Exception, match="archive") as raised:
            execute(*run.begin())
        assert not isinstance(raised.value, Death)
        assert submits(cloud) == 0

    def test_they_need_a_register(self, folder: Folder, cloud: EmulatorControl) -> None:
        folder.drop("a.png", 1)
        with pytest.raises(Exception, match="needs a register"):
            execute(*folder.run("one", on_done="delete", register=None).begin())


def test_a_register_that_cannot_be_written_is_an_error_before_anything_is_sent(
    folder: Folder, cloud: EmulatorControl
) -> None:
    folder.drop("a.png", 1)
    (folder.root / "register").mkdir()
    (folder.root / "register" / "documents").write_text("a file where a folder must be")
    with pytest.raises(Exception, match="cannot be written"):
        execute(*folder.run("one", register=f"{folder.root}/register/").begin())
    assert submits(cloud) == 0


def test_a_register_without_permission_is_an_error_before_anything_is_sent(
    folder: Folder, cloud: EmulatorControl
) -> None:
    class ReadOnly(Store):
        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
            if "/documents/" in path:
                raise PermissionError("Access Denied")
            super().pipe_file(path, value, **kwargs)

    attached("memory", "register", kind=ReadOnly)
    folder.drop("a.png", 1)
    run = folder.run("one", register="memory://register@reg/", state=f"{folder.root}/state/")
    with pytest.raises(
        AirflowFailException, match=r"memory://register@reg/ cannot be written.*Access Denied"
    ):
        execute(*run.begin())
    assert submits(cloud) == 0


def test_a_record_of_a_newer_version_sends_nothing(folder: Folder, cloud: EmulatorControl) -> None:
    folder.drop("a.png", 1)
    folder.run("one").go()
    (path,) = (folder.out / ".aspose-ocr" / "documents").rglob("*.done.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 2}))
    run = folder.run("two", max_failures=1)
    assert run.go() == {"failed": 1}
    assert submits(cloud) == 1
    assert run.rows[0].error is not None
    assert run.rows[0].error.name == "RegisterError"


def test_the_log_says_what_was_taken_over(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder.drop("a.png", 1)
    folder.run("dead").die_at(monkeypatch, AsyncCloudClient, "status")
    folder.run("next").go()
    assert "Taking documents over from the batch of the journal" in caplog.text


def test_two_airflows_at_once_send_each_content_once(
    folder: Folder, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    from threading import Thread

    for number in range(12):
        folder.drop(f"{number}.png", number % 8)
    runs = [folder.run("one"), folder.run("two", destination=f"{folder.root}/out2/")]
    found: list[dict[str, int]] = []
    threads = [Thread(target=lambda run=run: found.append(run.go(busy_wait_seconds=60.0))) for run in runs]
    monkeypatch.setattr("airflow_provider_asposeocr.batch.claims.LOOK_SECONDS", 0.1)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert submits(cloud) == 8
    assert [each.get("succeeded", 0) + each.get("duplicate", 0) for each in found] == [12, 12]
