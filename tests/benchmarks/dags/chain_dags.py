"""
The chain upscale, binarize, recognize, fetch in four ways, and what its steps cost when nothing has to be waited for.

Invariant: the ways differ in who waits where; input, operations, settings and what is written are the same.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

PARAMS = {name: Param("", type="string") for name in ("conn_id", "url", "scan", "outbox")}
SCAN, OUTBOX = "{{ params.scan }}", "{{ params.outbox }}"
OURS: dict[str, Any] = {"deferrable": True, "aspose_ocr_conn_id": "{{ params.conn_id }}"}
PIPELINED: dict[str, Any] = {**OURS, "wait_for_completion": False}
CONSUMER: dict[str, Any] = {**PIPELINED, "start_from_trigger": True}

with DAG("chain_deferrable", params=PARAMS):
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source=SCAN, **OURS)
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, **OURS)
    recognize = AsposeOcrRecognizeImageOperator(task_id="recognize", source=binarize.output, **OURS)
    AsposeOcrFetchResultOperator(task_id="fetch", task=recognize.output, destination=OUTBOX, deferrable=True)

with DAG("chain_pipelined", params=PARAMS):
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source=SCAN, **PIPELINED)
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, **CONSUMER)
    recognize = AsposeOcrRecognizeImageOperator(task_id="recognize", source=binarize.output, **CONSUMER)
    AsposeOcrFetchResultOperator(
        task_id="fetch",
        task=recognize.output,
        destination=OUTBOX,
        deferrable=True,
        start_from_trigger=True,
    )

# A cloud that is done at once: what is left is what a step costs.
with DAG("chain_steps", params=PARAMS):
    submit = AsposeOcrRecognizeImageOperator(task_id="submit", source=SCAN, **PIPELINED)
    AsposeOcrFetchResultOperator(task_id="fetch", task=submit.output, destination=OUTBOX, deferrable=True)


@task
def step_of_sdk(operation: str, upstream: dict[str, str] | None, params: Any = None) -> dict[str, str]:
    from tests.benchmarks import chain_sdk

    return chain_sdk.step(params["url"], operation, params["scan"], upstream)


@task
def fetch_of_sdk(upstream: dict[str, str], params: Any = None) -> str:
    from tests.benchmarks import chain_sdk

    return chain_sdk.fetch(params["url"], upstream, params["outbox"])


with DAG("chain_sdk", params=PARAMS):
    step: Any = None
    for name, operation in (
        ("upscale", "UpscaleImage"),
        ("binarize", "BinarizeImage"),
        ("recognize", "RecognizeImage"),
    ):
        step = step_of_sdk.override(task_id=name)(operation, step)
    fetch_of_sdk.override(task_id="fetch")(step)


@task
def nothing(upstream: Any = None) -> dict[str, str]:
    return {"id": "nothing"}


# Not EmptyOperator, which starts no process at all.
with DAG("chain_empty", params=PARAMS):
    empty: Any = None
    for name in ("upscale", "binarize", "recognize", "fetch"):
        empty = nothing.override(task_id=name)(empty)
