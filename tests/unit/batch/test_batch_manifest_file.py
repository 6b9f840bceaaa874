"""
The manifest of a batch: a row for each document or no file, and a reader that notices what is missing.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_asposeocr as package
from airflow_provider_asposeocr.api.errors import InputError, SourceError
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.batch.errors import ManifestError
from airflow_provider_asposeocr.batch.manifest_file import manifest_uri, read_manifest, write_manifest
from airflow_provider_asposeocr.documents.manifest import Manifest

TASK = TaskRef(
    operation="RecognizeImage", id="x", submitted_at=datetime(2026, 3, 2, tzinfo=UTC), conn_id="ocr"
)


def row(index: int, documents: int = 3, **fields: Any) -> Manifest:
    return Manifest(index=index, documents=documents, outcome="succeeded", task=TASK, **fields)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"{tmp_path}/state/manifests/m.jsonl"


def lines_of(uri: str) -> list[str]:
    return Path(uri).read_text().splitlines(keepends=True)


class TestWriting:
    def test_has_a_row_for_each_document_in_order(self, uri: str) -> None:
        rows = [row(0, source="/a\n\udcff.png"), row(1), row(2, try_number=2)]
        written = write_manifest(uri, iter(rows), 3)
        assert list(read_manifest(uri)) == rows
        content = Path(uri).read_bytes()
        assert (written.uri, written.size_bytes) == (uri, len(content))
        assert written.sha256 == hashlib.sha256(content).hexdigest()
        assert written.tally.counts["succeeded"] == 3

    def test_a_try_overwrites_what_the_try_before_wrote(self, uri: str) -> None:
        write_manifest(uri, [row(0, 1)], 1)
        write_manifest(uri, [row(0, 1, try_number=2)], 1)
        assert [found.try_number for found in read_manifest(uri)] == [2]

    @pytest.mark.parametrize(
        "rows",
        [
            [row(0), row(1)],
            [row(0), row(1), row(2), row(3)],
            [row(0), row(2), row(1)],
            [row(0), row(0), row(2)],
            [row(0), row(1, 4), row(2)],
        ],
        ids=["missing", "surplus", "order", "twice", "another batch"],
    )
    def test_rows_that_do_not_add_up_are_an_error_and_no_file(self, uri: str, rows: list[Manifest]) -> None:
        with pytest.raises(ManifestError):
            write_manifest(uri, rows, 3)
        assert not Path(uri).exists()


class TestReading:
    def test_is_a_name_of_the_package(self) -> None:
        assert package.read_manifest is read_manifest

    @pytest.mark.parametrize(
        ("kept", "says"),
        [
            ([0, 1], "lacks its last 1 of 3 rows"),
            ([1, 2], "Line 1 .* document 1 of 3, where that of document 0"),
            ([0, 2], "Line 2 .* document 2 of 3, where that of document 1"),
            ([0, 1, 1, 2], "Line 3 .* document 1 of 3, where that of document 2"),
            ([0, 1, 2, 2], "Line 4"),
        ],
    )
    def test_notices_rows_that_are_missing_or_moved(self, uri: str, kept: list[int], says: str) -> None:
        write_manifest(uri, [row(index) for index in range(3)], 3)
        lines = lines_of(uri)
        Path(uri).write_text("".join(lines[index] for index in kept))
        with pytest.raises(InputError, match=says):
            list(read_manifest(uri))

    def test_rows_of_two_batches_do_not_mix(self, uri: str) -> None:
        write_manifest(uri, [row(0, 2), row(1, 2)], 2)
        first = lines_of(uri)[0]
        write_manifest(uri, [row(0), row(1), row(2)], 3)
        Path(uri).write_text(first + "".join(lines_of(uri)[1:]))
        with pytest.raises(
            InputError, match="Line 2 .* document 1 of 3, where that of document 1 of 2 belongs"
        ):
            list(read_manifest(uri))

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("{", "Line 2 of the manifest .* is no JSON"),
            ("[1]", "Line 2 of the manifest .* is no JSON object"),
            ('{"a": 1}', "Line 2 of the manifest .* not a manifest"),
            (json.dumps(row(1).to_dict() | {"schema_version": 2}), "Line 2 .* newer version"),
            (json.dumps(row(1).to_dict() | {"outcome": "eaten"}), "Line 2 .* outcome: "),
        ],
    )
    def test_a_line_that_is_no_row_is_named(self, uri: str, line: str, says: str) -> None:
        write_manifest(uri, [row(index) for index in range(3)], 3)
        first, _, third = lines_of(uri)
        Path(uri).write_text(f"{first}{line}\n{third}")
        with pytest.raises(InputError, match=says):
            list(read_manifest(uri))

    def test_rows_are_yielded_while_the_file_is_read(self, uri: str) -> None:
        write_manifest(uri, [row(index) for index in range(3)], 3)
        Path(uri).write_text(lines_of(uri)[0] + "broken\n")
        rows = read_manifest(uri)
        assert next(rows).index == 0
        with pytest.raises(InputError, match="Line 2"):
            next(rows)

    def test_manifests_of_single_fetches_can_be_read_too(self, uri: str) -> None:
        single = Manifest(outcome="succeeded", task=TASK).to_dict()
        Path(uri).parent.mkdir(parents=True)
        Path(uri).write_text(f"{json.dumps(single)}\n" * 2)
        assert [found.index for found in read_manifest(uri)] == [None, None]

    def test_no_file_is_an_error(self, uri: str) -> None:
        with pytest.raises(SourceError, match="There is no file at the manifest"):
            list(read_manifest(uri))


class TestItsName:
    IDS: dict[str, Any] = {"dag_id": "inbox", "run_id": "run", "task_id": "read", "map_index": 3}

    def test_says_when_and_what(self) -> None:
        found = manifest_uri("s3://c@state/x/", date(2026, 3, 2), **self.IDS, key="0123456789abcdef")
        assert found == "s3://c@state/x/manifests/2026/03/02/inbox-run-read-3-01234567.jsonl"

    def test_is_one_name_for_any_ids(self) -> None:
        hostile = {
            "dag_id": "../../etc",
            "run_id": "manual__2026-03-02T00:00:00+00:00/" + "é" * 300,
            "task_id": ".x",
        }
        found = manifest_uri("/s/", date(2026, 3, 2), **(self.IDS | hostile), key="0" * 16)
        name = found.removeprefix("/s/manifests/2026/03/02/")
        assert "/" not in name
        assert not name.startswith(".")
        assert len(name.encode()) <= 255
        assert name.isascii()
