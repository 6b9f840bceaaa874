"""The values of PDF form fields are on the rendered page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits
from airflow_provider_asposeocr.emulator.work.imaging.pdf_pages import pdf_pages
from tests.support.pdf_builder import pdf_of, stream

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.imaging.pages import Page
    from airflow_provider_asposeocr.emulator.work.jobs import Worker
    from tests.support.emulator_workers import MakeWorker, Run


CASES = Path(__file__).parent / "cases"
#: Where the field of a document below stands, in points from the lower left corner.
RECT = (50, 600, 350, 630)


def test_the_value_of_a_field_is_read(run: Run, worker: Worker) -> None:
    outcome = run(worker, "RecognizePdf", (CASES / "form.pdf").read_bytes())

    # RapidOCR takes the right edge of the shaded field for a digit.
    assert outcome.results[0].path.read_text().startswith("Name of customer:\nJonathan Applebaum")
    assert outcome.warnings == ()


def form(field: bytes, *, form: bytes = b"", listed: bool = True) -> bytes:
    fields = b"/AcroForm << /Fields [5 0 R] /DR << /Font << /Helv 6 0 R /ZaDb 7 0 R >> >> %s >>" % form
    appearance = b"/Type /XObject /Subtype /Form /BBox [0 0 300 30]"
    return pdf_of(
        b"<< /Type /Catalog /Pages 2 0 R %s >>" % (fields if listed else b""),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Annots [5 0 R] >>",
        stream(b"", b""),
        b"<< /Type /Annot /Subtype /Widget /F 4 /T (field) /Rect [%d %d %d %d] %s >>" % (*RECT, field),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /ZapfDingbats >>",
        stream(appearance, b"2 w 5 5 m 295 25 l S"),
        stream(appearance, b""),
        b"<< /Type /Sig /Filter /Adobe.PPKLite /Name (Signer) >>",
    )


def page_of(tmp_path: Path, data: bytes) -> Page:
    path = tmp_path / "form.pdf"
    path.write_bytes(data)
    (page,) = pdf_pages(path, Limits())
    return page


def ink_in_the_field(tmp_path: Path, data: bytes) -> int:
    page = page_of(tmp_path, data)
    left, bottom, right, top = (round(points * 200 / 72) for points in RECT)
    height = page.image.shape[0]
    return int(np.count_nonzero(page.image[height - top : height - bottom, left:right] < 128))


TEXT = b"/FT /Tx /DA (/Helv 18 Tf 0 g)"
STATES = b"/AP << /N << /Yes 8 0 R /Off 9 0 R >> >>"


@pytest.mark.parametrize(
    ("filled", "empty"),
    [
        pytest.param(TEXT + b" /V (Words)", TEXT, id="text"),
        pytest.param(TEXT + b" /Ff 4096 /V (Words)", TEXT, id="text of several lines"),
        pytest.param(b"/FT /Tx /V (Words)", b"/FT /Tx", id="text without a font"),
        pytest.param(
            b"/FT /Ch /DA (/Helv 18 Tf 0 g) /Opt [(One) (Two)] /V (Two) /I [1]",
            b"/FT /Ch /Opt []",
            id="choice",
        ),
        pytest.param(
            b"/FT /Ch /Ff 131072 /DA (/Helv 18 Tf 0 g) /Opt [[(a) (Shown name)]] /V (a)",
            b"/FT /Ch /Ff 131072 /DA (/Helv 18 Tf 0 g) /Opt [[(a) (Shown name)]]",
            id="combo box",
        ),
        pytest.param(
            b"/FT /Btn /DA (/ZaDb 18 Tf 0 g) /MK << /CA (4) >> /V /Yes /AS /Yes",
            b"/FT /Btn /DA (/ZaDb 18 Tf 0 g) /MK << /CA (4) >> /V /Off /AS /Off",
            id="check box without an appearance",
        ),
        pytest.param(
            b"/FT /Btn /V /Yes /AS /Yes " + STATES, b"/FT /Btn /V /Off /AS /Off " + STATES, id="check box"
        ),
        pytest.param(b"/FT /Sig /V 10 0 R /AP << /N 8 0 R >>", b"/FT /Sig", id="signature"),
    ],
)
def test_a_filled_field_is_drawn_and_an_empty_one_is_not(tmp_path: Path, filled: bytes, empty: bytes) -> None:
    assert ink_in_the_field(tmp_path, form(filled)) > ink_in_the_field(tmp_path, form(empty)) + 50


def test_a_field_that_no_form_lists_is_drawn(tmp_path: Path) -> None:
    assert ink_in_the_field(tmp_path, form(b"/FT /Tx /AP << /N 8 0 R >>", listed=False)) > 50


def test_a_hidden_field_is_not_drawn(tmp_path: Path) -> None:
    assert ink_in_the_field(tmp_path, form(TEXT + b" /V (Words)").replace(b"/F 4", b"/F 2")) == 0


@pytest.mark.parametrize("dynamic", [b"", b" /NeedsRendering true"])
def test_an_xfa_form_is_warned_of_once(run: Run, blind: MakeWorker, dynamic: bytes) -> None:
    data = form(TEXT, form=b"/XFA [(template) 4 0 R]" + dynamic)

    (warning,) = run(blind(), "RecognizePdf", data).warnings

    assert "XFA" in warning
    assert "flatten" in warning


def test_an_ordinary_form_and_no_form_are_not_warned_of(run: Run, blind: MakeWorker) -> None:
    for data in (form(TEXT), form(TEXT, listed=False)):
        assert run(blind(), "RecognizePdf", data).warnings == ()
