"""
No name that a person gives to a file of an inbox keeps the others from being read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_asposeocr.batch.inbox_names import keep_apart
from airflow_provider_asposeocr.batch.naming import check_names, make_names
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.batch.prepare import prepare
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.ingestion.work_list import WorkFile, WorkList, write_work_list
from tests.support.hostile import NAMES

if TYPE_CHECKING:
    from pathlib import Path

STEP = Step("RecognizeImage", {"resultType": "Text"})
IN, OUT = "s3://scans@inbox/", "s3://scans@outbox/"


def named(*names: str, how: str = "path", destination: str = OUT) -> list[str]:
    sources = [ListedSource(IN + name) for name in names]
    stems = make_names(sources, IN, how)  # type: ignore[arg-type]  # one of the two
    found = keep_apart(sources, stems, destination, STEP)
    check_names(sources, found, destination, STEP)
    assert len(found) == len(names)
    return found


def test_ordinary_names_stay() -> None:
    names = ["a.png", "b/a.png", "b/c d.tif", "2026/01/é.pdf"]
    assert named(*names) == names


@pytest.mark.parametrize(
    "names",
    [
        ("a.png", "a.png.txt/b.png"),
        ("a.png.txt/b.png", "a.png"),
        ("x/a.png.txt/b.png", "y.png", "x/a.png"),
    ],
)
def test_a_result_and_a_folder_of_one_name_are_kept_apart(names: tuple[str, ...]) -> None:
    found = named(*names)
    assert sum("~" in name for name in found) == 1
    assert found[0] == names[0]
    assert "~" in found[-1]


def test_equal_stems_are_kept_apart() -> None:
    first, second, third = named("a.png", "b/a.png", "a.tif", how="stem")
    assert first == "a"
    assert second.startswith("a~")
    assert third.startswith("a~")
    assert named("b/a.png", "a.png", how="stem")[0] == "a"
    assert named("a.png", "b/a.png", how="stem") == [first, second]


def test_a_name_that_is_too_long_becomes_a_short_one() -> None:
    long = "é" * 50 + "/"
    short, other = named(f"{long * 9}a.png", "b.png", destination=f"{OUT}{'folder/' * 20}")
    assert short.startswith("a.png~")
    assert other == "b.png"


@settings(max_examples=100, deadline=None)
@given(names=st.lists(NAMES.map(lambda name: name.strip("/") or "a"), unique=True, min_size=1, max_size=8))
def test_any_names_can_be_read_together(names: list[str]) -> None:
    named(*names)
    named(*names, destination=IN + "_out/")


def test_a_work_list_is_named_so(tmp_path: Path) -> None:
    base = f"{tmp_path}/in/"
    files = tuple(WorkFile(base + name, "v", 1) for name in ("a.png", "a.png.txt/b.png", "new\nline.png"))
    uri = f"{tmp_path}/0001.jsonl"
    write_work_list(uri, WorkList(f"{tmp_path}/reg/", base, "p", files))
    found = prepare(uri, (STEP,), f"{tmp_path}/out/", "path", None)
    assert [document.file_stem.partition("~")[0] for document in found.documents][:2] == ["a.png", "b.png"]
    assert found.documents[2].source == f"{base}new\nline.png"
