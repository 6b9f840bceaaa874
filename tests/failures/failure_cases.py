"""
What is done to a task in a case of the failure table, from outside: signals, buttons, and a cloud that misbehaves.

Invariant: an action knows that its moment has come because the cloud has seen a request or Airflow shows a state, never
because some time has passed. A case has a cloud and a connection of its own and disturbs no other case.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from demo.rest import AirflowRest

Mode = Literal["inline", "deferrable", "pipelined", "batch"]
#: Modes with one document.
MODES: tuple[Mode, ...] = ("inline", "deferrable", "pipelined")
#: The mode with many documents in one task, which waits in the worker, or in the triggerer if the variant says so.
BATCH_MODES: tuple[Mode, ...] = ("batch",)

#: Of a batch, unless the row says otherwise.
BATCH_DOCUMENTS = 5
#: Variants of a batch that begin like this leave their worker.
DEFERRED = "deferred"
POLL = "*GetTaskStatus"
#: How long a cloud task takes where the case decides when it is done, and how far its clock is then moved.
LONG_TASK_SECONDS = 100
#: Until the next step of a case must have been seen; generous, because the cases share the machine.
STEP_SECONDS = 150.0
LOOK_EVERY_SECONDS = 0.5


@dataclass
class Case:
    """
    One row of the table in one mode, on its way.

    :param variant: Which of the mode's DAGs.
    :param rest: Airflow.
    :param cloud: The cloud of this case.
    :param conf: Parameters of the run.
    :param cancels: How many cloud tasks are to be cancelled, at least.
    :param chance: Draws the small delays before actions.
    :param disturb: Does what hits all cases at once, as soon as all of them have called it.
    :param at_once: How many cloud tasks a batch has running before it waits.
    """

    mode: Mode
    variant: str
    rest: AirflowRest
    cloud: EmulatorControl
    conf: dict[str, str]
    cancels: int
    chance: random.Random
    disturb: Callable[[], object]
    at_once: int = 1
    run_id: str = ""
    #: When a user has killed; real time, like the emulator's journal until its clock is moved.
    killed_at: float | None = None

    @property
    def dag_id(self) -> str:
        return f"failure_{self.mode}_{self.variant}"

    @property
    def submitter(self) -> str:
        """The Airflow task that submits."""
        if self.mode in BATCH_MODES:
            return "read"
        return "submit" if self.mode == "pipelined" else "recognize"

    @property
    def waiter(self) -> str:
        """The Airflow task that waits."""
        if self.mode in BATCH_MODES:
            return "read"
        return "fetch" if self.mode == "pipelined" else "recognize"

    @property
    def in_worker(self) -> bool:
        """Whether the wait is in a worker, not in the triggerer."""
        if self.mode in BATCH_MODES:
            return not self.variant.startswith(DEFERRED)
        return self.mode == "inline" or self.variant.startswith("in_worker")

    @property
    def task_instance(self) -> dict[str, Any]:
        """The task that waits, as Airflow describes it."""
        return self.rest.task_instance(self.dag_id, self.run_id, self.waiter)

    @property
    def state(self) -> str | None:
        """The state of the task that waits."""
        state: str | None = self.task_instance["state"]
        return state

    def pause(self) -> None:
        """Let the seed choose the exact moment of what comes next."""
        time.sleep(self.chance.uniform(0, 1.5))

    def wait_until_it_waits(self) -> None:
        """Return when the task is where its mode waits and has asked the cloud."""
        state = "running" if self.in_worker else "deferred"
        self.rest.wait_for_task_state(self.dag_id, self.run_id, self.waiter, state, self.submitting_seconds)
        # A batch has asked before, in its worker.
        since = self.last_request() if self.mode in BATCH_MODES and not self.in_worker else 0
        self.cloud.wait_for_request("GET", POLL, timeout_seconds=STEP_SECONDS, since=since, answered=False)
        if self.mode in BATCH_MODES and self.in_worker:
            self._wait_until_all_are_polled()

    def last_request(self) -> int:
        """Return the number of the latest request that the cloud has seen."""
        return max((int(entry["n"]) for entry in self.cloud.journal()), default=0)

    @property
    def submitting_seconds(self) -> float:
        """How long to wait until all is submitted: a hundred documents take longer than five."""
        return STEP_SECONDS * max(1, self.at_once // 100)

    def wait_until(
        self, holds: Callable[[], object], what: str, timeout_seconds: float = STEP_SECONDS
    ) -> None:
        """Return when a condition is true."""
        deadline = time.monotonic() + timeout_seconds
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"Waited in vain: {what}")
            time.sleep(LOOK_EVERY_SECONDS)

    def _wait_until_all_are_polled(self) -> None:
        """Return when the cloud was asked about each of its tasks: then the journal has them all."""

        def polled() -> int:
            return len({entry["id"] for entry in self.cloud.journal() if entry["path"].endswith(POLL[1:])})

        self.wait_until(
            lambda: polled() >= self.at_once,
            f"{self.at_once} cloud tasks are asked for",
            self.submitting_seconds,
        )

    def wait_for_next_try(self, *states: str) -> None:
        """Return when the second attempt of the waiting task is in one of these states."""
        self.wait_until(lambda: self._is_in_next_try(states), f"try 2 is {' or '.join(states)}")

    def _is_in_next_try(self, states: tuple[str, ...]) -> bool:
        instance = self.task_instance
        return instance["try_number"] == 2 and instance["state"] in states

    def signal_process(self, task_id: str, number: signal.Signals) -> None:
        """Send a signal to the process of a running task; its supervisor is left alone."""
        instance = self.rest.task_instance(self.dag_id, self.run_id, task_id)
        assert instance["state"] == "running", f"{task_id} is {instance['state']}"
        os.kill(instance["pid"], number)

    def let_the_cloud_finish(self) -> None:
        """End all running cloud tasks."""
        self.cloud.advance_clock(LONG_TASK_SECONDS)

    def finish(self) -> None:
        """Let the cloud finish what it has and what comes, until the run has ended."""
        self.rest.wait_for_run(self.dag_id, self.run_id, STEP_SECONDS, self.let_the_cloud_finish)

    def wait_for_run(self) -> None:
        self.rest.wait_for_run(self.dag_id, self.run_id, STEP_SECONDS)

    def clear(self, *task_ids: str) -> None:
        """Clear tasks of the run, by default all."""
        self.rest.clear(self.dag_id, self.run_id, task_ids or None)

    def by_user(self, act: Callable[[], Any]) -> None:
        """Do what a user does to a task that waits, and note when; return when the cancels are there, if any are due."""
        self.wait_until_it_waits()
        self.pause()
        self.killed_at = time.time()
        act()
        self.wait_for_cancels()

    def wait_for_cancels(self) -> None:
        """Wait until all are cancelled that are to be, before the clock moves: they are not to complete meanwhile."""
        if self.cancels:
            self.cloud.wait_for_request(
                "DELETE", "*", self.cancels, timeout_seconds=STEP_SECONDS, answered=False
            )


def nothing(case: Case) -> None:
    """The faults of the row are all that happens."""
    case.wait_for_run()


def as_advised(case: Case) -> None:
    """A consumer fails and says which task to clear; the user does so."""
    case.wait_for_run()
    assert case.rest.run(case.dag_id, case.run_id)["state"] == "failed"
    case.clear(case.submitter)
    case.wait_for_run()


def clear_after_the_end(case: Case) -> None:
    case.wait_for_run()
    case.pause()
    case.clear()
    case.wait_for_run()


def kill_in_submit(case: Case) -> None:
    """SIGKILL the process that submits while the cloud holds one of its requests."""
    (rule,) = case.cloud.faults()
    case.cloud.wait_for_request("POST", rule["rule"]["path"], timeout_seconds=STEP_SECONDS, held=True)
    case.pause()
    case.signal_process(case.submitter, signal.SIGKILL)
    case.cloud.clear_faults()
    case.finish()


def _signal_while_it_waits(case: Case, number: signal.Signals) -> None:
    case.wait_until_it_waits()
    case.pause()
    case.signal_process(case.waiter, number)


def kill_while_it_waits(case: Case) -> None:
    """SIGKILL; the cloud task is not done before the retry is there."""
    _signal_while_it_waits(case, signal.SIGKILL)
    case.wait_for_next_try("running")
    case.finish()


def evict_while_it_waits(case: Case) -> None:
    """SIGTERM, as from a node that is drained."""
    _signal_while_it_waits(case, signal.SIGTERM)
    case.wait_for_next_try("running")
    case.finish()


def kill_in_the_last_try(case: Case) -> None:
    _signal_while_it_waits(case, signal.SIGKILL)
    case.wait_for_run()


def evict_in_the_last_try(case: Case) -> None:
    _signal_while_it_waits(case, signal.SIGTERM)
    case.wait_for_run()


def outage_until_it_fails(case: Case) -> None:
    """The faults last until a try has failed of them."""
    case.wait_for_next_try("running", "deferred")
    case.cloud.clear_faults()
    case.finish()


def disturb_while_it_waits(case: Case) -> None:
    """Something happens to Airflow; the cloud task is not done before it has been asked for again."""
    case.wait_until_it_waits()
    case.disturb()
    case.cloud.wait_for_request("GET", POLL, timeout_seconds=STEP_SECONDS, since=case.last_request())
    case.finish()


def disturb_with_the_event_under_way(case: Case) -> None:
    """The triggerer has seen the end of the cloud task, and Airflow has not heard of it yet."""
    case.wait_until_it_waits()
    case.cloud.add_faults({"kind": "hold", "method": "GET", "path": POLL})
    (held,) = case.cloud.wait_for_request("GET", POLL, timeout_seconds=STEP_SECONDS, held=True)
    case.let_the_cloud_finish()
    case.cloud.release()
    case.cloud.wait_for_request("GET", POLL, timeout_seconds=STEP_SECONDS, since=held["n"] - 1)
    case.disturb()
    # If Airflow knows that the task is completed, no process polls again.
    case.cloud.wait_for_request("GET", POLL, timeout_seconds=STEP_SECONDS, since=held["n"])
    case.wait_for_run()


def mark_failed(case: Case) -> None:
    case.by_user(lambda: case.rest.set_task_state(case.dag_id, case.run_id, case.waiter, "failed"))
    case.wait_for_run()


def mark_success(case: Case) -> None:
    case.by_user(lambda: case.rest.set_task_state(case.dag_id, case.run_id, case.waiter, "success"))
    case.wait_for_run()


def fail_the_run(case: Case) -> None:
    case.by_user(lambda: case.rest.set_run_state(case.dag_id, case.run_id, "failed"))
    case.wait_for_run()


def clear_what_waits(case: Case) -> None:
    """Clear the task that waits, and nothing else."""
    case.by_user(lambda: case.clear(case.waiter))
    case.wait_for_next_try("running", "deferred")
    case.finish()


def clear_the_run(case: Case) -> None:
    case.by_user(case.clear)
    case.wait_for_next_try("running", "deferred")
    case.finish()
