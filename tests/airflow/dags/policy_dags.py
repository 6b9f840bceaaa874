"""DAGs for the policies of a task: each tests one behaviour, and each uses another operation of the cloud."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr import AsposeOcrHook, AsposeOcrRetryPolicy
from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrDeskewImageOperator,
    AsposeOcrDetectRegionsOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

PARAMS = {"scan": Param("", type="string")}
SCAN = "{{ params.scan }}"
NOWHERE = "/there/is/no/such/scan.png"
AT_ONCE = timedelta(seconds=1)

# Far longer than the cloud's Retry-After, so that the test can tell for which of the two a retry has waited.
with DAG("test_retry_after", params=PARAMS):
    AsposeOcrUpscaleImageOperator(
        task_id="upscale",
        source=SCAN,
        retries=2,
        retry_delay=timedelta(minutes=10),
        retry_policy=AsposeOcrRetryPolicy(),
    )

with DAG(
    "test_bad_input",
    default_args={"retries": 3, "retry_delay": AT_ONCE, "retry_policy": AsposeOcrRetryPolicy()},
):
    AsposeOcrRecognizeImageOperator(task_id="operator", source=NOWHERE)

    # Operators themselves prevent retries that cannot succeed; for a user's own code only the policy does.
    @task
    def own_code() -> None:
        """Submit what is not there."""
        AsposeOcrHook().submit("RecognizeImage", NOWHERE)

    own_code()

with DAG("test_reuse", params=PARAMS, default_args={"deferrable": True, "inline_wait_seconds": 0}):
    AsposeOcrRecognizeImageOperator(task_id="always", source=SCAN, reuse="always")
    AsposeOcrDetectRegionsOperator(task_id="default", source=SCAN)

with DAG("test_unknown_submit", params=PARAMS):
    AsposeOcrDeskewImageOperator(
        task_id="deskew", source=SCAN, on_unknown_submit="fail", retries=2, retry_delay=AT_ONCE
    )

# Two cloud tasks that never end, of which a user's kill may cancel one.
with DAG("test_never_cancel", params=PARAMS, default_args={"deferrable": True, "inline_wait_seconds": 0}):
    AsposeOcrBinarizeImageOperator(task_id="never", source=SCAN, cancel_on_kill="never")
    AsposeOcrBinarizeImageOperator(task_id="default", source=SCAN)
