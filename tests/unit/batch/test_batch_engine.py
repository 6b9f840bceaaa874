"""Batches of local files through the whole engine, with the emulator as the cloud and a journal on disk."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
from airflow_provider_asposeocr.batch import errands
from airflow_provider_asposeocr.batch.ending import Deferral, Ended, Stopped
from airflow_provider_asposeocr.batch.errors import JournalFencedError
from airflow_provider_asposeocr.batch.journal import Journal, read_journal, request_drain
from airflow_provider_asposeocr.batch.machine import Machine
from airflow_provider_asposeocr.batch.running import digest_of
from airflow_provider_asposeocr.batch.state import replay
from airflow_provider_asposeocr.batch.woken import Duration, Woken
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.batch_engine import (
    STEPS,
    batch_in,
    begin_journal,
    begin_try,
    described,
    expected_text,
    journal_of,
    results_in,
    run_try,
)
from tests.support.emulated_cloud import STUCK, deletes
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.batch.steps import Step
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

ROOT = Path(__file__).parents[3]
HOLD_ACCEPTED = {"kind": "hold", "method": "POST", "path": "UpscaleImage", "after": "accepted", "count": 3}


@pytest.fixture
def control(aspose_ocr_emulator: Emulator) -> EmulatorControl:
    return aspose_ocr_emulator.control


class Try:
    """One try after the other of one batch."""

    def __init__(self, url: str, folder: Path, documents: int, steps: tuple[Step, ...] = STEPS) -> None:
        self.url, self.folder, self.documents = url, folder, documents
        self._processes: list[subprocess.Popen[str]] = []
        begin_journal(folder, batch_in(folder, documents, steps))

    def leave(self, **settings: Any) -> Ended | Deferral:
        return asyncio.run(run_try(self.url, self.folder, **settings))

    def end(self, **settings: Any) -> dict[str, Any]:
        ended = self.leave(**settings)
        assert isinstance(ended, Ended)
        self.rows = list(ended.rows())
        return described(ended)

    def process(self, try_number: int, **settings: Any) -> subprocess.Popen[str]:
        arguments = (self.url, str(self.folder), str(try_number), json.dumps(settings))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.batch_engine", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End the processes that a failed test has left, so that they disturb no later test."""
        for process in self._processes:
            process.kill()
            process.communicate()

    @property
    def texts(self) -> dict[str, str]:
        return {f"{index}.png.txt": expected_text(index) for index in range(self.documents)}


@pytest.fixture
def batch(aspose_ocr_emulator: Emulator, tmp_path: Path) -> Iterator[Try]:
    batch = Try(aspose_ocr_emulator.url, tmp_path, 8)
    yield batch
    batch.close()


def billed(control: EmulatorControl) -> int:
    return sum(control.billing().values())


def is_running(control: EmulatorControl) -> bool:
    return any(task["status"] in ("Pending", "Processing") for task in control.tasks())


def test_documents_go_through_three_steps(batch: Try, control: EmulatorControl) -> None:
    assert batch.end(max_in_flight=5, max_unanswered_submits=3) == {
        "counts": {"succeeded": 8},
        "submits": 24,
        "maybe_billed_twice": 0,
        "doubtful": [],
        "stopped": None,
    }
    assert results_in(batch.folder) == batch.texts
    assert billed(control) == 24
    assert not list(batch.folder.parent.glob("**/aspose-ocr-work-*/*"))


def test_the_status_is_polled_and_each_result_is_fetched_once(batch: Try, control: EmulatorControl) -> None:
    batch.end()
    asked = Counter(
        entry["path"].rpartition("/")[2] for entry in control.journal() if entry["method"] == "GET"
    )
    assert asked.pop("GetTaskStatus") >= len(STEPS) * batch.documents
    assert asked == {step.operation: batch.documents for step in STEPS}


def test_a_result_that_no_setting_promises_replaces_no_file_of_another_batch(
    batch: Try, control: EmulatorControl
) -> None:
    control.add_faults(
        {"kind": "result_type", "path": "RecognizeImage", "result_type": "Pdf", "probability": 1.0}
    )
    there = batch.folder / "out" / "3.png.pdf"
    there.parent.mkdir(exist_ok=True)
    there.write_bytes(b"another's")
    assert batch.end()["counts"] == {"succeeded": 7, "failed": 1}
    assert there.read_bytes() == b"another's"
    error = batch.rows[3].error
    assert error is not None
    assert (error.name, error.billed, error.retryable) == ("DestinationError", "already", False)
    assert "no owner record and no manifest says which document made it" in error.message


def test_rows_say_what_has_become_of_each_document(batch: Try) -> None:
    (batch.folder / "in" / "3.png").unlink()
    (batch.folder / "in" / "5.png").write_bytes(b"no picture")
    assert batch.end()["counts"] == {"succeeded": 6, "failed": 2}
    row = batch.rows[0]
    assert [step.operation for step in row.steps] == ["UpscaleImage", "BinarizeImage", "RecognizeImage"]
    assert [step.submits for step in row.steps] == [1, 1, 1]
    assert all(step.seconds is not None for step in row.steps)
    assert [result.uri for result in row.results] == [f"{batch.folder}/out/0.png.txt"]
    assert row.task is not None
    assert row.task.source_uri == f"{batch.folder}/in/0.png"
    assert row.sha256 == row.task.source_sha256 is not None
    errors = [(row.error.name, row.error.billed) for row in (batch.rows[3], batch.rows[5]) if row.error]
    assert errors == [("SourceError", "no"), ("SourceContentError", "no")]


def test_a_cloud_task_that_fails_says_why_and_a_retry_submits_it_again(
    batch: Try, control: EmulatorControl
) -> None:
    control.add_faults(
        {"kind": "task_error", "path": "RecognizeImage", "messages": ["The page is upside down"]}
    )
    assert batch.end()["counts"] == {"succeeded": 7, "failed": 1}
    (failed,) = [row for row in batch.rows if row.outcome == "failed"]
    assert failed.error is not None
    assert "upside down" in failed.error.message
    assert (failed.error.step, failed.error.operation, failed.error.billed) == (2, "RecognizeImage", "yes")
    before = billed(control)
    assert batch.end(try_number=2)["counts"] == {"succeeded": 8}
    assert billed(control) - before == 1
    assert results_in(batch.folder) == batch.texts


def test_another_try_touches_nothing_that_is_done(batch: Try, control: EmulatorControl) -> None:
    batch.end()
    requests = len(control.journal())
    assert batch.end(try_number=2)["counts"] == {"succeeded": 8}
    assert len(control.journal()) == requests


@pytest.mark.process
def test_a_killed_process_loses_nothing_and_each_surplus_bill_is_announced(
    batch: Try, control: EmulatorControl
) -> None:
    control.add_faults(HOLD_ACCEPTED)
    process = batch.process(1, max_unanswered_submits=3)
    control.wait_for_request("POST", "UpscaleImage", 3, held=True, timeout_seconds=PATIENCE_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    control.clear_faults()
    second = batch.process(2)
    said, log = second.communicate(timeout=PATIENCE_SECONDS)
    ended = json.loads(said.splitlines()[-1])
    assert ended["counts"] == {"succeeded": 8}
    assert results_in(batch.folder) == batch.texts
    assert billed(control) == 24 + ended["maybe_billed_twice"] == ended["submits"]
    assert ended["maybe_billed_twice"] == len(ended["doubtful"]) == 3
    assert (said + log).count("may be billed twice") == 3
    assert not is_running(control)


@pytest.mark.process
def test_a_killed_process_s_running_tasks_are_taken_over(batch: Try, control: EmulatorControl) -> None:
    control.add_faults({"kind": "hold", "path": "*/GetTaskStatus", "count": 8})
    process = batch.process(1)
    control.wait_for_request("GET", "*/GetTaskStatus", 8, held=True, timeout_seconds=PATIENCE_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    control.clear_faults()
    assert batch.end(try_number=2)["maybe_billed_twice"] == 0
    assert billed(control) == 24
    assert results_in(batch.folder) == batch.texts


async def test_a_process_that_was_taken_over_sends_nothing_more(batch: Try, control: EmulatorControl) -> None:
    control.add_faults({"kind": "hold", "path": "*/GetTaskStatus", "count": 8})
    zombie = asyncio.create_task(run_try(batch.url, batch.folder))
    await asyncio.to_thread(
        control.wait_for_request, "GET", "*/GetTaskStatus", 8, PATIENCE_SECONDS, held=True
    )
    await asyncio.to_thread(Journal.take_over, journal_of(batch.folder))
    control.clear_faults()
    with pytest.raises(JournalFencedError):
        await zombie
    assert billed(control) == 8
    assert not deletes(control)


def test_a_submit_without_an_answer_is_sent_once_more(
    batch: Try, control: EmulatorControl, caplog: pytest.LogCaptureFixture
) -> None:
    control.add_faults({"kind": "drop", "after": "accepted", "path": "BinarizeImage"})
    with caplog.at_level(logging.WARNING):
        ended = batch.end()
    assert ended["counts"] == {"succeeded": 8}
    assert billed(control) == 25 == 24 + ended["maybe_billed_twice"]
    assert caplog.text.count("may be billed twice") == 1


def test_an_error_of_the_account_submits_nothing_more(batch: Try, control: EmulatorControl) -> None:
    control.add_faults(
        {"kind": "status", "status": 402, "method": "POST", "path": "RecognizeImage", "probability": 1.0}
    )
    ended = batch.leave(max_in_flight=2)
    assert isinstance(ended, Ended)
    assert (ended.stopped, type(ended.error).__name__) == ("account", "QuotaExceededError")
    assert ended.counts == {"not_started": 8}
    assert control.billing() == {"UpscaleImage": 2, "BinarizeImage": 2}
    reasons = {row.error.name for row in ended.rows() if row.error}
    assert reasons == {"QuotaExceededError"}
    control.clear_faults()
    assert batch.end(try_number=2)["counts"] == {"succeeded": 8}
    assert billed(control) == 24


def test_the_deadline_cancels_what_runs(batch: Try, control: EmulatorControl) -> None:
    control.add_faults({**STUCK, "path": "BinarizeImage", "count": 8})
    ended = batch.end(deadline_at=time.time() + 3, max_in_flight=5)
    assert ended["stopped"] == "deadline"
    assert ended["counts"].get("cancelled", 0) == len(deletes(control)) > 0
    assert sum(ended["counts"].values()) == 8
    assert not is_running(control)


def test_a_cloud_task_that_takes_too_long_is_cancelled_and_fails(
    batch: Try, control: EmulatorControl
) -> None:
    control.add_faults({**STUCK, "path": "BinarizeImage"})
    assert batch.end(timeout_seconds=3)["counts"] == {"succeeded": 7, "failed": 1}
    assert len(deletes(control)) == 1
    (error,) = [row.error for row in batch.rows if row.error]
    assert error.name == "TaskTimeoutError"


def test_a_drain_submits_nothing_more_and_a_retry_goes_on(batch: Try, control: EmulatorControl) -> None:
    async def drained() -> Ended | Deferral:
        running = asyncio.create_task(run_try(batch.url, batch.folder, max_in_flight=1))
        await asyncio.to_thread(control.wait_for_request, "POST", "UpscaleImage", 1, PATIENCE_SECONDS)
        await asyncio.to_thread(request_drain, journal_of(batch.folder))
        return await running

    ended = asyncio.run(drained())
    assert isinstance(ended, Ended)
    assert ended.stopped == "drain"
    assert ended.counts["not_started"] >= 6
    assert not is_running(control)
    assert batch.end(try_number=2)["counts"] == {"succeeded": 8}
    assert billed(control) == 24


@pytest.mark.parametrize("cancel", [True, False])
async def test_a_stop_cancels_what_runs_or_leaves_it_in_the_journal(
    batch: Try, control: EmulatorControl, cancel: bool
) -> None:
    control.add_faults({**STUCK, "path": "UpscaleImage", "count": 8})
    engine, running = await begin_try(batch.url, batch.folder)
    await asyncio.to_thread(control.wait_for_request, "GET", "*/GetTaskStatus", 8, PATIENCE_SECONDS)
    stopped = await engine.stop(cancel=cancel, seconds=PATIENCE_SECONDS)
    assert stopped == (Stopped(8, 0) if cancel else Stopped(0, 8))
    if cancel:
        assert (await running).counts == {"cancelled": 8}
    else:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert len(deletes(control)) == (8 if cancel else 0)
    _, records = read_journal(journal_of(batch.folder))
    assert sum(known.running is not None for known in replay(records).documents.values()) == (
        0 if cancel else 8
    )


async def test_of_many_cancels_the_first_are_done_before_the_last_are_asked_for(
    batch: Try, control: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A killed worker has three seconds. A thousand status requests at once would take all of them before the first cancel.
    """
    monkeypatch.setattr(errands, "AT_ONCE", 2)
    under_way = most = 0
    status, cancel = AsyncCloudClient.status, AsyncCloudClient.cancel

    async def counted_status(*args: Any, ahead: bool = False) -> Any:
        nonlocal under_way, most
        under_way += ahead
        most = max(most, under_way)
        return await status(*args, ahead=ahead)

    async def counted_cancel(*args: Any) -> None:
        nonlocal under_way
        await cancel(*args)
        under_way -= 1

    monkeypatch.setattr(AsyncCloudClient, "status", counted_status)
    monkeypatch.setattr(AsyncCloudClient, "cancel", counted_cancel)
    control.add_faults({**STUCK, "path": "UpscaleImage", "count": 8})
    engine, running = await begin_try(batch.url, batch.folder)
    await asyncio.to_thread(control.wait_for_request, "GET", "*/GetTaskStatus", 8, PATIENCE_SECONDS)
    assert await engine.stop(cancel=True, seconds=PATIENCE_SECONDS) == Stopped(8, 0)
    assert (await running).counts == {"cancelled": 8}
    assert most == 2


async def test_a_held_batch_submits_nothing_more_and_can_still_be_cancelled(
    batch: Try, control: EmulatorControl
) -> None:
    control.add_faults({**STUCK, "path": "UpscaleImage", "count": 8})
    engine, running = await begin_try(batch.url, batch.folder, max_in_flight=3)
    await asyncio.to_thread(control.wait_for_request, "GET", "*/GetTaskStatus", 3, PATIENCE_SECONDS)
    engine.hold()
    polled = len(control.journal())
    await asyncio.to_thread(
        control.wait_for_request, "GET", "*/GetTaskStatus", 3, PATIENCE_SECONDS, since=polled
    )
    assert not deletes(control)
    assert await engine.stop(cancel=True, seconds=PATIENCE_SECONDS) == Stopped(3, 0)
    assert (await running).counts == {"cancelled": 3, "not_started": 5}
    assert billed(control) == 3


async def test_a_held_batch_does_not_submit_the_next_steps(batch: Try, control: EmulatorControl) -> None:
    control.add_faults({"kind": "hold", "path": "*/GetTaskStatus", "count": 8})
    engine, running = await begin_try(batch.url, batch.folder)
    await asyncio.to_thread(
        control.wait_for_request, "GET", "*/GetTaskStatus", 8, PATIENCE_SECONDS, held=True
    )
    engine.hold()
    control.clear_faults()
    assert (await running).stopped == "stopped"
    assert billed(control) == 8


@pytest.mark.parametrize("held", ["before", "during"])
async def test_a_batch_that_is_stopped_cancels_what_runs_instead_of_a_deferral(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    entered, proceed = threading.Event(), threading.Event()
    snapshot = Journal.snapshot

    def slow_snapshot(*args: Any) -> None:
        entered.set()
        proceed.wait(PATIENCE_SECONDS)
        snapshot(*args)

    monkeypatch.setattr(Journal, "snapshot", slow_snapshot)
    known = Woken("all have ended", durations=(Duration("RecognizeImage", 990.0, 1010.0),) * 12)
    with Emulator(Options(engine="canned", task_seconds="1000")) as emulator:
        batch = Try(emulator.url, tmp_path, 3, STEPS[-1:])
        engine, running = await begin_try(
            batch.url, batch.folder, woken=known, deferrable=True, max_poll_interval_seconds=600
        )
        if held == "before":
            await asyncio.to_thread(emulator.control.wait_for_request, "POST", "RecognizeImage", 3)
            engine.hold()
            # Once a second the engine decides whether it could leave the worker: let that happen.
            assert not await asyncio.to_thread(entered.wait, 1.5)
        else:
            await asyncio.to_thread(entered.wait, PATIENCE_SECONDS)
        stopping = asyncio.create_task(engine.stop(cancel=True, seconds=5))
        await asyncio.sleep(0)
        proceed.set()
        assert await stopping == Stopped(3, 0)
        ended = await running
    assert isinstance(ended, Ended)
    assert ended.counts == {"cancelled": 3}


def test_the_budget_is_kept_across_tries(batch: Try, control: EmulatorControl) -> None:
    for try_number in (1, 2):
        ended = batch.end(max_submits=10, try_number=try_number)
        assert ended["stopped"] == "budget"
        assert ended["counts"] == {"succeeded": 3, "not_started": 5}
    assert billed(control) == 9


def test_a_pause_that_the_cloud_asks_for_holds_back_all(batch: Try, control: EmulatorControl) -> None:
    control.add_faults(
        {
            "kind": "status",
            "status": 429,
            "headers": {"Retry-After": "3"},
            "method": "POST",
            "path": "BinarizeImage",
        }
    )
    assert batch.end()["counts"] == {"succeeded": 8}
    entries = control.journal()
    refused = next(number for number, entry in enumerate(entries) if entry["status"] == 429)
    times = sorted(entry["time"] for entry in entries[refused:])
    # Requests that were on their way may still arrive.
    assert max(later - earlier for earlier, later in zip(times, times[1:], strict=False)) > 2


def test_it_leaves_the_worker_while_nothing_is_to_be_moved_and_comes_back(tmp_path: Path) -> None:
    with Emulator(Options(engine="canned", task_seconds="1000")) as emulator:
        batch = Try(emulator.url, tmp_path, 8, STEPS[-1:])
        known = Woken("all have ended", durations=(Duration("RecognizeImage", 990.0, 1010.0),) * 12)
        rarely = {"deferrable": True, "defer_idle_seconds": 60, "max_poll_interval_seconds": 600}
        left = batch.leave(woken=known, **rarely)
        assert isinstance(left, Deferral)
        assert [task.ref.source_name for task in left.tasks] == [f"{index}.png" for index in range(8)]
        _, records = read_journal(journal_of(tmp_path))
        assert [record["record"] for record in records] == ["durations", *["document"] * 8]
        assert records[0]["book"]["kinds"]

        emulator.control.advance_clock(1000)
        event = Woken("a share has ended", frozenset({0, 1}), digest_of([task.ref for task in left.tasks]))
        polled = len(emulator.control.journal())
        again = batch.leave(woken=event, resumes=True, **rarely)
        assert isinstance(again, Deferral)
        assert [task.ref.source_name for task in again.tasks] == [f"{index}.png" for index in range(2, 8)]
        asked = [entry["path"] for entry in emulator.control.journal()[polled:] if entry["method"] == "GET"]
        assert (
            sorted(path.rpartition("/")[2] for path in asked)
            == ["GetTaskStatus"] * 2 + ["RecognizeImage"] * 2
        )

        assert batch.end(woken=None, resumes=True)["counts"] == {"succeeded": 8}
        assert results_in(tmp_path) == {
            f"{index}.png.txt": expected_text(index, STEPS[-1:]) for index in range(8)
        }
        assert emulator.control.billing() == {"RecognizeImage": 8}


def test_it_leaves_the_worker_although_the_cloud_is_so_slow_that_some_poll_is_always_under_way(
    tmp_path: Path,
) -> None:
    with Emulator(Options(engine="canned", task_seconds="1000")) as emulator:
        # Answers that take different times keep the polls from all being over at the same moment.
        for seconds, probability in ((1.7, 0.5), (1.0, 1.0)):
            slow = {"kind": "delay", "delay_seconds": seconds, "probability": probability}
            emulator.control.add_faults({**slow, "method": "GET", "path": "*/GetTaskStatus"})
        batch = Try(emulator.url, tmp_path, 8, STEPS[-1:])
        known = Woken("all have ended", durations=(Duration("RecognizeImage", 990.0, 1010.0),) * 12)
        often = {"poll_interval_seconds": 0.1, "max_poll_interval_seconds": 0.2}
        leaves = {"deferrable": True, "defer_idle_seconds": 60, "deadline_at": time.time() + 600, **often}
        assert isinstance(batch.leave(woken=known, **leaves), Deferral)
        # A process that goes on without an event polls all tasks at once, so that each has an answer to take.
        left = batch.leave(woken=None, resumes=True, **leaves)
        assert isinstance(left, Deferral)
        assert len(left.tasks) == 8
        # Each answer of the cloud was taken: leaving throws none away.
        assert all(task.seen_running_at for task in left.tasks)


def test_it_stays_while_durations_are_not_known_and_its_tasks_are_young(
    aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    batch = Try(aspose_ocr_emulator.url, tmp_path, 3)
    aspose_ocr_emulator.control.add_faults({**STUCK, "path": "UpscaleImage", "count": 3})
    ended = batch.leave(deferrable=True, defer_idle_seconds=60, deadline_at=time.time() + 4)
    assert isinstance(ended, Ended)


@pytest.mark.parametrize("after", ["_on_tick", "_on_prepared", "_on_durable"])
def test_a_defect_ends_the_try_instead_of_keeping_it_for_ever(
    batch: Try, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """After a timer, an errand, a commit."""
    monkeypatch.setattr(Machine, after, lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        batch.end()
