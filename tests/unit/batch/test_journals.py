"""Sweeping what a killed process has left, and finding what a Clear has superseded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.errors import JournalFencedError, JournalUnreachableError
from airflow_provider_asposeocr.batch.journal import Journal
from airflow_provider_asposeocr.batch.journal_files import JournalFiles
from airflow_provider_asposeocr.batch.journals import superseded_journals, sweep
from airflow_provider_asposeocr.batch.parts import journal_folder_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> ObjectStoragePath:
    """Return a state folder that does not exist yet."""
    return ObjectStoragePath(f"{tmp_path}/state")


def begin(state: ObjectStoragePath, key: str, max_tries: int = 0) -> Journal:
    header = {"key": key, "dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "documents": []}
    return Journal.create(state / journal_folder_name(key * 16, max_tries), header).journal


def left(state: ObjectStoragePath) -> set[str]:
    """Return the keys of the journals of which anything is left."""
    names = JournalFiles(state / "batches").names()
    return {name[0] for name in names if "/" in name}


def is_over(*keys: str) -> Any:
    """Return what tells that the batches with these keys are over."""
    return lambda header: header["key"] in keys and header["task_id"] == "t"


def test_the_journals_of_batches_that_are_over_go(state: ObjectStoragePath) -> None:
    for key in "abc":
        begin(state, key).append([{"n": 1}])
    assert sweep(state, is_over("a", "c")) == 2
    assert left(state) == {"b"}


def test_an_empty_state_folder_is_swept_too(state: ObjectStoragePath) -> None:
    assert sweep(state, is_over()) == 0


def test_of_many_batches_that_start_at_once_one_sweeps(state: ObjectStoragePath) -> None:
    now = 1000.0
    begin(state, "a")
    assert sweep(state, is_over("a"), now=lambda: now) == 1
    begin(state, "b")
    assert sweep(state, is_over("b"), now=lambda: now + 599) == 0
    assert sweep(state, is_over("b"), now=lambda: now + 600) == 1


def test_what_a_killed_deletion_has_left_goes_without_asking(
    state: ObjectStoragePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise JournalUnreachableError("The journal cannot be deleted.")

    with monkeypatch.context() as patch:
        patch.setattr(JournalFiles, "delete", refuse)
        with pytest.raises(JournalUnreachableError):
            begin(state, "a").delete()
    assert sweep(state, is_over()) == 1
    assert left(state) == set()


def test_what_a_process_wrote_that_woke_up_too_late_goes(state: ObjectStoragePath) -> None:
    """Its journal was deleted meanwhile, header and all; each part says whose it is."""
    late = begin(state, "a")
    late.delete()
    late.append([{"n": 1}])
    with pytest.raises(JournalFencedError):
        late.check()
    assert sweep(state, is_over("b"), now=lambda: 1000.0) == 0
    assert sweep(state, is_over("a"), now=lambda: 2000.0) == 1
    assert left(state) == set()


def test_what_cannot_be_read_stays_and_stops_no_other(
    state: ObjectStoragePath, caplog: pytest.LogCaptureFixture
) -> None:
    begin(state, "a")
    begin(state, "b")
    (state / journal_folder_name("a" * 16, 0) / "epochs/000001.jsonl").write_bytes(b"half a li")
    with caplog.at_level(logging.WARNING):
        assert sweep(state, is_over("a", "b")) == 1
    assert left(state) == {"a"}
    assert "a" * 16 in caplog.text


def test_a_broken_answer_about_a_batch_is_not_taken_for_yes(state: ObjectStoragePath) -> None:
    begin(state, "a")

    def ask(_: Mapping[str, Any]) -> bool:
        raise RuntimeError("Airflow does not answer")

    with pytest.raises(RuntimeError):
        sweep(state, ask)
    assert left(state) == {"a"}


def test_a_clear_finds_the_journals_before_it(state: ObjectStoragePath) -> None:
    for max_tries in (0, 3, 12):
        begin(state, "a", max_tries)
    begin(state, "b", 99)
    folder = state / journal_folder_name("a" * 16, 3)
    # 12 is that of a Clear since: it must not be ended by the try before it.
    assert [path.name for path in superseded_journals(folder)] == ["0"]
    newest = superseded_journals(state / journal_folder_name("a" * 16, 12))
    assert [path.name for path in newest] == ["3", "0"]
    assert [str(path.parent) for path in newest] == [str(folder.parent)] * 2
    assert superseded_journals(state / journal_folder_name("c" * 16, 0)) == []
