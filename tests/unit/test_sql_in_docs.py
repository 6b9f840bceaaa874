"""The SQL in the docs, run by DuckDB over the manifests of batches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.support.registered_runs import Folder

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

DOCS = Path(__file__).parents[2] / "docs"
#: The folder that the docs name.
SHOWN = "/data/outbox/"


class Answers:
    """The answers to the questions of pages, by the comment before each."""

    def __init__(self, outbox: Path, *pages: str) -> None:
        self._connection = duckdb.connect()
        self._found: dict[str, list[tuple[Any, ...]]] = {}
        for page in pages:
            text = (DOCS / page).read_text()
            for block in re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
                for statement in block.replace(SHOWN, f"{outbox}/").split(";"):
                    self._ask(statement.strip())

    def _ask(self, statement: str) -> None:
        comment = re.match(r"-- (.*)\n(?!CREATE)", statement)
        answer = self._connection.execute(statement).fetchall() if statement else []
        if comment:
            self._found[comment[1]] = answer

    def to(self, question: str) -> list[tuple[Any, ...]]:
        """Take the answer to a question, without the order that SQL does not promise."""
        return sorted(self._found.pop(question), key=str)

    @property
    def others(self) -> list[str]:
        """The questions whose answers were not taken."""
        return list(self._found)


@pytest.fixture
def folder(cloud: EmulatorControl, tmp_path: Path) -> Folder:
    return Folder.of_three(tmp_path)


def test_over_the_manifests_of_a_batch(folder: Folder, cloud: EmulatorControl) -> None:
    (folder.inbox / "4.png").write_bytes(b"")
    (folder.inbox / "5.png").write_text("no picture")
    cloud.add_faults({"kind": "drop", "method": "POST", "path": "*", "after": "accepted", "count": 1})
    assert folder.run("one", register=None, max_failures=2).go() == {
        "succeeded": 3,
        "failed": 2,
        "submits": 4,
    }

    answers = Answers(folder.out, "batch.md")
    assert answers.to("What became of the documents?") == [("failed", 2, 0), ("succeeded", 3, 3)]
    ((error, count, example),) = answers.to("What failed, and why?")
    assert (error, count) == ("SourceContentError", 2)
    assert "png" in example
    ((operation, submits, median, longest),) = answers.to(
        "How long do cloud tasks take, and how many were submitted?"
    )
    assert (operation, submits) == ("RecognizeImage", 4)
    assert 0 <= median <= longest
    ((source, id, number),) = answers.to("Which documents may have been billed twice?")
    assert Path(source).parent == folder.inbox
    assert str(id) in {task["id"] for task in cloud.tasks()}
    assert number == 1
    assert not answers.others


def test_over_the_manifests_of_an_inbox(folder: Folder, cloud: EmulatorControl) -> None:
    folder.drop("copy.png", 1)
    (folder.inbox / "4.png").write_bytes(b"")
    cloud.add_faults({"kind": "task_error", "count": 1})
    folder.run("one", max_failures=9, retry_failed=False).go()
    folder.run("two", max_failures=9).go()

    answers = Answers(folder.out, "ingestion.md", "register.md")
    became = {
        Path(row[0]).name: row for row in answers.to("What became of each file, and where its results are")
    }
    assert {name: (row[1], len(row[3])) for name, row in became.items()} == {
        **dict.fromkeys(("1.png", "2.png", "3.png"), ("succeeded", 1)),
        "4.png": ("failed", 0),
        "copy.png": ("duplicate", 1),
    }
    assert not answers.to("Files that the next run looks at again, and why")
    ((source, error, message),) = answers.to("Files that have failed permanently")
    assert (Path(source).name, error) == ("4.png", "SourceContentError")
    assert "is empty" in message
    ((_, files, billed),) = answers.to("How many files, and how many of them were billed, by day?")
    # Both runs have a row for each file; a duplicate has no cloud task of its own.
    assert (files, billed) == (10, 4)
    duplicates = answers.to("Which documents had the same content?")
    assert sum(count for _, count in duplicates) >= 1
    assert not answers.to("What is claimed by another batch, or not settled for another reason?")
    assert not answers.others
