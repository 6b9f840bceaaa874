from __future__ import annotations

import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import pytest

from demo.processes import (
    NAME_VARIABLE,
    Service,
    ServiceError,
    service_name,
    session_members,
    stop_services,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

# Forks a child into a process group of its own, as Airflow does with each task; the child ignores SIGTERM.
STUBBORN = """
import os, signal, sys, time
if os.fork() == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("child ready", flush=True)
time.sleep(60)
"""


def service(tmp_path: Path, program: str) -> Service:
    return Service("a service", [sys.executable, "-c", program], os.environ, tmp_path / "log.txt")


def wait_for_log(running: Service, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in running.tail():
        running.check()
        assert time.monotonic() < deadline, running.tail()
        time.sleep(0.02)


def test_stop_ends_what_was_forked_into_another_process_group(tmp_path: Path) -> None:
    running = service(tmp_path, STUBBORN)
    wait_for_log(running, "child ready")
    assert len(running.members()) == 2

    running.stop(grace_seconds=0.3)

    assert session_members(running.pid) == []


def test_stop_ends_a_suspended_process(tmp_path: Path) -> None:
    running = service(tmp_path, "import time; print('up', flush=True); time.sleep(60)")
    wait_for_log(running, "up")
    running.signal(signal.SIGSTOP, whole_session=True)

    started = time.monotonic()
    running.stop(grace_seconds=300)

    assert session_members(running.pid) == []
    assert time.monotonic() - started < 150, "it was killed only after the grace"


def test_an_orphan_is_found_after_its_leader_has_ended(tmp_path: Path) -> None:
    running = service(tmp_path, STUBBORN)
    wait_for_log(running, "child ready")

    running.signal(signal.SIGKILL, whole_session=False)
    running.reap()

    assert len(running.members()) == 1
    stop_services([running], grace_seconds=0)
    assert running.members() == []


def test_an_interrupt_during_the_grace_still_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = service(tmp_path, STUBBORN)
    wait_for_log(running, "child ready")

    def interrupt(seconds: float) -> None:
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr("demo.processes.time.sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        running.stop(grace_seconds=30)

    assert session_members(running.pid) == []


def test_an_ended_service_shows_its_last_words(tmp_path: Path) -> None:
    running = service(tmp_path, "import sys; print('x' * 5); sys.exit('no such port')")
    running.reap()

    with pytest.raises(ServiceError, match=r"a service ended with exit code 1[\s\S]*no such port"):
        running.check()


def test_a_stopped_service_may_be_stopped_again(tmp_path: Path) -> None:
    running = service(tmp_path, "pass")
    running.stop(grace_seconds=5)
    running.stop(grace_seconds=5)


def test_the_output_is_that_of_this_process_and_not_of_its_predecessors(tmp_path: Path) -> None:
    for word in ("first", "second"):
        running = service(tmp_path, f"print({word!r})")
        running.reap()
    assert running.output() == "second\n"
    assert running.tail() == "first\nsecond\n"


def test_a_process_bears_the_name_of_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME_VARIABLE, raising=False)
    assert service_name() == socket.gethostname()
    monkeypatch.setenv(NAME_VARIABLE, "triggerer-2")
    assert service_name() == "triggerer-2"
