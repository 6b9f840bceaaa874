"""
The index in its storage: what is lost of it costs reads, and nothing of it hides a file that was not read.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import SourceUnreadableError
from airflow_provider_asposeocr.documents.json_lines import read_objects
from airflow_provider_asposeocr.ingestion import seen_files
from airflow_provider_asposeocr.ingestion.seen import SeenKeys, seen_key
from airflow_provider_asposeocr.ingestion.seen_files import SeenFiles, keys_of
from tests.support.object_stores import Store, attached


def row(number: int, outcome: str = "succeeded", **fields: Any) -> dict[str, Any]:
    return {
        "pipeline": "p",
        "source": f"s3://c@b/in/{number}.png",
        "source_version": "v",
        "outcome": outcome,
        "final": False,
        **fields,
    }


def key(number: int) -> bytes:
    return seen_key("p", f"s3://b/in/{number}.png", "v")


class Register:
    """A register's folder on local disk, with manifests that were written one after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.uri = f"{folder}/"
        self._moment = 1_700_000_000

    def write(self, name: str, *rows: dict[str, Any] | str) -> Path:
        path = self.folder / "manifests" / "2026" / "01" / "02" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(each if isinstance(each, str) else f"{json.dumps(each)}\n" for each in rows))
        return path

    def load(self) -> set[int]:
        return self.numbers(SeenFiles(self.uri).load())

    def compact(self) -> None:
        files = SeenFiles(self.uri)
        files.load()
        files.compact()

    @staticmethod
    def numbers(keys: SeenKeys) -> set[int]:
        return {number for number in range(1000) if keys.has(key(number))}

    def segments(self) -> list[Path]:
        return sorted((self.folder / "index").glob("*.keys.gz"))


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Register:
    monkeypatch.setattr("airflow_provider_asposeocr.ingestion.seen._FRESH_FOR_A_SEGMENT", 2)
    monkeypatch.setattr("airflow_provider_asposeocr.ingestion.seen._SEGMENTS_FOR_ONE", 3)
    return Register(tmp_path)


def test_a_register_that_does_not_exist_yet_has_seen_nothing(tmp_path: Path) -> None:
    assert len(SeenFiles(f"{tmp_path}/nowhere/").load()) == 0
    SeenFiles(f"{tmp_path}/nowhere/").compact()
    assert list(tmp_path.iterdir()) == []


def test_what_manifests_say_is_seen(register: Register) -> None:
    register.write("a", row(1), row(2, "busy"), row(3, "failed"), row(4, "failed", final=True))
    register.write("b", row(5, "duplicate"), {"source": "s3://b/in/6.png", "outcome": "succeeded"})
    assert register.load() == {1, 4, 5}


def test_the_index_saves_reading_manifests(register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    register.write("a", row(1), row(4, "failed", final=True))
    register.write("b", row(2))
    register.compact()
    assert len(register.segments()) == 1
    register.write("c", row(3))
    read: list[str] = []

    def noting(uri: str, what: str, size_bytes: int | None) -> Any:
        read.append(uri)
        return read_objects(uri, what, size_bytes)

    monkeypatch.setattr(seen_files, "read_objects", noting)
    assert register.load() == {1, 2, 3, 4}
    assert [Path(uri).name for uri in read] == ["c.jsonl"]
    assert not SeenFiles(register.uri).load().has(key(4), include_failed=True)


def test_a_manifest_that_a_later_try_has_written_anew_is_read_again(register: Register) -> None:
    register.write("a", row(1), row(2, "not_started"))
    register.write("b", row(3))
    register.compact()
    register.write("a", row(1), {**row(2), "try": 2})
    assert register.load() == {1, 2, 3}


@pytest.mark.parametrize("filler", range(6))
def test_a_manifest_that_two_segments_have_is_not_read_at_each_load(
    register: Register, monkeypatch: pytest.MonkeyPatch, filler: int
) -> None:
    """The names of segments are checksums, so that either may be listed first."""
    register.write("a", row(1), row(2, "not_started"))
    register.write("b", row(100 + filler))
    register.compact()
    register.write("a", row(1), {**row(2), "try": 2})
    register.write("c", row(200 + filler))
    register.compact()
    assert len(register.segments()) == 2

    def read_again(uri: str, *_: Any) -> Any:
        raise AssertionError(f"{uri} was read again.")

    monkeypatch.setattr(seen_files, "read_objects", read_again)
    assert register.load() == {1, 2, 100 + filler, 200 + filler}


def test_many_segments_become_one(register: Register) -> None:
    for number in range(0, 12, 2):
        register.write(f"m{number}", row(number))
        register.write(f"m{number + 1}", row(number + 1))
        register.compact()
        assert register.load() == set(range(number + 2))
    assert len(register.segments()) <= 3


def test_manifests_may_be_deleted_once_the_index_has_them(register: Register) -> None:
    paths = [register.write("a", row(1)), register.write("b", row(2))]
    register.compact()
    for path in paths:
        path.unlink()
    assert register.load() == {1, 2}


@pytest.mark.parametrize("size", [0, 10, -1])
def test_a_torn_segment_loses_nothing(
    register: Register, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    register.write("a", row(1))
    register.write("b", row(2))
    register.compact()
    (segment,) = register.segments()
    segment.write_bytes(segment.read_bytes()[:size])
    with caplog.at_level(logging.WARNING):
        assert register.load() == {1, 2}
    assert "The manifests are read instead" in caplog.text
    register.compact()
    assert [path.name for path in register.segments()] == [segment.name]
    assert register.load() == {1, 2}


def test_a_deleted_index_loses_nothing(register: Register) -> None:
    register.write("a", row(1))
    register.write("b", row(2))
    register.compact()
    for path in register.segments():
        path.unlink()
    assert register.load() == {1, 2}


def test_a_manifest_that_was_cut_counts_as_far_as_it_goes_and_is_read_again(
    register: Register, caplog: pytest.LogCaptureFixture
) -> None:
    register.write("a", row(1), json.dumps(row(2))[:40])
    register.write("b", row(3))
    register.write("c", row(4))
    with caplog.at_level(logging.WARNING):
        register.compact()
    assert "cannot be read to its end" in caplog.text
    assert register.load() == {1, 3, 4}
    register.write("a", row(1), row(2))
    assert register.load() == {1, 2, 3, 4}


def test_a_manifest_whose_reading_broke_off_is_read_again_although_the_index_was_written_since(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is what it was: only the storage had not answered to its end."""
    for name, number in (("a", 1), ("b", 3), ("c", 4)):
        register.write(name, row(number), row(number + 10))

    def breaks_off(uri: str, what: str, size_bytes: int | None = None) -> Any:
        for number, found in read_objects(uri, what, size_bytes):
            if uri.endswith("/a.jsonl") and number == 2:
                raise SourceUnreadableError("It does not answer.")
            yield number, found

    with monkeypatch.context() as patch:
        patch.setattr(seen_files, "read_objects", breaks_off)
        register.compact()
    assert len(register.segments()) == 1
    assert register.load() == {1, 3, 4, 11, 13, 14}


def test_an_index_that_cannot_be_written_is_a_warning(
    register: Register, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.write("a", row(1))
    register.write("b", row(2))

    def refuse(*_: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(seen_files, "replace", refuse)
    with caplog.at_level(logging.WARNING):
        register.compact()
    assert "was not written anew: Access Denied" in caplog.text
    assert register.load() == {1, 2}


def test_segments_stay_until_the_one_is_written_that_replaces_them(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(0, 6, 2):
        register.write(f"m{number}", row(number))
        register.write(f"m{number + 1}", row(number + 1))
        register.compact()
    before = register.segments()
    assert len(before) == 3

    def refuse(*_: Any) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(seen_files, "replace", refuse)
    register.compact()
    assert register.segments() == before


def test_a_process_that_makes_one_segment_of_several_meanwhile_loses_nothing(
    register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    register.write("a", row(1))
    register.write("b", row(2))
    register.compact()
    monkeypatch.setattr(seen_files, "read", lambda path: None)
    assert register.load() == {1, 2}


class TestForgetting:
    def test_has_a_file_read_once_more(self, register: Register) -> None:
        old = register.write("a", row(1), row(2))
        register.write("b", row(3))
        register.compact()
        SeenFiles(register.uri).forget(keys_of([row(1), {"outcome": "succeeded"}]))
        assert register.load() == {2, 3}
        assert register.load() == {2, 3}
        again = register.write("c", row(1))
        assert again.stat().st_ctime_ns > old.stat().st_ctime_ns
        assert register.load() == {1, 2, 3}
        assert list((register.folder / "index").glob("*.forgotten")) == []
        assert register.load() == {1, 2, 3}

    def test_works_where_the_file_had_failed_for_good(self, register: Register) -> None:
        register.write("a", row(1, "failed", final=True))
        SeenFiles(register.uri).forget(keys_of([row(1)]))
        assert register.load() == set()

    def test_survives_the_compaction(self, register: Register) -> None:
        register.write("a", row(1))
        register.write("b", row(2))
        SeenFiles(register.uri).forget([key(1)])
        register.compact()
        assert register.load() == {2}

    def test_ignores_names_that_are_no_key(self, register: Register) -> None:
        register.write("a", row(1))
        (register.folder / "index").mkdir()
        for name in ("xyz.forgotten", "ab.forgotten", ".forgotten"):
            (register.folder / "index" / name).write_text("")
        assert register.load() == {1}


def test_an_object_store_holds_it_as_well() -> None:
    class Flat(Store):
        """A store without folders, which lists nothing where nothing is."""

    store = attached("memory", "register", kind=Flat)
    lines = "".join(f"{json.dumps(row(number))}\n" for number in (1, 2))
    store.pipe_file("/reg/manifests/2026/a.jsonl", lines.encode())
    files = SeenFiles("memory://register@reg/")
    assert Register.numbers(files.load()) == {1, 2}
    files.forget([key(1)])
    assert Register.numbers(SeenFiles("memory://register@reg/").load()) == {2}
    assert os.path.basename(next(name for name in store.files() if "index" in name)).endswith(".forgotten")
