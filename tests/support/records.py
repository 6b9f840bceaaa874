"""Records of a submit, for one page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.record import SCHEMA_VERSION, Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = TaskRef(operation="RecognizeImage", id="id-1", submitted_at=NOW, conn_id="ocr")
PAGE = Identity(
    operation="RecognizeImage", source="s3://b/page.png", version="etag=1", settings="s", account="a"
)


def record(phase: Any, **changes: Any) -> Record:
    """Return the record of a phase; its fields may be given."""
    given = {
        "schema_version": SCHEMA_VERSION,
        "phase": phase,
        "identity": PAGE,
        "max_tries": 3,
        "task": TASK if phase == "submitted" else None,
        "inherited": False,
        "resubmits": 0,
    }
    return Record(**{**given, **changes})
