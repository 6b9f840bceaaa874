"""
A batch whose process is killed again and again, without Airflow: many kills in little time.

The storm over a batch has the same audit, an Airflow around it, and fewer kills. ``BATCH_KILLS_SEEDS`` are the seeds,
separated by commas; without them, one seed is drawn.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from random import Random, SystemRandom
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from tests.distributed.audit import LogLine
from tests.distributed.batch_audit import (
    Blows,
    check_cloud,
    check_rows,
    check_texts,
    draw_up,
    unknown_documents,
)
from tests.distributed.documents import write_documents
from tests.distributed.patience import wait_until
from tests.distributed.weather import batch_rules, once
from tests.support.batch_process import ACCOUNT, SECRET, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

DOCUMENTS, KILLS = 40, 8
END_SECONDS = 120.0
HOLD = {"kind": "hold", "method": "POST", "path": "*Image", "after": "accepted"}


def seeds() -> list[int]:
    given = os.environ.get("BATCH_KILLS_SEEDS", "")
    return [int(seed) for seed in given.split(",") if seed] or [SystemRandom().randrange(10**6)]


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    arguments = ("--engine", "canned", "--client-id", ACCOUNT, "--client-secret", SECRET)
    with EmulatorProcess(*arguments, "--task-seconds", "uniform:0.3,1.5") as running:
        yield running


@pytest.fixture
def cloud(emulator: EmulatorProcess) -> EmulatorControl:
    emulator.control.reset()
    return emulator.control


class Killer:
    """Begins tries and kills them."""

    def __init__(self, place: Place, cloud: EmulatorControl, random: Random) -> None:
        self.place, self.cloud, self.random = place, cloud, random
        self.ends: list[float] = []
        self.unknown: list[int] = []

    @property
    def billed(self) -> int:
        return sum(self.cloud.billing().values())

    def kill_in(self, try_number: int, weather: list[dict[str, object]]) -> None:
        """Begin a try, and kill it after some submits: at random, or while the cloud holds accepted submits back."""
        goal = self.billed + self.random.randint(1, 3 * DOCUMENTS // KILLS)
        is_trap = self.random.random() < 0.5
        process = self.place.begin(try_number)
        try:
            wait_until(lambda: self.billed >= goal or not process.is_alive(), END_SECONDS)
            if is_trap:
                self.cloud.add_faults({**HOLD, "count": self.random.randint(1, self.place.permits)})
                wait_until(lambda: self._holds() or not process.is_alive(), 3.0)
            time.sleep(self.random.uniform(0, 0.3))
        finally:
            process.kill()
            process.join()
        self.ends.append(time.time())
        self.unknown.append(len(unknown_documents(self.place.records())))
        self.cloud.clear_faults()
        self.cloud.add_faults(*weather)

    def _holds(self) -> bool:
        try:
            return bool(self.cloud.wait_for_request("POST", held=True, timeout_seconds=0))
        except TimeoutError:
            return False

    def lines(self) -> list[LogLine]:
        return [
            LogLine("read", -1, path.name, line)
            for path in sorted(self.place.folder.glob("try-*.log"))
            for line in path.read_text().splitlines()
        ]


@pytest.mark.parametrize("permits", [8, 1], ids=["eight permits", "one permit"])
@pytest.mark.parametrize("seed", seeds())
def test_kills_lose_nothing_and_bill_nothing_in_secret(
    tmp_path: Path, emulator: EmulatorProcess, cloud: EmulatorControl, seed: int, permits: int
) -> None:
    (tmp_path / "inbox").mkdir()
    documents = write_documents(tmp_path / "inbox", DOCUMENTS, seed)
    killer = Killer(Place(tmp_path, emulator.url, permits=permits), cloud, Random(seed))
    weather = batch_rules(seed)
    cloud.add_faults(*weather, *once())
    for try_number in range(1, KILLS + 1):
        killer.kill_in(try_number, weather)
    last = killer.place.begin(KILLS + 1)
    last.join(END_SECONDS)
    ended = last.exitcode
    last.kill()
    assert ended == 0, (seed, killer.lines()[-5:])

    rows = killer.place.rows()
    by_index = {row["index"]: row for row in rows}
    wait_until(lambda: not check_cloud(cloud.tasks(), []))
    bill = draw_up(documents, by_index, cloud.billing(), cloud.tasks(), killer.lines(), Blows(killer.ends))
    print(f"seed {seed}: {bill}; unknown {killer.unknown}; {Counter(row['outcome'] for row in rows)}")
    assert bill.findings == [], seed
    assert check_rows(documents, rows) == []
    assert check_texts(documents, killer.place.outbox, by_index) == []
    assert check_cloud(cloud.tasks(), []) == []
    assert max(killer.unknown) <= permits
