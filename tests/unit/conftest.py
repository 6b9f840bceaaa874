"""
Fixtures and settings for the unit tests. Fixtures import what loads Airflow themselves: tests of the client alone do not
load it.

Invariant: no test depends on how fast this machine is. What the product does within seconds because Airflow will end the
process has a minute here; a test of these limits sets its own, so short or so long that a slow machine does not change the
result.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator
    from tests.support.counting_cloud import CountingCloud
    from tests.support.metric_sink import Sink
    from tests.support.starting_in_triggerer import Supervisor
    from tests.support.task_instances import Instance


@pytest.fixture(autouse=True)
def patient_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker's kill wait a minute for the emulator, which is longer than a slow machine takes."""
    kill = sys.modules.get("airflow_provider_asposeocr.lifecycle.worker_kill")
    if kill is not None:  # Tests of the client alone do not load Airflow.
        monkeypatch.setattr(kill, "KILL_SECONDS", 60.0)
        monkeypatch.setattr(kill, "KILL_IN_WORKER", replace(kill.KILL_IN_WORKER, ask_seconds=60.0))


@pytest.fixture(autouse=True)
def events_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the event of a deferral come at once; with the LocalExecutor, Airflow's default, it comes after eight seconds."""
    monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS", "0")


@pytest.fixture(autouse=True)
def batches_that_look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a batch wait a hundredth of a second where it waits a tenth, which is most of the time of a small one."""
    engine = sys.modules.get("airflow_provider_asposeocr.batch.engine")
    if engine is not None:
        monkeypatch.setitem(engine.GroupCommit.__init__.__kwdefaults__, "window_seconds", 0.01)
        monkeypatch.setattr(engine, "LOOK_SECONDS", 0.1)
        monkeypatch.setattr(engine, "LOOK_WHILE_MOVING_SECONDS", 0.01)


@pytest.fixture(autouse=True, scope="session")
def fingerprints_made_once() -> Iterator[None]:
    """Make the fingerprint of an account once: it is slow on purpose, and most tests have the same account."""
    from airflow_provider_asposeocr.api.account import Account

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "fingerprint", property(cache(vars(Account)["fingerprint"].fget)))
        yield


@pytest.fixture(autouse=True)
def no_secrets_of_earlier_tests() -> None:
    """
    Forget the secrets that Airflow masks in logs.

    It compiles them anew with each new one, which takes ever longer with the tokens of thousands of tests.
    """
    masker = sys.modules.get("airflow.sdk._shared.secrets_masker")
    if masker is not None:
        masker.reset_secrets_masker()


@pytest.fixture(autouse=True)
def no_pause_of_an_earlier_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a cloud has asked the account of an earlier test to wait: all tests share an emulator and its account."""
    clients = sys.modules.get("airflow_provider_asposeocr.clients")
    if clients is not None:
        monkeypatch.setattr(clients, "_pauses", {})


@pytest.fixture
def cloud(
    aspose_ocr_emulator: Emulator, cloud_connection: str, monkeypatch: pytest.MonkeyPatch
) -> EmulatorControl:
    """Return the control of an emulator that the Airflow connection ``ocr`` leads to."""
    from airflow_provider_asposeocr import clients

    # The emulator has forgotten its tokens: forget the client's, too, or a renewal would be in every journal.
    monkeypatch.setattr(clients, "_clients", {})
    return aspose_ocr_emulator.control


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    """Return what stands in the place of Airflow's metrics."""
    from airflow_provider_asposeocr import metrics
    from tests.support.metric_sink import Sink

    sink = Sink()
    monkeypatch.setattr(metrics, "_sink", lambda: sink)
    return sink


@pytest.fixture
async def counting_cloud() -> AsyncIterator[CountingCloud]:
    """Return a cloud that counts requests and connections; the connection ``ocr`` does not lead to it."""
    from tests.support.counting_cloud import CountingCloud

    async with CountingCloud() as cloud:
        yield cloud


@pytest.fixture
async def close_clients() -> AsyncIterator[None]:
    """Close the triggers' clients of the test's event loop at the end."""
    from airflow_provider_asposeocr.clients import loop_clients
    from airflow_provider_asposeocr.connection import mask_token

    yield
    await loop_clients(mask_token).close()


@pytest.fixture
def page(tmp_path: Path) -> str:
    """Return the path of an image."""
    from tests.support.airflow_tasks import PNG

    (tmp_path / "page.png").write_bytes(PNG)
    return f"{tmp_path}/page.png"


@pytest.fixture
def submit(cloud: EmulatorControl, page: str) -> Callable[..., dict[str, Any]]:
    """Return a function that submits an image after adding faults; it returns the reference, with changes."""
    from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook

    def submitted(*faults: dict[str, Any], **changes: Any) -> dict[str, Any]:
        if faults:
            cloud.add_faults(*faults)
        return {**AsposeOcrHook("ocr").submit("RecognizeImage", page), **changes}

    return submitted


@pytest.fixture
def instance(page: str) -> Instance:
    """Return a task instance that recognizes the image."""
    from tests.support.task_instances import Instance

    return Instance(page)


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Supervisor]:
    """Return a function that puts a supervisor in the triggerer's place; it answers with the XComs that it is given."""
    from airflow.sdk.execution_time import task_runner

    from tests.support.starting_in_triggerer import Supervisor

    def answering(*xcoms: Any) -> Supervisor:
        supervisor = Supervisor(*xcoms)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor

    return answering


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return an empty folder for results that are not stored yet."""
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return the folder that results are stored in; it does not exist yet."""
    return tmp_path / "out"
