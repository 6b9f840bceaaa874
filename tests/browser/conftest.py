"""
One Airflow with roles, one run with something to see, and one Chromium, for all tests of this folder.

Invariant: a test that does not pass leaves a picture of its page in the folder `ASPOSE_OCR_SCREENSHOTS`, or in one for
temporary files. Those that pass leave pictures of the states of the pages there, with their names.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.viewed_run import viewed_run
from tests.support.viewer_browser import WAIT_MS, Pages, Seen, keep_picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page


def chromium() -> str | None:
    """Return the path of the distribution's Chromium; ``None`` = Playwright's own is used."""
    return next((path for name in ("chromium", "chromium-browser") if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with viewed_run(tmp_path_factory.mktemp("viewer")) as seen:
        yield seen


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
    used = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed:
        from playwright.sync_api import Error

        try:
            if "pages" in used:
                used["pages"].keep(f"failed-{item.name}")
            if "page" in used:
                keep_picture(used["page"], f"failed-{item.name}")
        except (
            Error
        ) as error:  # A page that hangs has no picture. An error here would end the other tests, too.
            report.sections.append(("picture", f"There is none: {error}"))
    return report


@pytest.fixture
def pages(seen: Seen, browser: Browser) -> Iterator[Pages]:
    made = Pages(seen, browser)
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open a window of a browser that was never here."""
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


@pytest.fixture
def threads_end_with_the_test() -> None:
    """Allow Playwright's threads: they last as long as the session."""
