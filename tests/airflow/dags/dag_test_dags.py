"""One DAG for ``dag.test()``: a branch for each way to wait, with a different operation in each."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

with DAG("test_dag_test", params={"scan": Param("", type="string"), "outbox": Param("", type="string")}):
    SCAN, OUTBOX = "{{ params.scan }}", "{{ params.outbox }}"

    inline = AsposeOcrRecognizeImageOperator(task_id="inline", source=SCAN, deferrable=False)
    AsposeOcrFetchResultOperator(
        task_id="fetch_inline", task=inline.output, destination=OUTBOX, file_stem="inline", deferrable=False
    )

    deferred = AsposeOcrUpscaleImageOperator(
        task_id="deferred", source=SCAN, deferrable=True, inline_wait_seconds=0
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch_deferred",
        task=deferred.output,
        destination=OUTBOX,
        file_stem="deferred",
        deferrable=True,
    )

    handed_on = AsposeOcrBinarizeImageOperator(task_id="handed_on", source=SCAN, wait_for_completion=False)
    AsposeOcrFetchResultOperator(
        task_id="fetch_handed_on",
        task=handed_on.output,
        destination=OUTBOX,
        file_stem="handed_on",
        deferrable=True,
        inline_wait_seconds=0,
        start_from_trigger=True,
    )
