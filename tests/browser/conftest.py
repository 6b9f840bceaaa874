"""
One Airflow with roles, one run with something to see, and one Chromium, for all tests of this folder.

Invariant: a test that does not pass leaves a picture of its page; the folder is `ASPOSE_OCR_SCREENSHOTS`, or the one for
temporary files.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.emulator.server import EmulatorProcess
from demo.local_airflow import LocalAirflow
from demo.rest import AirflowRest
from tests.support.airflow_stack import CHECKOUT, SCAN, SECRET, connection
from tests.support.role_server import RoleServer
from tests.support.viewer_browser import Pages, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

SCREENSHOTS = Path(os.environ.get("ASPOSE_OCR_SCREENSHOTS") or "/tmp/aspose-ocr-screenshots")


def chromium() -> str | None:
    """Return the path of the distribution's Chromium; ``None`` = Playwright's own is used."""
    return next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Run the DAG ``viewer`` on a scan with a real OCR engine, and serve it to users with roles."""
    folder = tmp_path_factory.mktemp("viewer")
    inbox = folder / "inbox"
    inbox.mkdir()
    for number in range(3):
        shutil.copy(SCAN, inbox / f"scan-{number}.png")
    (inbox / "no-image.png").write_bytes(b"text")
    secrets = ("--client-id", "tests", "--client-secret", SECRET)
    with EmulatorProcess("--engine", "rapidocr", *secrets) as cloud:
        env = {"AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(cloud.url)}
        dags = CHECKOUT / "tests" / "airflow" / "dags"
        with LocalAirflow(folder / "airflow", dags, env) as airflow:
            rest = AirflowRest(airflow.base_url, airflow.check)
            conf = {"scan": str(SCAN), "inbox": f"{inbox}/", "outbox": f"file://{folder}/outbox/"}
            run_id = rest.start("viewer", conf)
            with RoleServer(airflow) as server:
                assert rest.wait_for_run("viewer", run_id, timeout_seconds=600) == "success"
                yield Seen(server, rest, run_id, folder, airflow, cloud.control)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that a container does not have. All pages are ours, on loopback.
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield running
        running.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    pages = getattr(item, "funcargs", {}).get("pages")
    if report.when == "call" and report.failed and pages is not None:
        pages.keep(SCREENSHOTS / f"failed-{item.name}.png")
    return report


@pytest.fixture
def pages(seen: Seen, browser: Browser) -> Iterator[Pages]:
    made = Pages(seen, browser)
    yield made
    made.close()


@pytest.fixture
def threads_end_with_the_test() -> None:
    """Allow Playwright's threads: they last as long as the session."""
