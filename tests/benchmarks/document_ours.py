"""
The provider as a ``@task`` uses it, in a process that takes commands.
"""

from __future__ import annotations

from typing import Any

import adlfs  # noqa: F401  # Airflow imports it when it is used, which is no part of the measurement.
import airflow.providers.amazon.aws.fs.s3
import airflow.providers.microsoft.azure.fs.adls  # noqa: F401
import s3fs  # noqa: F401  # see above
from document_meter import serve

from airflow_provider_asposeocr.documents.blocks import BLOCK_BYTES
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook


def block_bytes() -> int:
    return BLOCK_BYTES


def submit(source: Any) -> str:
    return str(AsposeOcrHook("ocr").submit("RecognizeImage", source)["id"])


def fetch(task: dict[str, Any], destination: str) -> str:
    return str(AsposeOcrHook("ocr").fetch_to(task, destination)["results"][0]["sha256"])


if __name__ == "__main__":
    # A handed-on result is a source like any other.
    serve({"block_bytes": block_bytes, "submit": submit, "hand_on": submit, "fetch": fetch})
