"""
The manifest: what it says about a fetch, and what is accepted as one.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError, SourceError
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results.download import Download, Result
from airflow_provider_asposeocr.documents.manifest import (
    OUTCOMES,
    DocumentError,
    Manifest,
    StepTask,
    StoredResult,
    make_manifest,
    parse_manifest,
)

if TYPE_CHECKING:
    from pathlib import Path

REF = TaskRef(
    operation="RecognizeImage",
    id="id-1",
    submitted_at=datetime(2026, 3, 2, tzinfo=UTC),
    conn_id="ocr",
    source_name="page.png",
    source_bytes=4096,
    source_uri="s3://inbox/page.png",
    source_sha256="a" * 64,
    input_sha256="a" * 64,
)
FETCHED = Download(TaskState(taskStatus="Completed", responseStatusCode="Ok"), ())


def stored(skipped: bool = False, **fields: Any) -> StoredResult:
    return StoredResult(
        type="Text", uri="s3://outbox/page.txt", bytes=6, sha256="b" * 64, skipped=skipped, **fields
    )


def manifest(*results: StoredResult, **changed: Any) -> dict[str, Any]:
    return make_manifest(REF.model_copy(update=changed), FETCHED, results or (stored(),)).to_dict()


class TestFirstWords:
    def made(self, result: Result) -> dict[str, Any]:
        return make_manifest(REF, dataclasses.replace(FETCHED, results=(result,)), [stored()]).to_dict()

    @pytest.mark.parametrize(("text", "words"), [(b"\n Two  words ", "Two words"), (b" \n", "")])
    def test_a_single_fetch_has_them_too(self, text: bytes, words: str) -> None:
        """A gallery of mapped tasks shows them without reading a file; of an empty text it says that it is empty."""
        assert self.made(Result("Text", text, len(text), ""))["first_words"] == words

    def test_without_a_text_there_are_none(self) -> None:
        assert "first_words" not in self.made(Result("SearchablePdf", b"%PDF-", 5, ""))
        assert "first_words" not in manifest()

    def test_a_result_that_cannot_be_read_again_fails_nothing(self, tmp_path: Path) -> None:
        """The files are stored by then, and the cloud has been paid."""
        assert "first_words" not in self.made(Result("Text", tmp_path / "gone", 3, ""))


class TestWhatItSays:
    def test_size_and_checksum_are_those_of_the_original_document(self) -> None:
        found = manifest()
        assert (found["source"], found["bytes"], found["sha256"]) == ("s3://inbox/page.png", 4096, "a" * 64)

    @pytest.mark.parametrize("input_sha256", ["c" * 64, None])
    def test_the_size_of_a_later_step_is_not_taken_for_the_original_s(self, input_sha256: str | None) -> None:
        found = manifest(input_sha256=input_sha256)
        assert (found["bytes"], found["sha256"]) == (None, "a" * 64)

    def test_a_reference_made_by_hand_names_no_document(self) -> None:
        found = manifest(source_uri=None, source_sha256=None, input_sha256=None)
        assert (found["source"], found["bytes"], found["sha256"]) == (None, None, None)

    @pytest.mark.parametrize(
        ("skipped", "outcome"),
        [
            ([False, False], "succeeded"),
            ([False, True], "succeeded"),
            ([True, True], "skipped"),
        ],
    )
    def test_skipped_means_that_nothing_was_written(self, skipped: list[bool], outcome: str) -> None:
        assert manifest(*(stored(each) for each in skipped))["outcome"] == outcome

    def test_what_a_database_refuses_does_not_get_into_an_xcom(self) -> None:
        """The files are written and the page is billed: a task that fails then would fail at each retry."""
        state = TaskState(taskStatus="Completed", responseStatusCode="O\x00k\ud83d")
        result = StoredResult(type="Te\x00xt\ud83d", uri="s3://outbox/page.txt", bytes=6, sha256="b" * 64)
        found = make_manifest(REF, Download(state, ()), [result]).to_dict()
        assert found["response_status_code"] == "O\ufffdk\ufffd"
        assert found["results"][0]["type"] == "Te\ufffdxt\ufffd"

    def test_names_that_are_no_text_do_not_break_it(self) -> None:
        """Everything is written by then; an error would make a retry write it again, and fail again."""
        strange = "/out/page\udcff.txt"
        found = make_manifest(REF, FETCHED, [StoredResult(type="\ud800", uri=strange, bytes=0, sha256="")])
        assert json.loads(json.dumps(found.to_dict()))["results"][0]["uri"] == strange


class TestARowOfABatch:
    ROW = Manifest(
        index=3,
        documents=7,
        file_stem="2026/page.png",
        source="s3://inbox/2026/page.png",
        outcome="failed",
        error=DocumentError.of(SourceError("There is no file."), step=0),
        steps=[
            StepTask(operation="RecognizeImage", id="id-1", submitted_at=datetime(2026, 3, 2, tzinfo=UTC))
        ],
        try_number=2,
    )

    def test_has_all_keys_so_that_every_row_has_the_same(self) -> None:
        keys = {field.alias or name for name, field in Manifest.model_fields.items()}
        assert set(self.ROW.to_dict()) == keys
        assert self.ROW.to_dict()["try"] == 2
        assert self.ROW.to_dict()["error"] == {
            "class": "SourceError",
            "message": "There is no file.",
            "step": 0,
            "operation": None,
            "billed": "no",
            "retryable": False,
        }

    def test_comes_back_through_json(self) -> None:
        assert parse_manifest(json.loads(json.dumps(self.ROW.to_dict()))) == self.ROW

    def test_a_single_fetch_has_no_keys_of_a_batch(self) -> None:
        assert not {"index", "steps", "error", "try", "pages"} & set(manifest())

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_what_is_settled(self, outcome: Any) -> None:
        row = self.ROW.model_copy(update={"outcome": outcome})
        assert row.settled is (outcome in ("succeeded", "skipped", "duplicate", "gone"))
        assert row.model_copy(update={"final": True}).settled


class TestParsing:
    def test_reads_what_came_through_json(self) -> None:
        found = manifest(stored(text="Hello."), stored(skipped=True))
        read = parse_manifest(json.loads(json.dumps(found)))
        assert read.to_dict() == found
        assert read.task == REF
        assert [result.text for result in read.results] == ["Hello.", None]

    def test_takes_a_manifest_as_it_is(self) -> None:
        read = Manifest.model_validate(manifest())
        assert parse_manifest(read) is read

    def test_ignores_keys_that_it_does_not_know(self) -> None:
        found = manifest()
        newer = found | {"brand_new": [], "results": [found["results"][0] | {"brand_new": 1}]}
        assert parse_manifest(newer).to_dict() == found

    @pytest.mark.parametrize(
        ("value", "says"),
        [
            (None, r"not a manifest of AsposeOcrFetchResultOperator or AsposeOcrBatchOperator but None"),
            ([], r"but \[\]"),
            ("s3://outbox/page.txt", "but 's3://outbox/page.txt'"),
            ({"a": 1}, "it has no results and no schema_version and no task"),
            (REF.to_dict(), "but a task reference. Fetch the results"),
            (manifest() | {"schema_version": 2}, "schema_version 2, written by a newer version"),
            (manifest() | {"schema_version": 0}, "schema_version: "),
            (manifest() | {"outcome": "eaten"}, "outcome: "),
            (manifest() | {"task": None}, "it names no cloud task"),
            (manifest() | {"index": -1}, "index: "),
            (manifest() | {"task": {"id": "x"}}, r"task\.operation: "),
            (manifest() | {"results": [{}]}, r"results\.0\.uri: "),
            (manifest() | {"results": [manifest()["results"][0] | {"bytes": -1}]}, r"results\.0\.bytes: "),
        ],
    )
    def test_refuses_anything_else(self, value: Any, says: str) -> None:
        with pytest.raises(InputError, match=says):
            parse_manifest(value)
