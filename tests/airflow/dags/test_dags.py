"""DAGs for the tests on real Airflow processes: each tests one behaviour."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrCancelTasksOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

PARAMS = {"scan": Param("", type="string"), "outbox": Param("", type="string")}

# inline_wait_seconds=0: every wait goes through the triggerer, however fast the cloud is.
with DAG("test_deferred_chain", params=PARAMS, default_args={"deferrable": True, "inline_wait_seconds": 0}):
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source="{{ params.scan }}")
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output)
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source=binarize.output, settings={"resultType": "TextAndPdf"}
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", inline_text_bytes=10_000
    )

with DAG("test_deferred", params=PARAMS):
    AsposeOcrRecognizeImageOperator(
        task_id="recognize", source="{{ params.scan }}", deferrable=True, inline_wait_seconds=0
    )

with DAG("test_inline", params=PARAMS):
    AsposeOcrRecognizeImageOperator(task_id="recognize", source="{{ params.scan }}", deferrable=False)

with DAG("test_deadline", params=PARAMS):
    AsposeOcrRecognizeImageOperator(
        task_id="recognize",
        source="{{ params.scan }}",
        deferrable=True,
        inline_wait_seconds=0,
        timeout_seconds=10,
    )

with DAG("test_templated_settings", params={**PARAMS, "language": Param("English", type="string")}):
    AsposeOcrRecognizeImageOperator(
        task_id="recognize", source="{{ params.scan }}", settings={"language": "{{ params.language }}"}
    )

# Submits that hand on at once: the next submit waits for the upstream result in the triggerer, then sends it.
with DAG("test_pipelined_chain", params=PARAMS, default_args={"deferrable": True, "inline_wait_seconds": 0}):
    early = AsposeOcrUpscaleImageOperator(
        task_id="upscale", source="{{ params.scan }}", wait_for_completion=False
    )
    late = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source=early.output, wait_for_completion=False
    )
    AsposeOcrFetchResultOperator(task_id="fetch", task=late.output, destination="{{ params.outbox }}")

# A consumer that never starts, because its pool does not exist, and the teardown that cancels what was submitted.
with DAG("test_teardown", params=PARAMS):
    submitted = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source="{{ params.scan }}", wait_for_completion=False
    )
    fetch = AsposeOcrFetchResultOperator(
        task_id="fetch", task=submitted.output, destination="{{ params.outbox }}", pool="nobody_has_made_it"
    )
    fetch >> AsposeOcrCancelTasksOperator(task_id="leave_nothing", task_ids="recognize").as_teardown()
