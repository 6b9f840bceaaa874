"""
The pulse of a triggerer: it knows of a stall before anybody acts on what happened meanwhile.
"""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_asposeocr.triggers.pulse import BEAT_SECONDS, STALL_SECONDS, Pulse, loop_pulse

OVERDUE_SECONDS = BEAT_SECONDS + STALL_SECONDS


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(("late_seconds", "stalled"), [(0.0, False), (0.1, True)])
def test_a_beat_that_is_overdue_is_a_stall_before_and_after_it_comes(
    clock: Clock, late_seconds: float, stalled: bool
) -> None:
    pulse = Pulse(clock)
    began_at = clock.now
    clock.now += OVERDUE_SECONDS + late_seconds
    assert pulse.has_stalled_since(began_at) is stalled
    pulse.beat()
    assert pulse.has_stalled_since(began_at) is stalled


def test_what_began_after_a_stall_is_not_concerned(clock: Clock) -> None:
    pulse = Pulse(clock)
    clock.now += OVERDUE_SECONDS + 1
    pulse.beat()
    assert not pulse.has_stalled_since(clock.now)


async def test_a_pause_without_anybody_interested_is_no_stall(clock: Clock) -> None:
    pulse = Pulse(clock)
    with pulse.watching():
        pass
    clock.now += 100
    with pulse.watching():
        assert not pulse.has_stalled_since(clock.now)


async def test_one_task_watches_for_all_and_ends_with_the_last() -> None:
    pulse, before = loop_pulse(), len(asyncio.all_tasks())
    with pulse.watching():
        with loop_pulse().watching():
            assert len(asyncio.all_tasks()) == before + 1
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before + 1
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before


async def test_a_loop_that_runs_beats(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr("airflow_provider_asposeocr.triggers.pulse.BEAT_SECONDS", 0.0)
    pulse = Pulse(clock)
    with pulse.watching():
        for _ in range(5):
            clock.now += STALL_SECONDS - 1
            for _ in range(3):
                await asyncio.sleep(0)
        assert not pulse.has_stalled_since(0)
