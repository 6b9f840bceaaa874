"""
The pytest fixtures that connect Airflow to the emulator and run DAGs.

Invariant: importing this module imports only pytest, because pytest imports it in every run of every project in whose
environment the package is installed. Airflow is imported when the first test uses a fixture.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.server import Emulator
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner


@pytest.fixture
def aspose_ocr_connect(
    aspose_ocr_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], None]:
    """
    Return a function that gives an Airflow connection the address of the emulator until the test ends.

    Its argument is the connection's id. The connection ``aspose_ocr_default``, the operators' default, already has that
    address. If a secrets backend is configured, it is off during the test.
    """
    connection = {
        "conn_type": "aspose_ocr",
        "host": aspose_ocr_emulator.url,
        "login": aspose_ocr_emulator.client_id,
        "password": aspose_ocr_emulator.client_secret,
    }

    def connect(conn_id: str) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    for name in ("AIRFLOW__SECRETS__BACKEND", "AIRFLOW__WORKERS__SECRETS_BACKEND"):
        # Airflow reads a secrets backend before the environment. The test would call the real cloud, which bills.
        monkeypatch.setenv(name, "")
    for name in ("no_proxy", "NO_PROXY"):
        # The emulator is on this machine; a proxy cannot reach it.
        monkeypatch.setenv(name, ",".join(filter(None, (os.environ.get(name), "127.0.0.1"))))
    connect("aspose_ocr_default")
    return connect


@pytest.fixture(scope="session")
def aspose_ocr_airflow_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """
    Prepare Airflow's database, once per session.

    :return: An sqlite file that each test copies. Airflow's own database, if one is configured, is neither read nor
        changed.
    """
    folder = tmp_path_factory.mktemp("aspose-ocr-airflow")
    with pytest.MonkeyPatch.context() as patch:
        if "airflow" not in sys.modules and "AIRFLOW_HOME" not in os.environ:
            # Without this, the import would make a folder in the user's home.
            patch.setenv("AIRFLOW_HOME", str(folder))
        from airflow_provider_asposeocr.testing import airflow_database

        template = folder / "template.db"
        airflow_database.create(template)
        yield template


@pytest.fixture
def aspose_ocr_run_dag(
    aspose_ocr_connect: Callable[[str], None],
    aspose_ocr_airflow_database: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DagRunner]:
    """
    Return a function that runs a DAG with ``dag.test()`` against the emulator.

    Every test has an emulator without tasks and a database without DAG runs.
    """
    from airflow_provider_asposeocr.testing import airflow_database
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner

    database = tmp_path_factory.mktemp("aspose-ocr-dag") / "airflow.db"
    airflow_database.copy(aspose_ocr_airflow_database, database)
    with airflow_database.in_use(database):
        yield DagRunner(monkeypatch)
