"""DAGs whose runs are watched: links, metrics, lineage, asset events."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)

TEXTS = Asset(name="told_texts", uri="x-told://texts")
READ = Asset(name="told_read", uri="x-told://read")

with DAG("test_told_mapped", params={"scan": Param("", type="string"), "outbox": Param("", type="string")}):
    recognized = AsposeOcrRecognizeImageOperator.partial(
        task_id="recognize", deferrable=True, inline_wait_seconds=0
    ).expand(source=["{{ params.scan }}", "{{ params.scan }}"])
    AsposeOcrFetchResultOperator.partial(
        task_id="fetch", destination="{{ params.outbox }}", previews=True, outlets=[TEXTS]
    ).expand(task=recognized.output)

with DAG("test_told_batch", params={"inbox": "", "outbox": ""}):
    AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}",
        steps=["RecognizeImage"],
        destination="{{ params.outbox }}",
        deferrable=True,
        defer_idle_seconds=0.5,
        previews=True,
        outlets=[READ],
    )
