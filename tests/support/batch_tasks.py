"""Cloud tasks of a batch."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.responses import parse_task_ref
from airflow_provider_asposeocr.batch.polls import BatchWaitPlan
from airflow_provider_asposeocr.batch.running import RunningTask
from tests.support.cadences import with_cadence

if TYPE_CHECKING:
    from collections.abc import Iterable

OPERATIONS = ("UpscaleImage", "BinarizeImage", "RecognizeImage")


def running(ids: Iterable[str] | int, submitted_at: float, **changes: Any) -> list[RunningTask]:
    """Return cloud tasks with these ids, or a number of them with made-up ids, of the three usual operations in turn."""
    ids = [str(uuid.uuid4()) for _ in range(ids)] if isinstance(ids, int) else ids
    return [
        RunningTask(
            parse_task_ref(
                {
                    "operation": OPERATIONS[number % len(OPERATIONS)],
                    "id": id,
                    "submitted_at": datetime.fromtimestamp(submitted_at, UTC),
                    "conn_id": "ocr",
                    **changes,
                }
            )
        )
        for number, id in enumerate(ids)
    ]


def wait_plan(**given: Any) -> BatchWaitPlan:
    """Return a plan that polls at once and often; its fields may be given."""
    return BatchWaitPlan(
        **with_cadence(
            given,
            deadline_at=time.time() + 300,
            timeout_seconds=300.0,
            poll_interval_seconds=0.05,
            max_poll_interval_seconds=0.1,
            error_budget_seconds=10.0,
        )
    )
