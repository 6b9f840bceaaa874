from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_asposeocr.emulator.__main__ import main
from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
from airflow_provider_asposeocr.emulator.server import Emulator, EmulatorProcess
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

COMMAND = [sys.executable, "-m", "airflow_provider_asposeocr.emulator"]


def token(url: str, client_id: str, client_secret: str) -> int:
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return requests.post(f"{url}/connect/token", data=form, timeout=PATIENCE_SECONDS).status_code


def test_the_process_tells_where_it_listens_serves_and_ends_cleanly(tmp_path: Path) -> None:
    arguments = ("--engine", "canned", "--client-id", "me", "--client-secret", "my", "--account", "you:y:r")
    with EmulatorProcess(*arguments, "--data-dir", str(tmp_path)) as emulator:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", emulator.url)
        assert (emulator.engine, emulator.client_id) == ("canned", "me")
        assert token(emulator.url, "me", "my") == 200
        assert token(emulator.url, "you", "y:r") == 200
        assert token(emulator.url, "emulator", "emulator") == 400
        assert len(list(tmp_path.iterdir())) == 1

        assert emulator.stop(timeout_seconds=PATIENCE_SECONDS) == 0, "it did not end before it was killed"

    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_ends_it_although_connections_are_open() -> None:
    process = subprocess.Popen(
        [*COMMAND, "--engine", "canned", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    match = re.fullmatch(
        r"Aspose\.OCR Cloud emulator listening on http://127\.0\.0\.1:(\d+)"
        r" \(engine canned, client id emulator\)\n",
        line,
    )
    assert match, line
    with socket.create_connection(("127.0.0.1", int(match.group(1)))) as idle:
        idle.sendall(b"POST /connect/token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        arrived: dict[str, str | int] = {"method": "POST", "path": "/connect/token", "wait_seconds": 30}
        journal = f"http://127.0.0.1:{match.group(1)}/_emulator/journal"
        assert len(requests.get(journal, params=arrived, timeout=PATIENCE_SECONDS).json()) == 1

        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    assert out == ""
    assert "Traceback" not in err


SLOW = """
import sys, threading
import airflow_provider_asposeocr.emulator.__main__ as emulator
class Slow:
    name = "slow"
    def __call__(self, job):
        threading.Event().wait(600)
emulator.make_worker = lambda options: Slow()
sys.exit(emulator.main(["--port", "0", "--data-dir", sys.argv[1]]))
"""


def test_a_signal_ends_it_in_the_middle_of_the_work(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().split()[5]
    trial = {"image": "aGk=", "settings": {}}
    assert (
        requests.post(f"{url}/v5.0/ocr/RecognizeImageTrial", json=trial, timeout=PATIENCE_SECONDS).status_code
        == 200
    )
    while EmulatorControl(url).tasks()[0]["status"] != "Processing":
        pass

    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)

    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "0.0.0.0"), "--allow-remote"),
        (("--host", "::"), "--allow-remote"),
        (("--task-seconds", "soon"), "--task-seconds"),
        (("--workers", "0"), "--workers"),
        (("--account", "x"), "ID:SECRET"),
        (("--engine", "abbyy"), "--engine"),
        (("--bad-image", "maybe"), "--bad-image"),
    ],
)
def test_bad_arguments_are_told(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--engine", "canned", "--port", "0", *arguments])

    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str], canned_emulator: Emulator) -> None:
    port = canned_emulator.url.rpartition(":")[2]

    assert main(["--engine", "canned", "--port", port]) == 2

    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_a_process_that_does_not_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        EmulatorProcess("--engine", "canned", "--workers", "0").start()


def test_the_fixtures_work_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "def test_first(aspose_ocr_emulator):\n"
        "    aspose_ocr_emulator.control.advance_clock(5)\n"
        "    assert aspose_ocr_emulator.client_id == 'mine'\n"
        "def test_second(aspose_ocr_emulator):\n"
        "    assert aspose_ocr_emulator.control.clock()['advanced_seconds'] == 0\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def aspose_ocr_emulator_options(pytestconfig):\n"
        "    engine = pytestconfig.getini('aspose_ocr_emulator_engine')\n"
        "    return {'engine': engine, 'client_id': 'mine'}\n"
    )
    plugin = ("-p", "airflow_provider_asposeocr.emulator.pytest_plugin")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-W",
            "error",
            *plugin,
            "--rootdir",
            str(tmp_path),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # It may be installed, or not.
    )

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, airflow_provider_asposeocr.emulator.pytest_plugin\n"
        "heavy = {'fastapi', 'uvicorn', 'pydantic', 'requests', 'airflow', 'numpy'} & set(sys.modules)\n"
        "ours = {name for name in sys.modules if name.startswith('airflow_provider_asposeocr.')}\n"
        "print(sorted(heavy), sorted(ours))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )

    package = "airflow_provider_asposeocr.emulator"
    assert done.stdout.strip() == f"[] ['{package}', '{package}.pytest_plugin']"
