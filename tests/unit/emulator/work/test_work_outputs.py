"""Files made of recognized pages, with texts that no engine is needed for."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import numpy as np
import pypdfium2
import pytest

from airflow_provider_asposeocr.api.results.readers.hocr import read_hocr
from airflow_provider_asposeocr.emulator.work.engines.base import Box, Line, Word
from airflow_provider_asposeocr.emulator.work.imaging.hocr import HocrFile
from airflow_provider_asposeocr.emulator.work.imaging.layout import reading_order
from airflow_provider_asposeocr.emulator.work.imaging.pages import PreparedPage, RecognizedPage
from airflow_provider_asposeocr.emulator.work.imaging.searchable_pdf import SearchablePdf

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Image


def recognized(*rows: list[str], image: Image | None = None) -> RecognizedPage:
    """A page with ``rows``, each a list of words of 20 pixels per character."""
    image = np.full((400, 900), 255, dtype=np.uint8) if image is None else image
    lines = []
    for number, row in enumerate(rows):
        x, words = 40.0, []
        for word in row:
            words.append(Word(word, Box(x, 40 + 50 * number, x + 20 * len(word), 70 + 50 * number)))
            x += 20 * len(word) + 8
        lines.append(Line(Box.around(word.box for word in words), tuple(words)))
    page = PreparedPage(image, 100, (image.shape[1], image.shape[0]), np.eye(3))
    return RecognizedPage(page, tuple(reading_order(lines, columns=False)))


def pdf_of(tmp_path: Path, *pages: RecognizedPage) -> Path:
    output = SearchablePdf(tmp_path / "out.pdf")
    for page in pages:
        output.add(page)
    output.finish()
    return output.path


def extracted(path: Path, number: int = 0) -> str:
    with pypdfium2.PdfDocument(path) as document:
        text: str = document[number].get_textpage().get_text_bounded()
        return text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "rows",
    [
        [["plain", "words", "in"], ["two", "rows"]],
        [["Zażółć", "gęślą", "jaźń"], ["Größe", "naïve", "Ærø"]],
        [["你好世界"], ["漢字", "かな"]],
        [["smile", "😀", "done"]],
        [["(paren)", "back\\slash", "<tag>"]],
    ],
)
def test_pdf_text_can_be_extracted_again(tmp_path: Path, rows: list[list[str]]) -> None:
    page = recognized(*rows)
    assert extracted(pdf_of(tmp_path, page)) == page.text


def test_chinese_text_has_no_spaces_in_pdf_and_text(tmp_path: Path) -> None:
    page = recognized(["你好", "世界"])
    assert page.text == "你好世界"
    assert extracted(pdf_of(tmp_path, page)) == "你好世界"


def test_pdf_shows_the_image_and_not_the_text(tmp_path: Path) -> None:
    image = np.full((400, 900, 3), 255, dtype=np.uint8)
    image[100:200, 100:300] = (40, 80, 200)  # BGR
    path = pdf_of(tmp_path, recognized(["invisible"], image=image))
    with pypdfium2.PdfDocument(path) as document:
        shown = document[0].render(scale=100 / 72).to_numpy()
    assert shown.shape[:2] == (400, 900)
    assert shown[150, 200, :3] == pytest.approx([40, 80, 200], abs=6)
    assert (shown[300:, :] == 255).all()
    assert shown[40:70, 40:220].min() >= 250


def test_black_and_white_page_takes_one_bit_per_pixel(tmp_path: Path) -> None:
    image = np.where(np.random.default_rng(1).random((400, 900)) > 0.5, 255, 0).astype(np.uint8)
    path = pdf_of(tmp_path, recognized(["x"], image=image))
    assert 400 * 900 / 8 < path.stat().st_size < 400 * 900 / 8 + 5000
    with pypdfium2.PdfDocument(path) as document:
        shown = document[0].render(scale=100 / 72).to_numpy()
    assert np.array_equal(shown[:, :, 0] > 127, image > 127)


def test_words_lie_on_their_boxes_in_the_pdf(tmp_path: Path) -> None:
    path = pdf_of(tmp_path, recognized(["first", "second"]))
    with pypdfium2.PdfDocument(path) as document:
        text = document[0].get_textpage()
        start = text.get_text_bounded().index("second")
        left, bottom, right, top = text.get_charbox(start, loose=True)
    assert left * 100 / 72 == pytest.approx(40 + 100 + 8, abs=3)
    assert (400 - top * 100 / 72, 400 - bottom * 100 / 72) == pytest.approx((40, 70), abs=3)


def test_pdf_of_several_pages_is_well_formed(tmp_path: Path) -> None:
    path = pdf_of(tmp_path, recognized(["one"]), recognized(), recognized(["three"]))
    assert [extracted(path, number) for number in range(3)] == ["one", "", "three"]
    data = path.read_bytes()
    start = int(data.split()[-2])
    entries = data[start:].split(b"trailer")[0].splitlines()[3:]
    for number, entry in enumerate(entries, 1):
        assert data[int(entry.split()[0]) :].startswith(b"%d 0 obj" % number)


def test_hocr_is_well_formed_for_any_text(tmp_path: Path) -> None:
    output = HocrFile(tmp_path / "out.hocr")
    output.add(recognized(['<b>&"quoted"</b>', "nul\x00\ufffe", "漢字"]))
    output.add(recognized())
    output.finish()
    root = ET.fromstring(output.path.read_bytes())
    words = [element.text for element in root.iter() if element.get("class") == "ocrx_word"]
    assert words == ['<b>&"quoted"</b>', "nul", "漢字"]
    assert sum(element.get("class") == "ocr_page" for element in root.iter()) == 2


def test_the_reader_finds_the_confidences_that_the_engine_says(tmp_path: Path) -> None:
    box = Box(0, 0, 50, 20)
    words = (Word("sure", box, 0.934), Word("unsaid", box), Word("wrong", box, 0.0))
    page = PreparedPage(np.zeros((20, 50), dtype=np.uint8), 100, (50, 20), np.eye(3))
    output = HocrFile(tmp_path / "out.hocr")
    output.add(RecognizedPage(page, tuple(reading_order([Line(box, words)], columns=False))))
    output.finish()
    found = read_hocr([output.path.read_bytes()])
    assert found.text == "sure unsaid wrong"
    assert [word.confidence for word in found.words] == [0.93, None, 0.0]


def test_boxes_are_told_in_pixels_of_the_submitted_page() -> None:
    back = np.array([[0.5, 0, 10], [0, 0.5, 20], [0, 0, 1]])
    page = PreparedPage(np.zeros((80, 80), dtype=np.uint8), 100, (50, 60), back)
    assert page.source_box(Box(10, 10, 30, 40)) == (15, 25, 25, 40)
    assert page.source_box(Box(-100, -100, 500, 500)) == (0, 0, 50, 60)
    part = page.cropped(Box(15, 25, 25, 40))
    assert part is not None
    assert part.image.shape == (30, 20)
    assert part.source_box(Box(0, 0, 20, 30)) == (15, 25, 25, 40)
    assert page.cropped(Box(55, 65, 70, 80)) is None
