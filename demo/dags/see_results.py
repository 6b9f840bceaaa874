"""A DAG whose results are worth a look in Airflow's UI: `make airflow` runs it and prints where to look."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from airflow.sdk import Param, dag, task, task_group

from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrBinarizeImageOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)
from demo.emulators import CONNECTIONS

CHECKOUT = Path(__file__).resolve().parents[2]
# hOCR has the place of each word, which the viewer shows as boxes over the page.
WITH_BOXES = {"language": "English", "resultType": "TextAndPdfAndHocr"}


def see_results(conn_id: str) -> None:
    """Declare the DAG."""

    @dag(
        dag_id="demo_viewer",
        schedule=None,
        params={
            "scans": Param(str(CHECKOUT / "demo" / "scans"), type="string"),
            "inbox": Param(os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", ""), type="string"),
            "output": Param(str(CHECKOUT / ".demo" / "play" / "viewer"), type="string"),
        },
        tags=["demo"],
        default_args={"aspose_ocr_conn_id": conn_id},
    )
    def demo() -> None:
        @task
        def three_scans(scans: str, output: str) -> list[dict[str, str]]:
            """Return the path and the destinations of a clean, a faded and a skewed scan."""
            names = ("01-75dpi", "08-150dpi-faded", "09-100dpi-skewed")
            folder = f"file://{Path(output).resolve()}"
            return [
                {
                    "scan": f"{scans}/{name}.png",
                    "texts": f"{folder}/{name}/",
                    "images": f"{folder}/{name}-binarized/",
                }
                for name in names
            ]

        @task_group
        def read(scan: str, texts: str, images: str) -> None:
            """Read one scan, and show what binarizing makes of it."""
            recognize = AsposeOcrRecognizeImageOperator(task_id="recognize", source=scan, settings=WITH_BOXES)
            AsposeOcrFetchResultOperator(
                task_id="fetch", task=recognize.output, destination=texts, previews=True
            )
            binarize = AsposeOcrBinarizeImageOperator(task_id="binarize", source=scan)
            AsposeOcrFetchResultOperator(task_id="fetch_binarized", task=binarize.output, destination=images)

        read.expand_kwargs(three_scans("{{ params.scans }}", "{{ params.output }}"))

        @task
        def gather(scans: str, inbox: str, output: str) -> str:
            """Copy the scans and the documents of the inbox into one folder, with a broken one, and return it."""
            folder = Path(output).resolve() / "documents"
            folder.mkdir(parents=True, exist_ok=True)
            for place in (scans, inbox.removeprefix("file://")):
                for path in Path(place).iterdir():
                    if path.suffix.lower() in (".png", ".jpeg", ".tiff", ".pdf"):
                        shutil.copy(path, folder)
            (folder / "broken.png").write_text(
                "This is no image."
            )  # A gallery should have something that failed.
            return f"file://{folder}/"

        AsposeOcrBatchOperator(
            task_id="batch",
            sources=gather("{{ params.scans }}", "{{ params.inbox }}", "{{ params.output }}"),
            steps=[{"operation": "RecognizeImage", "settings": {"resultType": "TextAndHocr"}}],
            destination="{{ params.output }}/batch/",
            max_failures=0.2,
            previews=True,
        )

    demo()


for conn_id in CONNECTIONS.values():
    if f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ:
        see_results(conn_id)
        break
