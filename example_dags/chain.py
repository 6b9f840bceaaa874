"""
Upscale, binarize, recognize: each step's result is the next one's input, and only the end goes to storage.

No worker slot is held while the cloud works, and no picture passes through XCom or a bucket of yours in between.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

with DAG(
    "aspose_ocr_chain",
    description=__doc__,
    params={
        "scan": Param("s3://scans@inbox/page.png", type="string", description="Path or URI of the scan"),
        "outbox": Param("s3://scans@outbox/", type="string", description="Folder for the results"),
    },
    tags=["aspose-ocr"],
):
    # [start chain]
    upscale = AsposeOcrUpscaleImageOperator(task_id="upscale", source="{{ params.scan }}", deferrable=True)
    binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=upscale.output, deferrable=True)
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize",
        source=binarize.output,
        settings={"language": "English", "resultType": "TextAndPdf"},
        deferrable=True,
    )
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=recognize.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end chain]
