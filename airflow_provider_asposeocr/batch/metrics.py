"""
What a batch tells Airflow's metrics: one number for each thing that happens, over all tries.

Invariant: what is counted is a record that this process has just made durable, and a record is made durable once. So a
retry, a deferral or a Clear counts nothing again that an earlier process has counted. A killed process loses what has
happened since it sent the last numbers, about a second before.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_asposeocr.batch.records import Cancelled, Done, Failed, Intent, Reference, Withdrawn
from airflow_provider_asposeocr.metrics import count, time_taken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.state import BatchState


class _Sent(NamedTuple):
    """A submit that was announced, and whose answer is not known yet."""

    operation: str
    is_again: bool


@dataclass
class Numbers:
    """
    What was counted and is not sent yet.

    :param sums: By metric and operation.
    :param durations: How long cloud tasks took: operation and seconds.
    """

    sums: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    durations: list[tuple[str, float]] = field(default_factory=list)

    def send(self) -> None:
        """Send it. Blocks: Airflow reads a file before it sends the first number of a process."""
        for (name, operation), number in self.sums.items():
            count(name, number, operation)
        for operation, seconds in self.durations:
            time_taken("cloud_seconds", seconds, operation)


class BatchMetrics:
    """
    Counts what happens to the documents of a batch.

    :param batch: The batch.
    :param state: What the journal says; read before each record is applied to it.
    """

    def __init__(self, batch: Batch, state: BatchState) -> None:
        self._batch = batch
        self._state = state
        self.numbers = Numbers()
        # A submit counts when it is known that it was not refused. Those of a killed process count in the one after it.
        self._open: dict[int, _Sent] = {
            index: _Sent(batch.steps[known.step].operation, known.current.submits > 1)
            for index, known in state.documents.items()
            if known.intended
        }
        #: Documents the duration of whose last cloud task was counted: a submit that was refused announces it twice.
        self._timed: set[int] = set()

    def count_decided(self) -> None:
        """Count the documents that the first try has refused without sending them; for a batch that has just begun."""
        self.numbers.sums["failures", None] += sum(
            document.decided is not None and document.decided.get("outcome") == "failed"
            for document in self._batch.documents
        )

    def take(self, records: Iterable[Record]) -> None:
        """
        Count records that have become durable.

        :param records: The records of one commit, in their order, before they are applied to the state.
        """
        for record in records:
            match record:
                case Intent():
                    self._intend(record)
                case Withdrawn():
                    self._open.pop(record.document, None)
                case Reference():
                    self._close(record.document)
                    self._timed.discard(record.document)
                case Failed():
                    self._close(record.document)
                    operation = self._batch.steps[record.step].operation
                    self.numbers.sums["failures", record.error.get("operation") or operation] += 1
                case Cancelled():
                    self._close(record.document)
                    self.numbers.sums["cancels", self._batch.steps[record.step].operation] += 1
                case Done():
                    self._deliver(record)

    def drain(self) -> Numbers:
        """Return what was counted since the last call."""
        drained, self.numbers = self.numbers, Numbers()
        return drained

    def _intend(self, intent: Intent) -> None:
        self._close(intent.document)  # An earlier one that was never answered.
        if intent.step:
            self._take_time(intent.document, intent.step - 1, intent.seconds)
        known = self._state.documents.get(intent.document)
        is_again = known is not None and any(
            step.submits for step in known.steps[intent.step : intent.step + 1]
        )
        self._open[intent.document] = _Sent(self._batch.steps[intent.step].operation, is_again)

    def _close(self, document: int) -> None:
        sent = self._open.pop(document, None)
        if sent is not None:
            self.numbers.sums["submits", sent.operation] += 1
            self.numbers.sums["resubmits", sent.operation] += sent.is_again

    def _deliver(self, done: Done) -> None:
        step = len(self._batch.steps) - 1
        self._take_time(done.document, step, done.row.get("seconds"))
        results, operation = done.row.get("results", ()), self._batch.steps[step].operation
        self.numbers.sums["results", operation] += len(results)
        self.numbers.sums["result_bytes", operation] += sum(result["bytes"] for result in results)

    def _take_time(self, document: int, step: int, seconds: float | None) -> None:
        if seconds is not None and document not in self._timed:
            self._timed.add(document)
            self.numbers.durations.append((self._batch.steps[step].operation, seconds))
