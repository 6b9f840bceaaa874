"""
Batches, and the chain mapped over the same documents.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

PARAMS = {name: Param("", type="string") for name in ("conn_id", "url", "scan", "outbox")}
STEPS = ["UpscaleImage", "BinarizeImage", {"operation": "RecognizeImage", "settings": {"resultType": "Text"}}]
#: For ``scan``, the folder of the documents.
BATCH: dict[str, Any] = {
    "task_id": "read",
    "sources": "{{ params.scan }}",
    "destination": "{{ params.outbox }}",
    "aspose_ocr_conn_id": "{{ params.conn_id }}",
    "deferrable": True,
}
#: Each batch that is deferred: how many documents are under way at once, and the shortest idle time that is worth it.
DEFERRED_IN_FLIGHT, DEFERRED_IDLE_SECONDS = 12, 5.0
OURS: dict[str, Any] = {"deferrable": True, "aspose_ocr_conn_id": "{{ params.conn_id }}"}

with DAG("batch_folder", params=PARAMS):
    AsposeOcrBatchOperator(steps=STEPS, max_in_flight=100, **BATCH)

with DAG("batch_deferred", params=PARAMS):
    AsposeOcrBatchOperator(
        steps=STEPS[-1:], max_in_flight=DEFERRED_IN_FLIGHT, defer_idle_seconds=DEFERRED_IDLE_SECONDS, **BATCH
    )


@task
def scans(params: Any = None) -> list[str]:
    return sorted(map(str, Path(params["scan"]).glob("*.png")))


with DAG("mapped_chain", params=PARAMS):
    upscale = AsposeOcrUpscaleImageOperator.partial(task_id="upscale", **OURS).expand(source=scans())
    binarize = AsposeOcrBinarizeImageOperator.partial(task_id="binarize", **OURS).expand(
        source=upscale.output
    )
    recognize = AsposeOcrRecognizeImageOperator.partial(
        task_id="recognize", settings={"resultType": "Text"}, **OURS
    ).expand(source=binarize.output)
    AsposeOcrFetchResultOperator.partial(
        task_id="fetch", destination="{{ params.outbox }}", deferrable=True
    ).expand(task=recognize.output)
