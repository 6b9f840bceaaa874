"""The results of steps before the last one: where they are kept, and what the manifest says of them."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.ending import Deferral, Ended
from airflow_provider_asposeocr.batch.kept_steps import (
    FOLDER,
    keep_result,
    kept_pages,
    kept_result,
    kept_warnings,
)
from airflow_provider_asposeocr.batch.records import Failed, Intent, Reference, Replanned
from airflow_provider_asposeocr.batch.state import BatchState, replay
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.documents.sources import Document
from airflow_provider_asposeocr.documents.stored_files import Writer
from tests.support.batch_engine import STEPS, batch_in, begin_journal, results_in, run_try
from tests.support.client_drivers import PNG

if TYPE_CHECKING:
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.emulator.server import Emulator

KEPT = {
    "type": "ImagePNG",
    "uri": "/out/.aspose-ocr/steps/a/1-UpscaleImage-b.png",
    "bytes": 3,
    "sha256": "bb",
}

PICTURES = ("image", "thumbnail")


def rows_of(ended: Ended | Deferral) -> list[dict[str, Any]]:
    assert isinstance(ended, Ended)
    return [row.to_dict() for row in ended.rows()]


def kept_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the kept results of a row, and check that the files are what it says of them."""
    kept = [step["result"] for step in row["steps"] if step["result"] is not None]
    for result in kept:
        content = Path(result["uri"].removeprefix("file://")).read_bytes()
        assert (result["bytes"], result["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    return kept


def run(emulator: Emulator, folder: Path, **settings: Any) -> list[dict[str, Any]]:
    return rows_of(asyncio.run(run_try(emulator.url, folder, **settings)))


class TestBatch:
    def test_each_step_but_the_last_has_its_result_beside_the_results(
        self, aspose_ocr_emulator: Emulator, tmp_path: Path
    ) -> None:
        begin_journal(tmp_path, batch_in(tmp_path, 2, STEPS))
        rows = run(aspose_ocr_emulator, tmp_path, keep_steps=True)
        files = set()
        for row in rows:
            assert [step["result"] is not None for step in row["steps"]] == [True, True, False]
            kept = kept_of(row)
            assert [result["type"] for result in kept] == ["ImagePNG", "ImagePNG"]
            names = [result["uri"].rpartition("/")[2] for result in kept]
            assert [name.rpartition("-")[0] for name in names] == ["1-UpscaleImage", "2-BinarizeImage"]
            files |= {result["uri"] for result in kept}
        assert len(files) == 4
        assert all(f"{tmp_path}/out/{FOLDER}/" in uri for uri in files)
        # The results are as without it, and no other file is among them.
        assert sorted(results_in(tmp_path)) == ["0.png.txt", "1.png.txt"]

    def test_without_asking_nothing_is_kept(self, aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
        begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS))
        (row,) = run(aspose_ocr_emulator, tmp_path)
        assert kept_of(row) == []
        assert not (tmp_path / "out" / FOLDER).exists()

    def test_what_a_try_has_kept_is_in_the_rows_of_the_next_one(
        self, aspose_ocr_emulator: Emulator, tmp_path: Path
    ) -> None:
        """The journal keeps it, also of a document whose last step has failed: the picture shows why."""
        begin_journal(tmp_path, batch_in(tmp_path, 2, STEPS))
        fault = {"kind": "task_error", "path": "RecognizeImage", "messages": ["m"], "count": 1}
        aspose_ocr_emulator.control.add_faults(fault)
        first = run(aspose_ocr_emulator, tmp_path, keep_steps=True)
        assert sorted(row["outcome"] for row in first) == ["failed", "succeeded"]
        assert [len(kept_of(row)) for row in first] == [2, 2]
        again = run(aspose_ocr_emulator, tmp_path, try_number=2)
        assert {row["outcome"] for row in again} == {"succeeded"}
        assert [row["steps"][0]["result"] for row in again] == [row["steps"][0]["result"] for row in first]

    def test_with_previews_each_kept_result_has_pictures(
        self, aspose_ocr_emulator: Emulator, tmp_path: Path
    ) -> None:
        """The original of a step has megabytes, and the viewer shows it beside the source."""
        begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS))
        (row,) = run(aspose_ocr_emulator, tmp_path, keep_steps=True, previews=True)
        assert row["warnings"] == []
        assert [len(step.get("pages", ())) for step in row["steps"]] == [1, 1, 0]
        pictures = [page[part] for step in row["steps"][:2] for page in step["pages"] for part in PICTURES]
        for picture in (*pictures, *(row["pages"][0][part] for part in PICTURES)):
            content = Path(picture["uri"].removeprefix("file://")).read_bytes()
            assert content[8:12] == b"WEBP"
            assert (picture["bytes"], picture["sha256"]) == (
                len(content),
                hashlib.sha256(content).hexdigest(),
            )
        assert len({picture["uri"] for picture in pictures}) == 4
        assert sorted(results_in(tmp_path)) == ["0.png.txt"]

    @pytest.mark.parametrize("settings", [{"keep_steps": True}, {"previews": True}, {}], ids=str)
    def test_without_asking_for_both_no_step_has_pictures(
        self, aspose_ocr_emulator: Emulator, tmp_path: Path, settings: dict[str, bool]
    ) -> None:
        begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS))
        (row,) = run(aspose_ocr_emulator, tmp_path, **settings)
        assert all("pages" not in step for step in row["steps"])

    def test_pictures_that_cannot_be_made_are_a_warning_and_the_result_is_kept(self) -> None:
        kept = {**KEPT, "preview_warning": "There is no preview: it cannot be decoded."}
        assert kept_result(kept) is not None
        assert (kept_pages(kept, "/out/"), kept_warnings(kept)) == ([], [kept["preview_warning"]])
        assert (kept_pages(None, "/out/"), kept_warnings(None)) == ([], [])

    def test_a_file_that_cannot_be_written_is_a_warning(
        self, aspose_ocr_emulator: Emulator, tmp_path: Path
    ) -> None:
        begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS))
        (tmp_path / "out" / FOLDER).write_text("a file is in the way")
        (row,) = run(aspose_ocr_emulator, tmp_path, keep_steps=True)
        assert row["outcome"] == "succeeded"
        assert len(row["warnings"]) == 2
        assert "The result of UpscaleImage was not kept" in row["warnings"][0]
        assert kept_of(row) == []


class TestNames:
    def kept(self, folder: Path, content: bytes, source: str | None = "a" * 64, number: int = 0) -> str:
        (path := folder / "spool").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        document = Document(path, len(content), digest, "../../x.png", "/in/x.png", None, source, "ImagePNG")
        kept = kept_result(keep_result(document, number, Step("UpscaleImage"), f"{folder}/out/", Writer()))
        assert kept is not None
        return kept.uri

    def test_no_file_takes_the_place_of_another_one(self, tmp_path: Path) -> None:
        """The same name of a source, and another content: of another document, another run, or another step."""
        uris = {
            self.kept(tmp_path, PNG),
            self.kept(tmp_path, PNG + b"2"),
            self.kept(tmp_path, PNG, "b" * 64),
            self.kept(tmp_path, PNG, None),
            self.kept(tmp_path, PNG, number=1),
        }
        assert len(uris) == 5
        for uri in uris:
            path = Path(uri.removeprefix("file://"))
            assert path.parents[1] == tmp_path / "out" / FOLDER

    def test_a_retry_writes_the_same_file_again(self, tmp_path: Path) -> None:
        assert self.kept(tmp_path, PNG) == self.kept(tmp_path, PNG)

    @pytest.mark.parametrize("kept", [None, {"warning": "No."}])
    def test_what_was_not_kept_is_no_result(self, kept: dict[str, str] | None) -> None:
        assert kept_result(kept) is None


class TestJournal:
    def after(self, *records: Record) -> BatchState:
        state = BatchState()
        for record in records:
            state.apply(record)
        return state

    def of_steps(self, state: BatchState) -> list[Any]:
        return [step.kept for step in state.of(0).steps]

    FIRST = (Intent(0, 0), Reference(0, 0, "UpscaleImage", "id-0", 1.0, 1, "aa"))

    def test_the_intent_of_the_next_step_says_what_was_kept_of_the_one_before(self) -> None:
        state = self.after(*self.FIRST, Intent(0, 1, kept=KEPT))
        assert self.of_steps(state) == [KEPT, None]
        again = replay([{"record": "document", "document": 0, "state": state.of(0).to_dict()}])
        assert self.of_steps(again) == [KEPT, None]

    def test_a_submit_once_more_that_keeps_nothing_leaves_what_is_known(self) -> None:
        assert self.of_steps(self.after(*self.FIRST, Intent(0, 1, kept=KEPT), Intent(0, 1, "unknown"))) == [
            KEPT,
            None,
        ]

    def test_a_step_that_is_done_again_has_another_result(self) -> None:
        error = {"error": "TaskExpiredError", "message": "m", "retryable": True}
        failed = Failed(0, 0, error, over=True, try_number=1)
        state = self.after(*self.FIRST, Intent(0, 1, kept=KEPT), failed, Intent(0, 0))
        assert self.of_steps(state)[0] is None
        replanned = Replanned([Step("UpscaleImage").to_dict()], 0, True)
        assert self.of_steps(self.after(*self.FIRST, Intent(0, 1, kept=KEPT), replanned)) == [None]
