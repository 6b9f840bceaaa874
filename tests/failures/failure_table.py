"""
The rows of the failure table, and their form in the documentation.

Invariant: a row has one expected value for all modes. If a mode differs, the row says why, and the documentation shows
it. Both the tests and ``docs/failures.md`` use the rows, so that they cannot differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from tests.failures.failure_cases import BATCH_DOCUMENTS, MODES, nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.failures.failure_cases import Case, Mode

COLUMNS = ("what happens", "the cloud task", "billed", "the run ends", "what you see", "where a mode differs")


@dataclass(frozen=True)
class Outcome:
    """
    What a failure costs.

    :param billed: Accepted submits.
    :param cancelled: Cloud tasks that were deleted.
    :param end: Of the run.
    """

    billed: int
    cancelled: int
    end: Literal["success", "failed"]


@dataclass(frozen=True)
class Differs:
    """
    A mode in which something is different.

    :param why: For the documentation.
    :param possible: Whether the mode can have this failure at all.
    :param outcome: Instead of the row's.
    :param action: Instead of the row's.
    :param words: Instead of the row's.
    """

    why: str
    possible: bool = True
    outcome: Outcome | None = None
    action: Callable[[Case], None] | None = None
    words: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class Row:
    """
    One failure.

    :param name: For ``-k``.
    :param group: Heading in the documentation.
    :param happens: What happens, for the documentation.
    :param cloud_task: What becomes of the cloud task, for the documentation.
    :param sees: What the user sees, for the documentation.
    :param outcome: What it costs.
    :param action: What is done.
    :param faults: What the cloud does wrong.
    :param variant: Which of the mode's DAGs.
    :param long: Whether cloud tasks go on until the action ends them; otherwise each takes a second.
    :param words: The log of the run has these.
    :param differs: Modes in which something is different.
    :param timed: Whether it matters how soon the cloud task is cancelled.
    :param answer_seconds: How long the cloud takes for an answer. A cancel of a deferred task waits for one status.
    :param disturbs: What happens to all of Airflow meanwhile: no other case can run.
    :param one_by_one: Whether the modes, too, are disturbed one after the other.
    :param left_running: Whether the cloud task is expected to continue although no task waits for it.
    :param among: The modes that the row is about.
    :param at_once: How many cloud tasks a batch has running before it waits.
    :param documents: How many documents a batch has.
    :param alone: Whether no other case runs meanwhile, because this one needs the whole machine.
    """

    name: str
    group: str
    happens: str
    cloud_task: str
    sees: str
    outcome: Outcome
    action: Callable[[Case], None] = nothing
    faults: tuple[Mapping[str, Any], ...] = ()
    variant: str = "plain"
    long: bool = False
    words: tuple[str, ...] = ()
    differs: Mapping[Mode, Differs] = field(default_factory=dict)
    timed: bool = False
    answer_seconds: float = 0.0
    disturbs: Literal["restart", "kill"] | None = None
    one_by_one: bool = False
    left_running: bool = False
    among: tuple[Mode, ...] = MODES
    at_once: int = 1
    documents: int = BATCH_DOCUMENTS
    alone: bool = False

    def in_mode(self, mode: Mode) -> Row | None:
        """Return the row as it is in a mode, or ``None`` where that cannot have the failure."""
        if mode not in self.among:
            return None
        different = self.differs.get(mode)
        if different is None:
            return self
        if not different.possible:
            return None
        return replace(
            self,
            outcome=different.outcome or self.outcome,
            action=different.action or self.action,
            words=self.words if different.words is None else different.words,
        )

    @property
    def modes(self) -> list[Mode]:
        return [mode for mode in self.among if self.in_mode(mode) is not None]


def render(rows: Sequence[Row], billed: str = "{} ×") -> str:
    """
    Write the rows as tables in Markdown, one for each group.

    :param rows: In their order.
    :param billed: How the number of submits is shown.
    """
    lines: list[str] = []
    for row in rows:
        heading = f"### {row.group}"
        if heading not in lines:
            lines += ["", heading, "", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        outcome = row.outcome
        shown = billed.format(outcome.billed)
        cells = (row.happens, row.cloud_task, shown, outcome.end, row.sees, _differences(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).strip()


def _differences(row: Row) -> str:
    return " ".join(_difference(row, mode, different) for mode, different in row.differs.items())


def _difference(row: Row, mode: Mode, different: Differs) -> str:
    if not different.possible:
        return f"*{mode}*: cannot happen, {different.why}."
    outcome = different.outcome
    if outcome is None or outcome == row.outcome:
        return f"*{mode}*: {different.why}."
    return f"*{mode}*: billed {outcome.billed} ×, ends as {outcome.end}: {different.why}."
