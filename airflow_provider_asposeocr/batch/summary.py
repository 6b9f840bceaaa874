"""
The summary of a batch: counts, examples, and whether its Airflow task succeeds.

Invariant: a summary is below 4 KB for any names of documents, because XCom is in the metadata database. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.manifest import OUTCOMES
from airflow_provider_asposeocr.ingestion.errors import AttemptsUsedUpError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.documents.manifest import Manifest

#: A summary as JSON is shorter.
MOST_BYTES = 4096
MOST_EXAMPLES = 10
_NAME_CHARACTERS = 120
_MOST_ERROR_CLASSES = 10
#: Outcomes of which a summary has no examples, because a user has nothing to do about them.
_WELL = frozenset({"succeeded", "skipped", "duplicate"})


class Tally:
    """The counts of the rows of a manifest."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.maybe_billed_twice = 0
        #: Documents of low quality that the user does not take for failures.
        self.low_quality_allowed = 0
        #: Documents that have failed permanently in earlier runs, of the register.
        self.failed_before = 0
        self.errors: Counter[str] = Counter()
        self.retryable = False
        self.results = 0
        self.result_bytes = 0
        self.examples: list[dict[str, Any]] = []

    def add(self, row: Manifest) -> None:
        """
        Count a row.

        :param row: A row of the manifest.
        """
        self.counts[row.outcome] += 1
        if row.error is not None and row.error.name == AttemptsUsedUpError.__name__:
            self.failed_before += 1
        self.low_quality_allowed += row.outcome == "low_quality" and row.error is None
        self.maybe_billed_twice += row.maybe_billed_twice
        self.results += len(row.results)
        self.result_bytes += sum(result.bytes for result in row.results)
        if row.error is not None:
            self.errors[shown(row.error.name, 60)] += 1
            # A document with a final row is not sent again, so that a retry would have the same result.
            self.retryable = self.retryable or (row.error.retryable and not row.final)
        if row.outcome not in _WELL and len(self.examples) < MOST_EXAMPLES:
            self.examples.append(_example(row))

    @property
    def documents(self) -> int:
        """How many rows there are."""
        return self.counts.total()

    @property
    def judged(self) -> dict[str, int]:
        """
        The counts for :func:`is_green`, without documents that failed permanently in earlier runs, and without those of low
        quality where ``on_low_quality`` is not ``fail``.
        """
        failed = self.counts["failed"] - self.failed_before
        low, allowed = self.counts["low_quality"], self.low_quality_allowed
        return {
            **self.counts,
            "failed": failed,
            "failed before": self.failed_before,
            "low_quality": low - allowed,
            "low quality allowed": allowed,
        }

    def summary(self, manifest: str, submits: int) -> dict[str, Any]:
        """
        Return the summary of the batch, for XCom.

        :param manifest: URI of the manifest.
        :param submits: How many cloud tasks all tries have submitted.
        :return: Plain JSON of less than :data:`MOST_BYTES`: ``manifest``, ``documents``, a count for each outcome,
            ``submits``, ``maybe_billed_twice``, ``errors`` (how many documents by class of error, the ten most frequent) and
            ``examples`` (the first ten documents that did not go well). What does not fit is left out, examples first.
        """
        found: dict[str, Any] = {
            "manifest": manifest,
            "documents": self.documents,
            **self.counts,
            "submits": submits,
            "maybe_billed_twice": self.maybe_billed_twice,
            "errors": dict(self.errors.most_common(_MOST_ERROR_CLASSES)),
            "examples": list(self.examples),
        }
        while found["examples"] and _is_too_long(found):
            found["examples"].pop()
        while found["errors"] and _is_too_long(found):
            found["errors"].popitem()
        while found["manifest"] and _is_too_long(found):
            found["manifest"] = found["manifest"][: len(found["manifest"]) * 3 // 4]
        return found


def _is_too_long(summary: Mapping[str, Any]) -> bool:
    return len(json.dumps(summary)) >= MOST_BYTES


def _example(row: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": row.index,
        "source": shown(row.source, _NAME_CHARACTERS),
        "outcome": row.outcome,
    }
    if row.error is not None:
        found["error"] = shown(row.error.name, 60)
    return found


def check_max_failures(value: object) -> None:
    """
    Check ``max_failures`` at parse time.

    :param value: What the user gave.
    :raises ValueError: if it is neither a whole number nor a share below 1.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return
    if isinstance(value, float) and 0 <= value < 1:
        return
    raise ValueError(
        f"max_failures is a number of documents (0, 1, 2, …) or a share of all documents below 1 (0.02), not {value!r}"
    )


def allowed_failures(documents: int, max_failures: float) -> int:
    """
    Return how many documents may fail.

    :param documents: How many the batch has.
    :param max_failures: A whole number = this number of documents; a float below 1 = a share of all documents, rounded down.
    """
    if isinstance(max_failures, int):
        return max_failures
    # As the user wrote it: in binary, 0.29 of 100 documents is less than 29.
    return int(Decimal(repr(max_failures)) * documents)


def is_green(counts: Mapping[str, int], max_failures: float) -> bool:
    """
    Decide whether the Airflow task of a batch has succeeded.

    :param counts: How many documents have which outcome.
    :param max_failures: See :func:`allowed_failures`.
    :return: Whether few enough have failed, and all were submitted and none was cancelled.
    """
    failed = counts.get("failed", 0) + counts.get("low_quality", 0)
    unfinished = counts.get("not_started", 0) + counts.get("cancelled", 0)
    return not unfinished and failed <= allowed_failures(sum(counts.values()), max_failures)


def failure_text(summary: Mapping[str, Any], max_failures: float) -> str:
    """
    Return the message with which the Airflow task of a batch fails.

    :param summary: What :meth:`Tally.summary` returned.
    :param max_failures: See :func:`allowed_failures`.
    :return: How many documents failed, with which errors, the first names, and where the manifest is.
    """
    documents = summary["documents"]
    parts = [f"{summary[name]} {words}" for name, words in _WORDS.items() if summary.get(name)]
    kinds = ", ".join(f"{count} {name}" for name, count in summary["errors"].items())
    allowed = allowed_failures(documents, max_failures)
    names = "; ".join(_named(example) for example in summary["examples"])
    return (
        f"Of {documents} documents, {_joined(parts)}; max_failures allows {allowed} to fail."
        f"{f' Errors: {kinds}.' if kinds else ''}{f' The first: {names}.' if names else ''} "
        f"All rows: {shown(summary['manifest'], 1500)}."
    )


_WORDS = {
    "failed": "failed",
    "low_quality": "had results of low quality",
    "not_started": "were not started",
    "cancelled": "were cancelled",
    "busy": "were busy in another batch",
    "gone": "were gone",
    "changed": "had changed",
}


def _joined(parts: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:]))) or "none failed"


def _named(example: Mapping[str, Any]) -> str:
    return f"{example['source']} ({example.get('error') or example['outcome']})"
