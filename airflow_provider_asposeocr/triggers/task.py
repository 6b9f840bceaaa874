"""
The trigger that waits for a cloud task.

Invariant: the trigger only polls, and cancels the cloud task if a user has killed the Airflow task or the deadline has
passed. It never submits, because a trigger may run twice and the document would be billed twice, and it never downloads.
It never cancels a completed cloud task. Its row in the metadata database is plain text and contains only a task reference
and numbers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from random import random
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    TaskTimeoutError,
    UnknownStatusError,
    WaitError,
)
from airflow_provider_asposeocr.api.polling.plan import WaitPlan
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller, Wait
from airflow_provider_asposeocr.api.polling.progress import Progress, task_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskState, parse_task_ref
from airflow_provider_asposeocr.clients import loop_clients
from airflow_provider_asposeocr.connection import mask_token
from airflow_provider_asposeocr.lifecycle.cancel import IN_TRIGGER, KILL_IN_TRIGGER, cancel_if_running_async
from airflow_provider_asposeocr.lifecycle.event import event_of
from airflow_provider_asposeocr.lifecycle.kills import decide_after_kill, decide_by_origin, is_origin
from airflow_provider_asposeocr.triggers.base import CloudTrigger, book_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow_provider_asposeocr.api.responses import TaskRef

log = logging.getLogger(__name__)

#: How long a poll may continue after the deadline. Without a limit, a poll could wait for minutes if the cloud does not
#: answer.
LATE_POLL_SECONDS = 5.0


class AsposeOcrTaskTrigger(CloudTrigger):
    """
    Wait until a cloud task has ended.

    :param reference: The task reference. It is not called ``task``, because for a task that starts in the triggerer, Airflow
        renders each argument that has the name of a template field, and the reference contains untrusted text.
    :param plan: When to poll and when to stop: :class:`.WaitPlan` in JSON. Its ``not_before_at`` is also the earliest
        time of the event, because the LocalExecutor fails a task whose trigger fires before Airflow has noticed the exit of
        the worker process.
    :param cancel_on_kill: ``never``: a user's kill does not cancel the cloud task. ``always`` and ``last_try`` have the
        same effect here, because the trigger asks Airflow whether a user has acted.
    """

    def __init__(
        self,
        reference: dict[str, Any],
        plan: dict[str, Any],
        cancel_on_kill: str = "always",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves it untyped
        self.reference = reference
        self.plan = plan
        self.cancel_on_kill = cancel_on_kill
        self._finished: Finished | None = None
        self._poller: Poller | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and exactly the arguments of the constructor."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "reference": self.reference,
                "plan": self.plan,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Poll until the task has ended, then fire one event.

        An error becomes an event, too, because the task would see an exception only as "trigger failure".
        """
        self._warm_up()
        try:
            self._finished = await self._wait()
            if isinstance(self._finished.error, TaskTimeoutError):
                self._finished = await self._give_up(self._finished)
        except AsposeOcrError as error:
            self._finished = Finished(error)
        except Exception as error:
            self.log.exception("The wait for %s failed", shown(self.reference.get("id"), 80))
            broken = WaitError(f"The wait failed: {type(error).__name__}: {shown(error)}.")
            self._finished = Finished(broken.about(self.reference.get("operation"), self.reference.get("id")))
        await asyncio.sleep(max(0.0, self._fires_at() - time.time()))
        yield TriggerEvent(event_of(self.reference, self._finished))

    def _fires_at(self) -> float:
        """Return the earliest time of the event; 0 if the row is invalid, which the event then says."""
        value = self.plan.get("not_before_at") if isinstance(self.plan, dict) else None
        return value if isinstance(value, int | float) else 0.0

    async def _wait(self) -> Finished:
        ref = parse_task_ref(self.reference)
        plan = WaitPlan.from_dict(self.plan)
        entry = book_of(ref.conn_id).entry(ref.operation, ref.source_bytes)
        poller = self._poller = Poller(ref, plan, random, entry)
        progress = Progress(ref, poller.deadline_at, time.time())
        log.info("%s", progress.begun())
        step = poller.first_wait(time.time())
        async with loop_clients(mask_token).using(ref.conn_id):
            while True:
                await asyncio.sleep(step.seconds)
                try:
                    async with asyncio.timeout(
                        max(0.0, poller.deadline_at - time.time()) + LATE_POLL_SECONDS
                    ):
                        following = await self._poll(ref, poller)
                except TimeoutError:
                    following = poller.late(time.time())
                said = progress.polled(time.time())
                if isinstance(following, Finished):
                    # The worker that receives the event of a failure logs it as an error.
                    ended = following.error and following.error.message
                    log.info("%s", ended or progress.completed(time.time()))
                    return following
                if said:
                    log.info("%s", said)
                step = following

    async def _poll(self, ref: TaskRef, poller: Poller) -> Wait | Finished:
        answer = await self._ask(ref)
        if isinstance(answer, Finished):
            return answer
        if isinstance(answer, TaskState):
            try:
                return poller.on_state(answer, time.time())
            except UnknownStatusError as error:
                answer = error
        log.warning("%s", answer.message)
        return poller.on_error(answer, time.time())

    async def _kill(self) -> None:
        """
        Cancel the cloud task if it still runs, and Airflow reports that a user has ended the Airflow task.

        Another triggerer may have taken the wait over and seen its end. Then Airflow's state alone would be misleading.
        Therefore the trigger asks the cloud until it answers.
        """
        began = time.monotonic()
        async with loop_clients(mask_token).using(str(self.reference.get("conn_id"))):
            ref = parse_task_ref(self.reference)
            if self._finished is not None and self._finished.error is None:
                log.info("%s is completed and is not cancelled.", task_text(ref))
                return
            async with asyncio.timeout(KILL_IN_TRIGGER.ask_seconds):
                client = await self._client(ref.conn_id)
                killed = await self._is_killed()
            if not killed:
                log.info("An Airflow task still waits for %s; nothing is cancelled.", task_text(ref))
                return
            # The time of Airflow's answer is part of the time that Airflow allows.
            left = KILL_IN_TRIGGER.ask_seconds - (time.monotonic() - began)
            rule = replace(KILL_IN_TRIGGER, ask_seconds=left)
            await cancel_if_running_async(client, ref, "the task was killed", rule)

    async def _give_up(self, late: Finished) -> Finished:
        """
        Cancel at the deadline, because the worker that receives the event may have to wait for a slot for hours.

        The last poll may have failed, so that the cloud task may be completed.
        """
        ref = parse_task_ref(self.reference)
        poller = self._poller
        runs = poller is not None and poller.seen_running_at >= poller.deadline_at
        seen = TaskStatus.PROCESSING if runs else None
        try:
            client = await self._client(ref.conn_id)
            outcome = await cancel_if_running_async(client, ref, "its deadline has passed", IN_TRIGGER, seen)
        except Exception as error:  # The connection cannot be read. The worker tries again.
            log.warning("Could not cancel %s at its deadline: %s", task_text(ref), shown(error))
            return late
        return Finished() if outcome.status is TaskStatus.COMPLETED else late

    async def _is_killed(self) -> bool:
        ti = self.task_instance
        if ti is None:
            return True
        ref = parse_task_ref(self.reference)
        try:
            state = await self._state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
            decided = decide_after_kill(state, ref, owns=is_origin(ti, ref), comes_back=True)
            if decided == "ask about origin":
                origin = await self._state(ref.dag_id, ref.run_id, ref.task_id, ref.map_index)
                decided = decide_by_origin(origin)
        except Exception as error:
            log.warning("Airflow does not return the task's state, so nothing is cancelled: %s", shown(error))
            return False
        return decided == "cancel"
