"""
Read a folder, and write what a search engine loads: JSON Lines with one object for each page.

The id of a page is made of the content of its document, so that an engine which loads a page twice replaces it.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.sdk import DAG, Param, task

from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")


# [start index]
@task
def write_index(summary: dict[str, Any], target: str) -> int:
    """Write a line for each page with text; return how many there are. Fail at the end if a document is missing."""
    # Imported here, because the DAG is parsed more often than it runs.
    import json
    import shutil
    import tempfile

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr import read_manifest
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.results.reading import TEXT
    from airflow_provider_asposeocr.documents.read_results import from_manifest

    lines, unread = 0, []
    # A local file first: a store would keep the half of an index whose writer has failed.
    with tempfile.TemporaryFile() as index:
        for document in read_manifest(summary["manifest"]):
            if document.error is not None:
                unread.append(f"{document.source}: {document.error.message}")
                continue
            try:
                pages = from_manifest(document, TEXT).pages
            except AsposeOcrError as error:
                unread.append(f"{document.source}: {error}")
                continue
            for number, text in enumerate(pages, 1):
                if text.strip():
                    page = {"id": f"{document.sha256}-{number}", "source": document.source, "page": number}
                    index.write(json.dumps({**page, "text": text}).encode() + b"\n")
                    lines += 1
        index.seek(0)
        path = ObjectStoragePath(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            shutil.copyfileobj(index, file)
    if unread:
        raise ValueError(f"{lines} pages are in the index. These documents are not: {'; '.join(unread)}")
    return lines


# [end index]

with DAG(
    "aspose_ocr_search_index",
    description="A folder of scans as JSON Lines for a search engine",
    doc_md=__doc__,
    params={
        "inbox": Param(
            INBOX,
            type="string",
            description="Folder with the scans: absolute path or URI, with a slash at its end",
        ),
        "outbox": Param(
            OUTBOX,
            type="string",
            description="Folder for the results: absolute path or URI, with a slash at its end; not inside the inbox",
        ),
    },
    tags=["aspose-ocr"],
):
    # [start batch]
    read: Any = AsposeOcrBatchOperator(
        task_id="read",
        sources="{{ params.inbox }}*.png",
        steps=[{"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "Text"}}],
        destination="{{ params.outbox }}pages/",
        # The others are in the index although some cannot be read. Where more than half fail, something else is wrong.
        max_failures=0.5,
        deferrable=True,
    )
    write_index(read.output, "{{ params.outbox }}search-index.jsonl")
    # [end batch]
