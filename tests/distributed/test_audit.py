"""The checks of a storm see what they are there for: each is shown something broken."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributed.audit import (
    Bill,
    LogLine,
    check_cloud,
    check_states,
    check_storage,
    check_temporary_files,
    draw_up,
)
from tests.distributed.documents import STEPS, Document, write_documents

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    (tmp_path / "inbox").mkdir()
    return write_documents(tmp_path / "inbox", 2, 7)


SECONDS = 1_000_000_000.0


def task(**changes: Any) -> dict[str, Any]:
    usual = {
        "id": "1",
        "operation": "RecognizeImage",
        "status": "Completed",
        "deleted": False,
        "id_sent": True,
        "submitted_at": SECONDS,
        "result": "",
    }
    return usual | changes


@pytest.fixture
def tasks(documents: list[Document]) -> list[dict[str, Any]]:
    """What a cloud has that was sent each document's three pictures once."""
    return [
        task(id=f"{document.index}-{step}", operation=STEPS[step], result=digest)
        for document in documents
        for step, digest in document.results.items()
    ]


def again(tasks: list[dict[str, Any]], id: str, after_seconds: float = 10) -> dict[str, Any]:
    (earlier,) = (each for each in tasks if each["id"] == id)
    at = earlier["submitted_at"] + after_seconds
    return earlier | {"id": f"{id}-again", "submitted_at": at, "id_sent": True}


def admission(step: str, index: int, at: float = SECONDS + 5) -> LogLine:
    timestamp = datetime.fromtimestamp(at, UTC).isoformat()
    event = "Submitting once more: it may be billed twice."
    return LogLine(step, index, "attempt=2.log", json.dumps({"timestamp": timestamp, "event": event}))


def bill_of(
    documents: list[Document],
    tasks: list[dict[str, Any]],
    lines: list[LogLine] | None = None,
    kills: list[float] | None = None,
    billed: Counter[str] | None = None,
) -> Bill:
    counter = billed or Counter(each["operation"] for each in tasks)
    return draw_up(documents, counter, tasks, lines or [], kills or [])


class TestBill:
    def test_a_calm_one(self, documents: list[Document], tasks: list[dict[str, Any]]) -> None:
        bill = bill_of(documents, tasks)
        assert bill.findings == []
        assert "billed 6 = 6 (documents x steps) + 0" in str(bill)

    def test_a_lost_answer_that_a_log_admits(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        tasks.append(again(tasks, "1-binarize"))
        tasks[4]["id_sent"] = False
        bill = bill_of(documents, tasks, [admission("binarize", 1)])
        assert bill.findings == []
        assert "billed 7 = 6 (documents x steps) + 1 (unknown windows: {'lost answer': 1})" in str(bill)
        assert (
            str(bill.again[0]) == "document 1, binarize: lost answer of 1-binarize; admitted in attempt=2.log"
        )

    def test_a_killed_worker_that_a_log_admits(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        tasks.append(again(tasks, "1-binarize"))
        lines = [admission("binarize", 1)]
        bill = bill_of(documents, tasks, lines, kills=[SECONDS + 1])
        assert bill.findings == []
        assert [each.window for each in bill.again] == ["worker killed before the answer was written down"]
        before_and_after = [SECONDS - 1, SECONDS + 6]
        assert bill_of(documents, tasks, lines, kills=before_and_after).findings == [
            "document 1, binarize: 1-binarize-again was billed although 1-binarize was known"
        ]

    @pytest.mark.parametrize(
        "elsewhere",
        [("binarize", 0, 5), ("recognize", 1, 5), ("binarize", 1, -5), ("binarize", 1, 15)],
        ids=["other document", "other step", "too early", "too late"],
    )
    def test_a_second_billing_that_no_log_line_admits(
        self, documents: list[Document], tasks: list[dict[str, Any]], elsewhere: tuple[str, int, float]
    ) -> None:
        tasks.append(again(tasks, "1-binarize"))
        tasks[4]["id_sent"] = False
        step, index, after_seconds = elsewhere
        bill = bill_of(documents, tasks, [admission(step, index, SECONDS + after_seconds)])
        assert bill.findings == [
            "document 1, binarize: 1-binarize-again was billed after 1-binarize, and no log says so"
        ]

    def test_a_line_counts_once(self, documents: list[Document], tasks: list[dict[str, Any]]) -> None:
        tasks += [again(tasks, "0-upscale"), again(tasks, "0-upscale", 20)]
        for each in (tasks[0], tasks[-2]):
            each["id_sent"] = False
        copies = [admission("upscale", 0)] * 2
        assert len(bill_of(documents, tasks, copies).findings) == 1
        both = [admission("upscale", 0), admission("upscale", 0, SECONDS + 15)]
        assert bill_of(documents, tasks, both).findings == []

    def test_a_line_about_a_submit_that_had_not_been_accepted(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        bill = bill_of(documents, tasks, [admission("upscale", 0, SECONDS - 5)])
        assert (bill.findings, bill.needless) == ([], 1)

    def test_a_document_that_was_not_billed(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        assert bill_of(documents, tasks[1:]).findings == ["document 0, upscale: was not billed"]

    def test_a_submit_of_no_document(self, documents: list[Document], tasks: list[dict[str, Any]]) -> None:
        tasks.append(task(id="stranger", result="stranger"))
        assert bill_of(documents, tasks).findings == [
            "cloud task stranger of RecognizeImage is of no document"
        ]

    def test_a_counter_that_is_higher_than_the_tasks(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        billed = Counter(each["operation"] for each in tasks) + Counter(["UpscaleImage"])
        assert ["counter" in finding for finding in bill_of(documents, tasks, billed=billed).findings] == [
            True
        ]

    def test_a_lost_answer_that_no_log_line_mentions(
        self, documents: list[Document], tasks: list[dict[str, Any]]
    ) -> None:
        tasks[0]["id_sent"] = False
        assert bill_of(documents, tasks).findings == [
            "document 0, upscale: the answer with 0-upscale was lost, and it was not sent again"
        ]


class TestStorage:
    @pytest.fixture
    def outbox(self, documents: list[Document], tmp_path: Path) -> Path:
        folder = tmp_path / "outbox"
        folder.mkdir()
        for document in documents:
            (folder / f"{document.name}.txt").write_text(document.text)
        return folder

    @pytest.fixture
    def manifests(self, documents: list[Document]) -> dict[int, Any]:
        return {
            document.index: {"results": [{"sha256": hashlib.sha256(document.text.encode()).hexdigest()}]}
            for document in documents
        }

    def test_all_is_there(self, documents: list[Document], outbox: Path, manifests: dict[int, Any]) -> None:
        assert check_storage(documents, outbox, manifests) == []

    def test_a_missing_text(self, documents: list[Document], outbox: Path, manifests: dict[int, Any]) -> None:
        (outbox / "document-001.txt").unlink()
        assert check_storage(documents, outbox, manifests) == ["document-001.txt: its text is missing"]

    def test_the_text_of_another_document(
        self, documents: list[Document], outbox: Path, manifests: dict[int, Any]
    ) -> None:
        (outbox / "document-001.txt").write_text(documents[0].text)
        found = check_storage(documents, outbox, manifests)
        assert ["wrong text" in finding or "checksum" in finding for finding in found] == [True, True]

    def test_a_checksum_that_the_task_did_not_report(
        self, documents: list[Document], outbox: Path, manifests: dict[int, Any]
    ) -> None:
        manifests[0]["results"][0]["sha256"] = "0" * 64
        assert ["checksum" in finding for finding in check_storage(documents, outbox, manifests)] == [True]

    def test_an_orphan(self, documents: list[Document], outbox: Path, manifests: dict[int, Any]) -> None:
        (outbox / ".aspose-ocr-1.part").touch()
        found = check_storage(documents, outbox, manifests)
        assert found == [f".aspose-ocr-1.part: an orphan file in {outbox}"]


def test_cloud_tasks_that_run_or_were_cancelled() -> None:
    assert check_cloud([task(), task(status="Error")]) == []
    found = check_cloud([task(status="Pending"), task(status="NotExist", deleted=True)])
    assert [finding.rsplit(" ", 1)[1] for finding in found] == ["Pending", "cancelled"]


def test_tasks_that_are_stuck_and_triggers_that_are_left() -> None:
    assert check_states({"fetch[0]": "success"}, 0) == []
    found = check_states({"fetch[0]": "success", "fetch[1]": "deferred", "fetch[2]": None}, 1)
    assert found == ["fetch[1] is deferred", "fetch[2] is None", "1 triggers are left"]


def test_documents_left_on_a_disk(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "source").touch()
    (tmp_path / "aspose-ocr-x1").mkdir()
    assert check_temporary_files([tmp_path], []) == []
    (tmp_path / "aspose-ocr-x1" / "source").touch()
    assert len(check_temporary_files([tmp_path], [])) == 1


@pytest.mark.parametrize(
    ("folder", "killed_later", "found"),
    [
        ("aspose-ocr-work-x1", True, 0),
        ("aspose-ocr-work-x1", False, 1),
        # No task would clear this away.
        ("aspose-ocr-else-x1", True, 1),
    ],
)
def test_what_the_next_task_would_clear_away_is_excused_by_a_later_kill(
    tmp_path: Path, folder: str, killed_later: bool, found: int
) -> None:
    left = tmp_path / folder / "source"
    left.parent.mkdir()
    left.touch()
    kills = [left.stat().st_mtime + (1 if killed_later else -1)]
    assert len(check_temporary_files([tmp_path], kills)) == found
