"""Triggers that wait for a cloud task."""

from __future__ import annotations

import time
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.polling.plan import WaitPlan
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger
from tests.support.cadences import CADENCE_FIELDS, with_cadence

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger


def trigger_of(task: dict[str, Any], cls: Any = AsposeOcrTaskTrigger, **given: Any) -> Any:
    """Return a trigger for a cloud task, which polls at once; fields of its wait plan and of itself may be given."""
    names = {field.name for field in fields(WaitPlan)} | CADENCE_FIELDS
    planned = {name: given.pop(name) for name in list(given) if name in names}
    plan = WaitPlan(
        **with_cadence(
            planned,
            deadline_at=time.time() + 300,
            poll_interval_seconds=0.05,
            max_poll_interval_seconds=0.1,
            error_budget_seconds=10.0,
        )
    )
    return cls(reference=task, plan=plan.to_dict(), **{"cancel_on_kill": "always", **given})


class Decided(AsposeOcrTaskTrigger):
    """A trigger to which the test, not Airflow, says whether its task was killed."""

    killed = True

    async def _is_killed(self) -> bool:
        return self.killed


def trigger(**given: Any) -> AsposeOcrTaskTrigger:
    """Return a trigger for a cloud task that a counting cloud knows; fields of its wait plan may be given."""
    reference = {
        "operation": "RecognizeImage",
        "id": "x",
        "submitted_at": datetime.now(UTC).isoformat(),
        "conn_id": "ocr",
    }
    limits = {"poll_interval_seconds": 0.01, "max_poll_interval_seconds": 0.01, "error_budget_seconds": 9.0}
    plan = WaitPlan(**with_cadence(given, deadline_at=time.time() + 3600, **limits))
    return AsposeOcrTaskTrigger(reference, plan.to_dict())


async def run(trigger: BaseTrigger) -> None:
    """Let a trigger wait until it ends, with any events."""
    async for _ in trigger.run():
        pass
