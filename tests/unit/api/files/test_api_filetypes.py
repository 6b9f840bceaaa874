from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.files.filetypes import safe_stem, suffix_for
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
        ("PAGE.TIF", "PAGE"),
        ("no_suffix", "no_suffix"),
        ("Scan (1) - 2024+05.pdf", "Scan (1) - 2024+05"),
        ("FAX.001", "FAX.001"),
        ("report v1.1", "report v1.1"),
        ("report v1.1.pdf", "report v1.1"),
        ("page.tar.gz", "page.tar.gz"),
        ("a,b.png", "a,b"),
        ("Grüße 文書.png", "Grüße 文書"),
        ("ที่.png", "ที่"),  # vowels and tones are marks, not letters
        ("हिन्दी.png", "हिन्दी"),
        ("Gru\u0308\u00dfe.png", "Gru\u0308\u00dfe"),  # as macOS spells it
        ("/etc/passwd", "passwd"),
        ("../../evil.png", "evil"),
        ("..", None),
        (".", None),
        ("...", None),
        ("/", None),
        ("", None),
        (None, None),
        (" . ", None),
    ],
)
def test_a_readable_name_stays_as_it_is(name: str | None, stem: str | None) -> None:
    assert safe_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a;b.png", "a_b"),
        ("a#b.png", "a_b"),
        ("page .png", "page"),
        ("a\x00b\n.png", "a_b_"),
        ("می\u200cخواهم.png", "میخواهم"),
        ("..\\..\\evil.png", "evil"),
        ("C:\\evil.png", "evil"),
        (".bashrc", "bashrc"),
        (".png", "png"),
        ("x" * 500 + ".png", "x" * 189),
        ("\u6587" * 200, "\u6587" * 63),
    ],
)
def test_what_was_changed_is_told_by_a_checksum(name: str, begins: str) -> None:
    stem = safe_stem(name)
    assert stem is not None
    assert re.fullmatch(re.escape(begins) + "-[0-9a-f]{10}", stem)
    assert len(stem.encode()) <= 200


@pytest.mark.parametrize(
    "names",
    [
        ("ที่.png", "ทิ่.png", "ท.png"),
        ("FAX.001", "FAX.002"),
        ("n" * 230 + "1.png", "n" * 230 + "2.png"),
        ("a,b.png", "a;b.png", "a_b.png", "a#b.png"),
        ("report v1.1", "report v1.2", "report v1"),
        ("caf\u00e9.png", "cafe\u0301.png", "cafe.png"),
        ("page .png", "page.png", ".page.png"),
        ("\u202ea.png", "a.png"),
        ("x\\a.png", "y\\a.png"),
        ("\U0001f600.png", "\U0001f601.png"),
    ],
)
def test_names_that_differ_make_stems_that_differ(names: tuple[str, ...]) -> None:
    assert len({safe_stem(name) for name in names}) == len(names)


@given(st.text(max_size=300))
def test_a_stem_never_leaves_its_folder(name: str) -> None:
    stem = safe_stem(name)
    assert stem is None or (
        0 < len(stem.encode()) <= 200 and not set(stem) & set("/\\\x00\n") and stem.strip(" .") == stem
    )
