"""What a try of a batch tells Airflow's metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.metrics import count, time_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_asposeocr.documents.manifest import Manifest


def counted(rows: Iterable[Manifest], try_number: int) -> Iterator[Manifest]:
    """
    Hand on the rows of a manifest, and send at their end what one try has brought.

    :param rows: The rows.
    :param try_number: Airflow's number of the try; what earlier ones have brought was counted by them.
    :return: The same rows.
    """
    sums: Counter[tuple[str, str | None]] = Counter()
    for row in rows:
        if row.try_number == try_number:
            _add(row, sums)
        yield row
    for (name, operation), number in sums.items():
        count(name, number, operation)


def _add(row: Manifest, sums: Counter[tuple[str, str | None]]) -> None:
    last = row.steps[-1].operation if row.steps else None
    if row.outcome == "failed":
        sums["failures", None if row.error is None else row.error.operation] += 1
    sums["results", last] += len(row.results)
    sums["result_bytes", last] += sum(result.bytes for result in row.results)
    for step in row.steps:
        sums["submits", step.operation] += step.submits
        sums["resubmits", step.operation] += step.submits - 1
        if step.seconds is not None:
            time_taken("cloud_seconds", step.seconds, step.operation)
