"""
What all tests share.

Invariant: no test sees this machine. Airflow's home is a folder of the run, set before anything imports Airflow;
temporary files, and with them the memory of refused credentials, are a folder of the test; proxies and
certificates of the environment are unknown.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator

_HOME = tempfile.mkdtemp(prefix="aspose-ocr-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# Machines differ in speed, and a first import is slow; no test guards a time by hypothesis' clock.
settings.register_profile("project", deadline=None, database=None)
settings.load_profile("project")

_ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def own_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give the test, and the processes that it starts, a folder for temporary files of their own."""
    tmp_path_factory.getbasetemp()  # Is chosen when first asked for; it must outlive this test.
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=_HOME))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    """
    Wait for the threads that a kill has started, so that their requests do not reach the next test's emulator.

    In a worker the process ends a few seconds after a kill, and its threads with it.
    """
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("aspose-ocr-kill"):
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} still runs"


@pytest.fixture(autouse=True)
def plain_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the proxies and certificates of this machine."""
    for name in _ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return a function that defines an Airflow connection (fields of its JSON form) and returns its id."""

    def define(conn_id: str = "ocr", **fields: object) -> str:
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "aspose_ocr", **fields})
        )
        return conn_id

    return define


@pytest.fixture
def cloud_connection(aspose_ocr_emulator: Emulator, connection: Callable[..., str]) -> str:
    """Return the id of an Airflow connection to the emulator."""
    emulator = aspose_ocr_emulator
    return connection("ocr", host=emulator.url, login=emulator.client_id, password=emulator.client_secret)
