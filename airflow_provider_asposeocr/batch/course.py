"""
The way of a document through its steps, from the first place it takes to the last record.

The invariant of :mod:`.machine` applies here, too. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskTimeoutError
from airflow_provider_asposeocr.api.polling.poller import Poller
from airflow_provider_asposeocr.batch import actions
from airflow_provider_asposeocr.batch.limits import Limits
from airflow_provider_asposeocr.batch.records import Failed, Intent, Undecided
from airflow_provider_asposeocr.batch.references import reference_of
from airflow_provider_asposeocr.batch.verdicts import error_to_dict, never_answered
from airflow_provider_asposeocr.batch.work import Alarm, Line, Phase, Work
from airflow_provider_asposeocr.lifecycle.record import MOST_RESUBMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.api.polling.durations import DurationBook
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.ending import StopReason
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record, Reference
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.state import BatchState


class Course:
    """
    What documents go through when all is well; :class:`.setbacks.Setbacks` has what they go through otherwise.

    :param batch: What is to be done.
    :param state: What the journal says.
    :param settings: Limits and policies.
    :param book: How long cloud tasks take; it learns, too.
    :param random: Source of jitter.
    """

    def __init__(
        self, batch: Batch, state: BatchState, settings: BatchSettings, book: DurationBook, random: Random
    ) -> None:
        self.batch = batch
        self.state = state
        self.book = book
        self._settings = settings
        self._random = random
        self.works: dict[int, Work] = {}
        self.limits = Limits(settings)
        self._to_prepare, self._to_send, self._to_deliver = Line(), Line(), Line()
        self._alarm = Alarm()
        self._waiting: deque[int] = deque()
        self.stopped: StopReason | None = None
        #: The error of the account that has stopped the batch.
        self.error: AsposeOcrError | None = None
        self._cancels = False
        self._now = 0.0
        self._actions: list[actions.Action] = []
        self._records: list[Record] = []

    def _begin(self, index: int, ended: frozenset[int] | None = None) -> None:
        known = self.state.documents.get(index)
        work = self.works[index] = Work(index, known.step if known else 0)
        self.limits.slots.take()
        if known is not None and known.running is not None:
            self.limits.reserve(work, len(self.batch.steps) - work.step - 1)
            runs = ended is not None and index not in ended
            self._watch(work, known.running, seen_running=runs, at_once=not runs)
            return
        if known is not None and known.intended:
            self.limits.take_permit(work)
        self._approach(work)

    def _approach(self, work: Work) -> None:
        """Begin the next step of a document, up to its submit."""
        work.phase = Phase.QUEUED
        known = self.state.documents.get(work.document)
        step = known.steps[work.step] if known and len(known.steps) > work.step else None
        is_intended = known is not None and known.intended and known.step == work.step
        if is_intended:
            self._doubt(work, "unknown")
        elif step and step.again:
            self._doubt(work, step.again)
        elif self.stopped:
            self._leave(work)
        else:
            self.limits.reserve(work, len(self.batch.steps) - work.step)
            self._to_prepare.put(work)

    def _prepare(self, work: Work) -> None:
        work.phase = Phase.PREPARING
        work.holds_file = True
        self.limits.files.take()
        # If this process has watched the step before, the document has that step's reference.
        if work.step and work.ref is None:
            known = self.state.of(work.document)
            work.ref = reference_of(self.batch, known, known.at(work.step - 1).task)
        self._actions.append(actions.Prepare(work.document, work.step, work.ref if work.step else None))

    def _intend(self, work: Work) -> None:
        self.limits.take_permit(work)
        work.phase = Phase.INTENDING
        self._records.append(Intent(work.document, work.step, work.doubt, work.seconds, work.kept))
        work.doubt = work.kept = None

    def _watch(
        self,
        work: Work,
        reference: Reference,
        *,
        seen_running: bool = False,
        at_once: bool = False,
        anew: bool = False,
    ) -> None:
        """
        Wait for a cloud task.

        :param seen_running: Whether it ran a moment ago, as a trigger has seen.
        :param at_once: Whether it may have ended long ago, so that its first poll is due now.
        :param anew: Whether the time for it counts from now, because the document comes from another batch.
        """
        known = self.state.of(work.document)
        work.ref, work.input_bytes = reference_of(self.batch, known, reference), reference.input_bytes
        work.phase, work.seconds = Phase.RUNNING, None
        # The time for a cloud task begins anew for a document that an earlier try has given up.
        began = self._now if anew or known.outcome is not None else reference.submitted_at
        seen_at = self._now if seen_running else 0.0
        plan = self._settings.cadence.plan(began, seen_running_at=seen_at)
        entry = self.book.entry(reference.operation, reference.input_bytes)
        work.poller = Poller(work.ref, plan, self._random, entry)
        wait = work.poller.first_wait(self._now)
        self._alarm.put(work, self._now + (0.0 if at_once else wait.seconds))
        if self._cancels:
            self._cancel(work)

    def _complete(self, work: Work) -> None:
        work.seconds = round(max(0.0, self._now - work.task.submitted_epoch), 1)
        if not self._is_at_last_step(work):
            work.step += 1
            self._approach(work)
        else:
            work.phase = Phase.READY
            self._to_deliver.put(work)

    def _is_at_last_step(self, work: Work) -> bool:
        return work.step == len(self.batch.steps) - 1

    def _doubt(self, work: Work, why: str, error: AsposeOcrError | None = None) -> None:
        """Send a document once more, although an earlier submit of its step may have been billed, or fail it."""
        known = self.state.of(work.document)
        missing = len(self.batch.steps) - work.step - work.reserved
        if self.stopped:
            self._leave(work, None if error is None else error_to_dict(error))
        elif not self._may_send_again(why, known, work.step) or not self.limits.budget.allows(
            self.state.submits, max(0, missing)
        ):
            self._fail(
                work, error or never_answered(self.batch.steps[work.step].operation), over=True, final=True
            )
        else:
            work.doubt, work.ref = why, None
            self._actions.append(actions.Announce(work.document, work.step, why))
            self.limits.reserve(work, len(self.batch.steps) - work.step)
            if work.phase is Phase.SENDING:
                self._intend(work)
            else:
                work.phase = Phase.QUEUED
                self._to_prepare.put(work)

    def _may_send_again(self, why: str, document: DocumentState, step: int) -> bool:
        allowed = {
            "unknown": self._settings.on_unknown_submit == "resubmit",
            "expired": self._settings.on_expired == "resubmit",
            "gone": True,
        }
        return allowed[why] and document.at(step).doubts < MOST_RESUBMITS

    def _fail(self, work: Work, error: AsposeOcrError, *, over: bool, final: bool = False) -> None:
        work.phase = Phase.ENDING
        try_number, described = self._settings.try_number, error_to_dict(error)
        self._records.append(
            Failed(work.document, work.step, described, over, try_number, final or None, work.doubt)
        )

    def _cancel(self, work: Work) -> None:
        work.phase, work.due = Phase.CANCELLING, 0.0
        if work.error is None:
            why = "the batch was stopped"
        elif isinstance(work.error, TaskTimeoutError):
            why = "its deadline has passed"
        else:
            why = "the wait for it broke"
        self._actions.append(actions.Cancel(work.document, work.task, why))

    def _leave(self, work: Work, error: Mapping[str, Any] | None = None) -> None:
        """Leave a document undecided: the journal says how a later try goes on, and what has happened to the document."""
        if error is None:
            self._end(work)
        else:  # The manifest may be written again by another process, which has only the journal.
            work.phase = Phase.ENDING
            self._records.append(Undecided(work.document, work.step, error))

    def _end(self, work: Work) -> None:
        del self.works[work.document]
        work.phase, work.due = Phase.ENDING, 0.0
        self._discard(work)
        self.limits.release_permit(work)
        self.limits.reserve(work, 0)
        self._leave_slot(work)

    def _leave_slot(self, work: Work) -> None:
        if work.holds_slot:
            work.holds_slot = False
            self.limits.slots.leave()

    def _discard(self, work: Work) -> None:
        """Remove from local disk what was prepared, if anything was."""
        if work.holds_file:
            work.holds_file = False
            self.limits.files.leave()
            self._actions.append(actions.Discard(work.document))
