"""
The kill of a worker process that waits for a cloud task.

On the last attempt, the cloud task is cancelled; if a retry is left, the cloud task is left running so that the retry can
re-attach. A signal does not say whether a user has killed the task or its machine is going away. Where that matters, a
thread asks Airflow, which the signal handler itself may not do: the code that the signal interrupted may hold the locks
for that. For the same reason, and because the cloud may not answer, cancelling is a thread with little time, too.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import WaitError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import runs_in_shared_process
from airflow_provider_asposeocr.lifecycle.cancel import KILL_IN_WORKER, cancel_if_running
from airflow_provider_asposeocr.lifecycle.kills import decide_after_kill, decide_by_origin, own_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.client import CloudClient
    from airflow_provider_asposeocr.api.responses import TaskRef
    from airflow_provider_asposeocr.lifecycle.policies import CancelOnKill

log = logging.getLogger(__name__)

#: Airflow ends the process five seconds after the signal of a kill.
KILL_SECONDS = 3.0
#: Name of the thread of a kill, so that a test can wait for it.
THREAD_NAME = "aspose-ocr-kill"
#: A wait notices a kill after at most this time.
SLICE_SECONDS = 0.5


def _nothing() -> None:
    """Forget nothing: a consumer has no record of the cloud task."""


@dataclass(frozen=True)
class WaitRole:
    """
    The relation of an Airflow task to the cloud task that it waits for. By default it only consumes its result.

    :param submitted_it: Whether this Airflow task submitted the cloud task, so that its own retry submits it again.
    :param has_retry_left: Whether a later try of this Airflow task will continue with the cloud task.
    :param cancel_on_kill: The user's policy, see :class:`.AsposeOcrSubmitOperator`.
    :param forget: Called when no later try needs to find the cloud task any more.
    """

    submitted_it: bool = False
    has_retry_left: bool = False
    cancel_on_kill: CancelOnKill = "last_try"
    forget: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Watched:
    """
    The cloud task that a kill would cancel, with all that a signal handler needs in memory.

    :param ref: The cloud task.
    :param client: Client of its account.
    :param role: What this Airflow task has to do with it.
    :param ti: Airflow's task instance; ``None`` where no Airflow task is known.
    """

    ref: TaskRef
    client: CloudClient
    role: WaitRole
    ti: Any


class WorkerKill:
    """
    Whether this worker process was told to end, and what becomes of the cloud task then.

    In ``dag.test()`` other tasks run in this process afterwards, with the same connection to Airflow, whose answers the
    thread could take away from them. There the thread is waited for in any case, and does nothing after that.
    """

    def __init__(self) -> None:
        self.killed = False
        self.thread: Thread | None = None
        self._watched: Watched | None = None
        #: Whether the process has gone on to other tasks, so that the thread may do nothing any more.
        self._is_over = False

    def watch(self, watched: Watched) -> None:
        """
        Let a kill from now on find a cloud task.

        :param watched: The cloud task.
        """
        self._watched = watched

    def watches(self, ref: TaskRef) -> bool:
        """
        Tell whether a kill would find a cloud task.

        :param ref: The cloud task.
        """
        return self._watched is not None and self._watched.ref == ref

    def release(self, ref: TaskRef) -> bool:
        """
        Let a kill from now on find nothing to cancel.

        :param ref: The cloud task whose wait is over, or that is being cancelled.
        :return: Whether a kill would have found that cloud task until now.
        """
        if not self.watches(ref):
            return False
        self._watched = None
        return True

    def arrive(self) -> None:
        """Cancel the cloud task if no retry will continue with it; runs in a signal handler, with objects in memory only."""
        work, watched, shared, sure = None, self._watched, runs_in_shared_process(), False
        if watched is not None and watched.role.cancel_on_kill != "never":
            role = watched.role
            sure = role.cancel_on_kill == "always" or (role.submitted_it and not role.has_retry_left)
            work = Thread(target=self._end, args=(watched, sure), daemon=True, name=THREAD_NAME)
            work.start()
        self.thread = work
        self.killed = True
        if work is not None and (sure or shared):
            work.join(KILL_SECONDS)
            self._is_over = shared

    def sleep(self, seconds: float) -> None:
        """
        Sleep, but not beyond a kill.

        :param seconds: How long.
        """
        until = time.monotonic() + seconds
        # A signal does not end a sleep, it only interrupts it.
        while not self.killed and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, SLICE_SECONDS))

    def stop_if_killed(self, ref: TaskRef) -> None:
        """
        End the wait for a cloud task if this process was told to end.

        :param ref: The cloud task.
        :raises WaitError: if it was.
        """
        if not self.killed:
            return
        if self.thread is not None:
            self.thread.join(KILL_SECONDS)
        raise WaitError("The task was killed while it waited.").about(ref.operation, ref.id)

    def _end(self, watched: Watched, sure: bool) -> None:
        ref = watched.ref
        if not sure and not _is_to_be_cancelled(watched):
            log.warning("%s %s continues without this process.", ref.operation, ref.id)
            return
        cancel_if_running(
            watched.client, ref, "the task was killed", KILL_IN_WORKER, lambda: self._may_cancel(ref)
        )

    def _may_cancel(self, ref: TaskRef) -> bool:
        """Whether the thread may still cancel: it has time left, and the wait for that cloud task is not over."""
        return not self._is_over and self.release(ref)


def _is_to_be_cancelled(watched: Watched) -> bool:
    """Ask Airflow whether a user has ended the task."""
    ref, role, ti = watched.ref, watched.role, watched.ti
    try:
        decided = decide_after_kill(
            state_of(ti, ti), ref, owns=role.submitted_it, comes_back=role.has_retry_left
        )
        if decided == "ask about origin":
            decided = decide_by_origin(state_of(ti, ref))
    except Exception as error:  # it may be anything: the supervisor is ending this process
        log.warning("Airflow does not return the task's state: %s", shown(error))
        return not role.has_retry_left
    return decided == "cancel"


def state_of(ti: Any, of: Any) -> str | None:
    """
    Ask Airflow for the state of a task instance. Blocks.

    :param ti: The running task instance, through which Airflow is asked.
    :param of: What has the ``dag_id``, ``run_id``, ``task_id`` and ``map_index`` of the one in question: the same task
        instance, or a task reference.
    :return: For example ``running``; ``None`` where it has none.
    :raises Exception: any error of Airflow's API, above all while its supervisor ends the process.
    """
    states = ti.get_task_states(
        dag_id=of.dag_id, task_ids=[of.task_id], run_ids=[of.run_id], map_index=of.map_index
    )
    return own_state(states, of.run_id, of.task_id, of.map_index)
