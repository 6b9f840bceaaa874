"""
Read a page of several columns: detect its regions, recognize each, and write one text in reading order.

The cloud lists regions in an order of its own, and makes one result for each.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

from airflow.sdk import DAG, ObjectStoragePath, Param, task

from airflow_provider_asposeocr.operators import (
    AsposeOcrDetectRegionsOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeRegionsOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")


# [start order]
@task
def in_reading_order(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the regions that were detected, column by column, as the setting of the next step."""
    # Imported here, because the DAG is parsed more often than it runs.
    from airflow.sdk.exceptions import AirflowSkipException

    from airflow_provider_asposeocr.api.results.reading import REGIONS
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    regions = from_manifest(manifest, REGIONS).in_reading_order().padded(4)
    if not regions.count:
        raise AirflowSkipException("The cloud has found no text on this page.")
    return regions.to_settings()


@task
def one_text(manifest: dict[str, Any], outbox: str) -> str:
    """Write the texts of all regions as one file, each a paragraph; return its path."""
    from airflow_provider_asposeocr.api.results.reading import TEXT
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    target = ObjectStoragePath(outbox) / f"{PurePosixPath(manifest['source']).stem}.txt"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n\n".join(from_manifest(manifest, TEXT).parts), encoding="utf-8")
    return str(target)


# [end order]

with DAG(
    "aspose_ocr_reading_order",
    description="Regions of a page as one text in reading order",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}page.png",
            type="string",
            description="Absolute path of the scan, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(
            OUTBOX,
            type="string",
            description="Folder for the results: absolute path or URI, with a slash at its end",
        ),
    },
    tags=["aspose-ocr"],
):
    # [start steps]
    detect = AsposeOcrDetectRegionsOperator(task_id="detect", source="{{ params.scan }}", deferrable=True)
    detected: Any = AsposeOcrFetchResultOperator(
        task_id="detected", task=detect.output, destination="{{ params.outbox }}regions/", deferrable=True
    )
    recognize = AsposeOcrRecognizeRegionsOperator(
        task_id="recognize",
        source="{{ params.scan }}",
        regions=in_reading_order(detected.output),
        settings={"language": "English", "resultType": "Text"},
        deferrable=True,
    )
    fetch: Any = AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}regions/", deferrable=True
    )
    one_text(fetch.output, "{{ params.outbox }}")
    # [end steps]
