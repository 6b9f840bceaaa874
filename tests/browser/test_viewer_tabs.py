"""The tabs of the viewer in Airflow's own UI."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.airflow_stack import CHECKOUT
from tests.support.patience import PATIENCE_SECONDS
from tests.support.role_server import RoleServer
from tests.support.viewer_browser import is_dark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

SCANS = [f"{CHECKOUT}/demo/scans/{name}.png" for name in ("01-75dpi", "08-150dpi-faded")]


@pytest.fixture(scope="module")
def mapped(seen: Seen) -> str:
    """A run whose tasks are mapped."""
    conf = {"scans": SCANS, "outbox": f"file://{seen.folder}/mapped/"}
    run_id = seen.rest.start("viewer_mapped", conf)
    assert seen.rest.wait_for_run("viewer_mapped", run_id, timeout_seconds=PATIENCE_SECONDS) == "success"
    return run_id


@pytest.fixture(scope="module")
def proxied(seen: Seen) -> Iterator[RoleServer]:
    """A server below a path."""
    with RoleServer(seen.airflow, "/x/") as server:
        yield server


def test_the_tab_of_an_unmapped_task_instance(pages: Pages, seen: Seen) -> None:
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/fetch/plugin/aspose-ocr-result")
    frame = page.frame_locator("iframe")
    frame.locator(".overlay .word").first.wait_for()
    assert any("MAP_INDEX" in url for url in pages.requests), "Airflow has replaced the placeholder: simplify"
    assert frame.locator("h1").inner_text().startswith("01-75dpi.png")
    pages.keep("airflow-tab-of-a-task")


def test_other_tasks_have_the_tab_too(pages: Pages, seen: Seen) -> None:
    """Until Airflow chooses tabs by operators, as the plugin asks it to; then docs/viewer.md is to say so."""
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/other")
    page.get_by_role("link", name="OCR result", exact=True).wait_for()


def test_the_tab_of_a_run_follows_the_theme_of_airflow(pages: Pages, seen: Seen) -> None:
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/plugin/aspose-ocr-results")
    inner = page.frame_locator("iframe")
    inner.locator(".card").first.wait_for()
    (frame,) = (frame for frame in page.frames if "/aspose-ocr/view/" in frame.url)
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.className = theme }", theme)
        frame.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
        assert is_dark(frame) is (theme == "dark")
        pages.keep(f"airflow-tab-of-a-run-{theme}")


def test_the_tab_and_the_link_of_a_mapped_task(pages: Pages, mapped: str) -> None:
    instance = f"/dags/viewer_mapped/runs/{mapped}/tasks/fetch/mapped/1"
    page = pages.open(f"{instance}/plugin/aspose-ocr-result")
    frame = page.frame_locator("iframe")
    frame.locator(".overlay .word").first.wait_for()
    assert frame.locator("h1").inner_text().startswith("08-150dpi-faded.png")
    page = pages.open(f"{instance}/details")
    page.locator("a[href*='/aspose-ocr/view/']").click()
    page.wait_for_selector(".overlay .word")
    assert page.locator("h1").inner_text().startswith("08-150dpi-faded.png")


def test_the_tab_of_a_run_has_a_card_for_each_mapped_task(pages: Pages, mapped: str) -> None:
    page = pages.open(f"/dags/viewer_mapped/runs/{mapped}/plugin/aspose-ocr-results")
    frame = page.frame_locator("iframe")
    frame.locator(".card").first.wait_for()
    assert frame.locator(".card-name").all_inner_texts() == ["01-75dpi.png", "08-150dpi-faded.png"]


def test_in_the_frame_a_file_is_saved_and_the_text_copied(pages: Pages, seen: Seen) -> None:
    """Airflow's frame has a sandbox, which allows some things and not others."""
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/fetch/plugin/aspose-ocr-result")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    frame = page.frame_locator("iframe")
    word = frame.locator(".words .word").first.inner_text()
    with page.expect_download() as download:
        frame.get_by_role("link", name="Download").first.click()
    assert download.value.suggested_filename == "01-75dpi.txt"
    assert word in download.value.path().read_text()
    frame.get_by_role("button", name="Copy text").click()
    frame.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith(word)


def test_the_tab_of_a_task_at_the_address_of_a_run_has_no_task(pages: Pages, seen: Seen) -> None:
    """Airflow shows each tab below any page, and leaves the placeholders that it has no values for."""
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/plugin/aspose-ocr-result")
    page.frame_locator("iframe").get_by_text("Airflow has no such task instance.").wait_for()


def test_below_the_path_of_a_proxy(pages: Pages, seen: Seen, proxied: RoleServer) -> None:
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/fetch", server=proxied)
    page.get_by_role("link", name="OCR result", exact=True).click()
    page.frame_locator("iframe").locator(".overlay .word").first.wait_for()
    page = pages.view("batch", server=proxied)
    page.locator(".card a", has_text="scan-0.png").click()
    page.wait_for_selector(".overlay .word")
    page.locator(".crumbs a").first.click()
    page.locator(".batches a").wait_for()
    asked = [url for url in pages.requests if "aspose-ocr" in url]
    assert [url for url in asked if not url.startswith(f"{proxied.url}/aspose-ocr/")] == []
    assert len(asked) > 10
