"""
The DAGs of the failure table: one per mode and variant.

Invariant: within a variant the modes differ in where the wait happens and in nothing else, so that what they do can be
compared.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizeImageOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

PARAMS = {name: Param("", type="string") for name in ("scan", "outbox", "conn_id")}
#: Longer than any case takes: the wait begins in a worker and stays there, although it could be deferred.
IN_THE_WORKER = 300
#: Of both tasks of the pipelined mode.
DEFAULTS: dict[str, Any] = {
    "retries": 1,
    "retry_delay": timedelta(seconds=1),
    "deferrable": True,
    "inline_wait_seconds": 0,
    "poll_interval_seconds": 0.5,
    "max_poll_interval_seconds": 2,
}


def fail_once(context: Context, result: Any = None) -> None:
    """Fail after the operator's work, like a user's own code."""
    if context["ti"].try_number == 1:
        raise RuntimeError("This first try fails after its work.")


#: Arguments of the task that waits for the cloud.
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "in_worker": {"inline_wait_seconds": IN_THE_WORKER},
    "in_worker_last_try": {"inline_wait_seconds": IN_THE_WORKER, "retries": 0},
    "deadline": {"timeout_seconds": 10, "retries": 0},
    # Long enough for a busy machine to get to the submit.
    "execution_timeout": {"execution_timeout": timedelta(seconds=30), "retries": 0},
    "fails_once": {"post_execute": fail_once},
}

for variant, arguments in VARIANTS.items():
    for mode in ("inline", "deferrable"):
        with DAG(f"failure_{mode}_{variant}", params=PARAMS, default_args=DEFAULTS):
            where = {**arguments, "deferrable": mode == "deferrable"}
            AsposeOcrRecognizeImageOperator(
                task_id="recognize",
                source="{{ params.scan }}",
                aspose_ocr_conn_id="{{ params.conn_id }}",
                **where,
            )
    with DAG(f"failure_pipelined_{variant}", params=PARAMS, default_args=DEFAULTS):
        submit = AsposeOcrRecognizeImageOperator(
            task_id="submit",
            source="{{ params.scan }}",
            aspose_ocr_conn_id="{{ params.conn_id }}",
            wait_for_completion=False,
        )
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=submit.output, destination="{{ params.outbox }}", **arguments
        )
