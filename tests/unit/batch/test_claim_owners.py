"""Whose an open claim is, and which one a batch closes as its own: also after a connection was renamed or a task cleared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.claim_owners import ClaimOwners
from airflow_provider_asposeocr.batch.closing import ClaimCloser
from airflow_provider_asposeocr.batch.document_state import DocumentState
from airflow_provider_asposeocr.ingestion.register import RecordName
from airflow_provider_asposeocr.ingestion.register_records import ClaimRecord, JournalPlace, Source
from tests.support.registered_world import MemoryRegister, shared_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.ingestion.register import Closing

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b-0123456789ab"
OURS = "s3://scans@out/.aspose-ocr/batches/abc/1/"


def claim_of(journal: str, **fields: Any) -> ClaimRecord:
    claim = ClaimRecord(
        at="2026-03-01T00:00:00+00:00",
        place=JournalPlace(journal=journal, index=0),
        installation="",
        dag_id="dag",
        run_id="other",
        task_id="task",
        map_index=-1,
        source=Source(uri="s3://in/page.png"),
    )
    return claim.model_copy(update=fields)


class Airflow:
    """Answers about task instances, and notes the questions."""

    def __init__(self, answer: Callable[[], str | None] = lambda: "running") -> None:
        self.asked, self.now, self._answer = 0, 0.0, answer

    def state_of(self, _: ClaimRecord) -> str | None:
        self.asked += 1
        return self._answer()

    def owners(self, journal: str = OURS) -> ClaimOwners:
        return ClaimOwners(shared_batch(1, 1, "run"), journal, "", self.state_of, lambda: self.now)


class TestTheOwner:
    @pytest.mark.parametrize(
        "journal", [OURS, OURS.replace("scans@", "renamed@"), OURS.replace("s3://scans@", "s3a://")]
    )
    def test_is_this_batch_however_the_connection_is_called(self, journal: str) -> None:
        airflow = Airflow()
        assert airflow.owners().owner_of(claim_of(journal)) == "ours"
        assert airflow.asked == 0

    def test_is_another_batch_in_another_bucket(self) -> None:
        claim = claim_of(OURS.replace("@out/", "@out2/"))
        assert Airflow().owners().owner_of(claim) == "alive"

    @pytest.mark.parametrize(("clears", "owner"), [(0, "ended"), (2, "alive")])
    def test_is_this_task_before_or_after_a_clear(self, clears: int, owner: str) -> None:
        """The process of before the Clear must not take the documents of the one after it for left behind."""
        claim = claim_of(OURS.replace("/1/", f"/{clears}/"), run_id="run")
        airflow = Airflow()
        assert airflow.owners().owner_of(claim) == owner
        assert airflow.asked == 0

    def test_is_not_asked_for_in_another_installation(self) -> None:
        airflow = Airflow()
        assert airflow.owners().owner_of(claim_of("s3://out/other/0/", installation="b")) == "foreign"
        assert airflow.asked == 0

    def test_is_asked_for_once_in_ten_seconds_for_all_documents_of_a_journal(self) -> None:
        airflow = Airflow()
        owners = airflow.owners()
        for index in range(5):
            claim = claim_of(
                "s3://out/other/0/", place=JournalPlace(journal="s3://out/other/0/", index=index)
            )
            assert owners.owner_of(claim) == "alive"
        assert airflow.asked == 1
        owners.owner_of(claim_of("s3://out/other/1/"))
        assert airflow.asked == 2  # After a Clear, the same task instance is another owner.
        airflow.now = 10.1
        owners.owner_of(claim_of("s3://out/other/0/"))
        assert airflow.asked == 3

    def test_works_for_all_that_is_known_if_airflow_does_not_answer(self) -> None:
        def silent() -> str:
            raise RuntimeError("no answer")

        assert Airflow(silent).owners().owner_of(claim_of("s3://out/other/0/")) == "alive"


class TestClosing:
    """A claim that the journal does not know yet, because the process died between the two."""

    def close(self, claim: ClaimRecord, word: Closing = "released") -> tuple[bool, list[str]]:
        files: Any = MemoryRegister()
        files.create(RecordName(KEY, 1, "claim"), claim)
        known = replace(DocumentState(), key=KEY)
        closed = ClaimCloser(files, shared_batch(1, 1, "run"), OURS).close(0, known, word)
        return closed, sorted(f"{name.n}.{name.word}" for name in files.records)

    @pytest.mark.parametrize("journal", [OURS, OURS.replace("scans@", "renamed@")])
    def test_finds_the_own_claim_however_the_connection_is_called(self, journal: str) -> None:
        assert self.close(claim_of(journal)) == (True, ["1.claim", "1.released"])

    def test_counts_no_attempt(self) -> None:
        """The document was not sent with this claim: what has failed is the reading of its source at the retry."""
        assert self.close(claim_of(OURS), "failed") == (True, ["1.claim", "1.released"])

    def test_leaves_the_claim_of_another_batch(self) -> None:
        assert self.close(claim_of(OURS.replace("/1/", "/0/"))) == (True, ["1.claim"])

    def test_leaves_a_claim_that_continues_what_another_batch_has_sent(self) -> None:
        assert self.close(claim_of(OURS, after="journal")) == (False, ["1.claim"])
