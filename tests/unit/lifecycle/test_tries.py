"""Several tries of one task instance against the emulated cloud: what is billed, what is cancelled, what the log says."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr import clients
from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.compat import AirflowFailException, TaskDeferralError
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle import cancel
from airflow_provider_asposeocr.lifecycle.cancel import CancelRule
from airflow_provider_asposeocr.lifecycle.record import KEY
from tests.support.airflow_tasks import PNG, StateStore, deferral, events_of, execute, resume
from tests.support.emulated_cloud import STATUS, STUCK, deletes
from tests.support.ocr_tasks import completed, recognize
from tests.support.task_instances import Instance

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

REATTACHED = "re-attached, nothing billed again"


class TestRetry:
    @pytest.mark.parametrize("fault", [None, STUCK], ids=["Completed", "Pending"])
    def test_it_takes_up_the_task_of_the_try_that_died(
        self, cloud: EmulatorControl, instance: Instance, fault: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        if fault:
            cloud.add_faults(fault)
        first = instance.run()
        if not fault:
            completed(cloud)
        assert instance.run() == first
        assert cloud.billing() == {"RecognizeImage": 1}
        assert REATTACHED in caplog.text
        assert deletes(cloud) == []

    def test_also_without_the_file_that_went_in(
        self, cloud: EmulatorControl, instance: Instance, page: str
    ) -> None:
        first = instance.run()
        Path(page).unlink()
        assert instance.run() == first

    def test_a_cloud_that_does_not_answer_is_no_reason_to_submit(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = instance.run()
        waits: list[float] = []
        (client,) = clients._clients.values()
        monkeypatch.setattr(client, "_sleep", waits.append)
        cloud.add_faults({"kind": "status", "status": 503, "method": "GET", "count": 4})
        assert instance.run() == first
        assert waits
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_a_young_task_that_not_every_server_knows_yet(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults({"kind": "not_exist", "hidden_polls": 1})
        first = instance.run()
        assert instance.run() == first

    def test_an_unknown_status_fails_and_submits_nothing(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        instance.run()
        cloud.add_faults({"kind": "unknown_status", "path": STATUS, "count": 9})
        with pytest.raises(AirflowFailException, match="unknown task status"):
            instance.run(wait_for_completion=True)
        assert cloud.billing() == {"RecognizeImage": 1}
        assert deletes(cloud) == []

    def test_after_an_error_it_submits_again(self, cloud: EmulatorControl, instance: Instance) -> None:
        cloud.add_faults({"kind": "task_error"})
        first = instance.run()
        completed_or_failed(first)
        assert instance.run()["id"] != first["id"]
        assert cloud.billing() == {"RecognizeImage": 2}

    def test_after_the_task_has_vanished_it_submits_again(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        first = instance.run()
        AsposeOcrHook("ocr").cancel(first)
        instance.age(60)
        assert instance.run()["id"] != first["id"]

    def test_a_result_that_has_expired_is_the_user_s_decision(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        first = instance.run()
        AsposeOcrHook("ocr").cancel(first)
        instance.age(25 * 3600)
        with pytest.raises(AirflowFailException, match="was kept until"):
            instance.run()
        assert cloud.billing() == {"RecognizeImage": 1}
        assert instance.run(on_expired="resubmit")["id"] != first["id"]

    def test_a_clear_does_what_the_error_advises(self, cloud: EmulatorControl, instance: Instance) -> None:
        first = instance.run(reuse="always")
        AsposeOcrHook("ocr").cancel(first)
        instance.age(25 * 3600)
        instance.clear()
        with pytest.raises(AirflowFailException, match="was kept until"):
            instance.run(reuse="always")
        instance.clear()
        assert instance.run(reuse="always")["id"] != first["id"]

    def test_another_input_is_another_submit(
        self, cloud: EmulatorControl, instance: Instance, page: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({**STUCK, "count": 3})
        first = instance.run()
        Path(page).write_bytes(PNG + b"\0")
        second = instance.run()
        assert "version changed since" in caplog.text
        third = instance.run(settings={"language": "German"})
        assert len({first["id"], second["id"], third["id"]}) == 3
        assert [entry["id"] for entry in deletes(cloud)] == [first["id"], second["id"]]

    def test_never_means_never(self, cloud: EmulatorControl, instance: Instance) -> None:
        cloud.add_faults(STUCK)
        first = instance.run()
        assert instance.run(reuse="never")["id"] != first["id"]
        assert [entry["id"] for entry in deletes(cloud)] == [first["id"]]

    def test_the_deadline_s_cancel_is_not_looked_for_again(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults(STUCK)
        with pytest.raises(errors.TaskTimeoutError):
            instance.run(wait_for_completion=True, deferrable=False, timeout_seconds=0.3)
        assert instance.record is None

    def test_polls_that_fail_leave_the_task_to_the_retry(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__ERROR_BUDGET_SECONDS", "0.1")
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "probability": 1.0})
        with pytest.raises(errors.CloudUnavailableError):
            instance.run(wait_for_completion=True, deferrable=False)
        assert deletes(cloud) == []
        cloud.clear_faults()
        instance.run(wait_for_completion=True, deferrable=False)
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_but_not_if_no_retry_comes_of_it(self, cloud: EmulatorControl, instance: Instance) -> None:
        cloud.add_faults(STUCK, {"kind": "status", "status": 400, "path": STATUS, "count": 1})
        with pytest.raises(AirflowFailException):
            instance.run(wait_for_completion=True, deferrable=False)
        assert len(deletes(cloud)) == 1

    def test_where_no_try_is_left_the_log_says_what_may_run_on(
        self,
        cloud: EmulatorControl,
        page: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A cancel without the cloud's answer could delete a result that is paid for."""
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__ERROR_BUDGET_SECONDS", "0.1")
        monkeypatch.setattr(cancel, "IN_WORKER", CancelRule(0.3))
        cloud.add_faults(STUCK, {"kind": "status", "status": 503, "path": STATUS, "probability": 1.0})
        with pytest.raises(errors.CloudUnavailableError):
            Instance(page, retries=0).run(wait_for_completion=True, deferrable=False)
        assert not deletes(cloud)
        assert "may still run" in caplog.text


def completed_or_failed(ref: dict[str, Any]) -> None:
    with pytest.raises(errors.TaskFailedError):
        AsposeOcrHook("ocr").wait(ref, poll_interval_seconds=0.02)


class TestUnknown:
    def test_a_try_that_died_while_it_submitted(
        self, cloud: EmulatorControl, instance: Instance, caplog: pytest.LogCaptureFixture
    ) -> None:
        die_while_submitting(cloud, instance)
        instance.run()
        assert "may be billed twice" in caplog.text
        assert cloud.billing() == {"RecognizeImage": 2}

    def test_only_one_may_do_so(self, cloud: EmulatorControl, instance: Instance) -> None:
        die_while_submitting(cloud, instance)
        die_while_submitting(cloud, instance)
        with pytest.raises(AirflowFailException, match="may have been billed more than once"):
            instance.run()
        assert cloud.billing() == {"RecognizeImage": 2}
        instance.clear()
        instance.run()

    def test_a_human_decides(self, cloud: EmulatorControl, instance: Instance, page: str) -> None:
        die_while_submitting(cloud, instance)
        message = f"RecognizeImage of '{page}'.*may have been billed; on_unknown_submit is 'fail'"
        with pytest.raises(AirflowFailException, match=message):
            instance.run(on_unknown_submit="fail")
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_what_certainly_was_not_accepted_leaves_no_doubt(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults({"kind": "status", "status": 400, "method": "POST", "path": "RecognizeImage"})
        with pytest.raises(AirflowFailException, match="Nothing was billed"):
            instance.run(on_unknown_submit="fail")
        assert instance.record is None
        instance.run(on_unknown_submit="fail")

    def test_a_record_that_cannot_be_written_after_the_submit_does_not_lose_the_task(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unless_submitted(key: str, value: Any, **given: Any) -> None:
            if value["phase"] == "submitted":
                raise RuntimeError("Airflow's API is away")
            StateStore.set(instance.store, key, value, **given)

        monkeypatch.setattr(instance.store, "set", unless_submitted)
        assert instance.run()["id"] == cloud.tasks()[0]["id"]

    def test_and_then_an_eviction_cancels_since_no_retry_would_find_it(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keep = instance.store.set

        def unless_submitted(key: str, value: Any, **given: Any) -> None:
            if value["phase"] == "submitted":
                raise RuntimeError("Airflow's API is away")
            keep(key, value, **given)

        monkeypatch.setattr(instance.store, "set", unless_submitted)
        killed_while_waiting(cloud, instance, "running")
        assert len(deletes(cloud)) == 1

    def test_an_accepted_task_is_watched_without_asking_airflow_again(
        self, cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Otherwise it would not be cancelled in the last try if Airflow's API fails during the submit."""
        get_connection = AsposeOcrHook.get_connection

        def before_the_submit(_: Any, conn_id: str) -> Any:
            assert not cloud.billing(), "Airflow's API is away"
            return get_connection(conn_id)

        monkeypatch.setattr(AsposeOcrHook, "get_connection", before_the_submit)
        cloud.add_faults(STUCK)
        with pytest.raises(errors.TaskTimeoutError):
            Instance(page, retries=0).run(wait_for_completion=True, deferrable=False, timeout_seconds=0.3)
        assert len(deletes(cloud)) == 1

    def test_another_input_does_not_begin_the_count_anew(
        self, cloud: EmulatorControl, instance: Instance, page: str
    ) -> None:
        die_while_submitting(cloud, instance)
        Path(page).write_bytes(PNG + b"\0")
        with pytest.raises(AirflowFailException, match="on_unknown_submit is 'fail'"):
            instance.run(on_unknown_submit="fail")
        assert cloud.billing() == {"RecognizeImage": 1}


class TestUnreadableRecord:
    """A document may have been billed, and what the record says of it is unknown: the user's policy decides."""

    @staticmethod
    def spoil(instance: Instance, stored: Any) -> None:
        instance.store.stored[KEY] = json.dumps(stored)

    #: Each leaves another part of the record readable.
    SPOILED = pytest.mark.parametrize(
        "change",
        [
            {"schema_version": 2},
            {"phase": "other"},
            {"identity": {}},
            {"task": {"operation": "Fly"}},
            {"max_tries": "three"},
            "garbage",
        ],
        ids=str,
    )

    def spoil_one(self, instance: Instance, change: Any) -> None:
        self.spoil(instance, {**(instance.record or {}), **change} if isinstance(change, dict) else change)

    @SPOILED
    def test_a_human_decides_and_a_clear_begins_anew(
        self, cloud: EmulatorControl, instance: Instance, change: Any
    ) -> None:
        instance.run()
        self.spoil_one(instance, change)
        for _ in range(2):
            with pytest.raises(
                AirflowFailException, match="may have been billed; on_unknown_submit is 'fail'"
            ):
                instance.run(on_unknown_submit="fail")
        assert cloud.billing() == {"RecognizeImage": 1}
        instance.clear()
        instance.run(on_unknown_submit="fail")
        assert cloud.billing() == {"RecognizeImage": 2}

    @SPOILED
    def test_it_is_sent_once_more_and_the_log_says_why(
        self, cloud: EmulatorControl, instance: Instance, change: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        first = instance.run()
        self.spoil_one(instance, change)
        second = instance.run()
        assert second["id"] != first["id"]
        assert "cannot be read" in caplog.text
        assert "may be billed twice" in caplog.text
        assert instance.run() == second
        self.spoil(instance, {**(instance.record or {}), "phase": "other"})
        with pytest.raises(AirflowFailException, match="may have been billed more than once"):
            instance.run()
        assert cloud.billing() == {"RecognizeImage": 2}

    @pytest.mark.parametrize("place", ["identity", "task"])
    def test_an_operation_that_was_edited_in_one_place_is_not_taken_for_another_dag(
        self, cloud: EmulatorControl, instance: Instance, place: str
    ) -> None:
        instance.run()
        record = instance.record or {}
        self.spoil(instance, {**record, place: {**record[place], "operation": "RecognizePdf"}})
        with pytest.raises(AirflowFailException, match="may have been billed; on_unknown_submit is 'fail'"):
            instance.run(on_unknown_submit="fail")
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_the_task_of_an_operation_that_only_a_newer_version_knows_is_not_left_running(
        self, cloud: EmulatorControl, instance: Instance, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The table of operations tells upper from lower case, the emulator does not."""
        cloud.add_faults({**STUCK, "count": 1})
        first = instance.run()
        record = instance.record or {}
        unknown = {"operation": "RECOGNIZEIMAGE"}
        changed = {place: {**record[place], **unknown} for place in ("identity", "task")}
        self.spoil(instance, {**record, **changed})
        second = instance.run(on_unknown_submit="fail")
        assert "operation changed since" in caplog.text
        assert [task["id"] for task in cloud.tasks() if task["deleted"]] == [first["id"]]
        assert second["operation"] == "RecognizeImage"

    def test_the_wait_goes_on_whose_record_was_spoiled_meanwhile(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        instance.try_number += 1
        operator = instance.operator(deferrable=True, inline_wait_seconds=0, wait_for_completion=True)
        deferred = deferral(operator, instance.context(operator))
        self.spoil(instance, "garbage")
        completed(cloud)
        (ended,) = resume_in_new_process(instance, deferred)
        assert ended["id"] == cloud.tasks()[0]["id"]
        for callback in operator.on_success_callback:
            callback(instance.context(operator))
        assert instance.record is None
        assert cloud.billing() == {"RecognizeImage": 1}
        assert deletes(cloud) == []

    def test_a_task_that_failed_in_the_cloud_does_not_make_a_spoiled_record_absent(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        ref = instance.run()
        self.spoil(instance, {**(instance.record or {}), "schema_version": 2})
        operator = instance.operator()
        failed = {"error": "TaskFailedError", "message": "Failed.", "task_id": ref["id"]}
        with pytest.raises(errors.TaskFailedError):
            resume(operator, {"status": "failed", "task": ref, "error": failed}, instance.context(operator))
        assert instance.record is not None
        with pytest.raises(AirflowFailException, match="on_unknown_submit is 'fail'"):
            instance.run(on_unknown_submit="fail")

    def test_a_lost_deferral_is_cancelled_by_what_xcom_knows(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults(STUCK)
        instance = Instance(page, retries=0)
        instance.try_number += 1
        operator = instance.operator(deferrable=True, inline_wait_seconds=0, wait_for_completion=True)
        context = instance.context(operator)
        deferral(operator, context)
        self.spoil(instance, "garbage")
        with pytest.raises(TaskDeferralError):
            instance.operator().resume_execution("__fail__", {"error": "Trigger failure"}, context)
        assert len(deletes(cloud)) == 1


class _Killed(BaseException):
    """SIGKILL, as far as the operator can tell: nothing runs after it."""


def die_while_submitting(cloud: EmulatorControl, instance: Instance) -> None:
    """Let a try send its document, have it accepted, and end before the answer."""

    def send(self: Any, *arguments: Any) -> Any:
        sent(self, *arguments)
        raise _Killed

    sent = AsposeOcrHook._send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AsposeOcrHook, "_send", send)
        with pytest.raises(_Killed):
            instance.run()


class TestClear:
    def test_a_running_one_is_cancelled_and_submitted_anew(
        self, cloud: EmulatorControl, instance: Instance, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults(STUCK)
        first = instance.run()
        instance.clear()
        assert instance.run()["id"] != first["id"]
        assert [entry["id"] for entry in deletes(cloud)] == [first["id"]]
        assert "the task was cleared" in caplog.text

    def test_so_is_one_that_not_every_server_knows_yet(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults(STUCK, {"kind": "not_exist", "hidden_seconds": 10, "count": 1})
        first = instance.run()
        instance.clear()
        instance.run()
        assert [entry["id"] for entry in deletes(cloud)] == [first["id"]]

    def test_a_finished_one_stays_in_the_cloud(self, cloud: EmulatorControl, instance: Instance) -> None:
        first = instance.run()
        completed(cloud)
        instance.clear()
        assert instance.run()["id"] != first["id"]
        assert deletes(cloud) == []

    def test_always_means_also_after_a_clear(self, cloud: EmulatorControl, instance: Instance) -> None:
        first = instance.run(reuse="always")
        instance.clear()
        assert instance.run(reuse="always") == first
        assert cloud.billing() == {"RecognizeImage": 1}

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_an_inherited_task_that_is_cancelled_under_its_heir_is_submitted_once_more_never_twice(
        self, cloud: EmulatorControl, instance: Instance, deferrable: bool
    ) -> None:
        cloud.add_faults({**STUCK, "count": 2})
        first = instance.run()
        instance.age(60)
        instance.try_number += 1
        operator = instance.operator(deferrable=deferrable, inline_wait_seconds=0)
        context = instance.context(operator)
        ends: list[Any] = []

        def work() -> None:
            try:
                ends.append(execute(operator, context))
            except errors.AsposeOcrError as error:
                ends.append(error)

        if deferrable:
            deferred = deferral(operator, context)
            AsposeOcrHook("ocr").cancel(first)
            ends = resume_in_new_process(instance, deferred)
        else:
            worker = threading.Thread(target=work)
            worker.start()
            cloud.wait_for_request("GET", STATUS, count=2)
            AsposeOcrHook("ocr").cancel(first)
            cloud.wait_for_request("POST", "RecognizeImage", count=2)
            operator._kill.killed = True
            worker.join()
        assert cloud.billing() == {"RecognizeImage": 2}
        assert instance.record is not None
        assert not instance.record["inherited"]
        assert len(ends) == 1


def resume_in_new_process(instance: Instance, deferred: Any) -> list[Any]:
    import asyncio

    from airflow.sdk.execution_time.context import set_current_context

    events = asyncio.run(events_of(deferred.trigger))
    operator = instance.operator(deferrable=True, inline_wait_seconds=0)
    context = instance.context(operator)
    with set_current_context(context):
        try:
            return [operator.resume_execution(deferred.method_name, {"event": events[0]}, context)]
        except BaseException as error:  # deferred again
            return [error]


def killed_while_waiting(cloud: EmulatorControl, instance: Instance, state: str | None) -> str:
    """Kill a try while it waits; returns its end."""
    cloud.add_faults(STUCK)
    instance.try_number += 1
    operator = instance.operator(deferrable=False)
    context = instance.context(operator)
    context["ti"].state = state
    ends: list[str] = []

    def work() -> None:
        try:
            execute(operator, context)
        except errors.AsposeOcrError as error:
            ends.append(str(error))

    worker = threading.Thread(target=work)
    worker.start()
    cloud.wait_for_request("GET", STATUS)
    operator.on_kill()
    worker.join()
    return ends[0]


class TestKill:
    """`last_try`: a process that is killed while a try is left asks Airflow whether a user killed the task."""

    def test_an_eviction_leaves_the_task_to_the_retry(
        self, cloud: EmulatorControl, instance: Instance, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert "killed while it waited" in killed_while_waiting(cloud, instance, "running")
        assert deletes(cloud) == []
        assert f"{cloud.tasks()[0]['id']} continues without this process" in caplog.text
        instance.run()
        assert cloud.billing() == {"RecognizeImage": 1}

    @pytest.mark.parametrize("state", ["failed", "success", "restarting", None])
    def test_a_user_cancels_it(self, cloud: EmulatorControl, instance: Instance, state: str | None) -> None:
        killed_while_waiting(cloud, instance, state)
        assert len(deletes(cloud)) == 1

    @pytest.mark.parametrize("given", [{"cancel_on_kill": "always"}, {"reuse": "never"}], ids=str)
    def test_who_does_not_come_back_cancels(
        self, cloud: EmulatorControl, page: str, given: dict[str, Any]
    ) -> None:
        killed_while_waiting(cloud, Instance(page, **given), "running")
        assert len(deletes(cloud)) == 1

    @pytest.mark.parametrize("state", ["up_for_retry", "running"])
    def test_a_process_that_airflow_gave_up_does_not_take_the_task_from_its_retry(
        self, cloud: EmulatorControl, instance: Instance, state: str
    ) -> None:
        killed_while_waiting(cloud, instance, state)
        assert deletes(cloud) == []

    def test_so_does_the_last_try(self, cloud: EmulatorControl, page: str) -> None:
        killed_while_waiting(cloud, Instance(page, retries=0), "running")
        assert len(deletes(cloud)) == 1

    def test_never_leaves_it_after_any_kill(self, cloud: EmulatorControl, page: str) -> None:
        killed_while_waiting(cloud, Instance(page, retries=0, cancel_on_kill="never"), "failed")
        assert deletes(cloud) == []


class TestNothingStaleIsLeft:
    @pytest.mark.parametrize(("reuse", "left"), [("retry", False), ("never", False), ("always", True)])
    def test_after_the_success(
        self, cloud: EmulatorControl, instance: Instance, reuse: str, left: bool
    ) -> None:
        instance.run(reuse=reuse)
        operator = instance.operator(reuse=reuse)
        for callback in operator.on_success_callback:
            callback(instance.context(operator))
        assert (KEY in instance.store.stored) is left

    def test_the_pipelined_mode_cancels_what_a_cleared_task_has_left_running(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults(STUCK)
        instance.run(wait_for_completion=False)
        operator = instance.operator(wait_for_completion=False)
        for callback in operator.on_success_callback or ():
            callback(instance.context(operator))
        instance.clear()
        instance.run(wait_for_completion=False)
        assert len(deletes(cloud)) == 1
        assert cloud.billing() == {"RecognizeImage": 2}

    def test_the_user_s_callbacks_stay(self, instance: Instance) -> None:
        def mine(_: Any) -> None: ...

        assert instance.operator(on_success_callback=mine).on_success_callback[0] is mine
        assert len(instance.operator(on_success_callback=[mine, mine]).on_success_callback) == 3


def test_without_a_store_it_works_and_says_what_is_lost(
    cloud: EmulatorControl, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        execute(recognize(page, wait_for_completion=False))
    assert cloud.billing() == {"RecognizeImage": 2}
    assert capsys.readouterr().out.count("Crash recovery is off") == 2
