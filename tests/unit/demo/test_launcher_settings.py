from __future__ import annotations

import datetime as dt
import os
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from demo.local_airflow import COMPONENTS, LocalAirflow, kind_of, unhealthy
from demo.processes import CHECKOUT, ServiceError

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def health(**heartbeats: dt.datetime | None) -> dict[str, Any]:
    return {"metadatabase": {"status": "healthy"}} | {
        name: {"status": "healthy", f"latest_{name}_heartbeat": at and at.isoformat()}
        for name, at in heartbeats.items()
    }


def test_everything_is_missing_while_the_api_server_is_silent() -> None:
    assert unhealthy(COMPONENTS, None, NOW) == list(COMPONENTS)


def test_an_old_heartbeat_proves_nothing() -> None:
    later = NOW + dt.timedelta(seconds=1)
    report = health(scheduler=later, triggerer=NOW - dt.timedelta(seconds=1), dag_processor=None)
    assert unhealthy(COMPONENTS, report, NOW) == ["dag-processor", "triggerer"]


def test_a_component_airflow_calls_unhealthy_is_not_ready() -> None:
    report = health(scheduler=NOW)
    report["scheduler"]["status"] = "unhealthy"
    assert unhealthy(["api-server", "scheduler"], report, NOW) == ["scheduler"]


def test_the_environment_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", "/somewhere/else")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production")
    monkeypatch.setenv("AIRFLOW_CONN_OLD", "fs://")
    monkeypatch.setenv("PYTHONPATH", "/mine")

    airflow = LocalAirflow(tmp_path / "home", tmp_path, env={"AIRFLOW_CONN_NEW": "fs://"})

    assert "AIRFLOW_CONN_OLD" not in airflow.env
    assert airflow.env["AIRFLOW_CONN_NEW"] == "fs://"
    assert airflow.env["AIRFLOW_HOME"] == str(tmp_path / "home")
    assert str(tmp_path) in airflow.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert airflow.env["PYTHONPATH"] == f"{CHECKOUT}{os.pathsep}/mine"
    assert airflow.env["PATH"] == os.environ["PATH"]
    assert os.environ["AIRFLOW_HOME"] == "/somewhere/else"
    assert not (tmp_path / "home").exists()


def test_the_callers_settings_win(tmp_path: Path) -> None:
    setting = "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL"
    assert LocalAirflow(tmp_path, tmp_path, env={setting: "5"}).env[setting] == "5"


@pytest.mark.parametrize("components", [["api-server", "worker"], ["scheduler"]])
def test_components_that_cannot_be_run_are_refused(tmp_path: Path, components: list[str]) -> None:
    with pytest.raises(ValueError, match="api-server"):
        LocalAirflow(tmp_path, tmp_path, components=components)


def airflow_of(folder: Path, script: str, **given: Any) -> LocalAirflow:
    """Return an Airflow whose interpreter is a shell script."""
    fake = folder / "python"
    fake.write_text(f"#!/bin/sh\n{script}")
    fake.chmod(0o755)
    return LocalAirflow(folder / "home", folder, python=fake, **given)


@pytest.mark.process
def test_a_failed_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """The interpreter stands in for one whose Airflow migrates but whose components fall over."""
    airflow = airflow_of(tmp_path, '[ "$3" = db ] && exit 0\necho "no $3 today"\nexit 3\n')

    with (
        pytest.raises(ServiceError, match=re.compile(r"ended with exit code 3.*no [a-z-]+ today", re.DOTALL)),
        airflow,
    ):
        pass

    assert airflow.pids() == {}


@pytest.mark.process
def test_a_command_that_takes_too_long_says_so(tmp_path: Path) -> None:
    """As a :class:`ServiceError`, which is what the demo and the playground know how to report."""
    airflow = airflow_of(tmp_path, "exec sleep 60\n")
    with pytest.raises(ServiceError, match="`airflow db migrate` has not ended within 0 s"):
        airflow.run_command("db", "migrate", timeout_seconds=0.1)


def test_a_busy_machine_has_time_to_create_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than the components have to become healthy, and none of theirs is used up."""
    airflow = LocalAirflow(tmp_path / "home", tmp_path, components=("api-server",))
    given: dict[str, float] = {}
    clock = [1000.0]

    def run_command(*arguments: str, timeout_seconds: float) -> str:
        given["migrate"] = timeout_seconds
        clock[0] += 1700
        return ""

    def wait_healthy(components: Any, started_at: Any, deadline: float) -> None:
        given["healthy"] = deadline - clock[0]

    monkeypatch.setattr("demo.local_airflow.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(airflow, "run_command", run_command)
    monkeypatch.setattr(airflow, "launch", lambda component: None)
    monkeypatch.setattr(airflow, "_wait_healthy", wait_healthy)
    airflow.start(timeout_seconds=300)
    assert given["migrate"] > 900
    assert given["healthy"] == 300


@pytest.mark.process
def test_each_of_several_is_a_host_of_its_own(tmp_path: Path) -> None:
    """The interpreter stands in for one whose components say who they are."""
    airflow = airflow_of(
        tmp_path,
        'echo "$LOCAL_SERVICE_NAME $TMPDIR $OWN $*"\nexec sleep 60\n',
        components=("api-server", "celery-worker-1", "celery-worker-2"),
        arguments={"celery-worker-2": ("--queues", "ocr")},
        own_env={"celery-worker-2": {"OWN": "its own"}},
    )
    airflow.home.mkdir()
    try:
        for component in airflow.components:
            airflow.launch(component)
        deadline = time.monotonic() + 60
        while not all(airflow.log(component) for component in airflow.components):
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        airflow.stop()

    first, second = (airflow.log(f"celery-worker-{number}") for number in (1, 2))
    assert first.startswith(
        f"celery-worker-1 {airflow.temporary_folder('celery-worker-1')}  -m airflow celery"
    )
    assert "--celery-hostname celery-worker-1" in first
    assert second.startswith(f"celery-worker-2 {airflow.temporary_folder('celery-worker-2')} its own -m")
    assert "--queues ocr --celery-hostname celery-worker-2" in second
    assert airflow.temporary_folder("celery-worker-2").is_dir()


def test_the_number_is_not_part_of_the_kind() -> None:
    names = ("triggerer", "triggerer-2", "celery-worker-11", "dag-processor")
    assert [kind_of(name) for name in names] == ["triggerer", "triggerer", "celery-worker", "dag-processor"]
