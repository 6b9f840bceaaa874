"""Detect the regions of a page, then recognize each of them: one result per region."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrDetectRegionsOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeRegionsOperator,
)

with DAG(
    "aspose_ocr_regions",
    description=__doc__,
    params={
        "scan": Param("s3://scans@inbox/page.png", type="string", description="Path or URI of the scan"),
        "outbox": Param("s3://scans@outbox/", type="string", description="Folder for the results"),
    },
    tags=["aspose-ocr"],
):
    # [start regions]
    detect = AsposeOcrDetectRegionsOperator(task_id="detect", source="{{ params.scan }}", deferrable=True)
    recognize = AsposeOcrRecognizeRegionsOperator(
        task_id="recognize", source="{{ params.scan }}", regions=detect.output, deferrable=True
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end regions]
