"""A journal in a store whose library keeps what it has listed, as s3fs, gcsfs and adlfs do."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.errors import JournalFencedError
from airflow_provider_asposeocr.batch.journal import Journal, request_drain
from tests.support.object_stores import Store, attached


class Remembering(Store):
    """Answers a listing from the one before, until it is told to forget it."""

    def __init__(self, fails: str = "") -> None:
        super().__init__(fails)
        self.listed: dict[str, Any] = {}

    def find(self, path: str, *args: Any, **options: Any) -> Any:
        if path not in self.listed:
            self.listed[path] = super().find(path, *args, **options)
        return self.listed[path]

    def invalidate_cache(self, path: str | None = None) -> None:
        self.listed.clear()
        super().invalidate_cache(path)


def test_a_process_sees_what_another_one_has_written() -> None:
    stores = [attached("memory", name, kind=Remembering) for name in ("journal_one", "journal_two")]
    stores[1].store = stores[0].store
    one, two = (
        ObjectStoragePath(f"memory://{name}@state/batches/k/2") for name in ("journal_one", "journal_two")
    )
    journal = Journal.create(one, {"documents": []}).journal
    journal.append([{"n": 1}])
    assert not journal.check().drain
    request_drain(two)
    assert journal.check().drain
    taken = Journal.take_over(two)
    assert [record["n"] for record in taken.records] == [1]
    with pytest.raises(JournalFencedError, match="Another process has taken over"):
        journal.check()
