"""
Many documents in one Airflow task: the cost without a process per document.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

BATCH = 20
STEPS = ("UpscaleImage", "BinarizeImage", "RecognizeImage")


@task
def read_all(params: Any = None) -> int:
    hook = AsposeOcrHook(params["conn_id"])
    sources: list[Any] = [params["scan"]] * BATCH
    for operation in STEPS:
        sources = [hook.submit(operation, source) for source in sources]
        for reference in sources:
            hook.wait(reference)
    for number, reference in enumerate(sources):
        hook.fetch_to(reference, f"{params['outbox']}{number}.txt")
    return len(sources)


PARAMS = {name: Param("", type="string") for name in ("conn_id", "url", "scan", "outbox")}

with DAG("scale_batch", params=PARAMS):
    read_all()
