"""
What the benchmark of scale reads off a running Airflow, and what it makes of it.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.benchmarks.chain_watch import stat
from tests.benchmarks.measuring import Publication, limited
from tests.benchmarks.scale import (
    BATCH,
    CROWD,
    DOCUMENTS,
    Meter,
    Used,
    batch_rows,
    chain_rows,
    crowd_rows,
    measure,
    pages,
)
from tests.benchmarks.table import rows_of
from tests.support.used_airflow import USED

if TYPE_CHECKING:
    from pathlib import Path

TRIGGERER = [
    limited("CPU per status poll in the triggerer", [500], unit="us"),
    limited("Memory of a wait in the triggerer", [8], unit="KiB"),
]


class _Airflow:
    """Stands for the running stage: one run of one task in two processes, which polls the cloud three times."""

    airflow = SimpleNamespace(pids=dict)
    rest = SimpleNamespace(task_instances=lambda *_: [{"id": "ti"}])
    watch = SimpleNamespace(
        of=lambda _: [SimpleNamespace(cpu_seconds=1.0, peak_bytes=size) for size in (100, 300)]
    )

    def __init__(self) -> None:
        self.paths = ["/v5.0/ocr/Utilities/GetTaskStatus"] * 5
        self.ran: list[tuple[str, str]] = []

    def run_all(self, wanted: list[tuple[str, str]], _scan: Path) -> list[Any]:
        self.ran += wanted
        self.paths += ["/connect/token", "/v5.0/ocr/RecognizeImage", *self.paths[:3]]
        return [SimpleNamespace(run_id="run")]

    def asked(self, _: str, since: int = 0) -> list[str]:
        return self.paths[since:]

    def occupied(self, _: set[str]) -> dict[str, list[float]]:
        return {"ti": [2.0, 3.0]}


def test_a_run_is_charged_with_its_own_polls_only(tmp_path: Path) -> None:
    (tmp_path / "airflow").mkdir()
    sqlite3.connect(tmp_path / "airflow" / "airflow.db").close()
    airflow = _Airflow()
    used = Meter(airflow, tmp_path).run("chain", 2, "crowd")  # type: ignore[arg-type]  # a stand-in

    assert airflow.ran == [("chain", "crowd")] * 2
    assert (used.polls, used.slot_seconds, used.worker_cpu_seconds) == (3, 5.0, 2.0)
    assert used.process_bytes == 200


def test_the_hook_polls_although_nothing_waits_in_a_triggerer() -> None:
    chain, hook = pages(USED, replace(USED, polls=BATCH * 5), TRIGGERER).split("One `@task`")

    def row(text: str, name: str) -> str:
        return next(line for line in text.splitlines() if line.startswith(f"| {name}")).split("|")[3].strip()

    # 100,000 documents a day are 3.47 per second in the busiest hour.
    assert (row(hook, "polls per second, task"), row(hook, "polls per second in")) == ("17", "0")
    assert (row(chain, "polls per second, task"), row(chain, "polls per second in")) == ("52", "31")
    assert row(hook, "waits in triggerers at once") == "0"
    assert "no waits in triggerers" in hook
    assert "3 waits in triggerers" in chain


def test_documents_per_minute_are_said_with_the_cpu_in_use() -> None:
    crowd = replace(USED, total_cpu_seconds=CROWD * 3.0, seconds=60.0, busy=0.97)
    made = {row.what: row for row in crowd_rows(USED, crowd)}

    few = made[f"Documents per minute, chain deferred, {DOCUMENTS} at once"]
    many = made[f"Documents per minute, chain deferred, {CROWD} at once"]
    assert (few.ours.values, many.ours.values) == ((DOCUMENTS / 2,), (CROWD,))
    assert "40% of the machine's CPU" in few.note
    assert "97% of the machine's CPU" in many.note
    dearer = made[f"CPU of all of Airflow per document, chain deferred, {CROWD} at once"].ratio
    assert dearer is not None
    assert dearer.median == pytest.approx(3.0 / (12.0 / DOCUMENTS))


def test_every_row_of_a_single_run_says_so() -> None:
    made = [*chain_rows(USED, USED), *batch_rows(USED, USED), *crowd_rows(USED, USED)]
    assert [row.what for row in made if "one run" not in row.note] == []


class _BreaksAtLast:
    """Stands for an Airflow that is too slow for many documents at once."""

    def note_idle(self) -> None:
        pass

    def run(self, dag_id: str, runs: int, cloud: str = "") -> Used:
        if runs == CROWD:
            raise TimeoutError("no answer within 30 s")
        return USED


def test_what_was_measured_before_a_part_broke_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.benchmarks.measuring.RESULTS", tmp_path)
    monkeypatch.setattr("tests.benchmarks.scale.SCALE", tmp_path / "scale.md")

    with pytest.raises(TimeoutError):
        measure(_BreaksAtLast(), Publication("scale"), TRIGGERER)  # type: ignore[arg-type]  # a stand-in

    kept = rows_of((tmp_path / "scale.json").read_text())
    assert kept == [*chain_rows(USED, USED), *batch_rows(USED, USED)]
    assert "10,000,000" in (tmp_path / "scale.md").read_text()


def test_a_look_at_a_process_reads_its_memory_and_its_cpu() -> None:
    state, cpu_seconds, resident_bytes = stat(os.getpid())
    process = psutil.Process()
    times = process.cpu_times()
    assert state == "R"
    assert cpu_seconds == pytest.approx(times.user + times.system, abs=0.5)
    assert resident_bytes == pytest.approx(process.memory_info().rss, rel=0.1)
