"""Waits that begin in the triggerer: from the DAG's text through Airflow's own steps to the trigger's event."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.models.trigger import Trigger
from airflow.sdk import DAG, task_group
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.sdk.execution_time.comms import (
    ErrorResponse,
    GetXCom,
)
from airflow.sdk.execution_time.context import set_current_context
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_asposeocr.api.errors import InputError, WaitError
from airflow_provider_asposeocr.api.polling.deadlines import deadline_of, start_of
from airflow_provider_asposeocr.api.polling.plan import Cadence, WaitPlan
from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.compat import AirflowFailException
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.store import StoredRecord
from airflow_provider_asposeocr.operators import (
    AsposeOcrDetectRegionsOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrRecognizeRegionsOperator,
    start_from_trigger,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from airflow_provider_asposeocr.triggers import start
from airflow_provider_asposeocr.triggers.start import AsposeOcrStartTrigger
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger
from tests.support.airflow_tasks import PNG, StateStore, context_for, deferral, execute, resume
from tests.support.ocr_tasks import CLOUD_TASK
from tests.support.patience import PATIENCE_SECONDS
from tests.support.starting_in_triggerer import (
    CADENCE,
    STARTING,
    Supervisor,
    event_of,
    in_triggerer,
    sensor,
    submit_task,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

PULL = "{{ ti.xcom_pull(task_ids='submit', map_indexes=-1) | tojson }}"


def fetch(task: Any, **given: Any) -> Any:
    fields = {"task_id": "fetch", "destination": "/outbox/", **CADENCE, **STARTING}
    return AsposeOcrFetchResultOperator(task=task, **{**fields, **given})


def next_step(source: Any, **given: Any) -> Any:
    fields = {"task_id": "next", "source": source, "aspose_ocr_conn_id": "ocr", **CADENCE, **STARTING}
    return AsposeOcrRecognizeImageOperator(**{**fields, **given})


CONSUMERS: list[Callable[..., Any]] = [fetch, sensor, next_step]


def template_of(operator: Any) -> Any:
    return operator.start_trigger_args.trigger_kwargs["template"]


def deletes(cloud: EmulatorControl) -> list[str]:
    return [entry["id"] for entry in cloud.journal() if entry["method"] == "DELETE"]


class TestParseTime:
    @pytest.mark.parametrize("make", CONSUMERS)
    def test_an_output_becomes_a_pull_that_the_triggerer_answers(self, make: Callable[..., Any]) -> None:
        with DAG("d"):
            operator = make(submit_task().output)
        template = template_of(operator)
        assert template == (
            "{{ ti.xcom_pull(task_ids='submit', key='return_value', map_indexes=-1) | tojson }}"
        )
        assert operator.upstream_task_ids == {"submit"}

    def test_in_a_mapped_task_group_it_is_that_of_the_own_lane(self) -> None:
        with DAG("d") as dag:
            outside = submit_task()

            @task_group
            def lane(page: str) -> None:
                inside = submit_task(source=page)
                fetch(inside.output, task_id="own")
                fetch(outside.output, task_id="shared")

            lane.expand(page=["/a.png", "/b.png"])
        templates = {name: template_of(dag.get_task(name)) for name in ("lane.own", "lane.shared")}
        assert "task_ids='lane.submit'" in templates["lane.own"]
        assert "map_indexes=ti.map_index)" in templates["lane.own"]
        assert "map_indexes=-1)" in templates["lane.shared"]

    def test_an_output_of_another_key_is_quoted(self) -> None:
        with DAG("d"):
            operator = fetch(submit_task().output["it's }} \u00fc"])
        template = template_of(operator)
        assert start_rendering(template) == [{"key": "it's }} \u00fc"}]

    @pytest.mark.parametrize("make", CONSUMERS)
    @pytest.mark.parametrize(
        "template",
        [
            "{{ ti.xcom_pull('submit') | tojson }}",
            "{{ task_instance.xcom_pull(task_ids='submit') }}",
            "{{ (ti.xcom_pull(task_ids='a', map_indexes=-1) or ti.xcom_pull(task_ids='b')) | tojson }}",
            "{% set pull = ti.xcom_pull %}{{ pull(task_ids='submit', map_indexes=-1) }}",
            "{{ ti['xcom_pull'](task_ids='submit') }}",
            "{{ (ti | attr('xcom_pull'))(task_ids='submit') }}",
            "{{ ti.xcom_pull(task_ids='submit', **{'map_indexes': -1}) }}",
            {**CLOUD_TASK, "id": "{{ ti.xcom_pull(task_ids='submit') }}"},
        ],
        ids=str,
    )
    def test_a_pull_that_is_never_answered_is_refused(self, make: Callable[..., Any], template: str) -> None:
        with pytest.raises(ValueError, match=r"without map_indexes.*map_indexes=-1"):
            make(template)

    @pytest.mark.parametrize("make", CONSUMERS)
    @pytest.mark.parametrize(
        "value",
        [
            PULL,
            "{{ params.reference }}",
            CLOUD_TASK,
            parse_task_ref(CLOUD_TASK),
            json.dumps(CLOUD_TASK),
            {**CLOUD_TASK, "id": "{{ params.id }}"},
        ],
        ids=str,
    )
    def test_templates_and_literal_references_may_start_there(
        self, make: Callable[..., Any], value: Any
    ) -> None:
        operator = make(value)
        assert operator.start_from_trigger is True
        assert operator.start_trigger_args.trigger_cls.endswith(".AsposeOcrStartTrigger")

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("s3://scans/page.png", "source is a path or URI"),
            ("s3://scans/{{ ds }}.png", "source is a path or URI"),
            ("/page.png", "source is a path or URI"),
            (None, "source is a NoneType"),
            ({**CLOUD_TASK, "id": ""}, "source: This is not a task reference"),
            ('{"id": 3}', "source: This is not a task reference"),
            ({**CLOUD_TASK, "id": object()}, "plain JSON"),
            ("{{ no end", "not a template"),
        ],
    )
    def test_what_cannot_be_waited_for_is_named(self, value: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            next_step(value)

    @pytest.mark.parametrize("make", CONSUMERS)
    def test_it_needs_deferrable(self, make: Callable[..., Any]) -> None:
        with pytest.raises(ValueError, match="needs deferrable=True"):
            make(PULL, deferrable=False)
        with pytest.raises(ValueError, match="start_from_trigger must be True or False"):
            make(PULL, start_from_trigger="yes")

    def test_a_list_of_references_is_not_one(self) -> None:
        inner = []
        with DAG("d"):
            many = AsposeOcrRecognizeImageOperator.partial(task_id="many").expand(source=["/a.png", "/b.png"])
            with pytest.raises(ValueError, match="'many' is mapped"):
                fetch(many.output, task_id="of_mapped")
            with pytest.raises(ValueError, match="cannot resolve"):
                fetch(submit_task().output.map(lambda ref: ref), task_id="of_changed")

            @task_group
            def lane(page: str) -> None:
                inner.append(submit_task(task_id="inner", source=page))

            lane.expand(page=["/a.png"])
            with pytest.raises(ValueError, match=r"'lane.inner' is mapped.*one mapped task group"):
                fetch(inner[0].output, task_id="of_lanes")

    def test_by_default_nothing_starts_there(self) -> None:
        for make in CONSUMERS:
            operator = make(PULL, start_from_trigger=False)
            assert (operator.start_from_trigger, operator.start_trigger_args) == (False, None)

    def test_the_arguments_share_no_name_with_a_template_field(self) -> None:
        """What shares one, Airflow renders, in later waits again: a reference could carry a template."""
        fields: set[str] = set()
        for cls in (AsposeOcrFetchResultOperator, AsposeOcrTaskSensor, AsposeOcrRecognizeRegionsOperator):
            fields |= set(cls.template_fields)
        operator = fetch(PULL)
        ordinary = AsposeOcrTaskTrigger(CLOUD_TASK, {}).serialize()[1]
        assert not fields & {*operator.start_trigger_args.trigger_kwargs, *ordinary}

    def test_regions_are_waited_for_where_the_source_is_a_file(self) -> None:
        with DAG("d"):
            detect = AsposeOcrDetectRegionsOperator(task_id="detect", source="/page.png")
            given: Any = {"aspose_ocr_conn_id": "ocr", **STARTING, "regions": detect.output}
            of_file = AsposeOcrRecognizeRegionsOperator(task_id="a", source="/page.png", **given)
            of_both = AsposeOcrRecognizeRegionsOperator(task_id="b", source=submit_task().output, **given)
            of_either = AsposeOcrRecognizeRegionsOperator(task_id="e", source="{{ params.scan }}", **given)
        assert "'detect'" in template_of(of_either)
        assert "'detect'" in template_of(of_file)
        assert "'submit'" in template_of(of_both)
        assert of_file.upstream_task_ids == {"detect"}
        rectangles: Any = {**STARTING, "regions": [[0, 0, 9, 9]]}
        with pytest.raises(ValueError, match="source is a path or URI"):
            AsposeOcrRecognizeRegionsOperator(task_id="c", source="/page.png", **rectangles)


def start_rendering(template: str) -> list[dict[str, Any]]:
    """What a template asks for, beside what all do."""
    asked = []

    class Ti:
        def xcom_pull(self, task_ids: str, map_indexes: int, **rest: Any) -> Any:
            asked.append(rest)
            return {}

    AsposeOcrTaskTrigger(CLOUD_TASK, {}).render_template(template, {"ti": Ti()})  # type: ignore[typeddict-item]  # the template asks for nothing else
    return asked


class TestFallback:
    def test_before_3_3_it_starts_in_a_worker_and_says_so(
        self,
        monkeypatch: pytest.MonkeyPatch,
        submit: Callable[..., dict[str, Any]],
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        from airflow.triggers.base import BaseTrigger

        monkeypatch.delattr(BaseTrigger, "render_template_fields")
        operator = sensor(submit(), inline_wait_seconds=20)
        assert (operator.start_from_trigger, operator.start_trigger_args) == (False, None)
        execute(operator)
        assert capfd.readouterr().out.count("start_from_trigger has no effect: before Airflow 3.3") == 1

    def test_what_is_expanded_takes_the_ordinary_way(self, submit: Callable[..., dict[str, Any]]) -> None:
        with DAG("d") as dag:
            AsposeOcrTaskSensor.partial(task_id="sensor", **STARTING, inline_wait_seconds=0).expand(
                task=[CLOUD_TASK]
            )
        task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("sensor")
        # Airflow asks for these two before it sends a task to a worker.
        assert not (task.start_from_trigger and task.start_trigger_args)
        # After unmap(), the value of ``task`` is no template any more.
        unmapped = dag.get_task("sensor").unmap({"task": submit()})
        assert unmapped.start_from_trigger is False
        assert isinstance(deferral(unmapped).trigger, AsposeOcrTaskTrigger)


class TestInTheTriggerer:
    @pytest.mark.parametrize("make", CONSUMERS)
    async def test_it_waits_and_hands_the_reference_over(
        self,
        make: Callable[..., Any],
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
    ) -> None:
        ref = submit()
        supervisor = supervised(ref)
        with DAG("d"):
            operator = make(submit_task().output)
        event = await event_of(in_triggerer(operator))
        del event["seconds"]  # As long as the machine takes.
        assert event == {"status": "completed", "task": ref, "error": None}
        (question,) = [each for each in supervisor.asked if isinstance(each, GetXCom)]
        assert (question.task_id, question.key, question.map_index) == ("submit", "return_value", -1)

    async def test_in_a_mapped_task_group_it_pulls_its_own_lane_s(
        self, submit: Callable[..., dict[str, Any]], supervised: Callable[..., Supervisor]
    ) -> None:
        supervisor = supervised(submit())
        with DAG("d") as dag:

            @task_group
            def lane(page: str) -> None:
                fetch(submit_task(source=page).output)

            lane.expand(page=["/a.png", "/b.png"])
        event = await event_of(in_triggerer(dag.get_task("lane.fetch"), map_index=1))
        assert event["status"] == "completed"
        (question,) = [each for each in supervisor.asked if isinstance(each, GetXCom)]
        assert (question.task_id, question.map_index) == ("lane.submit", 1)

    async def test_a_literal_reference_needs_no_answer_of_airflow(
        self, submit: Callable[..., dict[str, Any]], supervised: Callable[..., Supervisor]
    ) -> None:
        ref = submit()
        supervised()
        with DAG("d"):
            operator = sensor(ref)
        assert (await event_of(in_triggerer(operator)))["task"] == ref

    @pytest.mark.parametrize("hostile", ["{{ 40 + 2 }}.png", "{% raw %}.png", "'\" | {{ ti }}.png"])
    async def test_a_name_that_is_a_template_stays_a_name(
        self, submit: Callable[..., dict[str, Any]], supervised: Callable[..., Supervisor], hostile: str
    ) -> None:
        ref = submit(source_name=hostile)
        supervised(ref)
        with DAG("d"):
            operator = next_step(submit_task().output)
        event = await event_of(in_triggerer(operator))
        assert event["task"]["source_name"] == hostile
        # A later wait of the same task: Airflow passes its trigger the context as well.
        path, kwargs = AsposeOcrTaskTrigger(
            ref, WaitPlan(time.time() + 9, Cadence(0.05, 0.1, error_budget_seconds=9.0)).to_dict()
        ).serialize()
        later = in_triggerer(operator, row=Trigger(classpath=path, kwargs=kwargs))
        assert later.reference["source_name"] == hostile
        assert (await event_of(later))["task"] == ref

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            (None, "nothing"),
            ("secret-of-somebody", "a str"),
            ([CLOUD_TASK], "a list"),
            ({"id": "x"}, "a dict"),
            (7, "a str"),
        ],
    )
    async def test_what_is_no_reference_is_a_clear_failure(
        self, supervised: Callable[..., Supervisor], cloud: EmulatorControl, value: Any, kind: str
    ) -> None:
        supervised(value)
        with DAG("d"):
            operator = fetch(PULL)
        event = await event_of(in_triggerer(operator))
        with pytest.raises(
            AirflowFailException, match=f"task was rendered in the triggerer to {kind}"
        ) as caught:
            resume(operator, event)
        assert "secret-of-somebody" not in str(caught.value)
        assert cloud.journal() == []

    @pytest.mark.parametrize(
        "template", ["{{ 1 / 0 }}", "{{ ti.no_such.thing }}", "{{ params.x.y }}", "{{ 1 | unknown }}"]
    )
    async def test_a_template_that_fails_is_a_clear_failure(
        self, supervised: Callable[..., Supervisor], template: str
    ) -> None:
        supervised()
        with DAG("d"):
            operator = sensor(template)
        event = await event_of(in_triggerer(operator))
        with pytest.raises(AirflowFailException, match="template of task cannot be rendered"):
            resume(operator, event)

    async def test_a_question_that_is_never_answered_ends_the_wait(
        self, supervised: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        supervised()
        monkeypatch.setattr(start, "RENDER_SECONDS", 0.2)
        with DAG("d"):
            # Nothing in the text says what it calls.
            operator = fetch("{{ ti['xcom' ~ '_pull'](task_ids='submit') }}")
        async with asyncio.timeout(PATIENCE_SECONDS):
            event = await event_of(in_triggerer(operator))
        assert event["task"] is None
        with pytest.raises(WaitError, match="was not rendered within"):
            resume(operator, event)

    async def test_an_api_of_airflow_that_restarts_is_waited_out(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(start, "AGAIN_SECONDS", 0.0)
        away = AirflowRuntimeError(error=ErrorResponse())
        supervised(away, away, submit())
        with DAG("d"):
            operator = fetch(PULL)
        assert (await event_of(in_triggerer(operator)))["status"] == "completed"

    async def test_without_a_context_it_fails(self) -> None:
        event = await event_of(AsposeOcrStartTrigger(PULL, "task", 1.0, {}))
        assert (event["status"], event["error"]["error"]) == ("failed", "WaitError")

    @pytest.mark.parametrize(
        ("spoiled", "status"),
        [
            ({"backstop_seconds": None}, "failed"),
            ({"parameters": None}, "failed"),
            ({"parameters": {"of_a_later_version": 1}}, "completed"),
        ],
    )
    async def test_a_row_of_another_version_is_an_event(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        spoiled: dict[str, Any],
        status: str,
    ) -> None:
        supervised(submit())
        with DAG("d"):
            operator = fetch(PULL)
        trigger = in_triggerer(operator)
        trigger._arguments |= spoiled
        assert (await event_of(trigger))["status"] == status

    async def test_a_broken_configuration_fails_this_wait_and_not_the_triggerer(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Airflow makes triggers in its main loop; an exception there ends all of them."""
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__ERROR_BUDGET_SECONDS", "15 min")
        supervised(submit())
        with DAG("d"):
            operator = fetch(PULL)
        event = await event_of(in_triggerer(operator))
        assert event["error"]["error"] == "InputError"
        assert "15 min" in event["error"]["message"]

    def test_its_row_makes_the_same_trigger_again(self) -> None:
        trigger = AsposeOcrStartTrigger(
            PULL, "task", 4000.0, {"timeout_seconds": 5.0}, cancel_on_kill="never"
        )
        path, kwargs = trigger.serialize()
        assert path.endswith(".AsposeOcrStartTrigger")
        assert AsposeOcrStartTrigger(**kwargs).serialize() == (path, kwargs)

    @pytest.mark.parametrize(
        ("policy", "state", "cancelled"),
        [("last_try", "failed", True), ("last_try", "deferred", False), ("never", "failed", False)],
    )
    async def test_a_kill_cancels_as_the_user_wants(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        cloud: EmulatorControl,
        policy: str,
        state: str,
        cancelled: bool,
    ) -> None:
        ref = submit({"kind": "task_stuck"})
        supervisor = supervised(ref)
        supervisor.states = {"fetch": state}
        with DAG("d"):
            operator = fetch(submit_task().output, cancel_on_kill=policy)
        trigger = in_triggerer(operator)
        running = asyncio.create_task(event_of(trigger))
        await asyncio.to_thread(cloud.wait_for_request, "GET", "*/GetTaskStatus")
        running.cancel()
        await asyncio.wait([running])
        await trigger.on_kill()
        assert deletes(cloud) == ([ref["id"]] if cancelled else [])

    async def test_a_kill_before_the_reference_is_known_cancels_nothing(
        self, supervised: Callable[..., Supervisor], cloud: EmulatorControl
    ) -> None:
        supervised()
        with DAG("d"):
            operator = fetch(PULL)
        await in_triggerer(operator).on_kill()
        assert deletes(cloud) == []


class TestDeadline:
    @pytest.mark.parametrize(
        ("given", "seconds"),
        [
            ({"timeout_seconds": 100}, 100),
            ({}, 3600),
            ({"timeout_seconds": 100, "execution_timeout": timedelta(seconds=60)}, 55),
            ({"timeout_seconds": 30, "execution_timeout": timedelta(seconds=60)}, 30),
            ({"execution_timeout": timedelta(seconds=60)}, 55),
        ],
        ids=str,
    )
    async def test_it_counts_from_the_start_and_no_restart_moves_it(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        given: dict[str, Any],
        seconds: float,
    ) -> None:
        since = datetime.now(UTC)
        # The cloud task was submitted long before Airflow started the consumer.
        supervised(submit(submitted_at=(since - timedelta(hours=2)).isoformat()))
        with DAG("d"):
            operator = fetch(submit_task().output, **given)
        for age in (0.0, 20.0):  # The second: a triggerer that takes over.
            trigger = in_triggerer(operator, waits_since=since - timedelta(seconds=age))
            await event_of(trigger)
            assert trigger.plan["deadline_at"] == pytest.approx(since.timestamp() - age + seconds, abs=0.1)
            assert trigger.plan["deadline_at"] < trigger.timeout_after.timestamp() - 4

    async def test_a_policy_that_limits_the_task_later_is_observed(
        self, submit: Callable[..., dict[str, Any]], supervised: Callable[..., Supervisor]
    ) -> None:
        since = datetime.now(UTC)
        supervised(submit(submitted_at=(since - timedelta(hours=2)).isoformat()))
        with DAG("d"):
            operator = fetch(submit_task().output)
            operator.execution_timeout = timedelta(minutes=10)
        trigger = in_triggerer(operator, waits_since=since)
        await event_of(trigger)
        assert trigger.plan["deadline_at"] == pytest.approx(since.timestamp() + 595, abs=0.1)

    async def test_the_deadline_cancels(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        cloud: EmulatorControl,
    ) -> None:
        ref = submit({"kind": "task_stuck"})
        supervised(ref)
        with DAG("d"):
            operator = sensor(submit_task().output, timeout=0.3)
        event = await event_of(in_triggerer(operator))
        assert event["error"]["error"] == "TaskTimeoutError"
        assert deletes(cloud) == [ref["id"]]

    async def test_the_cadence_is_read_where_it_waits(
        self,
        submit: Callable[..., dict[str, Any]],
        supervised: Callable[..., Supervisor],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with DAG("d"):
            operator = fetch(PULL, poll_interval_seconds=None, max_poll_interval_seconds=None)
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__POLL_INTERVAL_SECONDS", "0.07")
        monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__TIMEOUT_SECONDS", "77")
        began = time.time()
        supervised(submit())
        trigger = in_triggerer(operator)
        await event_of(trigger)
        assert trigger.plan["cadence"]["poll_interval_seconds"] == 0.07
        # It counts from the submit, whose time is written in microseconds.
        assert began + 77 - 0.001 <= trigger.plan["deadline_at"] <= time.time() + 77

    @pytest.mark.parametrize(
        ("ends_at", "allows", "submitted_at", "began"),
        [
            (1300.0, 300.0, 0.0, 1000.0),
            (float("inf"), 300.0, 900.0, 900.0),
            (1300.0, 9000.0, 950.0, 950.0),  # the DAG's limits were changed during the wait
            (9000.0, 300.0, 0.0, 1100.0),
            (float("inf"), 300.0, 5000.0, 1100.0),  # a clock that is ahead
        ],
    )
    def test_the_start_is_the_same_for_all_who_ask(
        self, ends_at: float, allows: float, submitted_at: float, began: float
    ) -> None:
        assert start_of(ends_at, allows, submitted_at, now=1100.0) == began

    def test_a_limit_shorter_than_its_margin_is_over_at_once(self) -> None:
        assert deadline_of(1000.0, 60.0, 1003.0) == 1000.0

    def test_airflow_s_backstop_comes_after_the_longest_wait(self) -> None:
        assert fetch(PULL, timeout_seconds=60).start_trigger_args.timeout == timedelta(seconds=360)
        day = timedelta(hours=24, minutes=5)
        assert fetch(PULL).start_trigger_args.timeout == day
        assert sensor(PULL, timeout=timedelta(days=7)).start_trigger_args.timeout == day


class TestInTheWorkerAfterwards:
    """No ``execute`` has run before."""

    def test_fetch_stores(self, submit: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
        ref = submit()
        AsposeOcrHook("ocr").wait(ref, poll_interval_seconds=0.05)
        operator = fetch(ref, destination=f"{tmp_path}/outbox/")
        context = context_for(operator, map_index=2)
        manifest = resume(operator, {"status": "completed", "task": ref, "error": None}, context)
        assert manifest["task"] == ref
        assert context["aspose_ocr_source_name"] == "page.png"
        assert len(list((tmp_path / "outbox").glob("[!.]*"))) == 1

    def test_a_submit_sends_the_result_on(self, cloud: EmulatorControl, tmp_path: Path) -> None:
        (tmp_path / "page.png").write_bytes(PNG)
        upscaled = AsposeOcrHook("ocr").submit("UpscaleImage", f"{tmp_path}/page.png")
        AsposeOcrHook("ocr").wait(upscaled, poll_interval_seconds=0.05)
        operator = next_step(upscaled, wait_for_completion=False)
        assert operator.start_trigger_args.next_method == "execute_after_upstream"
        context = context_for(operator)
        event = {"status": "completed", "task": upscaled, "error": None}
        with set_current_context(context):
            ref = operator.resume_execution("execute_after_upstream", {"event": event}, context)
        assert ref["operation"] == "RecognizeImage"
        assert ref["id"] != upscaled["id"]
        assert cloud.billing() == {"UpscaleImage": 1, "RecognizeImage": 1}

    @pytest.mark.parametrize(("error", "cancelled"), [("Trigger timeout", True), ("Trigger failure", False)])
    def test_a_deferral_that_airflow_lost(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        error: str,
        cancelled: bool,
    ) -> None:
        ref = submit({"kind": "task_stuck"})
        # What the worker has rendered.
        operator = fetch(json.dumps(ref))
        with pytest.raises(Exception, match=error):
            operator.resume_execution("__fail__", {"error": error}, context_for(operator))
        assert deletes(cloud) == ([ref["id"]] if cancelled else [])

    @pytest.mark.parametrize(("max_tries", "cancelled"), [(0, True), (1, False)])
    def test_a_submit_knows_its_tries_although_it_never_executed(
        self,
        submit: Callable[..., dict[str, Any]],
        cloud: EmulatorControl,
        max_tries: int,
        cancelled: bool,
    ) -> None:
        """The cloud task of an earlier try is cancelled when the wait for the upstream breaks in the last one."""
        own = submit({"kind": "task_stuck"})
        operator = next_step(PULL)
        context = context_for(operator, store=StateStore(), max_tries=max_tries)
        stored = StoredRecord.of(context)
        identity = Identity(operation="RecognizeImage", source="s", version=None, settings="x", account="y")
        stored.write_intent(identity, again=False)
        stored.write_task(parse_task_ref(own))
        event = {"status": "failed", "task": None, "error": WaitError("Not rendered.").to_dict()}
        with set_current_context(context), pytest.raises(WaitError, match="Not rendered"):
            operator.resume_execution("execute_after_upstream", {"event": event}, context)
        assert deletes(cloud) == ([own["id"]] if cancelled else [])

    def test_a_failure_without_a_reference_is_raised_as_it_is(self) -> None:
        described = InputError("task was rendered to nothing.").to_dict()
        event = {"status": "failed", "task": None, "error": described}
        for operator in (fetch(PULL), sensor(PULL)):
            with pytest.raises(AirflowFailException, match="rendered to nothing"):
                resume(operator, event)

    def test_the_operators_name_the_trigger_as_it_is(self) -> None:
        assert start_from_trigger.TRIGGER == AsposeOcrStartTrigger(PULL, "task", 1.0, {}).serialize()[0]
