"""Group commit, with a journal whose writes last as long as the test wants."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath

from airflow_provider_asposeocr.batch.errors import JournalError, JournalFencedError, JournalUnreachableError
from airflow_provider_asposeocr.batch.group_commit import GroupCommit
from airflow_provider_asposeocr.batch.journal import Journal, Marks, read_journal, request_drain
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: A delay longer than any test: a commit with it never begins because of the delay.
FOR_EVER = 3600.0


class Slow:
    """
    A journal that notes its calls.

    :param errors: What the calls raise in turn; ``None`` = they do as they should.
    """

    def __init__(self, *errors: Exception | None) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.errors = list(errors)
        self.go = threading.Event()
        self.go.set()
        self.started = threading.Semaphore(0)
        self.threads: set[int] = set()
        self.marks = Marks()
        self._lost: list[int] = []
        self._busy = threading.Lock()

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._lost += [record["n"] for record in records]
        self._call("append", self._lost)
        self._lost = []

    def check(self) -> Marks:
        self._call("check", [])
        return self.marks

    @property
    def writes(self) -> list[tuple[str, list[int]]]:
        """All calls that write."""
        return [call for call in self.calls if call[0] != "check"]

    def snapshot(self, records: Iterable[Mapping[str, Any]]) -> None:
        self._call("snapshot", [record["n"] for record in records])

    def _call(self, what: str, numbers: list[int]) -> None:
        assert self._busy.acquire(blocking=False), "two calls at once"
        try:
            self.threads.add(threading.get_ident())
            self.calls.append((what, list(numbers)))
            self.started.release()
            assert self.go.wait(PATIENCE_SECONDS)
            error = self.errors.pop(0) if self.errors else None
            if error is not None:
                raise error
        finally:
            self._busy.release()


def unreachable() -> JournalUnreachableError:
    return JournalUnreachableError("The journal cannot be written: the store is on fire.")


def group(journal: Any, **options: Any) -> GroupCommit:
    return GroupCommit(journal, **{"permits": 4, "window_seconds": 0.0, **options})


def commit(commits: GroupCommit, *numbers: int) -> asyncio.Future[None]:
    records = [{"n": number} for number in numbers]
    return commits.commit(records)


async def started(journal: Slow) -> None:
    """Wait until the next call of the journal has begun."""
    assert await asyncio.to_thread(journal.started.acquire, timeout=PATIENCE_SECONDS)


async def test_what_waits_at_the_same_time_is_one_part() -> None:
    journal = Slow()
    commits = group(journal)
    await asyncio.gather(commit(commits, 1, 2), commit(commits, 3))
    assert journal.writes == [("append", [1, 2, 3])]
    assert journal.threads.isdisjoint({threading.get_ident()})
    await commits.close()


async def test_one_part_is_written_at_a_time() -> None:
    """What comes meanwhile goes into the next one."""
    journal = Slow()
    journal.go.clear()
    commits = group(journal)
    first = commit(commits, 1)
    await started(journal)
    others = [commit(commits, number) for number in (2, 3)]
    await asyncio.sleep(0)
    journal.go.set()
    await asyncio.gather(first, *others)
    assert journal.writes == [("append", [1]), ("append", [2, 3])]
    await commits.close()


async def test_a_commit_waits_for_others_within_the_window_only() -> None:
    journal = Slow()
    commits = group(journal, window_seconds=FOR_EVER)
    tasks = [commit(commits, number) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    assert journal.writes == []
    tasks.append(commit(commits, 4))  # Nothing more can join: all permits wait.
    await asyncio.gather(*tasks)
    assert journal.writes == [("append", [1, 2, 3, 4])]
    await commits.close()


async def test_closing_waits_for_no_others() -> None:
    journal = Slow()
    commits = group(journal, window_seconds=FOR_EVER)
    task = commit(commits, 1)
    await asyncio.sleep(0)
    await commits.close()
    await task
    assert journal.writes == [("append", [1])]


async def test_a_commit_returns_after_its_records_are_durable() -> None:
    journal = Slow()
    journal.go.clear()
    commits = group(journal)
    task = commit(commits, 1)
    await started(journal)
    assert not task.done()
    journal.go.set()
    await task
    await commits.close()


async def test_the_journal_is_looked_at_between_a_commit_and_what_follows() -> None:
    journal = Slow()
    commits = group(journal)
    await asyncio.gather(commit(commits, 2), commit(commits, 3))
    assert journal.calls == [("append", [2, 3]), ("check", [])]
    await commits.close()


async def test_a_process_that_was_taken_over_from_sends_nothing() -> None:
    durable: list[Any] = []
    journal = Slow(None, JournalFencedError("Another process has taken over."))
    commits = group(journal, on_durable=durable.extend)
    tasks = [commit(commits, 1), commit(commits, 2)]
    assert [type(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == [
        JournalFencedError,
        JournalFencedError,
    ]
    with pytest.raises(JournalFencedError):
        await commits.commit([{"n": 3}])
    with pytest.raises(JournalFencedError):
        await commits.snapshot(list)
    assert durable == []
    assert journal.calls == [("append", [1, 2]), ("check", [])]
    await commits.close()


async def test_a_drain_is_seen_where_a_higher_epoch_would_be() -> None:
    journal = Slow()
    commits = group(journal)
    await commit(commits, 1)
    assert not commits.drain_requested
    journal.marks = Marks(drain=True)
    await commit(commits, 2)
    assert commits.drain_requested
    await commits.close()


class TestFailingStorage:
    async def test_commits_wait_until_it_is_back(self, caplog: pytest.LogCaptureFixture) -> None:
        journal = Slow(unreachable(), unreachable())
        pauses: list[float] = []
        later: list[asyncio.Future[None]] = []

        async def sleep(seconds: float) -> None:
            assert commits.is_failing
            pauses.append(seconds)
            if not later:
                later.append(commit(commits, 2))
            await asyncio.sleep(0)

        commits = group(journal, sleep=sleep)
        with caplog.at_level(logging.INFO):
            await commit(commits, 1)
            await later[0]
        assert journal.writes == [("append", [1])] * 3 + [("append", [2])]
        assert pauses == [1.0, 2.0]
        assert not commits.is_failing
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        await commits.close()

    async def test_they_fail_when_the_budget_is_used_up(self) -> None:
        journal = Slow(*[unreachable() for _ in range(99)])
        now = 0.0

        async def sleep(seconds: float) -> None:
            nonlocal now
            now += seconds
            await asyncio.sleep(0)

        commits = group(journal, error_budget_seconds=100.0, clock=lambda: now, sleep=sleep)
        task = commit(commits, 1)
        with pytest.raises(JournalUnreachableError):
            await task
        assert 100 <= now <= 130
        with pytest.raises(JournalUnreachableError):
            await commits.commit([{"n": 2}])
        await commits.close()

    async def test_a_look_at_the_journal_is_repeated_too(self) -> None:
        async def sleep(_: float) -> None:
            await asyncio.sleep(0)

        journal = Slow(None, unreachable())
        commits = group(journal, sleep=sleep)
        await commit(commits, 1)
        assert journal.calls == [("append", [1]), ("check", []), ("append", []), ("check", [])]
        await commits.close()

    @pytest.mark.parametrize("error", [JournalError("It is broken."), ZeroDivisionError()])
    async def test_what_cannot_pass_is_an_error_at_once(self, error: Exception) -> None:
        journal = Slow(error)
        commits = group(journal)
        tasks = [commit(commits, 1), commit(commits, 2)]
        assert [type(found) for found in await asyncio.gather(*tasks, return_exceptions=True)] == [
            type(error)
        ] * 2
        await commits.close()


async def test_a_cancelled_commit_stops_no_other() -> None:
    journal = Slow()
    journal.go.clear()
    commits = group(journal)
    tasks = [commit(commits, number) for number in (1, 2)]
    await started(journal)
    tasks[0].cancel()
    await asyncio.sleep(0)
    journal.go.set()
    await tasks[1]
    await commit(commits, 3)
    assert journal.writes == [("append", [1, 2]), ("append", [3])]
    await commits.close()


async def test_a_snapshot_holds_exactly_what_is_durable() -> None:
    """What waits meanwhile is replayed after it: neither lost nor twice there."""
    state: list[int] = []
    journal = Slow()
    journal.go.clear()
    commits = group(journal, on_durable=lambda records: state.extend(record["n"] for record in records))
    first = commit(commits, 1)
    await started(journal)
    second = commit(commits, 2)
    snapshot = asyncio.create_task(commits.snapshot(lambda: [{"n": number} for number in state]))
    await asyncio.sleep(0)
    journal.go.set()
    await asyncio.gather(first, second, snapshot)
    at = journal.writes.index(("snapshot", [1])) if ("snapshot", [1]) in journal.writes else -1
    if at == -1:
        assert journal.writes == [("append", [1]), ("append", [2]), ("snapshot", [1, 2])]
    else:
        assert journal.writes == [("append", [1]), ("snapshot", [1]), ("append", [2])]
    await commits.close()


async def test_the_records_of_a_snapshot_are_made_in_the_journal_s_thread_anew_for_each_attempt() -> None:
    """Those of ten thousand documents would keep the loop from everything else for a second."""
    threads: list[int] = []

    def make() -> Iterator[Mapping[str, Any]]:
        threads.append(threading.get_ident())
        yield {"n": 1}

    journal = Slow(unreachable())
    commits = group(journal)
    await commits.snapshot(make)
    assert journal.writes == [("snapshot", [1])] * 2
    assert set(threads) == journal.threads
    assert threading.get_ident() not in threads
    await commits.close()


async def test_with_a_real_journal(tmp_path: Path) -> None:
    folder = ObjectStoragePath(f"{tmp_path}/batches/k/2")
    journal = Journal.create(folder, {"sources": []}).journal
    state: list[Mapping[str, Any]] = []
    commits = group(journal, on_durable=state.extend, window_seconds=0.001)
    await asyncio.gather(*(commit(commits, number) for number in range(40)))
    await commits.snapshot(lambda: list(state))
    await asyncio.gather(*(commit(commits, number) for number in range(40, 50)))
    request_drain(folder)
    await commit(commits, 50)
    assert commits.drain_requested
    assert sorted(record["n"] for record in read_journal(folder)[1]) == list(range(51))
    other = Journal.take_over(folder)
    with pytest.raises(JournalFencedError):
        await commits.commit([{"n": 51}])
    await commits.close()
    assert other.journal.acknowledged == 51
