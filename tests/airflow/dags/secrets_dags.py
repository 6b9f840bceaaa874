"""DAGs in which a secret could be leaked: every kind of task, failures, and a user's own code."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr import AsposeOcrHook
from airflow_provider_asposeocr.operators import (
    AsposeOcrDeskewImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor

PARAMS = {name: Param("", type="string") for name in ("scan", "outbox", "conn_id", "wrong_conn_id")}
WAITS: dict[str, Any] = {"deferrable": True, "inline_wait_seconds": 0}
CONN = {"aspose_ocr_conn_id": "{{ params.conn_id }}"}

with DAG("test_secrets", params=PARAMS):
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source="{{ params.scan }}", **CONN, **WAITS)
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source=upscale.output, wait_for_completion=False, **CONN
    )
    sensor = AsposeOcrTaskSensor(task_id="sensor", task=recognize.output, **WAITS)
    fetch = AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", **WAITS
    )
    sensor >> fetch

    # One task is refused because of its credentials; the other one fails in the cloud.
    AsposeOcrRecognizeImageOperator(
        task_id="wrong_secret", source="{{ params.scan }}", aspose_ocr_conn_id="{{ params.wrong_conn_id }}"
    )
    AsposeOcrDeskewImageOperator(task_id="fails_in_the_cloud", source="{{ params.scan }}", **CONN, **WAITS)

with DAG("test_careless", params=PARAMS):

    @task
    def careless(conn_id: str) -> None:
        """Print the connection and the error, as careless code does, and raise an error with them."""
        hook = AsposeOcrHook(conn_id)
        token = hook.client._token()
        print(hook.account, vars(hook.account), hook.client, token)
        raise ValueError(f"{hook.account!r} {vars(hook.account)} {token}")

    careless("{{ params.conn_id }}")
