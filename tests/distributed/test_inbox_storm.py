"""
Files that are dropped into an inbox while triggerers, workers and the scheduler are killed.

``INBOX_STORM_DOCUMENTS`` is the number of files, ``INBOX_STORM_SEEDS`` are the seeds, separated by commas; without them, one
seed is drawn.
"""

from __future__ import annotations

import os
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.distributed.batch_audit import check_temporary_files
from tests.distributed.inbox_chaos import KINDS, InboxChaos
from tests.distributed.inbox_run import InboxRun
from tests.distributed.installation import FOLDER, TRIGGERERS, WORKERS
from tests.distributed.storm_run import seeds

if TYPE_CHECKING:
    from tests.distributed.installation import Installation

pytestmark = pytest.mark.airflow

DOCUMENTS = int(os.environ.get("INBOX_STORM_DOCUMENTS", "200"))
#: Every tenth file has the content of another one.
EQUAL = 10
#: Files come for so long, one by one and in heaps, and components are killed meanwhile.
STORM_SECONDS = float(os.environ.get("INBOX_STORM_SECONDS", "150"))


def moments(random: Random) -> list[float]:
    """Draw when each file is dropped, in seconds from the beginning: half of them in heaps."""
    heaps = [random.uniform(0, STORM_SECONDS) for _ in range(5)]
    alone = (random.uniform(0, STORM_SECONDS) for _ in range(DOCUMENTS - DOCUMENTS // 2))
    return sorted([*alone, *(random.choice(heaps) for _ in range(DOCUMENTS // 2))])


@pytest.mark.parametrize("seed", seeds("INBOX_STORM_SEEDS"))
def test_a_storm_over_an_inbox_loses_no_file_and_bills_nothing_in_secret(
    installation: Installation, seed: int
) -> None:
    random = Random(seed)
    run = InboxRun(installation, f"inbox-storm-{seed}")
    run.say(f"{DOCUMENTS} files; repeat it with INBOX_STORM_SEEDS={seed}")
    chaos = InboxChaos(installation.airflow, random, run.say)
    run.pause(is_paused=False)
    begun, due = time.monotonic(), moments(random)
    try:
        while due or time.monotonic() < begun + STORM_SECONDS:
            chaos.tick()
            installation.airflow.check(without=chaos.down)
            while due and begun + due[0] <= time.monotonic():
                due.pop(0)
                number = len(run.files)
                run.drop(number - 1 if number % EQUAL == EQUAL - 1 else number)
            time.sleep(0.2)
        run.say(f"all are dropped, and {len(run.settled())} settled; kills: {dict(chaos.kills)}")
    finally:
        chaos.end()
    installation.airflow.wait_healthy()
    run.wait("all files", run.is_all_settled)
    run.end()
    bill = run.audit(exactly=False)
    run.say(f"{sum(count > 1 for count in run.settled().values())} files have more than one settled row")
    workers = [installation.airflow.temporary_folder(host) for host in (*WORKERS, *TRIGGERERS)]
    assert bill.findings == [], f"seed {seed}; logs: {FOLDER}"
    assert check_temporary_files(workers) == []
    assert bill.contents <= bill.billed <= bill.contents + bill.announced
    assert len(chaos.kills) == len(KINDS), "the storm was too short for everything"
