"""The launcher itself: a real Airflow comes up, runs a deferring DAG, survives a kill, leaves nothing."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from demo.local_airflow import LocalAirflow
from demo.processes import ServiceError, session_members
from demo.rest import AirflowRest
from demo.rest_session import HttpError, RestError

if TYPE_CHECKING:
    from pathlib import Path

DAG = """
from __future__ import annotations
from datetime import timedelta
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, dag, task

class Park(BaseOperator):
    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=6)), method_name="resume")

    def resume(self, context, event=None):
        return context["dag_run"].conf["answer"]

@dag(schedule=None)
def parked():
    @task
    def hello():
        print("hello from a worker")
    hello() >> Park(task_id="wait")

parked()
"""


@pytest.mark.airflow
def test_runs_a_deferring_dag_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "parked.py").write_text(DAG)
    # the launcher ignores the shell's settings
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "NoSuchExecutor")

    with LocalAirflow(tmp_path / "home", dags, env={"AIRFLOW_CONN_KEPT": "fs://"}) as airflow:
        sessions = airflow.pids()
        assert len(sessions) == 4
        assert all(os.getsid(pid) == pid for pid in sessions.values())
        rest = AirflowRest(airflow.base_url, airflow.check)
        run_id = rest.start("parked", {"answer": 42})

        rest.wait_for_task_state("parked", run_id, "wait", "deferred", timeout_seconds=300)
        # A lost triggerer does not lose the wait.
        airflow.kill("triggerer", signal.SIGKILL)
        with pytest.raises(ServiceError, match="triggerer ended"):
            rest.wait_for_run("parked", run_id, timeout_seconds=20)
        airflow.restart("triggerer")
        assert airflow.pid("triggerer") != sessions["triggerer"]

        assert rest.wait_for_run("parked", run_id, timeout_seconds=300) == "success"
        assert rest.xcom("parked", run_id, "wait") == 42
        assert "hello from a worker" in rest.logs("parked", run_id, "hello")
        assert any(provider["package_name"].endswith("standard") for provider in rest.providers())

        (dags / "broken.py").write_text(
            "from airflow.sdk import DAG\nraise RuntimeError('this DAG is broken')\n"
        )
        with pytest.raises(RestError, match="this DAG is broken"):
            rest.wait_for_dag("broken", timeout_seconds=300)
        with pytest.raises(HttpError, match="404"):
            rest.run("parked", "no such run")
        sessions |= {f"new {name}": pid for name, pid in airflow.pids().items()}

    assert {name: session_members(pid) for name, pid in sessions.items()} == dict.fromkeys(sessions, [])
