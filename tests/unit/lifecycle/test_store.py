"""What a later try does about what an earlier one has left: the whole table, without I/O."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from airflow.sdk._shared.state import TaskScope
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, SetTaskStateStore
from airflow.sdk.execution_time.context import TaskStateStoreAccessor
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.operations import OPERATIONS, RETENTION_SECONDS
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.lifecycle.record import SCHEMA_VERSION, Identity, Record, UnreadableRecord
from airflow_provider_asposeocr.lifecycle.store import (
    KEY,
    ON_EXPIRED,
    ON_UNKNOWN_SUBMIT,
    REUSE,
    Ledger,
    LookUp,
    Submit,
    Unknown,
    decide_found,
    decide_start,
    digest,
    may_resubmit,
)
from tests.support.airflow_tasks import StateStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TASK = TaskRef(operation="RecognizeImage", id="id-1", submitted_at=NOW, conn_id="ocr")
PAGE = Identity(
    operation="RecognizeImage", source="s3://b/page.png", version="etag=1", settings="s", account="a"
)
OTHERS = {name: PAGE.model_copy(update={name: "other"}) for name in Identity.model_fields}


def record(phase: Any, **changes: Any) -> Record:
    given = {
        "schema_version": SCHEMA_VERSION,
        "phase": phase,
        "identity": PAGE,
        "max_tries": 3,
        "task": TASK if phase == "submitted" else None,
        "inherited": False,
        "resubmits": 0,
    }
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

    @given(
        st.builds(
            Record,
            schema_version=st.just(SCHEMA_VERSION),
            phase=st.sampled_from(["idle", "intent"]),
            identity=st.builds(Identity, operation=st.sampled_from(sorted(OPERATIONS))),
            max_tries=st.integers(0, 100),
            task=st.none()
            | st.builds(
                lambda id, age: TASK.model_copy(
                    update={"id": id, "submitted_at": NOW - timedelta(seconds=age)}
                ),
                st.text(min_size=1, max_size=20).filter(str.isprintable),
                st.integers(0, 10**6),
            ),
            inherited=st.booleans(),
            resubmits=st.integers(0, 3),
        )
    )
    def test_every_record_comes_back_as_it_went(self, written: Record) -> None:
        store = StateStore()
        store.set(KEY, written.model_dump(mode="json"))
        assert Ledger(store, 3).record == written


class TestUnreadable:
    """The record is there, so that a document may have been billed; what it says is unknown."""

    @pytest.mark.parametrize("reuse", REUSE)
    def test_it_is_unknown_and_not_absent(self, reuse: Any) -> None:
        for left in (UnreadableRecord("broken"), UnreadableRecord("broken", max_tries=3)):
            decision = decide_start(left, PAGE, 3, reuse)
            assert isinstance(decision, Unknown)
            assert "broken" in str(decision.because)

    @pytest.mark.parametrize("reuse", REUSE)
    def test_a_user_who_clears_the_task_begins_anew(self, reuse: Any) -> None:
        decision = decide_start(UnreadableRecord("broken", max_tries=3), PAGE, 5, reuse)
        assert isinstance(decision, Submit)
        assert decision.superseded is None
        assert "broken" in str(decision.because)
        assert "may have been billed" in str(decision.because)

    @pytest.mark.parametrize("stored", [1, "text", [], {}, False, "", 0, {"phase": "other"}])
    def test_it_stays_where_the_task_is_over_and_is_replaced_where_a_submit_begins(self, stored: Any) -> None:
        store = StateStore()
        store.set(KEY, stored)
        ledger = Ledger(store, 3)
        assert isinstance(ledger.stored, UnreadableRecord)
        assert ledger.record is None
        ledger.withdraw()
        ledger.submitted(TASK)
        assert store.get(KEY) == stored
        ledger.intend(PAGE, again=True)
        assert Ledger(store, 3).record == record("intent", resubmits=1)

    def test_how_often_it_was_sent_again_is_still_known(self) -> None:
        store = StateStore()
        newer = {**record("intent", resubmits=1).model_dump(mode="json"), "schema_version": 2}
        store.set(KEY, newer)
        assert Ledger(store, 3).resubmits == 1
        assert Ledger(store, 5).resubmits == 0

    def test_a_doubt_replaces_only_what_does_not_tell_a_clear_from_a_retry(self) -> None:
        store = StateStore()
        newer = {**record("submitted").model_dump(mode="json"), "schema_version": 2}
        store.set(KEY, newer)
        Ledger(store, 3).doubt(PAGE)
        assert store.get(KEY) == newer
        store.set(KEY, "garbage")
        Ledger(store, 3).doubt(PAGE)
        assert Ledger(store, 3).record == record("intent")

    def test_a_record_whose_content_is_lost_is_not_absent(self) -> None:
        """Airflow returns None where a custom store has lost the object that a row refers to."""

        class Lossy(StateStore):
            def get(self, key: str, default: Any = None) -> Any:
                return None if key in self.stored else default

        store = Lossy()
        assert Ledger(store, 3).stored is None
        store.set(KEY, record("submitted").model_dump(mode="json"))
        assert isinstance(Ledger(store, 3).stored, UnreadableRecord)

    def test_nor_is_one_that_a_custom_store_cannot_decode(self) -> None:
        class Broken(StateStore):
            def get(self, key: str, default: Any = None) -> Any:
                return json.loads("{")

        assert isinstance(Ledger(Broken(), 3).stored, UnreadableRecord)


class TestRetention:
    """Airflow deletes what has expired; `airflow state-store clean` and `airflow db clean` look at the same column."""

    @pytest.mark.parametrize(
        ("configured", "least"),
        [(None, 30), ("30", 30), ("8", 8), ("7", 7), ("6", 7), ("1", 7), ("-1", 7), ("0", None)],
    )
    def test_airflow_keeps_the_record_longer_than_the_cloud_keeps_the_result(
        self, configured: str | None, least: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if configured is not None:
            monkeypatch.setenv("AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS", configured)
        sent: list[Any] = []

        class Supervisor:
            def send(self, message: Any) -> Any:
                sent.append(message)
                return ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(), raising=False)
        scope = TaskScope(dag_id="d", run_id="r", task_id="t")
        began = datetime.now(UTC)
        ledger = Ledger(TaskStateStoreAccessor(uuid4(), scope), 3)
        ledger.intend(PAGE)
        ledger.submitted(TASK)
        written = [message for message in sent if isinstance(message, SetTaskStateStore)]
        assert len(written) == 2
        for message in written:
            if least is None:
                assert message.expires_at is None
            else:
                assert message.expires_at is not None
                days = (message.expires_at - began) / timedelta(days=1)
                assert least <= days < least + 1
                assert message.expires_at - began > timedelta(seconds=RETENTION_SECONDS)


def test_settings_that_differ_in_order_are_the_same() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest(object())) == 32
