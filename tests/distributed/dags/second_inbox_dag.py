"""A second DAG file with the same inbox, the same steps and the same outbox."""

from __future__ import annotations

from airflow.sdk import DAG

from tests.distributed.inbox_place import OUTBOX, inbox, watched
from tests.distributed.inbox_tasks import RETRIES, read_inbox

with DAG(
    "inbox_second",
    schedule=[watched()],
    catchup=False,
    max_active_runs=1,
    default_args=RETRIES,
):
    read_inbox(inbox, OUTBOX)
