"""The checks of a batch's storm see what they are there for: each is shown something broken."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributed.audit import LogLine
from tests.distributed.batch_audit import (
    Bill,
    Blows,
    check_cloud,
    check_parts,
    check_rows,
    check_temporary_files,
    check_texts,
    draw_up,
    unknown_documents,
)
from tests.distributed.documents import STEPS, Document, write_documents

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 1_000_000_000.0


class World:
    """A batch of two documents that went well."""

    def __init__(self, folder: Path) -> None:
        self.outbox = folder / "outbox"
        for name in ("inbox", "outbox"):
            (folder / name).mkdir()
        self.documents: list[Document] = write_documents(folder / "inbox", 2, 7)
        self.tasks: list[dict[str, Any]] = [
            {
                "id": f"{document.index}-{step}",
                "operation": STEPS[step],
                "status": "Completed",
                "deleted": False,
                "id_sent": True,
                "submitted_at": SECONDS,
                "input_sha256": digest,
            }
            for document in self.documents
            for step, digest in document.inputs.items()
        ]
        self.rows: list[dict[str, Any]] = [self._row(document) for document in self.documents]
        self.lines: list[LogLine] = []
        self.ends: list[float] = []
        self.clears: list[float] = []
        self.wakes: list[float] = []
        self.billed: Counter[str] | None = None
        for document in self.documents:
            (self.outbox / f"{document.name}.png.txt").write_text(document.text)

    def _row(self, document: Document) -> dict[str, Any]:
        checksum = hashlib.sha256(document.text.encode()).hexdigest()
        return {
            "index": document.index,
            "outcome": "succeeded",
            "error": None,
            "maybe_billed_twice": False,
            "steps": [{"id": f"{document.index}-{step}", "submits": 1} for step in STEPS],
            "results": [{"sha256": checksum}],
        }

    def again(self, index: int, step: str, after_seconds: float = 10) -> None:
        """Submit a step once more; the manifest knows of it."""
        (earlier,) = (task for task in self.tasks if task["id"] == f"{index}-{step}")
        at, id = earlier["submitted_at"] + after_seconds, f"{index}-{step}-again"
        self.tasks.append({**earlier, "id": id, "submitted_at": at})
        self.rows[index]["steps"][list(STEPS).index(step)] = {"id": id, "submits": 2}
        self.rows[index]["maybe_billed_twice"] = True

    def admit(self, index: int, step: str, at: float = SECONDS + 5) -> None:
        timestamp = datetime.fromtimestamp(at, UTC).isoformat()
        event = f"{STEPS[step]} of {self.documents[index].name}.png may be billed twice"
        text = json.dumps({"timestamp": timestamp, "event": event})
        self.lines.append(LogLine("read", -1, "attempt=2.log", text))

    def bill(self) -> Bill:
        rows = {row["index"]: row for row in self.rows}
        counter = self.billed or Counter(task["operation"] for task in self.tasks)
        blows = Blows(self.ends, self.clears, self.wakes)
        return draw_up(self.documents, rows, counter, self.tasks, self.lines, blows)

    def texts(self) -> list[str]:
        return check_texts(self.documents, self.outbox, {row["index"]: row for row in self.rows})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class TestBill:
    def test_a_calm_one(self, world: World) -> None:
        bill = world.bill()
        assert bill.findings == []
        assert "billed 6 = 6 (documents x steps) + 0" in str(bill)

    def test_a_killed_worker_that_log_and_manifest_admit(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.ends = [SECONDS + 1]
        bill = world.bill()
        assert bill.findings == []
        assert "billed 7 = 6 (documents x steps) + 0 (submitted again after a Clear) + 1" in str(bill)
        assert bill.announced == 1

    def test_a_lost_answer(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.tasks[4]["id_sent"] = False
        assert [each.window for each in world.bill().again] == ["lost answer"]

    def test_what_is_billed_again_although_it_was_known(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.ends = [SECONDS - 20, SECONDS + 6]
        assert world.bill().findings == [
            "document 1, binarize: 1-binarize-again was billed although 1-binarize was known"
        ]

    @pytest.mark.parametrize(
        ("index", "step", "at"),
        [(0, "binarize", 5), (1, "recognize", 5), (1, "binarize", -5), (1, "binarize", 15)],
        ids=["other document", "other step", "too early", "too late"],
    )
    def test_a_second_bill_that_no_log_admits(self, world: World, index: int, step: str, at: float) -> None:
        world.again(1, "binarize")
        world.ends = [SECONDS + 1]
        world.admit(index, step, SECONDS + at)
        assert world.bill().findings == [
            "document 1, binarize: 1-binarize-again was billed after 1-binarize, and no log says so"
        ]

    def test_a_second_bill_that_the_manifest_does_not_admit(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.ends = [SECONDS + 1]
        world.rows[1]["maybe_billed_twice"] = False
        assert len(world.bill().findings) == 1
        world.rows[1]["steps"][1]["submits"] = 1
        assert world.bill().findings == ["document 1, binarize: billed 2 times, and the manifest admits 1"]

    def test_what_a_clear_submits_again(self, world: World) -> None:
        world.again(1, "binarize")
        world.rows[1]["steps"][1]["submits"] = 1
        world.rows[1]["maybe_billed_twice"] = False
        world.clears = [SECONDS + 5]
        bill = world.bill()
        assert (bill.findings, bill.cleared, bill.again) == ([], 1, [])

    def test_a_half_sent_submit_of_a_suspended_worker_is_accepted_after_the_announced_one(
        self, world: World
    ) -> None:
        world.again(1, "binarize")
        world.ends, world.wakes = [SECONDS - 9], [SECONDS + 8]
        world.admit(1, "binarize", SECONDS - 2)
        assert world.bill().findings == []
        world.wakes = [SECONDS + 11]
        assert ["no log says so" in text for text in world.bill().findings] == [True]

    def test_a_suspended_worker_whose_submit_is_accepted_when_it_goes_on_before_the_next_one_announces_its_own(
        self, world: World
    ) -> None:
        world.again(1, "binarize")
        world.ends, world.wakes = [SECONDS - 40], [SECONDS - 1]
        world.admit(1, "binarize", SECONDS + 1)
        assert world.bill().findings == []
        world.wakes = [SECONDS - 11]
        assert ["was billed although" in text for text in world.bill().findings] == [True]

    def test_a_line_announces_one_submit(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.ends = [SECONDS + 1]
        world.tasks.append({**world.tasks[-1], "id": "third", "submitted_at": SECONDS + 4})
        assert [text for text in world.bill().findings if "no log says so" in text]

    def test_a_clear_excuses_one_submit_of_each_step(self, world: World) -> None:
        world.again(1, "binarize")
        last = world.tasks[-1]
        world.tasks.append({**last, "id": "third", "submitted_at": SECONDS + 12})
        world.clears = [SECONDS + 5]
        found = world.bill().findings
        assert "document 1, binarize: third was billed after 1-binarize-again, and no log says so" in found

    def test_a_document_that_was_not_billed(self, world: World) -> None:
        del world.tasks[0]
        found = world.bill().findings
        assert found == [
            "document 0, upscale: was not billed, and the document is said to have succeeded",
        ]

    def test_a_document_that_was_given_up(self, world: World) -> None:
        world.again(1, "binarize")
        world.admit(1, "binarize")
        world.ends = [SECONDS + 1]
        world.tasks = [task for task in world.tasks if task["id"] != "1-recognize"]
        world.rows[1] |= {"outcome": "failed", "error": {"class": "SubmitUnknownError", "step": 1}}
        world.rows[1]["steps"] = world.rows[1]["steps"][:1]
        assert world.bill().findings == []

    def test_a_submit_of_no_document(self, world: World) -> None:
        world.tasks[0]["input_sha256"] = "stranger"
        assert "cloud task 0-upscale of UpscaleImage is of no document" in world.bill().findings

    def test_a_counter_that_is_higher_than_the_tasks(self, world: World) -> None:
        world.billed = Counter(task["operation"] for task in world.tasks) + Counter(["UpscaleImage"])
        assert ["counter" in finding for finding in world.bill().findings] == [True]

    def test_a_manifest_that_names_another_task(self, world: World) -> None:
        world.rows[0]["steps"][0]["id"] = "1-upscale"
        assert world.bill().findings == [
            "document 0, upscale: the manifest names 1-upscale, which is not a task of it"
        ]


class TestRows:
    def test_all_are_there(self, world: World) -> None:
        assert check_rows(world.documents, world.rows) == []

    def test_a_missing_row_and_one_too_many(self, world: World) -> None:
        assert len(check_rows(world.documents, world.rows[:1])) == 1
        assert len(check_rows(world.documents, [*world.rows, world.rows[0]])) == 1

    def test_a_document_may_end_as_unknown_and_in_no_other_way(self, world: World) -> None:
        world.rows[0] |= {"outcome": "failed", "error": {"class": "SubmitUnknownError"}}
        assert check_rows(world.documents, world.rows) == []
        world.rows[0]["error"] = {"class": "TaskFailedError"}
        world.rows[1]["outcome"] = "not_started"
        assert len(check_rows(world.documents, world.rows)) == 2


class TestTexts:
    def test_all_are_there(self, world: World) -> None:
        (world.outbox / ".aspose-ocr").mkdir()
        (world.outbox / ".aspose-ocr" / "manifest.jsonl").touch()
        assert world.texts() == []

    def test_a_missing_text(self, world: World) -> None:
        (world.outbox / "document-001.png.txt").unlink()
        assert world.texts() == ["document-001.png.txt: its text is missing"]

    def test_the_text_of_another_document(self, world: World) -> None:
        (world.outbox / "document-001.png.txt").write_text(world.documents[0].text)
        assert ["wrong text" in finding or "checksum" in finding for finding in world.texts()] == [True, True]

    def test_an_orphan(self, world: World) -> None:
        (world.outbox / ".aspose-ocr-1.part").touch()
        assert world.texts() == [f".aspose-ocr-1.part: an orphan file in {world.outbox}"]


def test_cloud_tasks_that_run_or_were_cancelled_without_a_clear(world: World) -> None:
    assert check_cloud(world.tasks, []) == []
    world.tasks[0] |= {"status": "Pending"}
    world.tasks[1] |= {"status": "NotExist", "deleted": True}
    assert [found.rsplit(" ", 1)[1] for found in check_cloud(world.tasks, [])] == ["Pending", "cancelled"]
    world.tasks[2] |= {"deleted": True, "submitted_at": SECONDS + 100}
    found = check_cloud(world.tasks, [SECONDS + 5])
    assert [text.split()[2] for text in found] == ["0-upscale", "0-recognize"]


def test_documents_whose_last_submit_has_no_answer_in_the_journal() -> None:
    def record(kind: str, document: int, **more: Any) -> dict[str, Any]:
        return {"record": kind, "document": document, **more}

    records = [
        {"record": "durations", "book": {}},
        record("document", 5, state={"intended": True}),
        record("document", 6, state={"steps": []}),
        record("intent", 1),
        record("intent", 2),
        record("reference", 2),
        record("intent", 3),
        record("withdrawn", 3),
        record("intent", 3),
    ]
    assert unknown_documents(records) == {1, 3, 5}


def test_a_late_intent_of_a_process_that_has_lost_the_batch_is_no_unknown_submit() -> None:
    records = [
        {"record": "intent", "document": 1, "epoch": 2},
        {"record": "reference", "document": 1, "epoch": 3},
        {"record": "intent", "document": 2, "epoch": 2},
        {"record": "intent", "document": 3, "epoch": 3},
    ]
    assert unknown_documents(records) == {3}


def test_what_is_left_of_journals(tmp_path: Path) -> None:
    (tmp_path / "batches" / "key" / "1").mkdir(parents=True)
    (tmp_path / "batches" / "swept.json").touch()
    assert check_parts(tmp_path) == []
    (tmp_path / "batches" / "key" / "1" / "1-1-x.jsonl").touch()
    assert check_parts(tmp_path) == ["batches/key/1/1-1-x.jsonl: an orphan file of a journal"]


@pytest.mark.parametrize(("name", "found"), [("aspose-ocr-work-x1", 0), ("aspose-ocr-else-x1", 1)])
def test_documents_on_a_disk_that_no_task_would_clear_away(tmp_path: Path, name: str, found: int) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "source").touch()
    assert len(check_temporary_files([tmp_path])) == found
