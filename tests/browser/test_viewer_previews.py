"""Documents that browsers do not show, and what the steps of a batch have made: with pictures that workers have stored."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.airflow_stack import SCAN

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

DAG = "viewer_documents"
#: In the order of their rows.
PDF, TIFF = 0, 1
PDF_PAGES = 3
#: What the first view of a page may take, without a gallery or further pages.
MOST_WIRE_BYTES = 300_000


@dataclass
class Documents:
    """A run whose batches have read a TIFF, a PDF and, in two steps, a PNG."""

    run_id: str

    def view(self, pages: Pages, task_id: str, row: int | None = None) -> Page:
        """Open the page of a document, or of the batch."""
        query = "" if row is None else f"?row={row}"
        return pages.open(f"/aspose-ocr/view/{DAG}/{self.run_id}/{task_id}/-1{query}")


@pytest.fixture(scope="module")
def documents(seen: Seen) -> Documents:
    inbox, steps_inbox = seen.folder / "documents-inbox", seen.folder / "steps-inbox"
    for folder in (inbox, steps_inbox):
        folder.mkdir()
    shutil.copy(SCAN, steps_inbox / "scan.png")
    with Image.open(SCAN) as scan:
        page = scan.convert("L")
        page.save(inbox / "scan.tif")
        others = [page.rotate(180), page]
        page.save(inbox / "report.pdf", save_all=True, append_images=others, resolution=75.0)
    conf = {
        "inbox": f"{inbox}/",
        "steps_inbox": f"{steps_inbox}/",
        "outbox": f"file://{seen.folder}/documents/",
    }
    run_id = seen.rest.start(DAG, conf)
    assert seen.rest.wait_for_run(DAG, run_id, timeout_seconds=600) == "success"
    return Documents(run_id)


def parts_of(pages: Pages) -> list[str]:
    """Return of which parts of a document files were requested."""
    return sorted(url.rsplit("/", 2)[1] for url in pages.requests if "/data/file/" in url)


def shown_width(page: Page, selector: str = "img.after") -> int:
    """Wait for a picture; returns its width in its own pixels, 0 if the browser cannot show it."""
    page.wait_for_selector(selector)
    # Playwright's wait_for_function evaluates text; from the second time on, the page's policy refuses that.
    loaded = "async image => { await image.decode().catch(() => null); return image.naturalWidth; }"
    width: int = page.locator(selector).evaluate(loaded)
    return width


def test_a_tiff_is_shown_with_boxes_and_the_first_view_is_small(documents: Documents, pages: Pages) -> None:
    page = documents.view(pages, "documents", TIFF)
    page.wait_for_selector(".overlay .word")
    assert page.locator("h1").inner_text().startswith("scan.tif")
    assert shown_width(page) > 0
    assert page.locator(".overlay .word").count() > 40
    page.wait_for_load_state("networkidle")
    assert parts_of(pages) == ["pages", "results"]
    assert 100 < pages.wire_bytes() <= MOST_WIRE_BYTES
    assert pages.problems == []
    pages.keep("previews-tiff")


def test_the_pages_of_a_pdf(documents: Documents, pages: Pages) -> None:
    page = documents.view(pages, "documents", PDF)
    page.wait_for_selector(".overlay .word")
    buttons = page.locator(".strip button")
    assert buttons.count() == page.locator(".strip img").count() == PDF_PAGES
    pictures, texts = [], []
    for number in range(PDF_PAGES):
        if number:
            page.keyboard.press("ArrowRight")
        page.wait_for_selector(f".strip li:nth-child({number + 1}) [aria-current]")
        assert shown_width(page) > 0
        pictures.append(page.locator("img.after").get_attribute("src"))
        texts.append(page.locator(".text").inner_text())
    pages.keep("previews-pdf")
    assert len(set(pictures)) == PDF_PAGES
    assert texts[0] == texts[2] != texts[1]
    assert page.locator(".overlay .word").count() == page.locator(".words .word").count()
    buttons.first.click()
    assert page.locator("img.after").get_attribute("src") == pictures[0]


def test_what_a_step_has_made_is_compared_with_the_source(documents: Documents, pages: Pages) -> None:
    page = documents.view(pages, "steps", 0)
    page.wait_for_selector(".overlay .word")
    choosers = page.locator(".tools select")
    assert choosers.nth(0).locator("option").all_inner_texts() == ["Source", "BinarizeImage"]
    assert shown_width(page) > 0
    page.wait_for_load_state("networkidle")
    # The picture that a worker has made of the step's result, not the result; and not the one of the source yet.
    assert parts_of(pages) == ["results", "step_pages"]
    assert 100 < pages.wire_bytes() <= MOST_WIRE_BYTES
    page.locator(".slider").fill("20")
    assert shown_width(page, "img.before") > 0
    assert parts_of(pages) == ["pages", "results", "step_pages"]
    assert page.locator("img.before").evaluate("image => image.style.clipPath") == "inset(0px 80% 0px 0px)"
    pages.keep("previews-of-a-step")
    choosers.nth(0).select_option("Source")
    assert page.locator(".overlay .word").count() > 40
    assert page.locator(".files th").all_inner_texts() == ["Text", "Hocr", "BinarizeImage", "source"]


def test_a_gallery_has_first_words_and_thumbnails_and_reads_no_text(
    documents: Documents, pages: Pages
) -> None:
    page = documents.view(pages, "documents")
    page.wait_for_selector(".card")
    page.wait_for_load_state("networkidle")
    assert all(len(words) > 20 for words in page.locator(".first-words").all_inner_texts())
    assert page.locator(".card img").count() == 2
    assert set(parts_of(pages)) == {"thumbnails"}
    pages.keep("previews-gallery")
