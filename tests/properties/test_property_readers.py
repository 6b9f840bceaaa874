"""
The readers of results on broken and hostile input: data or one named error, whatever the bytes are.
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import ReaderError
from airflow_provider_asposeocr.api.results.readers.blocks import Blocks, read_blocks
from airflow_provider_asposeocr.api.results.readers.boxes import Box
from airflow_provider_asposeocr.api.results.readers.fonts import Fonts, read_fonts
from airflow_provider_asposeocr.api.results.readers.hocr import Hocr, read_hocr
from airflow_provider_asposeocr.api.results.readers.invoice import INVOICE_FIELDS, Invoice, read_invoice
from airflow_provider_asposeocr.api.results.readers.reading_order import in_reading_order, merged
from airflow_provider_asposeocr.api.results.readers.regions import Regions, read_regions
from airflow_provider_asposeocr.api.results.readers.speech import Speech, read_speech
from airflow_provider_asposeocr.api.results.readers.table import Table, read_csv, read_excel
from airflow_provider_asposeocr.api.results.readers.text import TextDocument, read_text
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr, tiny_wav, tiny_workbook
from tests.support.hostile import BODIES, JSON_VALUES, NASTY, TEXTS, objects, spoiled, written
from tests.support.tried import holds_for

if TYPE_CHECKING:
    from collections.abc import Callable

BOXES = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(1, 30),
    st.integers(1, 30),
)
CORNERS = st.lists(st.integers(-5, 900) | JSON_VALUES, max_size=5)
EDGES = {name: st.integers(0, 900) for name in ("topLeftX", "topLeftY", "bottomRightX", "bottomRightY")}
BLOCKS = objects({**EDGES, "text": TEXTS, "page": st.integers(-1, 5), "rect": objects(EDGES)})
INVOICES = objects({name: NASTY | TEXTS | st.just("2024-02-29") | st.integers() for name in INVOICE_FIELDS})
TAGS = st.sampled_from(
    [
        "<div class='ocr_page' title='bbox 0 0 9 9'>", "<span class='ocrx_word' title='bbox 1 1 2 2; x_wconf 9'>",
        "<p>", "<span class='ocr_line'>", "<div class='ocr_carea'>", "</div>", "</span>", "</p>", "<br>", "<br/>", "<",
        ">", "&amp;", "&eacute;", "&a;", "&#0;", "&#" + "9" * 5000 + ";", "&#xd800;",
        "<!--", "-->", "<!", "<?", "?>", "<![CDATA[", "]]>", "'",
        '"', "<a b='>", "<i>" * 99, "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<?xml version='1.0' encoding='utf-7'?>",
        "<?xml version='1.0' encoding='no'?>", "word", " title='bbox 9999999999 1e9 -1 0; x_wconf 1e999'",
        " class=ocrx_word", "\x00", "\ufeff", "\u202e",
    ]
)  # fmt: skip
HOCR = (
    st.lists(TAGS | TEXTS, max_size=20).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))
    | spoiled(st.builds(tiny_hocr, st.text(max_size=30)))
    | BODIES
)
LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NASTY | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(NASTY, inner, max_size=3),
    max_leaves=6,
)
SCRAPS = st.lists(
    st.sampled_from([*"'\"\\{}[](),:-+1ej\n", "f'", "b'", "font"]),
    max_size=40,
)
FONTS = (
    spoiled(LITERALS.map(lambda value: repr(value).encode("utf-8", "surrogatepass")))
    | SCRAPS.map(lambda parts: "".join(parts).encode())
    | written(objects({"style": TEXTS, "font": st.lists(TEXTS, max_size=3)}))
    | BODIES
)


def read(reader: Callable[[bytes], object], body: bytes) -> object:
    """Read, or see a named error whose text can be shown."""
    said = ""
    try:
        return reader(body)
    except ReaderError as error:
        said = error.message
    assert said.isprintable()
    assert len(said) < 500
    return None


@holds_for(reads_results=True, body=BODIES | TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_text_is_read_or_refused(body: bytes) -> None:
    found = read(lambda data: read_text([data]), body)
    if isinstance(found, TextDocument):
        assert "".join(found.words) == "".join(found.text.split())
        assert found.text.replace("\f", "\n") == "\n".join(found.lines)


@holds_for(reads_results=True, body=written(st.lists(CORNERS, max_size=4)) | BODIES)
def test_regions_are_read_or_refused(body: bytes) -> None:
    found = read(read_regions, body)
    if isinstance(found, Regions):
        assert all(box.width > 0 and box.height > 0 for box in found.boxes)
        json.dumps(found.padded(3).to_settings(), allow_nan=False)


@holds_for(boxes=st.lists(BOXES, max_size=12))
def test_the_reading_order_has_the_same_boxes(boxes: list[Box]) -> None:
    found = in_reading_order(boxes)
    assert sorted(found) == sorted(boxes)
    assert in_reading_order(list(reversed(boxes))) == found
    assert sorted(in_reading_order(boxes, right_to_left=True)) == sorted(boxes)


@holds_for(boxes=st.lists(BOXES, max_size=12), pixels=st.integers(0, 9))
def test_merged_boxes_are_apart_and_cover_the_others(boxes: list[Box], pixels: int) -> None:
    found = merged(boxes, pixels)
    assert not any(one.is_near(other, pixels) for one in found for other in found if one is not other)
    for box in boxes:
        assert any(
            each.x0 <= box.x0 and each.y0 <= box.y0 and each.x1 >= box.x1 and each.y1 >= box.y1
            for each in found
        )


@holds_for(reads_results=True, body=written(st.lists(BLOCKS | JSON_VALUES, max_size=3)) | BODIES)
def test_blocks_are_read_or_refused(body: bytes) -> None:
    found = read(read_blocks, body)
    if isinstance(found, Blocks):
        assert sum(map(len, found.pages())) == found.count
        assert isinstance(found.text, str)


@holds_for(reads_results=True, body=HOCR)
def test_hocr_is_read_or_refused(body: bytes) -> None:
    found = read(lambda data: read_hocr([data]), body)
    if isinstance(found, Hocr):
        assert found.pages
        assert found.mean_confidence is None or 0 <= found.mean_confidence <= 1
        assert isinstance(found.text, str)


@holds_for(reads_results=True, body=written(INVOICES) | BODIES)
def test_an_invoice_is_read_or_refused(body: bytes) -> None:
    found = read(read_invoice, body)
    if isinstance(found, Invoice):
        for amount in (found.total_amount, found.vat, found.net_amount):
            assert amount is None or (amount.is_finite() and len(f"{amount:f}") < 100)


@holds_for(reads_results=True, body=FONTS)
def test_fonts_are_read_or_refused(body: bytes) -> None:
    found = read(read_fonts, body)
    assert found is None or (isinstance(found, Fonts) and all(isinstance(name, str) for name in found.fonts))


@holds_for(
    value=st.dictionaries(
        st.text(max_size=5),
        st.lists(st.text(max_size=8), max_size=3) | st.none() | st.booleans() | st.integers() | st.text(),
        max_size=3,
    )
)
def test_a_literal_is_what_python_wrote(value: dict[str, object]) -> None:
    assert read_fonts(repr(value).encode()).raw == value


@holds_for(reads_results=True, body=spoiled(st.just(tiny_wav()[:200]) | st.just(tiny_wav())) | BODIES)
def test_a_sound_is_read_or_refused(body: bytes) -> None:
    found = read(read_speech, body)
    if isinstance(found, Speech):
        assert 0 <= found.duration_seconds <= len(body)


@holds_for(
    reads_results=True,
    body=spoiled(st.just(b'0,1\na,"b"\n')) | TEXTS.map(lambda text: text.encode("utf-8", "replace")) | BODIES,
)
def test_a_csv_is_read_or_refused(body: bytes) -> None:
    found = read(read_csv, body)
    if isinstance(found, Table):
        assert all(len(row) == found.width for row in found.padded_rows())


@holds_for(
    reads_results=True, share=0.1, body=spoiled(st.just(tiny_workbook([["0", "1"], ["a", "b"]]))) | BODIES
)
def test_a_workbook_is_read_or_refused(body: bytes) -> None:
    assert isinstance(read(read_excel, body), Table | None)


@holds_for(
    reads_results=True,
    share=0.1,
    sheet=HOCR,
    part=st.sampled_from(["xl/worksheets/sheet1.xml", "xl/workbook.xml", "_rels/.rels"]),
)
def test_a_workbook_with_a_broken_part_is_read_or_refused(sheet: bytes, part: str) -> None:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(tiny_workbook([["a"]]))) as source,
        zipfile.ZipFile(packed, "w") as target,
    ):
        for name in source.namelist():
            target.writestr(name, sheet if name == part else source.read(name))
    assert isinstance(read(read_excel, packed.getvalue()), Table | None)
