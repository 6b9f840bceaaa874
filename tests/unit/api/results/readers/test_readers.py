"""
The readers of results: what each gives for what the vendor documents, and which error it raises for what it does not know.
"""

from __future__ import annotations

import ast
import io
import json
import math
import zipfile
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.errors import (
    LibraryMissingError,
    ReaderError,
    ResultTooLargeError,
    ResultUnreadableError,
)
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.results.readers import content, reading_order, table
from airflow_provider_asposeocr.api.results.readers.blocks import read_blocks
from airflow_provider_asposeocr.api.results.readers.boxes import Box
from airflow_provider_asposeocr.api.results.readers.fonts import read_fonts
from airflow_provider_asposeocr.api.results.readers.hocr import read_hocr
from airflow_provider_asposeocr.api.results.readers.invoice import Invoice, read_invoice
from airflow_provider_asposeocr.api.results.readers.reading_order import in_reading_order, merged
from airflow_provider_asposeocr.api.results.readers.regions import Regions, read_regions
from airflow_provider_asposeocr.api.results.readers.speech import read_speech
from airflow_provider_asposeocr.api.results.readers.table import read_csv, read_excel
from airflow_provider_asposeocr.api.results.readers.text import read_text
from airflow_provider_asposeocr.api.settings import validate_settings
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr, tiny_wav, tiny_workbook

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = "<div class='ocr_page' title='bbox 0 0 700 450'>{}</div>"
WORD = "<span class='ocrx_word' title='bbox 1 2 30 40; x_wconf 95'>{}</span>"


class TestErrors:
    """What they say of what cannot be read."""

    def test_it_says_what_was_billed_and_that_the_file_is_kept(self) -> None:
        with pytest.raises(ResultUnreadableError) as caught:
            read_invoice(b"no \x1b JSON")
        said = str(caught.value)
        assert said.startswith("The result cannot be read as an invoice: it is not JSON")
        assert "The cloud task was accepted and billed." in said
        assert "A retry does not help." in said
        assert "the file itself: it is kept as the cloud sent it" in said

    def test_text_of_the_cloud_is_escaped_in_it(self) -> None:
        with pytest.raises(ResultUnreadableError) as caught:
            read_regions(b'["\x1b[2J"]'.replace(b"\x1b", b"\\u001b"))
        assert caught.value.message.isprintable()

    @pytest.mark.parametrize(
        "read",
        [
            read_invoice,
            read_regions,
            read_blocks,
            read_csv,
            read_excel,
            read_fonts,
            read_speech,
            lambda data: read_text([data]),
            lambda data: read_hocr([data]),
        ],
    )
    def test_a_large_result_is_refused(
        self, read: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(content.check_size, "__defaults__", (100_000,))
        with pytest.raises(ResultTooLargeError):
            read(b" " * 100_001)


class TestText:
    """Plain text."""

    def test_parts_pages_lines_and_words(self) -> None:
        found = read_text([b"\xef\xbb\xbfone two\nthree\x0cfour", b"five"])
        assert found.parts == ("one two\nthree\ffour", "five")
        assert found.text == "one two\nthree\ffour\nfive"
        assert found.pages == ["one two\nthree", "four", "five"]
        assert list(found.lines) == ["one two", "three", "four", "five"]
        assert list(found.words) == ["one", "two", "three", "four", "five"]

    def test_what_is_no_text_is_named(self) -> None:
        with pytest.raises(ResultUnreadableError, match="it is not UTF-8, at byte 1"):
            read_text([b"a\xff"])


class TestRegions:
    """Regions of a page."""

    def test_the_sample_of_the_vendor(self) -> None:
        assert read_regions(b"[[0, 8, 697, 441]]").boxes == (Box(0, 8, 697, 441),)

    def test_they_become_the_setting_of_recognize_regions(self) -> None:
        regions = read_regions(b"[[21, 24, 414, 43], [0, 0, 10, 10]]").in_reading_order()
        setting = regions.to_settings()
        assert setting[1] == {
            "order": 1,
            "rect": {"topLeftX": 21, "topLeftY": 24, "bottomRightX": 414, "bottomRightY": 43},
        }
        settings = {"language": "English", "regions": setting}
        assert validate_settings(OPERATIONS["RecognizeRegions"], settings)["regions"] == setting

    def test_what_has_no_area_is_counted_and_left_out(self) -> None:
        found = read_regions(b"[[5, 5, 5, 9], [9, 9, 1, 1], [0, 0, 1.6, 1], [0, 0, 1e999, 1]]")
        assert found == Regions((Box(0, 0, 2, 1),), dropped=3)

    @pytest.mark.parametrize("body", [b"{}", b"[1]", b"[[1, 2, 3]]", b'["1234"]'])
    def test_other_json_is_an_error(self, body: bytes) -> None:
        with pytest.raises(ResultUnreadableError):
            read_regions(body)

    def test_filter_merge_and_pad(self) -> None:
        regions = Regions((Box(0, 0, 10, 10), Box(14, 0, 24, 10), Box(50, 50, 52, 90)))
        assert regions.larger_than(width=5).count == 2
        assert regions.merged(4).boxes == (Box(0, 0, 24, 10), Box(50, 50, 52, 90))
        assert regions.merged(3) == regions
        assert regions.padded(5, width=55).boxes[2] == Box(45, 45, 55, 95)

    def test_merging_goes_on_until_nothing_is_near(self) -> None:
        # The first and the second are apart until the third joins them.
        boxes = [Box(0, 0, 10, 10), Box(20, 0, 30, 10), Box(8, 0, 22, 10)]
        assert merged(boxes) == [Box(0, 0, 30, 10)]
        with pytest.raises(ResultTooLargeError):
            merged([Box(0, 0, 1, 1)] * (reading_order.MOST_MERGED + 1))

    def test_columns_are_read_one_after_the_other(self) -> None:
        heading, footer = Box(0, 0, 200, 10), Box(0, 100, 200, 110)
        left = [Box(0, 20, 90, 40), Box(0, 50, 90, 90)]
        right = [Box(110, 20, 200, 45), Box(110, 50, 200, 60), Box(110, 70, 200, 90)]
        assert in_reading_order([footer, *right, heading, *left]) == [heading, *left, *right, footer]
        assert in_reading_order([footer, *left, heading, *right], right_to_left=True) == [
            heading,
            *right,
            *left,
            footer,
        ]

    def test_more_boxes_than_a_page_has_are_sorted_by_their_places(self) -> None:
        # A staircase: each band would add two columns to those before.
        stairs = [
            Box(left + 2 * step, 4 * step, left + 2 * step + 1, 4 * step + 1)
            for step in range(reading_order.MOST_ORDERED)
            for left in (0, 10_000_000)
        ]
        assert in_reading_order(list(reversed(stairs))) == stairs

    def test_columns_with_paragraphs_at_the_same_heights(self) -> None:
        left = [Box(0, top, 90, top + 10) for top in (0, 20, 40)]
        right = [Box(110, top, 200, top + 10) for top in (0, 20, 40)]
        assert in_reading_order([*right, *left]) == [*left, *right]


class TestHocr:
    """Words with boxes."""

    def test_pages_blocks_lines_and_words(self) -> None:
        found = read_hocr([tiny_hocr("one two\nthree"), tiny_hocr("four")])
        assert [page.text for page in found.pages] == ["one two\nthree", "four"]
        assert found.text == "one two\nthree\ffour"
        assert found.pages[0].box == Box(0, 0, 700, 450)
        assert next(found.words).box == Box(10, 10, 80, 34)
        assert found.mean_confidence is None

    def test_confidence_is_a_share(self) -> None:
        body = PAGE.format(
            WORD.format("a") + WORD.format("b").replace("95", "45.0") + WORD.replace("95", "999")
        )
        found = read_hocr([body.encode()])
        assert [word.confidence for word in found.words] == [0.95, 0.45, 1.0]
        assert found.mean_confidence is not None
        assert math.isclose(found.mean_confidence, 0.8)

    def test_blocks_and_lines_are_told_apart(self) -> None:
        body = PAGE.format(
            "<div class='ocr_carea'><p class='ocr_par'><span class='ocr_line'>"
            + WORD.format("a")
            + "</span><span class='ocr_header'>"
            + WORD.format("b")
            + "</span></p></div><div class='ocr_carea'><span class='ocr_line'>"
            + WORD.format("c")
            + "</span></div>"
        )
        found = read_hocr([body.encode()])
        assert [[line.text for line in block.lines] for block in found.pages[0].blocks] == [["a", "b"], ["c"]]

    @pytest.mark.parametrize(
        "body",
        [
            "<html><head><meta charset=utf-8><title>x</title></head><body>" + PAGE,
            "<!DOCTYPE html><!-- a > b --><body><br>" + PAGE.replace("'", '"'),
            PAGE.replace("<div", "<DIV") + "</p></body>",
        ],
    )
    def test_html_that_is_no_xml_is_read(self, body: str) -> None:
        words = WORD.format("caf&eacute; <b>x</b>") + WORD.format("&lt;&#233;>")
        found = read_hocr([body.format(words).encode()])
        assert [word.text for word in found.words] == ["café x", "<é>"]

    def test_entities_of_html_in_xhtml(self) -> None:
        kind = (
            '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/xhtml1.dtd">'
        )
        found = read_hocr([f"{kind}{PAGE.format(WORD.format('caf&eacute;'))}".encode()])
        assert found.text == "café"

    def test_entities_of_its_own_are_refused(self) -> None:
        bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]>' + PAGE.format(WORD.format("&b;"))
        with pytest.raises(ResultUnreadableError, match="it defines the entity 'a'"):
            read_hocr([bomb.encode()])

    @pytest.mark.parametrize("closing", [True, False])
    def test_deep_nesting_is_refused(self, closing: bool) -> None:
        body = PAGE.format("<i>" * 200_000 + ("</i>" * 200_000 if closing else ""))
        with pytest.raises(ResultUnreadableError, match="nested more than"):
            read_hocr([body.encode()])

    @pytest.mark.parametrize("hostile", ["<a " * 300_000, "<a '" * 300_000, "<a b='", "<!" * 500_000])
    def test_a_tag_without_an_end_is_refused(self, hostile: str) -> None:
        with pytest.raises(ReaderError):
            read_hocr([(PAGE.format("") + "<br>" + hostile + "x" * 20_000).encode()])

    def test_a_document_that_was_cut_off_keeps_its_last_word_or_is_refused(self) -> None:
        body = PAGE.format(WORD.format("one") + WORD.format("two"))
        after, within = body.index("two") + 3, body.index("two") - 2
        assert [word.text for word in read_hocr([body[:after].encode()]).words] == ["one", "two"]
        with pytest.raises(ResultUnreadableError, match="the tag at character [0-9]+ does not end"):
            read_hocr([body[:within].encode()])

    def test_a_number_of_a_character_with_too_many_digits_stays_text(self) -> None:
        number = "&#" + "9" * 5_000 + ";"
        found = read_hocr([PAGE.format(WORD.format(number) + "<br>").encode()])
        assert found.text == number

    def test_what_is_no_hocr_is_named(self) -> None:
        with pytest.raises(ResultUnreadableError, match="no element of the class ocr_page"):
            read_hocr([b"<html><body>text</body></html>"])


class TestBlocks:
    """JSON whose keys are undocumented."""

    @pytest.mark.parametrize(
        "place",
        [
            {"topLeftX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomRightY": 4},
            {"TopLeft": {"X": 1, "Y": 2}, "BottomRight": {"X": 3, "Y": 4}},
            {"rect": {"topLeftX": 1, "topLeftY": 2, "bottomRightX": 3, "bottomRightY": 4}},
            {"bbox": [1, 2, 3, 4]},
        ],
    )
    @pytest.mark.parametrize("wrapped", [False, True])
    def test_places_and_texts_in_several_spellings(self, place: dict[str, object], wrapped: bool) -> None:
        entry = {**place, "Text": "hello", "page": 2, "angle": 1}
        found = read_blocks(json.dumps({"blocks": [entry]} if wrapped else [entry]).encode())
        (block,) = found.blocks
        assert (block.text, block.box, block.page, block.raw) == ("hello", Box(1, 2, 3, 4), 2, entry)
        assert found.text == "hello"

    def test_what_is_not_understood_is_kept(self) -> None:
        found = read_blocks(b'[{"a": 1}, 7, [0, 0, 5, 5], "x"]')
        assert [block.raw for block in found.blocks] == [{"a": 1}, 7, [0, 0, 5, 5], "x"]
        assert found.blocks[2].box == Box(0, 0, 5, 5)

    def test_pages(self) -> None:
        found = read_blocks(b'[{"page": 1, "text": "a"}, {"text": "b"}, {"page": 2, "text": "c"}]')
        assert [[block.text for block in page] for page in found.pages()] == [["a", "b"], ["c"]]

    def test_deep_nesting_is_refused(self) -> None:
        with pytest.raises(ResultUnreadableError, match="nested too deeply"):
            read_blocks(b"[" * 100_000)


class TestInvoice:
    """An invoice."""

    def test_dates_amounts_and_what_is_absent(self) -> None:
        found = read_invoice(
            b'{"issue_date": "2024-11-12", "supplier_name": " acme ", "supplier_email": "", "currency": "eur",'
            b' "total_amount": 1234.50, "vat": -1, "net_amount": 1e3, "account": null}'
        )
        assert found == Invoice(
            issue_date=date(2024, 11, 12),
            supplier_name="acme",
            currency="EUR",
            total_amount=Decimal("1234.50"),
            net_amount=Decimal(1000),
        )
        assert str(found.total_amount) == "1234.50"

    def test_what_the_vendor_does_not_document_is_kept(self) -> None:
        found = read_invoice(
            b'{"issue_date": "12/11/2024", "due_date": "2024-02-31", "total_amount": "12.30", "vat": 1e400,'
            b' "net_amount": NaN, "bic": 7, "items": [1]}'
        )
        assert found.total_amount == Decimal("12.30")
        assert set(found.unread) == {"issue_date", "due_date", "vat", "net_amount", "bic"}
        assert found.unread["issue_date"] == "12/11/2024"
        assert found.other == {"items": [1]}

    def test_an_array_is_no_invoice(self) -> None:
        with pytest.raises(ResultUnreadableError, match="no JSON object"):
            read_invoice(b"[]")

    def test_a_number_with_too_many_digits_is_named(self) -> None:
        with pytest.raises(ResultUnreadableError):
            read_invoice(b'{"vat": ' + b"9" * 10_000 + b"}")


class TestFonts:
    """A literal of Python."""

    def test_the_sample_of_the_vendor(self) -> None:
        found = read_fonts(b"{'style': 'regular', 'font': ['tahoma', 'verdana']}")
        assert (found.style, found.fonts, found.font) == ("regular", ("tahoma", "verdana"), "tahoma")

    def test_the_form_of_the_vendor_needs_no_parser_of_python(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ast, "literal_eval", lambda text: pytest.fail(f"parsed {text[:20]}"))
        assert read_fonts(b"{'style': 'regular', 'font': ['tahoma']}").raw == {
            "style": "regular",
            "font": ["tahoma"],
        }

    @pytest.mark.parametrize("font", ["it's", "a', 'b", 'the "same"', "a\\b", "tab\there", "true", "None"])
    def test_quotes_and_escapes_in_a_name(self, font: str) -> None:
        assert read_fonts(repr({"style": "regular", "font": [font]}).encode()).fonts == (font,)

    def test_names_of_python_are_read_too(self) -> None:
        found = read_fonts(b"{'style': None, 'font': (), 'sure': True}")
        assert (found.style, found.font, found.raw["sure"]) == (None, None, True)

    def test_json_is_read_too(self) -> None:
        found = read_fonts(b'{"style": null, "font": "it\'s", "sure": true}')
        assert (found.style, found.fonts, found.raw["sure"]) == (None, ("it's",), True)

    @pytest.mark.parametrize(
        "body",
        [
            "__import__('os').system('x')",
            "f'{1}'",
            "{'a': 1 + 1}",
            "'a' 'b' % 'c'",
            "- - - 1",
            "-" * 60_000 + "1",
            "- " * 30_000 + "1",
            "not " * 15_000 + "1",
            "[" * 60_000,
            "1+" * 30_000 + "1",
            "a" + "()" * 30_000,
            "'" + "\\'" * 30_000,
            "lambda: 0",
            "[1, 2]",
        ],
    )
    def test_anything_else_is_refused_and_not_executed(self, body: str) -> None:
        with pytest.raises(ResultUnreadableError):
            read_fonts(body.encode())

    def test_python_s_parser_never_sees_what_nests(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ast, "literal_eval", lambda text: pytest.fail(f"parsed {text[:20]}"))
        for nested in (
            "-" * 60_000 + "1",
            "- " * 30_000 + "1",
            "[" * 60_000,
            "1+" * 30_000 + "1",
            "a" + "()" * 30_000,
        ):
            with pytest.raises(ResultUnreadableError):
                read_fonts(nested.encode())


class TestSpeech:
    """The header of a sound."""

    def test_duration_rate_and_channels(self) -> None:
        found = read_speech(tiny_wav())
        assert (found.rate_hertz, found.channels, found.sample_bytes) == (22050, 1, 3)
        assert math.isclose(found.duration_seconds, 0.1)

    @pytest.mark.parametrize("body", [b"", b"RIFF", b"ID3 no wave", tiny_wav()[:-100]])
    def test_what_is_cut_off_or_no_sound_is_named(self, body: bytes) -> None:
        with pytest.raises(ResultUnreadableError, match="as a sound"):
            read_speech(body)


class TestTable:
    """Rows."""

    def test_column_numbers_are_no_row_and_ragged_rows_stay(self) -> None:
        found = read_csv(b'0,1\nname ,"a, b"\n\ntotal\nx,y,z\n')
        assert found.rows == [["name", "a, b"], ["total"], ["x", "y", "z"]]
        assert (found.has_numbers, found.count, found.width) == (True, 3, 3)
        assert found.padded_rows()[1] == ["total", None, None]

    @pytest.mark.parametrize("body", [b"1,2\na,b\n", b"0\n", b""])
    def test_other_first_rows_stay(self, body: bytes) -> None:
        assert not read_csv(body).has_numbers

    def test_a_field_without_an_end_is_named(self) -> None:
        with pytest.raises(ResultUnreadableError, match="as CSV"):
            read_csv(b'"' + b"a" * 200_000)

    @pytest.mark.parametrize("cell", [b",", b"a\r", b"a\n"])
    def test_too_many_cells_are_refused(self, cell: bytes) -> None:
        with pytest.raises(ResultTooLargeError, match="cells"):
            read_csv(cell * (table.MOST_CELLS + 1))

    def test_a_long_cell_is_refused_before_it_is_copied(self) -> None:
        with pytest.raises(ResultTooLargeError, match="a cell of 32,768 characters"):
            read_excel(tiny_workbook([["a"], [" " + "b" * table.MOST_CELL_CHARACTERS]]))

    def test_the_characters_of_all_cells_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Cells may share one string, which then takes its place in the file once.
        monkeypatch.setattr(table, "MOST_CHARACTERS", 100)
        with pytest.raises(ResultTooLargeError, match="more than 100 characters"):
            read_excel(tiny_workbook([["a" * 30]] * 4))

    def test_a_workbook(self) -> None:
        found = read_excel(tiny_workbook([["0", "1"], ["total", " 42.00"]]))
        assert found.rows == [["total", "42.00"]]
        assert found.has_numbers

    def test_a_workbook_with_a_document_type_is_refused(self) -> None:
        with pytest.raises(ResultUnreadableError, match="document type"):
            read_excel(
                changed_workbook(lambda text: text.replace("?>", '?><!DOCTYPE x [<!ENTITY a "b">]>', 1))
            )

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_so_is_one_whose_part_has_another_name(self, encoding: str) -> None:
        packed = io.BytesIO(tiny_workbook([["a"]]))
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("xl/media/logo.png", '<!DOCTYPE x [<!ENTITY a "b">]><x/>'.encode(encoding))
        with pytest.raises(ResultUnreadableError, match="document type"):
            read_excel(packed.getvalue())

    def test_a_workbook_that_unpacks_to_too_much_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(table, "MOST_UNPACKED_BYTES", 100_000)
        with pytest.raises(ResultTooLargeError, match="unpacks to"):
            read_excel(changed_workbook(lambda text: text + " " * 100_000))

    def test_a_large_part_that_is_no_sheet_is_refused(self) -> None:
        # openpyxl makes an object of each of its elements.
        styles = (
            b"<styleSheet><cellXfs>" + b"<xf/>" * (table.MOST_PART_BYTES // 5) + b"</cellXfs></styleSheet>"
        )
        packed = io.BytesIO(tiny_workbook([["a"]]))
        with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/styles.xml", styles)
        with pytest.raises(ResultTooLargeError, match=r"xl/styles\.xml"):
            read_excel(packed.getvalue())

    def test_a_picture_in_a_workbook_does_no_harm(self) -> None:
        packed = io.BytesIO(tiny_workbook([["a"]]))
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr("xl/media/logo.png", bytes(table.MOST_PART_BYTES + 1))
        assert read_excel(packed.getvalue()).rows == [["a"]]

    @pytest.mark.slow
    def test_a_cell_at_the_end_of_a_sheet_is_refused(self) -> None:
        with pytest.raises(ResultTooLargeError, match="cells"):
            read_excel(changed_workbook(lambda text: text.replace("<row>", '<row r="1048576">', 1)))

    @pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"no workbook"])
    def test_what_is_no_workbook_is_named(self, body: bytes) -> None:
        with pytest.raises(ResultUnreadableError, match="as Excel"):
            read_excel(body)

    def test_frames_of_pandas_and_polars(self) -> None:
        found = read_csv(b"0,1,2\nname,name\na,b,c\nd\n")
        assert found.to_pandas(header=True).columns.tolist() == ["name", "name_1", "2"]
        assert found.to_pandas().shape == (3, 3)
        assert found.to_polars(header=True).rows() == [("a", "b", "c"), ("d", None, None)]

    def test_a_package_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("openpyxl", "pandas", "polars"):
            monkeypatch.setitem(__import__("sys").modules, name, None)
        with pytest.raises(LibraryMissingError, match=r"airflow-provider-asposeocr\[tables\]"):
            read_excel(b"")
        with pytest.raises(LibraryMissingError, match="pandas"):
            read_csv(b"a").to_pandas()
        with pytest.raises(LibraryMissingError, match="polars"):
            read_csv(b"a").to_polars()


def changed_workbook(change: Callable[[str], str]) -> bytes:
    """Return a workbook with another sheet."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(tiny_workbook([["a"]]))) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            text = source.read(name).decode()
            target.writestr(name, change(text) if "sheet1" in name else text)
    return packed.getvalue()
