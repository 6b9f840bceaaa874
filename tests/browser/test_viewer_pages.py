"""What a person sees in the viewer, with Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.viewer.answers import NOT_VERIFIED
from tests.support.viewer_browser import is_dark

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

#: Boxes that a page shows at most.
MOST_WORDS = 20_000
BOX = re.compile(r'class="ocrx_word"[^>]* title="bbox (\d+) (\d+) (\d+) (\d+)[^"]*">([^<]*)<')
PAGE_BOX = re.compile(r'class="ocr_page"[^>]* title="bbox (\d+) (\d+) (\d+) (\d+)')


def hocr_of(seen: Seen) -> str:
    (result,) = (result for result in seen.manifest()["results"] if result["type"] == "Hocr")
    return Path(result["uri"].removeprefix("file://")).read_text()


def words_of(page: Page) -> Any:
    return page.locator(".words .word")


class TestBoxes:
    def test_each_word_has_a_box_where_the_hocr_says(self, pages: Pages, seen: Seen) -> None:
        hocr = hocr_of(seen)
        words = BOX.findall(hocr)
        page = pages.view("fetch")
        page.wait_for_selector(".overlay .word")
        page.wait_for_function("document.querySelector('img.after').complete")
        boxes = page.locator(".overlay .word")
        assert boxes.count() == len(words) == words_of(page).count() > 40
        image = page.locator("img.after").bounding_box()
        assert image
        edges = PAGE_BOX.search(hocr)
        assert edges
        scale = image["width"] / float(edges[3])
        for index in (0, len(words) // 2, len(words) - 1):
            drawn = boxes.nth(index).bounding_box()
            assert drawn
            x0, y0, x1, y1 = map(int, words[index][:4])
            expected = (
                image["x"] + x0 * scale,
                image["y"] + y0 * scale,
                (x1 - x0) * scale,
                (y1 - y0) * scale,
            )
            for found, wanted in zip(
                (drawn["x"], drawn["y"], drawn["width"], drawn["height"]), expected, strict=True
            ):
                assert abs(found - wanted) < 4, (index, drawn, expected)
        assert pages.problems == []
        # The picture and the hOCR; each file is read from its storage once.
        assert len([url for url in pages.requests if "/data/file/" in url]) == 2
        pages.keep("document")

    def test_pointing_marks_both_sides(self, pages: Pages) -> None:
        page = pages.view("fetch")
        page.wait_for_selector(".overlay .word")
        page.locator(".overlay .word").nth(7).hover()
        assert page.locator(".words .marked").get_attribute("data-word") == "7"
        pages.keep("document-pointing-at-a-box")
        words_of(page).nth(3).hover()
        assert page.locator(".overlay .marked").get_attribute("data-word") == "3"
        page.locator("h1").hover()
        assert page.locator(".marked").count() == 0

    def test_search_marks_words_on_both_sides(self, pages: Pages) -> None:
        page = pages.view("fetch")
        word = words_of(page).first.inner_text()
        page.keyboard.press("/")
        page.keyboard.type(word.upper())
        assert page.locator(".words .hit").first.inner_text() == word
        assert page.locator(".overlay .hit").count() == page.locator(".words .hit").count()
        pages.keep("document-search")
        page.keyboard.press("Escape")
        assert page.locator(".hit").count() == 0

    def test_of_a_page_with_too_many_words_the_first_ones_are_shown(self, pages: Pages, seen: Seen) -> None:
        spans = '<span class="ocrx_word" title="bbox 0 0 9 9">w</span> ' * (MOST_WORDS + 1)
        seen.plant({**seen.manifest(), "results": [seen.stored("many.hocr", hocr(spans), "Hocr")]})
        page = pages.view("other")
        page.get_by_text("Not all words are shown: there are too many.").wait_for()
        assert words_of(page).count() == page.locator(".overlay .word").count() == MOST_WORDS

    def test_confidence_is_a_colour(self, pages: Pages, seen: Seen) -> None:
        colours = {97: "good", 90: "good", 89: "fair", 75: "fair", 74: "poor", 30: "poor"}
        spans = "".join(
            f'<span class="ocrx_word" title="bbox {left} 0 {left + 9} 10; x_wconf {confidence}">w{confidence}</span> '
            for left, confidence in zip(range(0, 60, 10), colours, strict=True)
        )
        seen.plant({**seen.manifest(), "results": [seen.stored("c.hocr", hocr(spans), "Hocr")]})
        page = pages.view("other")
        page.wait_for_selector(".words .word")
        classes = [words_of(page).nth(index).get_attribute("class") for index in range(len(colours))]
        assert classes == [f"word {colour}" for colour in colours.values()]


def hocr(words: str, before: str = "") -> bytes:
    return (
        '<html xmlns="http://www.w3.org/1999/xhtml"><body>'
        f'{before}<div class="ocr_page" title="bbox 0 0 100 100"><p class="ocr_par">{words}</p></div></body></html>'
    ).encode()


EVIL = (
    "<script>document.title = 'evil'; fetch('/api/v2/connections?evil')</script>"
    "<script src='/api/v2/connections?evil'></script>"
    '<img src="/api/v2/connections?evil" onerror="document.title = \'evil\'">'
    "<svg onload=\"document.title = 'evil'\"></svg>"
    "<iframe src=\"javascript:parent.document.title='evil'\"></iframe>"
    '<link rel="stylesheet" href="/api/v2/connections?evil"><object data="/api/v2/connections?evil"></object>'
)


class TestHostileText:
    @pytest.mark.parametrize("form", ["xhtml", "html"])
    def test_hocr_runs_nothing_and_asks_for_nothing(self, pages: Pages, seen: Seen, form: str) -> None:
        evil = (
            EVIL
            if form == "html"
            else EVIL.replace('onerror="', 'alt="" onerror="')
            .replace("title = 'evil'\">", "title = 'evil'\"/>")
            .replace('evil">', 'evil"/>')
        )
        word = (
            '<span class="ocrx_word" title="bbox 0 0 10 10">&lt;img src=x onerror="document.title=1"&gt;'
            "<b onmouseover=\"document.title='evil'\">inner</b></span>"
        )
        content = hocr(word, evil) if form == "xhtml" else b"<!doctype html><p>" + hocr(word, evil)[44:]
        seen.plant({**seen.manifest(), "results": [seen.stored(f"{form}.hocr", content, "Hocr")]})
        page = pages.view("other")
        page.wait_for_selector(".words .word")
        assert words_of(page).first.inner_text() == '<img src=x onerror="document.title=1">inner'
        words_of(page).first.hover()
        assert "evil" not in page.title()
        assert [url for url in pages.requests if "evil" in url or "/api/v2/" in url] == []
        assert (
            page.locator(
                "main img:not(.after):not(.before), main iframe, main object, main script, main b"
            ).count()
            == 0
        )

    def test_names_messages_and_addresses_are_texts(self, pages: Pages, seen: Seen) -> None:
        bad = "<img src=/api/v2/connections?evil onerror=\"document.title='evil'\">"
        manifest = {
            **seen.manifest(), "source": f"/in/{bad}.png", "warnings": [bad], "messages": [bad], "shortfall": bad,
            "response_status_code": bad, "results": [seen.stored("t.txt", bad.encode(), bad)],
        }  # fmt: skip
        manifest["task"] = {**manifest["task"], "id": bad}
        seen.plant(manifest)
        page = pages.view("other")
        page.wait_for_selector(".text pre")
        assert page.locator(".text pre").inner_text() == bad
        assert page.locator(".work .notice").count() == 2
        assert [url for url in pages.requests if "evil" in url] == []


class TestPictures:
    def test_before_and_after(self, pages: Pages) -> None:
        page = pages.view("fetch_binarized")
        slider = page.locator(".slider")
        slider.wait_for()
        assert (page.locator("img.before").count(), page.locator("img.after").count()) == (0, 1)
        slider.fill("20")
        assert page.locator("img.before").count() == page.locator("img.after").count() == 1
        assert (
            page.locator("img.before").evaluate("image => image.style.clipPath") == "inset(0px 80% 0px 0px)"
        )
        pages.keep("document-before-and-after")

    def test_without_a_picture_the_boxes_stand_on_an_empty_page(self, pages: Pages, seen: Seen) -> None:
        manifest = {**seen.manifest(), "source": "/in/report.pdf"}
        seen.plant(manifest)
        page = pages.view("other")
        page.wait_for_selector(".overlay .word")
        assert page.locator(".blank").count() == 1
        pages.keep("document-without-a-picture")

    def test_regions(self, pages: Pages, seen: Seen) -> None:
        seen.plant(
            {
                **seen.manifest(),
                "results": [seen.stored("r.json", json.dumps([[69, 74, 353, 373]]).encode(), "Other")],
            }
        )
        page = pages.view("other")
        page.wait_for_selector(".overlay .region")
        assert page.locator(".overlay .region").count() == 1
        pages.keep("document-regions")

    def test_pages_are_turned_with_keys(self, pages: Pages, seen: Seen) -> None:
        manifest = seen.manifest()
        picture = seen.stored("p.png", Path(manifest["source"]).read_bytes())
        shown = {"uri": picture["uri"], "bytes": picture["bytes"], "sha256": picture["sha256"]}
        entry = {"width": 100, "height": 100, "image": shown, "thumbnail": shown}
        both = b"".join(
            hocr(f'<span class="ocrx_word" title="bbox 0 0 9 9">page{number}</span>') for number in (1, 2)
        )
        both = both.replace(b'</body></html><html xmlns="http://www.w3.org/1999/xhtml"><body>', b"")
        pages_of = [{"number": number, **entry} for number in (1, 2)]
        seen.plant({**manifest, "pages": pages_of, "results": [seen.stored("two.hocr", both, "Hocr")]})
        page = pages.view("other")
        page.wait_for_selector(".strip button >> nth=1")
        page.wait_for_selector(".words .word")  # The strip comes with the manifest, the words with the hOCR.
        assert words_of(page).all_inner_texts() == ["page1"]
        page.locator(".stage").focus()
        page.keyboard.press("ArrowRight")
        assert words_of(page).all_inner_texts() == ["page2"]
        page.locator("input[type=search]").fill("page1")
        assert words_of(page).all_inner_texts() == ["page1"]


class TestMany:
    def test_a_gallery_of_300_with_filters(self, pages: Pages, seen: Seen) -> None:
        error = {"class": "SourceError", "message": "No.", "billed": "no", "retryable": False}
        row: dict[str, Any] = {"schema_version": 1, "task": None, "results": [], "documents": 300, "try": 1}
        rows = [
            {**row, "index": index, "source": f"/in/{index}.png"}
            | ({"outcome": "failed", "error": error} if index % 10 == 0 else {"outcome": "succeeded"})
            for index in range(300)
        ]
        text = seen.stored("words.txt", b"the first words")
        rows[1]["results"] = [text]
        written = seen.stored("300.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in rows))
        address = {"manifest": written["uri"], "size_bytes": written["bytes"], "sha256": written["sha256"]}
        with seen.planted_batch(address):
            page = pages.view("other")
            page.wait_for_selector(".card")
            assert page.locator(".card").count() == 50
            assert page.locator(".filter").all_inner_texts() == ["all 300", "failed 30", "succeeded 270"]
            assert len([url for url in pages.requests if "/data/rows/" in url]) == 1
            page.get_by_text("the first words").wait_for()
            page.get_by_role("button", name="Next").click()
            page.get_by_text("51 to 100 of 300 documents").wait_for()
            page.get_by_role("button", name="failed 30").click()
            page.get_by_text("1 to 30 of 30 documents").wait_for()
            assert set(page.locator(".card .badge").all_inner_texts()) == {"failed"}
            page.locator(".card a").first.click()
            page.get_by_role("heading", name="0.png").wait_for()
            assert "SourceError" in page.locator(".problem").inner_text()
            page.get_by_text("Next document").click()
            page.get_by_role("heading", name="1.png").wait_for()

    def test_a_batch_and_a_run(self, pages: Pages) -> None:
        page = pages.view("batch")
        page.wait_for_selector(".card")
        assert page.locator(".filter").all_inner_texts() == ["all 4", "failed 1", "succeeded 3"]
        page = pages.open("/aspose-ocr/view/{run}")
        page.wait_for_selector(".card")
        assert page.locator(".batches a").inner_text() == "batch"
        assert page.locator(".card").count() == 2
        pages.keep("run")


class TestStates:
    def test_a_task_that_is_not_ours(self, pages: Pages, seen: Seen) -> None:
        seen.plant(42)
        page = pages.view("other")
        page.get_by_text("This task has stored no results of Aspose.OCR.").wait_for()
        pages.keep("state-not-ours")

    def test_a_file_that_was_changed(self, pages: Pages, seen: Seen) -> None:
        result = seen.stored("changed.txt", b"before")
        Path(result["uri"]).write_bytes(b"AFTER!")
        seen.plant({**seen.manifest(), "results": [result], "source": None})
        page = pages.view("other")
        page.get_by_text(NOT_VERIFIED).wait_for()
        assert page.get_by_text("AFTER!").count() == 0

    def test_without_a_login(self, pages: Pages) -> None:
        page = pages.view("fetch", None)
        page.get_by_text("You are not logged in to Airflow").wait_for()

    def test_no_such_task(self, pages: Pages) -> None:
        page = pages.view("no_such_task")
        page.get_by_text("Airflow has no such task instance.").wait_for()
        pages.keep("state-no-such-task")


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_follows_the_system_by_itself(self, pages: Pages, scheme: str) -> None:
        page = pages.view("fetch", scheme=scheme)
        page.wait_for_selector(".overlay .word")
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        assert is_dark(page) is (scheme == "dark")
        pages.keep(f"document-{scheme}")

    @pytest.mark.parametrize("width", [700, 1280])
    @pytest.mark.parametrize("task_id", ["fetch", "batch"])
    def test_nothing_is_wider_than_the_window(self, pages: Pages, width: int, task_id: str) -> None:
        page = pages.view(task_id, width=width)
        page.wait_for_selector(".overlay .word, .card")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pages.keep(f"{'document' if task_id == 'fetch' else 'gallery'}-{width}-pixels")
