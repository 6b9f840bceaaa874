"""
The forms of ``sources``: what is taken for which, and what is refused before anything is listed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.batch.sources import Folder, Glob, Listed, ListFile, Rows, parse_sources


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("/data/in/", Folder("/data/in/")),
        ("s3://scans@inbox/", Folder("s3://scans@inbox/")),
        ("s3://scans@inbox/2026/*.png", Glob("s3://scans@inbox/2026/*.png")),
        ("/data/**/page-?.png", Glob("/data/**/page-?.png")),
        ("/data/[ab]/", Glob("/data/[ab]/")),
        ("/data/list.jsonl", ListFile("/data/list.jsonl")),
        (Path("/data/list.jsonl"), ListFile("/data/list.jsonl")),
        (
            ["/data/a.png", {"source": "s3://c@b/x y#1.png", "file_stem": "one"}, Path("/data/b.png")],
            Listed(
                (
                    ListedSource("/data/a.png"),
                    ListedSource("s3://c@b/x y#1.png", file_stem="one"),
                    ListedSource("/data/b.png"),
                )
            ),
        ),
        (("/data/a.png",), Listed((ListedSource("/data/a.png"),))),
        ({"manifest": "/out/m.jsonl"}, Rows("/out/m.jsonl", ("failed",))),
        (
            {"manifest": "/out/m.jsonl", "outcome": ["failed", "not_started"]},
            Rows("/out/m.jsonl", ("failed", "not_started")),
        ),
    ],
    ids=str,
)
def test_what_is_taken_for_which_form(value: Any, parsed: object) -> None:
    assert parse_sources(value) == parsed


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("s3://scans@inbox/2026/*.png", "s3://scans@inbox/2026/"),
        ("s3://inbox/day-*/a.png", "s3://inbox/"),
        ("/*.png", "/"),
        ("/data/a?/b*/c.png", "/data/"),
        ("file:///data/[ab].png", "file:///data/"),
    ],
)
def test_the_base_of_a_glob_is_the_folder_before_its_first_wildcard(uri: str, base: str) -> None:
    assert Glob(uri).base == base


REF = {"operation": "UpscaleImage", "id": "x", "submitted_at": "2026-03-01T12:00:00Z", "conn_id": "ocr"}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "sources is None"),
        (7, "sources is 7"),
        ("", "sources is empty"),
        ([], "sources is an empty list"),
        (
            "/data/page.png",
            r"End it with a slash to read all files in the folder; .* \['/data/page.png'\]",
        ),
        ("data/in/", "sources is the relative path 'data/in/'"),
        ("/data/in\n/", "line break or a tab"),
        ("https://host/page.png?X-Amz-Signature=0011223344/", "carries a signature"),
        (["/data/a.png", 3], "Entry 2 of sources is 3"),
        (["/data/a.png", ""], "Entry 2 of sources is empty"),
        (["/data/a.png", "b.png"], "Entry 2 of sources is the relative path 'b.png'"),
        (["/data/a\n.png"], "Entry 1 of sources is .*line break"),
        (["/data/in/"], "Entry 1 of sources, '/data/in/', is a folder"),
        ([REF], "Entry 1 of sources is a task reference"),
        (REF, "sources is a task reference"),
        ([{"source": "/a.png", "stem": "x"}], "Write a path or a URI, or"),
        ([{"source": "/a.png", "file_stems": "x"}], "Did you mean 'file_stem'"),
        ([{"source": "/a.png", "file_stem": "../x"}], "Entry 1 of sources: file_stem '../x' is not the name"),
        ({"manifest": 3}, "sources is"),
        ({"manifests": "/m.jsonl"}, "Did you mean 'manifest'"),
        ({"manifest": "/m.jsonl", "outcome": "fail"}, "the outcome 'fail'. Did you mean 'failed'"),
        ({"manifest": "/m.jsonl", "outcome": []}, "the outcome"),
        ({"manifest": "m.jsonl"}, "relative path"),
    ],
    ids=str,
)
def test_anything_else_is_refused(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as refused:
        parse_sources(value)
    assert "Nothing was billed." in str(refused.value)
    assert "0011223344" not in str(refused.value)
