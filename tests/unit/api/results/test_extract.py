"""
Chosen fields of results: paths that lead somewhere, plain JSON of limited size, and absent fields.
"""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import (
    FieldAbsentError,
    InputError,
    ResultTooLargeError,
    ResultUnreadableError,
)
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.api.results.extract import (
    FIELDS,
    MOST_FIELDS,
    Extracted,
    extract_fields,
    extract_for_row,
    limited,
    parse_extract,
)
from airflow_provider_asposeocr.api.results.readers.content import MOST_BYTES
from airflow_provider_asposeocr.api.results.reading import READERS
from airflow_provider_asposeocr.emulator.work.engines.canned import tiny_hocr, tiny_wav

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.api.results.policies import OnAbsent

INVOICE = (
    b'{"issue_date": "2024-11-12", "total_amount": 42.00, "vat": -1, "currency": "eur",'
    b' "due_date": "soon", "more": 1.5}'
)
#: For each reader: an operation, a result of it, and what its fields are.
SAMPLES: dict[str, tuple[str, str, bytes, dict[str, Any]]] = {
    "text": (
        "RecognizeImage",
        "Text",
        b"a b\nc\x0cd",
        {
            "text": "a b\nc\x0cd",
            "pages": ["a b\nc", "d"],
            "lines": ["a b", "c", "d"],
            "parts": ["a b\nc\x0cd"],
        },
    ),
    "regions": (
        "DetectRegions",
        "Other",
        b"[[0, 20, 9, 30], [0, 0, 9, 10]]",
        {
            "count": 2,
            "boxes": [[0, 20, 9, 30], [0, 0, 9, 10]],
            "settings": [
                {"order": 0, "rect": {"topLeftX": 0, "topLeftY": 0, "bottomRightX": 9, "bottomRightY": 10}},
                {"order": 1, "rect": {"topLeftX": 0, "topLeftY": 20, "bottomRightX": 9, "bottomRightY": 30}},
            ],
        },
    ),
    "hocr": (
        "RecognizePdf",
        "Hocr",
        tiny_hocr("a b"),
        {"text": "a b", "pages": ["a b"], "mean_confidence": None, "page_count": 1, "word_count": 2},
    ),
    "blocks": (
        "RecognizeImage",
        "JSON",
        b'[{"text": "a", "bbox": [0, 0, 1, 1]}, {"text": "b"}]',
        {"count": 2, "text": "a\nb", "boxes": [[0, 0, 1, 1], None]},
    ),
    "table": ("RecognizeTable", "Csv", b"0,1\na,b\n", {"rows": [["a", "b"]], "count": 1}),
    "invoice": (
        "RecognizeAndParseInvoice",
        "Text",
        INVOICE,
        {
            **dict.fromkeys(FIELDS["invoice"]),
            "issue_date": "2024-11-12",
            "total_amount": "42.00",
            "currency": "EUR",
            "unread": {"due_date": "soon"},
            "other": {"more": "1.5"},
        },
    ),
    "fonts": (
        "IdentifyFont",
        "Text",
        b"{'style': 'bold', 'font': ['tahoma', 'arial']}",
        {"style": "bold", "font": "tahoma", "fonts": ["tahoma", "arial"]},
    ),
    "speech": (
        "ConvertTextToSpeechTrial",
        "WavFile",
        tiny_wav(),
        {"duration_seconds": 0.1, "rate_hertz": 22050, "channels": 1, "sample_bytes": 3},
    ),
}


def result(kind: str, content: bytes) -> Result:
    return Result(kind, content, len(content), hashlib.sha256(content).hexdigest())


def extracted(
    name: str, extract: dict[str, str], *, on_absent: OnAbsent = "none", most_bytes: int = 10_000
) -> Extracted:
    operation, kind, content, _ = SAMPLES[name]
    results = [result(kind, content)]
    fields = parse_extract(extract)
    return extract_fields(operation, results, fields, on_absent=on_absent, most_bytes=most_bytes)


def test_each_reader_has_fields_and_a_sample() -> None:
    assert set(FIELDS) == set(READERS) == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_field_of_each_reader(name: str) -> None:
    expected = SAMPLES[name][3]
    assert set(expected) == set(FIELDS[name])
    found = extracted(name, {field: f"{name}.{field}" for field in expected})
    assert found == Extracted(expected)
    assert json.loads(json.dumps(found.values, allow_nan=False)) == expected


def test_text_alone_is_the_whole_text() -> None:
    assert extracted("text", {"words": "text"}).values == {"words": "a b\nc\x0cd"}


class TestAbsence:
    """Fields that are not there."""

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("invoice.vat", "The cloud has not found invoice.vat, which extract asks for as 'x'."),
            ("table.rows", "RecognizeAndParseInvoice has made no result for table.rows.*it has made: Text"),
        ],
    )
    def test_it_is_none_or_an_error(self, path: str, said: str) -> None:
        assert extracted("invoice", {"x": path}).values == {"x": None}
        with pytest.raises(FieldAbsentError, match=said):
            extracted("invoice", {"x": path}, on_absent="fail")

    def test_what_cannot_be_read_is_an_error_always(self) -> None:
        results = [Result("Text", b"no JSON", 7, "0")]
        fields = parse_extract({"x": "invoice.vat"})
        with pytest.raises(ResultUnreadableError):
            extract_fields("RecognizeAndParseInvoice", results, fields, on_absent="none", most_bytes=100)


class TestRows:
    """Fields in the row of a batch, whose results are paid for and stored."""

    def test_what_cannot_be_read_is_said_and_keeps_no_other_field_out(self) -> None:
        results = [result("Text", b"no JSON")]
        fields = parse_extract({"total": "invoice.total_amount", "vat": "invoice.vat", "rows": "table.rows"})
        found = extract_for_row("RecognizeAndParseInvoice", results, fields, most_bytes=100)
        assert found.values == {"total": None, "vat": None, "rows": None}
        (why,) = found.unread
        assert why.startswith("The result cannot be read as an invoice")

    def test_a_defect_of_a_reader_loses_nothing(self, tmp_path: Path) -> None:
        # A local file that has vanished stands for what no reader foresees.
        results = [Result("Text", tmp_path / "gone", 3, "")]
        found = extract_for_row("RecognizeImage", results, parse_extract({"x": "text"}), most_bytes=100)
        assert found.values == {"x": None}
        assert found.unread == ("The reader 'text' has failed; the log says why.",)

    def test_what_was_cut_is_named(self) -> None:
        results = [result("Text", b"abcdefgh")]
        fields = parse_extract({"x": "text", "pages": "text.pages"})
        found = extract_for_row("RecognizeImage", results, fields, most_bytes=6)
        assert found == Extracted({"x": "abcd", "pages": []}, cut=("x", "pages"))


class TestStorage:
    """What a database or a channel of Airflow would refuse."""

    def test_nul_and_half_pairs_are_replaced_in_values_and_keys(self) -> None:
        results = [result("Text", b'{"supplier_name": "a\\u0000b\\ud800", "\\udfff": ["\\u0000"]}')]
        fields = parse_extract({"name": "invoice.supplier_name", "other": "invoice.other"})
        found = extract_fields("RecognizeAndParseInvoice", results, fields, on_absent="none", most_bytes=100)
        assert found.values == {"name": "a\ufffdb\ufffd", "other": {"\ufffd": ["\ufffd"]}}

    def test_deep_nesting_is_a_named_error(self) -> None:
        results = [result("Text", b'{"x": ' + b"[" * 400 + b"]" * 400 + b"}")]
        fields = parse_extract({"other": "invoice.other"})
        with pytest.raises(ResultUnreadableError, match="nested more than"):
            extract_fields("RecognizeAndParseInvoice", results, fields, on_absent="none", most_bytes=100)

    def test_results_that_are_too_large_together_are_not_read(self, tmp_path: Path) -> None:
        # The files are not there: to open one would be another error.
        large = [Result("Text", tmp_path / str(number), MOST_BYTES // 2 + 1, "") for number in (1, 2)]
        with pytest.raises(ResultTooLargeError, match="2 results"):
            extract_fields(
                "RecognizeImage", large, parse_extract({"x": "text"}), on_absent="none", most_bytes=9
            )


class TestSize:
    """No value is larger than allowed."""

    @pytest.mark.parametrize(
        ("value", "cut"),
        [
            ("a" * 100, "a" * 8),
            ("é" * 100, "é"),
            (["abc"] * 100, ["abc"]),
            ({"a": "b" * 100}, None),
            (10**20, None),
            ("a" * 8, "a" * 8),
            (None, None),
        ],
    )
    def test_texts_and_lists_are_cut(self, value: Any, cut: Any) -> None:
        assert limited(value, 10) == cut
        assert len(json.dumps(limited(value, 10))) <= 10

    def test_a_large_value_is_not_written_to_learn_its_size(self) -> None:
        # A hundred million characters, of which there is one string.
        rows = [["a" * 10_000] * 100] * 100
        tracemalloc.start()
        try:
            assert limited(rows, 20) == []
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000

    def test_what_was_cut_is_named(self) -> None:
        found = extracted("text", {"whole": "text", "lines": "text.lines"}, most_bytes=8)
        assert found == Extracted({"whole": "a b\nc", "lines": ["a b"]}, cut=("whole", "lines"))


class TestPaths:
    """What a DAG's author may write."""

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (["text"], "must be a mapping"),
            ({"x": "invoce.vat"}, "Did you mean 'invoice'"),
            ({"x": "invoice.total"}, "Known: issue_date"),
            ({"x": "invoice.total_amont"}, "Did you mean 'total_amount'"),
            ({"x": "invoice"}, "has no such field"),
            ({"x": "text."}, "has no such field"),
            ({"x": "text.text.more"}, "has no such field"),
            ({"x": "text.__class__"}, "has no such field"),
            ({"x": 1}, "no path"),
            ({"": "text"}, "no name for an XCom"),
            ({"a\x00": "text"}, "no name for an XCom"),
            ({"return_value?x": "text"}, "no name for an XCom"),
            ({"a#b": "text"}, "no name for an XCom"),
            ({"a%2fb": "text"}, "no name for an XCom"),
            ({"{{ params.name }}": "text"}, "no name for an XCom"),
            ({"return_value": "text"}, "belongs to Airflow"),
            ({"aspose_ocr_task": "text"}, "belongs to Airflow"),
            ({str(number): "text" for number in range(MOST_FIELDS + 1)}, "at most 50"),
        ],
    )
    def test_what_leads_nowhere_is_named(self, wrong: object, said: str) -> None:
        with pytest.raises(InputError, match=said):
            parse_extract(wrong)

    def test_templates_are_checked_once_they_are_rendered(self) -> None:
        extract = {"x": "{{ params.path }}", "y": "text"}
        assert [field.name for field in parse_extract(extract, rendered=False)] == ["y"]
        assert parse_extract("{{ params.extract }}", rendered=False) == []
        with pytest.raises(InputError):
            parse_extract(extract)
