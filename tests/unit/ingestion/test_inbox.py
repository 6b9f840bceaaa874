"""
An inbox is a plain description: which names it takes, how long files must be quiet, and which folders would be a loop.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.documents.uris import same_place
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox


class TestNames:
    @pytest.mark.parametrize(
        "below", ["page.png", "PAGE.PDF", "a/b/c.Tiff", "x y#%.jpg", "new\nline.pdf", "ü" * 500 + ".png"]
    )
    def test_that_are_documents_by_default(self, below: str) -> None:
        assert AsposeOcrInbox("/in/").takes(below)

    @pytest.mark.parametrize(
        "below",
        [
            "page.txt",
            "page",
            ".page.png",
            "_page.png",
            ".aspose-ocr/page.png",
            "_out/page.png",
            "a/.b/page.png",
            "a/_b/page.png",
            "../page.png",
            "page.png.part",
            "~page.png",
            "page.png.filepart",
            "page.crdownload",
            "page.pngx",
            "",
        ],
    )
    def test_that_are_none_by_default(self, below: str) -> None:
        assert not AsposeOcrInbox("/in/").takes(below)

    @pytest.mark.parametrize(
        ("pattern", "taken", "left"),
        [
            ("*.{pdf,png}", ["a.pdf", "a.png"], ["a.tif"]),
            ("{scan,fax}-*.{pdf,tif}", ["scan-1.pdf", "fax-2.tif"], ["scan.pdf", "mail-1.pdf"]),
            ("[ab]?.pdf", ["a1.pdf", "b2.pdf"], ["c1.pdf", "a.pdf"]),
            ("*", ["a", "a.txt", "x/y"], [".a", "_a"]),
            ("{a,b{1,2}}", ["a", "b1", "b2"], ["b", "b3"]),
        ],
    )
    def test_follow_the_pattern(self, pattern: str, taken: list[str], left: list[str]) -> None:
        inbox = AsposeOcrInbox("/in/", pattern=pattern)
        assert [name for name in taken + left if inbox.takes(name)] == taken

    def test_are_ignored_as_the_user_says(self) -> None:
        inbox = AsposeOcrInbox("/in/", ignore=["*.copy.pdf", "draft*"])  # type: ignore[arg-type]  # a list is taken, too
        assert [n for n in ("a.pdf", "a.copy.pdf", "Draft.pdf", "a.part.pdf") if inbox.takes(n)] == [
            "a.pdf",
            "a.part.pdf",
        ]
        assert AsposeOcrInbox("/in/", ignore=()).takes("~a.pdf")

    @pytest.mark.parametrize("pattern", ["", "a/*.pdf", "**/*.pdf", "*.{pdf", "*.pdf}", 5, None])
    def test_cannot_match_what_makes_no_sense(self, pattern: str) -> None:
        with pytest.raises(InputError, match="pattern"):
            AsposeOcrInbox("/in/", pattern=pattern)

    def test_stay_few(self) -> None:
        with pytest.raises(InputError, match="stands for more than 200 patterns"):
            AsposeOcrInbox("/in/", pattern="{a,b,c,d}{a,b,c,d}{a,b,c,d}{a,b,c,d}")


class TestTheFolder:
    @pytest.mark.parametrize(
        ("written", "folder"),
        [
            ("/in", "/in/"),
            (Path("/in"), "/in/"),
            ("s3://scans@inbox", "s3://scans@inbox/"),
            ("s3://scans@inbox/a/", "s3://scans@inbox/a/"),
            ("s3://scans@inbox/{{ ds }}", "s3://scans@inbox/{{ ds }}/"),
        ],
    )
    def test_ends_with_a_slash(self, written: str, folder: str) -> None:
        assert AsposeOcrInbox(written).folder == folder

    @pytest.mark.parametrize(
        "folder", ["in/", "", "s3://b/?X-Amz-Signature=ab", "file://in/", 7, None, ["/in/"], "/in\n/"]
    )
    def test_that_cannot_be_one_is_an_error_at_parse_time(self, folder: str) -> None:
        with pytest.raises(InputError, match="The folder of the inbox"):
            AsposeOcrInbox(folder)

    def test_is_rendered_for_a_run(self) -> None:
        inbox = AsposeOcrInbox("/in/{{ ds }}/", pattern="*.pdf", recursive=False, quiet_seconds=5)
        assert inbox.at("/in/2026/") == AsposeOcrInbox("/in/2026/", "*.pdf", recursive=False, quiet_seconds=5)
        with pytest.raises(InputError, match="relative"):
            inbox.at("in/")

    @given(
        folder=st.sampled_from(
            ("/in/", "file:///in/a b/", "s3://conn@bucket/", "s3a://bucket/in/?x/", "gs://b/in/")
        ),
        below=st.text(min_size=1),
    )
    def test_spells_its_files_as_all_others_do(self, folder: str, below: str) -> None:
        """The index compares what a plan has listed with what manifests name."""
        below = "/".join(part for part in below.split("/") if part not in ("", ".", ".."))
        assume(below)
        uri = AsposeOcrInbox(folder).folder + below
        assert AsposeOcrInbox(folder).place_of(uri) == same_place(uri)

    def test_a_signature_in_a_name_is_left_out_of_its_spelling(self) -> None:
        uri = "s3://conn@bucket/in/a.png?X-Amz-Signature=abc"
        assert AsposeOcrInbox("s3://conn@bucket/in/").place_of(uri) == same_place(uri)
        assert "abc" not in same_place(uri)

    def test_equal_descriptions_are_equal_and_plain(self) -> None:
        inbox = AsposeOcrInbox("s3://scans@inbox/", pattern="*.pdf", ignore=("a", "b"), recursive=False)
        again = AsposeOcrInbox(**json.loads(json.dumps(inbox.to_dict())))
        assert again == inbox
        assert hash(again) == hash(inbox)
        assert AsposeOcrInbox("/in/").to_dict() == {"folder": "/in/"}


class TestQuiet:
    @pytest.mark.parametrize(
        ("folder", "seconds"),
        [
            ("/in/", 60.0),
            ("file:///in/", 60.0),
            ("sftp://conn@host/in/", 60.0),
            ("s3://conn@inbox/", 0.0),
            ("gs://inbox/", 0.0),
            ("abfss://conn@inbox/", 0.0),
        ],
    )
    def test_by_default_depends_on_whether_a_store_shows_whole_files(
        self, folder: str, seconds: float
    ) -> None:
        assert AsposeOcrInbox(folder).quiet == seconds
        assert AsposeOcrInbox(folder, quiet_seconds=7).quiet == 7.0

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True, "60", 3601])
    def test_that_makes_no_sense_is_an_error(self, seconds: float) -> None:
        with pytest.raises(ValueError, match="quiet_seconds must be from 0 to 3600"):
            AsposeOcrInbox("/in/", quiet_seconds=seconds)


class TestALoop:
    @pytest.mark.parametrize(
        ("inbox", "folder"),
        [
            ("/in/", "/in/"),
            ("/in/", "/in/out/"),
            ("/in/", "file:///in/out/"),
            ("/in/", "/x/../in/out/"),
            ("/in/", "/in//out/"),
            ("s3://a@b/in/", "s3://other@b/in/out/"),
            ("s3://a@b/", "s3a://b/out/"),
            ("s3://a@b/in/", "s3://b/in"),
        ],
    )
    def test_is_an_error_that_names_both_folders(self, inbox: str, folder: str) -> None:
        with pytest.raises(InputError, match=r"The destination .* lies in the inbox .* underscore"):
            AsposeOcrInbox(inbox).check_no_loop(destination=folder)

    @pytest.mark.parametrize(
        ("inbox", "folder"),
        [
            ("/in/", "/out/"),
            ("/in/", "/inner/"),
            ("/in/", "/in/_out/"),
            ("/in/", "/in/a/.state/x/"),
            ("/in/a/", "/in/"),
            ("/in/{{ ds }}/", "/in/"),
            ("/in/", "{{ params.out }}"),
            ("s3://a@b/in/", "s3://a@other/in/"),
        ],
    )
    def test_is_none_where_results_are_not_read(self, inbox: str, folder: str) -> None:
        AsposeOcrInbox(inbox).check_no_loop(destination=folder, register=None)

    def test_is_none_below_a_folder_that_is_not_entered(self) -> None:
        flat = AsposeOcrInbox("/in/", recursive=False)
        flat.check_no_loop(destination="/in/out/")
        with pytest.raises(InputError, match="The register '/in/'"):
            flat.check_no_loop(register="/in/")
