"""
Fixtures and settings for all tests.

Invariant: no test sees this machine or another test. Airflow's home is a folder of the process that runs the tests, set
before anything imports Airflow; temporary files, and with them the memory of refused credentials, are a folder of the
test; proxies and certificates of the environment are unknown; a thread that a test has started ends with it.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator

#: Room that a folder in memory must have to be used: most of what tests make is small, and some documents have 100 MB.
_ROOM_BYTES = 4 << 30


def _use_memory() -> None:
    """
    Put temporary files in memory where there is room and ``TMPDIR`` names no other folder.

    Tests make and delete tens of thousands of files, and Airflow's database waits for the disk at each commit; some disks
    take milliseconds for either.
    """
    folder = "/dev/shm"  # Linux' folder in memory; each run makes a folder of its own there.
    if "TMPDIR" not in os.environ and os.access(folder, os.W_OK):
        if shutil.disk_usage(folder).free >= _ROOM_BYTES:
            os.environ["TMPDIR"] = tempfile.tempdir = folder


_use_memory()
if _WORKER := os.environ.get("PYTEST_XDIST_WORKER"):
    # A process of pytest-xdist inherits the home of the process that started it, which removes all of it at the end.
    _HOME = tempfile.mkdtemp(prefix=f"{_WORKER}-", dir=os.environ["AIRFLOW_HOME"])
else:
    _HOME = tempfile.mkdtemp(prefix="aspose-ocr-tests-")
    atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["AIRFLOW_HOME"] = _HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

# A shell without job control starts background commands with SIGINT ignored, and processes that tests start and interrupt
# would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A helper's assertion that fails shows its values, as one in a test module does.
pytest.register_assert_rewrite("tests.support")

# Machines differ in speed, and a first import is slow; no test guards a time by hypothesis' clock.
settings.register_profile("project", deadline=None, database=None)
settings.load_profile("project")

#: Threads of servers that live as long as the session, of pools, which keep theirs for the next job, and of fsspec,
#: whose one event loop serves all object stores of a process, and of gcsfs, which closes files in one; and that of Airflow's
#: API in ``dag.test()``.
LASTING_THREADS = (
    "aspose-ocr-emulator",
    "emulator-work_",
    "store-gate",
    "asyncio_",
    "fsspecIO",
    "gcsfs-deferred-close",
    "uvloop_",
    "AnyIO worker thread",
    "ThreadPoolExecutor-",
    "InProcessExecutionAPI-loop",
)
#: Longest wait for the other ones; only a thread that hangs needs so long.
THREAD_SECONDS = 60.0

_ENVIRONMENT = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def own_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Give the test, and the processes that it starts, a folder for temporary files of their own."""
    # pytest chooses its base folder here, before TMPDIR changes: it must outlive this test.
    tmp_path_factory.getbasetemp()
    folder = Path(tempfile.mkdtemp(prefix="t-", dir=_HOME))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def threads_end_with_the_test(own_temporary_folder: Path) -> Iterator[None]:
    """
    Wait for the threads that a test has started, so that none acts in a later test, for example cancels its task.

    In a worker the process ends a few seconds after a kill, and its threads with it.
    """
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + THREAD_SECONDS
    started = [
        each
        for each in threading.enumerate()
        if each not in before and not each.name.startswith(LASTING_THREADS)
    ]
    for thread in started:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert [each.name for each in started if each.is_alive()] == [], "threads go on after their test"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """
    Keep the garbage collector from the millions of objects that collecting makes, most of which live to the end.

    It would go through them again and again, a quarter of a second of CPU each time.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_configure(config: pytest.Config) -> None:
    """If tests with a process marker are deselected, skip also the tests without a marker that start a process."""
    if "not process" in config.getoption("markexpr"):
        sys.addaudithook(_skip_processes)


def _skip_processes(event: str, _: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.fork", "os.posix_spawn") and "PYTEST_CURRENT_TEST" in os.environ:
        pytest.skip("starts a process")


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
def emulator_connection(aspose_ocr_emulator: Emulator, connection: Callable[..., str]) -> Callable[..., str]:
    """
    Return a function that defines an Airflow connection to the emulator, with extras, and returns its id.

    A connection whose extras no other one has is an account of its own, and so its client has no token yet.
    """
    emulator = aspose_ocr_emulator

    def define(conn_id: str = "ocr", **extra: object) -> str:
        fields = {"host": emulator.url, "login": emulator.client_id, "password": emulator.client_secret}
        return connection(conn_id, **fields, **({"extra": extra} if extra else {}))

    return define


@pytest.fixture
def cloud_connection(emulator_connection: Callable[..., str]) -> str:
    """Return the id of an Airflow connection to the emulator."""
    return emulator_connection()
