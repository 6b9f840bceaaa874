"""Read the text of a scan aloud: the result is a WAV file."""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.operators import (
    AsposeOcrConvertTextToSpeechOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)

# Where the documents are and where results go, unless you enter something else when you trigger the DAG.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

with DAG(
    "aspose_ocr_read_aloud",
    description="The text of a scan as speech",
    doc_md=__doc__,
    params={
        "scan": Param(
            f"{INBOX}page.png",
            type="string",
            description="Absolute path of the scan, or its URI; s3:// needs apache-airflow-providers-amazon[s3fs]",
        ),
        "outbox": Param(OUTBOX, type="string", description="Folder for the results: absolute path or URI"),
    },
    tags=["aspose-ocr"],
):
    # [start speech]
    recognize = AsposeOcrRecognizeImageOperator(
        task_id="recognize",
        source="{{ params.scan }}",
        settings={"language": "English", "resultType": "Text"},
        deferrable=True,
    )
    speak = AsposeOcrConvertTextToSpeechOperator(task_id="speak", source=recognize.output, deferrable=True)
    AsposeOcrFetchResultOperator(
        task_id="fetch", task=speak.output, destination="{{ params.outbox }}", deferrable=True
    )
    # [end speech]
