"""Where the inboxes of the DAGs are. It is imported by DAG files, so it imports nothing that they do not need."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow.sdk import AssetWatcher

from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.triggers.inbox import AsposeOcrInboxTrigger

if TYPE_CHECKING:
    from airflow.sdk import Asset

#: Environment variable with the folder of the inbox on the disk, and of its results.
VARIABLE = "DISTRIBUTED_INBOX"
_HOME = os.environ.get(VARIABLE, "/nowhere")
OUTBOX = f"{_HOME}/read/"
#: In the S3 server of the tests, whose log has each request.
FAR_BUCKET = "scans"
FAR_INBOX, FAR_OUTBOX = f"s3://logs@{FAR_BUCKET}/in/", f"s3://logs@{FAR_BUCKET}/out/"
BATCH_DOCUMENTS = int(os.environ.get("INBOX_BATCH_DOCUMENTS", "20"))

#: Files are renamed into it, so that none has to be looked at twice.
inbox = AsposeOcrInbox(f"{_HOME}/dropped/", pattern="*.png", quiet_seconds=0)


def watched() -> Asset:
    """Return the asset of the inbox, with a watcher that looks as often as it may."""
    trigger = AsposeOcrInboxTrigger(**inbox.to_dict(), poll_interval_seconds=10)
    return inbox.asset(watcher=AssetWatcher("inbox", trigger))
