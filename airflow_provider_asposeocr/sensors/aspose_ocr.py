"""
The sensor for a cloud task.

It waits with the operators' code (:mod:`..operators.waiting`), and cancels a cloud task when it gives up on it.
"""

from __future__ import annotations

import time
from random import random
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.configuration import conf
from airflow.sdk import BaseSensorOperator

# It moved between versions, and this is the one that the base class raises.
from airflow.sdk.bases.sensor import AirflowSkipException  # type: ignore[attr-defined]  # not exported there

from airflow_provider_asposeocr.api.errors import AsposeOcrError, TaskTimeoutError
from airflow_provider_asposeocr.api.polling.poller import Finished, Poller
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.compat import AirflowSensorTimeout
from airflow_provider_asposeocr.failing import fail_task
from airflow_provider_asposeocr.metrics import count
from airflow_provider_asposeocr.operators.map_index import name_map_index
from airflow_provider_asposeocr.operators.start_from_trigger import set_start_trigger_args
from airflow_provider_asposeocr.operators.waiting import WaitsForTask, check_waiting, plan_of
from airflow_provider_asposeocr.parameters import check_one_document, check_seconds, one_document, rendered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_asposeocr.lifecycle.policies import CancelOnKill


class AsposeOcrTaskSensor(WaitsForTask, BaseSensorOperator):
    """
    Wait until a cloud task is completed, and fail if the cloud task failed.

    :param task: The task reference.
    :param deferrable: Whether to wait in the triggerer; by default ``[operators] default_deferrable``. Otherwise the
        sensor pokes, in ``mode`` ``poke`` or ``reschedule``.
    :param start_from_trigger: Whether the wait begins in the triggerer, without a worker before it (Airflow 3.3,
        ``deferrable=True``); by default it does not.
    :param poke_interval: Seconds between two pokes. Used only with ``deferrable=False``. The default is 10 and not
        Airflow's 60, because cloud tasks are short.
    :param timeout: Seconds until the sensor gives up and cancels the cloud task; by default Airflow's for sensors. The
        cloud's own 24 hours end the wait in any case.
    :param inline_wait_seconds: How long to wait in the worker before deferring. This parameter and the two below are
        used only with ``deferrable=True``, and have the defaults of :class:`.AsposeOcrSubmitOperator`.
    :param poll_interval_seconds: Shortest time between two polls.
    :param max_poll_interval_seconds: Longest time between two polls.
    :param cancel_on_kill: Whether killing the sensor cancels the cloud task.
    :return: The task reference.
    """

    template_fields: Sequence[str] = ("task",)

    # Between two pokes of one process; in the mode "reschedule" each poke is a process of its own.
    _poller: Poller | None = None
    _ask_again_at = 0.0
    ui_color = "#e6f1f2"

    def __init__(
        self,
        *,
        task: Any,
        poke_interval: float = 10,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        start_from_trigger: bool = False,
        inline_wait_seconds: float | None = None,
        poll_interval_seconds: float | None = None,
        max_poll_interval_seconds: float | None = None,
        cancel_on_kill: CancelOnKill = "last_try",
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.task = task
        self.deferrable = deferrable
        self.inline_wait_seconds = inline_wait_seconds
        self.poll_interval_seconds = poll_interval_seconds
        self.max_poll_interval_seconds = max_poll_interval_seconds
        self.timeout_seconds = self.timeout
        self.cancel_on_kill = cancel_on_kill
        check_one_document(self, task=task)
        check_seconds(timeout=self.timeout)
        check_waiting(self)
        set_start_trigger_args(self, start_from_trigger, "task", task)

    def execute(self, context: Context) -> dict[str, Any]:
        """
        Wait.

        :param context: Airflow's context.
        :return: The task reference.
        """
        ref = self._ref()
        name_map_index(context, ref.source_name)
        try:
            super().execute(context)
        except (AirflowSensorTimeout, AirflowSkipException):
            # Airflow's own time-out, which soft_fail turns into a skip. Other ends have settled what there was.
            if self._wait is not None:
                self._wait.cancel("the sensor has timed out")
            raise
        return ref.to_dict()

    def _fail(self, error: AsposeOcrError, ref: TaskRef | None = None) -> NoReturn:
        error.place = "task"
        if isinstance(error, TaskTimeoutError):
            count("failures", operation=error.operation)
            fail_task(self.log, str(error), AirflowSensorTimeout(str(error)))
        super()._fail(error, ref)

    def execute_complete(self, context: Context, event: Any = None) -> dict[str, Any]:
        """
        Go on after the trigger has fired.

        :param context: Airflow's context.
        :param event: The trigger's event.
        :return: The task reference.
        """
        try:
            return self._resumed(event, context).ref.to_dict()
        except AsposeOcrError as error:
            self._fail(error, self._wait.ref if self._wait else None)

    def poke(self, context: Context) -> bool:
        """
        Ask once; or, to defer, wait as operators do. Airflow's loop around it knows ``soft_fail`` and the like.

        :param context: Airflow's context.
        :return: Whether the cloud task is completed.
        """
        ref = self._ref()
        try:
            if self.deferrable:
                self._wait_for(ref, context)
                return True
            return self._is_completed(ref, context)
        except AsposeOcrError as error:
            self._fail(error, ref)

    def _is_completed(self, ref: TaskRef, context: Context) -> bool:
        if time.time() < self._ask_again_at:
            return False
        wait = self._watch(ref, context)
        if self._poller is None:
            self._poller = Poller(ref, plan_of(self, context), random)
        following = wait.poll(self._poller)
        if isinstance(following, Finished):
            wait.settle(following.error, following.seconds)
            return True
        if following.asked_seconds:
            # How often to poke is the user's; only what the cloud has asked for comes before it.
            self._ask_again_at = time.time() + following.seconds
        return False

    def _ref(self) -> TaskRef:
        try:
            return parse_task_ref(one_document(self, "task", rendered(self.task)))
        except AsposeOcrError as error:
            self._fail(error)
