from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.documents.manifest import Manifest, StepTask, StoredResult
from demo.dropped_files import (
    CONTENTS,
    COPY,
    FAX,
    LETTER,
    SCANS,
    DroppedFiles,
    Fate,
    fates_of,
    sentence,
    sha256_of_contents,
    status,
    table,
)
from demo.processes import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHA256 = sha256_of_contents()
LETTER_TEXT = StoredResult(type="Text", uri="file:///read/letter.png.txt", bytes=1, sha256="0")
STEP = StepTask.model_validate(
    {"operation": "RecognizeImage", "id": "1", "submitted_at": "2026-03-02T08:00:00Z"}
)


def row(name: str, outcome: str, **fields: object) -> Manifest:
    facts = {"source": f"file:///inbox/{name}", "sha256": SHA256[name], "outcome": outcome, **fields}
    return Manifest.model_validate({"index": 0, "documents": 1, **facts})


@pytest.fixture
def dropped(tmp_path: Path) -> Iterator[DroppedFiles]:
    with DroppedFiles(tmp_path, lambda _: None) as found:
        yield found


def test_files_of_equal_content_are_dropped_and_no_other() -> None:
    assert SHA256[LETTER] == SHA256[COPY] != SHA256[FAX]


def test_the_fax_is_half_written_until_the_letter_is_read(dropped: DroppedFiles) -> None:
    dropped.begin()
    whole = (SCANS / CONTENTS[FAX]).read_bytes()
    dropped.go_on()
    assert not (dropped.inbox / COPY).exists()
    assert dropped._writer.is_alive()

    write_manifest(f"{dropped.register}manifests/2026/m.jsonl", [row(LETTER, "succeeded")], 1)
    dropped.go_on()

    assert sorted(path.name for path in dropped.inbox.iterdir()) == sorted(CONTENTS)
    assert (dropped.inbox / FAX).read_bytes() == whole
    assert hashlib.sha256((dropped.inbox / COPY).read_bytes()).hexdigest() == SHA256[LETTER]
    assert dropped.are_read() is None


def test_a_demo_that_ends_early_leaves_no_writer(tmp_path: Path) -> None:
    with DroppedFiles(tmp_path, lambda _: None) as dropped:
        dropped.begin()
    assert not dropped._writer.is_alive()


def test_all_are_read_when_each_has_a_settled_row(dropped: DroppedFiles) -> None:
    dropped.begin()
    for name, outcome in ((LETTER, "succeeded"), (COPY, "duplicate"), (FAX, "succeeded")):
        assert dropped.are_read() is None
        write_manifest(f"{dropped.register}manifests/2026/{name}.jsonl", [row(name, outcome)], 1)
    assert dropped.are_read() is True


def test_a_row_of_half_the_fax_is_not_its_fate() -> None:
    rows = [row(FAX, "failed", final=True, sha256="0" * 64), row(LETTER, "busy")]
    assert fates_of(rows, SHA256) == {}


def test_the_table_says_what_became_of_each_file() -> None:
    fates = fates_of(
        [
            row(COPY, "duplicate", results=[LETTER_TEXT], steps=[]),
            row(LETTER, "succeeded", results=[LETTER_TEXT], steps=[STEP]),
        ],
        SHA256,
    )
    assert table(fates) == [
        "file              outcome    cloud tasks  text",
        "letter.png        succeeded  1            letter.png.txt",
        "letter-again.png  duplicate  0            letter.png.txt",
    ]
    assert sentence(fates, SHA256) == "2 files with 1 contents took 1 cloud tasks."


@pytest.mark.process
def test_a_register_that_cannot_be_asked_says_why(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'no such folder' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(ServiceError, match="no such folder"):
        status(str(python), {}, "/nowhere/")


@pytest.mark.process
def test_the_answer_of_the_register_is_shown_with_the_question(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{sys.executable} -c 'print(1); print(2)'\n")
    python.chmod(0o755)
    assert status(str(python), {}, "/register/") == [
        "$ python -m airflow_provider_asposeocr.ingestion status /register/",
        "1",
        "2",
    ]


def test_a_file_that_is_billed_twice_shows() -> None:
    fates = {LETTER: Fate(LETTER, "succeeded", "letter.png.txt", 2)}
    assert sentence(fates, SHA256) == "1 files with 1 contents took 2 cloud tasks."
