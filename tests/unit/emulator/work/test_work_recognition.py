"""What real engines read from drawn pages."""

from __future__ import annotations

import json
import threading
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest
from PIL import Image, ImageOps

from airflow_provider_asposeocr.api.results.readers.hocr import read_hocr
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from airflow_provider_asposeocr.emulator.work.workers import make_worker
from tests.support.drawn_pages import OTHER_PROSE, PROSE, blank, cer, encoded, prose, write
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome, Worker
    from tests.support.emulator_workers import Run


TRUTH = "\n".join(PROSE)
#: Drawn pages are clean; measured 0.0 with both engines. One wrong letter in a hundred is let pass.
CLEAN = 0.01


def text_of(outcome: JobOutcome, number: int = 0) -> str:
    assert outcome.results[number].type == "Text"
    return outcome.results[number].path.read_text(encoding="utf-8")


def two_columns() -> bytes:
    page = write(blank(1500, 560), ("The Evening Paper of the Valley",), x=400, y=60, size=48)
    return encoded(write(write(page, PROSE[:4], x=60, y=200), OTHER_PROSE[:4], x=800, y=200))


def receipt() -> tuple[Any, ...]:
    goods = [
        ("Bread, dark, 1 kg", "4.20"),
        ("Milk 1.5 %", "1.09"),
        ("Apples, loose", "3.75"),
        ("Butter", "2.49"),
    ]
    page = blank(700, 400)
    for number, (name, price) in enumerate(goods):
        write(write(page, (name,), x=40, y=60 + 60 * number), (price,), x=580, y=60 + 60 * number)
    return page, [f"{name} {price}" for name, price in goods]


@pytest.fixture(scope="module")
def clean_page(worker: Worker, run: Run) -> JobOutcome:
    """The clean page as text, PDF and hOCR."""
    return run(worker, "RecognizeImage", prose(), resultType="TextAndPdfAndHocr")


@pytest.fixture(scope="module")
def columns(worker: Worker, run: Run) -> JobOutcome:
    """Two columns below a title as text and PDF."""
    return run(worker, "RecognizeImage", two_columns(), resultType="TextAndPdf")


def test_clean_page_is_read_line_by_line(clean_page: JobOutcome) -> None:
    data = clean_page.results[0].path.read_bytes()
    assert cer(data.decode("utf-8"), TRUTH) <= CLEAN
    assert data.count(b"\n") == len(PROSE) - 1
    assert b"\r" not in data
    assert not data.endswith(b"\n")
    assert clean_page.warnings == ()


def test_two_columns_are_read_one_after_the_other(columns: JobOutcome) -> None:
    truth = "The Evening Paper of the Valley " + " ".join(PROSE[:4] + OTHER_PROSE[:4])
    assert cer(text_of(columns), truth) <= CLEAN


def test_mode_without_structure_reads_across_columns(worker: Worker, run: Run) -> None:
    text = text_of(run(worker, "RecognizeImage", two_columns(), dsrMode="NoDsrNoFilter"))
    assert cer(text.splitlines()[1], f"{PROSE[0]} {OTHER_PROSE[0]}") <= 0.05


@pytest.mark.parametrize("operation", ["RecognizeImage", "RecognizeReceipt"])
def test_price_stays_on_the_line_of_its_article(worker: Worker, run: Run, operation: str) -> None:
    page, lines = receipt()
    assert text_of(run(worker, operation, encoded(page))).splitlines() == lines


@pytest.mark.process
def test_pdf_pages_are_merged_into_one_text_and_one_pdf(worker: Worker, run: Run) -> None:
    pages = [write(blank(900, 400), PROSE[:3], size=40), write(blank(900, 400), OTHER_PROSE[:3], size=40)]
    document = encoded(pages[0], "PDF", save_all=True, append_images=pages[1:], resolution=100)
    outcome = run(worker, "RecognizePdf", document, resultType="TextAndPdf")
    assert [result.type for result in outcome.results] == ["Text", "Pdf"]
    assert cer(text_of(outcome), "\n".join(PROSE[:3] + OTHER_PROSE[:3])) <= CLEAN
    with pypdfium2.PdfDocument(outcome.results[1].path) as searchable:
        texts = [page.get_textpage().get_text_bounded() for page in searchable]
        assert searchable[0].get_size() == pytest.approx((648, 288), abs=1)
    assert cer(texts[0], " ".join(PROSE[:3])) <= CLEAN
    assert cer(texts[1], " ".join(OTHER_PROSE[:3])) <= CLEAN


def test_searchable_pdf_gives_the_text_back_in_order(columns: JobOutcome) -> None:
    with pypdfium2.PdfDocument(columns.results[1].path) as document:
        extracted = document[0].get_textpage().get_text_bounded()
    assert extracted.split() == text_of(columns).split()


def hocr_elements(outcome: JobOutcome) -> Iterator[Any]:
    assert outcome.results[2].type == "Hocr"
    root = ET.fromstring(outcome.results[2].path.read_bytes())
    for element in root.iter():
        if element.get("class", "").startswith("ocr"):
            box = [int(edge) for edge in element.get("title", "").split(";")[0].split()[1:]]
            yield element.get("class"), element.text, box


def test_hocr_is_xml_with_every_word_inside_the_page(clean_page: JobOutcome) -> None:
    elements = list(hocr_elements(clean_page))
    assert [text for name, text, _ in elements if name == "ocrx_word"] == text_of(clean_page).split()
    assert elements[0][2] == [0, 0, 1240, 700]
    assert all(0 <= x0 < x1 <= 1240 and 0 <= y0 < y1 <= 700 for _, _, (x0, y0, x1, y1) in elements)


def test_the_engine_says_how_sure_it_is_of_each_word(clean_page: JobOutcome) -> None:
    found = read_hocr([clean_page.results[2].path.read_bytes()])
    assert all(word.confidence is not None for word in found.words)
    assert found.mean_confidence is not None
    assert 0.9 < found.mean_confidence <= 1


def test_word_boxes_lie_on_the_ink_of_their_words(clean_page: JobOutcome) -> None:
    """The box of the first word holds its ink, and ends before the next word."""
    text, (x0, y0, x1, y1) = next(
        (text, box) for name, text, box in hocr_elements(clean_page) if name == "ocrx_word"
    )
    ink = ImageOps.invert(write(blank(), ("The",))).getbbox()
    assert ink is not None
    left, top, right, bottom = ink
    assert text == "The"
    assert (x0, x1) == pytest.approx((left, right), abs=12)
    assert y0 <= top + 3
    assert y1 >= bottom - 3


def test_json_blocks_hold_text_and_corners(worker: Worker, run: Run) -> None:
    page = encoded(write(write(blank(1000, 600), PROSE[:2]), OTHER_PROSE[:2], y=400))
    outcome = run(worker, "RecognizeImage", page, resultType="JSON")
    assert outcome.results[0].type == "JSON"
    first, second = json.loads(outcome.results[0].path.read_text(encoding="utf-8"))
    assert cer(first["text"], "\n".join(PROSE[:2])) <= CLEAN
    assert cer(second["text"], "\n".join(OTHER_PROSE[:2])) <= CLEAN
    assert first["bottomRightY"] < 300 < second["topLeftY"]
    assert first["topLeftX"] == pytest.approx(80, abs=12)


def test_regions_are_read_in_the_order_asked_for(worker: Worker, run: Run) -> None:
    regions = [
        {"order": 2, "rect": {"topLeftX": 60, "topLeftY": 70, "bottomRightX": 1000, "bottomRightY": 125}},
        {"order": 1, "rect": {"topLeftX": 60, "topLeftY": 310, "bottomRightX": 1000, "bottomRightY": 365}},
    ]
    outcome = run(worker, "RecognizeRegions", prose(), regions=regions)
    assert [result.type for result in outcome.results] == ["Text", "Text"]
    assert cer(text_of(outcome, 0), PROSE[5]) <= 0.03
    assert cer(text_of(outcome, 1), PROSE[0]) <= 0.03


def test_detected_regions_can_be_recognized(worker: Worker, run: Run) -> None:
    found = run(worker, "DetectRegions", two_columns())
    assert [result.type for result in found.results] == ["Other"]
    boxes = json.loads(found.results[0].path.read_text())
    assert len(boxes) == 3
    names = ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")
    regions = [{"order": 0, "rect": dict(zip(names, boxes[2], strict=True))}]
    outcome = run(worker, "RecognizeRegions", two_columns(), regions=regions)
    assert cer(text_of(outcome), " ".join(OTHER_PROSE[:4])) <= CLEAN


def test_region_that_is_turned_by_deskewing_is_found_by_its_place_in_the_submitted_image(
    worker: Worker, run: Run
) -> None:
    tilted = write(blank(), PROSE).rotate(-4, fillcolor=255, expand=True, resample=Image.Resampling.BICUBIC)
    boxes = json.loads(run(worker, "DetectRegions", encoded(tilted)).results[0].path.read_text())
    assert len(boxes) == 1
    x0, y0, x1, y1 = boxes[0]
    ink = (
        Image.eval(tilted, lambda shade: 255 - shade).point(lambda shade: 255 if shade > 100 else 0).getbbox()
    )
    assert ink is not None
    assert x0 <= ink[0] + 8
    assert y0 <= ink[1] + 8
    assert x1 >= ink[2] - 8
    assert y1 >= ink[3] - 8


def test_rotate_turns_clockwise(worker: Worker, run: Run) -> None:
    on_its_side = write(blank(), PROSE).transpose(Image.Transpose.ROTATE_90)  # counter-clockwise
    assert cer(text_of(run(worker, "RecognizeImage", encoded(on_its_side), Rotate=90)), TRUTH) <= CLEAN


def test_filters_leave_a_clean_page_legible_and_boxes_in_place(worker: Worker, run: Run) -> None:
    page = encoded(write(blank(700, 260), PROSE[:2]))
    settings = {"makeBinarization": True, "makeUpsampling": True}
    outcome = run(worker, "RecognizeImage", page, resultType="JSON", **settings)
    (block,) = json.loads(outcome.results[0].path.read_text())
    assert cer(block["text"], " ".join(PROSE[:2])) <= CLEAN
    assert (block["topLeftX"], block["topLeftY"]) == pytest.approx((80, 85), abs=12)
    assert block["bottomRightX"] < 700


def test_blank_page_is_an_empty_text(worker: Worker, run: Run) -> None:
    assert text_of(run(worker, "RecognizeImage", encoded(blank()))) == ""


def test_unsupported_language_is_refused_not_misread(worker: Worker, run: Run) -> None:
    with pytest.raises(JobError, match=f"The engine {worker.name} cannot read Thai"):
        run(worker, "RecognizeImage", prose(), language="Thai")


def test_handwriting_is_refused(worker: Worker, run: Run) -> None:
    with pytest.raises(JobError, match="HWT_ENG"):
        run(worker, "RecognizeImage", prose(), language="HWT_ENG")


@pytest.mark.slow
def test_serbian_in_latin_script_only_is_told(run: Run) -> None:
    outcome = run(make_worker("rapidocr"), "RecognizeImage", prose(), language="Serbian")
    assert any("Latin script only" in warning for warning in outcome.warnings)


def test_four_jobs_at_once_do_not_mix(worker: Worker, run: Run) -> None:
    lines = [PROSE[0], PROSE[1], OTHER_PROSE[0], OTHER_PROSE[1]]
    start = threading.Barrier(len(lines))

    def one(line: str) -> str:
        page = encoded(write(blank(900, 160), (line,)))
        start.wait(timeout=PATIENCE_SECONDS)
        settings = {"resultType": "TextAndPdf"} if line in PROSE else {}
        return text_of(run(worker, "RecognizeImage", page, **settings))

    with ThreadPoolExecutor(len(lines)) as pool:
        texts = list(pool.map(one, lines))
    assert [cer(text, line) for text, line in zip(texts, lines, strict=False)] == pytest.approx(
        [0] * 4, abs=CLEAN
    )
