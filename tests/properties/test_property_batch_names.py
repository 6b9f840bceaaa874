"""
Names of a batch's results: for any names of sources, each result is below the destination, and no two have one name.
"""

from __future__ import annotations

import os

from hypothesis import example
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.batch.naming import check_names, is_hidden, is_name, make_names
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.batch.steps import Step
from airflow_provider_asposeocr.documents.uris import same_place
from tests.support.hostile import NAMES
from tests.support.tried import holds_for

BASES = st.sampled_from(["s3://scans@inbox/2026/", "/data/in/"])


@example(base="s3://scans@inbox/2026/", names=["../../x", "a//b", "a/../b"])
@holds_for(base=BASES, names=st.lists(NAMES, min_size=1, max_size=5))
def test_a_name_stays_below_the_destination(base: str, names: list[str]) -> None:
    listed = [ListedSource(f"{base}{name}") for name in names]
    try:
        made = make_names(listed, base, "path")
    except InputError:  # A local path with .. may lead out of the base.
        assert any(not same_place(source.uri).startswith(same_place(base)) for source in listed)
        return
    for name in made:
        assert is_name(name)
        path = os.path.normpath(f"/out/{name}.txt")
        assert path.startswith("/out/")
        assert not any(is_hidden(part) and part.startswith(".") for part in name.split("/"))


@holds_for(names=st.lists(NAMES, min_size=2, max_size=6))
def test_no_two_documents_share_a_file(names: list[str]) -> None:
    listed = [ListedSource(f"s3://inbox/{name}") for name in names]
    made = make_names(listed, "s3://inbox/", "path")
    try:
        check_names(listed, made, "s3://outbox/", Step("RecognizeImage", {"resultType": "Text"}))
    except InputError:
        return
    assert len({f"{name}.txt" for name in made}) == len(names)
