"""What a person reads in the log of a task and in the grid while it runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_asposeocr.api.errors import AsposeOcrError, StorageError, TaskFailedError
from airflow_provider_asposeocr.api.polling import progress
from airflow_provider_asposeocr.compat import AirflowFailException, AirflowSensorTimeout
from airflow_provider_asposeocr.failing import fail_task
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle import cancel
from airflow_provider_asposeocr.lifecycle.cancel import CancelRule
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_tasks import context_for, deferral, events_of, execute, resume
from tests.support.emulated_cloud import STATUS, STUCK
from tests.support.ocr_tasks import fetch, recognize

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


class TestALineEach:
    @pytest.fixture
    def said(self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
        """Return what was logged: the operators' lines go to Airflow's logger, those of the wait to Python's."""
        caplog.set_level("INFO")
        return lambda: capsys.readouterr().out + caplog.text

    def test_of_a_task_that_waits_in_the_worker(
        self, cloud: EmulatorControl, page: str, tmp_path: Path, said: Callable[[], str]
    ) -> None:
        ref = execute(recognize(page, deferrable=False))
        execute(fetch(ref, f"{tmp_path}/out/"))
        text = said()
        task = rf"RecognizeImage {ref['id']} \(page\.png\)"
        for line in (
            r"Submitting page\.png \(28 bytes\) to RecognizeImage as ocr ",
            rf"Submitted {task} in \d+ s: accepted, which is billed; 28 bytes, SHA-256 [0-9a-f]{{64}}",
            rf"Waiting for {task} until at most \d\d:\d\d UTC, in 60 min",
            rf"{task} is completed, \d+ s after its submit, after \d+ polls?",
            rf"Wrote {tmp_path}/out/page\.txt \(Text, \d+ bytes\)",
        ):
            assert re.search(line, text), line

    def test_of_a_folder_whose_name_would_colour_the_log(
        self, cloud: EmulatorControl, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        execute(fetch(execute(recognize(page, deferrable=False)), f"{tmp_path}/\x1b[31mout/"))
        (wrote,) = [line for line in capsys.readouterr().out.splitlines() if "Wrote" in line]
        assert "\x1b" not in wrote
        assert r"\x1b[31mout/page.txt" in wrote

    def test_of_a_deferral(self, cloud: EmulatorControl, page: str, said: Callable[[], str]) -> None:
        deferred = deferral(recognize(page, deferrable=True, inline_wait_seconds=0, timeout_seconds=1200))
        task = rf"RecognizeImage {cloud.tasks()[0]['id']} \(page\.png\)"
        line = rf"Deferring the wait for {task} until at most \d\d:\d\d UTC, in 20 min"
        assert re.search(line, said())
        assert deferred.method_name == "execute_complete"

    def test_of_a_wait_with_the_hook(
        self, cloud: EmulatorControl, page: str, said: Callable[[], str]
    ) -> None:
        hook = AsposeOcrHook("ocr")
        hook.wait(hook.submit("RecognizeImage", page), poll_interval_seconds=0.02, timeout_seconds=1200)
        text = said()
        assert re.search(r"Waiting for RecognizeImage .* in 20 min", text)
        assert re.search(r"\(page\.png\) is completed, \d+ s after its submit, after \d+ polls?", text)

    async def test_of_the_trigger_which_mentions_a_long_wait(
        self,
        cloud: EmulatorControl,
        page: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        monkeypatch.setattr(progress, "FIRST_MENTION_SECONDS", 0.0)
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"]})
        trigger = deferral(recognize(page, deferrable=True, inline_wait_seconds=0)).trigger
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 1})
        with caplog.at_level("INFO"):
            await events_of(trigger)
        task = rf"RecognizeImage {trigger.reference['id']} \(page\.png\)"
        assert re.search(rf"Waiting for {task} until at most \d\d:\d\d UTC, in 60 min", caplog.text)
        assert re.search(
            rf"Still waiting for {task}: \d+ s after its submit, 1 poll; the deadline is \d\d:\d\d",
            caplog.text,
        )
        # The worker logs an error of the task, once.
        assert not [entry for entry in caplog.records if entry.levelname == "ERROR"]


class TestAFailure:
    """One line with the whole sentence, before Airflow's traceback, and no chain that repeats it."""

    @staticmethod
    def errors_in(said: str) -> list[str]:
        return [line for line in said.splitlines() if "[error " in line]

    def one_error(self, capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
        (line,) = self.errors_in(capsys.readouterr().out)
        assert str(error) in line
        assert error.__cause__ is None
        assert error.__suppress_context__

    @pytest.mark.parametrize("resumed", [False, True])
    def test_that_a_retry_may_mend(
        self, cloud: EmulatorControl, page: str, resumed: bool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"]})
        ref = execute(recognize(page, wait_for_completion=False)) if resumed else None
        failed = {"error": "TaskFailedError", "message": "Failed.", "task_id": ref and ref["id"]}
        event = {"status": "failed", "task": ref, "error": failed}
        operator = recognize(page, deferrable=False)
        with pytest.raises(TaskFailedError, match="upside down") as caught:
            resume(operator, event) if resumed else execute(operator)
        self.one_error(capsys, caught.value)

    def test_that_no_retry_mends(self, cloud: EmulatorControl, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(AirflowFailException, match="no file") as caught:
            execute(recognize("/gone.png"))
        self.one_error(capsys, caught.value)

    def test_of_a_document_that_may_have_been_billed(
        self, cloud: EmulatorControl, page: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({"kind": "drop", "after": "accepted", "method": "POST", "path": "RecognizeImage"})
        with pytest.raises(AirflowFailException, match="may have been billed") as caught:
            execute(recognize(page, on_unknown_submit="fail"))
        assert [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"] == [
            str(caught.value)
        ]
        assert caught.value.__cause__ is None

    def test_of_a_sensor(
        self,
        cloud: EmulatorControl,
        page: str,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(cancel, "IN_WORKER", CancelRule(0.3))
        ref = execute(recognize(page, wait_for_completion=False))
        late = {"error": "TaskTimeoutError", "message": "Late.", "operation": "RecognizeImage"}
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "probability": 1.0})
        sensor = AsposeOcrTaskSensor(task_id="sensor", task=ref)
        with pytest.raises(AirflowSensorTimeout) as caught:
            resume(sensor, {"status": "failed", "task": ref, "error": late})
        self.one_error(capsys, caught.value)

    @pytest.mark.parametrize(
        ("cause", "kept"),
        [(OSError("disk full"), False), (OSError("quota of the bucket"), True), (None, False)],
        ids=["repeats the message", "says more", "no cause"],
    )
    def test_a_cause_stays_where_it_says_more(self, cause: OSError | None, kept: bool) -> None:
        error: AsposeOcrError = StorageError("Could not write: disk full.")
        error.__cause__ = cause

        class Log:
            def error(self, *_: Any) -> None: ...

        with pytest.raises(StorageError) as caught:
            fail_task(Log(), str(error), error)
        assert (caught.value.__cause__ is not None) == kept


class TestTheNameOfAMappedRow:
    @pytest.fixture
    def sent(self, monkeypatch: pytest.MonkeyPatch, cloud: EmulatorControl) -> list[tuple[str, int]]:
        """What Airflow was told of the row, and how many documents had been submitted by then."""
        sent: list[tuple[str, int]] = []

        class Supervisor:
            def send(self, message: Any) -> None:
                sent.append((message.rendered_map_index, sum(cloud.billing().values())))

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
        return sent

    def test_is_there_before_the_document_is_sent_and_so_before_the_wait(
        self, cloud: EmulatorControl, page: str, sent: list[tuple[str, int]]
    ) -> None:
        operator = recognize(page, deferrable=True, inline_wait_seconds=0)
        context = context_for(operator, map_index=3)
        deferral(operator, context)
        assert sent == [("3: page.png", 0)]
        # So that Airflow sends the same when the task ends.
        assert context["ti"].rendered_map_index == "3: page.png"

    def test_a_consumer_has_it_before_its_wait(
        self, cloud: EmulatorControl, page: str, tmp_path: Path, sent: list[tuple[str, int]]
    ) -> None:
        cloud.add_faults(STUCK)
        ref = execute(recognize(page, wait_for_completion=False))
        for operator in (
            fetch(ref, f"{tmp_path}/out/", deferrable=True, inline_wait_seconds=0),
            AsposeOcrTaskSensor(task_id="sensor", task=ref, deferrable=True, inline_wait_seconds=0),
            recognize(ref, deferrable=True, inline_wait_seconds=0),
        ):
            deferral(operator, context_for(operator, map_index=3))
        assert sent == [("3: page.png", 1)] * 3

    def test_is_the_user_s_where_there_is_a_template(
        self, cloud: EmulatorControl, page: str, sent: list[tuple[str, int]]
    ) -> None:
        operator = recognize(page)
        context = context_for(operator, map_index=3)
        context["map_index_template"] = "{{ mine }}"
        execute(operator, context)
        assert sent == []
        assert context["map_index_template"] == "{{ mine }}"

    @pytest.mark.parametrize("map_index", [-1, None])
    def test_a_row_that_is_not_mapped_has_none(
        self, cloud: EmulatorControl, page: str, sent: list[tuple[str, int]], map_index: Any
    ) -> None:
        operator = recognize(page)
        execute(operator, context_for(operator, map_index=map_index))
        assert sent == []

    def test_costs_no_task_where_airflow_does_not_take_it(
        self, cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Supervisor:
            def send(self, message: Any) -> None:
                raise RuntimeError("Airflow's API is away")

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
        operator = recognize(page)
        assert execute(operator, context_for(operator, map_index=3))["source_name"] == "page.png"
