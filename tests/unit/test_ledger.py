"""What a later try does about what an earlier one has left: the whole table, without I/O."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from airflow_tasks import StateStore
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.ledger import (
    KEY,
    ON_EXPIRED,
    ON_UNKNOWN_SUBMIT,
    REUSE,
    Identity,
    Ledger,
    LookUp,
    Record,
    Submit,
    Unknown,
    decide_found,
    decide_start,
    digest,
    may_resubmit,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = TaskRef(operation="RecognizeImage", id="id-1", submitted_at=NOW, conn_id="ocr")
PAGE = Identity(
    operation="RecognizeImage", source="s3://b/page.png", version="etag=1", settings="s", account="a"
)
OTHERS = {name: PAGE.model_copy(update={name: "other"}) for name in Identity.model_fields}


def record(phase: Any, **changes: Any) -> Record:
    given = {"phase": phase, "identity": PAGE, "max_tries": 3, "task": TASK if phase == "submitted" else None}
    return Record(**{**given, **changes})


class TestStart:
    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("left", [None, record("idle"), record("idle", resubmits=1)])
    def test_with_nothing_to_come_back_to_it_submits(self, left: Record | None, reuse: Any) -> None:
        for identity, max_tries in product((PAGE, *OTHERS.values()), (3, 4)):
            assert decide_start(left, identity, max_tries, reuse) == Submit()

    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("identity", [PAGE, *OTHERS.values()])
    def test_an_unanswered_submit_is_nobody_s_guess(self, identity: Identity, reuse: Any) -> None:
        """Also where the input has changed: it is the limit on what may be billed twice that counts."""
        assert decide_start(record("intent"), identity, 3, reuse) == Unknown()

    @pytest.mark.parametrize("reuse", REUSE)
    @pytest.mark.parametrize("identity", [PAGE, *OTHERS.values()])
    def test_unless_a_user_begins_anew(self, identity: Identity, reuse: Any) -> None:
        decision = decide_start(record("intent"), identity, 4, reuse)
        assert isinstance(decision, Submit)
        assert decision.superseded is None
        assert "may have been billed" in str(decision.because)

    @pytest.mark.parametrize("field", list(OTHERS))
    @pytest.mark.parametrize("reuse", REUSE)
    def test_another_input_is_submitted_and_the_old_one_is_not_left_running(
        self, field: str, reuse: Any
    ) -> None:
        for max_tries in (3, 4):
            decision = decide_start(record("submitted"), OTHERS[field], max_tries, reuse)
            assert decision == Submit(TASK, f"{field} changed since")

    @pytest.mark.parametrize(
        ("reuse", "max_tries", "looks"),
        [
            ("retry", 3, True),
            ("retry", 4, False),
            ("always", 3, True),
            ("always", 4, True),
            ("never", 3, False),
            ("never", 4, False),
        ],
    )
    def test_the_same_input(self, reuse: Any, max_tries: int, looks: bool) -> None:
        decision = decide_start(record("submitted"), PAGE, max_tries, reuse)
        if looks:
            assert decision == LookUp(TASK)
        else:
            assert isinstance(decision, Submit)
            assert decision.superseded == TASK

    @pytest.mark.parametrize("version", [None, "etag=1"])
    def test_a_file_that_is_gone_is_no_other_file(self, version: str | None) -> None:
        before, now = (PAGE.model_copy(update={"version": each}) for each in (version, None))
        assert decide_start(record("submitted", identity=before), now, 3, "retry") == LookUp(TASK)
        assert decide_start(record("submitted", identity=now), before, 3, "retry") == LookUp(TASK)


@pytest.mark.parametrize("on_expired", ON_EXPIRED)
@pytest.mark.parametrize(
    ("status", "young", "older", "expired"),
    [
        (TaskStatus.PENDING, "reuse", "reuse", "reuse"),
        (TaskStatus.PROCESSING, "reuse", "reuse", "reuse"),
        (TaskStatus.COMPLETED, "reuse", "reuse", "reuse"),
        (TaskStatus.ERROR, "submit", "submit", "submit"),
        (TaskStatus.NOT_EXIST, "reuse", "submit", "by policy"),
        (None, "reuse", "reuse", "reuse"),
    ],
)
def test_what_the_cloud_says_decides(
    status: TaskStatus | None, young: str, older: str, expired: str, on_expired: Any
) -> None:
    assert set(TaskStatus) == {
        TaskStatus.PENDING,
        TaskStatus.PROCESSING,
        TaskStatus.COMPLETED,
        TaskStatus.ERROR,
        TaskStatus.NOT_EXIST,
    }
    if expired == "by policy":
        expired = {"fail": "expired", "resubmit": "submit"}[on_expired]
    for age, expected in {
        0: young,
        14: young,
        15: older,
        86_399: older,
        86_400: expired,
        10**6: expired,
    }.items():
        assert decide_found(TASK, status, NOW.timestamp() + age, on_expired) == expected


@pytest.mark.parametrize(("policy", "before", "may"), [("resubmit", 0, True), ("resubmit", 1, False)])
def test_an_unknown_submit_is_repeated_once(policy: Any, before: int, may: bool) -> None:
    assert may_resubmit(policy, before) is may
    assert not may_resubmit("fail", before)
    assert set(ON_UNKNOWN_SUBMIT) == {"resubmit", "fail"}


class TestLedger:
    def test_the_record_outlives_the_try(self) -> None:
        store = StateStore()
        first = Ledger(store, 3)
        first.intend(PAGE)
        assert Ledger(store, 3).record == record("intent")
        first.submitted(TASK)
        assert Ledger(store, 3).record == record("submitted")
        first.submitted(TASK, inherited=True)
        assert Ledger(store, 3).record == record("submitted", inherited=True)

    def test_what_was_not_accepted_leaves_nothing(self) -> None:
        store = StateStore()
        ledger = Ledger(store, 3)
        ledger.intend(PAGE)
        ledger.withdraw()
        assert store.stored == {}
        assert ledger.record is None
        ledger.withdraw()

    def test_how_often_it_was_sent_again_is_counted_across_tries_and_ends(self) -> None:
        store = StateStore()
        Ledger(store, 3).intend(PAGE, again=True)
        second = Ledger(store, 3)
        assert second.resubmits == 1
        second.submitted(TASK)
        second.withdraw()
        third = Ledger(store, 3)
        assert third.record == record("idle", resubmits=1)
        third.intend(PAGE)
        assert Ledger(store, 3).resubmits == 1

    def test_a_clear_begins_anew(self) -> None:
        store = StateStore()
        Ledger(store, 3).intend(PAGE, again=True)
        cleared = Ledger(store, 5)
        assert cleared.resubmits == 0
        cleared.intend(PAGE)
        assert Ledger(store, 5).record == record("intent", max_tries=5)

    def test_without_a_store_it_lasts_for_one_try(self) -> None:
        ledger = Ledger(None, 3)
        assert not ledger.durable
        ledger.intend(PAGE, again=True)
        ledger.submitted(TASK)
        assert ledger.record == record("submitted", resubmits=1)
        assert Ledger(None, 3).record is None

    @pytest.mark.parametrize(
        "stored", [1, "text", [], {}, {"phase": "other"}, {"phase": "intent", "max_tries": 1}]
    )
    def test_a_record_that_a_user_broke_is_ignored(
        self, stored: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = StateStore()
        store.set(KEY, stored)
        assert Ledger(store, 3).record is None
        assert "ignored" in caplog.text

    @given(
        st.builds(
            Record,
            phase=st.sampled_from(["idle", "intent", "submitted"]),
            identity=st.builds(Identity),
            max_tries=st.integers(0, 100),
            task=st.none()
            | st.builds(
                lambda id, age: TASK.model_copy(
                    update={"id": id, "submitted_at": NOW - timedelta(seconds=age)}
                ),
                st.text(min_size=1, max_size=20),
                st.integers(0, 10**6),
            ),
            inherited=st.booleans(),
            resubmits=st.integers(0, 3),
        )
    )
    def test_every_record_comes_back_as_it_went(self, written: Record) -> None:
        store = StateStore()
        store.set(KEY, written.model_dump(mode="json", exclude_none=True))
        assert Ledger(store, 3).record == written


def test_settings_that_differ_in_order_are_the_same() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest(object())) == 32
