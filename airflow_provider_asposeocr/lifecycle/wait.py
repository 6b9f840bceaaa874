"""
A worker's wait for one cloud task; operators, sensor and hook use it.

The worker polls for some time. Then the task defers, so that the triggerer continues the wait; without deferring the
worker continues it. One absolute deadline ends the wait before Airflow's own timeout, which would leave the cloud task
running. A task that has ended is never cancelled.
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from random import random
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
)
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.polling.deadlines import BACKSTOP_SECONDS
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller, Wait
from airflow_provider_asposeocr.api.polling.progress import Progress, moment_text, task_text
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState
from airflow_provider_asposeocr.api.results.reasons import failure_of
from airflow_provider_asposeocr.api.tasks import failed_error
from airflow_provider_asposeocr.config import event_delay_seconds
from airflow_provider_asposeocr.lifecycle.cancel import CancelOutcome, cancel_if_running
from airflow_provider_asposeocr.lifecycle.worker_kill import WaitRole, Watched, WorkerKill
from airflow_provider_asposeocr.metrics import waited

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deferral:
    """
    The rest of a wait, for the triggerer.

    :param trigger: The arguments of :class:`.AsposeOcrTaskTrigger`.
    :param timeout: After how long Airflow ends the deferral itself, in case that no triggerer is left.
    """

    trigger: dict[str, Any]
    timeout: timedelta


def end_of_wait(
    ref: TaskRef, error: AsposeOcrError | None, status: TaskStatus | None
) -> AsposeOcrError | None:
    """
    Correct why a wait has ended by what the cloud said afterwards.

    Between the last poll and the question before a cancel the task may have ended.

    :param ref: The cloud task.
    :param error: Why the wait ended; ``None`` = the task is completed.
    :param status: What the cloud answered afterwards; ``None`` = it was not asked, or did not answer.
    :return: Why the wait failed; ``None`` if the task is completed.
    """
    if status is TaskStatus.COMPLETED:
        return None
    if status is TaskStatus.ERROR:
        return failed_error(ref, TaskState(taskStatus=TaskStatus.ERROR))
    return error


class TaskWait:
    """
    Wait for one cloud task in a worker.

    From the beginning on, a kill of the worker finds the cloud task.

    :param ref: The cloud task.
    :param client: Client of its account.
    :param role: The relation of this Airflow task to the cloud task; by default it only waits for it.
    :param kill: Handles a kill of this process; by default a kill does nothing.
    :param ti: Airflow's task instance, which a kill asks for its state; by default none is known.
    """

    def __init__(
        self,
        ref: TaskRef,
        client: CloudClient,
        role: WaitRole | None = None,
        kill: WorkerKill | None = None,
        ti: Any = None,
    ) -> None:
        self.ref = ref
        self.client = client
        self.role = role or WaitRole()
        self._kill = kill or WorkerKill()
        self._kill.watch(Watched(ref, client, self.role, ti))
        #: Whether this process has submitted the task just now, so that it knows how long it took.
        self.is_fresh = False
        self._progress = Progress(ref, ref.expires_at.timestamp(), time.time())

    def run(self, plan: WaitPlan, inline_seconds: float = math.inf) -> Deferral | None:
        """
        Poll until the task has ended, or until it is time to defer.

        :param plan: When to poll, and when to give up.
        :param inline_seconds: How long to poll here; by default to the end.
        :return: ``None`` if the task is completed; otherwise what to defer with.
        :raises AsposeOcrError: if the task did not end well or not in time, or this process was killed.
        """
        poller = Poller(self.ref, plan, random)
        self._progress = Progress(self.ref, poller.deadline_at, time.time())
        inline_until = time.time() + inline_seconds
        step = poller.first_wait(time.time())
        if inline_seconds == math.inf:
            log.info("%s", self._progress.begun())
        while time.time() + step.seconds <= inline_until:
            self._kill.sleep(step.seconds)
            self._kill.stop_if_killed(self.ref)
            following = self.poll(poller)
            said = self._progress.polled(time.time())
            if isinstance(following, Finished):
                self.settle(following.error, following.seconds)
                return None
            if said:
                log.info("%s", said)
            step = following
        self._kill.stop_if_killed(self.ref)
        return self._deferral(replace(plan, seen_running_at=poller.seen_running_at), poller.deadline_at)

    def poll(self, poller: Poller) -> Wait | Finished:
        """
        Ask for the status once.

        :param poller: Decides what the answer means.
        """
        try:
            return poller.on_state(self.client.status(self.ref.operation, self.ref.id, ONCE), time.time())
        except AsposeOcrError as error:
            log.warning("%s", error.message)
            return poller.on_error(error, time.time())

    def settle(self, error: AsposeOcrError | None, seconds: float | None = None) -> None:
        """
        Take the end of the wait: return if the task is completed; otherwise cancel what still runs, and raise.

        :param error: Why the wait failed; ``None`` = the task is completed.
        :param seconds: How long after its submit the task was seen completed, for metrics; ``None`` = it is not known.
        :raises AsposeOcrError: if the task is not completed after all.
        """
        status, is_gone = None, False
        if isinstance(error, TaskTimeoutError):
            # The trigger has cancelled it already, unless the wait was inline or the cloud did not answer.
            outcome = self.cancel("its deadline has passed")
            status, is_gone = outcome.status, outcome.what != "unknown"
        elif error is not None and self.role.submitted_it and not isinstance(error, TaskError):
            status = self._cancel_or_leave(error)
        error = end_of_wait(self.ref, error, status)
        if error is not None and (is_gone or isinstance(error, TaskFailedError)):
            self.role.forget()
        # The wait is over, so that a kill or a time-out from now on has nothing to cancel.
        self._kill.release(self.ref)
        if error is None:
            log.info("%s", self._progress.completed(time.time()))
            now = time.time()
            age = max(0.0, now - self.ref.submitted_epoch)
            waited(self.ref, age if seconds is None and self.is_fresh else seconds, now)
            return
        raise failure_of(self.client, self.ref, error) if isinstance(error, TaskFailedError) else error

    def cancel(self, reason: str) -> CancelOutcome:
        """
        Cancel the cloud task if this wait is not over and the task still runs.

        :param reason: Why, for the log: the rest of a sentence that begins with "because".
        :return: What has become of it; errors of the cloud are logged and not raised.
        """
        if not self._kill.release(self.ref):
            return CancelOutcome("unknown")
        return cancel_if_running(self.client, self.ref, reason)

    def _cancel_or_leave(self, error: AsposeOcrError) -> TaskStatus | None:
        """Deal with a cloud task that may still run although the wait for it broke; returns the cloud's answer."""
        if not (error.retryable and self.role.has_retry_left):
            return self.cancel("the wait for it broke").status
        status = None
        try:
            status = self.client.status(self.ref.operation, self.ref.id, ONCE).status
        except AsposeOcrError as silence:
            log.debug("%s", silence.message)
        log.warning("%s keeps running for the retry, which continues the wait.", task_text(self.ref))
        return status

    def _deferral(self, plan: WaitPlan, deadline_at: float) -> Deferral:
        now = time.time()
        last = max(now, deadline_at)
        log.info("Deferring the wait for %s until at most %s", task_text(self.ref), moment_text(last, now))
        return Deferral(
            {
                "reference": self.ref.to_dict(),
                "plan": replace(plan, not_before_at=now + event_delay_seconds()).to_dict(),
                "cancel_on_kill": self.role.cancel_on_kill,
            },
            timedelta(seconds=last - now + BACKSTOP_SECONDS),
        )
