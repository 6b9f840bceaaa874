from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.files.file_kinds import HEAD_BYTES, has_several_pages, sniff, sniff_file

SAMPLES = Path(__file__).parent / "kinds"
PNG = b"\x89PNG\r\n\x1a\n"
BMP = b"BM" + struct.pack("<IHHI", 1078, 0, 0, 1078)
GIF_SCREEN = struct.pack("<HHBBB", 1, 1, 0, 0, 0)
SVG = "<svg xmlns='http://www.w3.org/2000/svg'/>"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (PNG + b"\0\0", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"GIF87a" + GIF_SCREEN, "gif"),
        (b"GIF89a" + GIF_SCREEN, "gif"),
        (b"GIF89a was published in 1989.", "text"),
        (BMP + struct.pack("<I", 40), "bmp"),
        (BMP + struct.pack("<I", 124), "bmp"),
        (BMP + struct.pack("<I", 41), None),
        (b"BM", "text"),
        (b"BMI,height,name,town\n23,1.80,A,B\n", "text"),
        (b"II*\x00", "tiff"),
        (b"MM\x00*", "tiff"),
        (b"II+\x00\x08\x00\x00\x00", "bigtiff"),
        (b"MM\x00+\x00\x08\x00\x00", "bigtiff"),
        (b"AT&TFORM\x00\x00\x10\x00DJVU", "djvu"),
        (b"AT&TFORM\x00\x00\x10\x00DJVM", "djvu"),
        (b"AT&TFORM is how a DjVu begins", "text"),
        (b"%PDF-1.7\n", "pdf"),
        (b"%PDF-", "pdf"),
        (b"\n\n%PDF-1.4\n1 0 obj\nstartxref\n9\n%%EOF", "pdf"),
        (b"HTTP/1.1 200 OK\r\n\r\n%PDF-1.4\r1 0 obj startxref 9", "pdf"),
        (b"\x00\x04scan.pdf\x00\x00%PDF-1.4\nstartxref", "pdf"),
        (b"\xef\xbb\xbf%PDF-1.4\nstartxref", "pdf"),
        (b"\n\n%PDF-1.4\nno end", "text"),
        (b"A PDF begins with %PDF-1.7 and has a startxref", "text"),
        (b"%PDF-1.7, says the manual", "pdf"),
        (b"A header:\n%PDF-1.7, says the manual about startxref", "text"),
        (SVG.encode(), "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- x --><svg>", "svg"),
        (b"<s:svg xmlns:s='http://www.w3.org/2000/svg'>", "svg"),
        (b"<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x.dtd\" [ <!ENTITY a '>]'> <!-- ]> -->]>\n<svg>", "svg"),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><!-- café --><svg>".encode("latin-1"), "svg"),
        (b"\xff\xfe" + SVG.encode("utf-16-le"), "svg"),
        (b"\xfe\xff" + SVG.encode("utf-16-be"), "svg"),
        (SVG.encode("utf-16-le"), "svg"),
        (SVG.encode("utf-16-be"), "svg"),
        (SVG.encode("utf-32"), "svg"),
        (b"<!-- " + b"x" * 30_000 + b" --><svg>", "svg"),
        (b"<!DOCTYPE html><html><body><svg>", "html"),
        (b"<!-- <svg> --><alto>", "text"),
        (b"<!-- <svg>", "text"),
        (b"<svgfile>", "text"),
        (b"<!DOCTYPE html><html>", "html"),
        (b"\xef\xbb\xbf<!doctype HTML>Login", "html"),
        (b"<HTML>", "html"),
        (b"<!-- login --><html>", "html"),
        (b'{"a": 1}', "json"),
        (b" [1]", "json"),
        (b"PK\x03\x04...", "zip"),
        (b"Hello\nworld\t!", "text"),
        ("Grüße".encode(), "text"),
        (("é" * 600).encode()[:1024], "text"),
        (b"a" + ("é" * 600).encode()[:1023], "text"),
        (b"", None),
        (b"\x00\x01\x02", None),
        (b"\xff\xfe\x00", None),
        (b"RIFF....WEBP", "text"),
        (b"RIFF\x00\x01..WEBP", None),
    ],
)  # fmt: skip
def test_a_kind_is_read_off_the_content(head: bytes, kind: str | None) -> None:
    assert sniff(head) == kind


@pytest.mark.parametrize(("name", "kind"), [("bm.csv", "text"), ("mention.txt", "text"), ("ill.svg", "svg")])
def test_files_that_people_reported(name: str, kind: str) -> None:
    assert sniff_file(SAMPLES / name) == kind


def test_the_end_of_a_long_file_decides_whether_it_is_a_pdf(tmp_path: Path) -> None:
    start = b"mailed by a gateway\n%PDF-1.7\n" + b"x" * (2 * HEAD_BYTES)
    (tmp_path / "page.pdf").write_bytes(start + b"\nstartxref\n17\n%%EOF\n")
    (tmp_path / "manual.txt").write_bytes(start)
    assert sniff_file(tmp_path / "page.pdf") == "pdf"
    assert sniff_file(tmp_path / "manual.txt") == "text"


@given(st.binary(max_size=2000), st.none() | st.binary(max_size=100))
def test_any_content_is_of_some_kind_or_none(head: bytes, tail: bytes | None) -> None:
    assert sniff(head, tail) is None or isinstance(sniff(head, tail), str)


@pytest.mark.parametrize(
    "piece", [b"<!--", b"<!DOCTYPE s [<!-- a -->", b"<?x", b'<!DOCTYPE s ["', b"<!doctype s [<"]
)
def test_a_hostile_prologue_costs_no_time(piece: bytes) -> None:
    # Backtracking over 5,000 of these would never end.
    assert sniff(piece * 5000) == "text"


def directory(*tags: tuple[int, int, int]) -> bytes:
    """A TIFF directory of tags, each with its field type and value, and the offset of the next one still to come."""
    return struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, form, 1, value) for tag, form, value in tags
    )


def tiff(*directories: bytes, loop: bool = False) -> bytes:
    file = b"II*\x00" + struct.pack("<I", 8)
    for number, entries in enumerate(directories, 1):
        end = len(file) + len(entries) + 4
        file += entries + struct.pack("<I", end if number < len(directories) else 8 if loop else 0)
    return file


PAGE = directory((256, 3, 100))
THUMBNAIL = directory((254, 4, 1), (256, 3, 10))
MASK = directory((254, 4, 4))
OLD_THUMBNAIL = directory((255, 3, 2))
NUMBERED = directory((254, 4, 2))


@pytest.mark.parametrize(
    ("content", "several"),
    [
        (tiff(PAGE), False),
        (tiff(PAGE, PAGE), True),
        (tiff(NUMBERED, NUMBERED, NUMBERED), True),
        (tiff(PAGE, THUMBNAIL, MASK, OLD_THUMBNAIL), False),
        (tiff(THUMBNAIL, PAGE), False),
        (tiff(PAGE, THUMBNAIL, PAGE), True),
        (tiff(PAGE, loop=True), False),
        (tiff(*[THUMBNAIL] * 5000), False),
        (b"II*\x00", False),
        (b"MM\x00*\x00\x00\x00\x08\x00\x01", False),
        (b"II*\x00\xff\xff\xff\xff", False),
    ],
)  # fmt: skip
def test_pages_of_a_tiff(tmp_path: Path, content: bytes, several: bool) -> None:
    (tmp_path / "page.tif").write_bytes(content)
    assert has_several_pages(tmp_path / "page.tif") is several
