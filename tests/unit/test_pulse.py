"""
The pulse of a triggerer: it knows of a stall before anybody acts on what happened meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from airflow.sdk.execution_time import task_runner

from airflow_provider_asposeocr.triggers.pulse import (
    BEAT_SECONDS,
    STALL_SECONDS,
    Pulse,
    ask_supervisor,
    loop_pulse,
)

OVERDUE_SECONDS = BEAT_SECONDS + STALL_SECONDS


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def settled() -> None:
    """Let all tasks of the loop go on that can."""
    for _ in range(9):
        await asyncio.sleep(0)


class Supervisor:
    """Airflow's other process, which answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self._answer = asyncio.Event()

    async def __call__(self) -> None:
        self.asked += 1
        await self._answer.wait()
        self._answer.clear()

    async def answers(self) -> None:
        self._answer.set()
        await settled()


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
        await settled()
        assert len(asyncio.all_tasks()) == before + 1
    await settled()
    assert len(asyncio.all_tasks()) == before


async def test_a_loop_that_runs_beats(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr("airflow_provider_asposeocr.triggers.pulse.BEAT_SECONDS", 0.0)
    pulse = Pulse(clock)
    with pulse.watching():
        for _ in range(5):
            clock.now += STALL_SECONDS - 1
            await settled()
        assert not pulse.has_stalled_since(0)


@pytest.mark.parametrize(("silent_seconds", "stalled"), [(STALL_SECONDS, False), (STALL_SECONDS + 0.1, True)])
async def test_a_supervisor_that_is_silent_is_a_stall_before_and_after_its_answer(
    clock: Clock, silent_seconds: float, stalled: bool
) -> None:
    supervisor = Supervisor()
    pulse = Pulse(clock, supervisor)
    began_at = clock.now
    with pulse.watching():
        await settled()
        clock.now += silent_seconds
        pulse.beat()  # the loop itself runs as ever
        assert pulse.has_stalled_since(began_at) is stalled
        await supervisor.answers()
        assert pulse.has_stalled_since(began_at) is stalled
        assert not pulse.has_stalled_since(clock.now)


async def test_the_supervisor_is_asked_from_the_first_moment_and_not_again_before_it_has_answered(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setattr("airflow_provider_asposeocr.triggers.pulse.BEAT_SECONDS", 0.0)
    supervisor = Supervisor()
    pulse = Pulse(clock, supervisor)
    with pulse.watching():
        await settled()
        assert supervisor.asked == 1
        await supervisor.answers()
        assert supervisor.asked == 2


async def test_an_answer_that_is_an_error_is_one(clock: Clock) -> None:
    async def refuses() -> None:
        raise RuntimeError("no such message")

    pulse = Pulse(clock, refuses)
    await pulse.question()
    clock.now += STALL_SECONDS + 1
    pulse.beat()
    assert not pulse.has_stalled_since(0)


async def test_what_the_supervisor_is_asked_masks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    class Comms:
        async def asend(self, question: Any) -> None:
            asked.append(question.model_dump())

    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Comms(), raising=False)
    await ask_supervisor()
    assert asked == [{"value": "", "name": None, "type": "MaskSecret"}]


async def test_without_a_supervisor_nobody_is_silent(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.delattr(task_runner, "SUPERVISOR_COMMS", raising=False)
    await Pulse(clock).question()
