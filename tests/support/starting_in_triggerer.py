"""Tasks that start in the triggerer, and Airflow's own steps up to the trigger's event."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import greenback
from airflow.api_fastapi.execution_api.datamodels.taskinstance import DagRun
from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.jobs.triggerer_job_runner import TriggerRunner
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time.comms import (
    GetTaskStates,
    GetXCom,
    MaskSecret,
    TaskStatesResult,
    XComResult,
)
from airflow.serialization.decoders import smart_decode_trigger_kwargs
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_asposeocr.operators import AsposeOcrRecognizeImageOperator
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor
from tests.support.airflow_tasks import events_of

STARTING: Any = {"deferrable": True, "start_from_trigger": True}
CADENCE: Any = {"poll_interval_seconds": 0.05, "max_poll_interval_seconds": 0.1}


def submit_task(**given: Any) -> Any:
    fields = {"task_id": "submit", "source": "/page.png", "wait_for_completion": False}
    return AsposeOcrRecognizeImageOperator(**{**fields, **given})


def sensor(task: Any, **given: Any) -> Any:
    return AsposeOcrTaskSensor(**{"task_id": "sensor", "task": task, **CADENCE, **STARTING, **given})


class Supervisor:
    """
    The triggerer's side of the supervisor: it answers the XCom pulls that it has an answer for, and never answers others.
    """

    def __init__(self, *xcoms: Any) -> None:
        self.asked: list[Any] = []
        self.xcoms = list(xcoms)
        self.states: dict[str, Any] = {}

    async def asend(self, question: Any) -> Any:
        self.asked.append(question)
        if isinstance(question, GetXCom):
            value = self.xcoms.pop(0) if len(self.xcoms) > 1 else self.xcoms[0]
            if isinstance(value, Exception):
                raise value
            return XComResult(key=question.key, value=value)
        if isinstance(question, GetTaskStates):
            return TaskStatesResult(task_states={(question.run_ids or [""])[0]: self.states})
        if isinstance(question, MaskSecret):
            return None
        return await asyncio.get_running_loop().create_future()

    def send(self, msg: Any) -> Any:
        return greenback.await_(self.asend(msg))


def in_triggerer(
    operator: Any, waits_since: datetime | None = None, map_index: int = -1, row: Trigger | None = None
) -> Any:
    """Take an operator the way of Airflow's scheduler and triggerer, up to the trigger's ``run()``."""
    encoded = json.loads(json.dumps(DagSerialization.to_dict(operator.dag)))
    task = DagSerialization.from_dict(encoded).get_task(operator.task_id)
    assert task.start_from_trigger is True
    args = task.start_trigger_args
    assert args is not None
    row = row or Trigger(classpath=args.trigger_cls, kwargs=args.trigger_kwargs or {})
    stored = Trigger._decrypt_kwargs(row.encrypted_kwargs)
    kwargs = {name: smart_decode_trigger_kwargs(value) for name, value in stored.items()}
    trigger: Any = TriggerRunner().get_trigger_by_classpath(row.classpath)(**kwargs)
    now = datetime.now(UTC)
    names = {"dag_id": operator.dag_id, "run_id": "the_run"}
    ti = TaskInstanceDTO(
        **names,
        id=uuid.uuid4(),
        dag_version_id=uuid.uuid4(),
        task_id=operator.task_id,
        try_number=1,
        map_index=map_index,
        pool_slots=1,
        priority_weight=1,
    )
    run = DagRun(
        **names,
        logical_date=None,
        data_interval_start=None,
        data_interval_end=None,
        run_after=now,
        start_date=now,
        end_date=None,
        run_type="manual",
        state="running",
        consumed_asset_events=[],
        partition_key=None,
    )
    runtime_ti = TriggerRunner.create_runtime_ti(ti, encoded, run.model_dump(exclude_unset=True))
    context = runtime_ti.get_template_context()
    trigger.task_instance = runtime_ti
    # As TaskInstance.defer_task.
    limits = [limit for limit in (args.timeout, task.execution_timeout) if limit is not None]
    trigger.timeout_after = (waits_since or now) + min(limits)
    trigger.render_template_fields(context=context)
    return trigger


async def event_of(trigger: Any) -> Any:
    await greenback.ensure_portal()
    (event,) = await events_of(trigger)
    return json.loads(json.dumps(event))
