"""
The watcher of an inbox, as Airflow's triggerer runs it, with a clock of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, AssetWatcher, BaseHook

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.documents import file_systems
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.watch import Look
from airflow_provider_asposeocr.operators import AsposeOcrPlanInboxOperator
from airflow_provider_asposeocr.triggers.inbox import AsposeOcrInboxTrigger
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile


class Rounds:
    """
    The triggerer's loop around a watcher: time passes only while the watcher sleeps.

    :param trigger: The watcher.
    :param rounds: How often it sleeps before it is cancelled.
    :param between: Called with the number of each sleep.
    """

    def __init__(
        self, trigger: AsposeOcrInboxTrigger, rounds: int, between: Callable[[int], Any] = lambda number: None
    ) -> None:
        self.trigger, self._rounds, self._between = trigger, rounds, between
        self.now, self.sleeps = 0.0, list[float]()
        self.events: list[tuple[int, dict[str, Any]]] = []
        trigger._sleep = self._sleep
        trigger._monotonic = lambda: self.now

    async def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if len(self.sleeps) >= self._rounds:
            raise asyncio.CancelledError
        self.now += seconds
        self._between(len(self.sleeps))

    async def _listen(self) -> None:
        async for event in self.trigger.run():
            self.events.append((len(self.sleeps), event.payload))

    async def run(self) -> list[tuple[int, dict[str, Any]]]:
        with pytest.raises(asyncio.CancelledError):
            await self._listen()
        await self.trigger.cleanup()
        return self.events


def watcher(folder: Any, **given: Any) -> AsposeOcrInboxTrigger:
    return AsposeOcrInboxTrigger(str(folder), **{"quiet_seconds": 0, **given})


def drop(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(name)


async def test_it_speaks_when_there_is_something_new(tmp_path: Path) -> None:
    drop(tmp_path, "a.png")

    def between(number: int) -> None:
        if number == 2:
            drop(tmp_path, "b.png", "notes.txt")
        if number == 4:
            (tmp_path / "a.png").unlink()

    rounds = Rounds(watcher(tmp_path), 7, between)
    assert await rounds.run() == [
        (0, {"inbox": f"file://{tmp_path}/", "files": 1, "new_since_last": 1}),
        (2, {"inbox": f"file://{tmp_path}/", "files": 2, "new_since_last": 1}),
    ]
    assert all(60 <= seconds <= 72 for seconds in rounds.sleeps)
    assert len(set(rounds.sleeps)) > 1


async def test_it_waits_until_a_file_is_quiet(tmp_path: Path) -> None:
    """So that its event comes when the run would take the file."""
    drop(tmp_path, "a.png")

    def between(number: int) -> None:
        if number <= 3:
            with (tmp_path / "a.png").open("a") as stream:
                stream.write("more")

    rounds = Rounds(watcher(tmp_path, quiet_seconds=None), 8, between)
    (event,) = await rounds.run()
    assert event[0] == 4


async def test_the_storage_is_listed_in_a_thread_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    opened = file_systems.fresh_path

    def noting(uri: str) -> Any:
        threads.append(threading.current_thread())
        return opened(uri)

    monkeypatch.setattr(file_systems, "fresh_path", noting)
    drop(tmp_path, "a.png")
    assert await Rounds(watcher(tmp_path), 2).run()
    assert threads
    assert threading.main_thread() not in threads
    assert all(thread.daemon for thread in threads)


async def test_the_storage_is_listed_in_small_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is parsed while the waits of other tasks in the process are late."""
    drop(tmp_path, *(f"{number}.png" for number in range(450)))
    pages: list[int] = []
    take = Look.take

    def noting(look: Look, page: list[InboxFile]) -> bool:
        pages.append(len(page))
        return take(look, page)

    monkeypatch.setattr(Look, "take", noting)
    assert await Rounds(watcher(tmp_path), 1).run()
    assert sum(pages) == 450
    assert max(pages) <= 200


class Failing(Store):
    """A store that does not answer while it is off."""

    off = True
    asked = 0

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        Failing.asked += 1
        if Failing.off:
            raise OSError("Connection refused")
        return super().ls(path, detail=detail, **kwargs)


class TestAStorageThatIsOff:
    async def test_is_asked_ever_more_rarely_and_noticed_when_it_is_back(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = attached("memory", "watched", kind=Failing)
        store.pipe_file("/in/a.png", b"1")
        monkeypatch.setattr(Failing, "off", True)
        monkeypatch.setattr(Failing, "asked", 0)
        monkeypatch.setattr(file_systems, "fresh_path", file_systems.object_path)
        rounds: Rounds | None = None

        def between(number: int) -> None:
            assert rounds is not None
            if rounds.now > 300 and Failing.off:
                monkeypatch.setattr(Failing, "off", False)
                tries.append(Failing.asked)

        tries: list[int] = []
        rounds = Rounds(watcher("memory://watched@in/"), 9, between)
        with caplog.at_level(logging.WARNING):
            ((number, payload),) = await rounds.run()
        assert payload["files"] == 1
        assert tries[0] < 15
        assert [round(seconds // 60) for seconds in rounds.sleeps[:3]] == sorted(
            round(seconds // 60) for seconds in rounds.sleeps[:3]
        )
        assert rounds.sleeps[2] >= 240
        assert 60 <= rounds.sleeps[number] <= 72
        assert "Connection refused" in caplog.text
        assert "Traceback" not in caplog.text

    @pytest.mark.parametrize("problem", ["missing", "no connection"])
    async def test_may_also_be_set_up_wrongly(self, tmp_path: Path, problem: str) -> None:
        folder = tmp_path / "nowhere" if problem == "missing" else "s3://nosuchconnection@bucket/in/"
        rounds = Rounds(watcher(folder), 3)
        assert await rounds.run() == []
        assert rounds.sleeps[1] >= 120

    async def test_may_hang_and_is_not_asked_by_a_second_thread(self) -> None:
        class Hanging(Store):
            entered, go = threading.Event(), threading.Event()
            asked = 0

            def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
                Hanging.asked += 1
                Hanging.entered.set()
                assert Hanging.go.wait(PATIENCE_SECONDS)
                return super().ls(path, detail=detail, **kwargs)

        store = attached("memory", "hangs", kind=Hanging)
        store.pipe_file("/in/a.png", b"1")
        trigger = watcher("memory://hangs@in/")
        trigger._look_seconds = 0.05

        def between(number: int) -> None:
            if number == 3:
                assert Hanging.asked == 1
                assert trigger._ended is not None
                trigger._look_seconds = 60.0
                Hanging.go.set()
                assert trigger._ended.wait(PATIENCE_SECONDS)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file_systems, "fresh_path", file_systems.object_path)
            (event,) = await Rounds(trigger, 6, between).run()
        assert event[0] == 3


async def test_the_file_system_is_fresh_at_first_each_hour_and_after_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(tmp_path, "a.png")
    asked: list[float] = []
    rounds: Rounds | None = None
    opened = file_systems.fresh_path

    def noting(uri: str) -> Any:
        assert rounds is not None
        asked.append(rounds.now)
        if len(asked) == 2:
            raise OSError("Connection reset")
        return opened(uri)

    monkeypatch.setattr(file_systems, "fresh_path", noting)
    rounds = Rounds(watcher(tmp_path), 70)
    await rounds.run()
    first, failed, again = asked[:3]
    assert first == 0.0
    assert 3600 <= failed <= 3700
    assert 60 <= again - failed <= 72


async def test_the_file_system_is_fresh_after_a_listing_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections may be broken, or its credentials may have been changed."""
    store = attached("memory", "watched", kind=Failing)
    store.pipe_file("/in/a.png", b"1")
    made: list[int] = []
    rounds: Rounds | None = None

    def noting(uri: str) -> Any:
        assert rounds is not None
        made.append(len(rounds.sleeps))
        return file_systems.object_path(uri)

    monkeypatch.setattr(file_systems, "fresh_path", noting)
    monkeypatch.setattr(Failing, "off", False)
    rounds = Rounds(
        watcher("memory://watched@in/"), 5, lambda number: monkeypatch.setattr(Failing, "off", number == 2)
    )
    await rounds.run()
    assert made == [0, 3]  # The third look has failed.


async def test_airflow_is_asked_for_the_connection_at_first_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question goes through the supervisor of the triggerer, which all waits of the process share."""
    store = attached("memory", "watched")
    store.pipe_file("/in/a.png", b"1")
    asked: list[float] = []
    rounds = Rounds(watcher("memory://watched@in/"), 45)

    def connection(conn_id: str) -> Any:
        asked.append(rounds.now)

    monkeypatch.setattr(BaseHook, "get_connection", connection)
    monkeypatch.setattr(file_systems, "_maker", lambda scheme: lambda conn_id: store)
    assert await rounds.run()
    assert 2000 < rounds.now < 3600
    assert set(asked) == {0.0}


async def test_too_many_files_are_told_now_and_then_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    drop(tmp_path, *(f"{number}.png" for number in range(5)))
    with caplog.at_level(logging.WARNING):
        rounds = Rounds(watcher(tmp_path, most_files=3, repeat_seconds=600), 30)
        spoken = [sum(rounds.sleeps[:number]) for number, _ in await rounds.run()]
    assert spoken[0] == 0.0
    assert len(spoken) >= 3
    assert all(600 <= later - earlier <= 672 for earlier, later in pairwise(spoken))
    assert caplog.text.count("too many to compare") == 1


async def test_a_look_ends_after_a_minute(tmp_path: Path) -> None:
    """Also one whose storage answers page after page."""
    drop(tmp_path, *(f"{number}.png" for number in range(450)))
    trigger = watcher(tmp_path)
    moments = iter(range(0, 10_000, 50))
    trigger._monotonic = lambda: float(next(moments))
    with pytest.raises(TimeoutError, match="longer than 60 seconds"):
        await trigger._look()


async def test_a_look_ends_when_the_trigger_is_closed(tmp_path: Path) -> None:
    drop(tmp_path, "a.png")
    trigger = watcher(tmp_path)
    await trigger.on_kill()
    await trigger.cleanup()
    assert await Rounds(trigger, 2).run() == []


class TestTheRow:
    @pytest.mark.parametrize(
        "inbox",
        [
            AsposeOcrInbox("s3://scans@inbox/"),
            AsposeOcrInbox("/in/", "*.pdf", ("*.x", "y*"), recursive=False, quiet_seconds=5),
        ],
    )
    def test_makes_an_equal_trigger(self, inbox: AsposeOcrInbox) -> None:
        (made,) = inbox.asset().watchers
        path, kwargs = made.trigger.serialize()
        assert path == "airflow_provider_asposeocr.triggers.inbox.AsposeOcrInboxTrigger"
        again = AsposeOcrInboxTrigger(**json.loads(json.dumps(kwargs)))
        assert again.inbox == inbox
        assert again.serialize() == (path, kwargs)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"poll_interval_seconds": 5}, "poll_interval_seconds must be at least 10, not 5"),
            ({"poll_interval_seconds": float("nan")}, "at least 10"),
            ({"most_files": 0}, "most_files must be 1 or more"),
            ({"repeat_seconds": 0}, "repeat_seconds more than 0"),
        ],
    )
    def test_has_numbers_that_make_sense(self, given: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            AsposeOcrInboxTrigger("/in/", **given)


class TestTheAsset:
    def test_is_the_same_for_equal_inboxes(self) -> None:
        """In another file with another watcher, each parse would remove and add the watcher."""
        one, other = (AsposeOcrInbox("s3://scans@inbox/2026/", quiet_seconds=5).asset() for _ in range(2))
        assert (one.name, one.uri) == (other.name, other.uri)
        assert [each.trigger.serialize() for each in one.watchers] == [
            each.trigger.serialize() for each in other.watchers
        ]

    @pytest.mark.parametrize(
        ("folder", "uri"),
        [
            ("s3://scans@inbox/2026/", "s3://inbox/2026"),
            ("s3://inbox/", "s3://inbox"),
            ("/data/in/", "file:///data/in"),
        ],
    )
    def test_names_the_folder_without_the_connection(self, folder: str, uri: str) -> None:
        assert AsposeOcrInbox(folder).asset().name == uri

    def test_differs_where_two_inboxes_lie_in_one_folder(self) -> None:
        inboxes = [
            AsposeOcrInbox("s3://b/in/"),
            AsposeOcrInbox("s3://b/in/", pattern="*.pdf"),
            AsposeOcrInbox("s3://b/in/", recursive=False),
        ]
        assets = [inbox.asset() for inbox in inboxes]
        assert len({asset.name for asset in assets}) == len({asset.uri for asset in assets}) == 3

    def test_takes_another_watcher(self) -> None:
        other = AssetWatcher("mine", AsposeOcrInboxTrigger("/in/", poll_interval_seconds=10))
        assert AsposeOcrInbox("/in/").asset(watcher=other).watchers == [other]

    def test_cannot_be_made_of_a_template(self) -> None:
        with pytest.raises(InputError, match="a watcher runs without a DAG run"):
            AsposeOcrInbox("/in/{{ ds }}/").asset()

    def test_schedules_a_dag(self) -> None:
        inbox = AsposeOcrInbox("/in/")
        with DAG("ocr_inbox", schedule=[inbox.asset()]) as dag:
            AsposeOcrPlanInboxOperator(task_id="plan", inbox=inbox, destination="/out/")
        assert dag.task_ids == ["plan"]


async def test_what_cannot_be_read_is_said_once_an_hour(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And not with each look: all tasks that wait in a triggerer have one log."""
    (tmp_path / "in").mkdir()
    drop(tmp_path, "outside.png")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "outside.png")
    with caplog.at_level(logging.WARNING):
        await Rounds(watcher(tmp_path / "in"), 40).run()
    assert sum("are left out" in message for message in caplog.messages) == 1
