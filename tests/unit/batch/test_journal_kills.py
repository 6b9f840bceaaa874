"""
A process that is really killed at each step of a commit, on local disk: the records that the journal called durable are
there.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.journal import Journal, read_journal
from airflow_provider_asposeocr.batch.journal_files import JournalFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from pathlib import Path

pytestmark = pytest.mark.process

_DEADLINE_SECONDS = 60.0


def _stop_at(call: str, number: int, pipe: Connection) -> None:
    """Stop this process before a call of the operating system, when it makes the call with this number."""
    original: Callable[..., Any] = getattr(os, call)
    calls = 0

    def stop(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            pipe.send("here")
            signal.pause()
        return original(*args, **options)

    setattr(os, call, stop)


def _write(folder: str, call: str, number: int, pipe: Connection) -> None:
    signal.alarm(int(2 * _DEADLINE_SECONDS))
    journal = Journal.create(ObjectStoragePath(folder), {"documents": []}).journal
    for record in (1, 2):
        journal.append([{"n": record}])
    _stop_at(call, number, pipe)
    journal.append([{"n": 3}])
    journal.snapshot([{"n": 33}])
    pipe.send("through")


def killed(folder: ObjectStoragePath, call: str, number: int) -> None:
    """Let a process commit three times and write a snapshot; kill it where the third commit has begun."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_write, args=(str(folder), call, number, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(_DEADLINE_SECONDS), "The process says nothing."
        assert ours.recv() == "here"
    finally:
        process.kill()
        process.join()
    assert process.exitcode == -signal.SIGKILL


#: The call before which the process is killed, and the records that are there then. A commit is a write, an fsync, a rename,
#: and an fsync of the folder. The snapshot is a commit, too, and the deletions of what it replaces follow.
STEPS = [
    ("fsync", 1, [1, 2]),
    ("replace", 1, [1, 2]),
    ("fsync", 2, [1, 2, 3]),
    ("fsync", 3, [1, 2, 3]),
    ("replace", 2, [1, 2, 3]),
    ("fsync", 4, [33]),
    ("unlink", 2, [33]),  # The first one is that of a temporary file that has been renamed, which fails.
    ("unlink", 3, [33]),
    ("unlink", 5, [33]),
]


@pytest.mark.parametrize(("call", "number", "expected"), STEPS)
def test_what_was_durable_is_there(tmp_path: Path, call: str, number: int, expected: list[int]) -> None:
    folder = ObjectStoragePath(f"{tmp_path}/batches/k/0")
    killed(folder, call, number)
    assert [record["n"] for record in read_journal(folder)[1]] == expected
    opened = Journal.take_over(folder)
    assert [record["n"] for record in opened.records] == expected
    opened.journal.append([{"n": 4}])
    opened.journal.snapshot([{"n": 44}])
    assert [record["n"] for record in read_journal(folder)[1]] == [44]
    opened.journal.delete()
    assert JournalFiles(folder).names() == set()
