"""
What the operators and the sensor have in common: they wait for a cloud task with :class:`.TaskWait`.

On the last attempt, the cloud task is cancelled; if a retry is left, the cloud task is left running so that the retry can
re-attach.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason

from airflow_provider_asposeocr.api.errors import AsposeOcrError, WaitError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.config import default_seconds
from airflow_provider_asposeocr.failing import fail_with
from airflow_provider_asposeocr.lifecycle.cancel import cancel_if_running
from airflow_provider_asposeocr.lifecycle.event import outcome_of, seconds_of
from airflow_provider_asposeocr.lifecycle.policies import CANCEL_ON_KILL
from airflow_provider_asposeocr.lifecycle.wait import TaskWait
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.lifecycle.worker_kill import WaitRole, WorkerKill
from airflow_provider_asposeocr.metrics import count
from airflow_provider_asposeocr.operators.map_index import name_map_index
from airflow_provider_asposeocr.parameters import check_choice, check_seconds, rendered

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import BaseOperator, Context

    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.polling.plan import WaitPlan
    from airflow_provider_asposeocr.lifecycle.policies import CancelOnKill
    from airflow_provider_asposeocr.lifecycle.wait import Deferral
    from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger

    _Operator = BaseOperator
else:
    # A mixin: Airflow gives every class that derives from an operator a constructor of its own, which would hide the
    # sensor's.
    _Operator = object


def check_waiting(operator: WaitsForTask) -> None:
    """
    Check the parameters of a wait at parse time.

    :param operator: The operator, with its parameters set.
    :raises ValueError: if a number or a policy makes no sense.
    """
    numbers = WaitParameters.of(operator).to_dict()
    check_seconds(inline_wait_seconds=operator.inline_wait_seconds, **numbers)
    check_choice("cancel_on_kill", operator.cancel_on_kill, CANCEL_ON_KILL)


def has_retry_left(ti: Any) -> bool:
    """
    Tell whether Airflow would try a task again.

    :param ti: Its task instance, with the number of the present try.
    """
    return bool(ti.try_number <= getattr(ti, "max_tries", 0))


def _inline_seconds(operator: WaitsForTask) -> float:
    if not operator.deferrable:
        return math.inf
    given = operator.inline_wait_seconds
    return default_seconds("inline_wait_seconds") if given is None else float(given)


def plan_of(operator: WaitsForTask, context: Context) -> WaitPlan:
    """
    Make the plan of a wait that begins now.

    :param operator: The operator, with its parameters set.
    :param context: Airflow's context.
    """
    airflow_ends_at = math.inf
    if operator.execution_timeout is not None:
        # Airflow does not enforce it after a deferral, and elsewhere it leaves the cloud task running.
        started_at = context["ti"].start_date.timestamp()
        airflow_ends_at = started_at + operator.execution_timeout.total_seconds()
    return WaitParameters.of(operator).plan(time.time(), airflow_ends_at)


def _client_of(ref: TaskRef) -> CloudClient:
    # What it imports is for workers: parsing a DAG should not load it.
    from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

    return AsposeOcrHook(ref.conn_id).client


def _trigger_of(deferral: Deferral) -> AsposeOcrTaskTrigger:
    # A DAG that is parsed does not need it: the worker makes the trigger when it defers.
    from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger

    return AsposeOcrTaskTrigger(**deferral.trigger)


class WaitsForTask(_Operator):
    """What operators and the sensor have in common; mixed into them."""

    # Set in the constructors, which document them.
    deferrable: bool
    inline_wait_seconds: float | None
    cancel_on_kill: CancelOnKill
    execution_timeout: timedelta | None
    #: The task reference of a consumer.
    task: Any
    #: Why it starts in a worker although it was asked to start in the triggerer.
    starts_in_worker: str | None = None

    _wait: TaskWait | None = None

    @property
    def _kill(self) -> WorkerKill:
        # Made at its first use, because Airflow copies operators, and each copy is a task of its own. A signal may come
        # meanwhile.
        kill: WorkerKill = self.__dict__.setdefault("_kill_of_worker", WorkerKill())
        return kill

    def _role(self, context: Context, ref: TaskRef | None = None) -> WaitRole:
        """Return what this task has to do with a cloud task; by default with its own."""
        return WaitRole(has_retry_left=has_retry_left(context["ti"]), cancel_on_kill=self.cancel_on_kill)

    def _watch(self, ref: TaskRef, context: Context, client: CloudClient | None = None) -> TaskWait:
        """Begin to wait: a kill from now on finds the cloud task. Its handler may not ask Airflow for the connection."""
        if self._wait is None or client is not None or not self._kill.watches(ref):
            client = client or _client_of(ref)
            self._wait = TaskWait(ref, client, self._role(context, ref), self._kill, context["ti"])
        return self._wait

    def _wait_for(self, ref: TaskRef, context: Context, resume_method: str = "execute_complete") -> TaskWait:
        """Return when the cloud task is completed; otherwise raise, or defer. Then Airflow calls ``resume_method``."""
        if self.starts_in_worker is not None:
            self.log.info("start_from_trigger has no effect: %s.", self.starts_in_worker)
        wait = self._watch(ref, context)
        name_map_index(context, ref.source_name)
        deferral = wait.run(plan_of(self, context), _inline_seconds(self))
        if deferral is not None:
            trigger = _trigger_of(deferral)
            self.defer(trigger=trigger, method_name=resume_method, timeout=deferral.timeout)
        return wait

    def _resumed(self, event: Any, context: Context) -> TaskWait:
        """Return when the cloud task of a trigger's event is completed, otherwise raise."""
        try:
            ref, error = outcome_of(event)
        except WaitError:
            self._cancel_lost_task(context)
            raise
        name_map_index(context, ref.source_name)
        wait = self._watch(ref, context)
        wait.settle(error, seconds_of(event))
        return wait

    def _fail(self, error: AsposeOcrError, ref: TaskRef | None = None) -> NoReturn:
        """Fail so that Airflow retries only what a retry can solve. ``ref``: a cloud task that this one only consumes."""
        count("failures", operation=error.operation)
        fail_with(self.log, error, ref)

    def on_kill(self) -> None:
        """Cancel the cloud task if no retry will continue with it."""
        self._kill.arrive()

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """
        Go on after a deferral; where Airflow itself gave up on it, cancel the cloud task first.

        :param next_method: As Airflow passes it, like the other parameters.
        :param next_kwargs: Its arguments.
        :param context: Airflow's context.
        """
        if next_method == TRIGGER_FAIL_REPR:
            too_late = (next_kwargs or {}).get("error") == TriggerFailureReason.TRIGGER_TIMEOUT
            self._cancel_lost_task(context, too_late)
        return super().resume_execution(next_method, next_kwargs, context)

    def _cancel_lost_task(self, context: Context, too_late: bool = False) -> None:
        """Cancel the cloud task of a lost deferral, unless a consumer or the next try can wait for it again."""
        try:
            role = self._role(context)
            if too_late or (role.submitted_it and not role.has_retry_left):
                lost = self._find_lost_task(context)
                if lost is not None:
                    cancel_if_running(_client_of(lost), lost, "its deferral failed")
        except Exception as error:  # Airflow's own error, which follows, says more about the task.
            self.log.warning("Could not cancel the cloud task of a lost deferral: %s", shown(error))

    def _find_lost_task(self, context: Context) -> TaskRef | None:
        """Return the cloud task of a lost deferral, of which Airflow passes nothing."""
        return parse_task_ref(rendered(self.task))
