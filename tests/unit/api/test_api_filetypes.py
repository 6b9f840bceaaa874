from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.filetypes import safe_stem, suffix_for
from airflow_provider_asposeocr.api.operations import OPERATIONS

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("operation", "type", "head", "suffix"),
    [
        ("RecognizeImage", "Text", b"x", ".txt"),
        ("RecognizeImage", "Pdf", b"%PDF-", ".pdf"),
        ("RecognizeImage", "Hocr", b"<?xml", ".hocr"),
        ("RecognizeImage", "JSON", b"[]", ".json"),
        ("UpscaleImage", "ImagePNG", PNG, ".png"),
        ("RecognizeTable", "Csv", b"0,1", ".csv"),
        ("RecognizeTable", "Excel", b"PK\x03\x04", ".xlsx"),
        ("ConvertTextToSpeech", "WavFile", b"RIFF", ".wav"),
        ("DetectRegions", "Other", b"[[0,8,697,441]]", ".json"),
        ("RecognizeAndParseInvoice", "Text", b"{}", ".json"),
        ("RecognizeImage", "Markdown", b"# x", ".txt"),
        ("RecognizeImage", None, PNG, ".png"),
        ("RecognizeImage", "../../evil", b"\x00\x01", ".bin"),
        ("RecognizeImage", "x.sh", b"%PDF-", ".pdf"),
    ],
)
def test_a_suffix_follows_type_and_content(
    operation: str, type: str | None, head: bytes, suffix: str
) -> None:
    assert suffix_for(OPERATIONS[operation], type, head) == suffix


@given(st.sampled_from(sorted(OPERATIONS)), st.none() | st.text(), st.binary(max_size=50))
def test_a_suffix_is_one_of_a_fixed_set(operation: str, type: str | None, head: bytes) -> None:
    known = {".txt", ".pdf", ".hocr", ".png", ".csv", ".xlsx", ".json", ".wav", ".bin"}
    assert suffix_for(OPERATIONS[operation], type, head) in known


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("page.png", "page"),
        ("page.tar.gz", "page.tar"),
        ("no_suffix", "no_suffix"),
        ("Scan (1) - 2024+05.pdf", "Scan (1) - 2024+05"),
        ("Grüße 文書.png", "Grüße 文書"),
        ("/etc/passwd", "passwd"),
        ("../../evil.png", "evil"),
        ("..\\..\\evil.png", "evil"),
        ("C:\\evil.png", "evil"),
        ("a\x00b\n.png", "a_b_"),
        (".bashrc", "bashrc"),
        ("..", None),
        (".", None),
        ("...", None),
        ("/", None),
        ("", None),
        (None, None),
        (" . ", None),
        ("x" * 500 + ".png", "x" * 200),
        ("\u6587" * 200, "\u6587" * 66),
    ],
)
def test_a_stem_is_made_of_any_name(name: str | None, stem: str | None) -> None:
    assert safe_stem(name) == stem


@given(st.text(max_size=300))
def test_a_stem_never_leaves_its_folder(name: str) -> None:
    stem = safe_stem(name)
    assert stem is None or (
        0 < len(stem.encode()) <= 200 and not set(stem) & set("/\\\x00\n") and stem.strip(" .") == stem
    )
