"""
Names of a batch's results: where each document's results go, and which names are refused before anything is sent.
"""

from __future__ import annotations

import re

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch.naming import (
    check_names,
    check_not_listed,
    common_folder,
    is_name,
    make_names,
)
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.batch.steps import Step

TXT = Step("RecognizeImage", {"resultType": "Text"})
PDF = Step("RecognizeImage", {"resultType": "Pdf"})
TXT_AND_PDF = Step("RecognizeImage", {"resultType": "TextAndPdf"})
PNG = Step("BinarizeImage")
UNSAID = Step("RecognizePdf")
TWO_REGIONS = Step("RecognizeRegions", {"resultType": "Text", "regions": [{}, {}]})


def sources(*uris: str) -> list[ListedSource]:
    return [ListedSource(uri) for uri in uris]


@pytest.mark.parametrize(
    ("uri", "base", "name"),
    [
        ("/data/in/2026/page.png", "/data/in/", "2026/page.png"),
        ("file:///data/in/page.png", "/data/in/", "page.png"),
        ("/data/in/./x/../page.png", "/data/in/", "page.png"),
        ("s3://scans@inbox/day=2026-03-02/page 1.png", "s3://scans@inbox/", "day=2026-03-02/page 1.png"),
        ("s3a://other@inbox/a.png", "s3://scans@inbox/", "a.png"),
        ("s3://inbox/Straße/日本.png", "s3://inbox/", "Straße/日本.png"),
    ],
)
def test_a_name_is_the_path_below_the_base(uri: str, base: str, name: str) -> None:
    assert make_names(sources(uri), base, "path") == [name]


@pytest.mark.parametrize(
    ("uri", "pattern"),
    [
        ("s3://inbox/../../etc/passwd", r"_-\w{10}/_-\w{10}/etc/passwd"),
        ("s3://inbox//a.png", r"_-\w{10}/a\.png"),
        ("s3://inbox/a#b?c%d.png", r"a_b_c_d\.png-\w{10}"),
        ("s3://inbox/.hidden", r"hidden-\w{10}"),
        ("/data/a\nb.png", r"data/a_b\.png-\w{10}"),
        ("/data/\udcff.png", r"data/_\.png-\w{10}"),
        (f"s3://inbox/{'n' * 300}.png", r"n{189}-\w{10}"),
    ],
)
def test_what_paths_treat_in_a_special_way_is_replaced(uri: str, pattern: str) -> None:
    (name,) = make_names(sources(uri), "s3://inbox/" if uri.startswith("s3") else "/", "path")
    assert re.fullmatch(pattern, name)
    assert is_name(name)


@pytest.mark.parametrize(
    ("uri", "name"),
    [("s3://inbox/2026/page.png", "page"), ("/data/FAX.001", "FAX.001"), ("/data/page", "page")],
)
def test_a_stem_is_the_name_that_the_fetch_operator_gives(uri: str, name: str) -> None:
    assert make_names(sources(uri), None, "stem") == [name]


@pytest.mark.parametrize("names", ["path", "stem"])
def test_a_stem_that_the_list_gives_is_taken(names: str) -> None:
    listed = [ListedSource("/data/in/x/page.png", file_stem="invoice 7")]
    assert make_names(listed, None, names) == ["invoice 7"]  # type: ignore[arg-type]  # a parameter of pytest is any text


@pytest.mark.parametrize(
    ("uris", "folder"),
    [
        (["/data/a.png", "file:///data/b.png"], "/data/"),
        (["s3://c@inbox/x/a.png", "s3://inbox/x/b.png"], "s3://c@inbox/x/"),
        (["s3://inbox"], "s3://inbox/"),
        (["/data/a.png", "/data/x/b.png"], None),
        (["/data/a.png", "s3://data/a.png"], None),
    ],
)
def test_the_folder_that_a_list_has_in_common(uris: list[str], folder: str | None) -> None:
    assert common_folder(uris) == folder


@pytest.mark.parametrize(
    ("uri", "base", "names", "says"),
    [
        ("/data/a.png", None, "path", "Set base to the folder that they have in common"),
        ("/data/a.png", "/data/in/", "path", "'/data/a.png' does not lie in the folder 'file:///data/in/'"),
        ("/database/a.png", "/data/", "path", "does not lie in the folder"),
        ("/data/...", None, "stem", "has no name of which a file's name can be made"),
    ],
)
def test_a_source_without_a_name_is_refused(uri: str, base: str | None, names: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        make_names(sources(uri), base, names)  # type: ignore[arg-type]  # a parameter of pytest is any text


class TestCollisions:
    def test_two_sources_of_one_name_are_both_named_with_the_file(self) -> None:
        listed = sources("/in/a/page.png", "/in/b/page.tif", "/in/c/page.gif", "/in/other.png")
        names = make_names(listed, None, "stem")
        with pytest.raises(InputError) as refused:
            check_names(listed, names, "/out/", TXT_AND_PDF)
        message = str(refused.value)
        assert "'/out/page.txt'" in message
        assert "'/in/a/page.png' and '/in/b/page.tif'" in message
        assert "So are 1 more pairs." in message
        assert "names='path'" in message
        assert "Nothing was billed." in message

    def test_paths_keep_them_apart(self) -> None:
        listed = sources("/in/a/page.png", "/in/b/page.png", "/in/page.png", "/in/page.tif")
        check_names(listed, make_names(listed, "/in/", "path"), "/out/", TXT)

    @pytest.mark.parametrize("other", ["/in/a.png", "file:///in/a.png", "/in/x/../a.png"])
    def test_a_source_that_is_listed_twice_is_refused(self, other: str) -> None:
        listed = sources("/in/a.png", other)
        with pytest.raises(InputError, match=r"'/in/a.png' is listed twice, as number 1 and 2"):
            check_names(listed, make_names(listed, "/in/", "path"), "/out/", TXT)

    def test_a_file_cannot_be_a_folder_too(self) -> None:
        listed = sources("/in/page", "/in/page.txt/scan.png")
        names = make_names(listed, "/in/", "path")
        with pytest.raises(
            InputError, match="'/in/page' would be the file 'page.txt', .* '/in/page.txt/scan.png'"
        ):
            check_names(listed, names, "/out/", TXT)
        check_names(listed, names, "/out/", PDF)

    @pytest.mark.parametrize("destination", ["/in/", "file:///in/"])
    def test_a_result_over_a_source_is_refused(self, destination: str) -> None:
        listed = sources("/in/page.png")
        with pytest.raises(InputError, match="would be written over the source '/in/page.png'"):
            check_names(listed, ["page"], destination, PNG)
        check_names(listed, ["page"], destination, TXT)

    def test_a_possible_result_over_a_source_is_refused_where_the_settings_do_not_say_which_results_there_are(
        self,
    ) -> None:
        listed = sources("/in/page.pdf", "/in/page.xlsx")
        with pytest.raises(InputError, match="over the source '/in/page.pdf'.* set resultType") as refused:
            check_names(listed, ["page", "other"], "/in/", UNSAID)
        assert "Nothing was billed." in str(refused.value)
        check_names(listed, ["page", "other"], "/in/", TXT)
        table = Step("RecognizeTable")
        with pytest.raises(InputError, match="over the source '/in/page.xlsx'.* set resultTypeTable"):
            check_names(listed, ["page", "other"], "/in/", table)

    def test_a_possible_file_cannot_be_a_folder_either(self) -> None:
        listed = sources("/in/page", "/in/page.txt/scan.png")
        with pytest.raises(
            InputError, match="a folder of that name. The settings of RecognizePdf do not say"
        ):
            check_names(listed, make_names(listed, "/in/", "path"), "/out/", UNSAID)

    def test_a_numbered_result_has_no_name_of_another_document(self) -> None:
        listed = sources("/in/page.png", "/in/page-1.png", "/in/page-2.png", "/in/page-3.png")
        names = make_names(listed, None, "stem")
        with pytest.raises(InputError, match=r"'/out/page-1.txt': '/in/page.png' and '/in/page-1.png'"):
            check_names(listed, names, "/out/", TWO_REGIONS)
        check_names([listed[0], listed[3]], ["page", "page-3"], "/out/", TWO_REGIONS)
        check_names(listed, make_names(listed, "/in/", "path"), "/out/", TWO_REGIONS)
        check_names(listed, names, "/out/", TXT)

    def test_a_numbered_result_over_a_source_is_refused(self) -> None:
        listed = sources("/in/page.png", "/in/page-2.txt")
        with pytest.raises(InputError, match="over the source '/in/page-2.txt'"):
            check_names(listed, ["page", "other"], "/in/", TWO_REGIONS)

    def test_settings_that_do_not_promise_a_suffix_leave_equal_names_refused(self) -> None:
        listed = sources("/in/a.png", "/in/x/a.png")
        with pytest.raises(InputError, match="one file, '/out/a'"):
            check_names(listed, ["a", "a"], "/out/", UNSAID)


@pytest.mark.parametrize(
    ("destination", "length", "fits"),
    [
        ("s3://c@bucket/", 1014, True),
        ("s3://c@bucket/", 1015, False),
        ("/out/", 1015, True),
        ("/out/", 4096, False),
    ],
)
def test_a_name_that_no_storage_takes_is_refused(destination: str, length: int, fits: bool) -> None:
    listed, name = sources("s3://in/a.png"), "n" * length
    if fits:
        check_names(listed, [name], destination, TXT)
        return
    with pytest.raises(
        InputError, match=r"result of 's3://in/a.png' would have \d+ bytes, and its storage takes"
    ):
        check_names(listed, [name], destination, TXT)


class TestResultsAmongTheSources:
    EVERYTHING = re.compile(".*")

    @pytest.mark.parametrize("destination", ["/in/", "/in/out/", "file:///in/out/"])
    def test_are_refused_in_the_folder(self, destination: str) -> None:
        with pytest.raises(InputError, match="lies in the folder of the sources, '/in/'"):
            check_not_listed(["a.png"], destination, TXT, "/in/", self.EVERYTHING)

    @pytest.mark.parametrize("destination", ["/out/", "/", "/in/_out/", "/in/x/.out/", "/input/"])
    def test_are_fine_where_a_listing_does_not_see_them(self, destination: str) -> None:
        check_not_listed(["a.png"], destination, TXT, "/in/", self.EVERYTHING)

    def test_of_a_glob_are_refused_only_if_it_would_match_them(self) -> None:
        pattern = re.compile(r"[^/]+/[^/]+\.png\Z")
        check_not_listed(["a.png"], "/in/out/", TXT, "/in/", pattern)
        with pytest.raises(InputError, match="for example 'out/a.png'"):
            check_not_listed(["a"], "/in/out/", PNG, "/in/", pattern)
        pdf = re.compile(r"[^/]+/[^/]+\.pdf\Z")
        check_not_listed(["a"], "/in/out/", TXT, "/in/", pdf)
        with pytest.raises(InputError, match="for example 'out/a.pdf'"):
            check_not_listed(["a"], "/in/out/", UNSAID, "/in/", pdf)
