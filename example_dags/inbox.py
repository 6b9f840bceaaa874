"""
Read the scans of an inbox, each once: every hour, and soon after something new is dropped into it.

Drop files while the DAG runs, drop one twice, rename one: the manifests below the outbox have a row for each file, and no
content is billed twice. Set `dry_run` when you trigger the DAG to see what it would read.
"""

from __future__ import annotations

import os

from airflow.sdk import DAG, Param

from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator, AsposeOcrPlanInboxOperator

try:
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
except ImportError:  # Airflow 3.1, where the scheduler's classes are also those of DAG files
    from airflow.timetables.assets import AssetOrTimeSchedule  # type: ignore[assignment]  # it has no common base
    from airflow.timetables.trigger import CronTriggerTimetable  # type: ignore[assignment]  # it has no common base

# The folder is written out, because the watcher runs without a DAG run that could render a template.
INBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_INBOX", "s3://scans@inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_EXAMPLES_OUTBOX", "s3://scans@outbox/")

# [start inbox]
inbox = AsposeOcrInbox(INBOX, pattern="*.{png,jpg,jpeg,tif,tiff}")
every_hour = CronTriggerTimetable("0 * * * *", timezone="UTC")
schedule = AssetOrTimeSchedule(timetable=every_hour, assets=[inbox.asset()])
# [end inbox]

with DAG(
    "aspose_ocr_inbox",
    description="Read each new scan of an inbox once, by schedule and by event",
    schedule=schedule,
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    params={
        "dry_run": Param(False, type="boolean", description="Only say in the log what would be read"),
        "reprocess": Param(
            False,
            type="boolean",
            description="Look at all files again; content that was read before is not billed again",
        ),
    },
    tags=["aspose-ocr"],
):
    # [start tasks]
    plan = AsposeOcrPlanInboxOperator(
        task_id="plan",
        inbox=inbox,
        destination=OUTBOX,
        max_documents=1_000,
        dry_run="{{ params.dry_run }}",
        reprocess="{{ params.reprocess }}",
        retries=2,
    )
    AsposeOcrBatchOperator.partial(
        task_id="read",
        steps=[{"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "Text"}}],
        destination=OUTBOX,
        deferrable=True,
        retries=2,
    ).expand(sources=plan.output)
    # [end tasks]
