"""
Real object stores for all tests of this folder.

Invariant: neither these tests nor the processes that they start connect to another machine.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING

import loopback  # noqa: F401  # Is at work from its import on.
import pytest
from store_gcs import SETTINGS as GCS_SETTINGS
from store_servers import Server, azurite, fake_gcs, moto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import ForkServerContext

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def strays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which all processes note attempts to connect to another machine."""
    return tmp_path_factory.getbasetemp() / "stray-connections"


@pytest.fixture(autouse=True)
def loopback_only(strays: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test during which a process tried to connect to another machine."""
    monkeypatch.setenv("STRAY_CONNECTIONS", str(strays))
    yield
    noted = strays.read_text() if strays.exists() else ""
    strays.unlink(missing_ok=True)
    assert not noted, f"Not on loopback:\n{noted}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory, strays: Path) -> Iterator[Server]:
    with moto(tmp_path_factory.mktemp("moto"), strays) as server:
        yield server


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory, strays: Path) -> Iterator[Server]:
    with azurite(tmp_path_factory.mktemp("azurite"), strays) as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server(tmp_path_factory: pytest.TempPathFactory, strays: Path) -> Iterator[Server]:
    with fake_gcs(tmp_path_factory.mktemp("gcs"), strays) as server:
        yield server


@pytest.fixture(scope="session")
def processes(strays: Path) -> ForkServerContext:
    """Processes that have imported all they need before they are forked, as an Airflow worker's tasks have."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["store_writer", "s3fs", "adlfs", "gcsfs", "airflow.providers.amazon.aws.fs.s3"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRAY_CONNECTIONS", str(strays))
        patch.setenv("PYTHONPATH", str(HERE))
        for name, value in GCS_SETTINGS.items():
            patch.setenv(name, value)
        forkserver.ensure_running()  # Now, while temporary files outlive a test.
    return context
