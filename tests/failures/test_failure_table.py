"""
What each failure costs, on real Airflow processes: every row of the failure table in every mode.

Cases that do not disturb others run side by side, in an order and with pauses that the seed chooses; then, a few at a time,
those in which a user's kill is timed; then those that restart or kill the triggerer. Each test judges its own case. ``-k
<row>`` runs a row alone; ``FAILURE_TABLE_SEED`` repeats an order.
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, cast

import pytest

from tests.failures.batch_deferred_rows import BATCH_ROWS
from tests.failures.failure_runner import HEARTBEAT_SECONDS, Board, installed
from tests.failures.failure_user_rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.failures.failure_cases import Mode
    from tests.failures.failure_table import Row

pytestmark = pytest.mark.airflow

#: From a user's kill to the DELETE: of a deferred task, and of one in a worker, which hears of it by its heartbeat.
DEFERRED_KILL_SECONDS = 5.0
WORKER_KILL_SECONDS = 2 * HEARTBEAT_SECONDS

CASES = [
    pytest.param(row, mode, id=f"{row.name}-{mode}") for row in (*ROWS, *BATCH_ROWS) for mode in row.modes
]


@pytest.fixture(scope="module")
def seed(request: pytest.FixtureRequest) -> int:
    chosen = int(os.environ.get("FAILURE_TABLE_SEED") or random.SystemRandom().randrange(10_000))
    # Also of a run that passes: pytest would keep it to itself.
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print(f"\nFAILURE_TABLE_SEED={chosen}", flush=True)
    return chosen


@pytest.fixture(scope="module")
def board(
    request: pytest.FixtureRequest, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    """All cases that were selected, on their way."""
    wanted = [
        (cast("Row", item.callspec.params["row"]), cast("Mode", item.callspec.params["mode"]))
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.function is test_a_failure_costs_what_the_table_says
    ]
    with installed(tmp_path_factory.mktemp("failures"), wanted, seed) as started:
        yield started


@pytest.mark.parametrize(("row", "mode"), CASES)
def test_a_failure_costs_what_the_table_says(row: Row, mode: Mode, board: Board) -> None:
    here = row.in_mode(mode)
    assert here is not None
    found = board.result(row, mode)

    assert found.outcome == here.outcome, found
    assert found.waiter == here.outcome.end, found
    assert found.running == [] or here.left_running, found
    assert not found.deleted_when_completed, found
    assert [words for words in here.words if words not in found.log] == [], found
    if here.outcome.cancelled and found.kill_seconds is not None:
        assert row.timed, "It was measured on a machine that was full."
        # The signal handler of a worker has no time to wait for a slow cloud.
        deferred_seconds = DEFERRED_KILL_SECONDS + row.answer_seconds
        longest = WORKER_KILL_SECONDS if found.in_worker else deferred_seconds
        # Nothing in Airflow orders a Clear's new attempt and the end of the old one; the first of them cancels.
        assert found.kill_seconds <= longest or found.cancelled_first, found
