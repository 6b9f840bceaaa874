"""The DAG of the demo's inbox: reads each file that is dropped into a folder once."""

from __future__ import annotations

import os

from airflow.sdk import DAG, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable

from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator, AsposeOcrPlanInboxOperator
from airflow_provider_asposeocr.triggers.inbox import AsposeOcrInboxTrigger
from demo.dropped_files import DAG_ID, INBOX_VARIABLE, OUTBOX_VARIABLE, QUIET_SECONDS
from demo.emulators import CONNECTIONS


def read_inbox(folder: str, outbox: str, conn_id: str) -> None:
    """Declare the DAG. `example_dags/inbox.py` is the same with the intervals that a platform wants.

    :param folder: of the inbox.
    :param outbox: folder of the results and of the register.
    :param conn_id: of the emulator that reads.
    """
    inbox = AsposeOcrInbox(folder, pattern="*.png", quiet_seconds=QUIET_SECONDS)
    # As often as it may: a demo has no minute to wait.
    trigger = AsposeOcrInboxTrigger(**inbox.to_dict(), poll_interval_seconds=10)
    every_minute = CronTriggerTimetable("* * * * *", timezone="UTC")
    watched = inbox.asset(watcher=AssetWatcher("inbox", trigger))
    with DAG(
        DAG_ID,
        schedule=AssetOrTimeSchedule(timetable=every_minute, assets=[watched]),
        catchup=False,
        max_active_runs=1,
        default_args={"aspose_ocr_conn_id": conn_id, "retries": 2},
        tags=["demo"],
    ):
        plan = AsposeOcrPlanInboxOperator(task_id="plan", inbox=inbox, destination=outbox)
        AsposeOcrBatchOperator.partial(
            task_id="read",
            steps=[
                {"operation": "RecognizeImage", "settings": {"language": "English", "resultType": "Text"}}
            ],
            destination=outbox,
            deferrable=True,
        ).expand(sources=plan.output)


for conn_id in CONNECTIONS.values():
    if INBOX_VARIABLE in os.environ and f"AIRFLOW_CONN_{conn_id.upper()}" in os.environ:
        read_inbox(os.environ[INBOX_VARIABLE], os.environ[OUTBOX_VARIABLE], conn_id)
        break
