"""The checks after a storm over an inbox find what they are to find."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.distributed.inbox_audit import Dropped, check_rows, check_texts, draw_up

if TYPE_CHECKING:
    from pathlib import Path

FILES = [Dropped(f"document-{number}.png", f"sha-{number % 2}", f"text {number % 2}") for number in range(3)]
AGAIN = '{"event": "RecognizeImage of /in/document-2.png is submitted again and may be billed twice"}'


def row(number: int, outcome: str = "succeeded", **more: Any) -> dict[str, Any]:
    file = FILES[number]
    digest = hashlib.sha256(file.text.encode()).hexdigest()
    return {
        "source": f"file:///in/{file.name}",
        "outcome": outcome,
        "sha256": file.sha256,
        "results": [{"uri": f"file:///out/document-{number % 2}.png.txt", "sha256": digest}],
        "maybe_billed_twice": False,
        **more,
    }


ROWS = [row(0), row(1), row(2, "duplicate")]
TASKS = [{"input_sha256": "sha-0"}, {"input_sha256": "sha-1"}]


def test_what_adds_up_is_no_finding(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"document-{number}.png.txt").write_text(f"text {number}")
    assert check_rows(FILES, ROWS, exactly=True) == []
    assert check_texts(FILES, tmp_path, ROWS) == []
    bill = draw_up(FILES, ROWS, TASKS, [])
    assert (bill.findings, bill.contents, bill.billed) == ([], 2, 2)


def test_a_second_bill_that_is_announced_is_no_finding() -> None:
    rows = [row(0, maybe_billed_twice=True), *ROWS[1:]]
    bill = draw_up(FILES, rows, [*TASKS, TASKS[0]], [AGAIN, AGAIN])
    assert (bill.findings, bill.billed, bill.announced) == ([], 3, 1)


@pytest.mark.parametrize(
    ("rows", "tasks", "lines", "finding"),
    [
        (ROWS, TASKS[:1], [], "was not billed"),
        (ROWS, [*TASKS, TASKS[0]], [AGAIN], "no manifest says"),
        ([row(0, maybe_billed_twice=True), *ROWS[1:]], [*TASKS, TASKS[0]], [], "logs announce 0"),
        (ROWS, [*TASKS, {"input_sha256": "other"}], [], "has the content other"),
    ],
)
def test_a_bill_that_does_not_add_up_is_found(
    rows: list[dict[str, Any]], tasks: list[dict[str, Any]], lines: list[str], finding: str
) -> None:
    assert finding in " ".join(draw_up(FILES, rows, tasks, lines).findings)


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (ROWS[:2], "document-2.png is lost"),
        ([*ROWS[:2], row(2, "busy")], "document-2.png is lost"),
        ([*ROWS, ROWS[0]], "document-0.png has 2 settled rows"),
        ([row(0, sha256="x"), *ROWS[1:]], "another content"),
        ([row(0, results=[]), *ROWS[1:]], "another text"),
    ],
)
def test_a_row_that_is_missing_or_wrong_is_found(rows: list[dict[str, Any]], finding: str) -> None:
    assert finding in " ".join(check_rows(FILES, rows, exactly=True))


@pytest.mark.parametrize(
    ("texts", "finding"),
    [
        ({"document-0.png.txt": "text 0"}, "the text of document-1.png is missing"),
        ({"document-0.png.txt": "text 0", "document-1.png.txt": "cut"}, "is not its text"),
        (
            {"document-0.png.txt": "text 0", "document-1.png.txt": "text 1", "orphan.txt": "text 0"},
            "orphan.txt is of no file",
        ),
    ],
)
def test_a_text_that_is_missing_or_wrong_is_found(
    tmp_path: Path, texts: dict[str, str], finding: str
) -> None:
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    assert finding in " ".join(check_texts(FILES, tmp_path, ROWS))
