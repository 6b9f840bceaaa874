"""
The plan of a batch as the header of its journal: what a later try reads is what the first one wrote, or an error.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument, parse_header
from airflow_provider_asposeocr.batch.steps import Step

BATCH = Batch(
    key="0123456789abcdef",
    conn_id="ocr",
    destination="s3://scans@outbox/",
    steps=(Step("BinarizeImage"), Step("RecognizeImage", {"language": "English"})),
    documents=(
        BatchDocument(0, "s3://scans@inbox/a.png", 'etag="1"', "a.png", 20),
        BatchDocument(1, "/data/b\udcff.png", None, "b_-0011223344.png"),
        BatchDocument(2, "s3://scans@inbox/c.png", None, "c.png", 0, {"outcome": "skipped", "results": []}),
    ),
    account="account",
    manifest="s3://scans@outbox/.aspose-ocr/manifests/m.jsonl",
    base="s3://scans@inbox/",
    dag_id="dag",
    run_id="run",
    task_id="task",
    map_index=-1,
)


def header(**changed: Any) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(BATCH.to_header()))
    return read | changed


def test_a_later_try_reads_what_the_first_one_wrote() -> None:
    assert parse_header(header()) == BATCH


@pytest.mark.parametrize(
    ("damaged", "says"),
    [
        (header(schema_version=2), "schema_version is 2, written by a newer version"),
        (header(schema_version=0), "schema_version: "),
        ({}, "schema_version: Field required"),
        ({name: value for name, value in header().items() if name != "account"}, "account: Field required"),
        (header(steps=[]), "steps: "),
        (header(steps=[{"operation": "../x", "settings": {}}]), r"steps\.0\.operation: "),
        (header(documents=[["/a.png", None, "a.png", 3]]), r"documents\.0"),
        (header(names="both"), "names: "),
    ],
)
def test_what_it_cannot_read_is_an_error_and_never_an_empty_batch(damaged: dict[str, Any], says: str) -> None:
    with pytest.raises(JournalError, match=says) as refused:
        parse_header(damaged)
    assert "may have been billed" in str(refused.value)
    assert not refused.value.retryable
