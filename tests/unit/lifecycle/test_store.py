"""The record of a submit in Airflow's store: what is written, what is read back, how long it is kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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

from airflow_provider_asposeocr.api import errors
from airflow_provider_asposeocr.api.operations import OPERATIONS, RETENTION_SECONDS
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.record import KEY, SCHEMA_VERSION, Record, UnreadableRecord
from airflow_provider_asposeocr.lifecycle.store import StoredRecord
from tests.support.airflow_tasks import StateStore
from tests.support.records import NOW, PAGE, TASK, record

OTHER = PAGE.model_copy(update={"source": "s3://b/other.png"})


class TestStoredRecord:
    def test_the_record_outlives_the_try(self) -> None:
        store = StateStore()
        first = StoredRecord(store, 3)
        first.write_intent(PAGE)
        assert StoredRecord(store, 3).readable == record("intent")
        first.write_task(TASK)
        assert StoredRecord(store, 3).readable == record("submitted")
        first.write_task(TASK, inherited=True)
        assert StoredRecord(store, 3).readable == record("submitted", inherited=True)

    def test_each_submit_of_a_task_instance_has_a_key_of_its_own(self) -> None:
        store = StateStore()
        page = StoredRecord(store, 3)
        StoredRecord(store, 3, "other").write_intent(OTHER)
        assert StoredRecord(store, 3).content is None
        page.write_intent(PAGE)
        page.forget()
        assert StoredRecord(store, 3, "other").readable == record("intent", identity=OTHER)

    def test_what_was_not_accepted_leaves_nothing(self) -> None:
        store = StateStore()
        stored = StoredRecord(store, 3)
        stored.write_intent(PAGE)
        stored.forget()
        assert store.stored == {}
        assert stored.readable is None
        stored.forget()

    def test_how_often_it_was_sent_again_is_counted_across_tries_and_ends(self) -> None:
        store = StateStore()
        StoredRecord(store, 3).write_intent(PAGE, again=True)
        second = StoredRecord(store, 3)
        assert second.resubmits == 1
        second.write_task(TASK)
        second.forget()
        third = StoredRecord(store, 3)
        assert third.readable == record("idle", resubmits=1)
        third.write_intent(PAGE)
        assert StoredRecord(store, 3).resubmits == 1

    def test_a_clear_begins_anew(self) -> None:
        store = StateStore()
        StoredRecord(store, 3).write_intent(PAGE, again=True)
        cleared = StoredRecord(store, 5)
        assert cleared.resubmits == 0
        cleared.write_intent(PAGE)
        assert StoredRecord(store, 5).readable == record("intent", max_tries=5)

    def test_without_a_store_it_lasts_for_one_try(self) -> None:
        stored = StoredRecord(None, 3)
        assert not stored.outlives_try
        stored.write_intent(PAGE, again=True)
        stored.write_task(TASK)
        assert stored.readable == record("submitted", resubmits=1)
        assert StoredRecord(None, 3).readable is None

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
        assert StoredRecord(store, 3).readable == written


class TestVanished:
    """A user's Clear cancels the cloud task while the new try takes it up: only that is a reason to submit again."""

    @pytest.mark.parametrize(
        ("inherited", "error", "forgotten"),
        [
            (True, errors.TaskUnknownError("Gone.", task_id="id-1"), True),
            (False, errors.TaskUnknownError("Gone.", task_id="id-1"), False),
            (True, errors.TaskUnknownError("Gone.", task_id="that of an upstream"), False),
            (True, errors.TaskFailedError("Failed.", task_id="id-1"), False),
        ],
        ids=["it", "of this try", "another task", "another error"],
    )
    def test_what_is_forgotten(
        self, inherited: bool, error: Exception, forgotten: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = StateStore()
        stored = StoredRecord(store, 3)
        stored.write_intent(PAGE)
        stored.write_task(TASK, inherited=inherited)
        assert stored.forget_vanished(error) is forgotten
        assert (KEY not in store.stored) is forgotten
        assert ("was cancelled meanwhile" in caplog.text) is forgotten

    def test_without_a_record_there_is_nothing_to_forget(self) -> None:
        assert not StoredRecord(None, 3).forget_vanished(errors.TaskUnknownError("Gone.", task_id="id-1"))


class TestUnreadable:
    """The record is there, so that a document may have been billed; what it says is unknown."""

    @pytest.mark.parametrize("content", [1, "text", [], {}, False, "", 0, {"phase": "other"}])
    def test_it_stays_where_the_task_is_over_and_is_replaced_where_a_submit_begins(
        self, content: Any
    ) -> None:
        store = StateStore()
        store.set(KEY, content)
        stored = StoredRecord(store, 3)
        assert isinstance(stored.content, UnreadableRecord)
        assert stored.readable is None
        stored.forget()
        stored.write_task(TASK)
        assert store.get(KEY) == content
        stored.write_intent(PAGE, again=True)
        assert StoredRecord(store, 3).readable == record("intent", resubmits=1)

    def test_how_often_it_was_sent_again_is_still_known(self) -> None:
        store = StateStore()
        newer = {**record("intent", resubmits=1).model_dump(mode="json"), "schema_version": 2}
        store.set(KEY, newer)
        assert StoredRecord(store, 3).resubmits == 1
        assert StoredRecord(store, 5).resubmits == 0

    def test_a_doubt_replaces_only_what_does_not_tell_a_clear_from_a_retry(self) -> None:
        store = StateStore()
        newer = {**record("submitted").model_dump(mode="json"), "schema_version": 2}
        store.set(KEY, newer)
        StoredRecord(store, 3).write_doubt(PAGE)
        assert store.get(KEY) == newer
        store.set(KEY, "garbage")
        StoredRecord(store, 3).write_doubt(PAGE)
        assert StoredRecord(store, 3).readable == record("intent")

    def test_a_record_whose_content_is_lost_is_not_absent(self) -> None:
        """Airflow returns None where a custom store has lost the object that a row refers to."""

        class Lossy(StateStore):
            def get(self, key: str, default: Any = None) -> Any:
                return None if key in self.stored else default

        store = Lossy()
        assert StoredRecord(store, 3).content is None
        store.set(KEY, record("submitted").model_dump(mode="json"))
        assert isinstance(StoredRecord(store, 3).content, UnreadableRecord)

    def test_nor_is_one_that_a_custom_store_cannot_decode(self) -> None:
        class Broken(StateStore):
            def get(self, key: str, default: Any = None) -> Any:
                return json.loads("{")

        assert isinstance(StoredRecord(Broken(), 3).content, UnreadableRecord)


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
        stored = StoredRecord(TaskStateStoreAccessor(uuid4(), scope), 3)
        stored.write_intent(PAGE)
        stored.write_task(TASK)
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
