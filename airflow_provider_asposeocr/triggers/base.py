"""
What the triggers of this provider have in common: a poll, and a user's kill.

Invariant: a trigger only asks for the status and, where a cloud task is not wanted any more, cancels. It never submits,
which could be billed twice since a trigger may run twice, and never downloads. On a kill it cancels nothing unless Airflow
says that a user has ended the Airflow task.
"""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from airflow.triggers.base import BaseTrigger

from airflow_provider_asposeocr.api.errors import AsposeOcrError, WaitError
from airflow_provider_asposeocr.api.http.retrying import ONCE
from airflow_provider_asposeocr.api.polling.durations import DurationBook
from airflow_provider_asposeocr.api.polling.poller import Finished
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.clients import loop_clients
from airflow_provider_asposeocr.compat import AirflowNotFoundException
from airflow_provider_asposeocr.connection import mask_token, read_account
from airflow_provider_asposeocr.lifecycle.kills import own_state

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_asposeocr.api.async_client import AsyncCloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef, TaskState

log = logging.getLogger(__name__)

#: All that a kill may take. Airflow grants 30 s by default ([triggerer] on_kill_timeout), and waits no longer.
KILL_SECONDS = 29.0
#: The first question for a task's state per event loop. It takes up to 17 s, measured, because it builds Airflow's API
#: in the process; a kill should not have to wait for that.
_first_questions: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[bool]] = WeakKeyDictionary()
#: What each event loop has learned of how long tasks take, by connection: clouds differ in speed.
_books: WeakKeyDictionary[asyncio.AbstractEventLoop, defaultdict[str, DurationBook]] = WeakKeyDictionary()


def book_of(conn_id: str) -> DurationBook:
    """
    Return what the running event loop has learned of how long the tasks of a connection take.

    :param conn_id: Airflow connection.
    """
    return _books.setdefault(asyncio.get_running_loop(), defaultdict(DurationBook))[conn_id]


class CloudTrigger(BaseTrigger):
    """
    A trigger that polls cloud tasks, and cancels them when a user kills its Airflow task.

    :cvar cancel_on_kill: ``never`` = a user's kill leaves the cloud tasks running; anything else = it cancels them.
    """

    cancel_on_kill: str

    def render_template_fields(self, context: Context, jinja_env: Any = None) -> None:
        """
        Render nothing: no argument is a template, and ids are foreign text.

        Airflow calls this wherever the operator has started in the triggerer, for later waits as well.

        :param context: As Airflow passes it.
        :param jinja_env: As Airflow passes it.
        """

    async def on_kill(self) -> None:
        """
        Cancel the cloud tasks, because a user killed the Airflow task.

        Airflow also calls this when it only moves a trigger, and cancels the call again every second. So the work runs in
        a task of its own, which first asks Airflow whether a user has ended the Airflow task.
        """
        if self.cancel_on_kill == "never":
            return
        work = asyncio.create_task(asyncio.wait_for(self._kill(), KILL_SECONDS))
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                continue
            except Exception:
                break
        if not work.cancelled() and (error := work.exception()):
            log.warning("Could not cancel: %s %s", type(error).__name__, shown(error))

    @abstractmethod
    async def _kill(self) -> None:
        """Cancel what still runs, if :meth:`_is_killed`."""

    @abstractmethod
    async def _is_killed(self) -> bool:
        """
        Ask Airflow whether a user wants the cloud tasks over.

        If Airflow does not answer, they are left alone: they end by themselves, and a cancel while an Airflow task still
        waits for them would bill their documents twice.
        """

    def _warm_up(self) -> None:
        """Ask for the task's state once per process, long before a kill has to."""
        loop = asyncio.get_running_loop()
        if loop not in _first_questions and self.task_instance is not None:
            _first_questions[loop] = loop.create_task(self._is_killed())

    async def _client(self, conn_id: str) -> AsyncCloudClient:
        return await loop_clients(mask_token).client(conn_id, read_account)

    async def _ask(self, ref: TaskRef) -> TaskState | AsposeOcrError | Finished:
        """Return the cloud's answer, or the error of the poll; finished = another poll cannot succeed."""
        try:
            # Looked up for each poll, so that running waits use changed credentials.
            client = await self._client(ref.conn_id)
            return await client.status(ref.operation, ref.id, ONCE)
        except AsposeOcrError as error:
            problem = error
        except AirflowNotFoundException as error:
            text = f"There is no connection {shown(ref.conn_id, 200)!r}: {shown(error)}."
            return Finished(WaitError(text).about(ref.operation, ref.id))
        except Exception as error:  # a secrets backend, or Airflow's API while it restarts
            problem = WaitError(f"The connection cannot be read: {type(error).__name__}: {shown(error)}.")
            problem.about(ref.operation, ref.id)
        return problem

    @staticmethod
    async def _state(
        dag_id: str | None, run_id: str | None, task_id: str | None, map_index: int | None
    ) -> str | None:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import GetTaskStates

        question = GetTaskStates(
            dag_id=dag_id or "", task_ids=[task_id or ""], run_ids=[run_id or ""], map_index=map_index
        )
        answer = await task_runner.SUPERVISOR_COMMS.asend(question)
        return own_state(getattr(answer, "task_states", {}), run_id or "", task_id or "", map_index)
