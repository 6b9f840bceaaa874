"""The key in Airflow's store that tells a journal which has vanished from one that was never begun."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest

from airflow_provider_asposeocr.batch.errors import JournalError
from airflow_provider_asposeocr.batch.tripwire import (
    BATCH_KEY,
    JournalPlan,
    Tripwire,
    TripwireRecord,
    UnreadableTripwire,
    parse_tripwire,
    plan_journal,
)
from tests.support.airflow_tasks import StateStore

HERE, THERE = "s3://c@bucket/out/.aspose-ocr/batches/k/2", "s3://c@bucket/2026-03-01/.aspose-ocr/batches/k/2"
ARMED = TripwireRecord(journal=HERE, max_tries=2, acknowledged=7)


class TestPlan:
    def test_a_first_try_begins_where_its_parameters_say(self) -> None:
        assert plan_journal(None, 2, THERE) == JournalPlan(THERE)

    def test_a_retry_opens_the_journal_that_was_begun(self) -> None:
        """Also if the destination renders differently now."""
        assert plan_journal(ARMED, 2, THERE) == JournalPlan(HERE, must_exist=True, at_least=7)

    def test_a_clear_begins_anew(self) -> None:
        assert plan_journal(ARMED, 5, THERE) == JournalPlan(THERE, superseded=HERE)

    @pytest.mark.parametrize("max_tries", [2, None])
    def test_a_key_that_cannot_be_read_is_an_error(self, max_tries: int | None) -> None:
        with pytest.raises(JournalError, match=f"'{BATCH_KEY}'.*it is odd.*sent nothing") as failed:
            plan_journal(UnreadableTripwire("it is odd", max_tries), 2, THERE)
        assert (failed.value.billed, failed.value.retryable) == ("maybe", False)

    def test_except_after_a_clear(self) -> None:
        plan = plan_journal(UnreadableTripwire("it is odd", 2), 5, THERE)
        assert (plan.uri, plan.must_exist) == (THERE, False)
        assert "it is odd" in (plan.warning or "")
        assert "billed" in (plan.warning or "")


class TestForm:
    @pytest.mark.parametrize(
        "changes",
        [{"journal": ""}, {"journal": None}, {"acknowledged": -1}, {"max_tries": "x"}, {"schema_version": 2}],
    )
    def test_what_makes_no_sense_is_not_read(self, changes: dict[str, Any]) -> None:
        found = parse_tripwire({**ARMED.model_dump(), **changes})
        assert isinstance(found, UnreadableTripwire)
        assert next(iter(changes)) in found.why

    @pytest.mark.parametrize("stored", [None, "x", [], 7, {}])
    def test_nor_is_what_is_something_else(self, stored: object) -> None:
        assert isinstance(parse_tripwire(stored), UnreadableTripwire)

    def test_a_newer_version_still_tells_a_clear(self) -> None:
        found = parse_tripwire({"schema_version": 2, "max_tries": 5, "elsewhere": True})
        assert isinstance(found, UnreadableTripwire)
        assert found.max_tries == 5


class TestStore:
    def test_what_was_armed_is_read(self) -> None:
        store = StateStore()
        Tripwire(store, 2).arm(HERE, 7)
        assert Tripwire(store, 2).read() == ARMED
        assert Tripwire(store, 2).plan(THERE).uri == HERE
        assert Tripwire(store, 5).plan(THERE) == JournalPlan(THERE, superseded=HERE)

    def test_before_airflow_3_3_there_is_none(self) -> None:
        wire = Tripwire(None, 2)
        wire.arm(HERE, 0)
        assert wire.read() is None
        assert wire.plan(THERE) == JournalPlan(THERE)
        assert not asyncio.run(wire.note(1, {}, at_once=True))
        wire.forget()

    def test_a_key_that_is_gone_is_none(self) -> None:
        store = StateStore()
        Tripwire(store, 2).arm(HERE, 7)
        Tripwire(store, 2).forget()
        assert Tripwire(store, 2).read() is None

    def test_an_edited_key_lets_a_clear_begin_anew(self) -> None:
        """The error advises a Clear. The task would read the same key again, and could not see that it was cleared."""
        store = StateStore()
        store.set(BATCH_KEY, "edited")
        with pytest.raises(JournalError):
            Tripwire(store, 2).plan(THERE)
        retry, cleared = Tripwire(store, 2).plan(THERE), Tripwire(store, 5).plan(THERE)
        assert (retry.must_exist, retry.at_least) == (True, 1)
        assert (cleared.must_exist, cleared.uri) == (False, THERE)

    def test_content_that_is_no_json_is_unreadable(self) -> None:
        class Broken(StateStore):
            def get(self, key: str, default: Any = None) -> Any:
                raise ValueError("no JSON")

        assert Tripwire(Broken(), 2).read() == UnreadableTripwire("no JSON")


class TestProgress:
    async def test_it_is_written_at_most_every_fifteen_seconds(self) -> None:
        store, now = StateStore(), 100.0
        wire = Tripwire(store, 2, clock=lambda: now)
        wire.arm(HERE, 0)
        now += 14.9
        assert not await wire.note(3, {"done": 1})
        now += 0.1
        assert await wire.note(4, {"done": 2})
        assert not await wire.note(5, {"done": 3})
        assert await wire.note(6, {"done": 4}, at_once=True)
        assert wire.read() == TripwireRecord(journal=HERE, max_tries=2, acknowledged=6, progress={"done": 4})

    async def test_it_is_not_written_on_the_event_loop(self) -> None:
        """There Airflow raises DeadlockImminentError while another request of the loop is under way."""
        threads: list[int] = []

        class Noting(StateStore):
            def set(self, key: str, value: Any, **options: Any) -> None:
                threads.append(threading.get_ident())
                super().set(key, value, **options)

        wire = Tripwire(Noting(), 2)
        await asyncio.to_thread(wire.arm, HERE, 0)
        await wire.note(1, {}, at_once=True)
        assert len(threads) == 2
        assert threading.get_ident() not in threads

    async def test_a_store_that_refuses_stops_no_batch(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(StateStore):
            def set(self, key: str, value: Any, **options: Any) -> None:
                raise ConnectionError("no API server")

        wire = Tripwire(Broken(), 2)
        wire._journal = HERE
        with caplog.at_level(logging.WARNING):
            assert not await wire.note(1, {})
        assert "no API server" in caplog.text

    def test_a_tripwire_that_cannot_be_armed_is_an_error(self) -> None:
        """Without it, a deleted journal would look like one that was never begun: nothing may be sent."""

        class Broken(StateStore):
            def set(self, key: str, value: Any, **options: Any) -> None:
                raise ConnectionError("no API server")

        with pytest.raises(ConnectionError):
            Tripwire(Broken(), 2).arm(HERE, 0)
