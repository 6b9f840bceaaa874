"""Two DAGs in a file: one that defers twice, and one whose mapped task hands on what it returned."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param, task
from words import RESULT

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)

PARAMS = {"scan": Param("", type="string"), "outbox": Param("", type="string")}

with DAG("deferred", params=PARAMS):
    binarize = AsposeOcrBinarizeImageOperator(
        task_id="binarize", source="{{ params.scan }}", deferrable=True, inline_wait_seconds=0
    )
    read = AsposeOcrRecognizeImageOperator(
        task_id="read",
        source=binarize.output,
        aspose_ocr_conn_id="other_account",
        deferrable=True,
        inline_wait_seconds=0,
        retries=1,
        retry_delay=timedelta(0),
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch",
        task=read.output,
        destination="{{ params.outbox }}",
        file_stem=RESULT,
        deferrable=True,
        inline_wait_seconds=0,
    )

with DAG("mapped"):

    @task
    def double(number: int) -> int:
        """Double a number."""
        return 2 * number

    double.expand(number=[1, 2])
