from __future__ import annotations

import json
from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError, WaitError
from airflow_provider_asposeocr.api.polling.poller import Finished
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.config import event_delay_seconds
from airflow_provider_asposeocr.lifecycle.event import event_of, outcome_of
from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizeImageOperator
from airflow_provider_asposeocr.operators.map_index import name_map_index
from airflow_provider_asposeocr.parameters import check_choice, check_seconds, rendered
from tests.support.airflow_tasks import context_for
from tests.support.error_classes import all_errors

REF = {
    "operation": "RecognizeImage",
    "id": "id-1",
    "submitted_at": "2026-03-01T12:00:00+00:00",
    "conn_id": "ocr",
    "dag_id": "d",
    "run_id": "r",
    "task_id": "recognize",
}


class TestNumbers:
    @pytest.mark.parametrize("value", [-1, -0.1, 0, float("nan"), float("inf"), -float("inf"), "5", True, []])
    def test_a_bad_one_is_named(self, value: Any) -> None:
        with pytest.raises(ValueError, match="timeout_seconds must be"):
            check_seconds(timeout_seconds=value)

    @pytest.mark.parametrize("value", [None, 1, 0.5])
    def test_a_good_one_passes(self, value: Any) -> None:
        check_seconds(timeout_seconds=value, inline_wait_seconds=0)

    def test_a_choice(self) -> None:
        check_choice("if_exists", "skip", ("fail", "skip"))
        with pytest.raises(ValueError, match="if_exists must be one of 'fail', 'skip', not 'never'"):
            check_choice("if_exists", "never", ("fail", "skip"))


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (json.dumps(REF), REF),
        (str(REF), REF),
        (f"\n {REF}\n", REF),
        ("[1, 2]", [1, 2]),
        ("{broken", "{broken"),
        ("[" * 100_000, "[" * 100_000),
        ("/a/path", "/a/path"),
        ("42", "42"),
        (None, None),
        (REF, REF),
    ],
)
def test_what_a_template_made_of_a_reference_is_read_back(value: Any, read: Any) -> None:
    assert rendered(value) == read


class TestEventDelay:
    @pytest.mark.parametrize(
        ("environment", "seconds"),
        [
            ({"CORE__EXECUTOR": "LocalExecutor"}, 8),
            ({"CORE__EXECUTOR": "LocalExecutor", "WORKERS__MIN_HEARTBEAT_INTERVAL": "10"}, 13),
            ({"CORE__EXECUTOR": "CeleryExecutor,LocalExecutor"}, 8),
            ({"CORE__EXECUTOR": "CeleryExecutor"}, 0),
            ({"CORE__EXECUTOR": "LocalExecutor", "ASPOSE_OCR__EVENT_DELAY_SECONDS": "2.5"}, 2.5),
            ({"CORE__EXECUTOR": "LocalExecutor", "ASPOSE_OCR__EVENT_DELAY_SECONDS": "0"}, 0),
            ({"CORE__EXECUTOR": "CeleryExecutor", "ASPOSE_OCR__EVENT_DELAY_SECONDS": "-1"}, 0),
        ],
    )
    def test_only_the_local_executor_needs_one(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], seconds: float
    ) -> None:
        monkeypatch.delenv("AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS")
        for name, value in environment.items():
            monkeypatch.setenv(f"AIRFLOW__{name}", value)
        assert event_delay_seconds() == seconds


class TestEvent:
    @pytest.mark.parametrize("cls", list(all_errors()), ids=lambda cls: cls.__name__)
    def test_every_error_crosses_the_database(self, cls: type[AsposeOcrError]) -> None:
        sent = cls("What happened.", operation="RecognizeImage", task_id="id-1", http_status=503)
        event = json.loads(json.dumps(event_of(REF, Finished(sent))))
        ref, error = outcome_of(event)
        assert ref.id == "id-1"
        assert type(error) is cls
        assert str(error) == str(sent)

    @pytest.mark.parametrize(
        "event",
        [None, {}, [], "completed", 7, {"status": "success", "task": REF}, {"status": None, "task": REF}],
    )
    def test_what_is_no_event_is_loud(self, event: Any) -> None:
        with pytest.raises(WaitError, match="missing or not understood"):
            outcome_of(event)

    @pytest.mark.parametrize("task", [None, {}, {"id": "x"}, "id-1", []])
    def test_an_event_without_a_task_is_loud(self, task: Any) -> None:
        with pytest.raises(InputError, match="not a task reference"):
            outcome_of({"status": "completed", "task": task})

    @pytest.mark.parametrize("error", [None, {}, [], "text", 5, {"error": "FutureError"}, {"message": None}])
    def test_a_failure_stays_a_failure(self, error: Any) -> None:
        _, raised = outcome_of({"status": "failed", "task": REF, "error": error})
        assert isinstance(raised, AsposeOcrError)
        assert str(raised)


class TestWhatAirflowDoesNext:
    """Airflow fails at once on AirflowFailException and retries after anything else."""

    @pytest.mark.parametrize("cls", list(all_errors()), ids=lambda cls: cls.__name__)
    def test_who_submitted_retries_what_a_retry_can_mend(self, cls: type[AsposeOcrError]) -> None:
        operator = AsposeOcrRecognizeImageOperator(task_id="t", source="/x")
        error = cls("What happened.")
        with pytest.raises(cls if cls.retryable else AirflowFailException, match="What happened"):
            operator._fail(error)

    @pytest.mark.parametrize("cls", list(all_errors(errors.TaskError)), ids=lambda cls: cls.__name__)
    def test_who_only_waits_cannot_mend_the_task_and_names_who_can(self, cls: type[AsposeOcrError]) -> None:
        operator = AsposeOcrFetchResultOperator(task_id="t", task=REF, destination="/x/")
        ref = outcome_of({"status": "completed", "task": REF})[0]
        if cls is errors.TaskPendingError:
            with pytest.raises(cls):
                operator._fail(cls("Still running."), ref)
            return
        with pytest.raises(
            AirflowFailException, match="by task 'recognize' of 'd', run 'r': clear that task"
        ):
            operator._fail(cls("What happened."), ref)


class TestMapIndex:
    @staticmethod
    def label(context: Any, native: bool = False) -> Any:
        from jinja2 import Environment

        environment: Any = NativeEnvironment() if native else Environment()  # as Airflow does
        return environment.from_string(context["map_index_template"]).render(context)

    @pytest.mark.parametrize("native", [False, True])
    @pytest.mark.parametrize("name", ["page.png", "2024", "1.5", "{{ 40 + 2 }}", "[1]", "None", "'"])
    def test_a_mapped_task_is_shown_by_its_document(self, name: str, native: bool) -> None:
        context = context_for(AsposeOcrRecognizeImageOperator(task_id="t", source="/x"), map_index=3)
        name_map_index(context, name)
        assert self.label(context, native) == f"3: {name}"

    def test_the_user_s_own_template_stays(self) -> None:
        context = context_for(AsposeOcrRecognizeImageOperator(task_id="t", source="/x"), map_index=3)
        context["map_index_template"] = "mine"
        name_map_index(context, "page.png")
        assert context["map_index_template"] == "mine"

    @pytest.mark.parametrize(("map_index", "name"), [(-1, "page.png"), (None, "page.png"), (0, None)])
    def test_other_tasks_have_none(self, map_index: Any, name: str | None) -> None:
        context = context_for(AsposeOcrRecognizeImageOperator(task_id="t", source="/x"), map_index=map_index)
        name_map_index(context, name)
        assert context["map_index_template"] is None
