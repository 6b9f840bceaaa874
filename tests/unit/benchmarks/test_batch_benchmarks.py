"""The programs that measure batches run, at a small size; and what they make of what they have measured."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.settings import BatchSettings
from tests.benchmarks import batch_airflow, batch_cpu, batch_memory
from tests.benchmarks.batch_simulator import Cloud, Delays, Simulation
from tests.benchmarks.measuring import Publication
from tests.benchmarks.table import rows_of
from tests.support.used_airflow import USED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.scale import Used

STEADY = Cloud(300.0, sigma=0.0)


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the rows of small runs out of the table."""
    monkeypatch.setattr("tests.benchmarks.measuring.RESULTS", tmp_path)
    monkeypatch.setattr("tests.benchmarks.batch_airflow.SCALE_BATCH", tmp_path / "scale_batch.md")
    return tmp_path


def kept(results: Path, program: str) -> list[str]:
    return [row.what for row in rows_of((results / f"{program}.json").read_text())]


def test_the_cpu_of_a_document(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_WAIT_SECONDS", "0.05")
    monkeypatch.setattr(batch_cpu, "ROUNDS", 1)
    found = batch_cpu.measured(1, 1000, ("journal", "floor"))
    monkeypatch.setattr(batch_cpu, "is_complete", lambda *_: False)  # the SDK's environment is large
    monkeypatch.setattr(batch_cpu, "measured", lambda *_: {**found, "no_journal": found["journal"]})
    batch_cpu.main()
    assert len(kept(results, "batch_cpu")) == 4


def test_the_memory_of_a_batch(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_WAIT_SECONDS", "0.05")
    found = batch_memory.measure(1, 1000)
    monkeypatch.setattr(batch_memory, "measure", lambda *_: found)
    batch_memory.main()
    assert len(kept(results, "batch_memory")) == 2


def test_a_batch_that_holds_its_slot_is_simulated_as_long_as_arithmetic_says() -> None:
    found = Simulation(8, 2, STEADY, BatchSettings(max_in_flight=4)).run()
    assert found.deferrals == 0
    assert found.slot_seconds == found.makespan_seconds
    assert 8 * 2 * 300 / 4 < found.makespan_seconds < 1.5 * 8 * 2 * 300 / 4


def test_a_batch_that_is_deferred_is_simulated_with_the_seconds_of_each_deferral() -> None:
    settings = BatchSettings(max_in_flight=4, deferrable=True)
    quick, slow = (Simulation(8, 2, STEADY, settings, Delays(edge=edge)).run() for edge in (0.0, 10.0))
    assert quick.deferrals >= 3
    assert quick.slot_seconds < quick.makespan_seconds / 4
    assert slow.slot_seconds > quick.slot_seconds + 2 * 10 * 3


class _Meter:
    """Stands for an Airflow on which everything costs the same."""

    def __init__(self) -> None:
        self.ran: list[tuple[Any, ...]] = []

    def note_idle(self) -> None:
        """Measure nothing."""

    def run(self, dag_id: str, runs: int, cloud: str, scan: Path) -> Used:
        self.ran.append((dag_id, runs, cloud, len(list(scan.iterdir()))))
        return USED


def test_the_whole_of_airflow(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_airflow, "DOCUMENTS", 12)
    monkeypatch.setattr(batch_airflow, "CHAINED", 3)
    meter = _Meter()
    batch_airflow.measure(meter, results / "inbox", Publication("batch_airflow"))  # type: ignore[arg-type]  # a stand-in
    assert meter.ran[2:] == [
        ("mapped_chain", 1, "short", 3),
        ("batch_folder", 1, "short", 12),
        ("batch_folder", 1, "long", 12),
    ]
    assert kept(results, "batch_airflow")[:2] == [
        "Documents per minute, batch, cloud tasks of 1 s, 100 in flight, with journal",
        "Time of a batch, from the start of the run to its end",
    ]
    assert "10,000,000" in (results / "scale_batch.md").read_text()


def test_more_documents_per_minute_meet_the_goal_and_a_longer_batch_does_not() -> None:
    fast, slow = replace(USED, seconds=10.0), replace(USED, seconds=100.0)
    assert batch_airflow.rate_row(fast, 100, slow, 40).met
    assert batch_airflow.rate_row(fast, 100, slow, 41).met is False
    documents = 1000
    least = documents * 3 * batch_airflow.LONG_SECONDS / 100
    met = [
        batch_airflow.long_rows(replace(USED, seconds=seconds), documents)[0].met
        for seconds in (1.2 * least, 1.3 * least)
    ]
    assert met == [True, False]
