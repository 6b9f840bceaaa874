"""
The table that says what the live service answered.

Invariant: no secret gets into a table or onto the screen, and foreign words cannot break the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

Verdict = Literal["as documented", "failed", "not run"]


@dataclass(frozen=True)
class Row:
    """
    The outcome of one check.

    :param what: What was tried.
    :param verdict: How it ended.
    :param seen: What the service answered, or why the check did not run.
    """

    what: str
    verdict: Verdict
    seen: str


@dataclass(frozen=True)
class Circumstances:
    """
    What a run's table says above its rows.

    :param date: When it ran.
    :param base_url: The service.
    :param versions: Of the provider and of Airflow, in words.
    :param submits: How many billed requests were sent.
    """

    date: dt.date
    base_url: str
    versions: str
    submits: int


class Secrets:
    """Texts that must not be shown."""

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def add(self, *texts: str | None) -> None:
        """Add secrets; empty ones are ignored."""
        self._texts |= {text for text in texts if text}

    def hide(self, text: str) -> str:
        """Return a text with `***` in place of each secret, the longest first."""
        for secret in sorted(self._texts, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def cell(text: str) -> str:
    """Return a text in one line that a Markdown table shows as it is."""
    line = re.sub(r"\s+", " ", text).strip()
    return line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def render(circumstances: Circumstances, rows: Sequence[Row]) -> str:
    """
    Write the table as Markdown.

    :param circumstances: Date, service, versions and bill.
    :param rows: One for each check.
    """
    where = circumstances
    heading = (
        f"`make test-live` on {where.date.isoformat()} against {cell(where.base_url)}, {where.versions}. Billed "
        f"requests sent: {where.submits}. Failed: {_count(rows, 'failed')}; not run: {_count(rows, 'not run')}."
    )
    lines = [
        heading,
        "",
        "| what was tried | result | what was seen |",
        "|---|---|---|",
    ]
    for row in rows:
        verdict = "as documented" if row.verdict == "as documented" else f"**{row.verdict}**"
        lines.append(f"| {cell(row.what)} | {verdict} | {cell(row.seen)} |")
    return "\n".join(lines)


def _count(rows: Iterable[Row], verdict: Verdict) -> int:
    return sum(row.verdict == verdict for row in rows)
