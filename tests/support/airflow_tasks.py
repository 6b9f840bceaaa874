"""Run operators and triggers in this process as Airflow's task runner and triggerer do."""

from __future__ import annotations

import json
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.execution_time.context import set_current_context

from airflow_provider_asposeocr.clients import loop_clients
from airflow_provider_asposeocr.connection import mask_token
from tests.support.airflow_names import TaskDeferred

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


class StateStore:
    """A ``task_state_store``: JSON by key, for all tries of a task instance."""

    def __init__(self) -> None:
        self.stored: dict[str, str] = {}

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self.stored[key]) if key in self.stored else default

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        assert value is not None
        self.stored[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.stored.pop(key, None)


class TaskInstance:
    """A task instance that records its XComs; by default in its only try."""

    def __init__(self, task_id: str, map_index: int = -1, try_number: int = 1, max_tries: int = 0) -> None:
        self.dag_id, self.run_id, self.task_id, self.map_index = "the_dag", "the_run", task_id, map_index
        self.try_number, self.max_tries = try_number, max_tries
        self.start_date = datetime.now(UTC)
        self.xcoms: dict[str, Any] = {}
        #: What the database says of it, and of any other task.
        self.state: str | None = "running"
        self.origin_state: str | None = "success"

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = json.loads(json.dumps(value))

    def xcom_pull(self, task_ids: str, key: str, map_indexes: int) -> Any:
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.xcoms.get(key)

    def get_task_states(self, **question: Any) -> dict[str, Any]:
        ((run_id,), (task_id,)) = question["run_ids"], question["task_ids"]
        index = question["map_index"]
        own = (run_id, task_id, index) == (self.run_id, self.task_id, self.map_index)
        key = task_id if index is None or index < 0 else f"{task_id}_{index}"
        return {run_id: {key: self.state if own else self.origin_state}}

    def get_first_reschedule_date(self, _: Any) -> None:
        return None


def context_for(operator: Any, map_index: int = -1, store: StateStore | None = None, **tries: int) -> Any:
    """
    A context with the entries that the provider's operators and Airflow's base classes read.

    Without a store it is that of an Airflow before 3.3.
    """
    ti = TaskInstance(operator.task_id, map_index, **tries)
    context = {
        "ti": ti,
        "task_instance": ti,
        "run_id": ti.run_id,
        "task": operator,
        "map_index_template": None,
    }
    return context if store is None else {**context, "task_state_store": store}


def execute(operator: Any, context: Any = None) -> Any:
    """Run the operator as a worker does."""
    context = context or context_for(operator)
    with set_current_context(context):
        return operator.execute(context)


def deferral(operator: Any, context: Any = None) -> TaskDeferred:
    """Run the operator until it defers."""
    with pytest.raises(TaskDeferred) as caught:
        execute(operator, context)
    return caught.value


def resume(operator: Any, event: Any, context: Any = None, kwargs: dict[str, Any] | None = None) -> Any:
    """Run a new object of the operator after its trigger has fired, with the arguments of its deferral."""
    context = context or context_for(operator)
    stored = json.loads(json.dumps({**(kwargs or {}), "event": event}))
    with set_current_context(context):
        return operator.resume_execution("execute_complete", stored, context)


async def events_of(trigger: Any) -> list[Any]:
    """Run a trigger to its end."""
    try:
        async with aclosing(trigger.run()) as running:
            return [event.payload async for event in running]
    finally:
        await loop_clients(mask_token).close()
