from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath
from airflow.sdk.definitions.mappedoperator import MappedOperator

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.errors import DestinationError, SettingsError, StorageError
from airflow_provider_asposeocr.compat import AirflowFailException, TaskDeferralError, TaskDeferralTimeout
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle import worker_kill
from airflow_provider_asposeocr.lifecycle.cancel import KILL_IN_WORKER
from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrDetectRegionsOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeRegionsOperator,
    AsposeOcrSubmitOperator,
    AsposeOcrUpscaleImageOperator,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_names import DagSerialization
from tests.support.airflow_tasks import PNG, context_for, deferral, events_of, execute, resume
from tests.support.emulated_cloud import STATUS, deletes, methods
from tests.support.ocr_tasks import REF, completed, fetch, now_text, recognize
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator

#: The package's own limit; a fixture of the unit tests makes it longer.
KILL_SECONDS = worker_kill.KILL_SECONDS
SUBMITS = [
    cls
    for cls in (getattr(operators, name) for name in operators.__all__)
    if issubclass(cls, AsposeOcrSubmitOperator) and cls is not AsposeOcrSubmitOperator
]


class TestParseTime:
    @pytest.mark.parametrize("make", [lambda **k: recognize("/x", **k), lambda **k: fetch(REF, "/x/", **k)])
    @pytest.mark.parametrize(
        "name",
        [
            "inline_wait_seconds",
            "poll_interval_seconds",
            "max_poll_interval_seconds",
            "timeout_seconds",
            "cancel_on_kill",
        ],
    )
    def test_a_bad_number_or_policy_is_named(self, make: Callable[..., Any], name: str) -> None:
        for bad in (-1, "maybe", float("nan"), float("inf")):
            with pytest.raises(ValueError, match=f"^{name} must be"):
                make(**{name: bad})

    @pytest.mark.parametrize(
        ("name", "bad"),
        [
            ("if_exists", "ask"),
            ("on_incomplete", "ask"),
            ("inline_text_bytes", -1),
            ("inline_text_bytes", 1.5),
            ("inline_text_bytes", True),
        ],
    )
    def test_a_bad_policy_of_the_fetch_is_named(self, name: str, bad: Any) -> None:
        with pytest.raises(ValueError, match=f"^{name} must be"):
            fetch(REF, "/x/", **{name: bad})

    def test_a_bad_policy_of_the_submit_is_named(self) -> None:
        with pytest.raises(ValueError, match="^on_unknown_submit must be one of 'resubmit', 'fail'"):
            recognize("/x", on_unknown_submit="ask")

    def test_an_unknown_operation_is_named(self) -> None:
        with pytest.raises(errors.InputError, match="Did you mean 'RecognizeReceipt'"):
            recognize("/x", AsposeOcrSubmitOperator, operation="RecognizeReciept")

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"langauge": "English"}, "'langauge' does not apply to RecognizeImage"),
            ({"language": "english"}, "Did you mean 'English'"),
            ({"language": "English "}, "'English '"),
            ({"resultType": "Docx"}, "'Docx'"),
            (["English"], "must be a mapping, not list"),
            (5, "must be a mapping, not int"),
            ({"language": "{{ params.x }}", "dsrMode": "DSR"}, "dsrMode"),
        ],
    )
    def test_bad_settings_are_named(self, settings: Any, said: str) -> None:
        with pytest.raises(SettingsError, match=said):
            recognize("/x", settings=settings)

    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (
                lambda: recognize("/x", settings={"language": "eng", "dsrMode": "Region"}),
                ["'English'", "'Regions'", "Correct the settings in the DAG"],
            ),
            (
                lambda: recognize("/x", AsposeOcrSubmitOperator, operation="RecogniseImage"),
                ["'RecognizeImage'", "Correct the DAG."],
            ),
            (
                lambda: recognize("/x", AsposeOcrRecognizeRegionsOperator),
                ["needs regions", "Correct the settings in the DAG"],
            ),
            (lambda: fetch(REF, "out/"), ["is a relative path", "Correct the destination in the DAG."]),
        ],
    )
    def test_an_import_error_says_what_its_reader_can_do(
        self, make: Callable[[], Any], said: list[str]
    ) -> None:
        with pytest.raises((errors.InputError, StorageError)) as caught:
            make()
        assert all(each in str(caught.value) for each in said)
        for meaningless in ("billed", "retry", "clear"):
            assert meaningless not in str(caught.value)

    def test_a_mapped_operator_is_made_when_its_task_runs(self) -> None:
        with pytest.raises(SettingsError, match="then clear the task"):
            recognize("/x", settings={"language": "eng"}, _airflow_from_mapped=True)

    def test_all_numbers_that_make_no_sense_are_named_at_once(self) -> None:
        with pytest.raises(ValueError, match=r"poll_interval_seconds must be .* timeout_seconds must be"):
            recognize("/x", poll_interval_seconds=-1, timeout_seconds=0)

    def test_templates_pass_and_are_checked_once_rendered(self, cloud: EmulatorControl, page: str) -> None:
        for settings in ("{{ params.settings }}", {"language": "{{ params.language }}"}):
            recognize(page, settings=settings)
        for rendered in ({"language": "Klingon"}, '{"language": "Klingon"}', "['English']", "English"):
            operator = recognize(page, settings="{{ params.settings }}")
            operator.settings = rendered
            with pytest.raises(AirflowFailException, match="Klingon|must be a mapping"):
                execute(operator)
        assert cloud.journal() == []

    @pytest.mark.parametrize("regions", [[[1, 2, 3]], [[9, 9, 1, 1]], 5, [], [{"x": 1}], [["a", 1, 2, 3]]])
    def test_bad_regions_are_named(self, regions: Any) -> None:
        with pytest.raises(SettingsError, match=r"[Rr]egion"):
            recognize("/x", AsposeOcrRecognizeRegionsOperator, regions=regions)

    @pytest.mark.parametrize("regions", ["{{ x }}", REF, [[0, 0, 5, 5]], "[[0, 0, 5, 5]]"])
    def test_what_may_be_regions_passes(self, regions: Any) -> None:
        assert recognize("/x", AsposeOcrRecognizeRegionsOperator, regions=regions).regions == regions

    @pytest.mark.parametrize("cls", SUBMITS, ids=lambda cls: cls.__name__)
    def test_in_a_dag(self, cls: Any) -> None:
        special = {"regions": REF} if cls is AsposeOcrRecognizeRegionsOperator else {}
        with DAG("d") as dag:
            upstream = recognize("/x", AsposeOcrUpscaleImageOperator, task_id="upstream")
            one = recognize(upstream.output, cls, task_id="one", **special)
            other = cls.partial(task_id="other", deferrable=True, **special).expand(
                source=["/a.png", "/b.png"]
            )
            done = AsposeOcrTaskSensor(task_id="done", task=one.output)
            kept = fetch(done.output, "/out/", task_id="kept")
            many = AsposeOcrFetchResultOperator.partial(task_id="many", destination="/out/").expand(
                task=other.output
            )
            AsposeOcrTaskSensor.partial(task_id="all_done").expand(task=other.output)
        for operator in (one, done, kept):
            assert all(hasattr(operator, field) for field in operator.template_fields)
        assert isinstance(other, MappedOperator)
        assert isinstance(many, MappedOperator)
        assert one.upstream_task_ids == {"upstream"}
        again = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
        assert set(again.task_dict) == {"upstream", "one", "other", "done", "kept", "many", "all_done"}
        assert again.task_dict["done"].task_type == "AsposeOcrTaskSensor"
        assert tuple(again.task_dict["one"].template_fields) == cls.template_fields

    def test_settings_may_come_from_a_task(self) -> None:
        with DAG("d"):
            upstream = recognize("/x", task_id="upstream")
            operator = recognize("/x", settings=upstream.output, task_id="one")
        assert operator.upstream_task_ids == {"upstream"}

    def test_a_mapped_operator_unmaps(self) -> None:
        with DAG("d"):
            mapped = AsposeOcrBinarizeImageOperator.partial(task_id="t").expand(source=["/a.png"])
        operator: Any = mapped.unmap({"source": "/a.png"})
        assert (operator.operation, operator.source) == ("BinarizeImage", "/a.png")


class TestWait:
    def test_what_is_done_soon_is_not_deferred(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page, deferrable=True, inline_wait_seconds=20)
        context = context_for(operator, map_index=2)
        ref = execute(operator, context)
        assert ref == context["ti"].xcoms["aspose_ocr_task"]
        assert ref["id"] == cloud.tasks()[0]["id"]
        assert (ref["task_id"], ref["map_index"], ref["source_name"]) == ("recognize", 2, "page.png")
        assert json.loads(json.dumps(ref)) == ref
        assert context["aspose_ocr_source_name"] == "page.png"
        asked = methods(cloud)
        assert (asked[0], set(asked[1:])) == ("POST", {"GET"})

    async def test_what_takes_longer_is_deferred_and_comes_back(
        self, cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS", "7")
        operator = recognize(page, deferrable=True, inline_wait_seconds=0, timeout_seconds=100)
        began = time.time()
        deferred = deferral(operator)
        trigger: Any = deferred.trigger
        assert methods(cloud) == ["POST"]
        assert began + 100 <= trigger.plan["deadline_at"] < time.time() + 100
        assert began + deferred.timeout.total_seconds() > trigger.plan["deadline_at"] + 60
        assert began + 7 <= trigger.plan["not_before_at"] <= time.time() + 7
        trigger.plan["not_before_at"] = 0
        (event,) = await events_of(trigger)
        again = recognize(page)
        assert resume(again, event)["id"] == cloud.tasks()[0]["id"]
        again.on_kill()
        assert not deletes(cloud)
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_inline_polls_come_first(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        deferral(recognize(page, deferrable=True, inline_wait_seconds=2))
        assert "GET" in methods(cloud)

    def test_what_ends_during_the_inline_polls_is_not_deferred(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 3})
        execute(recognize(page, deferrable=True, inline_wait_seconds=3600))
        assert methods(cloud) == ["POST", *["GET"] * 4]

    def test_not_deferrable_blocks_until_done(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "count": 3})
        execute(recognize(page, deferrable=False, inline_wait_seconds=0))
        assert methods(cloud) == ["POST", *["GET"] * 4]

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_pipelined_returns_at_once(self, cloud: EmulatorControl, page: str, deferrable: bool) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        execute(recognize(page, wait_for_completion=False, deferrable=deferrable))
        assert methods(cloud) == ["POST"]

    def test_execution_timeout_ends_the_wait_early(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(
            page, deferrable=True, inline_wait_seconds=0, execution_timeout=timedelta(seconds=65)
        )
        context = context_for(operator)
        trigger: Any = deferral(operator, context).trigger
        assert trigger.plan["deadline_at"] == pytest.approx(
            context["ti"].start_date.timestamp() + 60, abs=0.1
        )

    def test_a_wait_is_never_longer_than_the_retention(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page, deferrable=True, inline_wait_seconds=0, timeout_seconds=1e15)
        timeout = deferral(operator).timeout
        assert timedelta(hours=24) < timeout < timedelta(hours=25)

    def test_the_deadline_cancels(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        with pytest.raises(errors.TaskTimeoutError, match="accepted and billed"):
            execute(recognize(page, deferrable=False, timeout_seconds=0.3))
        assert [entry["id"] for entry in deletes(cloud)] == [cloud.tasks()[0]["id"]]

    def test_the_deadline_cancels_after_a_deferral(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        ref = execute(recognize(page, wait_for_completion=False))
        late = {"error": "TaskTimeoutError", "message": "Late.", "operation": "RecognizeImage"}
        with pytest.raises(errors.TaskTimeoutError, match="accepted and billed"):
            resume(recognize(page), {"status": "failed", "task": ref, "error": late})
        assert [entry["id"] for entry in deletes(cloud)] == [ref["id"]]

    def test_a_result_that_came_after_the_deadline_is_not_thrown_away(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        ref = execute(recognize(page))
        late = {"error": "TaskTimeoutError", "message": "Late.", "operation": "RecognizeImage"}
        assert resume(recognize(page), {"status": "failed", "task": ref, "error": late}) == ref
        assert not deletes(cloud)

    def test_a_deadline_s_cancel_is_tried_again(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults(
            {"kind": "task_stuck"}, {"kind": "status", "method": "DELETE", "status": 503, "count": 1}
        )
        with pytest.raises(errors.TaskTimeoutError):
            execute(recognize(page, deferrable=False, timeout_seconds=0.3))
        assert [entry["status"] for entry in deletes(cloud)] == [503, 200]

    def test_what_cannot_be_handed_on_is_cancelled(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(page)
        context = context_for(operator)

        def broken(**_: Any) -> None:
            raise RuntimeError("the API server is away")

        context["ti"].xcom_push = broken
        with pytest.raises(RuntimeError, match="is away"):
            execute(operator, context)
        assert [entry["id"] for entry in deletes(cloud)] == [cloud.tasks()[0]["id"]]

    def test_regions_and_source_of_the_pipelined_mode_are_waited_for(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults({"kind": "task_stuck", "path": "*DetectRegions"})
        detected = execute(recognize(page, AsposeOcrDetectRegionsOperator, wait_for_completion=False))
        operator = recognize(
            page, AsposeOcrRecognizeRegionsOperator, regions=detected, deferrable=True, inline_wait_seconds=0
        )
        waiting = deferral(operator)
        assert waiting.method_name == "execute_after_upstream"
        assert waiting.trigger.serialize()[1]["reference"]["id"] == detected["id"]
        assert cloud.billing() == {"DetectRegions": 1}

    def test_an_owner_whose_polls_failed_for_too_long_leaves_nothing_running(
        self, cloud: EmulatorControl, page: str, tmp_path: Path
    ) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        ref = execute(recognize(page, wait_for_completion=False))
        event = {
            "status": "failed",
            "task": ref,
            "error": {"error": "CloudUnavailableError", "message": "503."},
        }
        consumer = AsposeOcrFetchResultOperator(task_id="fetch", task=ref, destination=f"{tmp_path}/")
        with pytest.raises(errors.CloudUnavailableError):
            resume(consumer, event)
        assert not deletes(cloud)  # its retry waits for it again
        with pytest.raises(errors.CloudUnavailableError):
            resume(recognize(page), event)
        assert [entry["id"] for entry in deletes(cloud)] == [ref["id"]]

    def test_a_task_that_is_not_known_yet_is_cancelled_at_the_deadline_all_the_same(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults({"kind": "task_stuck"}, {"kind": "not_exist", "hidden_seconds": 60})
        with pytest.raises(errors.TaskTimeoutError):
            execute(recognize(page, timeout_seconds=0.2))
        assert len(deletes(cloud)) == 1

    def test_an_owner_whose_polls_failed_for_too_long_still_gets_what_is_done(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        ref = execute(recognize(page))
        event = {
            "status": "failed",
            "task": ref,
            "error": {"error": "CloudUnavailableError", "message": "503."},
        }
        assert resume(recognize(page), event) == ref
        assert not deletes(cloud)

    def test_regions_are_asked_for_before_anything_is_sent(self) -> None:
        with pytest.raises(SettingsError, match="needs regions"):
            recognize("/x", AsposeOcrRecognizeRegionsOperator)

    def test_the_cloud_s_reasons_are_told(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"]})
        operator = recognize(page)
        with pytest.raises(errors.TaskFailedError, match="upside down") as caught:
            execute(operator)
        assert caught.value.task_id == cloud.tasks()[0]["id"]
        reads = [entry["path"] for entry in cloud.journal() if entry["method"] == "GET"]
        names = [path.rsplit("/", 1)[-1] for path in reads]
        assert (set(names[:-1]), names[-1]) == ({"GetTaskStatus"}, "RecognizeImage")
        operator.on_kill()
        assert not deletes(cloud)

    def test_a_task_that_has_failed_by_its_deadline_has_failed_and_not_timed_out(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"]})
        ref = execute(recognize(page, wait_for_completion=False))
        with pytest.raises(errors.TaskFailedError):
            AsposeOcrHook("ocr").wait(ref, poll_interval_seconds=0.02)
        late = {"error": "TaskTimeoutError", "message": "Late.", "operation": "RecognizeImage"}
        with pytest.raises(errors.TaskFailedError, match="upside down"):
            resume(recognize(page), {"status": "failed", "task": ref, "error": late})
        assert not deletes(cloud)

    def test_a_consumer_fails_for_good_and_names_who_to_clear(
        self, cloud: EmulatorControl, page: str, tmp_path: Path
    ) -> None:
        cloud.add_faults({"kind": "task_error", "messages": ["The page is upside down"]})
        ref = execute(recognize(page, wait_for_completion=False))
        with pytest.raises(AirflowFailException, match=r"upside down.*by task 'recognize' of 'the_dag'"):
            execute(fetch(ref, f"{tmp_path}/out/"))

    @pytest.mark.parametrize("event", [None, {}, "completed", {"status": "completed"}])
    def test_a_lost_event_is_no_success(self, cloud: EmulatorControl, tmp_path: Path, event: Any) -> None:
        for operator in (recognize("/x"), fetch(REF, f"{tmp_path}/")):
            with pytest.raises((errors.WaitError, AirflowFailException), match="not understood|not a task"):
                resume(operator, event)

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({"login": "emulator"}, "has no client secret"),
            ({"login": "emulator", "password": "not-the-secret"}, "Correct the client id and secret"),
            (None, "finds no connection 'broken'"),
        ],
    )
    def test_a_task_s_log_says_to_mend_the_connection_and_clear_the_task(
        self,
        cloud: EmulatorControl,
        aspose_ocr_emulator: Emulator,
        connection: Callable[..., str],
        page: str,
        fields: dict[str, str] | None,
        said: str,
    ) -> None:
        if fields is not None:
            connection("broken", host=aspose_ocr_emulator.url, **fields)
        ref = {**REF, "conn_id": "broken", "submitted_at": now_text()}
        sensor = AsposeOcrTaskSensor(
            task_id="wait", task=ref, deferrable=False, poke_interval=0.05, timeout=5
        )
        for operator in (recognize(page, aspose_ocr_conn_id="broken"), fetch(ref, "/out/"), sensor):
            with pytest.raises(AirflowFailException) as caught:
                execute(operator)
            assert said in str(caught.value)
            assert str(caught.value).endswith("then clear the task.")

    def test_a_source_that_is_gone_costs_nothing(self, cloud: EmulatorControl, tmp_path: Path) -> None:
        with pytest.raises(AirflowFailException, match=r"no file.*Nothing was billed"):
            execute(recognize(f"{tmp_path}/gone.png"))
        assert cloud.billing() == {}


class TestUnknownSubmit:
    LOST = ({"kind": "drop"}, {"kind": "status", "status": 503}, {"kind": "html"})

    @pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault["kind"])
    def test_resubmit_once(
        self, cloud: EmulatorControl, page: str, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.add_faults({**fault, "after": "accepted", "path": "RecognizeImage", "method": "POST"})
        ref = execute(recognize(page))
        assert cloud.billing() == {"RecognizeImage": 2}
        assert ref["id"] == cloud.tasks()[1]["id"]
        assert f"RecognizeImage of '{page}' may be billed twice" in caplog.text

    def test_and_only_once(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "drop", "after": "accepted", "method": "POST", "count": 5})
        with pytest.raises(AirflowFailException, match="may have been billed more than once"):
            execute(recognize(page))
        assert cloud.billing() == {"RecognizeImage": 2}

    @pytest.mark.parametrize("fault", LOST, ids=lambda fault: fault["kind"])
    def test_fail(self, cloud: EmulatorControl, page: str, fault: dict[str, Any]) -> None:
        cloud.add_faults({**fault, "after": "accepted", "path": "RecognizeImage", "method": "POST"})
        billed = re.escape(f"RecognizeImage of '{page}' may have been billed; ")
        with pytest.raises(AirflowFailException, match=billed) as caught:
            execute(recognize(page, on_unknown_submit="fail"))
        assert "set on_unknown_submit" not in str(caught.value)
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_what_certainly_was_not_accepted_is_another_thing(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults({"kind": "expired_token", "path": "RecognizeImage", "method": "POST"})
        execute(recognize(page, on_unknown_submit="fail"))
        assert cloud.billing() == {"RecognizeImage": 1}


class TestKill:
    def test_it_cancels_while_the_worker_waits(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(page, deferrable=False, timeout_seconds=2.5)
        ends: list[BaseException] = []

        def work() -> None:
            try:
                execute(operator)
            except errors.AsposeOcrError as error:
                ends.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        cloud.wait_for_request("GET", STATUS)
        operator.on_kill()
        assert [entry["id"] for entry in deletes(cloud)] == [cloud.tasks()[0]["id"]]
        worker.join()
        assert len(ends) == 1
        assert len(deletes(cloud)) == 1

    def test_nothing_is_cancelled_with_never(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page, wait_for_completion=False, cancel_on_kill="never")
        execute(operator)
        operator.on_kill()
        assert not deletes(cloud)

    def test_nothing_is_cancelled_after_completed(
        self, cloud: EmulatorControl, page: str, tmp_path: Path
    ) -> None:
        operator = recognize(page)
        ref = execute(operator)
        operator.on_kill()
        kept = fetch(ref, f"{tmp_path}/out/")
        execute(kept)
        kept.on_kill()
        assert not deletes(cloud)

    def test_a_task_that_was_completed_between_two_polls_stays(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        operator = recognize(page, wait_for_completion=False)
        execute(operator)
        completed(cloud)
        operator.on_kill()
        operator._kill.thread.join(PATIENCE_SECONDS)
        assert not deletes(cloud)

    def test_before_the_submit_there_is_nothing_to_cancel(self, cloud: EmulatorControl, page: str) -> None:
        recognize(page).on_kill()
        assert cloud.journal() == []

    def test_before_the_submit_nothing_is_sent(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page)
        operator.on_kill()
        with pytest.raises(errors.WaitError, match=r"killed before it submitted.*Nothing was billed"):
            execute(operator)
        assert cloud.billing() == {}

    def test_during_the_submit_it_cancels_once_the_id_is_known(
        self, cloud: EmulatorControl, page: str
    ) -> None:
        cloud.add_faults(
            {"kind": "task_stuck"},
            {"kind": "hold", "method": "POST", "path": "RecognizeImage", "after": "accepted"},
        )
        operator = recognize(page)
        ends: list[BaseException] = []

        def work() -> None:
            try:
                execute(operator)
            except errors.WaitError as error:
                ends.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        cloud.wait_for_request("POST", "RecognizeImage", held=True)
        operator.on_kill()
        cloud.release()
        worker.join()
        assert [str(error)[:24] for error in ends] == ["The task was killed whil"]
        assert [entry["id"] for entry in deletes(cloud)] == [cloud.tasks()[0]["id"]]

    @pytest.mark.parametrize("slow", ["GET", "DELETE"])
    def test_it_is_over_before_airflow_kills_the_process(
        self, cloud: EmulatorControl, page: str, slow: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker_kill, "KILL_SECONDS", 0.3)
        monkeypatch.setattr(worker_kill, "KILL_IN_WORKER", replace(KILL_IN_WORKER, ask_seconds=0.1))
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(page, wait_for_completion=False)
        execute(operator)
        cloud.add_faults({"kind": "hold", "method": slow})
        operator.on_kill()  # It returns although the cloud does not answer.
        cloud.wait_for_request(slow, held=True)
        cloud.wait_for_request("DELETE", answered=False)
        cloud.release()

    def test_it_has_less_time_than_airflow_gives_it(self) -> None:
        """Airflow ends the process five seconds after the signal of a kill."""
        assert KILL_IN_WORKER.ask_seconds < KILL_SECONDS <= 4

    def test_it_does_not_wait_for_a_lock_of_the_code_that_it_interrupted(
        self, cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(page, wait_for_completion=False)
        execute(operator)
        monkeypatch.setattr(worker_kill, "KILL_SECONDS", 0.5)
        began = time.monotonic()
        with operator._wait.client._renewal:
            operator.on_kill()
        assert time.monotonic() - began >= 0.5
        cloud.wait_for_request("DELETE")  # it goes on once the lock is free


class TestLostDeferral:
    TIMEOUT = {"error": "Trigger timeout"}

    def test_airflow_s_own_timeout_cancels(self, cloud: EmulatorControl, page: str) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = recognize(page, deferrable=True, inline_wait_seconds=0)
        context = context_for(operator)
        deferral(operator, context)
        again = recognize(page)
        with pytest.raises(TaskDeferralTimeout):
            again.resume_execution("__fail__", self.TIMEOUT, context)
        assert [entry["id"] for entry in deletes(cloud)] == [cloud.tasks()[0]["id"]]

    def test_but_not_what_is_completed(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page, deferrable=True, inline_wait_seconds=0)
        context = context_for(operator)
        deferral(operator, context)
        completed(cloud)
        with pytest.raises(TaskDeferralTimeout):
            recognize(page).resume_execution("__fail__", self.TIMEOUT, context)
        assert not deletes(cloud)

    def test_nothing_was_submitted(self, cloud: EmulatorControl, page: str) -> None:
        operator = recognize(page)
        with pytest.raises(TaskDeferralTimeout):
            operator.resume_execution("__fail__", self.TIMEOUT, context_for(operator))
        assert methods(cloud) == []

    @pytest.mark.parametrize(
        ("failure", "cancelled", "cls"),
        [("Trigger timeout", 1, TaskDeferralTimeout), ("Trigger failure", 0, TaskDeferralError)],
    )
    def test_a_consumer_cancels_when_it_gives_up(
        self,
        cloud: EmulatorControl,
        page: str,
        tmp_path: Path,
        failure: str,
        cancelled: int,
        cls: type[Exception],
    ) -> None:
        cloud.add_faults({"kind": "task_stuck"})
        operator = fetch(execute(recognize(page, wait_for_completion=False)), f"{tmp_path}/")
        with pytest.raises(cls):
            operator.resume_execution("__fail__", {"error": failure}, context_for(operator))
        assert len(deletes(cloud)) == cancelled


class TestFetch:
    @pytest.fixture
    def ref(self, cloud: EmulatorControl, page: str) -> dict[str, Any]:
        task: dict[str, Any] = execute(recognize(page))
        return task

    @pytest.mark.parametrize("form", [lambda ref: ref, json.dumps, str], ids=["dict", "json", "repr"])
    def test_it_writes_and_describes(self, ref: dict[str, Any], tmp_path: Path, form: Any) -> None:
        manifest = execute(fetch(form(ref), f"{tmp_path}/out/"))
        (entry,) = manifest["results"]
        text = (tmp_path / "out" / "page.txt").read_bytes()
        assert (entry["uri"], entry["bytes"]) == (f"{tmp_path}/out/page.txt", len(text))
        assert "text" not in entry
        assert manifest["task"] == ref
        assert json.loads(json.dumps(manifest)) == manifest

    async def test_deferred(self, ref: dict[str, Any], tmp_path: Path) -> None:
        operator = fetch(ref, f"{tmp_path}/out/", deferrable=True, inline_wait_seconds=0)
        trigger: Any = deferral(operator).trigger
        trigger.plan["not_before_at"] = 0
        (event,) = await events_of(trigger)
        resume(operator, event)
        assert (tmp_path / "out" / "page.txt").exists()

    def test_short_text_goes_into_the_manifest(self, ref: dict[str, Any], tmp_path: Path) -> None:
        size = execute(fetch(ref, f"{tmp_path}/out/"))["results"][0]["bytes"]
        (entry,) = execute(fetch(ref, f"{tmp_path}/out/", inline_text_bytes=size))["results"]
        assert entry["text"] == (tmp_path / "out" / "page.txt").read_text()
        (entry,) = execute(fetch(ref, f"{tmp_path}/out/", inline_text_bytes=size - 1))["results"]
        assert "text" not in entry

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"kind": "bad_base64"}, errors.ResultCorruptError),
            ({"kind": "html"}, errors.UnexpectedResponseError),
            ({"kind": "truncate"}, errors.AsposeOcrError),
            ({"kind": "truncate", "chunked": True}, errors.AsposeOcrError),
            ({"kind": "no_results"}, AirflowFailException),
        ],
        ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
    )
    def test_a_broken_result_writes_nothing_and_stays_fetchable(
        self,
        ref: dict[str, Any],
        cloud: EmulatorControl,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        fault: dict[str, Any],
        error: type[Exception],
    ) -> None:
        monkeypatch.setattr(
            "airflow_provider_asposeocr.api.http.retrying.RequestRetry.wait_seconds", lambda *_: 0.01
        )
        cloud.add_faults({**fault, "method": "GET", "path": "RecognizeImage", "probability": 1.0})
        operator = fetch(ref, f"{tmp_path}/out/")
        with pytest.raises(error) as caught:
            execute(operator)
        assert ref["id"] in str(caught.value)
        operator.on_kill()
        assert not (tmp_path / "out").exists()
        assert not deletes(cloud)
        cloud.clear_faults()
        execute(fetch(ref, f"{tmp_path}/out/"))
        assert [path.name for path in (tmp_path / "out").glob("[!.]*")] == ["page.txt"]
        assert cloud.billing() == {"RecognizeImage": 1}

    def test_a_destination_that_takes_nothing(
        self, ref: dict[str, Any], cloud: EmulatorControl, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises((StorageError, AirflowFailException)) as caught:
            execute(fetch(ref, f"{tmp_path}/file/out/"))
        assert ref["id"] in str(caught.value)
        assert not deletes(cloud)
        (tmp_path / "file").unlink()
        execute(fetch(ref, f"{tmp_path}/file/out/"))
        assert (tmp_path / "file" / "out" / "page.txt").exists()

    def test_one_file_for_two_results(self, cloud: EmulatorControl, page: str, tmp_path: Path) -> None:
        ref = execute(recognize(page, settings={"resultType": "TextAndPdf"}))
        with pytest.raises(AirflowFailException, match=r"2 results.*End it with a slash") as caught:
            execute(fetch(ref, tmp_path / "page.txt"))
        assert ref["id"] in str(caught.value)
        assert not (tmp_path / "page.txt").exists()
        execute(fetch(ref, f"{tmp_path}/out/"))
        assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == ["page.pdf", "page.txt"]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"destination": "out/"}, "relative path"),
            ({"destination": "/outbox"}, "a folder or as a file"),
            ({"destination": Path("/outbox/")}, "a folder or as a file"),
            ({"destination": ObjectStoragePath("s3://bucket/outbox/")}, "a folder or as a file"),
            ({"file_stem": "../x"}, "visible file"),
            ({"file_stem": 3.1}, r"render_template_as_native_obj.*\| tojson"),
        ],
        ids=str,
    )
    def test_a_bad_place_is_refused_before_the_wait(
        self, cloud: EmulatorControl, given: dict[str, Any], message: str
    ) -> None:
        given = {"destination": "/x/", **given}
        if not isinstance(given.get("file_stem"), float):
            with pytest.raises(
                DestinationError, match=message
            ):  # when the DAG is parsed, where it is no template
                AsposeOcrFetchResultOperator(task_id="fetch", task=REF, **given)
        operator = fetch(REF, "{{ destination }}", file_stem="{{ stem }}")
        operator.destination, operator.file_stem = given["destination"], given.get("file_stem")
        with pytest.raises(AirflowFailException, match=message):
            execute(operator)
        assert cloud.journal() == []

    @pytest.mark.parametrize("one_file", [False, True])
    def test_another_document_s_result_is_left_alone(
        self, cloud: EmulatorControl, tmp_path: Path, one_file: bool
    ) -> None:
        destination = f"{tmp_path}/out/page.txt" if one_file else f"{tmp_path}/out/"
        refs = []
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "page.png").write_bytes(PNG)
            refs.append(execute(recognize(f"{tmp_path}/{folder}/page.png")))
        execute(fetch(refs[0], destination))
        with pytest.raises(AirflowFailException, match=r"belongs to another document, file://.*/a/page\.png"):
            execute(fetch(refs[1], destination))
        execute(fetch(refs[0], destination))  # cleared
        manifest = execute(fetch(refs[1], f"{tmp_path}/other/"))  # corrected and cleared: nothing is lost
        assert manifest["source"] == f"{tmp_path}/b/page.png"
        assert cloud.billing() == {"RecognizeImage": 2}

    @pytest.mark.parametrize(
        ("value", "shown"), [("3.10", "3.1"), ("20261129", "20261129"), ("True", "True"), ("0x10", "16")]
    )
    def test_native_rendering_loses_no_text_in_silence(
        self, cloud: EmulatorControl, value: str, shown: str, tmp_path: Path
    ) -> None:
        def rendered(operator: Any) -> Any:
            operator.render_template_fields({"params": {"no": value}})
            return operator

        with DAG("native", render_template_as_native_obj=True):
            stem = fetch(REF, f"{tmp_path}/", file_stem="{{ params.no }}")
            kept = fetch(REF, f"{tmp_path}/", task_id="kept", file_stem="{{ params.no | tojson }}")
            source = recognize("/x.png", aspose_ocr_conn_id="{{ params.no }}")
        with pytest.raises(AirflowFailException, match=f"file_stem is a text, not {shown}.*tojson"):
            execute(rendered(stem))
        with pytest.raises(AirflowFailException, match=f"id of a connection, not {shown}.*tojson"):
            execute(rendered(source))
        assert rendered(kept).file_stem == value
        assert cloud.journal() == []

    def test_an_expired_reference_is_refused_without_a_request(
        self, cloud: EmulatorControl, tmp_path: Path
    ) -> None:
        with pytest.raises(AirflowFailException, match=r"was kept until 2026-03-02.*clear that task"):
            execute(fetch(REF, f"{tmp_path}/"))
        assert cloud.journal() == []

    def test_incomplete_results(self, cloud: EmulatorControl, page: str, tmp_path: Path) -> None:
        cloud.add_faults({"kind": "partial"})
        ref = execute(recognize(page, settings={"resultType": "TextAndPdf"}))
        with pytest.raises(AirflowFailException, match="PartiallyNotFound"):
            execute(fetch(ref, f"{tmp_path}/out/"))
        assert not (tmp_path / "out").exists()
        manifest = execute(fetch(ref, f"{tmp_path}/out/", on_incomplete="keep"))
        assert "PartiallyNotFound" in manifest["shortfall"]
        assert [entry["type"] for entry in manifest["results"]] == ["Text"]

    def test_a_task_reference_that_is_none(self, cloud: EmulatorControl, tmp_path: Path) -> None:
        for task in ("id-1", None, {}, {**REF, "operation": "R/../m"}):
            with pytest.raises(AirflowFailException, match="not a task reference"):
                execute(fetch(task, f"{tmp_path}/"))
        assert cloud.journal() == []


class TestRegions:
    @pytest.fixture
    def detected(self, cloud: EmulatorControl, page: str) -> dict[str, Any]:
        task: dict[str, Any] = execute(recognize(page, AsposeOcrDetectRegionsOperator))
        return task

    @pytest.mark.parametrize("form", [lambda ref: ref, json.dumps], ids=["dict", "json"])
    def test_from_detect_regions(
        self, cloud: EmulatorControl, page: str, detected: dict[str, Any], form: Any
    ) -> None:
        execute(recognize(page, AsposeOcrRecognizeRegionsOperator, regions=form(detected)))
        assert cloud.billing() == {"DetectRegions": 1, "RecognizeRegions": 1}

    @pytest.mark.parametrize(
        "regions",
        [
            [[0, 0, 5, 5], [5, 5, 9, 9]],
            "[[0, 0, 5, 5]]",
            ((0, 0, 5, 5),),
            [{"order": 0, "rect": {"topLeftX": 0, "topLeftY": 0, "bottomRightX": 5, "bottomRightY": 5}}],
        ],
    )
    def test_given(self, cloud: EmulatorControl, page: str, regions: Any) -> None:
        execute(recognize(page, AsposeOcrRecognizeRegionsOperator, regions=regions))
        assert cloud.billing() == {"RecognizeRegions": 1}

    @pytest.mark.parametrize(
        "regions", [5, "abc", {}, "{}", [], "[]", [5], "[[1]]", {"operation": 1, "id": 2}]
    )
    def test_wrong_after_rendering(self, cloud: EmulatorControl, page: str, regions: Any) -> None:
        operator = recognize(page, AsposeOcrRecognizeRegionsOperator, regions="{{ x }}")
        operator.regions = regions
        with pytest.raises(AirflowFailException, match="Correct the"):
            execute(operator)
        assert cloud.billing() == {}

    def test_a_reference_to_something_else(self, cloud: EmulatorControl, page: str) -> None:
        ref = execute(recognize(page))
        with pytest.raises(AirflowFailException, match="not the list of DetectRegions") as caught:
            execute(recognize(page, AsposeOcrRecognizeRegionsOperator, regions=ref))
        assert ref["id"] in str(caught.value)
