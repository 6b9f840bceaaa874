"""The viewer with FAB's auth manager: who sees data, and how a user gets there who sees no tab of any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fab_server import FabServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow


@pytest.fixture(scope="module")
def fab(seen: Seen) -> Iterator[FabServer]:
    with FabServer(seen.airflow) as server:
        yield server


def addresses(seen: Seen, fab: FabServer) -> list[str]:
    """Return an address of each kind of data, those of files included."""
    run = f"viewer/{seen.run_id}"
    view = fab.get(f"/aspose-ocr/data/instance/{run}/fetch/-1", "vivian").json()
    return [
        f"data/instance/{run}/fetch/-1",
        f"data/instance/{run}/batch/-1",
        f"data/run/{run}",
        f"data/rows/{run}/batch/-1",
        f"data/row/{run}/batch/-1/0",
        view["document"]["results"][0]["address"],
        view["document"]["source_file"]["address"],
    ]


@pytest.mark.parametrize(("name", "status"), [("vivian", 200), ("ugo", 200), ("nora", 403), (None, 401)])
def test_who_sees_data(seen: Seen, fab: FabServer, name: str | None, status: int) -> None:
    answers: dict[str, Any] = {
        address: fab.get(f"/aspose-ocr/{address}", name) for address in addresses(seen, fab)
    }
    assert {address: answer.status_code for address, answer in answers.items()} == dict.fromkeys(
        answers, status
    )
    if status != 200:
        assert max(len(answer.content) for answer in answers.values()) < 200  # a sentence


def test_the_role_without_xcoms_may_read_the_rest_of_the_run(seen: Seen, fab: FabServer) -> None:
    """Or a 403 would say nothing about XComs."""
    instance = f"/api/v2/dags/viewer/dagRuns/{seen.run_id}/taskInstances/fetch"
    assert fab.get(instance, "nora").status_code == 200
    assert fab.get(f"{instance}/xcomEntries/return_value", "nora").status_code == 403


def test_who_may_not_see_it_is_told_so(pages: Pages, fab: FabServer) -> None:
    page = pages.open("/aspose-ocr/view/{run}/fetch/-1", "nora", server=fab)
    page.get_by_text("You are not allowed to see this").wait_for()
    assert page.locator(".overlay, .text, .card").count() == 0
    pages.keep("state-not-allowed")
    page = pages.open("/aspose-ocr/view/{run}", "nora", server=fab)
    page.get_by_text("You are not allowed to see this").wait_for()
    assert page.locator(".card, .batches").count() == 0


def test_a_viewer_gets_to_the_document_by_the_link(pages: Pages, fab: FabServer, seen: Seen) -> None:
    """FAB's viewers may not list plugins, so that Airflow's UI shows them no tab of one."""
    assert fab.get("/api/v2/plugins", "vivian").status_code == 403
    page = pages.open(f"/dags/viewer/runs/{seen.run_id}/tasks/fetch/details", "vivian", server=fab)
    page.get_by_role("link", name="OCR result").click()
    page.wait_for_selector(".overlay .word")
    assert page.url.startswith(f"{fab.url}/aspose-ocr/view/viewer/")
    assert page.locator("h1").inner_text().startswith("01-75dpi.png")
