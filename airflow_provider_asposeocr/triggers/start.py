"""
The trigger of a task that starts in the triggerer, without a worker process before it.

Invariant: the template of the task reference comes from the DAG author and is rendered once. Its result is untrusted: it
must be a task reference, or the wait fails. No argument has the name of an operator's template field.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from datetime import UTC
from typing import TYPE_CHECKING, Any

from airflow.exceptions import AirflowConfigException
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import TriggerEvent

from airflow_provider_asposeocr.api.errors import AsposeOcrError, InputError, WaitError
from airflow_provider_asposeocr.api.polling.deadlines import start_of
from airflow_provider_asposeocr.api.polling.plan import WaitPlan
from airflow_provider_asposeocr.api.polling.poller import Finished
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.lifecycle.event import event_of
from airflow_provider_asposeocr.lifecycle.wait_plan import WaitParameters
from airflow_provider_asposeocr.parameters import rendered
from airflow_provider_asposeocr.triggers.task import AsposeOcrTaskTrigger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from airflow.sdk import Context

log = logging.getLogger(__name__)

#: Longest time until Airflow has answered what a template asks for. A question that the triggerer does not know is never
#: answered; the first one that it knows was measured to take 17 s, because it builds Airflow's API in the process.
RENDER_SECONDS = 120.0
#: Between two attempts while Airflow's API refuses to answer.
AGAIN_SECONDS = 2.0
#: What an XCom that is not there renders to, with and without ``tojson``.
NOTHING = ("null", "None", "")


class AsposeOcrStartTrigger(AsposeOcrTaskTrigger):
    """
    Find the task reference, then wait as :class:`.AsposeOcrTaskTrigger` does.

    Airflow makes it from ``start_trigger_args``; no operator defers to it. What is ``None`` is read from Airflow's
    configuration here, as a worker would, so that a changed value needs no new deployment of DAGs.

    :param template: The operator's field as it stands in the DAG: a Jinja template or a literal task reference.
    :param field: Name of that field, for messages.
    :param backstop_seconds: After how long Airflow ends the deferral.
    :param parameters: :class:`.WaitParameters` in JSON.
    :param cancel_on_kill: As in :class:`.AsposeOcrTaskTrigger`.
    """

    def __init__(
        self,
        template: str | dict[str, Any],
        field: str,
        backstop_seconds: float,
        parameters: dict[str, float | None],
        cancel_on_kill: str = "always",
    ) -> None:
        self._arguments: dict[str, Any] = {
            "template": template,
            "field": field,
            "backstop_seconds": backstop_seconds,
            "parameters": parameters,
            "cancel_on_kill": cancel_on_kill,
        }
        self._context: Context | None = None
        # run() reads the rest, because an exception here, for example about the configuration, would end the triggerer.
        super().__init__(reference={}, plan=WaitPlan(0.0).to_dict(), cancel_on_kill=cancel_on_kill)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and exactly the arguments of the constructor."""
        return f"{type(self).__module__}.{type(self).__qualname__}", dict(self._arguments)

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """
        Keep the context for :meth:`run`, which can handle errors, and requests to Airflow that are not answered.

        :param context: Airflow's context.
        :param jinja_env: Not used.
        """
        self._context = context

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Render the task reference, wait, and fire one event; an error becomes an event, too."""
        try:
            self._begin(await self._find())
        except AsposeOcrError as error:
            problem: AsposeOcrError | None = error
        except Exception as error:  # The task would see an exception only as "trigger failure".
            problem = WaitError(f"The wait could not begin: {type(error).__name__}: {shown(error)}.")
        else:
            problem = None
        if problem is not None:
            log.error("%s", problem.message)
            yield TriggerEvent(event_of(None, Finished(problem)))
            return
        async for event in super().run():
            yield event

    def _begin(self, ref: TaskRef) -> None:
        """Set the reference and the plan of the wait. They are the same after each restart of the triggerer."""
        self.reference = ref.to_dict()
        allowed = self._arguments["backstop_seconds"]
        if (limit := getattr(self.task, "execution_timeout", None)) is not None:
            allowed = min(allowed, limit.total_seconds())
        airflow_ends_at = _epoch(getattr(self, "timeout_after", None))
        began_at = start_of(airflow_ends_at, allowed, ref.submitted_epoch, time.time())
        try:
            parameters = WaitParameters.from_dict(self._arguments["parameters"])
            self.plan = parameters.plan(began_at, airflow_ends_at).to_dict()
        except AirflowConfigException as error:
            raise InputError(f"[aspose_ocr] in the triggerer's configuration: {shown(error)}") from None

    async def _find(self) -> TaskRef:
        found = rendered(await self._rendered())
        try:
            return parse_task_ref(found)
        except InputError as error:
            # Without the text itself, because a wrong template may render to a secret.
            what = "nothing" if found in NOTHING else f"a {type(found).__name__}"
            text = f"{self._field} was rendered in the triggerer to {what}. {error.message}"
            raise InputError(text) from None

    async def _rendered(self) -> Any:
        context, self._context = self._context, None
        if context is None:
            raise WaitError("Airflow has passed no context to the trigger, so that nothing can be rendered.")
        problem = "Airflow has not answered what it asks for"
        try:
            async with asyncio.timeout(RENDER_SECONDS):
                while True:
                    try:
                        return self.render_template(self._arguments["template"], context)
                    except AirflowRuntimeError as error:  # For example, Airflow's API server restarts.
                        problem = shown(error)
                    await asyncio.sleep(AGAIN_SECONDS)
        except TimeoutError:
            text = f"The template of {self._field} was not rendered within {RENDER_SECONDS:.0f} s: {problem}."
            raise WaitError(text) from None
        except Exception as error:  # The author's template may raise any exception.
            text = f"The template of {self._field} cannot be rendered in the triggerer: {shown(error)}."
            raise InputError(text) from error

    @property
    def _field(self) -> str:
        return str(self._arguments["field"])


def _epoch(at: datetime | None) -> float:
    """Return seconds since the epoch; infinity for ``None``."""
    if at is None:
        return math.inf
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
