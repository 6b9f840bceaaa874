"""
Files of JSON objects, one a line: any bytes, in any pieces, give the same objects or the same error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.documents.json_lines import parse_objects
from airflow_provider_asposeocr.documents.manifest import parse_manifest
from tests.support.hostile import BODIES, CUTS, JSON_VALUES, NASTY, TEXTS, chunks, objects
from tests.support.tried import holds_for

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = st.lists(st.dictionaries(NASTY | TEXTS, st.integers() | TEXTS, max_size=3), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"])
ROWS = objects(
    {
        "schema_version": st.just(1),
        "index": st.integers(0, 3),
        "documents": st.just(3),
        "outcome": st.sampled_from(["succeeded", "failed"]),
        "task": st.none(),
        "results": st.just([]),
        "steps": st.just([]),
        "try": st.integers(0, 3),
        "error": st.none(),
        "source": TEXTS,
    }
)


@holds_for(found=OBJECTS, end=ENDS, cuts=CUTS)
def test_pieces_do_not_matter(found: list[dict[str, Any]], end: str, cuts: list[int]) -> None:
    body = end.join(json.dumps(each) for each in found).encode()

    parsed = [value for _, value in parse_objects(chunks(body, cuts), "x")]

    assert parsed == found


def refusal(parse: Callable[[], object]) -> str | None:
    """What is said of something that cannot be read; ``None`` = it was read."""
    try:
        parse()
    except InputError as error:
        return error.message
    return None


@holds_for(body=BODIES, cuts=CUTS)
def test_anything_else_is_one_error_that_names_a_line(body: bytes, cuts: list[int]) -> None:
    said = refusal(lambda: list(parse_objects(chunks(body, cuts), "the list")))

    assert said is None or (said.startswith("Line ") and said.isprintable())


@holds_for(value=ROWS | JSON_VALUES)
def test_a_row_is_understood_or_refused(value: Any) -> None:
    said = refusal(lambda: parse_manifest(value))

    if said is not None:
        assert said.isprintable()
        return
    row = parse_manifest(value)
    assert parse_manifest(json.loads(json.dumps(row.to_dict()))) == row
