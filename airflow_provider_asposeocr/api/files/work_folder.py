"""
Temporary folders, and the removal of those that killed processes have left.

Invariant: a file or folder is removed only if no running process uses it. A process that uses one holds its lock, which the
kernel releases when the process ends. On a file system without locks, nothing is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Prefix of the names of temporary folders.
WORK_FOLDER = "aspose-ocr-work-"
#: Longer than any process takes between creating and locking a file, and longer than clocks differ.
_OLD_SECONDS = 3600.0


def lock_file(descriptor: int) -> None:
    """
    Lock a file or folder for as long as it is open, before anything is put into it.

    :param descriptor: Of the open file or folder.
    """
    # A file system may have no locks. remove_abandoned() removes nothing that it cannot lock.
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def remove_abandoned(folder: str, prefix: str) -> None:
    """
    Remove the files and folders that ended processes of this user have left.

    :param folder: Folder that contains them.
    :param prefix: Prefix of their names.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(prefix):
                with suppress(OSError):
                    _remove_if_dead(entry.path, entry.is_dir(follow_symlinks=False))


def _remove_if_dead(path: str, is_folder: bool) -> None:
    # Some network file systems lock only files that are open for writing. A pipe of this name must not block the process.
    mode = os.O_RDONLY if is_folder else os.O_RDWR
    descriptor = os.open(path, mode | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # An empty one may have just been created by a process that has not locked it yet.
        facts = os.fstat(descriptor)
        old = time.time() - facts.st_mtime > _OLD_SECONDS
        if S_ISDIR(facts.st_mode) and (old or os.listdir(descriptor)):
            shutil.rmtree(path)
        elif not S_ISDIR(facts.st_mode) and (old or facts.st_size):
            os.unlink(path)
    finally:
        os.close(descriptor)


@cache
def _sweep_once(folder: str, pid: int) -> None:
    """Sweep at most once per process: a process that handles many documents would list the folder for each of them."""
    remove_abandoned(folder, WORK_FOLDER)


@contextmanager
def work_folder() -> Iterator[Path]:
    """
    Make a temporary folder. The first one of a process removes those that killed processes of this host have left.

    :return: A context in which the folder exists.
    """
    _sweep_once(tempfile.gettempdir(), os.getpid())
    folder = tempfile.mkdtemp(prefix=WORK_FOLDER)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock_file(descriptor)
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)
