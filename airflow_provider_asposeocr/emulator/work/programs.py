"""Run a program of the distribution on a submitted file, with limits, because the file may be hostile."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.emulator.printable import printable
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Longest time of a program. A book of 50 pages takes some seconds.
PROGRAM_SECONDS = 120
#: Most address space of a program.
_MOST_KIB = 2 * 1024**2
#: The shell sets the limits and becomes the program; what follows it are arguments, which it does not read as commands.
_LIMITED = ("/bin/sh", "-c", f'ulimit -v {_MOST_KIB} && ulimit -t {PROGRAM_SECONDS} && exec "$@"', "sh")


def run_program(arguments: Sequence[str], folder: Path) -> str:
    """
    Run a program with limits of time and memory, and without the environment of the emulator, which may have secrets.

    :param arguments: The program's path and its arguments.
    :param folder: Folder in which it runs, and whose files it may write.
    :return: The end of what it has written to standard error, for a message.
    :raises JobError: if it does not end in time.
    """
    environment = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            [*_LIMITED, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise JobError(
            f"The submitted file was worked on for {PROGRAM_SECONDS} seconds without an end."
        ) from None
    return printable(done.stderr.decode("utf-8", "replace").strip()[-300:])
