"""
Read a scan, and where the engine is not sure of its words, upscale and binarize the scan and read it once more.

The result with the higher confidence wins. A scan that is read well is billed once, another one four times: two
recognitions, and two steps before the second one.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")
# Only hOCR has confidences.
SETTINGS = {"language": "English", "resultType": "TextAndHocr"}


# [start better]
@task.short_circuit(ignore_downstream_trigger_rules=False)
def is_low(manifest: dict[str, Any]) -> bool:
    """Tell whether the scan has to be read once more."""
    return bool(manifest["outcome"] == "low_quality")


def confidence(manifest: dict[str, Any]) -> float:
    """Return how sure the engine was of the words, from 0 to 1; below all others where it said nothing."""
    found = manifest.get("quality", {}).get("mean_confidence")
    return -1.0 if found is None else float(found)


@task(trigger_rule="none_failed")
def better(first: dict[str, Any], second: dict[str, Any] | None) -> dict[str, Any]:
    """Return the manifest of the result that the engine was more sure of; of two equal ones the first."""
    # There is no second one where the first one was good.
    return first if second is None else max(first, second, key=confidence)


# [end better]

with DAG(
    "aspose_ocr_once_more",
    description="Read a scan of low confidence once more, upscaled",
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
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize", source="{{ params.scan }}", settings=SETTINGS, deferrable=True
    )
    first: Any = AsposeOcrFetchResultOperator(
        task_id="first",
        task=recognize.output,
        destination="{{ params.outbox }}first/",
        quality={"min_mean_confidence": 0.9},
        on_low_quality="mark",
        deferrable=True,
    )
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source="{{ params.scan }}", deferrable=True)
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, deferrable=True)
    again = AsposeOcrRecognizeImageOperator(
        task_id="again", source=binarize.output, settings=SETTINGS, deferrable=True
    )
    second: Any = AsposeOcrFetchResultOperator(
        task_id="second", task=again.output, destination="{{ params.outbox }}second/", deferrable=True
    )
    is_low(first.output) >> upscale
    better(first.output, second.output)
    # [end steps]
