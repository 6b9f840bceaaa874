"""
Airflow's states by name, and what a signal handler may do: it asks nothing, waits for no lock, and logs only what is
true.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.supervisor import InProcessSupervisorComms

from airflow_provider_asposeocr.api.errors import WaitError
from airflow_provider_asposeocr.api.files.contents import Spool
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.lifecycle import worker_kill
from airflow_provider_asposeocr.lifecycle.kills import decide_after_kill
from tests.support.airflow_tasks import context_for, deferral, execute, resume
from tests.support.emulated_cloud import STATUS, STUCK, deletes
from tests.support.ocr_tasks import REF, fetch, recognize
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from tests.support.task_instances import Instance

TASK = TaskRef.model_validate(REF)


@pytest.mark.parametrize(
    ("state", "owner", "consumer"),
    [
        ("failed", "cancel", "cancel"),
        ("success", "cancel", "cancel"),
        ("skipped", "cancel", "cancel"),
        ("upstream_failed", "cancel", "cancel"),
        ("removed", "cancel", "cancel"),
        (None, "cancel", "ask about origin"),
        ("restarting", "cancel", "ask about origin"),
        ("scheduled", "cancel", "ask about origin"),
        ("queued", "cancel", "ask about origin"),
        ("running", "leave", "leave"),
        ("deferred", "leave", "leave"),
        ("up_for_retry", "leave", "leave"),
        ("up_for_reschedule", "leave", "leave"),
    ],
)
def test_what_each_state_says_while_a_try_is_left(state: str | None, owner: str, consumer: str) -> None:
    """By name: a table made of the module's own sets would move with them."""
    assert decide_after_kill(state, TASK, owns=True, comes_back=True) == owner
    assert decide_after_kill(state, TASK, owns=False, comes_back=True) == consumer


def waiting(cloud: EmulatorControl, operator: Any, context: Any) -> tuple[threading.Thread, list[str]]:
    """Return a worker's thread that waits for its cloud task, and the list that takes how it ended."""
    ends: list[str] = []

    def work() -> None:
        try:
            execute(operator, context)
        except WaitError as error:
            ends.append(str(error))

    worker = threading.Thread(target=work)
    worker.start()
    cloud.wait_for_request("GET", STATUS)
    return worker, ends


def unable(*_: Any, **__: Any) -> Any:
    raise RuntimeError("the supervisor is gone")


class TestAirflowDoesNotTell:
    """The supervisor may be gone already when the signal comes."""

    def test_with_a_try_left_the_cloud_task_goes_on(self, cloud: EmulatorControl, instance: Instance) -> None:
        cloud.add_faults(STUCK)
        instance.try_number += 1
        operator = instance.operator(deferrable=False)
        context = instance.context(operator)
        context["ti"].get_task_states = unable
        worker, ends = waiting(cloud, operator, context)
        operator.on_kill()
        worker.join()
        assert len(ends) == 1
        assert not deletes(cloud)

    def test_who_does_not_cancels(self, cloud: EmulatorControl, page: str, tmp_path: Path) -> None:
        cloud.add_faults(STUCK)
        ref = execute(recognize(page, wait_for_completion=False))
        operator = fetch(ref, f"{tmp_path}/out/", deferrable=False)
        context = context_for(operator)
        context["ti"].get_task_states = unable
        worker, ends = waiting(cloud, operator, context)
        operator.on_kill()
        worker.join()
        assert len(ends) == 1
        assert [entry["id"] for entry in deletes(cloud)] == [ref["id"]]


def test_the_handler_does_not_wait_for_airflow_s_answer(cloud: EmulatorControl, instance: Instance) -> None:
    """The interrupted code may hold the lock that the question to Airflow needs, and continues only after the handler."""
    cloud.add_faults(STUCK)
    instance.try_number += 1
    operator = instance.operator(wait_for_completion=False)
    context = instance.context(operator)
    execute(operator, context)
    lock, ask = threading.Lock(), context["ti"].get_task_states

    def locked(**question: Any) -> Any:
        with lock:
            return ask(**question)

    context["ti"].get_task_states, context["ti"].state = locked, "failed"
    began = time.monotonic()
    with lock:
        operator.on_kill()
        assert time.monotonic() - began < worker_kill.KILL_SECONDS / 2
        assert not deletes(cloud)
    operator._kill.thread.join(PATIENCE_SECONDS)
    assert len(deletes(cloud)) == 1


class TestInOneProcessWithOtherTasks:
    """`dag.test()` runs task after task in one process, over one connection to Airflow."""

    @pytest.fixture(autouse=True)
    def shared_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        comms = InProcessSupervisorComms(supervisor=None)  # type: ignore[arg-type]  # asked nothing
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)

    @staticmethod
    def submitted(instance: Instance, answer: threading.Event) -> Any:
        """An operator with a cloud task that runs, which Airflow will call dead once it answers."""
        instance.try_number += 1
        operator = instance.operator(wait_for_completion=False)
        context = instance.context(operator)
        execute(operator, context)
        ti = context["ti"]
        ti.state, ask = "failed", ti.get_task_states

        def slow(**question: Any) -> Any:
            assert answer.wait(PATIENCE_SECONDS)
            return ask(**question)

        ti.get_task_states = slow
        return operator

    def test_the_thread_is_over_when_the_next_task_begins(
        self, cloud: EmulatorControl, instance: Instance
    ) -> None:
        cloud.add_faults(STUCK)
        answer = threading.Event()
        operator = self.submitted(instance, answer)
        timer = threading.Timer(0.5, answer.set)
        timer.start()
        operator.on_kill()
        assert not operator._kill.thread.is_alive()
        assert len(deletes(cloud)) == 1
        timer.join()

    def test_a_thread_that_is_late_does_nothing_any_more(
        self, cloud: EmulatorControl, instance: Instance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(worker_kill, "KILL_SECONDS", 0.1)
        cloud.add_faults(STUCK)
        answer = threading.Event()
        operator = self.submitted(instance, answer)
        operator.on_kill()
        answer.set()
        operator._kill.thread.join(PATIENCE_SECONDS)
        assert not deletes(cloud)
        assert instance.run()["id"] == cloud.tasks()[0]["id"]


def test_a_thread_cancels_only_what_was_waited_for_when_the_signal_came(
    cloud: EmulatorControl, instance: Instance
) -> None:
    cloud.add_faults({**STUCK, "count": 2})
    answer = threading.Event()
    operator = TestInOneProcessWithOtherTasks.submitted(instance, answer)
    operator.on_kill()
    operator._wait.settle(None)
    other = TaskRef.model_validate(execute(recognize(instance._source, wait_for_completion=False)))
    operator._watch(other, instance.context(operator))
    answer.set()
    operator._kill.thread.join(PATIENCE_SECONDS)
    assert not deletes(cloud)


def test_who_was_killed_before_the_first_poll_does_not_defer(
    cloud: EmulatorControl, page: str, tmp_path: Path
) -> None:
    cloud.add_faults(STUCK)
    ref = execute(recognize(page, wait_for_completion=False))
    operator = fetch(ref, f"{tmp_path}/out/", deferrable=True, inline_wait_seconds=0)
    operator.on_kill()
    with pytest.raises(WaitError, match="killed while it waited"):
        execute(operator)


@pytest.mark.parametrize("policy", ["last_try", "always", "never"])
def test_the_trigger_learns_the_policy(cloud: EmulatorControl, page: str, policy: str) -> None:
    operator = recognize(page, deferrable=True, inline_wait_seconds=0, cancel_on_kill=policy)
    assert deferral(operator).trigger.serialize()[1]["cancel_on_kill"] == policy


@pytest.mark.parametrize("policy", ["last_try", "always"])
class TestWhileTheResultComes:
    """The result is paid for, and a DELETE would remove it while it is read."""

    @pytest.fixture
    def operator(self, cloud: EmulatorControl, page: str, tmp_path: Path, policy: str) -> Any:
        return fetch(execute(recognize(page)), f"{tmp_path}/out/", cancel_on_kill=policy)

    @pytest.mark.parametrize("resumed", [False, True], ids=["inline", "after a deferral"])
    def test_a_kill_before_its_first_byte_deletes_nothing(
        self, cloud: EmulatorControl, operator: Any, tmp_path: Path, resumed: bool
    ) -> None:
        cloud.add_faults({"kind": "hold", "method": "GET", "path": "RecognizeImage"})
        worker = fetching(operator, resumed)
        cloud.wait_for_request("GET", "RecognizeImage", held=True)
        kill_without_a_look(cloud, operator)
        cloud.release()
        worker.join()
        assert deletes(cloud) == []
        assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["page.txt"]

    def test_nor_does_one_after_it(
        self, cloud: EmulatorControl, operator: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun, go_on = threading.Event(), threading.Event()
        write = Spool.write

        def stopped(spool: Spool, piece: bytes) -> None:
            begun.set()
            assert go_on.wait(PATIENCE_SECONDS)
            write(spool, piece)

        monkeypatch.setattr(Spool, "write", stopped)
        worker = fetching(operator)
        assert begun.wait(PATIENCE_SECONDS)
        kill_without_a_look(cloud, operator)
        go_on.set()
        worker.join()
        assert deletes(cloud) == []
        assert [path.name for path in (tmp_path / "out").iterdir() if path.is_file()] == ["page.txt"]


def fetching(operator: Any, resumed: bool = False) -> threading.Thread:
    """Return a worker that fetches, of a task that a user has failed meanwhile."""
    context = context_for(operator)
    context["ti"].state = "failed"
    event = {"status": "completed", "task": operator.task, "error": None}
    work, arguments = (resume, (operator, event, context)) if resumed else (execute, (operator, context))
    worker = threading.Thread(target=work, args=arguments)
    worker.start()
    return worker


def kill_without_a_look(cloud: EmulatorControl, operator: Any) -> None:
    """Kill the operator while status requests fail, so that only the fetch under way can keep it from a DELETE."""
    cloud.add_faults({"kind": "status", "status": 503, "path": STATUS, "probability": 1.0})
    operator.on_kill()
    if operator._kill.thread is not None:
        operator._kill.thread.join(PATIENCE_SECONDS)
