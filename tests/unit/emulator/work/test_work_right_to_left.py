"""Scripts that are written from right to left: letters in reading order, and rectangles on the words."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pypdfium2
import pytest

from airflow_provider_asposeocr.emulator.work.engines.base import Box, Line, Word
from airflow_provider_asposeocr.emulator.work.engines.direction import is_right_to_left, left_to_right
from airflow_provider_asposeocr.emulator.work.engines.tesseract import TesseractEngine
from airflow_provider_asposeocr.emulator.work.imaging.layout import reading_order
from airflow_provider_asposeocr.emulator.work.imaging.pages import PreparedPage, RecognizedPage
from airflow_provider_asposeocr.emulator.work.imaging.searchable_pdf import SearchablePdf
from airflow_provider_asposeocr.emulator.work.workers import available_engines, make_worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.emulator_workers import Reader, Run


CASES = Path(__file__).parent / "cases"
HEBREW = "שלום עולם מסמך בדיקה\nסכום לתשלום עשרים"
#: An image without a resolution has 96 pixels per inch.
POINTS_PER_PIXEL = 72 / 96


@pytest.fixture(scope="module")
def reader(run: Run) -> Reader:
    """Recognize a case with Tesseract: ``reader("Hebrew.png", "Hebrew", resultType=...)``."""
    if why := available_engines()["tesseract"]:
        pytest.skip(why)
    worker: Any = make_worker("tesseract")

    def read(name: str, language: str, operation: str = "RecognizeImage", **settings: Any) -> dict[str, Path]:
        if not worker._engine.supports(language):
            pytest.skip(worker._engine.refusal(language))
        outcome = run(worker, operation, (CASES / name).read_bytes(), language=language, **settings)
        return {result.type: result.path for result in outcome.results}

    return read


def extracted(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        text: str = document[0].get_textpage().get_text_bounded()
        return text.replace("\r\n", "\n")


class TestRecognition:
    def test_text_and_pdf_have_the_letters_in_reading_order(self, reader: Reader) -> None:
        results = reader("Hebrew.png", "Hebrew", resultType="TextAndPdf")

        assert results["Text"].read_text(encoding="utf-8") == HEBREW
        assert extracted(results["Pdf"]) == HEBREW

    def test_hocr_has_words_and_letters_in_reading_order_and_says_the_direction(self, reader: Reader) -> None:
        root = ET.fromstring(reader("Hebrew.png", "Hebrew", resultType="Hocr")["Hocr"].read_bytes())

        words = [element.text for element in root.iter() if element.get("class") == "ocrx_word"]
        paragraphs = [element for element in root.iter() if element.get("class") == "ocr_par"]
        assert words == HEBREW.split()
        assert [paragraph.get("dir") for paragraph in paragraphs] == ["rtl"] * len(paragraphs)

    def test_json_has_the_letters_in_reading_order(self, reader: Reader) -> None:
        blocks = json.loads(reader("Hebrew.png", "Hebrew", resultType="JSON")["JSON"].read_text())

        assert "\n".join(block["text"] for block in blocks) == HEBREW

    def test_a_region_has_the_letters_in_reading_order(self, reader: Reader) -> None:
        rect = {"topLeftX": 600, "topLeftY": 130, "bottomRightX": 1200, "bottomRightY": 210}
        regions = [{"order": 0, "rect": rect}]

        results = reader("Hebrew.png", "Hebrew", "RecognizeRegions", regions=regions)

        assert results["Text"].read_text(encoding="utf-8") == HEBREW.split("\n")[1]

    def test_numbers_and_latin_words_run_to_the_right_within_a_line(self, reader: Reader) -> None:
        results = reader("Hebrew_mixed.png", "Hebrew", resultType="TextAndPdf")

        lines = results["Text"].read_text(encoding="utf-8").split("\n")
        assert lines == [
            "חשבונית מספר 20456 מיום ראשון",
            "תשלום עבור Windows Server לחברה",
            "סכום לתשלום 1,250.75 שקלים",
        ]
        copied = extracted(results["Pdf"]).split("\n")
        assert copied[0] == lines[0]
        assert copied[2] == lines[2]
        # pdfium puts a second Latin word before the first one, as in the files of word processors.
        assert sorted(copied[1].split()) == sorted(lines[1].split())

    def test_without_english_data_latin_words_are_warned_of(self, tmp_path: Path) -> None:
        for language in ("heb", "fra"):
            (tmp_path / f"{language}.traineddata").write_bytes(b"")
        engine = TesseractEngine(tmp_path)

        assert "apt-get install tesseract-ocr-eng" in (engine.note("Hebrew") or "")
        assert engine.note("French") is None
        (tmp_path / "eng.traineddata").write_bytes(b"")
        assert engine.note("Hebrew") is None

    def test_arabic(self, reader: Reader) -> None:
        results = reader("Arabic.png", "Arabic", resultType="TextAndPdf")

        lines = ["المبلغ الإجمالي للدفع هو", "شكرا لكم على التعامل معنا"]
        # Tesseract overlooks the first line, with a number in it, of this picture.
        assert results["Text"].read_text(encoding="utf-8").split("\n")[-2:] == lines
        assert extracted(results["Pdf"]).split("\n")[-2:] == lines

    @pytest.mark.parametrize("name", ["Hebrew.png", "Hebrew_mixed.png"])
    def test_rectangles_of_the_pdf_lie_on_the_words(self, reader: Reader, name: str) -> None:
        """Every word of a row but the last was 0 to 1 pt wide."""
        results = reader(name, "Hebrew", resultType="PdfAndHocr")
        points = 72 / (150 if name == "Hebrew.png" else 96)
        root = ET.fromstring(results["Hocr"].read_bytes())
        boxes = {
            element.text: [int(n) * points for n in re.findall(r"\d+", element.get("title", ""))]
            for element in root.iter()
            if element.get("class") == "ocrx_word"
        }

        places = word_places(results["Pdf"])

        assert set(places) == set(boxes)
        for word, (left, right) in places.items():
            assert left == pytest.approx(boxes[word][0], abs=2), word
            # Drawn with the space after it, a word ends up to a letter early or late.
            assert right == pytest.approx(boxes[word][2], abs=12), word


def word_places(path: Path) -> dict[str, tuple[float, ...]]:
    """Return where each word of the first page begins and ends, in points from the left."""
    with pypdfium2.PdfDocument(path) as document:
        page = document[0].get_textpage()
        text = page.get_text_range()
        places: dict[str, tuple[float, ...]] = {}
        for match in re.finditer(r"\S+", text):
            boxes = [page.get_charbox(index, loose=True) for index in range(*match.span())]
            places[match[0]] = (min(box[0] for box in boxes), max(box[2] for box in boxes))
        return places


def row_of(*words: str, top: int = 40, right: int = 860) -> Line:
    """A row of a page of 900 pixels, read from right to left, with 20 pixels per letter."""
    made = []
    for word in words:
        made.append(Word(word, Box(right - 20 * len(word), top, right, top + 30)))
        right -= 20 * len(word) + 8
    return Line(Box.around(word.box for word in made), tuple(made))


@pytest.mark.parametrize(
    "words",
    [
        ("שלום", "עולם"),
        ("(שלום)", "[עולם]", "«ציטוט»"),
        ("מספר", "12:30", "ביום"),
        ("2024", "שנת"),
        ("ש״ח", "1,250.75", "סכום"),
        ("50%", "הנחה"),
        ("ה-PDF", "הזה"),
        ("050-1234567", "טלפון"),
        ("סוף", "משפט."),
        ("المبلغ", "٢٠٢٤", "ريال"),
        ("یک", "سند", "فارسی"),
        ("אחד",),
    ],
)
def test_text_of_a_pdf_can_be_extracted_again(tmp_path: Path, words: tuple[str, ...]) -> None:
    image = np.full((120, 900), 255, dtype=np.uint8)
    blocks = reading_order([row_of(*words)], columns=False, right_to_left=True)
    page = RecognizedPage(PreparedPage(image, 96, (900, 120), np.eye(3)), tuple(blocks))
    output = SearchablePdf(tmp_path / "out.pdf")
    output.add(page)
    output.finish()

    assert page.text == " ".join(words)
    assert extracted(output.path) == page.text
    for word, (left, right) in word_places(output.path).items():
        (box,) = [each.box for block in blocks for each in block.rows[0].words if each.text == word]
        assert left == pytest.approx(box.x0 * POINTS_PER_PIXEL, abs=1)
        assert right == pytest.approx(box.x1 * POINTS_PER_PIXEL, abs=15)


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        ("שלום", "םולש"),
        ("2024", "2024"),
        ("1,250.75", "1,250.75"),
        ("Windows", "Windows"),
        ("ב-2024", "2024-ב"),
        ("ה-PDF", "PDF-ה"),
        ("(שלום)", "(םולש)"),
        ("שלום.", ".םולש"),
        ("50%", "50%"),
        ("٢٠٢٤", "٢٠٢٤"),
        ("", ""),
        ("-", "-"),
    ],
)
def test_letters_from_left_to_right(word: str, standing: str) -> None:
    assert left_to_right(word) == standing


@pytest.mark.parametrize(
    ("texts", "default", "expected"),
    [
        (["שלום", "abc"], False, True),
        (["שלום", "abcde"], True, False),
        (["12", "%"], True, True),
        ([], False, False),
        (["مرحبا"], False, True),
    ],
)
def test_direction_of_texts(texts: list[str], default: bool, expected: bool) -> None:
    assert is_right_to_left(texts, default) is expected


class TestLayout:
    def column(self, words: Iterable[str], x: float, width: int = 300) -> list[Line]:
        return [
            Line(Box(x, 100 + 30 * row, x + width, 120 + 30 * row), (Word(word, Box(x, 0, x + width, 9)),))
            for row, word in enumerate(words)
        ]

    def texts(self, lines: list[Line], **options: Any) -> list[str]:
        return [row.text for block in reading_order(lines, **options) for row in block.rows]

    def test_the_right_column_comes_first(self) -> None:
        right, left = ["אחת", "שתיים", "שלוש"], ["ארבע", "חמש", "שש"]
        page = self.column(left, 100) + self.column(right, 440)

        assert self.texts(page, columns=True) == right + left

    def test_pieces_of_a_row_are_read_from_right_to_left(self) -> None:
        """As of an article and its price, which has no letters."""
        page = self.column(["42.00", "17.50"], 100, width=60) + self.column(["לחם", "חלב"], 440, width=90)

        assert self.texts(page, columns=False) == ["לחם 42.00", "חלב 17.50"]

    def test_lines_that_were_not_read_follow_the_language(self) -> None:
        page = [Line(line.box) for line in self.column("abc", 100) + self.column("def", 440)]
        first = {
            direction: reading_order(page, columns=True, right_to_left=direction)[0].box.x0
            for direction in (False, True)
        }

        assert first == {False: 100, True: 440}

    def test_a_page_of_numbers_only_follows_the_language(self) -> None:
        page = self.column(["42"], 100, width=60) + self.column(["17"], 440, width=60)

        assert self.texts(page, columns=False, right_to_left=True) == ["17 42"]
        assert self.texts(page, columns=False) == ["42 17"]
