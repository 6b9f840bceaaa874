"""What is drawn over a page, and which sources are pictures, without previews."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.airflow_stack import SCAN

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><rect width="300" height="200"/></svg>'
)


def corners(left: int, top: int, right: int, bottom: int) -> dict[str, int]:
    return {"topLeftX": left, "topLeftY": top, "bottomRightX": right, "bottomRightY": bottom}


def source(seen: Seen, name: str, content: bytes) -> dict[str, Any]:
    """Store a source; returns the fields of a manifest that name it."""
    stored = seen.stored(name, content)
    return {"source": stored["uri"], "bytes": stored["bytes"], "sha256": stored["sha256"]}


def with_blocks(pages: Pages, seen: Seen, blocks: Any, **changes: Any) -> Page:
    """Open the page of a document whose only result is JSON."""
    result = seen.stored("blocks.json", json.dumps(blocks).encode(), "JSON")
    seen.plant({**seen.manifest(), **changes, "results": [result]})
    return pages.view("other")


def place_in(page: Page, selector: str, index: int = 0) -> list[float]:
    """Return the edges of a box as shares of the picture."""
    picture, drawn = (
        page.locator("img.after").bounding_box(),
        page.locator(selector).nth(index).bounding_box(),
    )
    assert picture
    assert drawn
    left, top = (
        (drawn["x"] - picture["x"]) / picture["width"],
        (drawn["y"] - picture["y"]) / picture["height"],
    )
    return [left, top, left + drawn["width"] / picture["width"], top + drawn["height"] / picture["height"]]


class TestBlocks:
    """The result JSON: blocks with their corners and text. Its keys are undocumented."""

    @pytest.mark.parametrize(
        "form",
        [
            lambda box, text: {**corners(*box), "text": text},
            lambda box, text: {"rect": corners(*box), "text": text, "confidence": 0.4},
            lambda box, text: {"Rectangle": {key.upper(): value for key, value in corners(*box).items()}, "Text": text},
            lambda box, text: {"bbox": list(box), "value": text},
            lambda box, text: {
                "top_left": {"x": box[0], "y": box[1]},
                "bottom_right": {"x": box[2], "y": box[3]},
                "content": text,
            },
        ],
        ids=["corners", "a rect, and a confidence", "in other case", "numbers", "points"],
    )  # fmt: skip
    def test_each_has_a_box_where_it_says_and_its_text(self, pages: Pages, seen: Seen, form: Any) -> None:
        with Image.open(SCAN) as scan:
            width, height = scan.size
        boxes = [(0, 0, width // 2, height // 4), (width // 4, height // 2, width // 2, height)]
        texts = ["The first block", "Another\nof two lines"]
        page = with_blocks(pages, seen, [form(box, text) for box, text in zip(boxes, texts, strict=True)])
        page.wait_for_selector(".overlay .word")
        assert page.locator(".overlay .word").count() == 2
        for index, box in enumerate(boxes):
            edges = [box[0] / width, box[1] / height, box[2] / width, box[3] / height]
            assert place_in(page, ".overlay .word", index) == pytest.approx(edges, abs=0.02)
        assert page.locator(".words .word").all_inner_texts() == texts
        assert pages.problems == []
        pages.keep("blocks-of-json")

    def test_pointing_marks_both_sides_and_search_finds_them(self, pages: Pages, seen: Seen) -> None:
        blocks = [
            {**corners(0, 100 * number, 90, 100 * number + 90), "text": text}
            for number, text in enumerate(["one", "two", "one"])
        ]
        page = with_blocks(pages, seen, blocks)
        page.locator(".overlay .word").nth(1).hover()
        assert page.locator(".words .marked").inner_text() == "two"
        page.locator(".words .word").nth(2).hover()
        assert page.locator(".overlay .marked").get_attribute("data-word") == "2"
        page.keyboard.press("/")
        page.keyboard.type("ONE")
        assert page.locator(".count").inner_text() == "1 of 2"
        assert page.locator(".overlay .hit").count() == page.locator(".words .hit").count() == 2
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy text").click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "one\n\ntwo\n\none"

    def test_each_page_has_its_own(self, pages: Pages, seen: Seen) -> None:
        """A block without a page is on the page of the one before. A page that no document has is none."""
        numbers: list[Any] = [None, 2, None, 10**9, "3"]
        blocks = [
            {**corners(0, 0, 50, 50), "text": f"block {index}"} | ({"page": number} if number else {})
            for index, number in enumerate(numbers)
        ]
        page = with_blocks(pages, seen, blocks, source="/in/report.pdf")
        page.wait_for_selector(".overlay .word")
        assert page.locator(".words .word").all_inner_texts() == ["block 0"]
        assert page.locator(".blank").count() == 1
        assert page.locator(".strip button").count() == 2
        page.keyboard.press("ArrowRight")
        assert page.locator(".words .word").all_inner_texts() == ["block 1", "block 2", "block 3", "block 4"]

    def test_over_a_page_that_was_not_what_was_read_there_are_none(self, pages: Pages, seen: Seen) -> None:
        manifest = seen.manifest()
        task = {**manifest["task"], "input_sha256": "0" * 64}
        page = with_blocks(pages, seen, [{**corners(0, 0, 50, 50), "text": "block"}], task=task)
        page.locator(".stage .facts", has_text="So no boxes are drawn.").wait_for()
        assert page.locator(".words .word").all_inner_texts() == ["block"]
        assert page.locator(".overlay").count() == 0

    @pytest.mark.parametrize("found", [{"total": 3}, [], [{"text": "no corners"}], [[5, 5, 1, 1]], "x"])
    def test_json_without_boxes_is_a_text(self, pages: Pages, seen: Seen, found: Any) -> None:
        page = with_blocks(pages, seen, found)
        page.wait_for_selector(".text pre")
        assert page.locator(".text pre").inner_text() == json.dumps(found)
        assert page.locator(".overlay").count() == 0

    def test_of_too_many_the_first_ones_are_shown(self, pages: Pages, seen: Seen) -> None:
        page = with_blocks(pages, seen, [{"rect": [0, 0, 9, 9], "text": "w"}] * 20_001)
        page.get_by_text("Not all words are shown: there are too many.").wait_for()
        assert page.locator(".overlay .word").count() == page.locator(".words .word").count() == 20_000


class TestColours:
    """A colour alone says nothing to many people, so the text has a line or a tip, too."""

    STROKES = {  # As the page's style has them: green, amber, red, and blue for what is unknown.
        "good": "rgb(31, 138, 76)", "fair": "rgb(176, 116, 0)", "poor": "rgb(198, 47, 47)", "unknown": "rgb(11, 97, 214)",
    }  # fmt: skip

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_boxes_have_the_colour_of_their_confidence(self, pages: Pages, seen: Seen, scheme: str) -> None:
        confidences = {90: "good", 89: "fair", 74: "poor", None: "unknown"}
        words = "".join(
            f"<span class='ocrx_word' title='bbox {left} 0 {left + 9} 10"
            f"{'' if confidence is None else f'; x_wconf {confidence}'}'>w</span> "
            for left, confidence in zip(range(0, 40, 10), confidences, strict=True)
        )
        page = with_hocr(pages, seen, words, scheme=scheme)
        colour = "element => getComputedStyle(element).stroke"
        strokes = [box.evaluate(colour) for box in page.locator(".overlay .word").all()]
        assert strokes == [self.STROKES[name] for name in confidences.values()]
        line = (
            "word => ['Style', 'Line'].map(each => getComputedStyle(word)[`textDecoration${each}`]).join(' ')"
        )
        lines = [word.evaluate(line) for word in page.locator(".words .word").all()]
        assert lines == ["solid none", "solid underline", "wavy underline", "solid none"]
        tips = [word.get_attribute("title") for word in page.locator(".words .word").all()]
        assert tips == ["confidence 90 %", "confidence 89 %", "confidence 74 %", None]
        pages.keep(f"confidence-{scheme}")

    def test_without_confidences_all_boxes_have_one_colour(self, pages: Pages, seen: Seen) -> None:
        """Whether the cloud's hOCR has confidences is not documented."""
        words = "".join(
            f"<span class='ocrx_word' title='bbox {left} 0 {left + 9} 10'>w</span> "
            for left in range(0, 90, 10)
        )
        page = with_hocr(pages, seen, words)
        classes = {box.get_attribute("class") for box in page.locator(".overlay .word").all()}
        assert classes == {"word unknown"}
        pages.keep("boxes-without-confidence")


def with_hocr(pages: Pages, seen: Seen, words: str, **options: Any) -> Page:
    """Open the page of a document with these words."""
    content = (
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><div class="ocr_page" title="bbox 0 0 100 100">'
        f"{words}</div></body></html>"
    )
    seen.plant({**seen.manifest(), "results": [seen.stored("colours.hocr", content.encode(), "Hocr")]})
    page = pages.view("other", **options)
    page.wait_for_selector(".overlay .word")
    return page


class TestSources:
    """Without previews, a picture that browsers show is shown as it is, and any other document is a download."""

    def _view(self, pages: Pages, seen: Seen, name: str, content: bytes) -> Page:
        text = seen.stored("text.txt", b"The text of the page")
        seen.plant({**seen.manifest(), **source(seen, name, content), "results": [text], "pages": []})
        page = pages.view("other")
        page.wait_for_selector(".text pre")
        return page

    @pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "gif", "bmp", "webp", "svg"])
    def test_a_picture_is_shown(self, pages: Pages, seen: Seen, suffix: str) -> None:
        page = self._view(pages, seen, f"page.{suffix}", SVG if suffix == "svg" else picture(suffix))
        image = page.locator("img.after")
        size = image.evaluate(
            "async image => { await image.decode(); return [image.naturalWidth, image.naturalHeight]; }"
        )
        assert size == [300, 200]
        assert image.bounding_box()
        assert page.locator("h1").inner_text().startswith(f"page.{suffix}")
        assert pages.problems == []
        pages.keep(f"source-{suffix}")

    @pytest.mark.parametrize("suffix", ["tif", "pdf", "djvu"])
    def test_another_document_is_a_download(self, pages: Pages, seen: Seen, suffix: str) -> None:
        content = picture(suffix) if suffix != "djvu" else b"AT&TFORM"
        page = self._view(pages, seen, f"page.{suffix}", content)
        page.locator(".stage .say", has_text="Browsers do not show this type of document.").wait_for()
        assert "previews=True" in page.locator(".stage .say").inner_text()
        assert page.locator(".stage img").count() == 0
        assert [url for url in pages.requests if "/source/" in url] == []
        with page.expect_download() as download:
            page.locator(".files tr", has_text="source").get_by_role("link", name="Download").click()
        assert download.value.suggested_filename == f"page.{suffix}"
        assert Path(download.value.path()).read_bytes() == content
        pages.keep(f"source-{suffix}")

    def test_a_script_in_a_picture_does_not_run(self, pages: Pages, seen: Seen) -> None:
        script = b"<script>fetch('/api/v2/connections?evil'); parent.document.title = 'evil'</script>"
        evil = SVG.replace(b"<rect", script + b"<image href='/api/v2/connections?evil'/><rect")
        page = self._view(pages, seen, "evil.svg", evil)
        width = page.locator("img.after").evaluate(
            "async image => { await image.decode(); return image.naturalWidth; }"
        )
        assert width == 300
        page.wait_for_load_state("networkidle")
        assert "evil.svg" in page.locator("h1").inner_text()
        assert page.title() == "other · OCR results"
        assert [url for url in pages.requests if "?evil" in url] == []

    def test_a_broken_picture_says_so(self, pages: Pages, seen: Seen) -> None:
        page = self._view(pages, seen, "broken.png", b"\x89PNG\r\n\x1a\nbroken")
        page.locator(".stage .say", has_text="The browser cannot show this picture.").wait_for()
        assert page.locator(".text pre").inner_text() == "The text of the page"
        pages.keep("source-broken")


def picture(suffix: str) -> bytes:
    """Draw a small picture in a format."""
    form = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    stream = BytesIO()
    Image.new("RGB", (300, 200), "steelblue").save(stream, form)
    return stream.getvalue()
