"""What the demo says about its readings: a table per engine, and what the numbers mean.

Invariant: every sentence is computed from the rates it is printed with, so that it cannot promise more than they
show.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIRECT = "direct"
#: How a scan can be read, in the order of the table's columns: key and heading.
WAYS = {
    DIRECT: "read directly",
    "upscaled": "upscaled",
    "binarized": "binarized",
    "chain": "whole chain",
}


@dataclass(frozen=True)
class Comparison:
    """How one way of reading compares with reading directly, over all scans."""

    better: Sequence[str]
    worse: Sequence[str]
    median_before: float
    median_after: float
    worst_before: float
    worst_after: float

    @property
    def verdict(self) -> str:
        """Judge by the median, the worst and the number of scans; all must speak for it to be called help."""
        if not self.better:
            return "does not help" if self.worse else "changes nothing"
        lower_median = self.median_after < self.median_before
        most_gain = len(self.better) > len(self.worse)
        if not self.worse:
            return "helps" if lower_median else "helps some scans and hurts none"
        if lower_median and most_gain and self.worst_after <= self.worst_before:
            return "helps on the whole"
        if lower_median or most_gain:
            return "helps some scans and hurts others"
        return "does not help"


def compare(rates: Mapping[str, Mapping[str, float]], way: str) -> Comparison:
    """Compare a way of reading with reading directly.

    :param rates: character error rate by scan, then by way.
    :param way: a key of `WAYS`.
    :return: which scans it made better and worse, and median and worst rate before and after.
    """
    before = {scan: by_way[DIRECT] for scan, by_way in rates.items()}
    after = {scan: by_way[way] for scan, by_way in rates.items()}
    return Comparison(
        better=[scan for scan in rates if after[scan] < before[scan]],
        worse=[scan for scan in rates if after[scan] > before[scan]],
        median_before=median(before.values()),
        median_after=median(after.values()),
        worst_before=max(before.values()),
        worst_after=max(after.values()),
    )


def table(rates: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Lay out the rates, one line per scan, then median and worst.

    :param rates: character error rate by scan, then by way.
    :return: the lines.
    """
    rows = [(scan, [by_way[way] for way in WAYS]) for scan, by_way in rates.items()]
    columns = list(zip(*(row for _, row in rows), strict=True))
    rows += [
        ("median", [median(column) for column in columns]),
        ("worst", [max(column) for column in columns]),
    ]
    width = max(len(name) for name, _ in rows)
    head = " " * width + "".join(f"{heading:>15}" for heading in WAYS.values())
    lines = [f"{name:<{width}}" + "".join(f"{percent(rate):>15}" for rate in row) for name, row in rows]
    rule = "-" * len(head)
    return [head, rule, *lines[:-2], rule, *lines[-2:]]


def sentences(engine: str, rates: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Say what each way of preparing the scans did to an engine's readings.

    :param engine: its name.
    :param rates: character error rate by scan, then by way.
    :return: a sentence per way other than reading directly, and a last one where no way helps.
    """
    comparisons = {way: compare(rates, way) for way in WAYS if way != DIRECT}
    said = [_sentence(engine, WAYS[way], found, len(rates)) for way, found in comparisons.items()]
    if not any(found.verdict.startswith("helps") for found in comparisons.values()):
        said.append(
            f"{engine} reads these scans best as they are: preparing them costs cloud tasks for nothing."
        )
    return said


def batch_sentence(engine: str, scans: int, chain_seconds: float, batch_seconds: float) -> str:
    """Compare the two ways of taking the scans through all steps.

    :param engine: name of the engine.
    :param scans: how many scans there are.
    :param chain_seconds: how long the mapped chain took, four Airflow tasks for each scan.
    :param batch_seconds: how long the batch took, one Airflow task for all.
    """
    return (
        f"{engine}: the chain took {chain_seconds:.0f} s for {scans} scans in {4 * scans} Airflow tasks, the batch "
        f"{batch_seconds:.0f} s in one; the texts are the same."
    )


def percent(rate: float) -> str:
    """Write a rate as a percentage with two digits after the point."""
    return f"{100 * rate:.2f} %"


def _sentence(engine: str, heading: str, found: Comparison, scans: int) -> str:
    where = f" (worse: {', '.join(found.worse)})" if found.worse else ""
    return (
        f"{engine}, {heading}: {found.verdict}: {len(found.better)} of {scans} scans better, "
        f"{len(found.worse)} worse{where}; median {percent(found.median_before)} to "
        f"{percent(found.median_after)}, worst {percent(found.worst_before)} to {percent(found.worst_after)}."
    )
