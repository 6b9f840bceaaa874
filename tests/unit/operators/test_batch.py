"""The batch operator against the emulator, as Airflow's task runner and triggerer run it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_asposeocr import metrics
from airflow_provider_asposeocr.api.errors import AsposeOcrError, StorageError
from airflow_provider_asposeocr.batch import engine, progress, tripwire
from airflow_provider_asposeocr.batch.__main__ import main
from airflow_provider_asposeocr.batch.ending import Deferral
from airflow_provider_asposeocr.batch.errors import BatchFailedError, JournalFencedError
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.manifest_file import read_manifest, write_manifest
from airflow_provider_asposeocr.batch.opening import open_batch
from airflow_provider_asposeocr.batch.tripwire import BATCH_KEY
from airflow_provider_asposeocr.batch.woken import Duration, Woken, read_event
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.documents.manifest import DocumentError
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import batch_deferral, batch_kill
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from airflow_provider_asposeocr.operators.batch_request import request_of
from airflow_provider_asposeocr.operators.cancel import AsposeOcrCancelTasksOperator
from airflow_provider_asposeocr.operators.fetch import AsposeOcrFetchResultOperator
from airflow_provider_asposeocr.triggers.batch import AsposeOcrBatchTrigger
from tests.support.airflow_names import TaskDeferred
from tests.support.airflow_tasks import PNG, StateStore, context_for, events_of, execute, resume
from tests.support.batch_tasks import running
from tests.support.emulated_cloud import STATUS, deletes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator

STEPS = ["BinarizeImage", {"operation": "RecognizeImage", "settings": {"resultType": "Text"}}]
ONE_STEP = STEPS[1:]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for number in range(6):
        (folder / f"page-{number}.png").write_bytes(PNG + bytes([number]))
    return folder


class Batch:
    """One task instance with several tries; each begins with a new object of the operator, as in a new process."""

    def __init__(self, inbox: Path, retries: int = 2, *, has_store: bool = True) -> None:
        self.store = StateStore() if has_store else None
        self.inbox, self.out = inbox, inbox.parent / "out"
        self.try_number, self.max_tries = 0, retries
        self.last: Any = None
        self.context: Any = None

    def operator(self, **given: Any) -> AsposeOcrBatchOperator:
        fields = {
            "task_id": "read",
            "sources": f"{self.inbox}/",
            "steps": STEPS,
            "destination": f"{self.out}/",
            "aspose_ocr_conn_id": "ocr",
            "poll_interval_seconds": 0.05,
            "max_poll_interval_seconds": 0.1,
            **given,
        }
        return AsposeOcrBatchOperator(**fields)

    def begin(self, **given: Any) -> tuple[AsposeOcrBatchOperator, Any]:
        self.try_number += 1
        operator = self.last = self.operator(**given)
        self.context = context_for(
            operator, store=self.store, try_number=self.try_number, max_tries=self.max_tries
        )
        return operator, self.context

    def begin_deferred(self, **given: Any) -> tuple[AsposeOcrBatchOperator, Any]:
        """Begin a try that was deferred before it had sent anything."""
        operator, context = self.begin(**given)
        with set_current_context(context):
            request, env = request_of(operator, context, holds=False)
            opened = open_batch(request, env.plan, resumes=False)
            env.tripwire.arm(opened.journal.uri, opened.journal.acknowledged)
        return operator, context

    def run(self, **given: Any) -> Any:
        return execute(*self.begin(**given))

    def succeed(self) -> None:
        """What Airflow does after a success."""
        for callback in self.last.on_success_callback:
            callback(self.context)

    def clear(self) -> None:
        self.max_tries = self.try_number + 2

    @property
    def rows(self) -> list[Any]:
        (manifest,) = self.out.rglob("manifests/**/*.jsonl")
        return list(read_manifest(str(manifest)))

    @property
    def journals(self) -> list[Path]:
        return list((self.out / ".aspose-ocr" / "batches").rglob("*.jsonl"))

    def texts(self) -> list[str]:
        return sorted(path.name for path in self.out.glob("*.txt"))


@pytest.fixture
def batch(cloud: EmulatorControl, inbox: Path) -> Batch:
    return Batch(inbox)


@pytest.fixture
def fast(cloud: EmulatorControl, emulator_connection: Callable[..., str]) -> str:
    return emulator_connection(max_requests_per_second=1000)


def submits(cloud: EmulatorControl) -> int:
    return sum(cloud.billing().values())


class TestHold:
    def test_a_folder_is_read_and_each_document_has_a_row(self, batch: Batch, cloud: EmulatorControl) -> None:
        summary = batch.run()
        assert batch.texts() == [f"page-{number}.png.txt" for number in range(6)]
        assert summary["documents"] == summary["succeeded"] == 6
        assert summary["submits"] == submits(cloud) == 12
        assert len(json.dumps(summary)) < 4096
        rows = batch.rows
        assert [Path(row.source).name for row in rows] == [f"page-{number}.png" for number in range(6)]
        assert {row.outcome for row in rows} == {"succeeded"}

    def test_what_steps_have_made_outlasts_the_journal_and_is_no_source_of_the_next_run(
        self, batch: Batch
    ) -> None:
        batch.run(keep_steps=True)
        batch.succeed()
        kept = [Path(row.steps[0].result.uri.removeprefix("file://")) for row in batch.rows]
        assert all(path.is_file() for path in kept)
        assert not batch.journals
        following = Batch(batch.out)
        sources = {"sources": f"{batch.out}/**/*.png", "destination": f"{batch.inbox.parent}/_later/"}
        with pytest.raises(AirflowFailException, match="There is no document"):
            following.run(**sources)

    def test_the_xcom_says_where_journal_and_manifest_are(self, batch: Batch) -> None:
        summary = batch.run()
        found = batch.context["ti"].xcoms[BATCH_KEY]
        assert found["manifest"] == summary["manifest"]
        assert found["size_bytes"] == Path(summary["manifest"].removeprefix("file://")).stat().st_size
        assert str(batch.out) in found["journal"]

    def test_nothing_is_left_after_the_success(self, batch: Batch) -> None:
        batch.run()
        assert batch.journals
        assert batch.store is not None
        assert batch.store.get(BATCH_KEY)["progress"] == {"documents": 6, "succeeded": 6, "submits": 12}
        batch.succeed()
        assert not batch.journals
        assert batch.store.get(BATCH_KEY) is None

    def test_without_a_task_state_store_as_before_airflow_3_3(
        self, cloud: EmulatorControl, inbox: Path
    ) -> None:
        batch = Batch(inbox, has_store=False)
        cloud.add_faults({"kind": "task_error", "count": 1})
        with pytest.raises(BatchFailedError):
            batch.run()
        assert batch.run()["succeeded"] == 6
        assert submits(cloud) == 13

    def test_one_bad_document_stops_no_other_and_the_message_names_it(
        self, batch: Batch, cloud: EmulatorControl, inbox: Path
    ) -> None:
        (inbox / "page-3.png").write_bytes(b"no image at all")
        with pytest.raises((AirflowFailException, BatchFailedError), match=r"page-3\.png") as caught:
            batch.run()
        assert "Of 6 documents, 1 failed" in str(caught.value)
        assert len(batch.texts()) == 5
        assert [row.outcome for row in batch.rows].count("failed") == 1

    def test_few_enough_failures_are_green(self, batch: Batch, inbox: Path) -> None:
        (inbox / "page-3.png").write_bytes(b"no image at all")
        assert batch.run(max_failures=1)["failed"] == 1

    def test_a_retry_submits_only_what_is_not_done(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "task_error", "count": 2})
        with pytest.raises(BatchFailedError):
            batch.run(steps=ONE_STEP)
        assert submits(cloud) == 6
        assert batch.run(steps=ONE_STEP)["succeeded"] == 6
        assert submits(cloud) == 8

    def test_only_the_failed_ones_in_a_new_run_which_says_before_what_is_billed_again(
        self, batch: Batch, cloud: EmulatorControl, inbox: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({"kind": "task_error", "count": 2})
        with pytest.raises((BatchFailedError, AirflowFailException)):
            batch.run(steps=ONE_STEP)
        (manifest,) = batch.out.rglob("manifests/**/*.jsonl")
        again = Batch(inbox)
        failed = {"manifest": str(manifest), "outcome": "failed"}
        summary = again.run(task_id="again", sources=failed)
        assert summary["documents"] == summary["succeeded"] == 2
        # The first batch has not binarized them.
        assert (
            f"2 of the 2 documents have been through some of these steps in the batch of {manifest}."
            in caplog.text
        )
        assert "2 RecognizeImage are billed again." in caplog.text

    def test_the_budget_is_kept(self, batch: Batch, cloud: EmulatorControl) -> None:
        with pytest.raises((BatchFailedError, AirflowFailException), match="max_submits is used up"):
            batch.run(max_submits=7)
        assert submits(cloud) == 6
        assert [row.outcome for row in batch.rows].count("not_started") == 3

    def test_a_retry_with_other_settings_takes_them_for_what_is_not_done(
        self, batch: Batch, cloud: EmulatorControl, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({"kind": "task_error", "path": "RecognizeImage", "count": 2})
        with pytest.raises(BatchFailedError):
            batch.run()
        settings = {"resultType": "Text", "language": "German"}
        summary = batch.run(steps=[STEPS[0], {"operation": "RecognizeImage", "settings": settings}])
        assert (summary["succeeded"], summary["submits"]) == (6, 14)
        assert cloud.billing() == {"BinarizeImage": 6, "RecognizeImage": 8}
        assert "Step 2 was changed since the batch began" in caplog.text
        assert [step.submits for row in batch.rows for step in row.steps].count(2) == 2

    def test_a_vanished_journal_is_never_taken_for_nothing_done(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        cloud.add_faults({"kind": "task_error", "count": 1})
        with pytest.raises(BatchFailedError):
            batch.run(steps=ONE_STEP)
        for part in batch.journals:
            part.unlink()
        with pytest.raises(AirflowFailException, match="may have been billed"):
            batch.run(steps=ONE_STEP)
        assert submits(cloud) == 6

    @pytest.mark.parametrize("policy", ["fail", "resubmit"])
    def test_documents_that_have_failed_for_good_make_the_task_red(
        self, batch: Batch, cloud: EmulatorControl, policy: str
    ) -> None:
        cloud.add_faults({"kind": "drop", "after": "accepted", "method": "POST", "probability": 1.0})
        with pytest.raises(AirflowFailException, match="6 failed"):
            batch.run(steps=ONE_STEP, on_unknown_submit=policy)
        assert {row.outcome for row in batch.rows} == {"failed"}

    def test_a_retry_with_another_account_sends_nothing(
        self,
        batch: Batch,
        cloud: EmulatorControl,
        aspose_ocr_emulator: Emulator,
        connection: Callable[..., str],
    ) -> None:
        batch.begin_deferred(steps=ONE_STEP)
        other = connection("ocr2", host=aspose_ocr_emulator.url, login="another", password="secret")
        with pytest.raises(AirflowFailException, match="begun with another account"):
            batch.run(steps=ONE_STEP, aspose_ocr_conn_id=other)
        assert submits(cloud) == 0

    def test_a_kill_while_the_connection_is_read_is_not_lost(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        operator, context = batch.begin(steps=ONE_STEP)
        operator.on_kill()
        with pytest.raises((BatchFailedError, AirflowFailException), match="told to end"):
            execute(operator, context)
        assert submits(cloud) == 0


def test_a_single_fetch_knows_what_a_batch_has_made(batch: Batch, cloud: EmulatorControl) -> None:
    batch.run(steps=ONE_STEP)
    for number in (0, 1):
        task = AsposeOcrHook("ocr").submit("RecognizeImage", f"{batch.inbox}/page-{number}.png")
        fetch = AsposeOcrFetchResultOperator(
            task_id=f"fetch_{number}", task=task, destination=f"{batch.out}/", file_stem="page-0.png"
        )
        if number == 0:
            assert [result["skipped"] for result in execute(fetch)["results"]] == [False]
        else:
            with pytest.raises(AirflowFailException, match=r"belongs to another document, .*page-0\.png"):
                execute(fetch)


class TestBadInput:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"sources": "/no/such/folder/"}, "There is no folder"),
            ({"destination": "{inbox}/out/"}, "sources"),
            ({"aspose_ocr_conn_id": "no_such_connection"}, "no_such_connection"),
        ],
        ids=str,
    )
    def test_it_fails_before_anything_is_sent(
        self, batch: Batch, cloud: EmulatorControl, inbox: Path, given: dict[str, str], said: str
    ) -> None:
        fields = {name: value.format(inbox=inbox) for name, value in given.items()}
        with pytest.raises(AirflowFailException, match=said):
            batch.run(**fields)
        assert submits(cloud) == 0
        assert not batch.journals

    def test_an_empty_folder(self, batch: Batch, cloud: EmulatorControl, inbox: Path) -> None:
        for path in inbox.iterdir():
            path.unlink()
        with pytest.raises(AirflowFailException):
            batch.run()
        assert submits(cloud) == 0


def killed_after(cloud: EmulatorControl, operator: AsposeOcrBatchOperator, polls: int) -> threading.Thread:
    """Call the operator's kill, as a signal handler would, once the cloud has been polled so often."""

    def kill() -> None:
        cloud.wait_for_request("GET", STATUS, polls)
        operator.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def run_killed(
    cloud: EmulatorControl, operator: AsposeOcrBatchOperator, context: Any, *errors: type[Exception]
) -> None:
    """Run a try that is killed after ten polls, and assert that it ends with one of the errors."""
    thread = killed_after(cloud, operator, 10)
    with pytest.raises(errors):
        execute(operator, context)
    thread.join()


class TestKill:
    def test_a_kill_in_the_last_try_cancels_all_that_run(self, batch: Batch, cloud: EmulatorControl) -> None:
        batch.max_tries = 0
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP)
        run_killed(cloud, operator, context, AirflowFailException, AsposeOcrError)
        assert len(deletes(cloud)) == 6

    def test_a_try_that_was_taken_over_writes_no_manifest(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "hold", "method": "GET", "path": "RecognizeImage", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP)

        def take_over() -> None:
            cloud.wait_for_request("GET", "RecognizeImage", 6, held=True)
            (journal,) = batch.out.glob(".aspose-ocr/batches/*/*/")
            Journal.take_over(ObjectStoragePath(f"file://{journal}"))
            cloud.release()

        thread = threading.Thread(target=take_over)
        thread.start()
        with pytest.raises(JournalFencedError):
            execute(operator, context)
        thread.join()
        assert not list(batch.out.rglob("manifests/**/*.jsonl"))

    def test_an_eviction_leaves_them_to_the_retry_which_bills_nothing_again(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        cloud.add_faults({"kind": "task_stuck", "count": 6, "path": "*"})
        operator, context = batch.begin(steps=ONE_STEP)
        run_killed(cloud, operator, context, AsposeOcrError)
        assert not deletes(cloud)
        assert submits(cloud) == 6
        cloud.clear_faults()

    def test_a_retry_with_other_steps_cancels_what_runs_and_begins_there(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        evicted(batch, cloud)
        steps = [{"operation": "RecognizeImage", "settings": {"resultType": "Text", "language": "German"}}]
        summary = batch.run(steps=steps)
        assert (summary["succeeded"], summary["submits"]) == (6, 10)
        assert len(deletes(cloud)) == 4
        assert submits(cloud) == 10

    @pytest.mark.parametrize(("policy", "max_tries", "cancelled"), [("never", 0, 0), ("always", 2, 6)])
    def test_cancel_on_kill_comes_before_what_airflow_says(
        self, batch: Batch, cloud: EmulatorControl, policy: str, max_tries: int, cancelled: int
    ) -> None:
        batch.max_tries = max_tries
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP, cancel_on_kill=policy)
        run_killed(cloud, operator, context, AirflowFailException, AsposeOcrError)
        assert len(deletes(cloud)) == cancelled

    def test_a_user_s_kill_cancels_although_a_try_is_left(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP)
        context["ti"].state = "failed"
        run_killed(cloud, operator, context, AsposeOcrError)
        assert len(deletes(cloud)) == 6

    def test_a_clear_cancels_what_ran_and_begins_anew(
        self, batch: Batch, cloud: EmulatorControl, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP)
        run_killed(cloud, operator, context, AsposeOcrError)
        assert not deletes(cloud)
        batch.clear()
        assert batch.run(steps=ONE_STEP)["succeeded"] == 6
        assert len(deletes(cloud)) == 6
        assert submits(cloud) == 12
        assert "The tries before have submitted 6 cloud tasks" in caplog.text

    def test_nothing_is_submitted_while_airflow_is_asked(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "hold", "path": STATUS, "count": 1})
        operator, context = batch.begin(steps=ONE_STEP, max_in_flight=1)

        def ask(**_: Any) -> dict[str, Any]:
            cloud.clear_faults()
            with suppress(TimeoutError):
                cloud.wait_for_request("POST", "RecognizeImage", 2, 0.6)
            return {}

        context["ti"].get_task_states = ask

        def kill() -> None:
            cloud.wait_for_request("GET", STATUS, held=True)
            operator.on_kill()

        thread = threading.Thread(target=kill)
        thread.start()
        with pytest.raises(BatchFailedError):
            execute(operator, context)
        thread.join()
        assert submits(cloud) == 1

    def test_what_a_slow_cloud_leaves_no_time_for_is_counted(
        self,
        batch: Batch,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(batch_kill, "KILL_SECONDS", 1.0)
        batch.max_tries = 0
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        cloud.add_faults({"kind": "hold", "method": "DELETE", "path": "*", "count": 4})
        operator, context = batch.begin(steps=ONE_STEP)
        run_killed(cloud, operator, context, AirflowFailException, AsposeOcrError)
        cloud.clear_faults()
        said = re.search(r"(\d) cloud tasks were cancelled, (\d) may still run", caplog.text)
        assert said is not None
        cancelled, left = map(int, said.groups())
        assert left >= 4
        assert cancelled + left == 6

    def test_a_slow_airflow_is_not_waited_for_and_nothing_is_cancelled(
        self,
        batch: Batch,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(batch_kill, "ASK_SECONDS", 0.1, raising=False)
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        operator, context = batch.begin(steps=ONE_STEP)
        answer = threading.Event()

        def ask(**_: Any) -> dict[str, Any]:
            answer.wait(300)
            return {"the_run": {"read": "failed"}}

        context["ti"].get_task_states = ask
        thread = killed_after(cloud, operator, 10)
        with pytest.raises(BatchFailedError):
            execute(operator, context)
        answer.set()
        thread.join()
        assert not deletes(cloud)
        assert "Airflow has not said within 0.1 seconds" in caplog.text

    def test_all_that_a_kill_does_fits_into_the_time_that_airflow_leaves(self) -> None:
        assert batch_kill.ASK_SECONDS + batch_kill.KILL_SECONDS + batch_kill.LAST_SECONDS < 5


class TestRetryIsWorthwhile:
    def test_after_the_execution_timeout_of_one_try(self, batch: Batch, cloud: EmulatorControl) -> None:
        operator, context = batch.begin(steps=ONE_STEP, execution_timeout=timedelta(seconds=60))
        # The deadline of the try, which comes before execution_timeout, has passed when it begins.
        context["ti"].start_date -= timedelta(seconds=45)
        with pytest.raises(BatchFailedError, match="deadline"):
            execute(operator, context)
        assert batch.run(steps=ONE_STEP)["succeeded"] == 6

    def test_not_after_the_deadline_of_the_whole_batch(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        with pytest.raises(AirflowFailException, match="deadline"):
            batch.run(steps=ONE_STEP, batch_timeout_seconds=1)

    def test_where_results_could_not_be_stored_although_failed_documents_are_not_submitted_again(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        (batch.inbox / "more").mkdir()
        (batch.inbox / "more" / "page-6.png").write_bytes(PNG + b"6")
        batch.out.mkdir()
        blocked = batch.out / "more"
        blocked.touch()  # where the folder of the result belongs
        given = {"steps": ONE_STEP, "retry_failed": False}
        with pytest.raises(BatchFailedError, match=r"page-6\.png"):
            batch.run(**given)
        blocked.unlink()
        assert batch.run(**given)["succeeded"] == 7
        assert submits(cloud) == 7

    def test_not_where_only_another_submit_could_help(self, batch: Batch, cloud: EmulatorControl) -> None:
        cloud.add_faults({"kind": "task_error", "count": 1})
        with pytest.raises(AirflowFailException):
            batch.run(steps=ONE_STEP, retry_failed=False)


class Sink:
    """Stands for Airflow's metrics, and adds up values by name and operation."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str | None], float] = defaultdict(float)
        self.times = 0

    def _take(self, name: str, value: float, tags: dict[str, str] | None) -> None:
        self.sent[name, tags["operation"] if tags else None] += value

    def incr(self, name: str, value: int, *, tags: dict[str, str] | None) -> None:
        self._take(name, value, tags)

    def timing(self, name: str, value: float, *, tags: dict[str, str] | None) -> None:
        self.times += 1
        self._take(name, value, tags)


def test_all_tries_together_count_what_was_billed_and_stored(
    batch: Batch, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink()
    monkeypatch.setattr(metrics, "_sink", lambda: sink)
    cloud.add_faults({"kind": "task_error", "path": "RecognizeImage", "count": 2})
    with pytest.raises(BatchFailedError):
        batch.run()
    batch.run()
    sizes = [path.stat().st_size for path in batch.out.glob("*.txt")]
    durations = ("aspose_ocr.cloud_seconds", "aspose_ocr.wait_seconds")
    sent = {name: number for name, number in sink.sent.items() if name[0] not in durations}
    assert sent == {
        **{("aspose_ocr.submits", operation): number for operation, number in cloud.billing().items()},
        ("aspose_ocr.failures", "RecognizeImage"): 2,
        ("aspose_ocr.results", "RecognizeImage"): 6,
        ("aspose_ocr.result_bytes", "RecognizeImage"): sum(sizes),
    }
    # The time in the cloud and the wait for it, of each cloud task that has succeeded.
    assert sink.times == 2 * (6 + 6)


class Teardown:
    """The task instance of a teardown, which sees what the batch has pushed."""

    map_index = -1

    def __init__(self, batch: Batch) -> None:
        self._xcoms = batch.context["ti"].xcoms

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        assert task_ids == ["read"]
        return [self._xcoms.get(key)]


def cancel_left(batch: Batch) -> list[str]:
    context: Any = {"ti": Teardown(batch)}
    return AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids="read").execute(context)


def evicted(batch: Batch, cloud: EmulatorControl) -> str:
    """Let a worker be evicted while four cloud tasks of a batch run; return the URI of the journal."""
    cloud.add_faults({"kind": "task_stuck", "count": 4})
    operator, context = batch.begin(steps=ONE_STEP)
    thread = killed_after(cloud, operator, 10)
    with pytest.raises(AsposeOcrError):
        execute(operator, context)
    thread.join()
    return str(context["ti"].xcoms[BATCH_KEY]["journal"])


class TestTeardown:
    def test_it_cancels_what_a_batch_has_left_running(self, batch: Batch, cloud: EmulatorControl) -> None:
        evicted(batch, cloud)
        assert len(cancel_left(batch)) == 4
        assert len(deletes(cloud)) == 4
        assert sorted(row.outcome for row in batch.rows) == ["cancelled"] * 4 + ["succeeded"] * 2
        assert cancel_left(batch) == []

    def test_it_writes_the_manifest_of_a_batch_of_which_nothing_runs(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        evicted(batch, cloud)
        cancel_left(batch)
        for path in batch.out.rglob("manifests/**/*.jsonl"):
            path.unlink()
        assert cancel_left(batch) == []
        assert sorted(row.outcome for row in batch.rows) == ["cancelled"] * 4 + ["succeeded"] * 2

    def test_it_keeps_the_manifest_that_says_why_documents_were_not_started(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        with pytest.raises((AsposeOcrError, AirflowFailException)):
            batch.run(steps=ONE_STEP, max_submits=2)
        error = DocumentError.of(StorageError("The source cannot be read now.", billed="no"))
        rows = [row.model_copy(update={"error": error}) for row in batch.rows]
        (manifest,) = batch.out.rglob("manifests/**/*.jsonl")
        write_manifest(str(manifest), rows, len(rows))
        assert cancel_left(batch) == []
        assert [row.error for row in batch.rows] == [error] * 6

    def test_a_batch_that_has_succeeded_has_left_nothing(self, batch: Batch, cloud: EmulatorControl) -> None:
        batch.run(steps=ONE_STEP)
        batch.succeed()
        assert cancel_left(batch) == []
        assert not deletes(cloud)


class TestCommandLine:
    def test_it_says_how_far_a_batch_is(
        self, batch: Batch, cloud: EmulatorControl, capsys: pytest.CaptureFixture[str]
    ) -> None:
        journal = evicted(batch, cloud)
        capsys.readouterr()
        assert main(["status", journal]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["succeeded"], said["running"], said["submits"]) == (2, 4, 6)

    def test_it_writes_the_manifest_that_a_killed_worker_could_not(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        journal = evicted(batch, cloud)
        for path in batch.out.rglob("manifests/**/*.jsonl"):
            path.unlink()
        assert main(["manifest", journal]) == 0
        assert [row.outcome for row in batch.rows].count("succeeded") == 2


def taught() -> dict[str, Any]:
    """Return the event of a trigger that has seen how long cloud tasks take, without which no batch defers."""
    return Woken("deadline", durations=(Duration("RecognizeImage", 0.2, 0.4),) * 20).to_event()


@pytest.mark.usefixtures("fast")
class TestDeferral:
    async def test_it_waits_in_the_triggerer_and_goes_on(self, batch: Batch, cloud: EmulatorControl) -> None:
        given = {"steps": ONE_STEP, "deferrable": True, "defer_idle_seconds": 0.1}
        # Polls fail, so that the batch does not learn that the cloud tasks are done, for longer than any of them took.
        cloud.add_faults({"kind": "status", "status": 503, "method": "GET", "path": "*", "probability": 1.0})
        operator, context = await asyncio.to_thread(batch.begin_deferred, **given)
        with pytest.raises(TaskDeferred) as caught:
            await asyncio.to_thread(resume, operator, taught(), context)
        trigger = caught.value.trigger
        assert isinstance(trigger, AsposeOcrBatchTrigger)
        assert caught.value.method_name == "execute_complete"
        assert submits(cloud) == 6
        cloud.clear_faults()
        (event,) = await events_of(trigger)
        assert read_event(event).ended
        summary = await asyncio.to_thread(resume, batch.operator(**given), event, context)
        assert summary["succeeded"] == 6
        assert submits(cloud) == 6

    def test_what_a_trigger_s_row_cannot_hold_is_waited_for_in_the_worker(
        self,
        batch: Batch,
        cloud: EmulatorControl,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        def fits(_: Any) -> bool:
            cloud.clear_faults()
            return False

        monkeypatch.setattr(batch_deferral, "fits_row", fits)
        given = {"steps": ONE_STEP, "deferrable": True, "defer_idle_seconds": 0.1}
        cloud.add_faults({"kind": "status", "status": 503, "method": "GET", "path": "*", "probability": 1.0})
        operator, context = batch.begin_deferred(**given)
        assert resume(operator, taught(), context)["succeeded"] == 6
        assert submits(cloud) == 6
        said = (
            caplog.text + capsys.readouterr().out
        )  # The log of an operator, which differs between versions of Airflow.
        assert "6 cloud tasks do not fit into a trigger's row. The worker waits." in said

    def test_polls_are_as_frequent_as_airflow_is_configured(
        self, batch: Batch, cloud: EmulatorControl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__BATCH_POLLS_PER_SECOND", "7")
        operator, context = batch.begin()
        with set_current_context(context):
            _, env = request_of(operator, context, holds=False)
        trigger = batch_deferral.trigger_of(operator, Deferral(tuple(running(1, 0.0)), 1.0), 0.0)
        assert isinstance(trigger, AsposeOcrBatchTrigger)
        assert (env.polls_per_second, trigger.plan["polls_per_second"]) == (7.0, 7.0)

    @pytest.mark.parametrize("because", ["error", None])
    def test_after_a_wait_that_failed_the_batch_stays_in_its_worker(
        self, batch: Batch, cloud: EmulatorControl, because: Any
    ) -> None:
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        event = {**taught(), "because": because}
        given = {"steps": ONE_STEP, "deferrable": True, "defer_idle_seconds": 0.1, "timeout_seconds": 4.0}
        operator, context = batch.begin_deferred(**given)
        with pytest.raises((BatchFailedError, AirflowFailException), match="6 TaskTimeoutError"):
            resume(operator, event, context)

    def test_a_trigger_that_failed_is_no_end(self, batch: Batch, cloud: EmulatorControl) -> None:
        operator, context = batch.begin_deferred(steps=ONE_STEP)
        with set_current_context(context):
            summary = operator.resume_execution(TRIGGER_FAIL_REPR, {"error": "Trigger failure"}, context)
        assert summary["succeeded"] == 6

    @pytest.mark.parametrize("has_store", [True, False], ids=["airflow 3.3", "before"])
    def test_a_clear_begins_anew_although_airflow_resumes_what_ran_after_a_deferral(
        self, cloud: EmulatorControl, inbox: Path, has_store: bool
    ) -> None:
        """Airflow keeps the method and the event of a deferral when a user clears the task that runs after it."""
        batch = Batch(inbox, has_store=has_store)
        cloud.add_faults({"kind": "task_stuck", "count": 6})
        given = {"steps": ONE_STEP, "deferrable": True, "defer_idle_seconds": 0.1}
        operator, context = batch.begin_deferred(**given)
        with pytest.raises(TaskDeferred) as caught:
            resume(operator, taught(), context)
        assert submits(cloud) == 6
        batch.clear()
        # On a slow machine even a wait for short cloud tasks is worth a deferral, which is not what this try is about.
        operator, context = batch.begin(**{**given, "defer_idle_seconds": 3600.0})
        summary = resume(operator, Woken("a share has ended").to_event(), context, caught.value.kwargs)
        assert summary["succeeded"] == 6
        assert submits(cloud) == 12
        assert len(deletes(cloud)) == 6

    def test_a_clear_begins_anew_where_the_trigger_had_failed(
        self, batch: Batch, cloud: EmulatorControl
    ) -> None:
        batch.begin_deferred(steps=ONE_STEP)
        batch.clear()
        operator, context = batch.begin(steps=ONE_STEP)
        with set_current_context(context):
            summary = operator.resume_execution(TRIGGER_FAIL_REPR, {"error": "Trigger failure"}, context)
        assert summary["succeeded"] == 6

    def test_an_event_that_is_lost_is_none_that_matters(self, batch: Batch, cloud: EmulatorControl) -> None:
        operator, context = batch.begin_deferred(steps=ONE_STEP)
        assert resume(operator, None, context)["succeeded"] == 6

    def test_a_journal_that_is_gone_after_a_deferral_is_an_error_without_a_tripwire_too(
        self, cloud: EmulatorControl, inbox: Path
    ) -> None:
        old_airflow = Batch(inbox, has_store=False)
        operator, context = old_airflow.begin(steps=ONE_STEP)
        with pytest.raises(AirflowFailException, match="There is no journal of a batch"):
            resume(operator, None, context)
        assert submits(cloud) == 0


def test_the_log_and_airflow_s_ui_say_how_far_it_is(
    batch: Batch, cloud: EmulatorControl, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (engine, "LOOK_SECONDS"),
        (engine, "LOOK_WHILE_MOVING_SECONDS"),
        (progress, "FIRST_MENTION_SECONDS"),
        (tripwire, "LEAST_SECONDS_BETWEEN_WRITES"),
    ):
        monkeypatch.setattr(module, name, 0.01)
    caplog.set_level(logging.INFO)
    shown: list[dict[str, Any]] = []

    def show(key: str, value: dict[str, Any], **_: Any) -> None:
        shown.append(value["progress"])
        if shown[-1].get("running"):
            cloud.clear_faults()

    assert batch.store is not None
    monkeypatch.setattr(batch.store, "set", show)
    cloud.add_faults({"kind": "hold", "method": "GET", "path": STATUS, "count": 6})
    batch.run(steps=ONE_STEP)
    assert re.search(r"\d of 6 documents done, 0 failed, \d running in the cloud", caplog.text)
    assert any(each.get("running") and each["documents"] == 6 for each in shown)
    assert shown[-1] == {"documents": 6, "succeeded": 6, "submits": 6}
