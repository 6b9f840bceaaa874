"""
Helpers of all benchmarks: repeated measurements, their ratio to a rival's, and the table of results.

Invariant: ours and the rival are measured in turn in the same run, because absolute times differ from machine to machine and
from minute to minute; what is reported is the median of the ratios of neighbouring rounds, with the spread beside it.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
CHECKOUT = Path(__file__).parents[2]
#: Where each program leaves its rows for the table; git ignores it.
RESULTS = CHECKOUT / ".bench"


@dataclass(frozen=True)
class Sample:
    """
    One figure, measured several times.

    :param values: One per round.
    :param unit: For example ``ms``.
    """

    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        middle = f"{_short(self.median)} {self.unit}".rstrip()
        if len(self.values) == 1:
            return middle
        return f"{middle} ({_short(min(self.values))} to {_short(max(self.values))})"


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    :param what: What is measured, in the words of a user.
    :param goal: The goal, in words, for example ``at most 1.5 times``; empty for a figure that is only reported.
    :param ours: Our figure.
    :param rival: Who it is compared with; empty where the goal is absolute.
    :param theirs: The rival's figure.
    :param ratio: Ours by theirs, round by round.
    :param met: Whether the goal is met; ``None`` where there is none.
    :param note: Why a goal is not met, or what the figure is made of.
    """

    what: str
    goal: str
    ours: Sample
    rival: str = ""
    theirs: Sample | None = None
    ratio: Sample | None = None
    met: bool | None = None
    note: str = ""


def in_turn(rounds: int, *measures: Callable[[], T]) -> list[tuple[T, ...]]:
    """
    Measure several things in turn, each round beginning with another one.

    :param rounds: How often.
    :param measures: Each measures one thing once.
    :return: The figures of each thing, round by round.
    """
    figures: list[list[T]] = [[] for _ in measures]
    for number in range(rounds):
        for offset in range(len(measures)):
            index = (number + offset) % len(measures)
            figures[index].append(measures[index]())
    return [tuple(each) for each in figures]


def compared(
    what: str,
    ours: Sequence[float],
    rival: str,
    theirs: Sequence[float],
    *,
    unit: str,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """
    Compare two series of the same rounds.

    :param what: What is measured.
    :param ours: Our figures.
    :param rival: Who the other figures are of.
    :param theirs: Their figures.
    :param unit: Unit of both.
    :param at_most: Largest ratio of ours to theirs that meets the goal; ``None`` = no goal, only reported.
    :param at_least: Smallest ratio that meets it, where more is better.
    :param note: What the reader should know.
    """
    ratio = Sample(tuple(a / b for a, b in zip(ours, theirs, strict=True)), "x")
    goal, met = "", None
    if at_most is not None:
        goal, met = f"at most {at_most:g} x", ratio.median <= at_most
    elif at_least is not None:
        goal, met = f"at least {at_least:g} x", ratio.median >= at_least
    return Row(what, goal, Sample(tuple(ours), unit), rival, Sample(tuple(theirs), unit), ratio, met, note)


def limited(
    what: str,
    ours: Sequence[float],
    *,
    unit: str,
    at_most: float | None = None,
    never_more: bool = False,
    note: str = "",
) -> Row:
    """
    Hold a series against a fixed limit.

    :param what: What is measured.
    :param ours: Our figures.
    :param unit: Unit of the figures and of the limit.
    :param at_most: The limit for the median; ``None`` = only reported.
    :param never_more: The limit is for the largest figure, as that of a count is.
    :param note: What the reader should know.
    """
    sample = Sample(tuple(ours), unit)
    goal = f"at most {_short(at_most)} {unit}".rstrip() if at_most is not None else ""
    held = max(sample.values) if never_more else sample.median
    return Row(what, goal, sample, met=held <= at_most if at_most is not None else None, note=note)


class Publication:
    """
    What a program measures, printed and kept part by part, so that a part that breaks takes no other one with it.

    :param name: Name of the program, for example ``triggerer``.
    """

    def __init__(self, name: str) -> None:
        self._file = RESULTS / f"{name}.json"
        self._rows: list[Row] = []

    def add(self, rows: Sequence[Row]) -> None:
        """
        Print the rows of a part and keep them, with those of the parts before, for the table in the docs.

        :param rows: What the part measured.
        """
        self._rows += rows
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text(json.dumps([asdict(row) for row in self._rows], indent=1) + "\n")
        for row in rows:
            verdict = {True: "met", False: "NOT MET", None: "reported"}[row.met]
            against = f"; {row.rival}: {row.theirs}; ratio {row.ratio}" if row.theirs else ""
            goal = f"; goal {row.goal}" if row.goal else ""
            print(
                f"{verdict:8} {row.what}: {row.ours}{against}{goal}{'; ' + row.note if row.note else ''}",
                flush=True,
            )


def publish(name: str, rows: Sequence[Row]) -> None:
    """
    Print the rows of a program that has one part, and keep them for the table in the docs.

    :param name: Name of the program, for example ``triggerer``.
    :param rows: What it measured.
    """
    Publication(name).add(rows)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
