"""The demo's DAGs, one per engine: the scans through the mapped chain, in one batch, and read otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from airflow.sdk import Param, dag, task, task_group

from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
    AsposeOcrUpscaleImageOperator,
)
from demo.emulators import CONNECTIONS

CHECKOUT = Path(__file__).resolve().parents[2]
TEXT_AND_PDF = {"language": "English", "resultType": "TextAndPdf"}


@task
def list_scans(scans: str, output: str) -> list[dict[str, str]]:
    """Return source and destination of each scan in a folder, sorted by name."""
    return [
        {"source": str(path), "destination": f"file://{Path(output).resolve()}/{path.stem}/"}
        for path in sorted(Path(scans).glob("*.png"))
    ]


@task
def read_otherwise(scans: list[dict[str, str]], conn_id: str) -> None:
    """Read scans directly, after upscaling only and after binarizing only, with the hook."""
    from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

    hook = AsposeOcrHook(conn_id)

    def recognize(source: object) -> dict[str, Any]:
        return hook.submit("RecognizeImage", source, settings={"language": "English", "resultType": "Text"})

    def wait(reference: dict[str, Any]) -> dict[str, Any]:
        hook.wait(reference, poll_interval_seconds=0.2, max_poll_interval_seconds=1)
        return reference

    sources = [scan["source"] for scan in scans]
    upscaled = [hook.submit("UpscaleImage", source) for source in sources]
    binarized = [hook.submit("BinarizeImage", source) for source in sources]
    readings = {
        "direct": [recognize(source) for source in sources],
        "upscaled": [recognize(wait(reference)) for reference in upscaled],
        "binarized": [recognize(wait(reference)) for reference in binarized],
    }
    for way, references in readings.items():
        for scan, reference in zip(scans, references, strict=True):
            text = b"".join(result.data for result in hook.fetch(wait(reference)))
            Path(scan["destination"].removeprefix("file://"), f"{way}.txt").write_bytes(text)


def read_scans(engine: str, conn_id: str) -> None:
    """Declare the DAG of one engine."""

    @dag(
        dag_id=f"demo_{engine}",
        schedule=None,
        params={
            "scans": Param(str(CHECKOUT / "demo" / "scans"), type="string"),
            "output": Param(str(CHECKOUT / ".demo" / "play" / "output" / engine), type="string"),
        },
        tags=["demo"],
    )
    def demo() -> None:
        @task_group
        def chain(source: str, destination: str) -> None:
            upscale = AsposeOcrUpscaleImageOperator(
                task_id="upscale", source=source, aspose_ocr_conn_id=conn_id, deferrable=True
            )
            binarize = AsposeOcrBinarizeImageOperator(
                task_id="binarize", source=upscale.output, aspose_ocr_conn_id=conn_id, deferrable=True
            )
            recognize = AsposeOcrRecognizeImageOperator(
                task_id="recognize",
                source=binarize.output,
                settings=TEXT_AND_PDF,
                aspose_ocr_conn_id=conn_id,
                deferrable=True,
            )
            AsposeOcrFetchResultOperator(task_id="fetch", task=recognize.output, destination=destination)

        batch = AsposeOcrBatchOperator(
            task_id="batch",
            sources="{{ params.scans }}/*.png",
            steps=[
                "UpscaleImage",
                "BinarizeImage",
                {"operation": "RecognizeImage", "settings": TEXT_AND_PDF},
            ],
            destination="{{ params.output }}/batch/",
            aspose_ocr_conn_id=conn_id,
            deferrable=True,
        )
        scans = list_scans("{{ params.scans }}", "{{ params.output }}")
        # One after the other: the emulator works in the order in which it was asked.
        chain.expand_kwargs(scans) >> batch >> read_otherwise(scans, conn_id)  # type: ignore[arg-type]  # Airflow resolves it

    demo()


for engine, conn_id in CONNECTIONS.items():
    if f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ:
        read_scans(engine, conn_id)
