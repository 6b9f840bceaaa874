"""An inbox with a sweep every minute and a watcher, and a second file's DAG on the same inbox."""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator, AsposeOcrPlanInboxOperator
from airflow_provider_asposeocr.triggers.inbox import AsposeOcrInboxTrigger

FOLDER = os.environ.get("ASPOSE_OCR_TEST_INBOX", "/nowhere/inbox/")
OUTBOX = os.environ.get("ASPOSE_OCR_TEST_OUTBOX", "/nowhere/outbox/")

inbox = AsposeOcrInbox(FOLDER, pattern="*.png", quiet_seconds=3)
WATCHER = AssetWatcher("inbox", AsposeOcrInboxTrigger(**inbox.to_dict(), poll_interval_seconds=10))


def read_inbox() -> None:
    """Declare the two tasks."""
    plan = AsposeOcrPlanInboxOperator(
        task_id="plan",
        inbox=inbox,
        destination=OUTBOX,
        batch_documents=20,
        retries=2,
        retry_delay=timedelta(seconds=3),
    )
    AsposeOcrBatchOperator.partial(
        task_id="read",
        steps=[{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}],
        destination=OUTBOX,
        poll_interval_seconds=0.2,
        retries=2,
        retry_delay=timedelta(seconds=3),
        # The event of a deferral would come eight seconds later with the LocalExecutor.
        deferrable=False,
    ).expand(sources=plan.output)


with DAG("inbox_watched", schedule=[inbox.asset(watcher=WATCHER)], catchup=False, max_active_runs=1):
    read_inbox()

with DAG(
    "inbox_swept",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("* * * * *", timezone="UTC"), assets=[inbox.asset(watcher=WATCHER)]
    ),
    catchup=False,
    max_active_runs=1,
):
    read_inbox()
