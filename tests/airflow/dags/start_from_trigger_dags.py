"""DAGs whose consumers begin their wait in the triggerer: each tests one behaviour."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, task_group

from airflow_provider_asposeocr.operators import AsposeOcrFetchResultOperator, AsposeOcrRecognizeImageOperator
from airflow_provider_asposeocr.sensors.aspose_ocr import AsposeOcrTaskSensor

PARAMS = {"scan": Param("", type="string"), "outbox": Param("", type="string")}
STARTING: dict[str, Any] = {"deferrable": True, "start_from_trigger": True}

with DAG("test_start", params=PARAMS):
    submit = AsposeOcrRecognizeImageOperator(
        task_id="submit", source="{{ params.scan }}", wait_for_completion=False
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch",
        task=submit.output,
        destination="{{ params.outbox }}",
        inline_text_bytes=10_000,
        retries=1,
        retry_delay=timedelta(seconds=1),
        **STARTING,
    )

# A later step waits in the triggerer for the earlier one's cloud task, then submits and waits there once more.
with DAG("test_start_chain", params=PARAMS, default_args={"deferrable": True, "inline_wait_seconds": 0}):
    first = AsposeOcrRecognizeImageOperator(
        task_id="first",
        source="{{ params.scan }}",
        settings={"resultType": "Pdf"},
        wait_for_completion=False,
    )
    second = AsposeOcrRecognizeImageOperator(task_id="second", source=first.output, start_from_trigger=True)
    AsposeOcrTaskSensor(task_id="done", task=second.output, start_from_trigger=True)

with DAG("test_start_lanes", params=PARAMS):

    @task_group
    def lane(stem: str) -> None:
        """Read the scan once more."""
        page = AsposeOcrRecognizeImageOperator(
            task_id="submit", source="{{ params.scan }}", wait_for_completion=False
        )
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=page.output, destination="{{ params.outbox }}", file_stem=stem, **STARTING
        )

    lane.expand(stem=["a", "b"])

# With expand() it begins in a worker.
with DAG("test_start_expanded", params=PARAMS):
    pages = AsposeOcrRecognizeImageOperator.partial(task_id="submit", wait_for_completion=False).expand(
        source=["{{ params.scan }}"]
    )
    AsposeOcrFetchResultOperator.partial(
        task_id="fetch", destination="{{ params.outbox }}", inline_wait_seconds=0, **STARTING
    ).expand(task=pages.output)
