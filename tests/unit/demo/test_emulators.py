from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from demo.emulators import connection, port_of
from demo.processes import Service, ServiceError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process


def service(tmp_path: Path, program: str) -> Service:
    return Service("emulator", [sys.executable, "-c", program], os.environ, tmp_path / "log.txt")


def test_the_port_is_the_one_the_emulator_prints(tmp_path: Path) -> None:
    emulator = service(tmp_path, "print('listening on http://127.0.0.1:40123 (engine x)')")
    try:
        assert port_of(emulator, timeout_seconds=20) == 40123
    finally:
        emulator.stop(grace_seconds=5)


def test_an_emulator_that_ends_says_why(tmp_path: Path) -> None:
    emulator = service(tmp_path, "raise SystemExit('no model found')")
    emulator.reap()
    with pytest.raises(ServiceError, match="no model found"):
        port_of(emulator, timeout_seconds=20)


def test_a_silent_emulator_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    emulator = service(tmp_path, "import time; time.sleep(60)")
    try:
        with pytest.raises(ServiceError, match="does not say where it listens"):
            port_of(emulator, timeout_seconds=0.2)
    finally:
        emulator.stop(grace_seconds=5)


def test_the_connection_is_json_as_airflow_reads_it() -> None:
    assert json.loads(connection(8080)) == {
        "conn_type": "aspose_ocr",
        "host": "http://127.0.0.1:8080",
        "login": "emulator",
        "password": "emulator",
    }
