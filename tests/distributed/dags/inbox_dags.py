"""DAGs that read an inbox: on the disk, by event and every minute; and in S3, when a test says so."""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from tests.distributed.inbox_place import FAR_INBOX, FAR_OUTBOX, OUTBOX, inbox, watched
from tests.distributed.inbox_tasks import RETRIES, read_inbox

with DAG(
    "inbox_swept",
    schedule=AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("* * * * *", timezone="UTC"), assets=[watched()]
    ),
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
):
    read_inbox(inbox, OUTBOX)

with DAG("inbox_far", schedule=None, default_args=RETRIES):
    read_inbox(AsposeOcrInbox(FAR_INBOX, pattern="*.png"), FAR_OUTBOX)
