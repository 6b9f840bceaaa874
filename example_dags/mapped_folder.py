"""
A folder of scans, each through the whole chain: dynamic task mapping over a task group.

The pool limits how many cloud tasks are in flight; it must count deferred tasks (``include_deferred``).
"""

from __future__ import annotations

from airflow.sdk import DAG, ObjectStoragePath, Param, task, task_group

from airflow_provider_asposeocr.operators import (
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)

with DAG(
    "aspose_ocr_mapped_folder",
    description=__doc__,
    params={
        "inbox": Param("s3://scans@inbox/", type="string", description="Folder with scans"),
        "outbox": Param("s3://scans@outbox/", type="string", description="Folder for the results"),
        "conn_id": Param("aspose_ocr_default", type="string", description="Connection to the cloud"),
    },
    default_args={"deferrable": True},
    tags=["aspose-ocr"],
):

    @task
    def list_scans(inbox: str) -> list[str]:
        """List the scans of the inbox."""
        files = ObjectStoragePath(inbox).iterdir()
        return sorted(str(file) for file in files if file.suffix in (".png", ".jpg", ".tif"))

    # [start mapped]
    @task_group
    def read(scan: str) -> None:
        """Take one scan through the chain."""
        upscale = AsposeOcrUpscaleImageOperator(
            task_id="upscale", source=scan, aspose_ocr_conn_id="{{ params.conn_id }}"
        )
        binarize = AsposeOcrBinarizeImageOperator(
            task_id="binarize", source=upscale.output, aspose_ocr_conn_id="{{ params.conn_id }}"
        )
        recognize = AsposeOcrRecognizeImageOperator(
            task_id="recognize", source=binarize.output, aspose_ocr_conn_id="{{ params.conn_id }}"
        )
        AsposeOcrFetchResultOperator(
            task_id="fetch", task=recognize.output, destination="{{ params.outbox }}"
        )

    read.expand(scan=list_scans("{{ params.inbox }}"))
    # [end mapped]
