"""Versions of stored files, and when they were changed."""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.documents.versions import changed_at


@pytest.mark.parametrize("name", ["mtime", "LastModified", "last_modified", "updated", "modified", "created"])
@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (1.5, 1.5),
        ("1970-01-01T00:01:00+00:00", 60.0),
        ("1970-01-01T00:01:00", 60.0),
        ("yesterday", 0.0),
        (None, 0.0),
    ],
)
def test_times_as_storages_give_them(name: str, moment: object, seconds: float) -> None:
    assert changed_at({name: moment}) == seconds
