"""
Count the words of a page with the hook, in a ``@task``.

This holds a worker slot while the cloud works. The operators do not.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param, task

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")

with DAG(
    "aspose_ocr_from_task",
    description="The hook in a @task",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}page.png",
            type="string",
            description="Absolute path of the scan, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
    },
    tags=["aspose-ocr"],
):
    # [start hook]
    @task
    def count_words(scan: str) -> int:
        """Count the words of a page."""
        from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

        hook = AsposeOcrHook("aspose_ocr_default")
        ref = hook.submit("RecognizeImage", scan, settings={"language": "English"})
        hook.wait(ref, timeout_seconds=120)
        text = hook.fetch(ref)[0].text
        return len(text.split())

    # [end hook]

    count_words("{{ params.scan }}")
