"""
Files that are dropped while Airflow misbehaves: nothing is lost, and nothing is read twice.

Airflow loses events, delivers some late, and keeps a watcher twice for a while. Each of these happens here.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.distributed.inbox_run import InboxRun
from tests.distributed.installation import TRIGGERERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.distributed.installation import Installation

pytestmark = pytest.mark.airflow

BURST_FILES, BURST_SECONDS = 500, 2.0
STOPPED_SECONDS = 50.0
PAUSED_SECONDS = 60.0
OFF_SECONDS = 90.0
SECOND_DAG_ID = "inbox_second"
#: Six parses of each DAG file, at the interval of `make test-inbox`.
SECOND_SECONDS = 60.0
#: The watcher looks every ten to twelve seconds, and a run begins seconds later.
WATCHED_SECONDS = 20.0


@pytest.fixture
def begin(installation: Installation) -> Iterator[Callable[[str], InboxRun]]:
    begun: list[InboxRun] = []

    def begin(name: str) -> InboxRun:
        begun.append(InboxRun(installation, name))
        return begun[0]

    yield begin
    for run in begun:
        run.end()


def check(run: InboxRun) -> None:
    """Wait until all is read and nothing runs, and audit."""
    run.wait("all files", run.is_all_settled)
    run.end()
    assert run.audit().findings == []
    assert run.billed() == run.contents


def let_watch(run: InboxRun) -> None:
    """Let the DAG run, and wait until a triggerer has the watcher."""
    run.pause(is_paused=False)
    run.wait("the watcher", lambda: [host for _, host in run.watchers() if host])


def test_a_burst_of_files_is_read_in_two_runs(begin: Callable[[str], InboxRun]) -> None:
    run = begin("burst")
    let_watch(run)
    begun = time.monotonic()
    for number in range(BURST_FILES):
        run.drop(number % 450)
        time.sleep(max(0.0, begun + number * BURST_SECONDS / BURST_FILES - time.monotonic()))
    run.say(f"dropped {BURST_FILES} files in {time.monotonic() - begun:.1f} s")
    check(run)
    # A file that another batch of the run has is left to the next run: so the first may be followed by two.
    assert len(run.reading_runs()) <= 3


def test_files_that_are_dropped_while_the_dag_is_paused_are_read(begin: Callable[[str], InboxRun]) -> None:
    run = begin("paused")
    let_watch(run)
    run.drop()
    run.wait("the first file", run.is_all_settled)
    run.pause()
    for _ in range(3):
        run.drop()
        time.sleep(PAUSED_SECONDS / 3)
    assert len(run.settled()) == 1
    run.pause(is_paused=False)
    check(run)


def test_a_triggerer_that_is_killed_three_times_loses_no_file(begin: Callable[[str], InboxRun]) -> None:
    run = begin("killed-triggerers")
    airflow = run.installation.airflow
    let_watch(run)
    for _ in range(3):
        for _ in range(10):
            run.drop()
            time.sleep(0.2)
        for name in TRIGGERERS:  # Both, so that the watcher has nowhere to go.
            airflow.kill(name, signal.SIGKILL)
        for number in range(10):
            run.drop(number)
            time.sleep(0.2)
        for name in TRIGGERERS:
            airflow.launch(name)
        time.sleep(WATCHED_SECONDS)
    airflow.wait_healthy()
    check(run)


def test_a_watcher_that_two_triggerers_have_for_a_while_has_nothing_read_twice(
    begin: Callable[[str], InboxRun],
) -> None:
    run = begin("stopped-triggerer")
    let_watch(run)
    run.drop()
    run.wait("the first file", run.is_all_settled)
    ((_, stopped),) = run.watchers()
    assert stopped in TRIGGERERS
    run.installation.airflow.kill(str(stopped), signal.SIGSTOP)
    try:
        until = time.monotonic() + STOPPED_SECONDS
        while time.monotonic() < until:
            run.drop()
            time.sleep(STOPPED_SECONDS / 10)
        hosts = [host for _, host in run.watchers()]
    finally:
        run.installation.airflow.kill(str(stopped), signal.SIGCONT)
    assert hosts != [stopped], "no other triggerer has taken the watcher over"
    for _ in range(10):
        run.drop()
        time.sleep(1)
    check(run)


def test_the_same_inbox_in_a_second_dag_file_loses_nothing_and_bills_nothing_twice(
    begin: Callable[[str], InboxRun],
) -> None:
    """Both files are parsed again and again meanwhile: the watcher's row stays, or events in between would be lost."""
    run = begin("second-file")
    run.dags.append(SECOND_DAG_ID)
    let_watch(run)
    watchers = {number for number, _ in run.watchers()}
    for number in range(30):
        run.drop(number % 25)
        time.sleep(SECOND_SECONDS / 30)
    run.wait("all files", run.is_all_settled)
    assert {number for number, _ in run.watchers()} == watchers
    assert len(watchers) == 1
    run.end()
    # A file that both DAGs have planned has a row of each.
    assert run.audit(exactly=False).findings == []
    assert run.billed() == run.contents


def test_a_storage_that_is_off_is_seldom_asked_and_its_files_are_read_later(
    begin: Callable[[str], InboxRun],
) -> None:
    """A folder that is not there: a volume that is not mounted."""
    run = begin("off")
    airflow, off = run.installation.airflow, run.folder.with_name("off")
    let_watch(run)
    run.drop()
    run.wait("the first file", run.is_all_settled)

    def tries() -> int:
        return sum(airflow.log(name).count("could not be listed") for name in TRIGGERERS)

    before = tries()
    run.folder.rename(off)
    time.sleep(OFF_SECONDS)
    tried = tries() - before
    off.rename(run.folder)
    run.say(f"the watcher has tried {tried} times in {OFF_SECONDS:g} s")
    assert 1 <= tried < 15 * OFF_SECONDS / 300
    run.drop()
    check(run)
