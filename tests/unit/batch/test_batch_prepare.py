"""
The step before the first submit: it returns documents with the names of their results, or raises before anything is billed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch.plan import BatchDocument
from airflow_provider_asposeocr.batch.prepare import Prepared, prepare
from airflow_provider_asposeocr.batch.steps import parse_steps
from airflow_provider_asposeocr.documents.folders import parse_folder
from airflow_provider_asposeocr.documents.sources import identity_of

if TYPE_CHECKING:
    from pathlib import Path

STEPS = parse_steps([{"operation": "RecognizeImage", "settings": {"resultType": "TextAndPdf"}}])


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in ("in/b/page.png", "in/a/page.png", "in/a/page.tif"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"0123456789")
    return f"{tmp_path}/in/"


def prepared(
    sources: Any, destination: str = "/out/", names: Any = "path", base: str | None = None
) -> Prepared:
    return prepare(sources, STEPS, destination, names, base)


def test_a_folder_becomes_documents_in_order(folder: str) -> None:
    found = prepared(folder)
    assert found.base == folder
    assert found.documents[0] == BatchDocument(
        0, f"{folder}a/page.png", identity_of(f"{folder}a/page.png")[1], "a/page.png", 10
    )
    assert [document.file_stem for document in found.documents] == ["a/page.png", "a/page.tif", "b/page.png"]


def test_names_of_stems_collide_before_anything_is_sent(folder: str) -> None:
    with pytest.raises(InputError, match=r"a/page\.png' and .*a/page\.tif'"):
        prepared(folder, names="stem")


def test_the_parameter_base_comes_before_what_the_sources_say(folder: str) -> None:
    above = folder.removesuffix("in/")
    assert [document.file_stem for document in prepared(folder, base=above).documents][0] == "in/a/page.png"


def test_a_list_in_several_folders_needs_a_base(folder: str) -> None:
    sources = [f"{folder}a/page.png", f"{folder}b/page.png"]
    with pytest.raises(InputError, match="Set base to the folder that they have in common"):
        prepared(sources)
    assert [document.file_stem for document in prepared(sources, base=folder).documents] == [
        "a/page.png",
        "b/page.png",
    ]
    assert [document.file_stem for document in prepared(sources[:1]).documents] == ["page.png"]


def test_a_list_that_a_template_rendered_as_text_is_a_list(folder: str) -> None:
    sources = [f"{folder}a/page.png"]
    assert len(prepared(json.dumps(sources)).documents) == len(prepared(str(sources)).documents) == 1


@pytest.mark.parametrize("where", ["", "out/"])
def test_a_destination_among_the_sources_is_refused(folder: str, where: str) -> None:
    with pytest.raises(InputError, match="lies in the folder of the sources"):
        prepared(folder, destination=f"{folder}{where}")
    assert prepared(folder, destination=f"{folder}_out/").documents


def test_a_glob_is_named_below_its_first_wildcard(folder: str) -> None:
    found = prepared(f"{folder}*/page.png")
    assert [document.file_stem for document in found.documents] == ["a/page.png", "b/page.png"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("/out", r"destination is '/out', and a batch needs a folder: end it with a slash, as in '/out/'"),
        ("/out/page.txt", "a batch needs a folder"),
        ("out/", "destination is the relative path 'out/'"),
        ("", "destination is empty"),
        (None, "destination is the URI of a folder, not None"),
        (3.1, "destination is the URI of a folder, not 3.1. With render_template_as_native_obj"),
        ("s3://b/" + "x" * 800 + "/", "has 808 bytes"),
        ("s3://b/\u202e/", "unprintable characters"),
        ("file://data/out/", "three slashes"),
    ],
)
def test_a_destination_is_a_folder(value: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        parse_folder(value, "destination")


@pytest.mark.parametrize("value", ["/out/", "s3://c@b/", "s3://b/Straße 1/#x/"])
def test_folders(value: str) -> None:
    assert parse_folder(value, "destination") == value
