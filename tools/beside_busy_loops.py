"""
Run a command beside busy loops, twice as many as there are cores: ``python tools/beside_busy_loops.py COMMAND ...``.

A test that passes on a quiet machine only depends on the speed of the machine. The loops have the priority of the command,
so that ``nice make test-busy`` lets other work on the machine go first.
"""

from __future__ import annotations

import os
import subprocess
import sys


def main(command: list[str]) -> int:
    """
    Run the command and end the loops.

    :param command: The program and its arguments.
    :return: The exit status of the command.
    """
    loop = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(loop) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        return subprocess.run(command).returncode
    finally:
        for each in loops:
            each.kill()
            each.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
