"""
What a batch with a register does about a document before it is sent, and after its end.

Invariant: a document is sent only while its claim is this batch's, and of several documents with the same content only the
first one that was read is sent. The others wait for its end, and get its results. Pure.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.records import Adopted, BusyUntil, Claimed, Closed, Keyed, Settled
from airflow_provider_asposeocr.batch.rows import duplicate_row, stem_in
from airflow_provider_asposeocr.batch.setbacks import Setbacks
from airflow_provider_asposeocr.batch.verdicts import error_to_dict
from airflow_provider_asposeocr.batch.work import Phase, Work
from airflow_provider_asposeocr.ingestion.register import STORED, key_of

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.errors import AsposeOcrError
    from airflow_provider_asposeocr.api.http.retrying import Random
    from airflow_provider_asposeocr.api.polling.durations import DurationBook
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.ending import StopReason
    from airflow_provider_asposeocr.batch.plan import Batch
    from airflow_provider_asposeocr.batch.records import Record
    from airflow_provider_asposeocr.batch.settings import BatchSettings
    from airflow_provider_asposeocr.batch.state import BatchState

#: Pause between two questions to the register about a document of another batch. Each costs a listing, and perhaps a request
#: to Airflow.
LOOK_SECONDS = 30.0
#: Phases of documents that wait for another document.
WAITS = frozenset({Phase.FOLLOWING, Phase.BUSY})


class Claims(Setbacks):
    """
    What documents go through between the register and the cloud; its parameters are those of :class:`.course.Course`.

    Without a register, the methods do nothing.
    """

    def __init__(
        self, batch: Batch, state: BatchState, settings: BatchSettings, book: DurationBook, random: Random
    ) -> None:
        super().__init__(batch, state, settings, book, random)
        #: The document that has the claim, by key; and those that wait for its end.
        self._leaders = {
            known.key: index for index, known in state.documents.items() if known.key is not None
        }
        self._followers: dict[int, list[Work]] = {}
        #: Documents whose claim is being closed, or whose source is being moved.
        self._concluding: set[int] = set()
        #: Documents whose source was changed, as they were known before, until their claims are released.
        self._instead_of: dict[int, DocumentState] = {}
        #: Whether the record of how long the batch waits for others is on its way into the journal.
        self._notes_wait = False

    def _take_record_of_register(self, record: Record) -> None:
        match record:
            case Keyed():
                self._on_keyed(self.works[record.document])
            case Adopted():
                self._on_adopted(self.works[record.document])
            case Settled():
                self._on_settled(self.works[record.document])
            case Closed():
                self._concluding.discard(record.document)
            case BusyUntil():
                self._notes_wait = False

    # Before a document is sent.

    def _needs_claim(self, work: Work, sha256: str) -> bool:
        """Tell whether a document that was read has to be claimed before it is sent."""
        if self.batch.register is None or work.step:
            return False
        known = self.state.documents.get(work.document)
        mine = known is not None and known.n > 0 and not known.closed
        return not (
            mine and known is not None and known.key == key_of(sha256, self.batch.register.fingerprint)
        )

    def _approach_register(self, work: Work, sha256: str) -> None:
        """Claim a document; or wait for the one of this batch that has the same content."""
        if self.batch.register is None:
            raise LookupError("The batch has no register.")
        key = key_of(sha256, self.batch.register.fingerprint)
        known = self.state.documents.get(work.document)
        if known is not None and known.key not in (None, key):
            if known.may_run or known.in_doubt:
                # The content that was sent is not the present one. Its claim stays open: a batch that finds that content
                # continues.
                self._on_decided(events.Decided(work.document, "changed", {}))
                self._give_up_lead(work, known)
                return
            if not known.closed:
                self._instead_of[work.document] = replace(known, outcome=None)
            self._give_up_lead(work, known)
        leader = self._leaders.setdefault(key, work.document)
        if leader != work.document:
            self._follow_leader(work, leader)
            return
        work.phase = Phase.CLAIMING
        self._records.append(Keyed(work.document, key, work.source or {}))

    def _give_up_lead(self, work: Work, known: DocumentState) -> None:
        """Let another document of this batch claim the content that this one had before its source was changed."""
        self._forget_lead(known.key, work.document)
        for follower in self._followers.pop(work.document, ()):
            self._approach_again(follower)

    def _forget_lead(self, key: str | None, index: int) -> None:
        if key is not None and self._leaders.get(key) == index:
            del self._leaders[key]

    def _approach_again(self, work: Work) -> None:
        self._take_slot(work)
        self._approach(work)

    def _follow_leader(self, work: Work, leader: int) -> None:
        self._rest(work, Phase.FOLLOWING)
        if leader in self.works or (leader in self._waiting and not self.stopped):
            self._followers.setdefault(leader, []).append(work)
        else:
            self._share_end(work, leader)

    def _rest(self, work: Work, phase: Phase) -> None:
        """Let a document wait for another one, and release its slot, permit and local file for other documents."""
        work.phase = phase
        self._discard(work)
        self.limits.release_permit(work)
        self.limits.reserve(work, 0)
        self._leave_slot(work)

    def _on_keyed(self, work: Work) -> None:
        if self.stopped:
            self._leave(work)
        else:
            self._claim(work)

    def _claim(self, work: Work, *, looks_only: bool = False) -> None:
        known = self.state.of(work.document)
        before = None if looks_only else self._instead_of.get(work.document)
        self._actions.append(
            actions.Claim(work.document, known.key or "", known.source or {}, looks_only, before)
        )

    def _on_claim_taken(self, event: events.ClaimTaken) -> None:
        work = self.works[event.document]
        self._instead_of.pop(work.document, None)
        work.failing_since, work.attempts = 0.0, 0
        if event.left is not None:
            self._discard(work)
            work.phase = Phase.RECORDING
            self._records.append(Claimed(work.document, event.n))
            self._records.append(Adopted(work.document, event.left))
        elif self.stopped:
            self._leave(work)
        else:
            work.phase, work.claim = Phase.PREPARED, event.n
            if work.holds_permit:
                self._intend(work)
            else:
                self._to_send.put(work)

    def _on_adopted(self, work: Work) -> None:
        known = self.state.of(work.document)
        work.step = known.step
        if known.running is not None:
            self.limits.reserve(work, len(self.batch.steps) - work.step - 1)
            self._watch(work, known.running, at_once=True, anew=True)
            return
        if known.intended:
            self.limits.take_permit(work)
        self._approach(work)

    def _on_decided(self, event: events.Decided) -> None:
        work = self.works[event.document]
        self._instead_of.pop(work.document, None)
        if work.phase is Phase.PREPARING:
            self.limits.end_transfer(work)
        work.phase = Phase.ENDING
        error = None if event.error is None else error_to_dict(event.error)
        self._records.append(
            Settled(
                work.document, event.outcome, event.row, self._settings.try_number, error, event.final or None
            )
        )

    def _on_not_claimed(self, work: Work, error: AsposeOcrError) -> None:
        if error.retryable and self._try_later(work, error):
            return
        self._fail(work, error, over=True)

    def _intend(self, work: Work) -> None:
        if work.claim:
            # The claim and the intent are written in one part, so that a journal without the intent proves that nothing was
            # sent.
            self._records.append(Claimed(work.document, work.claim))
            work.claim = 0
        super()._intend(work)

    # Documents that other batches have claimed.

    def _on_occupied(self, event: events.Occupied) -> None:
        work = self.works[event.document]
        self._instead_of.pop(work.document, None)
        known = self.state.of(work.document)
        if work.phase is Phase.LOOKING and known.outcome == "busy":
            self._wait_for_other(work)
            return
        self._rest(work, Phase.ENDING)
        self._records.append(Settled(work.document, "busy", event.row, self._settings.try_number))

    def _on_settled(self, work: Work) -> None:
        known = self.state.of(work.document)
        if known.outcome == "busy" and known.key is not None and not self.stopped:
            self._wait_for_other(work)
            return
        self._end(work)
        self._conclude(work.document)

    def _wait_for_other(self, work: Work) -> None:
        work.phase = Phase.BUSY
        until = self.state.busy_until
        if self.stopped or (until is not None and self._now >= until):
            self._end(work)
        elif until is not None:
            self._alarm.put(work, min(until, self._now + LOOK_SECONDS))

    def _on_freed(self, event: events.Freed) -> None:
        work = self.works[event.document]
        if self.stopped:
            self._end(work)
            return
        self._approach_again(work)

    def _take_slot(self, work: Work) -> None:
        if not work.holds_slot:
            work.holds_slot = True
            self.limits.slots.take()

    def _look(self, work: Work) -> None:
        work.phase = Phase.LOOKING
        self._claim(work, looks_only=True)

    def _begin_busy(self, index: int) -> None:
        """Go on waiting for a document that another batch had when the process before this one looked."""
        work = self.works[index] = Work(index, 0, Phase.BUSY, holds_slot=False)
        if self.state.busy_until is not None:
            self._alarm.put(work, self._now)

    def _wait_for_others(self) -> None:
        """Begin to wait for documents of other batches, because all others are done."""
        if self.state.busy_until is not None:
            return
        self.state.busy_until = self._now + self._settings.busy_wait_seconds
        if self._settings.busy_wait_seconds:
            self._records.append(BusyUntil(self.state.busy_until))
            self._notes_wait = True
        for work in list(self.works.values()):
            if work.phase is Phase.BUSY:
                self._wait_for_other(work)

    def _settle_waiting(self) -> None:
        """If all documents under way wait for other documents: wait for other batches, or leave the documents undecided."""
        # Documents that wait hold no slot: if a slot is taken, other work is under way, and no loop is needed to know it.
        if self.batch.register is None or not self.works or self.limits.slots.taken:
            return
        if any(work.phase not in WAITS for work in self.works.values()):
            return
        if self._waiting and not self.stopped:
            if self._is_paused:
                return
            self.stopped = "budget"
        if self.stopped:
            self._leave_waiting()
        else:
            self._wait_for_others()

    # Documents of this batch with one content.

    def _end(self, work: Work) -> None:
        super()._end(work)
        for follower in self._followers.pop(work.document, ()):
            if follower.document in self.works:
                self._share_end(follower, work.document)

    def _share_end(self, work: Work, leader: int) -> None:
        """Give a document the outcome of the one with the same content."""
        known = self.state.documents.get(leader)
        outcome = None if known is None else known.outcome
        if known is None or outcome in (None, "cancelled", "gone", "changed"):
            self._leave(work, known.error if known is not None and outcome is None else None)
            return
        # The source of the other one may have changed, so that its outcome is about another content.
        if not self._is_same_content(work, known):
            self._leaders = {key: index for key, index in self._leaders.items() if index != leader}
            self._approach_again(work)
            return
        row = duplicate_row(self.batch, leader, known, work.source or {})
        work.phase = Phase.ENDING
        if outcome in ("succeeded", "duplicate") and self._settings.copies_duplicates:
            work.phase = Phase.DELIVERING
            self._actions.append(actions.Share(work.document, row, stem_in(self.batch, leader, known)))
            return
        word = "duplicate" if outcome == "succeeded" else str(outcome)
        error = known.error if outcome == "failed" else None
        self._records.append(
            Settled(work.document, word, row, self._settings.try_number, error, known.final or None)
        )

    def _is_same_content(self, work: Work, leader: DocumentState) -> bool:
        """Tell whether an ended document has the content that another one waits for, by its key or that in its row."""
        sha256, register = (work.source or {}).get("sha256"), self.batch.register
        key = leader.key or json.loads(leader.row or "{}").get("key")
        return register is not None and sha256 is not None and key == key_of(sha256, register.fingerprint)

    def _leave_waiting(self) -> None:
        """Leave documents undecided that wait for a document which this try does not bring to an end."""
        for work in list(self.works.values()):
            if work.phase in WAITS:
                if self.state.of(work.document).outcome == "busy":
                    self._end(work)
                else:
                    self._leave(work)

    def _stop(self, reason: StopReason, *, cancel: bool = False, error: AsposeOcrError | None = None) -> None:
        super()._stop(reason, cancel=cancel, error=error)
        self._leave_waiting()

    # After its end.

    def _conclude(self, index: int) -> None:
        known = self.state.documents.get(index)
        if known is not None and self._is_to_be_concluded(known) and index not in self._concluding:
            self._concluding.add(index)
            self._actions.append(actions.Conclude(index, known))

    def _is_to_be_concluded(self, known: DocumentState) -> bool:
        if self.batch.register is None or known.closed:
            return False
        if known.outcome in STORED:
            return known.key is not None
        return known.outcome == "duplicate" and self._settings.disposes_of_sources

    def _on_concluded(self, event: events.Concluded) -> None:
        if event.is_done:
            self._records.append(Closed(event.document))
        else:
            self._concluding.discard(event.document)

    def _begin_with_register(self) -> None:
        """Continue to wait for documents of other batches, and close the claims that an earlier process has not closed."""
        if self.batch.register is None:
            return
        for index, known in sorted(self.state.documents.items()):
            if known.outcome == "busy" and known.key is not None:
                self._begin_busy(index)
            else:
                self._conclude(index)
