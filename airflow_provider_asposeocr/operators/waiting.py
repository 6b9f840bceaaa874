"""
Wait for a cloud task in a worker: what the operators and the sensor have in common.

The worker waits inline for a few seconds, then it defers, or waits on where deferring is not wanted. One absolute deadline
ends the wait before Airflow's own, which would leave the cloud task running. On the last attempt, the cloud task is
cancelled; if a retry is left, the cloud task is left running so that the retry can re-attach. A task that was
seen to have ended is never cancelled.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import timedelta
from random import random
from threading import Thread
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.configuration import conf
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason

from airflow_provider_asposeocr.api.enums import TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    TaskError,
    TaskFailedError,
    TaskPendingError,
    TaskTimeoutError,
    WaitError,
    from_dict,
)
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.polling.deadlines import BACKSTOP_SECONDS
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller, failed_error
from airflow_provider_asposeocr.api.polling.progress import Progress, moment_text, task_text
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, TaskState, parse_task_ref
from airflow_provider_asposeocr.compat import runs_in_shared_process
from airflow_provider_asposeocr.config import default_seconds
from airflow_provider_asposeocr.failing import fail_task
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook, failure_of, poll_once
from airflow_provider_asposeocr.lifecycle.cancel import KILL_IN_WORKER, CancelOutcome, cancel_if_running
from airflow_provider_asposeocr.lifecycle.kills import own_state, verdict, verdict_of_origin
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.operators.map_index import name_map_index
from airflow_provider_asposeocr.parameters import check_choice, check_seconds, rendered
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan

    _Operator = BaseOperator
else:
    # A mixin: Airflow gives every class that derives from an operator a constructor of its own, which would hide the
    # sensor's.
    _Operator = object

CancelOnKill = Literal["last_try", "always", "never"]
CANCEL_ON_KILL: tuple[CancelOnKill, ...] = ("last_try", "always", "never")

#: Measured: LocalExecutor fails tasks whose trigger fires up to five seconds after the deferral.
LOCAL_EXECUTOR_DELAY_SECONDS = 8.0
#: Airflow ends the process five seconds after the signal of a kill.
KILL_SECONDS = 3.0
#: Name of the threads of a kill, and the beginning of the names of theirs.
THREAD_PREFIX = "aspose-ocr-kill"
#: A wait notices a kill after at most this time.
SLICE_SECONDS = 0.5


def event_delay_seconds() -> float:
    """Return how long to hold an event back after a deferral, see ``[aspose_ocr] event_delay_seconds``."""
    configured = default_seconds("event_delay_seconds")
    if configured >= 0:
        return configured
    if "LocalExecutor" not in conf.get("core", "executor", fallback=""):
        return 0.0
    heartbeat = conf.getfloat("workers", "min_heartbeat_interval", fallback=5.0)
    return max(LOCAL_EXECUTOR_DELAY_SECONDS, float(heartbeat) + 3.0)


def outcome_of(event: Any) -> tuple[TaskRef, AsposeOcrError | None]:
    """
    Read the event of a trigger.

    :param event: What the trigger fired, or whatever arrived in its place.
    :return: The task, and why the wait failed if it did.
    :raises WaitError: if it is not an event of ours: a lost event is no success.
    :raises AsposeOcrError: what the trigger says, if it has not even found out which task it is.
    """
    if not isinstance(event, dict) or event.get("status") not in ("completed", "failed"):
        raise WaitError(f"The trigger's event is missing or not understood: {shown(repr(event), 200)}.")
    described = event.get("error")
    error = from_dict(described if isinstance(described, dict) else {})
    if event["status"] == "failed" and event.get("task") is None:
        raise error
    ref = parse_task_ref(event.get("task"))
    return ref, None if event["status"] == "completed" else error


class WaitsForTask(_Operator):
    """
    What operators and the sensor have in common; mixed into them.

    :cvar owns_task: Whether this Airflow task submitted the cloud task, so that its own retry submits it again.
    """

    owns_task = False

    # Set in the constructors, which document them.
    aspose_ocr_conn_id: str
    deferrable: bool
    inline_wait_seconds: float | None
    cancel_on_kill: CancelOnKill
    execution_timeout: timedelta | None
    #: The task reference of a consumer.
    task: Any
    #: Why it starts in a worker although it was asked to start in the triggerer.
    starts_in_worker: str | None = None

    _running: TaskRef | None = None
    _progress: Progress | None = None
    _client: CloudClient | None = None
    _ti: Any = None
    _killed = False
    _after_kill: Thread | None = None
    #: Whether the process has gone on to other tasks, so that the thread of a kill may do nothing any more.
    _kill_is_over = False

    def _check_waiting(self) -> None:
        check_seconds(inline_wait_seconds=self.inline_wait_seconds, **WaitParameters.of(self).to_dict())
        check_choice("cancel_on_kill", self.cancel_on_kill, CANCEL_ON_KILL)

    def _inline_seconds(self) -> float:
        given = self.inline_wait_seconds
        return default_seconds("inline_wait_seconds") if given is None else float(given)

    def _plan(self, context: Context, now: float) -> WaitPlan:
        airflow_ends_at = math.inf
        if self.execution_timeout is not None:
            # Airflow does not enforce it after a deferral, and elsewhere it leaves the cloud task running.
            airflow_ends_at = context["ti"].start_date.timestamp() + self.execution_timeout.total_seconds()
        return WaitParameters.of(self).plan(now, airflow_ends_at)

    def _wait_for(self, ref: TaskRef, context: Context, resume_method: str = "execute_complete") -> None:
        """
        Return when the task is completed; otherwise defer or raise.

        :param ref: The cloud task.
        :param context: Airflow's context.
        :param resume_method: Name of the method that goes on after a deferral.
        """
        if self.starts_in_worker is not None:
            self.log.info("start_from_trigger has no effect: %s.", self.starts_in_worker)
        client = self._watch(ref, context)
        name_map_index(context, ref.source_name)
        plan = self._plan(context, time.time())
        poller = Poller(ref, plan, random)
        progress = self._progress = Progress(ref, poller.deadline_at, time.time())
        inline_until = time.time() + self._inline_seconds() if self.deferrable else float("inf")
        step = poller.first_wait(time.time())
        if not self.deferrable:
            self.log.info("%s", progress.begun())
        while time.time() + step.seconds <= inline_until:
            self._sleep(step.seconds)
            self._stop_if_killed(ref)
            following = poll_once(client, ref, poller, progress)
            if isinstance(following, Finished):
                return self._settle(ref, following.error)
            step = following
        self._stop_if_killed(ref)
        self._defer(ref, replace(plan, seen_running_at=poller.seen_running_at), resume_method)

    def _defer(self, ref: TaskRef, plan: WaitPlan, resume_method: str) -> NoReturn:
        now = time.time()
        trigger = AsposeOcrTaskTrigger(
            reference=ref.to_dict(),
            plan=replace(plan, not_before_at=now + event_delay_seconds()).to_dict(),
            cancel_on_kill=self.cancel_on_kill,
        )
        # The poller gives up at the retention's end at the latest.
        last = max(now, min(plan.deadline_at, ref.expires_at.timestamp()))
        backstop = timedelta(seconds=last - now + BACKSTOP_SECONDS)
        self.log.info("Deferring the wait for %s until at most %s", task_text(ref), moment_text(last, now))
        self.defer(trigger=trigger, method_name=resume_method, timeout=backstop)

    def _resumed(self, event: Any, context: Context) -> TaskRef:
        """Return the task of a trigger's event if it is completed, otherwise raise."""
        try:
            ref, error = outcome_of(event)
        except WaitError:
            self._ti = context["ti"]
            if self.owns_task and not self._comes_back(None):
                self._cancel_lost(context)
            raise
        name_map_index(context, ref.source_name)
        self._watch(ref, context)
        self._settle(ref, error)
        return ref

    def _watch(self, ref: TaskRef, context: Context, client: CloudClient | None = None) -> CloudClient:
        """Remember what to cancel; a signal handler may not ask Airflow for the connection any more."""
        self._ti = context["ti"]
        if client is None and self._client is not None and self._running == ref:
            return self._client
        self._client, self._running = client or AsposeOcrHook(ref.conn_id).client, ref
        return self._client

    def _settle(self, ref: TaskRef, error: AsposeOcrError | None) -> None:
        """Take the end of a wait: return on success, otherwise cancel what still runs and raise."""
        # Between the last poll and this moment lie a trigger event and a worker's start: the task may have ended.
        status, over = None, False
        if isinstance(error, TaskTimeoutError):
            # The trigger has cancelled it already, unless the wait was inline or the cloud did not answer.
            outcome = self._cancel("its deadline has passed")
            status, over = outcome.status, outcome.what != "unknown"
        elif error is not None and self._owns(ref) and not isinstance(error, TaskError):
            if error.retryable and self._comes_back(ref):
                status = self._ask_once(ref)
                self.log.warning("%s is left for the retry, which waits on.", task_text(ref))
            else:
                status = self._cancel("the wait for it broke").status
        if status is TaskStatus.COMPLETED:
            error = None
        elif status is TaskStatus.ERROR:
            error = failed_error(ref, TaskState(taskStatus=TaskStatus.ERROR))
        if error is not None and (over or isinstance(error, TaskFailedError)):
            self._over(ref)
        # The wait is over, so that a kill or a time-out from now on has nothing to cancel.
        self._running = None
        if error is None:
            progress = self._progress or Progress(ref, ref.expires_at.timestamp(), time.time())
            self.log.info("%s", progress.completed(time.time()))
            return
        if isinstance(error, TaskFailedError) and self._client is not None:
            error = failure_of(self._client, ref, error)
        self._fail(error, ref)

    def _owns(self, ref: TaskRef) -> bool:
        """Whether this Airflow task submitted the cloud task, so that its own retry submits it again."""
        return self.owns_task

    def _over(self, ref: TaskRef) -> None:
        """Take note that nobody needs to come back to a cloud task."""

    def _comes_back(self, ref: TaskRef | None) -> bool:
        """Whether this Airflow task has a try left that goes on with the cloud task."""
        return self._ti is not None and bool(self._ti.try_number <= getattr(self._ti, "max_tries", 0))

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        # A signal does not end a sleep, it only interrupts it.
        while not self._killed and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))

    def _stop_if_killed(self, ref: TaskRef) -> None:
        if not self._killed:
            return
        if self._after_kill is not None:
            self._after_kill.join(KILL_SECONDS)
        raise WaitError("The task was killed while it waited.").about(ref.operation, ref.id)

    def _fail(self, error: AsposeOcrError, ref: TaskRef | None = None) -> NoReturn:
        """
        Raise an error so that Airflow retries what a retry can mend and nothing else.

        :param error: What happened.
        :param ref: The cloud task; a task that only consumes it cannot mend it.
        """
        error.place = "task"
        hopeless = not error.retryable
        message = str(error)
        if ref is not None and not self._owns(ref) and isinstance(error, TaskError):
            hopeless = hopeless or not isinstance(error, TaskPendingError)
            message = f"{message} It was submitted {ref.origin}: clear that task, not this one."
        fail_task(self.log, message, None if hopeless else error)

    def _ask_once(self, ref: TaskRef) -> TaskStatus | None:
        """Ask for the status of a task that is left alone; ``None`` = no answer."""
        if self._client is None:
            return None
        try:
            return self._client.status(ref.operation, ref.id, ONCE).status
        except AsposeOcrError:
            return None

    def _cancel(self, reason: str) -> CancelOutcome:
        """
        Cancel the cloud task that this one waits for, if there is one and it still runs.

        :return: What has become of it; errors of the cloud are logged and not raised.
        """
        ref, self._running = self._running, None
        if ref is None or self._client is None:
            return CancelOutcome("unknown")
        return cancel_if_running(self._client, ref, reason)

    def on_kill(self) -> None:
        """
        Cancel the cloud task if nobody comes back to it; runs in a signal handler, with what is already in memory.

        A signal does not say whether a user has killed the task or its machine is going away. Where that matters, a
        thread asks Airflow, which the handler itself may not do: the code that the signal interrupted may hold the
        locks for that. For the same reason, and because the cloud may not answer, cancelling is a thread with little
        time, too.

        In ``dag.test()`` other tasks run in this process afterwards, with the same connection to Airflow, whose answers
        the thread could take away from them. There it is waited for in any case, and does nothing after that.
        """
        work, ref, shared = None, self._running, runs_in_shared_process()
        if self.cancel_on_kill != "never" and ref is not None:
            sure = self.cancel_on_kill == "always" or (self._owns(ref) and not self._comes_back(ref))
            work = Thread(target=self._end_after_kill, args=(ref, sure), daemon=True, name=THREAD_PREFIX)
            work.start()
        self._after_kill = work
        self._killed = True
        if work is not None and (sure or shared):
            work.join(KILL_SECONDS)
            self._kill_is_over = shared

    def _end_after_kill(self, ref: TaskRef, sure: bool) -> None:
        if not sure and not self._is_to_be_cancelled(ref):
            self.log.warning("%s %s goes on without this process.", ref.operation, ref.id)
        elif self._client is not None:
            cancel_if_running(
                self._client, ref, "the task was killed", KILL_IN_WORKER, lambda: self._may_cancel(ref)
            )

    def _may_cancel(self, ref: TaskRef) -> bool:
        """Whether a kill may still cancel: it has time left, and this object waits for that cloud task."""
        if self._kill_is_over or self._running != ref:
            return False
        self._running = None
        return True

    def _is_to_be_cancelled(self, ref: TaskRef) -> bool:
        comes_back = self._comes_back(ref)
        try:
            state = self._state(self._ti)
            decided = verdict(state, ref, owns=self._owns(ref), comes_back=comes_back)
            if decided == "ask about origin":
                decided = verdict_of_origin(self._state(ref))
        except Exception as error:  # it may be anything: the supervisor is ending this process
            self.log.warning("Airflow does not tell the task's state: %s", shown(error))
            return not comes_back
        return decided == "cancel"

    def _state(self, of: Any) -> str | None:
        states = self._ti.get_task_states(
            dag_id=of.dag_id, task_ids=[of.task_id], run_ids=[of.run_id], map_index=of.map_index
        )
        return own_state(states, of.run_id, of.task_id, of.map_index)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after a deferral; where Airflow itself gave up on it, cancel the cloud task first.

        Where only the trigger failed, it is left alone for whoever can wait for it again: a consumer, or the next try.

        :param next_method: As Airflow passes it.
        :param next_kwargs: As Airflow passes it.
        :param context: Airflow's context.
        """
        if next_method == TRIGGER_FAIL_REPR:
            self._ti = context["ti"]
            too_late = (next_kwargs or {}).get("error") == TriggerFailureReason.TRIGGER_TIMEOUT
            if too_late or (self.owns_task and not self._comes_back(None)):
                self._cancel_lost(context)
        return super().resume_execution(next_method, next_kwargs, context)

    def _cancel_lost(self, context: Context) -> None:
        try:
            lost = self._lost(context)
            if lost is not None:
                cancel_if_running(AsposeOcrHook(lost.conn_id).client, lost, "its deferral failed")
        except Exception as error:  # whatever it is, Airflow's own error says more about the task
            self.log.warning("Could not cancel the cloud task of a lost deferral: %s", shown(error))

    def _lost(self, context: Context) -> TaskRef | None:
        """Return the cloud task, of which Airflow passes nothing in that case."""
        return parse_task_ref(rendered(self.task))
