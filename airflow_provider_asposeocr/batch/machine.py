"""
What to do next for the documents of a batch.

Invariant: no I/O and no clock. A document is sent only after its intent is durable, nothing is built on a cloud task before
its reference is durable, and a document that is done is not touched again. A permit is held from the intent until the
reference is durable, so that a process that dies leaves at most ``max_unanswered_submits`` documents unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import RateLimitedError, UnknownStatusError
from airflow_provider_asposeocr.api.http.pacing import LONGEST_PAUSE_SECONDS
from airflow_provider_asposeocr.api.polling.poller import Finished, Wait
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.claims import WAITS, Claims
from airflow_provider_asposeocr.batch.records import (
    Cancelled,
    Done,
    Failed,
    Intent,
    Reference,
    Refused,
    Undecided,
    Withdrawn,
)
from airflow_provider_asposeocr.batch.work import Phase, Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.api.polling.durations import DurationBook
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.state import BatchState


class Machine(Claims):
    """The documents of a batch and the limits between them; its parameters are those of :class:`.course.Course`."""

    def __init__(
        self, batch: Batch, state: BatchState, settings: BatchSettings, book: DurationBook, random: Random
    ) -> None:
        super().__init__(batch, state, settings, book, random)
        self._finished = False
        self._handlers: dict[type, Callable[[Any], None]] = {
            events.Durable: self._on_durable,
            events.Prepared: self._on_prepared,
            events.Sent: self._on_sent,
            events.Polled: self._on_polled,
            events.Delivered: self._on_delivered,
            events.CancelEnded: self._on_cancel_ended,
            events.ClaimTaken: self._on_claim_taken,
            events.Decided: self._on_decided,
            events.Occupied: self._on_occupied,
            events.Freed: self._on_freed,
            events.Concluded: self._on_concluded,
            events.Broken: self._on_broken,
            events.Tick: self._on_tick,
            events.Stop: lambda stop: self._stop(stop.reason, cancel=stop.cancel),
        }

    # The begin of a process.

    def start(
        self, now: float, ended: frozenset[int] | None = None, cancelled: frozenset[int] = frozenset()
    ) -> list[actions.Action]:
        """
        Begin a try with the state that the journal has.

        :param now: Seconds since the epoch.
        :param ended: Documents whose cloud task has ended while the batch was deferred; the others were running a moment
            ago. By default nothing is known, and all are asked for at once.
        :param cancelled: Documents whose cloud task was cancelled meanwhile, because its deadline or that of the batch has
            passed; by default none.
        :return: The first actions.
        """
        self._now = now
        refused = self.state.refused
        if refused is not None and refused.try_number < self._settings.try_number:
            self.state.refused = None  # This try asks the account again.
        running: list[int] = []
        unknown: list[int] = []
        again: list[int] = []
        fresh: list[int] = []
        for document in self.batch.documents:
            if document.decided is not None:
                continue
            known = self.state.documents.get(document.index)
            if known is None:
                fresh.append(document.index)
            elif known.outcome is None and known.intended:
                unknown.append(document.index)
            elif known.outcome is None and known.running:
                running.append(document.index)
            elif known.outcome is None or self._is_to_be_tried_again(known):
                again.append(document.index)
        # Documents that are under way keep their places, also above the present limits. Documents that are submitted again
        # may only use what these leave of the budget.
        for index in running + unknown:
            self._begin(index, ended)
        for index in cancelled.intersection(running):
            self._on_cancelled_meanwhile(self.works[index])
        self._waiting.extend(again + fresh)
        self._begin_with_register()
        return self._decided()

    def _on_cancelled_meanwhile(self, work: Work) -> None:
        # The deadline of the cloud task, not that of the batch, has passed.
        if self._now >= work.wait.deadline_at:
            work.error = work.wait.late(self._now).error
        work.due = 0.0
        self._on_cancel_ended(events.CancelEnded(work.document, True, None))

    def _is_to_be_tried_again(self, document: DocumentState) -> bool:
        if document.outcome == "cancelled" or (document.outcome == "busy" and document.key is None):
            return True
        # Without retry_failed, a failed document is tried again only if its cloud task still has a result, which is not
        # billed again.
        may_help = document.is_worth_retry if self._settings.retry_failed else document.may_have_result
        return may_help and document.try_number < self._settings.try_number

    def on(self, event: events.Event, now: float) -> list[actions.Action]:
        """
        Take an event.

        :param event: The event.
        :param now: Seconds since the epoch.
        :return: The actions that follow from it, in this order.
        """
        self._now = now
        self._handlers[type(event)](event)
        return self._decided()

    @property
    def next_at(self) -> float:
        """When :class:`.events.Tick` is due, in seconds since the epoch; infinity = events come first."""
        at = self._alarm.next_at
        due = float("inf") if at is None else at
        if self._is_paused:
            due = max(due, self._paused_until) if at is not None else self._paused_until
        return due if self._cancels else min(due, self._settings.deadline_at)

    @property
    def is_idle(self) -> bool:
        """Whether all documents under way run in the cloud, no poll of them is under way, and no other one can be begun."""
        return self.waits_for_cloud and all(work.phase is not Phase.POLLING for work in self.works.values())

    @property
    def waits_for_cloud(self) -> bool:
        """Whether all documents under way run in the cloud, polled at this moment or not, and no other one can be begun."""
        if self._records or not self.works:
            return False
        if self._concluding or not self.limits.slots.taken:
            return False
        works = self.works.values()
        return (
            all(work.phase in (Phase.RUNNING, Phase.POLLING) or work.phase in WAITS for work in works)
            and not self._may_begin()
        )

    @property
    def waits_for_others(self) -> bool:
        """Whether all that is under way are documents of other batches, and nothing can be begun."""
        is_quiet = not (
            self._records or self._concluding or self._notes_wait or self._waiting or self.stopped
        )
        works = self.works.values()
        return is_quiet and bool(works) and all(work.phase in WAITS for work in works)

    # Results of actions.

    def _on_prepared(self, event: events.Prepared) -> None:
        work = self.works[event.document]
        self.limits.end_transfer(work)
        work.input_bytes, work.input_sha256, work.source = event.input_bytes, event.input_sha256, event.source
        work.kept = event.kept
        work.phase = Phase.PREPARED
        if self.stopped:
            self._leave(work)
        elif self._needs_claim(work, event.input_sha256):
            self._approach_register(work, event.input_sha256)
        elif work.holds_permit:
            self._intend(work)
        else:
            self._to_send.put(work)

    def _on_sent(self, event: events.Sent) -> None:
        work = self.works[event.document]
        work.failing_since, work.attempts = 0.0, 0
        self._discard(work)
        work.phase = Phase.RECORDING
        self._records.append(
            Reference(
                work.document,
                work.step,
                event.operation,
                event.id,
                event.submitted_at,
                work.input_bytes,
                work.input_sha256,
                work.source,
            )
        )

    def _on_polled(self, event: events.Polled) -> None:
        work = self.works[event.document]
        try:
            following = work.wait.on_state(event.state, self._now)
        except UnknownStatusError as error:
            following = Finished(error)
        self._follow(work, following)

    def _follow(self, work: Work, following: Wait | Finished) -> None:
        if isinstance(following, Wait):
            work.phase = Phase.RUNNING
            self._alarm.put(work, self._now + following.seconds)
            if self._cancels:
                self._cancel(work)
        elif following.error is None:
            self._complete(work)
        else:
            self._on_wait_failed(work, following.error)

    def _on_delivered(self, event: events.Delivered) -> None:
        work = self.works[event.document]
        self.limits.end_transfer(work)
        work.phase = Phase.ENDING
        self._records.append(Done(work.document, {**event.row, "seconds": work.seconds}))

    def _on_broken(self, event: events.Broken) -> None:
        work, error = self.works[event.document], event.error
        if isinstance(error, RateLimitedError) and error.retry_after_seconds:
            pause = min(error.retry_after_seconds, LONGEST_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, self._now + pause)
        match work.phase:
            case Phase.POLLING:
                self._follow(work, work.wait.on_error(error, self._now))
            case Phase.PREPARING:
                self.limits.end_transfer(work)
                self._discard(work)
                self._on_not_prepared(work, error)
            case Phase.SENDING:
                self._on_not_sent(work, error)
            case Phase.CLAIMING:
                self._on_not_claimed(work, error)
            case Phase.LOOKING:
                self._wait_for_other(work)
            case Phase.DELIVERING if work.ref is None:  # the results of another document
                self._fail(work, error, over=True)
            case _:
                self.limits.end_transfer(work)
                self._on_not_delivered(work, error)

    def _on_cancel_ended(self, event: events.CancelEnded) -> None:
        work = self.works[event.document]
        if event.status is not None and event.status.value == "Completed":
            work.error = None
            self._complete(work)
        elif work.error is not None:
            self._fail(work, work.error, over=event.cancelled)
        elif event.cancelled:
            work.phase = Phase.ENDING
            self._records.append(Cancelled(work.document, work.step))
        else:
            self._leave(work)

    # Durable records.

    def _on_durable(self, event: events.Durable) -> None:
        for record in event.records:
            self._take_record(record)

    def _take_record(self, record: Record) -> None:
        self.state.apply(record)
        if isinstance(record, Refused):
            self._announces_refusal = False
        if isinstance(record, Undecided):
            self._end(self.works[record.document])
            return
        if not isinstance(record, Intent | Withdrawn | Reference | Done | Failed | Cancelled):
            self._take_record_of_register(record)
            return
        work = self.works[record.document]
        match record:
            case Intent():
                self.limits.reserve(work, work.reserved - 1)
                if self.stopped:  # meanwhile, and nothing was sent yet
                    work.phase = Phase.RECORDING
                    self._records.append(Withdrawn(work.document, work.step))
                else:
                    work.phase = Phase.SENDING
                    self._actions.append(actions.Send(work.document, work.step))
            case Withdrawn():
                self.limits.reserve(work, work.reserved + 1)
                self.limits.release_permit(work)
                if work.phase is not Phase.ENDING:
                    self._wait_for_permit(work)
            case Reference():
                self.limits.release_permit(work)
                self._watch(work, record)
            case Done() | Failed() | Cancelled():
                self._end(work)
                self._conclude(work.document)
                self._stop_after_failures()

    def _stop_after_failures(self) -> None:
        limit = self._settings.stop_after_failures
        if limit is not None and self.state.outcomes["failed"] >= limit and not self.stopped:
            self._stop("failures")

    def _wait_for_permit(self, work: Work) -> None:
        work.phase = Phase.PREPARED
        work.doubt = self.state.of(work.document).at(work.step).again
        if self.stopped:
            self._leave(work)
        elif work.due:
            self._alarm.put(work, work.due)
        else:
            self._to_send.put(work)

    # Begin what the limits allow.

    def _on_tick(self, _: events.Tick) -> None:
        if self._now >= self._settings.deadline_at and not self._cancels:
            self._stop("deadline", cancel=True)
        if self._is_paused:
            return
        while (work := self._alarm.take(self._now)) is not None:
            match work.phase:
                case Phase.RUNNING if work.ref is not None:
                    work.phase = Phase.POLLING
                    self._actions.append(actions.Poll(work.document, work.ref))
                case Phase.QUEUED:
                    self._to_prepare.put(work)
                case Phase.PREPARED:
                    self._to_send.put(work)
                case Phase.READY:
                    self._to_deliver.put(work)
                case Phase.BUSY:
                    self._look(work)
                case Phase.CLAIMING:
                    self._claim(work)

    def _decided(self) -> list[actions.Action]:
        if not self._is_paused:
            self._use_permits()
            self._use_transfers()
            while self._may_begin():
                self._begin(self._waiting.popleft())
                self._use_transfers()
        self._settle_waiting()
        if self._records:
            self._actions.append(actions.Commit(tuple(self._records)))
            self._records = []
        self._finish_if_over()
        decided, self._actions = self._actions, []
        return decided

    def _finish_if_over(self) -> None:
        if (
            self.works
            or self._announces_refusal
            or self._concluding
            or self._notes_wait
            or self._finished
            or (self._waiting and not self.stopped and self._is_paused)
        ):
            return
        if self._waiting and not self.stopped:
            self.stopped = "budget"
        self._finished = True
        self._actions.append(actions.Finish())

    def _may_begin(self) -> bool:
        if not self._waiting or self.stopped or self._to_prepare:
            return False
        known = self.state.documents.get(self._waiting[0])
        steps = len(self.batch.steps) - (known.step if known else 0) - bool(known and known.running)
        return (
            self.limits.slots.is_open
            and self.limits.files.is_open
            and self.limits.budget.allows(self.state.submits, max(0, steps))
        )

    def _use_permits(self) -> None:
        while self._to_send and self.limits.permits.is_open:
            self._intend(self._to_send.take())

    def _use_transfers(self) -> None:
        while self._to_deliver and self._begins_transfer(self._to_deliver.first):
            work = self._to_deliver.take()
            work.phase = Phase.DELIVERING
            self._actions.append(actions.Deliver(work.document, work.task))
        while self._to_prepare and self._has_file(first := self._to_prepare.first):
            if not self._begins_transfer(first):
                break
            self._prepare(self._to_prepare.take())

    def _has_file(self, work: Work) -> bool:
        # A document with a permit does not wait for a place on disk: documents that hold one wait for its permit.
        return work.holds_permit or self.limits.files.is_open

    def _begins_transfer(self, work: Work) -> bool:
        size = work.input_bytes or self.batch.documents[work.document].size_bytes or 0
        return self.limits.begin_transfer(work, size)
