"""Many documents, as a person goes through them: pages of fifty, filters, of a batch and of a run with several tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.testing.airflow_database import warnings_of_airflow_allowed
from tests.support.viewer_world import BATCH, DAG, RUN, StoredRun, manifest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

#: Documents of the batch: each tenth has the one error, each seventh of the others the other one.
DOCUMENTS = 300
#: Task instances of the mapped task: the odd ones have failed.
MAPPED = 120


def row(index: int) -> dict[str, Any]:
    """Return a row of the manifest."""
    name = "SourceError" if index % 10 == 0 else "TaskFailedError" if index % 7 == 0 else None
    error = {"class": name, "message": f"Why {index} failed.", "billed": "no", "retryable": False}
    common: dict[str, Any] = {
        "schema_version": 1,
        "task": None,
        "results": [],
        "documents": DOCUMENTS,
        "try": 1,
        "index": index,
    }
    failed = {"outcome": "failed", "error": error} if name else {"outcome": "succeeded"}
    return {**common, "source": f"/in/{index}.png", "first_words": f"Words of {index}", **failed}


ROWS = [row(index) for index in range(DOCUMENTS)]


def names_of(*errors: str | None) -> list[str]:
    """Return the names of the documents with an error of these classes; ``None`` = without one."""
    return [
        f"{each['index']}.png"
        for each in ROWS
        if (each["error"]["class"] if "error" in each else None) in errors
    ]


def walk(page: Page, count: int) -> list[str]:
    """Go through all pages with the button; returns the names on them."""
    found: list[str] = []
    while True:
        last = min(len(found) + 50, count)
        page.get_by_text(f"{len(found) + 1} to {last} of {count} documents").wait_for()
        found += page.locator(".card-name").all_inner_texts()
        assert len(found) == last
        button = page.get_by_role("button", name="Next")
        if button.is_disabled():
            return found
        button.click()


@pytest.fixture(scope="module")
def batch(seen: Seen) -> dict[str, Any]:
    """The address of a batch's manifest."""
    content = b"".join(json.dumps(each).encode() + b"\n" for each in ROWS)
    written = seen.stored("many.jsonl", content)
    return {"manifest": written["uri"], "size_bytes": written["bytes"], "sha256": written["sha256"]}


class TestBatch:
    def test_every_document_is_on_one_page_of_fifty(
        self, pages: Pages, seen: Seen, batch: dict[str, Any]
    ) -> None:
        with seen.planted_batch(batch):
            page = pages.view("other")
            page.wait_for_selector(".card")
            assert page.get_by_role("button", name="Previous").is_disabled()
            pages.keep("gallery-first-page")
            assert walk(page, DOCUMENTS) == [f"{index}.png" for index in range(DOCUMENTS)]
            page.get_by_role("button", name="Previous").click()
            page.get_by_text("201 to 250 of 300 documents").wait_for()
            # One request for a page, and none for a text: the manifest has the first words.
            assert len([url for url in pages.requests if "/data/rows/" in url]) == 7
            assert [url for url in pages.requests if "/data/file/" in url] == []

    def test_filters_by_outcome_and_by_class_of_error(
        self, pages: Pages, seen: Seen, batch: dict[str, Any]
    ) -> None:
        one, other, good = names_of("SourceError"), names_of("TaskFailedError"), names_of(None)
        failed = names_of("SourceError", "TaskFailedError")
        with seen.planted_batch(batch):
            page = pages.view("other")
            page.wait_for_selector(".card")
            counts = ["all 300", f"failed {len(failed)}", f"succeeded {len(good)}"]
            assert page.locator(".filter").all_inner_texts() == counts
            choose = page.get_by_label("Class of error")
            options = ["any error", f"TaskFailedError ({len(other)})", f"SourceError ({len(one)})"]
            assert sorted(choose.locator("option").all_inner_texts()) == sorted(options)

            page.get_by_role("button", name="Next").click()
            page.get_by_text("51 to 100 of 300 documents").wait_for()
            choose.select_option("TaskFailedError")
            assert walk(page, len(other)) == other
            assert set(page.locator(".card code").all_inner_texts()) == {"TaskFailedError"}
            assert set(page.locator(".card .badge").all_inner_texts()) == {"failed"}
            assert choose.input_value() == "TaskFailedError"
            pages.keep("gallery-one-class-of-error")
            choose.select_option("SourceError")
            assert walk(page, len(one)) == one
            assert page.locator(".card-say").first.inner_text() == "Why 0 failed."

            page.get_by_role("button", name="succeeded").click()
            assert walk(page, len(good)) == good
            assert choose.input_value() == ""
            page.get_by_role("button", name="failed").click()
            assert walk(page, len(failed)) == failed
            assert page.locator(".filter[aria-pressed=true]").inner_text() == f"failed {len(failed)}"
            pages.keep("gallery-failed-ones")
            page.get_by_role("button", name="all 300").click()
            page.get_by_text("1 to 50 of 300 documents").wait_for()

    def test_a_document_has_its_neighbours(self, pages: Pages, seen: Seen, batch: dict[str, Any]) -> None:
        with seen.planted_batch(batch):
            page = pages.view("other", query="?row=298")
            page.get_by_role("heading", name="298.png").wait_for()
            page.get_by_text("Next document").click()
            page.get_by_role("heading", name="299.png").wait_for()
            assert page.locator(".pager .off").inner_text() == "Next document"
            page.get_by_text("Previous document").click()
            page.get_by_role("heading", name="298.png").wait_for()
            pages.keep("document-of-a-batch")


@pytest.fixture(scope="module")
def stored(seen: Seen) -> StoredRun:
    """A run with a mapped task, two more and two batches, as Airflow's database has it after the run."""
    run = StoredRun(seen.airflow.home / "airflow.db", seen.folder / "stored", number=1_000)
    with warnings_of_airflow_allowed():
        run.begin()
        for index in range(MAPPED):
            if index % 2:
                run.task("fetch", state="failed", map_index=index)
            else:
                text = run.result(f"{index}.txt", f"Words of {index}".encode())
                run.fetched(text, map_index=index, source=f"/in/{index}.png", first_words=f"Words of {index}")
        run.fetched(source="/in/alone.png", task_id="alone")
        run.task("later", state="deferred")
        run.batch(manifest(source="/in/0.png"), task_id="batch")
        run.task("batch_later", BATCH, "failed")
    return run


class TestRun:
    def _open(self, pages: Pages) -> Page:
        page = pages.open(f"/aspose-ocr/view/{DAG}/{RUN}")
        page.wait_for_selector(".card")
        return page

    def test_every_task_instance_is_on_one_page_of_fifty(self, pages: Pages, stored: StoredRun) -> None:
        page = self._open(pages)
        mapped = [f"fetch [{index}]" if index % 2 else f"{index}.png" for index in range(MAPPED)]
        assert walk(page, MAPPED + 2) == ["alone.png", *mapped, "later"]
        assert page.locator(".batches li").all_inner_texts() == [
            "batch succeeded",
            "batch_later failed The task has failed and stored nothing. Its log says why, and what to do.",
        ]
        pages.keep("run-last-page")

    def test_filters_by_outcome(self, pages: Pages, stored: StoredRun) -> None:
        page = self._open(pages)
        assert page.locator(".filter").all_inner_texts() == [
            "all 122",
            "succeeded 61",
            "failed 60",
            "running 1",
        ]
        page.get_by_role("button", name="Next").click()
        page.get_by_text("51 to 100 of 122 documents").wait_for()
        page.get_by_role("button", name="failed 60").click()
        assert walk(page, 60) == [f"fetch [{index}]" for index in range(1, MAPPED, 2)]
        said = "The task has failed and stored nothing. Its log says why, and what to do."
        assert set(page.locator(".card-say").all_inner_texts()) == {said}
        pages.keep("run-failed-ones")
        page.get_by_role("button", name="succeeded 61").click()
        assert walk(page, 61) == ["alone.png", *(f"{index}.png" for index in range(0, MAPPED, 2))]
        page.get_by_role("button", name="running 1").click()
        page.get_by_text("1 to 1 of 1 document").wait_for()
        assert page.locator(".card-name").all_inner_texts() == ["later"]

    def test_a_card_leads_to_its_document(self, pages: Pages, stored: StoredRun) -> None:
        page = self._open(pages)
        page.locator(".card a", has_text="2.png").first.click()
        page.get_by_role("heading", name="2.png").wait_for()
        assert page.locator(".text pre").inner_text() == "Words of 2"
        page.locator(".crumbs a").first.click()
        page.wait_for_selector(".card")
        page.locator(".batches a", has_text="batch").first.click()
        page.get_by_role("heading", name="Batch batch").wait_for()
