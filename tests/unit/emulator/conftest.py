from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.emulator.options import Options
from airflow_provider_asposeocr.emulator.server import Emulator
from tests.support.emulator_clients import CloudClient, ScriptedWorker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _clients(emulator: Emulator) -> Iterator[CloudClient]:
    emulator.control.reset()
    client = CloudClient(emulator)
    with client.session:
        yield client.login()


@pytest.fixture(scope="session")
def canned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canned")


@pytest.fixture(scope="session")
def canned_emulator(canned_folder: Path) -> Iterator[Emulator]:
    options = Options(
        engine="canned", accounts={"other": "secret"}, max_body_bytes=3_000_000, data_dir=canned_folder
    )
    with Emulator(options) as emulator:
        yield emulator
    assert list(canned_folder.iterdir()) == []


@pytest.fixture
def cloud(canned_emulator: Emulator) -> Iterator[CloudClient]:
    """The emulator with its default choices, the canned engine, and a second account."""
    yield from _clients(canned_emulator)


@pytest.fixture(scope="session")
def worker() -> ScriptedWorker:
    return ScriptedWorker()


@pytest.fixture(scope="session")
def scripted_emulator(worker: ScriptedWorker) -> Iterator[Emulator]:
    with Emulator(Options(engine="canned", workers=1), worker) as emulator:
        yield emulator


@pytest.fixture
def scripted(scripted_emulator: Emulator, worker: ScriptedWorker) -> Iterator[CloudClient]:
    """The emulator with one worker thread that does what the payload says."""
    worker.gate = lambda: None
    worker.jobs.clear()
    yield from _clients(scripted_emulator)


@pytest.fixture(scope="session")
def other_emulator(worker: ScriptedWorker) -> Iterator[Emulator]:
    options = Options(
        engine="canned",
        bad_image="task_error",
        unknown_settings="ignore",
        bad_values="ignore",
        missing_settings="400",
        lenient_enums=True,
        quoted_ids=True,
        pending_code="NoAnyResultData",
        cross_operation="answer",
        delete_finished="keep",
        status_auth="optional",
        trial_status_auth="required",
        status_messages=True,
        trial_masks="text_and_hocr",
        token_success_resets=False,
    )
    with Emulator(options) as emulator:
        yield emulator


@pytest.fixture
def otherwise(other_emulator: Emulator) -> Iterator[CloudClient]:
    """The emulator with the options that differ from the defaults, for all behaviour that the vendor does not document."""
    yield from _clients(other_emulator)
