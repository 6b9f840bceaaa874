"""The link of a task, and the address in its log, where Airflow is served below a path and its workers know of it."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.support.airflow_stack import CHECKOUT, SCAN
from tests.support.patience import PATIENCE_SECONDS
from tests.support.role_server import RoleServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

SCANS = [f"{CHECKOUT}/demo/scans/{name}.png" for name in ("01-75dpi", "08-150dpi-faded")]
MAPPED, BATCH = "viewer_mapped", "viewer_running"


@dataclass
class Below:
    """A server below a path, and a run of each DAG, whose tasks ran with that path in ``[api] base_url``."""

    server: RoleServer
    runs: dict[str, str]

    def link(self, dag_id: str, instance: str) -> str:
        """Return the link of a task instance as Airflow's UI gets it."""
        run = f"/api/v2/dags/{dag_id}/dagRuns/{quote(self.runs[dag_id])}"
        (found,) = self.server.get(f"{run}/taskInstances/{instance}").json()["extra_links"].values()
        return str(found)

    def click(self, pages: Pages, dag_id: str, instance: str) -> Page:
        """Follow the link in the details of a task instance, as a user does."""
        page = pages.open(f"/dags/{dag_id}/runs/{self.runs[dag_id]}/tasks/{instance}", server=self.server)
        page.locator("a[href*='/aspose-ocr/view/']").click()
        return page


@pytest.fixture(scope="module")
def below(seen: Seen) -> Iterator[Below]:
    (inbox := seen.folder / "links-inbox").mkdir()
    shutil.copy(SCAN, inbox)
    out = f"file://{seen.folder}/links"
    name = "AIRFLOW__API__BASE_URL"
    at_the_root = seen.airflow.env[name]
    with RoleServer(seen.airflow, "/team/x/") as server:
        seen.airflow.env[name] = f"{server.url}/"
        _restart_scheduler(seen)
        try:
            runs = {
                MAPPED: seen.rest.start(
                    MAPPED, {"scans": SCANS, "outbox": f"{out}/mapped/"}, "manual__a+b:c"
                ),
                BATCH: seen.rest.start(BATCH, {"inbox": f"{inbox}/", "outbox": f"{out}/batch/"}),
            }
            for dag_id, run_id in runs.items():
                assert seen.rest.wait_for_run(dag_id, run_id, timeout_seconds=PATIENCE_SECONDS) == "success"
            yield Below(server, runs)
        finally:
            seen.airflow.env[name] = at_the_root
            _restart_scheduler(seen)


def _restart_scheduler(seen: Seen) -> None:
    """Let tasks have the environment of now: the scheduler forks their processes. None runs, so it may be killed."""
    seen.airflow.kill("scheduler")
    seen.airflow.restart("scheduler")


def test_the_link_begins_with_the_path(below: Below) -> None:
    mapped = below.link(MAPPED, "fetch/links?map_index=1")
    assert mapped == f"/team/x/aspose-ocr/view/{MAPPED}/manual__a%2Bb%3Ac/fetch/1"
    assert below.link(BATCH, "read/links") == f"/team/x/aspose-ocr/view/{BATCH}/{below.runs[BATCH]}/read/-1"


@pytest.mark.parametrize(("index", "name"), [(0, "01-75dpi.png"), (1, "08-150dpi-faded.png")])
@pytest.mark.parametrize("task_id", ["recognize", "fetch"])
def test_the_link_of_a_mapped_task_opens_its_document(
    pages: Pages, below: Below, task_id: str, index: int, name: str
) -> None:
    page = below.click(pages, MAPPED, f"{task_id}/mapped/{index}/details")
    page.wait_for_selector(".overlay .word")
    assert page.url == f"{below.server.url}/aspose-ocr/view/{MAPPED}/manual__a%2Bb%3Ac/{task_id}/{index}"
    assert page.locator("h1").inner_text().startswith(name)
    asked = [url for url in pages.requests if "aspose-ocr" in url]
    assert [url for url in asked if not url.startswith(f"{below.server.url}/aspose-ocr/")] == []
    assert pages.problems == []
    pages.keep(f"link-of-a-mapped-{task_id}")


def test_the_link_of_a_task_that_is_not_mapped_opens_its_page(pages: Pages, below: Below) -> None:
    page = below.click(pages, BATCH, "read/details")
    page.wait_for_selector(".card")
    assert page.url == f"{below.server.url}/aspose-ocr/view/{BATCH}/{below.runs[BATCH]}/read/-1"
    page.locator(".card a").click()
    page.wait_for_selector("h1:has-text('01-75dpi.png')")
    pages.keep("link-of-a-batch")


@pytest.mark.parametrize(
    ("dag_id", "task_id", "map_index", "selector"),
    [(MAPPED, "fetch", 1, ".overlay .word"), (BATCH, "read", -1, ".card")],
)
def test_the_first_and_the_last_line_of_a_log_have_an_address_that_opens_the_page(
    pages: Pages, below: Below, seen: Seen, dag_id: str, task_id: str, map_index: int, selector: str
) -> None:
    log = seen.rest.logs(dag_id, below.runs[dag_id], task_id, map_index=map_index)
    addresses = re.findall(r"Page of the results?: (http://\S+)", log)
    assert len(addresses) == 2
    assert len(set(addresses)) == 1
    assert addresses[0].startswith(f"{below.server.url}/aspose-ocr/view/")
    page = pages.open(addresses[0].removeprefix(below.server.url), server=below.server)
    page.wait_for_selector(selector)
