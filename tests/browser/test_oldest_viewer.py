"""
The viewer in the oldest Airflow that the provider supports.

It comes before the tests of the newest one, so that not both run at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.environments import oldest_python
from tests.support.viewed_run import viewed_run
from tests.support.viewer_browser import is_dark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """Take the place of the run in the newest Airflow: the windows of ``pages`` look at this one."""
    with viewed_run(tmp_path_factory.mktemp("oldest"), oldest_python()) as run:
        yield run


def test_the_page_by_its_address(pages: Pages) -> None:
    page = pages.view("fetch")
    page.wait_for_selector(".overlay .word")
    assert page.locator(".overlay .word").count() == page.locator(".words .word").count() > 40
    assert page.locator("img.after").evaluate(
        "async image => { await image.decode(); return image.naturalWidth; }"
    )
    assert pages.problems == []
    pages.keep("oldest-airflow-document")


def test_the_tab_of_a_task_instance(pages: Pages, seen: Seen) -> None:
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/fetch")
    page.get_by_role("link", name="OCR result", exact=True).click()
    frame = page.frame_locator("iframe")
    frame.locator(".overlay .word").first.wait_for()
    assert frame.locator("h1").inner_text().startswith("01-75dpi.png")
    pages.keep("oldest-airflow-tab-of-a-task")


def test_the_tab_of_a_run_follows_the_theme_of_airflow(pages: Pages, seen: Seen) -> None:
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}")
    page.get_by_role("link", name="OCR results", exact=True).click()
    page.frame_locator("iframe").locator(".card").first.wait_for()
    (frame,) = (frame for frame in page.frames if "/aspose-ocr/view/" in frame.url)
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.className = theme }", theme)
        frame.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
        assert is_dark(frame) is (theme == "dark")
    pages.keep("oldest-airflow-tab-of-a-run")


def test_the_gallery_of_a_batch(pages: Pages) -> None:
    page = pages.view("batch")
    page.wait_for_selector(".card")
    assert page.locator(".filter").all_inner_texts() == ["all 4", "failed 1", "succeeded 3"]
    page.get_by_role("button", name="failed 1").click()
    page.get_by_text("1 to 1 of 1 document").wait_for()
    pages.keep("oldest-airflow-gallery")
