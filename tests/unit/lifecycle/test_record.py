"""Which records are valid: each field is made invalid in turn."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.lifecycle.identity import Identity
from airflow_provider_asposeocr.lifecycle.record import (
    SCHEMA_VERSION,
    Record,
    UnreadableRecord,
    parse_record,
)

GOOD: dict[str, Any] = Record(
    schema_version=SCHEMA_VERSION,
    phase="submitted",
    identity=Identity(
        operation="RecognizeImage", source="s3://b/page.png", version="etag=1", settings="s", account="a"
    ),
    max_tries=3,
    task=TaskRef(
        operation="RecognizeImage", id="id-1", submitted_at=datetime(2026, 3, 1, tzinfo=UTC), conn_id="ocr"
    ),
    inherited=False,
    resubmits=1,
).model_dump(mode="json")
#: Without one of these a task reference finds no cloud task; the others describe where it came from.
OF_THE_TASK = ("operation", "id", "submitted_at", "conn_id")
PATHS = [
    *((name,) for name in GOOD),
    *(("identity", name) for name in GOOD["identity"]),
    *(("task", name) for name in OF_THE_TASK),
]
MISSING = object()
#: No field is an array, and none of the texts may be a number or a number a text.
WRONG: dict[str, list[Any]] = {
    "schema_version": ["1", True, None, 0, 2, 1.5],
    "phase": ["submittedd", "", None, 1],
    "identity": [None, "RecognizeImage", {}],
    "max_tries": ["3", None, True, -1, 3.5],
    "task": [None, "id-1", {}],
    "inherited": ["no", None, 0],
    "resubmits": ["1", None, True, -1],
    "identity.operation": ["Fly", "../Fly", "", None, 1],
    "identity.source": [None, 1],
    "identity.version": [1, True],
    "identity.settings": [None, 1],
    "identity.account": [None, 1],
    "task.operation": ["Fly", "../Fly", "", None],
    "task.id": ["", None, 7, "x" * 201],
    "task.submitted_at": ["yesterday", "2026-03-01T00:00:00", None, 0, "9999-12-31T23:59:59Z"],
    "task.conn_id": [None, 1],
}


def spoiled(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A record that a user's edit, a bug or another version has changed in one place."""
    record = copy.deepcopy(GOOD)
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    if value is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return record


SPOILED = [
    pytest.param(
        spoiled(path, value), path, id=f"{'.'.join(path)}={'MISSING' if value is MISSING else value!r}"[:60]
    )
    for path in PATHS
    for value in (MISSING, ["x"], *WRONG[".".join(path)])
]


def test_the_good_one_is_good_and_every_field_is_tried() -> None:
    assert isinstance(parse_record(GOOD), Record)
    assert {".".join(path) for path in PATHS} == set(WRONG)
    assert set(GOOD) == set(Record.model_fields)


@pytest.mark.parametrize(("record", "path"), SPOILED)
def test_a_spoiled_field_makes_it_unreadable_and_is_named(
    record: dict[str, Any], path: tuple[str, ...]
) -> None:
    read = parse_record(record)
    assert isinstance(read, UnreadableRecord)
    assert ".".join(path) in read.why or path[-1] in read.why
    if path != ("max_tries",):
        assert read.max_tries == 3
    if path != ("resubmits",):
        assert read.resubmits == 1


@pytest.mark.parametrize("name", [name for name in TaskRef.model_fields if name not in OF_THE_TASK])
def test_a_reference_may_lack_what_does_not_find_the_task(name: str) -> None:
    assert isinstance(parse_record(spoiled(("task", name), MISSING)), Record)


@pytest.mark.parametrize(
    ("asked", "submitted"),
    [
        ("RecognizeImage", "RecognizeImageTrial"),
        ("RecognizeNewThings", "RecognizeNewThings"),
        ("RecognizeNewThings", "RecognizeNewThingsTrial"),
    ],
)
def test_an_operation_that_only_a_newer_version_knows_can_be_read(asked: str, submitted: str) -> None:
    """So that its cloud task is cancelled when the DAG now asks for another operation."""
    record = spoiled(("identity", "operation"), asked)
    record["task"]["operation"] = submitted
    read = parse_record(record)
    assert isinstance(read, Record)
    assert read.task is not None
    assert (read.identity.operation, read.task.operation) == (asked, submitted)


def test_operations_that_contradict_each_other_make_it_unreadable() -> None:
    """One of the two was changed later; which one is unknown, and so is what the cloud has billed."""
    for path in (("identity", "operation"), ("task", "operation")):
        read = parse_record(spoiled(path, "RecognizePdf"))
        assert isinstance(read, UnreadableRecord)
        assert "identity.operation is " in read.why
        assert "but task.operation is " in read.why


def test_a_newer_version_s_record_says_so_for_any_other_content() -> None:
    read = parse_record({"schema_version": 2, "max_tries": 4, "documents": [1, 2]})
    assert read == UnreadableRecord(
        "its schema_version is 2, written by a newer version of the provider; this one reads 1", max_tries=4
    )


@pytest.mark.parametrize(
    "stored", [None, False, 0, 1, 1.5, "", "text", json.dumps(GOOD), [], [GOOD], {}], ids=repr
)
def test_what_is_no_record_at_all(stored: Any) -> None:
    read = parse_record(stored)
    assert isinstance(read, UnreadableRecord)
    assert read.max_tries is None
    assert len(read.why) < 600


def test_what_a_user_typed_is_fit_to_be_shown() -> None:
    read = parse_record("\x1b[2J" * 1000)
    assert isinstance(read, UnreadableRecord)
    assert read.why.isprintable()
    assert len(read.why) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(GOOD)), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON)
def test_no_json_at_all_is_taken_for_absent_or_raises(stored: Any) -> None:
    assert isinstance(parse_record(stored), Record | UnreadableRecord)
    assert isinstance(parse_record({**GOOD, "task": stored}), Record | UnreadableRecord)
