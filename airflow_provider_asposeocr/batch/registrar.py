"""
Ask the register about the documents of a batch, claim them, and close their claims.

Invariant: what the records mean is decided in :mod:`airflow_provider_asposeocr.ingestion.register`; this asks storages and
Airflow, and does what was decided. A claim is created before anything else is done about a document that another batch had.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any, assert_never

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch import actions, events
from airflow_provider_asposeocr.batch.adoption import (
    UNSURE,
    FailedBefore,
    LeftJournals,
    NeverBegun,
    NothingSent,
    Sent,
    Stored,
)
from airflow_provider_asposeocr.batch.claim_owners import ClaimOwners
from airflow_provider_asposeocr.batch.closing import (
    ClaimCloser,
    done_record,
    failed_record,
    now_text,
    source_of,
)
from airflow_provider_asposeocr.batch.duplicates import Duplicates
from airflow_provider_asposeocr.batch.rows import low_quality_row
from airflow_provider_asposeocr.ingestion.disposal import archived_name, dispose
from airflow_provider_asposeocr.ingestion.errors import (
    AttemptsUsedUpError,
    RegisterUnreachableError,
    ResultsMissingError,
)
from airflow_provider_asposeocr.ingestion.register import (
    STORED,
    Busy,
    Claim,
    Done,
    Ours,
    RecordName,
    UsedUp,
    decide,
    decide_about_results,
    standing_of,
)
from airflow_provider_asposeocr.ingestion.register_files import RegisterFiles
from airflow_provider_asposeocr.ingestion.register_records import (
    ClaimRecord,
    DoneRecord,
    FailedRecord,
    JournalPlace,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.batch.adoption import Found
    from airflow_provider_asposeocr.batch.document_state import DocumentState
    from airflow_provider_asposeocr.batch.plan import Batch, BatchDocument, RegisterPlan
    from airflow_provider_asposeocr.batch.register_policies import RegisterPolicies

log = logging.getLogger(__name__)

#: How often a claim is looked for again that another batch has created in the same moment.
_ROUNDS = 5
#: Pauses between attempts to close a claim. A claim that is still open after them is closed at the end of the batch.
_PAUSES = (0.0, 1.0, 4.0)


class Registrar:
    """
    The register as one batch uses it. Threads may share it; all methods block.

    :param batch: The batch; it has a register.
    :param journal: URI of its journal.
    :param policies: What the user wants.
    :param state_of: Asks Airflow for the state of the task instance of a claim; ``None`` = Airflow does not
        know that task instance, or does not know it yet. It may raise anything.
    :param monotonic: Seconds since any moment.
    :param sleep: Waits; takes the number of seconds.
    """

    def __init__(
        self,
        batch: Batch,
        journal: str,
        policies: RegisterPolicies,
        state_of: Callable[[ClaimRecord], str | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if batch.register is None:
            raise ValueError("The batch has no register.")
        self._batch = batch
        self._plan: RegisterPlan = batch.register
        self._journal = journal
        self._policies = policies
        self._sleep = sleep
        self.files = RegisterFiles(batch.register.uri)
        self._closer = ClaimCloser(self.files, batch, journal)
        self._left = LeftJournals(journal, batch.account)
        self._owners = ClaimOwners(batch, journal, self._plan.installation, state_of, monotonic)
        self._duplicates = Duplicates(batch.destination, overwrites=self._plan.overwrites)

    def claim(self, action: actions.Claim) -> events.Event:
        """
        Ask the register about a document, and claim it.

        :param action: The document, and what is known about it.
        :return: The event that says what becomes of the document.
        :raises AsposeOcrError: if the register, or the journal of a batch that has ended, cannot be read or written.
        """
        document = self._batch.documents[action.document]
        if action.instead_of is not None:
            self._closer.close(document.index, action.instead_of, "released")
        for _ in range(_ROUNDS):
            event = self._claim_once(action, document)
            if event is not None:
                return event
        raise RegisterUnreachableError(
            f"Other batches have claimed {shown(document.source, 300)} at each attempt of this one."
        )

    def _claim_once(self, action: actions.Claim, document: BatchDocument) -> events.Event | None:
        names = self.files.look(action.key)
        standing = standing_of(names)
        claim, owner, is_old = None, None, False
        if standing.word == "claim":
            name = RecordName(action.key, standing.n, "claim")
            claim = self.files.record(ClaimRecord, name)
            owner = self._owners.owner_of(claim)
            if owner in ("unknown", "foreign"):
                is_old = self.files.age_seconds(name) > self._policies.claim_seconds
        decision = decide(standing, owner, is_old=is_old, max_attempts=self._policies.max_attempts)
        match decision:
            case Claim():
                failed = self._read_failed(action.key, standing.n) if standing.word == "failed" else None
                return self._create(action, decision, claim, failed)
            case Ours(n):
                if action.looks_only:
                    # A process of this batch died before it sent the document.
                    return events.Freed(document.index)
                if claim is not None and claim.place.index != action.document:
                    # The claim is of another document of this batch, whose source has changed since, and which may have been
                    # sent.
                    return events.ClaimTaken(action.document, n, UNSURE.state)
                return self._go_on(action, n, claim)
            case Done(n):
                return self._on_done(action, document, n)
            case Busy():
                return events.Occupied(document.index, _row(action))
            case UsedUp(n, failures):
                return self._used_up(action, n, failures)
            case _:
                assert_never(decision)

    # Claims.

    def _create(
        self,
        action: actions.Claim,
        decision: Claim,
        before: ClaimRecord | None,
        failed: FailedRecord | None = None,
    ) -> events.Event | None:
        """
        Create a claim.

        :param before: The open claim before it, which it takes over.
        :param failed: The attempt before it, which has failed. If it may have been billed, this one is announced as well.
        """
        if action.looks_only:
            return events.Freed(action.document)
        batch, after, left = self._batch, decision.after, before or failed
        if failed is not None and _may_be_billed(failed):
            after = "unsure"
        claim = ClaimRecord(
            at=now_text(),
            place=JournalPlace(journal=self._journal, index=action.document),
            installation=self._plan.installation,
            dag_id=batch.dag_id,
            run_id=batch.run_id,
            task_id=batch.task_id,
            map_index=batch.map_index,
            source=source_of(batch, action.document, action.source),
            continues=left.place if left is not None and after is not None else None,
            after=after,
        )
        name = RecordName(action.key, decision.n, "claim")
        if self.files.create(name, claim) != claim.to_bytes():
            # Another batch has created the claim first: decide again by the records that are there now.
            return None
        return self._go_on(action, decision.n, claim)

    def _go_on(self, action: actions.Claim, n: int, claim: ClaimRecord | None) -> events.Event | None:
        """Continue with the cloud task of the claim before this one, also if a process died between the two claims."""
        if claim is None or claim.continues is None:
            return events.ClaimTaken(action.document, n)
        found, place, number = self._left_behind(action.key, claim.continues, claim, n)
        match found:
            case NeverBegun() | NothingSent():
                return events.ClaimTaken(action.document, n)
            case Sent(state):
                return events.ClaimTaken(action.document, n, state)
            case Stored(left, index):
                record = done_record(left.batch, place.journal, index, left.state.documents[index])
                self.files.create(RecordName(action.key, n, "done"), record)
                return None  # What is done decides.
            case FailedBefore(left, index):
                failed = failed_record(left.batch, place.journal, index, left.state.documents[index])
                return self._take_after_failure(action, n, number, failed)
            case _:
                assert_never(found)

    def _left_behind(
        self, key: str, place: JournalPlace, claim: ClaimRecord, n: int
    ) -> tuple[Found, JournalPlace, int]:
        """
        Find out what the earlier claims of a document have sent.

        A batch may have died between its claim and its journal. Then the claim before that one still counts.

        :return: What was found; where; and the number of the claim of that journal.
        """
        while True:
            n -= 1
            found = UNSURE if claim.after == "unsure" else self._left.find(place, key)
            if not isinstance(found, NeverBegun):
                return found, place, n
            claim = self.files.record(ClaimRecord, RecordName(key, n, "claim"))
            if claim.continues is None:
                return found, place, n
            place = claim.continues

    def _take_after_failure(
        self, action: actions.Claim, n: int, number: int, failed: FailedRecord
    ) -> events.Event | None:
        self.files.create(RecordName(action.key, number, "failed"), failed)
        if standing_of(self.files.look(action.key)).failures < self._policies.max_attempts:
            return events.ClaimTaken(action.document, n, UNSURE.state if _may_be_billed(failed) else None)
        self.files.create(RecordName(action.key, n, "failed"), failed)
        return None

    def _read_failed(self, key: str, n: int) -> FailedRecord:
        return self.files.record(FailedRecord, RecordName(key, n, "failed"))

    # Documents that were read before.

    def _on_done(self, action: actions.Claim, document: BatchDocument, n: int) -> events.Event | None:
        done = self._duplicates.found(self.files.record(DoneRecord, RecordName(action.key, n, "done")))
        is_complete = self._duplicates.are_complete(document, done)
        policy = self._policies.on_missing_result
        verdict = decide_about_results(n, are_there=is_complete, on_missing_result=policy)
        if isinstance(verdict, Claim):
            return self._create(action, verdict, None)
        row = {**_row(action), "duplicate_of": done.source.uri, "results": done.results}
        if verdict == "fail":
            first = shown(done.results[0]["uri"], 300) if done.results else "they"
            missing = ResultsMissingError(
                f"The content of {shown(document.source, 300)} was read before, and its results are not there any more, or "
                f"were changed ({first})."
            )
            return events.Decided(document.index, "failed", _row(action), missing, final=True)
        if done.outcome == "low_quality":
            if self._policies.low_quality or not done.results:
                # No duplicate: that would be a success without the gate.
                row |= low_quality_row(done.quality or {}, fails=self._policies.low_quality == "fail")
                return events.Decided(document.index, "low_quality", row, final=True)
            row["quality"] = done.quality
        if self._policies.on_duplicate == "copy":
            row |= self._duplicates.copy(document, action.key, row, f"{done.destination}{done.file_stem}")
        return events.Decided(document.index, "duplicate", row)

    def share(self, action: actions.Share) -> events.Event:
        """
        Copy the results of a document to the names of another one of the same batch.

        :param action: The other document, and the row with the results.
        :return: The event that says what becomes of the other document.
        :raises StorageError: if they cannot be copied.
        """
        document = self._batch.documents[action.document]
        source = f"{self._batch.destination}{action.file_stem}"
        copies = self._duplicates.copy(document, action.row["key"], action.row, source)
        return events.Decided(document.index, "duplicate", {**action.row, **copies})

    def _used_up(self, action: actions.Claim, n: int, failures: int) -> events.Event:
        failed = self._read_failed(action.key, n)
        last = shown(failed.error.get("message", "it is not known why"), 300)
        error = AttemptsUsedUpError(f"The document has failed {failures} times; the last time: {last}")
        return events.Decided(action.document, "failed", _row(action), error, final=True)

    # After the end of a document.

    def conclude(self, action: actions.Conclude) -> events.Event:
        """
        Close the claim of a document whose results are stored, and move or delete its source if the user wants that.

        :param action: The document, and what is known about it.
        :return: Whether it was done; a failure is logged, since the document is done in any case.
        """
        document, known = self._batch.documents[action.document], action.known
        for pause in _PAUSES:
            self._sleep(pause)
            try:
                if known.outcome in STORED:
                    self._closer.close(document.index, known, "done")
                self._dispose(document, known)
            except Exception as error:  # each storage library has its own root class
                problem = shown(error)
            else:
                return events.Concluded(document.index, True)
        log.warning(
            "%s is done, and the register does not say so yet, or its source was not removed: %s",
            shown(document.source, 300),
            problem,
        )
        return events.Concluded(document.index, False)

    def _dispose(self, document: BatchDocument, known: DocumentState) -> None:
        policies = self._policies
        if policies.on_done == "leave":
            return
        row = json.loads(known.row or "{}")
        if (row.get("quality") or {}).get("missed"):
            return  # What is of low quality may be read again, with other steps, from its source.
        key = known.key or row.get("key") or ""
        version = row.get("source_version") or (known.source or {}).get("version") or document.version
        name = archived_name(document.file_stem, document.source)
        dispose(document.source, version, policies.on_done, policies.archive, name, key[:8])


def _may_be_billed(failed: FailedRecord) -> bool:
    """Whether an attempt may have been billed although its outcome is unknown."""
    return failed.error.get("billed") == "maybe"


def _row(action: actions.Claim) -> dict[str, Any]:
    """Return what the manifest says about a document that is not sent."""
    return {
        "key": action.key,
        "bytes": action.source.get("bytes"),
        "sha256": action.source.get("sha256"),
    }
