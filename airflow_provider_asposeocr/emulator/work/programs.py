"""Run a program of the distribution on a submitted file, with limits, because the file may be hostile."""

from __future__ import annotations

import os
import subprocess
import tempfile
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
#: Largest file that a program writes, its messages included, in blocks of 512 bytes: 512 MiB.
_MOST_BLOCKS = 1024**2
_LIMITS = f"ulimit -v {_MOST_KIB} && ulimit -t {PROGRAM_SECONDS} && ulimit -f {_MOST_BLOCKS}"
#: The shell sets the limits and becomes the program; what follows it are arguments, which it does not read as commands.
_LIMITED = ("/bin/sh", "-c", f'{_LIMITS} && exec "$@"', "sh")
#: How much of the end of a program's messages is kept for a message of ours.
_MESSAGE_BYTES = 300


def run_program(arguments: Sequence[str], folder: Path) -> str:
    """
    Run a program with limits of time, memory and files, and without the environment of the emulator, which may have secrets.

    :param arguments: The program's path and its arguments.
    :param folder: Folder in which it runs, and whose files it may write.
    :return: The end of what it has written to standard error, for a message.
    :raises JobError: if it does not end in time.
    """
    environment = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C.UTF-8"}
    # A file, because a hostile document may cause more messages than there is memory.
    with tempfile.TemporaryFile(dir=folder) as messages:
        try:
            subprocess.run(
                [*_LIMITED, *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
                timeout=PROGRAM_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise JobError(
                f"The submitted file was worked on for {PROGRAM_SECONDS} seconds without an end."
            ) from None
        messages.seek(max(0, messages.seek(0, os.SEEK_END) - _MESSAGE_BYTES))
        return printable(messages.read().decode("utf-8", "replace").strip())
