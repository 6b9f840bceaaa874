"""
What is read next: the oldest new files, within the budget, and none that a program still writes.
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile
from airflow_provider_asposeocr.ingestion.planning import Clock, InboxPlan, Oldest, plan_inbox, work_lists
from airflow_provider_asposeocr.ingestion.seen import SeenKeys, seen_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Time:
    """A clock that only a sleep moves."""

    def __init__(self, while_asleep: Callable[[], None] = lambda: None) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._while_asleep = while_asleep
        self.clock = Clock(lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._while_asleep()
        self.now += seconds


def file(name: str, changed_at: float = 0.0) -> InboxFile:
    return InboxFile(f"/in/{name}", "v", 1, changed_at)


def plan(
    folder: Path,
    seen: SeenKeys | None = None,
    *,
    most: int = 100,
    quiet_seconds: float = 0,
    time: Time | None = None,
) -> InboxPlan:
    inbox = AsposeOcrInbox(str(folder), quiet_seconds=quiet_seconds)
    return plan_inbox(
        inbox, "p", SeenKeys() if seen is None else seen, most=most, clock=(time or Time()).clock
    )


def names(found: InboxPlan) -> list[str]:
    return [each.uri.rpartition("/")[2] for each in found.files]


@given(
    times=st.lists(st.integers(min_value=0, max_value=5), max_size=40),
    most=st.integers(min_value=1, max_value=12),
)
def test_the_oldest_are_chosen_in_order(times: list[int], most: int) -> None:
    files = [file(f"{number:02d}", time) for number, time in enumerate(times)]
    oldest = Oldest(most)
    for each in files:
        oldest.add(each)
    assert oldest.files() == sorted(files, key=lambda each: (each.changed_at, each.uri))[:most]
    assert len(oldest._kept) < 2 * most


def test_what_was_read_is_not_chosen_again_and_what_is_over_the_budget_is_left(tmp_path: Path) -> None:
    for name in ("c", "b", "a", "d"):
        (tmp_path / f"{name}.png").write_text(name)
        later = os.stat(tmp_path / f"{name}.png").st_ctime_ns
        assert later
    first = plan(tmp_path, most=3)
    assert all(one.changed_at <= other.changed_at for one, other in pairwise(first.files))
    assert (first.listed, first.new, first.left, first.size_bytes) == (4, 4, 1, 3)
    seen = SeenKeys({seen_key("p", each.uri, each.version) for each in first.files})
    second = plan(tmp_path, seen, most=3)
    assert sorted(names(first) + names(second)) == ["a.png", "b.png", "c.png", "d.png"]
    assert (second.listed, second.new, second.left) == (4, 1, 0)


def test_a_file_that_failed_for_good_is_read_again_only_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("1")
    (only,) = plan(tmp_path).files
    seen = SeenKeys(failed={seen_key("p", only.uri, only.version)})
    inbox = AsposeOcrInbox(str(tmp_path), quiet_seconds=0)
    assert plan_inbox(inbox, "p", seen, most=5).files == ()
    assert plan_inbox(inbox, "p", seen, most=5, include_failed=True).files == (only,)


def test_a_file_that_each_run_tries_in_vain_comes_after_all_others(tmp_path: Path) -> None:
    """Otherwise as many of them as the budget allows would keep all younger files from being read."""
    for name in ("vain.png", "old.png", "young.png"):
        (tmp_path / name).write_text(name)
    vain = next(each for each in plan(tmp_path).files if each.uri.endswith("vain.png"))
    seen = SeenKeys(put_back={seen_key("p", vain.uri, vain.version)})
    assert names(plan(tmp_path, seen, most=2)) == ["old.png", "young.png"]
    assert names(plan(tmp_path, seen)) == ["old.png", "young.png", "vain.png"]


def test_a_file_that_is_not_chosen_still_tells_how_old_the_oldest_is(tmp_path: Path) -> None:
    for name in ("vain.png", "young.png"):
        (tmp_path / name).write_text(name)
    vain = next(each for each in plan(tmp_path).files if each.uri.endswith("vain.png"))
    found = plan(tmp_path, SeenKeys(put_back={seen_key("p", vain.uri, vain.version)}), most=1)
    assert names(found) == ["young.png"]
    assert found.oldest_at == vain.changed_at < found.files[0].changed_at


@pytest.mark.parametrize("change", ["rename", "content", "cp -p"])
def test_a_changed_file_is_new_for_any_modification_time(tmp_path: Path, change: str) -> None:
    """A watermark of modification times would miss each of these."""
    path = tmp_path / "a.png"
    path.write_text("1")
    (only,) = plan(tmp_path).files
    seen = SeenKeys({seen_key("p", only.uri, only.version)})
    long_ago = 1_000_000_000
    if change == "rename":
        path.rename(tmp_path / "b.png")
    else:
        (tmp_path / "other").write_text("2")
        os.utime(
            tmp_path / "other", ns=(long_ago, os.stat(path).st_mtime_ns if change == "cp -p" else long_ago)
        )
        os.replace(tmp_path / "other", path)
    assert plan(tmp_path, seen).new == 1


class TestQuiet:
    def test_waits_and_takes_what_has_not_changed(self, tmp_path: Path) -> None:
        for name in ("still", "grows", "goes"):
            (tmp_path / f"{name}.png").write_text("1")

        def meanwhile() -> None:
            (tmp_path / "grows.png").write_text("12")
            (tmp_path / "goes.png").unlink(missing_ok=True)

        time = Time(meanwhile)
        found = plan(tmp_path, quiet_seconds=60, time=time)
        assert names(found) == ["still.png"]
        assert (found.new, found.growing, found.left) == (3, 2, 2)
        assert time.slept == [60.0]

    def test_a_file_that_grows_for_two_minutes_is_taken_once_it_is_whole(self, tmp_path: Path) -> None:
        path = tmp_path / "grows.png"
        path.write_text("")
        time = Time()
        taken: list[str] = []

        def append(seconds: float) -> None:
            """Append a byte every five seconds for two minutes."""
            step = min(5.0, seconds)
            time.now += step
            if time.now <= 1120:
                with path.open("a") as stream:
                    stream.write("x")

        time.clock = Clock(lambda: time.now, append)
        seen = SeenKeys()
        for _ in range(6):
            for each in plan(tmp_path, seen, quiet_seconds=60, time=time).files:
                seen.settled.add(seen_key("p", each.uri, each.version))
                taken.append(str(each.size_bytes))
        assert taken == ["24"]

    def test_does_not_wait_where_nothing_is_new(self, tmp_path: Path) -> None:
        time = Time()
        assert plan(tmp_path, quiet_seconds=60, time=time).files == ()
        assert time.slept == []

    def test_looks_again_only_at_what_was_chosen(self, tmp_path: Path) -> None:
        for number in range(5):
            (tmp_path / f"{number}.png").write_text("1")
        found = plan(tmp_path, most=2, quiet_seconds=1)
        assert (len(found.files), found.growing, found.left) == (2, 0, 3)


def test_an_inbox_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no folder"):
        plan(tmp_path / "nowhere")


def test_files_are_divided_among_batches_in_order() -> None:
    files = [file(f"{number}.png") for number in range(5)]
    lists = list(work_lists(files, 2, register="/r/", base="/in/", pipeline="p"))
    assert [[each.uri for each in work.files] for work in lists] == [
        ["/in/0.png", "/in/1.png"],
        ["/in/2.png", "/in/3.png"],
        ["/in/4.png"],
    ]
    assert {(work.register, work.base, work.pipeline) for work in lists} == {("/r/", "/in/", "p")}
    assert list(work_lists([], 2, register="/r/", base="/in/", pipeline="p")) == []
