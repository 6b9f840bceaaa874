"""Guards for decisions of the submit and its wait: the opposite decision would bill twice, or leave a cloud task running."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api import errors, tasks
from airflow_provider_asposeocr.compat import AirflowFailException, TaskDeferralError, TaskDeferralTimeout
from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.policies import SubmitPolicies
from airflow_provider_asposeocr.lifecycle.store import StoredRecord
from airflow_provider_asposeocr.lifecycle.submit import TaskSubmit
from airflow_provider_asposeocr.operators import (
    AsposeOcrDetectRegionsOperator,
    AsposeOcrRecognizeRegionsOperator,
    AsposeOcrUpscaleImageOperator,
)
from airflow_provider_asposeocr.operators.map_index import name_map_index
from tests.support.airflow_tasks import StateStore, context_for, execute, resume
from tests.support.emulated_cloud import STATUS, STUCK, deletes, methods
from tests.support.ocr_tasks import recognize
from tests.support.task_instances import Instance

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

LATE = {"error": "TaskTimeoutError", "message": "Late.", "operation": "RecognizeImage"}


@pytest.mark.parametrize("name", ["reuse", "on_expired"])
def test_a_bad_policy_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be one of"):
        recognize("/x", **{name: "ask"})


class TestSend:
    def test_a_try_after_a_kill_before_the_answer_sends_no_second_one(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        """The next try must know that the first may have been billed."""
        cloud.add_faults({"kind": "drop", "after": "accepted", "method": "POST", "path": "RecognizeImage"})
        hook, store = AsposeOcrHook("ocr"), StateStore()
        identity = Identity(operation="RecognizeImage", source=page, version=None, settings="", account="")
        submit = TaskSubmit(
            hook.client_of, StoredRecord(store, 3), identity, SubmitPolicies("retry", "resubmit", "fail")
        )
        with (
            hook.prepared("RecognizeImage", page) as send,
            pytest.raises(errors.SubmitUnknownError, match="may have been billed"),
        ):
            submit.send(send, killed=lambda: bool(cloud.billing()))
        assert cloud.billing() == {"RecognizeImage": 1}
        left = StoredRecord(store, 3).readable
        assert left is not None
        assert left.phase == "intent"

    @pytest.mark.parametrize("left", [True, False], ids=["a try is left", "no try is left"])
    def test_what_cannot_be_handed_on_waits_for_the_try_that_finds_it(
        self, cloud: EmulatorControl, page: str, left: bool
    ) -> None:
        cloud.add_faults(STUCK)
        instance = Instance(page, retries=1 if left else 0)
        instance.try_number += 1
        operator = instance.operator(wait_for_completion=False)
        context = instance.context(operator)

        def broken(**_: Any) -> None:
            raise RuntimeError("the API server is away")

        context["ti"].xcom_push = broken
        with pytest.raises(RuntimeError, match="is away"):
            execute(operator, context)
        assert len(deletes(cloud)) == (not left)


class TestFind:
    def test_a_refused_question_submits_nothing_and_hands_nothing_on(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        instance.run()
        cloud.add_faults({"kind": "status", "status": 400, "path": STATUS, "count": 1})
        with pytest.raises(AirflowFailException):
            instance.run()
        assert cloud.billing() == {"RecognizeImage": 1}
        assert not deletes(cloud)

    def test_another_account_submits_and_the_old_one_s_task_is_cancelled_there(
        self, cloud: EmulatorControl, instance: Instance, connection: Callable[..., str]
    ) -> None:
        with Emulator(Options(engine="canned")) as elsewhere:
            connection("old", host=elsewhere.url, login="emulator", password="emulator")
            elsewhere.control.add_faults(STUCK)
            first = instance.run(aspose_ocr_conn_id="old")
            second = instance.run()
            assert first["id"] != second["id"]
            assert [entry["id"] for entry in deletes(elsewhere.control)] == [first["id"]]
        assert cloud.billing() == {"RecognizeImage": 1}
        assert not deletes(cloud)

    def test_the_same_account_under_another_name_is_asked_by_the_name_that_submitted(
        self,
        cloud: EmulatorControl,
        instance: Instance,
        connection: Callable[..., str],
        aspose_ocr_emulator: Emulator,
    ) -> None:
        emulator = aspose_ocr_emulator
        connection("old", host=emulator.url, login=emulator.client_id, password=emulator.client_secret)
        first = instance.run(aspose_ocr_conn_id="old")
        assert instance.run() == first
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_a_connection_that_is_gone_does_not_keep_a_cleared_task_from_its_submit(
        self,
        cloud: EmulatorControl,
        instance: Instance,
        connection: Callable[..., str],
        aspose_ocr_emulator: Emulator,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        emulator = aspose_ocr_emulator
        connection("old", host=emulator.url, login=emulator.client_id, password=emulator.client_secret)
        first = instance.run(aspose_ocr_conn_id="old")
        monkeypatch.delenv("AIRFLOW_CONN_OLD")
        instance.clear()
        assert instance.run()["id"] != first["id"]


class TestVanished:
    """
    A try may submit again at once only for a vanished cloud task that an earlier try submitted. If its own one vanishes, a
    user has cancelled it.
    """

    def test_in_the_worker(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tasks, "YOUNG_SECONDS", 0.0)
        cloud.add_faults(STUCK, {"kind": "not_exist", "hidden_seconds": 60})
        with pytest.raises(errors.TaskUnknownError):
            instance.run(wait_for_completion=True, deferrable=False)
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_after_a_deferral(self, cloud: EmulatorControl, instance: Instance) -> None:
        ref = instance.run()
        operator = instance.operator()
        gone = {"error": "TaskUnknownError", "message": "Gone.", "task_id": ref["id"]}
        event = {"status": "failed", "task": ref, "error": gone}
        with pytest.raises(errors.TaskUnknownError):
            resume(operator, event, instance.context(operator))
        assert cloud.billing() == {"RecognizeImage": 1}


def test_polls_that_failed_in_the_triggerer_leave_the_task_to_the_retry(
    cloud: EmulatorControl, instance: Instance
) -> None:
    """The process that resumes has not submitted, and knows of its record all the same."""
    cloud.add_faults(STUCK)
    ref = instance.run()
    operator = instance.operator()
    event = {"status": "failed", "task": ref, "error": {"error": "CloudUnavailableError", "message": "503."}}
    with pytest.raises(errors.CloudUnavailableError):
        resume(operator, event, instance.context(operator))
    assert not deletes(cloud)
    assert instance.run() == ref


class TestDeadline:
    def test_what_could_not_be_cancelled_is_found_by_the_retry(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults(STUCK, {"kind": "status", "status": 400, "method": "DELETE", "count": 1})
        with pytest.raises(errors.TaskTimeoutError):
            instance.run(wait_for_completion=True, deferrable=False, timeout_seconds=0.3)
        assert instance.record is not None
        instance.run()
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_a_question_without_an_answer_is_asked_again_before_the_cancel(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults(STUCK)
        ref = execute(recognize(page, wait_for_completion=False))
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 1})
        with pytest.raises(errors.TaskTimeoutError):
            resume(recognize(page), {"status": "failed", "task": ref, "error": LATE})
        assert methods(cloud) == ["POST", "GET", "GET", "DELETE"]

    @pytest.mark.parametrize(
        ("first", "second"), [("UpscaleImage", "DetectRegions"), ("DetectRegions", "UpscaleImage")]
    )
    def test_of_two_upstreams_the_one_that_is_late_is_cancelled(
        self, cloud: EmulatorControl, page: str, first: str, second: str
    ) -> None:
        """The task waits for one upstream after the other, and must cancel the second, not the first."""
        cloud.add_faults({**STUCK, "path": second, "method": "POST"})
        refs = {
            "UpscaleImage": execute(
                recognize(page, AsposeOcrUpscaleImageOperator, wait_for_completion=False)
            ),
            "DetectRegions": execute(
                recognize(page, AsposeOcrDetectRegionsOperator, wait_for_completion=False)
            ),
        }
        cloud.add_faults({**STUCK, "path": first, "method": "GET", "count": 1})
        operator = recognize(
            refs["UpscaleImage"],
            AsposeOcrRecognizeRegionsOperator,
            regions=refs["DetectRegions"],
            deferrable=False,
            timeout_seconds=0.5,
        )
        with pytest.raises(AirflowFailException, match="deadline"):
            execute(operator)
        assert [entry["id"] for entry in deletes(cloud)] == [refs[second]["id"]]


def test_reasons_that_cannot_be_read_are_not_the_news(cloud: EmulatorControl, page: str) -> None:
    cloud.add_faults(
        {"kind": "task_error", "messages": ["The page is upside down"]},
        {"kind": "status", "status": 400, "method": "GET", "path": "RecognizeImage", "count": 1},
    )
    with pytest.raises(errors.TaskFailedError, match="failed in the cloud"):
        execute(recognize(page))


class TestLost:
    """Airflow's trigger, or its event, is lost, and with it the reference: what the record says is cancelled."""

    @pytest.fixture(params=[True, False], ids=["a try is left", "no try is left"])
    def left(self, request: pytest.FixtureRequest) -> bool:
        left: bool = request.param
        return left

    @staticmethod
    def submitted(cloud: EmulatorControl, page: str, left: bool) -> tuple[Any, Any]:
        cloud.add_faults(STUCK)
        instance = Instance(page, retries=1 if left else 0)
        instance.run()
        operator = instance.operator()
        context = instance.context(operator)

        def gone(**_: Any) -> Any:
            raise RuntimeError("no XCom")

        context["ti"].xcom_pull = gone
        return operator, context

    def test_a_broken_event(self, cloud: EmulatorControl, page: str, left: bool) -> None:
        operator, context = self.submitted(cloud, page, left)
        with pytest.raises(errors.WaitError, match="not understood"):
            resume(operator, None, context)
        assert len(deletes(cloud)) == (not left)

    def test_a_failed_trigger(self, cloud: EmulatorControl, page: str, left: bool) -> None:
        operator, context = self.submitted(cloud, page, left)
        with pytest.raises(TaskDeferralError):
            operator.resume_execution("__fail__", {"error": "Trigger failure"}, context)
        assert len(deletes(cloud)) == (not left)

    def test_a_reference_that_cannot_be_read_hides_nothing(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page)
        context = context_for(operator)

        def gone(**_: Any) -> Any:
            raise RuntimeError("no XCom")

        context["ti"].xcom_pull = gone
        with pytest.raises(TaskDeferralTimeout):
            operator.resume_execution("__fail__", {"error": "Trigger timeout"}, context)


def test_a_hostile_name_labels_a_mapped_task_harmlessly() -> None:
    context = context_for(recognize("/x"), map_index=3)
    name_map_index(context, "\x1b[2J\n" + "x" * 1000)
    said = json.loads(json.dumps(context["aspose_ocr_source_name"]))
    assert said.isprintable()
    assert len(said) <= 120
