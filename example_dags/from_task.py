"""
The hook in a plain ``@task``: submit, wait and read in your own code.

This holds a worker slot while the cloud works; the operators do not.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param, task

with DAG(
    "aspose_ocr_from_task",
    description=__doc__,
    params={"scan": Param("s3://scans@inbox/page.png", type="string", description="Path or URI of the scan")},
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
