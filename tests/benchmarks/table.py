"""
The table of results in the docs.

Invariant: the docs show what the programs printed, with the date of each and the machine, and nothing by hand. The table of
a program that has not run in this checkout stays as it is.
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


def render(name: str, date: datetime.date, rows: Iterable[Row]) -> str:
    """
    Render the table of one program.

    :param name: Its name.
    :param date: When it ran.
    :param rows: Its rows.
    """
    lines = [
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


def tables_of(text: str) -> dict[str, str]:
    """
    Find the table of each program.

    :param text: What :func:`main` has written between the markers.
    :return: Name of the program to its table, as :func:`render` made it.
    """
    tables = re.split(r"^(?=`python -m tests\.benchmarks\.)", text, flags=re.MULTILINE)[1:]
    return {table.split("`")[1].rpartition(".")[2]: table.strip() for table in tables}


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
    document = DOCUMENT.read_text(encoding="utf-8")
    tables = tables_of(document.partition("<!-- benchmarks -->")[2].partition("<!-- /benchmarks -->")[0])
    for name in order:
        if (file := RESULTS / f"{name}.json").exists():
            date = datetime.date.fromtimestamp(file.stat().st_mtime)
            tables[name] = render(name, date, rows_of(file.read_text(encoding="utf-8")))
    heading = (
        f"Measured on {os.cpu_count()} cores ({_cpu()}), "
        f"Python {platform.python_version()}. In brackets the smallest and the largest of the rounds."
    )
    text = "\n\n".join([heading, *(tables[name] for name in order if name in tables)])
    document = replaced(document, "benchmarks", text)
    for name, extrapolated in (("scale", SCALE), ("scale batch", SCALE_BATCH)):
        if extrapolated.exists():
            document = replaced(document, name, extrapolated.read_text(encoding="utf-8").strip())
    DOCUMENT.write_text(document, encoding="utf-8")
