"""
The metrics of a batch: each event is counted once over all tries.

Invariant: what is counted is a record that this process has just made durable, and a record is made durable once. So a
retry, a deferral or a Clear counts nothing again that an earlier process has counted. A killed process loses the counts
since it last sent them, about a second.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_asposeocr.batch.document_state import DocumentState
from airflow_provider_asposeocr.batch.records import (
    Adopted,
    Cancelled,
    Done,
    Failed,
    Intent,
    Reference,
    Settled,
    Withdrawn,
)
from airflow_provider_asposeocr.metrics import count, gauge, time_taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.state import BatchState
    from airflow_provider_asposeocr.batch.woken import Woken
    from airflow_provider_asposeocr.documents.manifest import Manifest


class _Sent(NamedTuple):
    """A submit that was announced, and whose answer is not known yet."""

    operation: str
    may_be_billed_twice: bool


@dataclass
class Numbers:
    """
    What was counted and is not sent yet.

    :param sums: By metric and operation.
    :param durations: How long cloud tasks took: operation and seconds.
    :param waits: How long after their submit this process went on with them, likewise.
    """

    sums: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    durations: list[tuple[str, float]] = field(default_factory=list)
    waits: list[tuple[str, float]] = field(default_factory=list)

    def send(self) -> None:
        """Send it. Blocks: Airflow reads a file before it sends the first number of a process."""
        for (name, operation), number in self.sums.items():
            count(name, number, operation)
        for operation, seconds in self.durations:
            time_taken("cloud_seconds", seconds, operation)
        for operation, seconds in self.waits:
            time_taken("wait_seconds", seconds, operation)


class BatchMetrics:
    """
    Counts what happens to the documents of a batch.

    :param batch: The batch.
    :param state: What the journal says; read before each record is applied to it.
    :param woken: What the trigger reported; by default the batch was not deferred.
    """

    def __init__(self, batch: Batch, state: BatchState, woken: Woken | None = None) -> None:
        self._batch = batch
        self._state = state
        self.numbers = Numbers()
        # A submit is counted once it is known that it was not refused. The next process counts those of a killed one.
        self._open: dict[int, _Sent] = {
            index: _Sent(batch.steps[known.step].operation, known.last_intent is not None)
            for index, known in state.documents.items()
            if known.intended
        }
        self._was_deferred = woken is not None and woken.because is not None
        # A trigger sees when a task ended; this process only sees that it has ended.
        for duration in woken.durations if woken else ():
            self.numbers.durations.append((duration.operation, duration.until_seconds))
        #: Documents whose cloud task an earlier process has submitted.
        self._inherited = {
            index
            for index, known in state.documents.items()
            if known.outcome is None and known.running is not None
        }
        #: Documents whose last cloud task's duration was counted: after a refused submit, two intents have it.
        self._timed: set[int] = set()

    def count_decided(self) -> None:
        """Count the documents that the first try does not send; for a batch that has just begun."""
        decided = Counter(
            document.decided.get("outcome")
            for document in self._batch.documents
            if document.decided is not None
        )
        self.numbers.sums["failures", None] += decided["failed"]
        self.numbers.sums["duplicates", None] += decided["duplicate"]

    def count_reattached(self) -> None:
        """Count the cloud tasks of an earlier try that this one goes on with; for a retry that has just begun."""
        for index in self._inherited:
            operation = self._batch.steps[self._state.documents[index].step].operation
            self.numbers.sums["reattached", operation] += 1

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
                    self._inherited.discard(record.document)
                case Failed():
                    self._close(record.document)
                    operation = self._batch.steps[record.step].operation
                    self.numbers.sums["failures", record.error.get("operation") or operation] += 1
                case Cancelled():
                    self._close(record.document)
                case Done():
                    self._deliver(record)
                case Settled():
                    self._settle(record.outcome)
                case Adopted():
                    self._adopt(record)

    def drain(self) -> Numbers:
        """Return what was counted since the last call."""
        drained, self.numbers = self.numbers, Numbers()
        return drained

    def _intend(self, intent: Intent) -> None:
        self._close(intent.document)  # An earlier one that was never answered.
        if intent.step:
            self._take_time(intent.document, intent.step - 1, intent.seconds)
        operation = self._batch.steps[intent.step].operation
        self._open[intent.document] = _Sent(operation, intent.again is not None)

    def _settle(self, outcome: str) -> None:
        names = {"duplicate": "duplicates", "failed": "failures"}
        if outcome in names:
            self.numbers.sums[names[outcome], None] += 1

    def _adopt(self, adopted: Adopted) -> None:
        known = DocumentState.from_dict(adopted.state)
        if known.running is not None:
            self.numbers.sums["reattached", known.running.operation] += 1
            self._inherited.add(adopted.document)

    def _close(self, document: int) -> None:
        sent = self._open.pop(document, None)
        if sent is not None:
            self.numbers.sums["submits", sent.operation] += 1
            self.numbers.sums["resubmits", sent.operation] += sent.may_be_billed_twice

    def _deliver(self, done: Done) -> None:
        step = len(self._batch.steps) - 1
        self._take_time(done.document, step, done.row.get("seconds"))
        results, operation = done.row.get("results", ()), self._batch.steps[step].operation
        self.numbers.sums["results", operation] += len(results)
        self.numbers.sums["result_bytes", operation] += sum(result["bytes"] for result in results)

    def _take_time(self, document: int, step: int, seconds: float | None) -> None:
        if seconds is None or document in self._timed:
            return
        self._timed.add(document)
        measured, is_inherited = (self._batch.steps[step].operation, seconds), document in self._inherited
        if not is_inherited:
            self.numbers.durations.append(measured)
        if self._was_deferred or not is_inherited:
            self.numbers.waits.append(measured)


def noted(rows: Iterable[Manifest], age_seconds: float) -> Iterator[Manifest]:
    """
    Yield the rows of a manifest, and report after the last one whether a later run has to check some of them again.

    :param rows: The rows.
    :param age_seconds: Time since the batch began.
    :return: The same rows.
    """
    is_settled = True
    for row in rows:
        is_settled = is_settled and row.settled
        yield row
    gauge("oldest_unsettled_seconds", 0.0 if is_settled else age_seconds)
