"""The size of the paper: resolutions in both directions, units of a PDF page, and the size after a chain of steps."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest
from PIL import Image

from airflow_provider_asposeocr.emulator.work.imaging.resolution import resolution_of
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from tests.support.drawn_pages import PROSE, blank, encoded, write
from tests.support.pdf_builder import pdf_of, pdf_with_object_streams

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.jobs import JobOutcome, Worker
    from tests.support.emulator_workers import MakeWorker, Run


CASES = Path(__file__).parent / "cases"
SHIPPED = "Order 4711 was shipped on Monday\nTotal amount due 128.50 EUR"


def result(outcome: JobOutcome, kind: str) -> Path:
    (path,) = [result.path for result in outcome.results if result.type == kind]
    return path


def paper(path: Path, page: int = 0) -> tuple[float, float]:
    with pypdfium2.PdfDocument(path) as document:
        size: tuple[float, float] = document[page].get_size()
        return size


class TestFax:
    """A fax has 204 pixels per inch across and 98 down."""

    def test_its_text_and_the_size_of_its_paper(self, run: Run, worker: Worker) -> None:
        outcome = run(worker, "RecognizeImage", (CASES / "fax.tif").read_bytes(), resultType="TextAndPdf")

        assert result(outcome, "Text").read_text() == SHIPPED
        assert paper(result(outcome, "Pdf")) == pytest.approx((610, 808), abs=1)

    @pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
    def test_every_format_tells_both(self, run: Run, blind: MakeWorker, kind: str) -> None:
        page = encoded(blank(816, 392), kind, dpi=(204, 98))

        outcome = run(blind(), "RecognizeImage", page, resultType="Pdf")

        assert paper(outcome.results[0].path) == pytest.approx((288, 288), abs=1)

    def test_boxes_are_in_pixels_of_the_submitted_page(self, run: Run, worker: Worker) -> None:
        page = write(blank(816, 500), ("Words",), x=300, y=100, size=60)
        flat = page.resize((816, 250))

        outcome = run(worker, "DetectRegions", encoded(flat, dpi=(200, 100)))

        ((left, top, right, bottom),) = json.loads(outcome.results[0].path.read_text())
        assert 280 <= left < right <= 520
        assert 45 <= top < bottom <= 95

    def test_turned_on_its_side_the_two_change_places(self, run: Run, blind: MakeWorker) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by a quarter
        page = encoded(blank(816, 392), "JPEG", dpi=(204, 98), exif=exif)

        outcome = run(blind(), "BinarizeImage", page)

        with Image.open(outcome.results[0].path) as picture:
            assert picture.size == (392, 816)
            assert picture.info["dpi"] == pytest.approx((98, 204), abs=0.1)

    def test_over_the_limit_of_pixels_it_is_reduced_instead(self, run: Run, blind: MakeWorker) -> None:
        page = encoded(blank(1000, 500), dpi=(200, 100))

        outcome = run(blind(max_pixels=600_000), "RecognizeImage", page, resultType="Pdf")

        assert paper(outcome.results[0].path) == pytest.approx((360, 360), abs=1)


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"dpi": (300, 300)}, (300, 300)),
        ({"dpi": (203.9, 98.0)}, (203.9, 98)),
        ({}, (96, 96)),
        ({"dpi": (0, 0)}, (96, 96)),
        ({"dpi": (1, 1)}, (96, 96)),
        ({"dpi": (300,)}, (96, 96)),
        ({"dpi": "ab"}, (96, 96)),
        ({"dpi": (float("nan"), 300)}, (96, 96)),
        ({"dpi": (9600, 9600)}, (9600, 9600)),
        # Pixels nine times as long as wide are a mistake of the program that wrote the file.
        ({"dpi": (900, 100)}, (96, 96)),
        # Without a unit, only the shape of a pixel is known.
        ({"aspect": (2, 1)}, (96, 48)),
        ({"resolution": (204, 98)}, (96, 96 * 98 / 204)),
        ({"jfif_unit": 0, "jfif_density": (1, 2)}, (48, 96)),
        ({"jfif_unit": 0, "jfif_density": (0, 0)}, (96, 96)),
    ],
)
def test_resolution_of_a_header(info: dict[str, Any], expected: Any) -> None:
    assert resolution_of(info) == pytest.approx(expected)


class TestSteps:
    """The PNG of a step tells a resolution, so that the PDF at the end of a chain has the size of the paper."""

    @pytest.mark.parametrize(
        ("operation", "dpi"),
        [("UpscaleImage", (408, 196)), ("BinarizeImage", (204, 98)), ("DeskewImage", (204, 204))],
    )
    def test_each_step_tells_a_resolution(
        self, run: Run, blind: MakeWorker, operation: str, dpi: tuple[int, ...]
    ) -> None:
        outcome = run(blind(), operation, encoded(blank(408, 196), dpi=(204, 98)))

        with Image.open(outcome.results[0].path) as picture:
            assert picture.info["dpi"] == pytest.approx(dpi, abs=0.1)
            picture.load()

    @pytest.mark.parametrize("dpi", [{}, {"dpi": (150, 150)}, {"dpi": (204, 98)}])
    def test_a_chain_keeps_the_size_of_the_paper(self, run: Run, blind: MakeWorker, dpi: Any) -> None:
        page = encoded(write(blank(), PROSE), **dpi)
        direct = run(blind(), "RecognizeImage", page, resultType="Pdf").results[0].path

        for operation in ("UpscaleImage", "BinarizeImage", "DeskewImage"):
            page = run(blind(), operation, page).results[0].path.read_bytes()
        last = run(blind(), "RecognizeImage", page, resultType="Pdf").results[0].path

        assert paper(last) == pytest.approx(paper(direct), abs=1)


PAGES = b"<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


class TestUserUnit:
    def test_the_text_and_the_size_of_the_paper(self, run: Run, worker: Worker) -> None:
        outcome = run(
            worker, "RecognizePdf", (CASES / "userunit10.pdf").read_bytes(), resultType="TextAndPdf"
        )

        assert result(outcome, "Text").read_text() == SHIPPED
        assert paper(result(outcome, "Pdf")) == pytest.approx((595, 842), abs=1)

    @pytest.mark.parametrize(
        ("unit", "expected"),
        [
            (b"/UserUnit 2.5", 250),
            (b"/UserUnit 5 0 R", 300),
            (b"/UserUnit 0", 100),
            (b"/UserUnit (ten)", 100),
            (b"", 100),
        ],
    )
    @pytest.mark.parametrize("packed", [False, True])
    def test_each_page_has_its_own(
        self, run: Run, blind: MakeWorker, unit: bytes, expected: Any, packed: bool
    ) -> None:
        box = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] %s >>"
        objects = (CATALOG, PAGES, box % unit, box % b"", b"3")
        data = (pdf_with_object_streams if packed else pdf_of)(*objects)

        path = run(blind(), "RecognizePdf", data, resultType="Pdf").results[0].path

        assert paper(path, 0) == pytest.approx((expected, expected), abs=1)
        assert paper(path, 1) == pytest.approx((100, 100), abs=1)

    def test_a_page_that_becomes_too_large_is_refused(self, run: Run, blind: MakeWorker) -> None:
        box = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /UserUnit 75000 >>"
        data = pdf_of(CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", box)

        with pytest.raises(JobError, match="45000000 x 60000000 points"):
            run(blind(), "RecognizePdf", data)


def test_a_bilevel_result_still_has_one_bit_per_pixel(run: Run, blind: MakeWorker) -> None:
    data = run(blind(), "BinarizeImage", encoded(blank(200, 100))).results[0].path.read_bytes()

    with Image.open(io.BytesIO(data)) as picture:
        assert picture.mode == "1"
