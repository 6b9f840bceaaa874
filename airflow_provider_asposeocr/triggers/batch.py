"""
The wait for the cloud tasks of a batch, in the triggerer.

The invariant of :mod:`.base` applies here, too. One heap holds all cloud tasks of the batch, and a limited number of polls
is under way, so that a thousand tasks cost the event loop no more than one. The row and the event are ids and numbers.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from random import random
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskTimeoutError, WaitError
from airflow_provider_asposeocr.api.http.pacing import Pacer
from airflow_provider_asposeocr.api.polling.progress import moment_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskState
from airflow_provider_asposeocr.batch.cancels import cancel_all_async
from airflow_provider_asposeocr.batch.polls import BatchPolls, BatchWaitPlan
from airflow_provider_asposeocr.batch.running import unpack
from airflow_provider_asposeocr.batch.woken import Woken
from airflow_provider_asposeocr.clients import loop_clients
from airflow_provider_asposeocr.connection import mask_token
from airflow_provider_asposeocr.lifecycle.cancel import IN_TRIGGER, KILL_IN_TRIGGER, cancel_if_running_async
from airflow_provider_asposeocr.lifecycle.kills import decide_for_batch
from airflow_provider_asposeocr.triggers.base import CloudTrigger, book_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.api.enums import TaskStatus
    from airflow_provider_asposeocr.api.responses import TaskRef

log = logging.getLogger(__name__)

#: Polls under way at once; more would only queue for the connection's 16 sockets.
POLLS_AT_ONCE = 16
#: Time for all cancels at the batch's deadline, before the event wakes the worker.
DEADLINE_SECONDS = 28.0

#: A poll that failed is logged at most once in this time.
WARN_SECONDS = 60.0


class AsposeOcrBatchPauseTrigger(BaseTrigger):
    """
    Wait until a moment: other batches have the documents that are left of a batch, and nothing of it runs in the cloud.

    :param until: The moment, in seconds since the epoch.
    """

    def __init__(self, until: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and exactly the arguments of the constructor."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"until": self.until}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep, then fire one event."""
        await asyncio.sleep(max(0.0, self.until - time.time()))
        yield TriggerEvent(Woken("the pause is over").to_event())


class AsposeOcrBatchTrigger(CloudTrigger):
    """
    Wait until it is worthwhile for the worker of a batch to go on.

    :param tasks: The cloud tasks, as :func:`.running.pack` writes them.
    :param plan: When to poll and when to give up: :class:`.BatchWaitPlan` in JSON.
    :param cancel_on_kill: ``never`` = a user's kill leaves the cloud tasks running. ``always`` and ``last_try`` mean the
        same here, because the trigger asks Airflow whether it was a user.
    """

    def __init__(self, tasks: dict[str, Any], plan: dict[str, Any], cancel_on_kill: str = "always") -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.tasks = tasks
        self.plan = plan
        self.cancel_on_kill = cancel_on_kill
        self._polls: BatchPolls | None = None
        self._fired = False
        self._warn_at = 0.0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and exactly the arguments of the constructor."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {"tasks": self.tasks, "plan": self.plan, "cancel_on_kill": self.cancel_on_kill},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Poll until the worker is to go on, then fire one event.

        Any error becomes an event, too: an exception here would reach the task as a bare "trigger failure".
        """
        self._warm_up()
        woken, not_before_at = await self._woken()
        await asyncio.sleep(max(0.0, not_before_at - time.time()))
        self._fired = True
        yield TriggerEvent(woken.to_event())

    async def _woken(self) -> tuple[Woken, float]:
        """Return what to tell the worker, and not before when."""
        not_before_at = 0.0
        try:
            plan = BatchWaitPlan.from_dict(self.plan)
            not_before_at = plan.not_before_at
            return await self._wait(plan), not_before_at
        except AsposeOcrError as error:
            problem = error
        except Exception as error:
            self.log.exception("The wait of a batch failed")
            problem = WaitError(f"The wait of the batch failed: {type(error).__name__}: {shown(error)}.")
        log.error("%s", problem.message)
        return Woken("error", error=problem), not_before_at

    async def _wait(self, plan: BatchWaitPlan) -> Woken:
        tasks = unpack(self.tasks)
        conn_id = tasks[0].ref.conn_id
        now = time.time()
        polls = self._polls = BatchPolls(tasks, plan, book_of(conn_id), random, now)
        until = moment_text(plan.deadline_at, now)
        log.info("Waiting for %d cloud tasks of a batch until at most %s", len(tasks), until)
        async with loop_clients(mask_token).using(conn_id):
            await self._poll_until_woken(polls, Pacer(plan.polls_per_second))
            because = polls.woken(time.time()) or "error"
            if because == "deadline":
                reason = "the batch's deadline has passed"
                polls.note_cancelled(await self._cancel_all(polls.running, reason, DEADLINE_SECONDS))
        woken = polls.event(because)
        log.info("%d of %d cloud tasks have ended; the worker goes on.", len(woken.ended), len(tasks))
        return woken

    async def _poll_until_woken(self, polls: BatchPolls, pacer: Pacer) -> None:
        under_way: set[asyncio.Task[None]] = set()
        try:
            while polls.woken(now := time.time()) is None:
                full = len(under_way) >= POLLS_AT_ONCE
                place = None if full else polls.take(now)
                if place is not None:
                    under_way.add(asyncio.create_task(self._poll(polls, place, pacer.reserve(now))))
                    continue
                next_at = polls.wake_at if full else min(polls.wake_at, polls.next_at)
                under_way = await _first_of(under_way, next_at - now)
        finally:
            for each in under_way:
                each.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _poll(self, polls: BatchPolls, place: int, wait_seconds: float) -> None:
        if wait_seconds:
            await asyncio.sleep(wait_seconds)
        ref = polls.refs[place]
        answer = await self._ask(ref)
        now = time.time()
        if isinstance(answer, TaskState):
            finished = polls.on_state(place, answer, now)
        elif isinstance(answer, AsposeOcrError):
            self._warn(answer, now)
            finished = polls.on_error(place, answer, now)
        else:
            finished = answer
            polls.fail(answer.error or WaitError("The wait has ended."))
        if finished is not None and isinstance(finished.error, TaskTimeoutError):
            if await self._give_up(ref, answer.status if isinstance(answer, TaskState) else None):
                polls.note_cancelled([ref])
            polls.end(place, time.time())

    def _warn(self, error: AsposeOcrError, now: float) -> None:
        """Log why a poll failed, but not for each of a thousand polls that fail alike."""
        if now >= self._warn_at:
            self._warn_at = now + WARN_SECONDS
            log.warning("%s", error.message)

    async def _give_up(self, ref: TaskRef, seen: TaskStatus | None) -> bool:
        """
        Cancel one task at its deadline, because the worker that the event wakes may have to wait for a slot, for hours.

        :return: Whether it was cancelled.
        """
        try:
            client = await self._client(ref.conn_id)
            outcome = await cancel_if_running_async(client, ref, "its deadline has passed", IN_TRIGGER, seen)
        except Exception as error:  # the connection cannot be read; the worker tries again
            log.warning("Could not cancel %s at its deadline: %s", shown(ref.id, 80), shown(error))
            return False
        return outcome.what == "cancelled"

    async def _cancel_all(self, refs: list[TaskRef], reason: str, seconds: float) -> list[TaskRef]:
        """
        Cancel all that run.

        :return: Those that were cancelled.
        """
        if not refs:
            return []
        try:
            client = await self._client(refs[0].conn_id)
            return (await cancel_all_async(client, refs, reason, KILL_IN_TRIGGER, seconds)).cancelled
        except Exception as error:  # the connection cannot be read
            log.warning("Could not cancel %d cloud tasks: %s", len(refs), shown(error))
            return []

    async def _kill(self) -> None:
        began = time.monotonic()
        if self._fired:
            return
        tasks = [task.ref for task in unpack(self.tasks)]
        refs = tasks if self._polls is None else self._polls.running
        async with loop_clients(mask_token).using(tasks[0].conn_id):
            async with asyncio.timeout(KILL_IN_TRIGGER.ask_seconds):
                killed = await self._is_killed()
            if not killed:
                log.info(
                    "The Airflow task still waits for its %d cloud tasks; nothing is cancelled.", len(refs)
                )
                return
            left = KILL_IN_TRIGGER.ask_seconds - (time.monotonic() - began)
            await self._cancel_all(refs, "the task was killed", left)

    async def _is_killed(self) -> bool:
        ti = self.task_instance
        if ti is None:
            return True
        try:
            state = await self._state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        except Exception as error:
            log.warning("Airflow does not return the task's state, so nothing is cancelled: %s", shown(error))
            return False
        return decide_for_batch(state, in_triggerer=True) == "cancel"


async def _first_of(under_way: set[asyncio.Task[None]], seconds: float) -> set[asyncio.Task[None]]:
    """Wait until a poll is answered or the time is over; return the polls that are still under way."""
    timeout = None if math.isinf(seconds) else max(0.0, seconds)
    if not under_way:
        await asyncio.sleep(timeout or 0.0)
        return under_way
    done, pending = await asyncio.wait(under_way, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for each in done:
        each.result()
    return pending
