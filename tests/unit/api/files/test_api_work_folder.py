"""Files of ended processes are removed; files of running processes and of other users are kept."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.files.work_folder import (
    WORK_FOLDER,
    lock_file,
    remove_abandoned,
    work_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

NAME = "ours-1"
LONG_AGO = time.time() - 2 * 3600


def make(folder: Path, kind: str, *, content: bool, old: bool) -> Path:
    path = folder / NAME
    if kind == "file":
        path.write_text("half a result" if content else "")
    else:
        path.mkdir()
        if content:
            (path / "source").write_text("a document")
    if old:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return path


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize(
    ("content", "old", "locked", "stays"),
    [
        (True, False, False, False),
        (True, True, False, False),
        (False, True, False, False),
        # Perhaps made a moment ago, and about to be locked.
        (False, False, False, True),
        (True, False, True, True),
        (True, True, True, True),
        (False, False, True, True),
        (False, True, True, True),
    ],
)
def test_what_no_process_has_locked_is_removed(
    tmp_path: Path, kind: str, content: bool, old: bool, locked: bool, stays: bool
) -> None:
    path = make(tmp_path, kind, content=content, old=old)
    with ExitStack() as stack:
        if locked:
            descriptor = os.open(path, os.O_RDONLY)
            stack.callback(os.close, descriptor)
            lock_file(descriptor)
        remove_abandoned(str(tmp_path), "ours-")
        assert path.exists() is stays


def test_what_is_called_otherwise_stays(tmp_path: Path) -> None:
    path = make(tmp_path, "file", content=True, old=True)
    remove_abandoned(str(tmp_path), "theirs-")
    assert path.exists()


def test_a_link_and_a_pipe_of_that_name_are_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("somebody's")
    (tmp_path / "ours-link").symlink_to(target)
    os.mkfifo(tmp_path / "ours-pipe")
    remove_abandoned(str(tmp_path), "ours-")
    assert target.read_text() == "somebody's"
    assert (tmp_path / "ours-link").is_symlink()


def test_a_folder_that_is_not_there_is_swept(tmp_path: Path) -> None:
    remove_abandoned(str(tmp_path / "missing"), "ours-")


def test_a_work_folder_goes_with_its_user_and_takes_those_of_the_dead_with_it(
    own_temporary_folder: Path,
) -> None:
    dead = own_temporary_folder / f"{WORK_FOLDER}dead"
    dead.mkdir()
    (dead / "source").write_text("a document")
    with work_folder() as first, work_folder() as second:
        (first / "source").write_text("another")
        assert first != second
        assert not dead.exists()
        with work_folder():
            assert (first / "source").exists()
    assert not first.exists()
    assert not second.exists()


def test_a_process_looks_for_work_folders_of_the_dead_once(own_temporary_folder: Path) -> None:
    with work_folder():
        pass
    later = own_temporary_folder / f"{WORK_FOLDER}later"
    later.mkdir()
    (later / "source").write_text("a document")
    with work_folder():
        assert later.exists()
