"""What the batch operator refuses when a DAG is parsed, and what it makes of its parameters when a task runs."""

from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError, SettingsError
from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator
from airflow_provider_asposeocr.operators.batch_parameters import EXECUTION_TIMEOUT_MARGIN_SECONDS
from airflow_provider_asposeocr.operators.batch_request import deadline_of, settings_of
from tests.support.airflow_names import DagSerialization
from tests.support.airflow_tasks import TaskInstance

NOW = 1_800_000_000.0
STEPS = [
    "UpscaleImage",
    "BinarizeImage",
    {"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "TextAndPdf"}},
]


def batch(**given: Any) -> AsposeOcrBatchOperator:
    fields = {"task_id": "read", "sources": "/inbox/", "steps": STEPS, "destination": "/outbox/", **given}
    return AsposeOcrBatchOperator(**fields)


class TestParseTime:
    def test_the_usual_one_is_fine(self) -> None:
        assert batch().max_in_flight == 100

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"max_in_flight": 0}, "max_in_flight"),
            ({"max_in_flight": 1001}, "from 1 to 1000"),
            ({"max_in_flight": "100"}, "max_in_flight"),
            ({"max_in_flight": True}, "max_in_flight"),
            ({"max_in_flight": None}, "max_in_flight"),
            ({"max_unanswered_submits": 0}, "max_unanswered_submits"),
            ({"max_submits": 0}, "max_submits"),
            ({"max_submits": 1.5}, "max_submits"),
            ({"stop_after_failures": -1}, "stop_after_failures"),
            ({"max_failures": -1}, "max_failures"),
            ({"max_failures": 1.0}, "max_failures"),
            ({"max_failures": "2%"}, "max_failures"),
            ({"timeout_seconds": 0}, "timeout_seconds"),
            ({"batch_timeout_seconds": math.inf}, "batch_timeout_seconds"),
            ({"batch_timeout_seconds": None}, "batch_timeout_seconds"),
            ({"defer_idle_seconds": -5}, "defer_idle_seconds"),
            ({"execution_timeout": timedelta(seconds=30)}, "execution_timeout is 30 seconds"),
            ({"names": "flat"}, "names must be one of"),
            ({"if_exists": "append"}, "if_exists must be one of"),
            ({"on_incomplete": "skip"}, "on_incomplete must be one of"),
            ({"on_unknown_submit": "ignore"}, "on_unknown_submit must be one of"),
            ({"on_expired": "again"}, "on_expired must be one of"),
            ({"cancel_on_kill": True}, "cancel_on_kill must be one of"),
            ({"previews": "yes"}, "previews must be True or False"),
            ({"keep_steps": 1}, "keep_steps must be True or False"),
            ({"keep_steps": None}, "keep_steps must be True or False"),
        ],
        ids=str,
    )
    def test_a_number_or_a_policy_that_makes_no_sense(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            batch(**given)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"steps": []}, "steps is empty"),
            ({"steps": "RecognizeImage"}, "steps is a list"),
            ({"steps": ["RecogniseImage"]}, "Step 1"),
            ({"steps": ["RecognizeImage", "BinarizeImage"]}, "Step 2"),
            ({"sources": []}, "sources is an empty list"),
            ({"sources": "/inbox"}, "may be meant as a folder or as a file"),
            ({"sources": "inbox/"}, "relative"),
            ({"sources": {"manifest": "/m.jsonl", "outcome": "fialed"}}, "Did you mean 'failed'"),
            ({"sources": [7]}, "Entry 1"),
            ({"destination": "/outbox"}, "end it with a slash"),
            ({"destination": "outbox/"}, "relative"),
            ({"state": "/state"}, "end it with a slash"),
            ({"base": "s3://bucket"}, "base"),
        ],
        ids=str,
    )
    def test_what_cannot_be_meant_is_an_error_that_names_it(self, given: dict[str, Any], said: str) -> None:
        with pytest.raises(AsposeOcrError, match=said) as caught:
            batch(**given)
        assert "Correct the DAG." in str(caught.value)

    def test_a_setting_that_does_not_apply_names_its_step(self) -> None:
        with pytest.raises(SettingsError, match="Step 1"):
            batch(steps=[{"operation": "RecognizeImage", "settings": {"langauge": "English"}}])

    def test_unknown_settings_pass_where_they_are_wanted(self) -> None:
        steps = [{"operation": "RecognizeImage", "settings": {"brandNew": 1, "resultType": "Text"}}]
        assert batch(steps=steps, strict_settings=False).steps == steps

    @pytest.mark.parametrize(
        "given",
        [
            {"sources": "{{ params.inbox }}"},
            {"sources": ["{{ params.scan }}"]},
            {"sources": {"manifest": "{{ params.manifest }}"}},
            {"destination": "{{ params.outbox }}"},
            {"state": "{{ params.state }}"},
            {"base": "{{ params.base }}"},
            {"steps": "{{ params.steps }}"},
            {"steps": ["{{ params.operation }}"]},
            {"steps": [{"operation": "RecognizeImage", "settings": {"language": "{{ params.language }}"}}]},
        ],
        ids=str,
    )
    def test_templates_are_left_for_later(self, given: dict[str, Any]) -> None:
        batch(**given)

    def test_it_maps_over_sources_and_a_dag_with_it_is_stored_in_the_database(self) -> None:
        with DAG("shared", schedule=None) as dag:
            AsposeOcrBatchOperator.partial(task_id="read", steps=STEPS, destination="/outbox/").expand(
                sources=["/inbox/a/", "/inbox/b/"]
            )
            batch(task_id="alone")
        restored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
        assert restored.get_task("read").is_mapped
        assert {"sources", "steps", "destination"} <= set(restored.get_task("alone").template_fields)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"steps": ["RecognizeImage", "BinarizeImage"]}, "Step 2"),
            ({"steps": [{"operation": "RecognizeImage", "settings": {"langauge": "English"}}]}, "Step 1"),
            ({"destination": "outbox/"}, "relative"),
            ({"sources": "inbox/"}, "relative"),
            ({"max_in_flight": 0}, "max_in_flight"),
            ({"max_failures": "2%"}, "max_failures"),
            ({"batch_timeout_seconds": None}, "batch_timeout_seconds"),
            ({"if_exists": "append"}, "if_exists must be one of"),
            ({"execution_timeout": timedelta(seconds=5)}, "execution_timeout is 5 seconds"),
        ],
        ids=str,
    )
    def test_a_mapped_one_checks_what_all_have_in_common(self, given: dict[str, Any], said: str) -> None:
        with DAG("shared", schedule=None), pytest.raises((AsposeOcrError, ValueError), match=said) as caught:
            AsposeOcrBatchOperator.partial(task_id="read", **given)
        if isinstance(caught.value, AsposeOcrError):
            assert caught.value.place == "parse"

    def test_a_mapped_one_leaves_what_is_expanded_and_templates_for_later(self) -> None:
        with DAG("shared", schedule=None):
            AsposeOcrBatchOperator.partial(task_id="read", destination="{{ params.outbox }}").expand_kwargs(
                [{"sources": "/inbox/a/", "steps": STEPS}]
            )

    @pytest.mark.process
    def test_it_loads_no_http_library_and_no_file_system(self) -> None:
        """The DAG processor constructs it for every parse."""
        script = (
            "import sys; from airflow.sdk import BaseOperator; before = set(sys.modules); "
            "from airflow_provider_asposeocr.operators.batch import AsposeOcrBatchOperator as Batch; "
            f"Batch(task_id='read', sources='/inbox/', steps={STEPS!r}, destination='/outbox/'); "
            "print({name.split('.')[0] for name in set(sys.modules) - before})"
        )
        done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
        assert not {"requests", "aiohttp", "fsspec", "s3fs"} & eval(done.stdout.splitlines()[-1])


class TestDeadline:
    def test_it_is_counted_from_the_first_try(self) -> None:
        ti = TaskInstance("read", try_number=3)
        assert deadline_of(batch(), ti, NOW) == NOW + 82_800

    def test_airflow_s_own_leaves_time_for_the_cancels(self) -> None:
        ti = TaskInstance("read")
        ti.start_date = datetime.fromtimestamp(NOW + 100, UTC)
        operator = batch(execution_timeout=timedelta(minutes=10))
        assert deadline_of(operator, ti, NOW) == NOW + 100 + 600 - EXECUTION_TIMEOUT_MARGIN_SECONDS


class TestSettings:
    def test_what_is_not_given_is_airflow_s_configuration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__DEFER_IDLE_SECONDS", "7")
        settings = settings_of(batch(), TaskInstance("read"), NOW, holds=False)
        assert (settings.defer_idle_seconds, settings.cadence.timeout_seconds) == (7.0, 3600.0)
        assert (
            settings_of(
                batch(defer_idle_seconds=3), TaskInstance("read"), NOW, holds=False
            ).defer_idle_seconds
            == 3.0
        )

    def test_the_last_try_knows_that_it_is_the_last(self) -> None:
        assert not settings_of(batch(), TaskInstance("read"), NOW, holds=False).has_tries_left
        earlier = TaskInstance("read", try_number=1, max_tries=1)
        assert settings_of(batch(), earlier, NOW, holds=False).has_tries_left

    def test_one_that_must_hold_its_slot_does(self) -> None:
        operator = batch(deferrable=True)
        assert settings_of(operator, TaskInstance("read"), NOW, holds=False).deferrable
        assert not settings_of(operator, TaskInstance("read"), NOW, holds=True).deferrable


def test_input_error_is_what_a_user_catches() -> None:
    assert issubclass(SettingsError, InputError)
