"""DAGs of the tests on a distributed Airflow."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

PARAMS = {"inbox": Param("", type="string"), "outbox": Param("", type="string")}
# A killed worker costs each of its tasks a try, and chance may choose the same task again.
RETRIES = {"retries": 6, "retry_delay": timedelta(seconds=2)}
# Every wait for the cloud goes through the triggerer.
DEFERRED = {"deferrable": True, "inline_wait_seconds": 0, "poll_interval_seconds": 1}

with DAG("storm", params=PARAMS, default_args=RETRIES):

    @task
    def list_documents(inbox: str) -> list[str]:
        """List the documents, in the order of their names: the map index is the number in the name."""
        return sorted(str(file) for file in ObjectStoragePath(inbox).iterdir())

    @task_group
    def read(document: str) -> None:
        """Take one document through the chain."""
        upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source=document, **DEFERRED)
        binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, **DEFERRED)
        recognize = AsposeOcrRecognizeImageOperator(task_id="recognize", source=binarize.output, **DEFERRED)
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
        )

    read.expand(document=list_documents("{{ params.inbox }}"))

# The queue of a task is the queue of its trigger too, see [triggerer] queues_enabled.
for queue in ("ocr", "nobody"):
    with DAG(f"on_queue_{queue}", params=PARAMS, default_args={"queue": queue}):
        AsposeOcrRecognizeImageOperator(task_id="recognize", source="{{ params.inbox }}", **DEFERRED)
