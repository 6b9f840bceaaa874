"""How a person reads one document: keys, search, copies, boxes of a page that was changed before, and what it took."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.drawn_pages import encoded

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

STEP = {"id": "i", "submitted_at": "2026-03-02T08:00:00+00:00", "submits": 1}


@pytest.fixture
def few_words(pages: Pages, seen: Seen) -> Page:
    """A document of three lines: "one two", "one" and "one"."""

    def word(text: str, x: int, y: int) -> str:
        return f"<span class='ocrx_word' title='bbox {x} {y} {x + 40} {y + 20}'>{text}</span>"

    lines = " ".join(
        f"<span class='ocr_line' title='bbox 0 {y} 90 {y + 20}'>{words}</span>"
        for y, words in (
            (0, f"{word('one', 0, 0)} {word('two', 50, 0)}"),
            (30, word("one", 0, 30)),
            (60, word("one", 0, 60)),
        )
    )
    hocr = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><div class="ocr_page" title="bbox 0 0 100 100">'
        f'<p class="ocr_par">{lines}</p></div></body></html>'
    )
    seen.plant({**seen.manifest(), "results": [seen.stored("few.hocr", hocr.encode(), "Hocr")]})
    page = pages.view("other")
    page.wait_for_selector(".overlay .word")
    return page


class TestKeys:
    def test_boxes_are_hidden_and_shown(self, few_words: Page) -> None:
        boxes = few_words.locator(".overlay")
        assert boxes.is_visible()
        few_words.keyboard.press("b")
        assert boxes.is_hidden()
        few_words.keyboard.press("b")
        assert boxes.is_visible()

    def test_a_picture_has_its_full_size(self, pages: Pages) -> None:
        page = pages.view("fetch", width=700)
        page.wait_for_selector(".overlay .word")
        image = page.locator("img.after")
        natural = image.evaluate("async image => { await image.decode(); return image.naturalWidth; }")
        fitted = image.bounding_box()
        page.keyboard.press("z")
        full = image.bounding_box()
        assert fitted
        assert full
        assert full["width"] == natural != fitted["width"]

    def test_enter_goes_from_place_to_place_and_shift_goes_back(self, few_words: Page) -> None:
        few_words.keyboard.press("/")
        few_words.keyboard.type("one")
        said = []
        for key in ("", "Enter", "Enter", "Shift+Enter"):
            if key:
                few_words.keyboard.press(key)
            said.append(few_words.locator(".count").inner_text())
        # Of two places only, the next one would also be the one before.
        assert said == ["1 of 3", "2 of 3", "3 of 3", "2 of 3"]


def test_the_text_is_copied_line_by_line(few_words: Page) -> None:
    few_words.context.grant_permissions(["clipboard-read", "clipboard-write"])
    few_words.get_by_role("button", name="Copy text").click()
    few_words.get_by_role("button", name="Copied").wait_for()
    assert few_words.evaluate("navigator.clipboard.readText()") == "one two\none\none"


def test_a_file_is_downloaded_as_it_was_stored(pages: Pages, seen: Seen) -> None:
    (stored,) = (result for result in seen.manifest()["results"] if result["type"] == "Text")
    path = Path(stored["uri"].removeprefix("file://"))
    page = pages.view("fetch")
    row = page.locator(".files tr", has_text=path.name).first
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == path.name
    assert download.value.path().read_bytes() == path.read_bytes()


class TestThePictureThatWasRead:
    def test_regions_are_in_the_pixels_of_the_picture_that_was_read(self, pages: Pages, seen: Seen) -> None:
        """Of a page that was upscaled first; also over the source, which has half of the size."""
        manifest = seen.manifest()
        with Image.open(manifest["source"]) as source:
            width, height = source.width * 2, source.height * 2
            upscaled = encoded(source.resize((width, height)))
        region = json.dumps([[width // 4, height // 4, width // 2, height // 2]]).encode()
        kept = seen.stored("upscaled.png", upscaled, "ImagePNG")
        steps = [
            {**STEP, "operation": "UpscaleImage", "result": kept},
            {**STEP, "operation": "DetectRegions"},
        ]
        seen.plant({**manifest, "steps": steps, "results": [seen.stored("r.json", region, "Other")]})
        page = pages.view("other")
        for name in ("UpscaleImage", "Source"):
            page.locator(".tools select").first.select_option(name)
            page.wait_for_selector(".overlay .region")
            picture, drawn = (page.locator(each).bounding_box() for each in ("img.after", ".overlay .region"))
            assert picture
            assert drawn
            assert abs(drawn["x"] - picture["x"] - picture["width"] / 4) < 4, name
            assert abs(drawn["width"] - picture["width"] / 4) < 4, name
        assert page.locator(".stage .facts").count() == 0

    @pytest.mark.parametrize("boxes", ["words", "regions"])
    def test_a_page_that_was_not_what_was_read_says_so(self, pages: Pages, seen: Seen, boxes: str) -> None:
        """In a chain of single tasks, what the tasks before have made is nowhere."""
        manifest = seen.manifest()
        manifest["task"]["input_sha256"] = "0" * 64
        if boxes == "regions":
            manifest["results"] = [seen.stored("r.json", b"[[69, 74, 353, 373]]", "Other")]
        seen.plant(manifest)
        page = pages.view("other")
        said = page.locator(".stage .facts")
        said.wait_for()
        assert 'You see the picture "Source", but the text was read from what an earlier task' in (
            said.inner_text()
        )
        assert (page.locator(".overlay .word").count() > 40) == (boxes == "words")
        assert page.locator(".overlay .region").count() == 0
        pages.keep(f"document-not-what-was-read-{boxes}")

    def test_a_page_that_was_read_as_it_is_says_nothing(self, pages: Pages) -> None:
        page = pages.view("fetch")
        page.wait_for_selector(".overlay .word")
        assert page.locator(".stage .facts").count() == 0


def test_its_story_says_what_it_took_and_what_was_billed(pages: Pages, seen: Seen) -> None:
    steps = [
        {**STEP, "operation": "BinarizeImage", "seconds": 2.5},
        {**STEP, "operation": "RecognizeImage", "seconds": 300, "submits": 2},
    ]
    error = {"class": "TaskFailedError", "message": "No.", "billed": "maybe", "retryable": True}
    seen.plant({**seen.manifest(), "steps": steps, "maybe_billed_twice": True, "error": error})
    page = pages.view("other")
    rows = page.locator(".work tbody tr")
    rows.first.wait_for()
    cells = [row.locator("td").all_inner_texts()[:3] for row in rows.all()]
    assert cells == [["BinarizeImage", "2.5 s", "1 time"], ["RecognizeImage", "5 min", "2 times"]]
    told = page.locator(".work").inner_text()
    assert "3 submits for 2 steps; the cloud bills each submit that it completes." in told
    assert "it may be billed twice" in told
    assert "The step that failed may have been billed. Trying again may help." in told
    pages.keep("document-its-story")


def test_a_document_without_text_says_so_in_the_gallery(pages: Pages, seen: Seen) -> None:
    row: dict[str, Any] = {"schema_version": 1, "task": None, "results": [], "documents": 2, "try": 1}
    rows = [
        {**row, "index": index, "source": f"/in/{index}.png", "outcome": "succeeded", "first_words": words}
        for index, words in enumerate(["How it begins", ""])
    ]
    written = seen.stored("empty.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    address = {"manifest": written["uri"], "size_bytes": written["bytes"], "sha256": written["sha256"]}
    with seen.planted_batch(address):
        page = pages.view("other")
        page.wait_for_selector(".card")
        assert page.locator(".first-words").all_inner_texts() == ["How it begins", "(no text)"]
