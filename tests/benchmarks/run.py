"""
All benchmarks, one after the other, and the table of them in the docs.

Invariant: programs run in processes of their own and never at the same time, so that none measures another. The table
is written whenever a program ends, so that a later one that breaks loses nothing.
"""

from __future__ import annotations

import subprocess
import sys

from tests.benchmarks import table
from tests.benchmarks.measuring import CHECKOUT

PROGRAMS = (
    "triggerer",
    "cadence",
    "chain",
    "documents",
    "imports",
    "readers",
    "scale",
    "batch_cpu",
    "batch_s3",
    "batch_memory",
    "batch_slots",
    "batch_airflow",
    "inbox_plan",
    "inbox_watch",
    "register_lookup",
    "viewer",
)


def main(names: list[str]) -> int:
    """
    Run the programs and write the table.

    :param names: Which ones; all by default.
    :return: How many of them broke. A goal that is missed is no failure: it is in the table.
    """
    broken = 0
    for name in names or PROGRAMS:
        print(f"== {name}", flush=True)
        broken += (
            subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], cwd=CHECKOUT).returncode != 0
        )
        table.main(PROGRAMS)
    return broken


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
