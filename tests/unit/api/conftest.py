from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.account import Account
from tests.support.client_drivers import DRIVERS, PNG, Desk, Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator


@pytest.fixture
def account(aspose_ocr_emulator: Emulator) -> Account:
    emulator = aspose_ocr_emulator
    return Account(
        emulator.client_id,
        emulator.client_secret,
        emulator.url,
        connect_timeout_seconds=5,
        request_timeout_seconds=5,
        max_requests_per_second=100_000,
    )


@pytest.fixture(params=DRIVERS, ids=lambda cls: cls.name)
def new_driver(request: pytest.FixtureRequest) -> Iterator[Callable[..., Driver]]:
    """Return a function that makes a client for an account; each test runs with either."""
    made: list[Driver] = []

    def new(account: Account, memory: Path | None = None) -> Driver:
        made.append(request.param(account, memory))
        return made[-1]

    yield new
    for driver in made:
        driver.close()


@pytest.fixture
def driver(new_driver: Callable[..., Driver], account: Account) -> Driver:
    """Return a client of the emulator; each test runs with either."""
    return new_driver(account)


@pytest.fixture
def desk(aspose_ocr_emulator: Emulator, account: Account, tmp_path: Path) -> Iterator[Desk]:
    document = tmp_path / "page.png"
    document.write_bytes(PNG)
    desk = Desk(aspose_ocr_emulator, account, document)
    yield desk
    desk.client.close()


def _certificate(path: Path, name: str) -> Path:
    """Make a self-signed certificate, with its key in the same file."""
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={name}"]
    command += ["-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    with path.open("ab") as both:
        both.write(Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture(scope="session")
def server_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for 127.0.0.1 that signs itself."""
    return _certificate(tmp_path_factory.mktemp("tls") / "server.pem", "IP:127.0.0.1")


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate for another host that signs itself."""
    return _certificate(tmp_path_factory.mktemp("tls") / "other.pem", "DNS:other.example")
