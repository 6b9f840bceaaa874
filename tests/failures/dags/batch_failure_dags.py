"""
The DAGs of the batch's failure table: one per variant.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

PARAMS = {name: Param("", type="string") for name in ("inbox", "outbox", "state", "conn_id")}


def die_once(context: Context, result: Any = None) -> None:
    """Be killed when the work is done, before Airflow hears of it."""
    if context["ti"].try_number == 1:
        os.kill(os.getpid(), signal.SIGKILL)


ONE_STEP = ["RecognizeImage"]
DEFERRED = {"steps": ONE_STEP, "deferrable": True, "defer_idle_seconds": 1}
TWO_DAYS_SECONDS = 2 * 86_400.0
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "last_try": {"retries": 0},
    "killed_after": {"post_execute": die_once},
    "two_at_once": {"max_in_flight": 2},
    "one_may_fail": {"max_failures": 1},
    # Time for a user to repair what made the first try fail.
    "late_retry": {"retry_delay": timedelta(seconds=10)},
    "two_days": {"batch_timeout_seconds": TWO_DAYS_SECONDS},
    "two_days_again": {"batch_timeout_seconds": TWO_DAYS_SECONDS, "on_expired": "resubmit"},
    "hundred": {"steps": ONE_STEP},
    "deferred": DEFERRED,
    # A pool of its own, made by its case.
    "deferred_no_slot": {**DEFERRED, "pool": "deferred_no_slot"},
    "deferred_no_slot_clear": {**DEFERRED, "pool": "deferred_no_slot_clear"},
}

USUAL: dict[str, Any] = {
    "steps": ["BinarizeImage", "RecognizeImage"],
    "poll_interval_seconds": 0.5,
    "max_poll_interval_seconds": 2,
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
}

for variant, arguments in VARIANTS.items():
    with DAG(f"failure_batch_{variant}", params=PARAMS):
        AsposeOcrBatchOperator(
            task_id="read",
            sources="{{ params.inbox }}",
            destination="{{ params.outbox }}",
            state="{{ params.state }}",
            aspose_ocr_conn_id="{{ params.conn_id }}",
            **{**USUAL, **arguments},
        )
