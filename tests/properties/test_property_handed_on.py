"""
What comes back to us by way of XCom, the metadata database, a template or a file of this host.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.auth.credentials import LONGEST_LOCK_SECONDS, CredentialMemory
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    CredentialsLockedError,
    CredentialsRejectedError,
    InputError,
    from_dict,
)
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.responses import TaskRef, is_task_ref, parse_task_ref
from airflow_provider_asposeocr.lifecycle.event import outcome_of
from airflow_provider_asposeocr.parameters import rendered
from tests.support.hostile import BODIES, DEEP, JSON_VALUES, NAMES, NASTY, NUMBERS, TEXTS, objects, written
from tests.support.tried import holds_for

NOW = 1_790_000_000.0
INSTANTS = (
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
    | st.sampled_from(
        ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-21", "2026-11-21T07:00:00", "now", "1e10"]
    )
    | NUMBERS
)  # fmt: skip
REFS = objects(
    {
        "operation": st.sampled_from([*sorted(OPERATIONS), "recognizeimage"]),
        "id": st.uuids().map(str) | NAMES,
        "submitted_at": INSTANTS,
        "conn_id": st.just("ocr") | NASTY,
        "source_name": NAMES | st.none(),
        "dag_id": NASTY | st.none(),
        "task_id": NASTY | st.none(),
        "run_id": NASTY | st.none(),
        "map_index": NUMBERS,
    }
)
GOOD = {"operation": "RecognizeImage", "id": "x", "submitted_at": "2026-11-21T07:00:00Z", "conn_id": "ocr"}
NEARLY = st.builds(lambda change: {**GOOD, **change}, REFS)


@holds_for(value=NEARLY | REFS | JSON_VALUES)
def test_a_task_reference_is_usable_or_is_an_input_error(value: Any) -> None:
    is_task_ref(value)
    with suppress(InputError):
        ref = parse_task_ref(value)
        assert isinstance(ref, TaskRef)
        assert math.isfinite(ref.submitted_epoch)
        assert ref.expires_at > ref.submitted_at
        assert ref.origin
        assert ref.row.name == ref.operation
        assert parse_task_ref(json.loads(json.dumps(ref.to_dict()))) == ref


EVENTS = objects(
    {
        "status": st.sampled_from(["completed", "failed", "cancelled"]),
        "task": NEARLY | REFS,
        "error": objects({"error": st.sampled_from(["TaskFailedError", "WaitError"]), "message": NASTY}),
    }
)


@holds_for(event=EVENTS | JSON_VALUES)
def test_an_event_is_understood_or_refused_by_name(event: Any) -> None:
    with suppress(AsposeOcrError):
        ref, error = outcome_of(event)
        assert isinstance(ref, TaskRef)
        assert (error is None) is (event["status"] == "completed")
        assert error is None or isinstance(error, AsposeOcrError)


ERRORS = objects(
    {
        "error": st.sampled_from(["TaskFailedError", "SubmitUnknownError", "KeyError"]),
        "message": NASTY,
        "operation": st.just("RecognizeImage") | NASTY,
        "task_id": NASTY | st.none(),
        "http_status": NUMBERS,
        "retry_after_seconds": NUMBERS,
        "billed": st.sampled_from(["no", "maybe", "yes", "already", "perhaps"]),
    }
)


@example(described={"billed": []})
@holds_for(described=ERRORS)
def test_a_described_error_is_an_error_again_and_can_be_shown(described: dict[str, Any]) -> None:
    error = from_dict(described)

    assert isinstance(error, AsposeOcrError)
    assert str(error)
    assert type(from_dict(error.to_dict())) is type(error)


PYTHON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=5,
).map(repr)
EXPRESSIONS = st.sampled_from(
    ["[__import__('os').system('id')]", "{[]: 1}", "{{}}", "[1 is 1]", "['\\d']", "[0777]", "[1if 1else 2]", "[9**9**9]"]
    + ["[" + "-" * 3000 + "1]", "[" + "not " * 3000 + "1]", "[" + "1+" * 3000 + "1]", "[\x00]", "[\ud800]", "{1:2, **3}"]
    + ["[1e999]", "[" + "9" * 5000 + "]", "['a' 'b' b'c']", "[f'{1}']", "[...]", "[1_0]", "[1j]", "[()]", "[b'\\xff']"]
)  # fmt: skip
BRACKETED = st.text("[]{}()'\"\\,:1aebfrux\x00#\n -.", max_size=24).map(lambda text: "[" + text)


@holds_for(
    text=EXPRESSIONS
    | PYTHON
    | BRACKETED
    | DEEP
    | NAMES
    | written(JSON_VALUES).map(lambda raw: raw.decode("latin-1"))
)
def test_a_rendered_field_is_an_object_or_the_text_itself(text: str) -> None:
    value = rendered(text)

    assert value is text or text.lstrip()[:1] in ("{", "[")


RECORDS = objects(
    {
        "verdict": st.sampled_from(["rejected", "locked", "other"]),
        "at": st.floats(NOW - 2000, NOW + 10) | NUMBERS,
        "until": st.floats(NOW - 10, NOW + 5000) | NUMBERS,
    }
)
_FOLDER = Path(tempfile.mkdtemp(prefix="properties-", dir=os.environ["AIRFLOW_HOME"]))


@holds_for(share=0.6, content=written(RECORDS) | BODIES)
def test_a_file_of_refused_credentials_is_understood_or_as_good_as_none(content: bytes) -> None:
    (_FOLDER / "pair.json").write_bytes(content)

    error = CredentialMemory(_FOLDER).recall("pair", NOW)

    assert error is None or isinstance(error, CredentialsRejectedError | CredentialsLockedError)
    assert error is None or str(error)


@example(until=NOW + 10**6, verdict="rejected")
@holds_for(
    share=0.4, until=NUMBERS | st.floats(NOW, NOW + 10**9), verdict=st.sampled_from(["rejected", "locked"])
)
def test_a_file_of_refused_credentials_keeps_a_host_out_for_an_hour_at_most(
    until: float, verdict: str
) -> None:
    record = {"verdict": verdict, "at": NOW - 1, "until": until}
    (_FOLDER / "pair.json").write_text(json.dumps(record))
    memory = CredentialMemory(_FOLDER)

    with suppress(OverflowError):
        later = NOW + LONGEST_LOCK_SECONDS
        assert memory.recall("pair", later) is None


@holds_for(share=0.2, name=TEXTS | NASTY)
def test_a_file_name_of_a_source_comes_through_unchanged_or_is_refused(name: str) -> None:
    with suppress(InputError):
        ref = parse_task_ref({**GOOD, "source_name": name})
        assert ref.source_name == name
