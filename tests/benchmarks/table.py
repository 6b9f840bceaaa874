"""
The table of results in the docs.

Invariant: the docs show what the programs printed, with the date of each and the machine, and nothing by hand.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from typing import TYPE_CHECKING, Any

from tests.benchmarks.measuring import CHECKOUT, RESULTS, Row, Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCUMENT = CHECKOUT / "docs" / "performance.md"
#: What :mod:`.scale` extrapolates.
SCALE = RESULTS / "scale.md"
#: What :mod:`.batch_airflow` extrapolates.
SCALE_BATCH = RESULTS / "scale_batch.md"
VERDICTS = {True: "yes", False: "**no**", None: ""}


def _sample(described: dict[str, Any] | None) -> Sample | None:
    return Sample(tuple(described["values"]), described["unit"]) if described else None


def rows_of(text: str) -> list[Row]:
    """
    Read the rows that a program has kept.

    :param text: The JSON that :func:`.measuring.publish` wrote.
    """
    rows = []
    for described in json.loads(text):
        samples: dict[str, Any] = {name: _sample(described.pop(name)) for name in ("ours", "theirs", "ratio")}
        rows.append(Row(**described, **samples))
    return rows


def _cell(text: object) -> str:
    return str(text).replace("|", "\\|") if text else ""


def render(programs: Iterable[tuple[str, datetime.date, Sequence[Row]]], heading: str) -> str:
    """
    Render the table.

    :param programs: Name of each program, when it ran, and its rows.
    :param heading: Where it was measured.
    """
    lines = [heading]
    for name, date, rows in programs:
        lines += [
            "",
            f"`python -m tests.benchmarks.{name}` on {date.isoformat()}:",
            "",
            "| what | ours | rival | ratio | goal | met |",
            "|---|---|---|---|---|---|",
        ]
        for row in rows:
            what = f"{row.what}; *{row.note}*" if row.note else row.what
            rival = f"{row.rival}: {row.theirs}" if row.theirs else row.rival
            cells = (what, row.ours, rival, row.ratio, row.goal, VERDICTS[row.met])
            lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def replaced(document: str, name: str, text: str) -> str:
    """
    Put a text into a document.

    :param document: What has the two markers.
    :param name: Their name.
    :param text: What comes between them.
    :raises ValueError: if the markers are not there.
    """
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(document):
        raise ValueError(f"there are no markers {begin.strip()!r} and {end.strip()!r}")
    return pattern.sub(lambda _: begin + text + end, document)


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def main(order: Sequence[str]) -> None:
    """
    Write the table into the docs.

    :param order: Names of the programs.
    """
    kept = [(name, RESULTS / f"{name}.json") for name in order]
    programs = [
        (name, datetime.date.fromtimestamp(file.stat().st_mtime), rows_of(file.read_text(encoding="utf-8")))
        for name, file in kept
        if file.exists()
    ]
    heading = (
        f"Measured on {os.cpu_count()} cores ({_cpu()}), "
        f"Python {platform.python_version()}. In brackets the smallest and the largest of the rounds."
    )
    document = replaced(DOCUMENT.read_text(encoding="utf-8"), "benchmarks", render(programs, heading))
    for name, extrapolated in (("scale", SCALE), ("scale batch", SCALE_BATCH)):
        if extrapolated.exists():
            document = replaced(document, name, extrapolated.read_text(encoding="utf-8").strip())
    DOCUMENT.write_text(document, encoding="utf-8")
