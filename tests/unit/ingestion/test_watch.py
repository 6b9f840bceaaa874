"""
When the watcher of an inbox speaks: after each start, then for each new document, and never for one that was removed.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile
from airflow_provider_asposeocr.ingestion.watch import Look, Speaker, backoff_seconds, event_payload


def files(*names: str, version: str = "v") -> list[InboxFile]:
    return [InboxFile(f"s3://b/in/{name}", version, 1, 0.0) for name in names]


class Watcher:
    """A speaker and its looks, a minute apart."""

    def __init__(self, quiet_seconds: float = 0.0, most_files: int = 100) -> None:
        self._quiet, self._most = quiet_seconds, most_files
        self._since: dict[bytes, float] = {}
        self.speaker = Speaker(repeat_seconds=900.0)
        self.now = 0.0

    def sees(self, *found: InboxFile, after: float = 60.0) -> tuple[int, int] | None:
        self.now += after
        look = Look(self.now, self._quiet, self._most, self._since)
        look.take(found)
        self._since = look.since
        return self.speaker.hears(look)


def test_it_speaks_once_after_its_start_and_not_about_an_empty_inbox() -> None:
    watcher = Watcher()
    assert watcher.sees() is None
    assert watcher.sees(*files("a", "b")) == (2, 2)
    assert watcher.sees(*files("a", "b")) is None
    assert watcher.sees(*files("b", "a")) is None
    assert Watcher().sees(*files("a", "b")) == (2, 2)


def test_a_new_document_or_version_is_a_reason_and_a_removed_one_is_none() -> None:
    watcher = Watcher()
    watcher.sees(*files("a", "b"))
    assert watcher.sees(*files("a")) is None
    assert watcher.sees(*files("a", "c")) == (2, 1)
    assert watcher.sees(*files("d")) == (1, 1)
    assert watcher.sees(*files("d", version="w")) == (1, 1)
    assert watcher.sees() is None
    assert watcher.sees(*files("d", version="w")) == (1, 1)


@given(st.lists(st.sets(st.sampled_from("abcdef")), max_size=12))
def test_it_speaks_exactly_when_there_is_a_document_that_was_not_there_before(looks: list[set[str]]) -> None:
    watcher, before = Watcher(), set[str]()
    for look in looks:
        new = len(look - before)
        assert watcher.sees(*files(*look)) == ((len(look), new) if new else None)
        before = look


def test_a_document_that_still_changes_does_not_count() -> None:
    watcher = Watcher(quiet_seconds=120.0)
    assert watcher.sees(*files("a")) is None
    assert watcher.sees(*files("a")) is None
    assert watcher.sees(*files("a"), *files("b")) == (1, 1)
    for version in "123456":
        assert watcher.sees(*files("a"), *files("c", version=version)) is None
    assert watcher.sees(*files("a"), *files("c", version="6"), after=120.0) == (2, 1)


def test_too_many_documents_are_a_reason_now_and_then() -> None:
    watcher = Watcher(most_files=2)
    assert watcher.sees(*files("a", "b", "c")) == (3, 3)
    spoken = [watcher.sees(*files("a", "b", "c", "d")) for _ in range(30)]
    assert [number for number, each in enumerate(spoken, 1) if each] == [15, 30]
    assert watcher.sees(*files("a")) == (1, 1)


def test_a_look_that_is_full_goes_no_further() -> None:
    look = Look(0.0, most_files=2)
    assert look.take(files("a", "b"))
    assert not look.take(files("c", "d", "e"))
    assert look.files == 3
    assert len(look.since) == 2


@pytest.mark.parametrize("inbox", ["s3://b/in/", "/" + "ü" * 500 + "/", "x" * 900, "\U0001f600" * 200])
def test_an_event_is_small(inbox: str) -> None:
    payload = event_payload(inbox, 10_000, 9_999)
    assert len(json.dumps(payload)) < 200
    assert (payload["files"], payload["new_since_last"]) == (10_000, 9_999)
    assert inbox.startswith(payload["inbox"].removesuffix("…"))
    assert len(payload["inbox"]) > 8


def test_waits_after_errors_grow_to_a_quarter_of_an_hour() -> None:
    assert [backoff_seconds(errors) for errors in (1, 2, 3, 4, 5, 6, 100)] == [
        60,
        120,
        240,
        480,
        900,
        900,
        900,
    ]
    five_minutes = [sum(backoff_seconds(each) for each in range(1, errors)) < 300 for errors in range(1, 20)]
    assert sum(five_minutes) < 15
