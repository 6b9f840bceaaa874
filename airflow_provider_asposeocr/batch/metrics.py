"""What a try of a batch tells Airflow's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_asposeocr.metrics import count, time_taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.documents.manifest import Manifest


def count_rows(rows: Iterable[Manifest], try_number: int) -> None:
    """
    Count what one try of a batch has brought.

    :param rows: The rows of its manifest.
    :param try_number: Airflow's number of the try; what earlier ones have brought was counted by them.
    """
    for row in rows:
        if row.try_number != try_number:
            continue
        last = row.steps[-1].operation if row.steps else None
        if row.outcome == "failed":
            count("failures", operation=None if row.error is None else row.error.operation)
        count("results", len(row.results), last)
        count("result_bytes", sum(result.bytes for result in row.results), last)
        for step in row.steps:
            count("submits", step.submits, step.operation)
            count("resubmits", step.submits - 1, step.operation)
            if step.seconds is not None:
                time_taken("cloud_seconds", step.seconds, step.operation)
