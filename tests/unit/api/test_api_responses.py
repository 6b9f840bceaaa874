from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.enums import ResponseStatusCode, TaskStatus
from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    InputError,
    UnexpectedResponseError,
    UnknownStatusError,
)
from airflow_provider_asposeocr.api.responses import (
    TaskRef,
    TaskState,
    is_task_ref,
    parse_state,
    parse_task_id,
    parse_task_ref,
)

try:
    from airflow.sdk.serde import deserialize, serialize
except ImportError:  # Airflow 3.1
    from airflow.serialization.serde import deserialize, serialize  # type: ignore[no-redef]  # where Airflow 3.1 has it

GUID = "a197aade-bba9-4c7a-92c7-46851b3dceaa"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
REF = TaskRef(operation="RecognizeImage", id=GUID, submitted_at=NOON, conn_id="ocr")


class TestTaskId:
    @pytest.mark.parametrize(
        ("body", "id"),
        [
            (GUID.encode(), GUID),
            (f'"{GUID}"'.encode(), GUID),
            (f"'{GUID}'".encode(), GUID),
            (f" \r\n{GUID}\r\n".encode(), GUID),
            (f'" {GUID} "\n'.encode(), GUID),
            (b"TTS01232-9d40-4c7a", "TTS01232-9d40-4c7a"),
            (b"a197aade-bba9-4c7a-92c7-46851b3dcea", "a197aade-bba9-4c7a-92c7-46851b3dcea"),
            (b"x" * 200, "x" * 200),
            (b"../../etc", "../../etc"),  # opaque: it goes quoted into a query and nowhere else
        ],
    )
    def test_an_id_is_taken_as_it_is(self, body: bytes, id: str) -> None:
        assert parse_task_id(body) == id

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"   ",
            b'""',
            b'"\'"',
            b"x" * 201,
            b"x" * 1_000_000,
            b"<html><body>Please log in</body></html>",
            b'{"id": "x"}',
            b"two words",
            b"a\tb",
            b"a\nb",
            b"a\x00b",
            b"\x1b[31m",
            "a\u202eb".encode(),
        ],
    )
    def test_what_cannot_be_an_id_is_refused(self, body: bytes) -> None:
        with pytest.raises(ValueError, match="is no task id"):
            parse_task_id(body)


FIELDS: dict[str, Any] = {
    "id": GUID,
    "taskStatus": "Completed",
    "responseStatusCode": "Ok",
    "results": [{"type": "Text", "data": 0}],
    "error": None,
}


class TestState:
    @given(st.permutations(list(FIELDS)))
    def test_the_order_of_properties_means_nothing(self, order: list[str]) -> None:
        assert parse_state(json.dumps({name: FIELDS[name] for name in order})) == TaskState(**FIELDS)

    @pytest.mark.parametrize("word", list(TaskStatus))
    def test_each_documented_status_has_its_meaning(self, word: TaskStatus) -> None:
        assert parse_state(json.dumps({"taskStatus": word.value})).status is word

    @pytest.mark.parametrize("word", ["", "completed", "Paused", "COMPLETED", "Done", "\x1b[31m"])
    def test_an_unknown_status_is_loud(self, word: str) -> None:
        state = parse_state(json.dumps({"taskStatus": word, "id": GUID}))
        with pytest.raises(UnknownStatusError, match="unknown task status") as caught:
            _ = state.status
        assert caught.value.task_id == GUID
        assert "\x1b" not in str(caught.value)

    def test_what_is_new_is_kept(self) -> None:
        body = {
            **FIELDS,
            "responseStatusCode": "BrandNew",
            "queue": 3,
            "results": [{"type": "Markdown", "data": None, "page": 1}],
            "error": {"messages": None, "warnings": ["w"], "hints": ["h"]},
        }
        state = parse_state(json.dumps(body))
        assert state.model_dump() == body
        assert state.warnings == ["w"]

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"", "no JSON"),
            (b"<!DOCTYPE html><html>Please wait</html>", "no JSON; it begins with '<!DOCTYPE html>"),
            (b"\xff\xfe\x00", "no JSON"),
            (b'{"taskStatus": "Comp', "no JSON"),
            (b"[" * 100_000, "no JSON"),
            (b"[]", "no task state"),
            (b"null", "no task state"),
            (b"{}", "no task state"),
            (b'{"taskStatus": null}', "no task state"),
            (b'{"taskStatus": 1}', "no task state"),
            (b'{"taskStatus": "Completed", "results": {}}', "no task state"),
            (b'{"taskStatus": "Completed", "error": "text"}', "no task state"),
            (b'"Completed"', "no task state"),
        ],
    )
    def test_what_is_no_state_is_an_error_that_shows_its_beginning(self, body: bytes, said: str) -> None:
        with pytest.raises(UnexpectedResponseError, match="The cloud's answer is") as caught:
            parse_state(body)
        assert said in caught.value.message
        assert len(caught.value.message) < 300

    @given(st.binary(max_size=200) | st.text(max_size=200))
    def test_nothing_but_the_named_error_comes_out(self, body: bytes | str) -> None:
        with pytest.raises(UnexpectedResponseError) as caught:
            parse_state(body)
        assert caught.value.message.isprintable()

    def test_messages_and_warnings_are_shown_harmlessly_and_are_no_failure(self) -> None:
        notices = {"messages": ["a\x1b[31m", None, ""], "warnings": ["b\n"]}
        state = TaskState(taskStatus="Completed", results=[{"type": "Text"}], error=notices)
        assert state.messages == [r"a\x1b[31m"]
        assert state.warnings == ["b"]
        assert state.reason == r"a\x1b[31m; b"
        assert state.shortfall is None
        assert TaskState(taskStatus="Error").reason == "the cloud gave no reason"

    @pytest.mark.parametrize("code", [None, "BrandNew", *ResponseStatusCode])
    @pytest.mark.parametrize("results", [None, [], [{"type": "Text", "data": 0}]])
    def test_which_completed_answers_are_plain_success(self, code: str | None, results: Any) -> None:
        shortfall = TaskState(taskStatus="Completed", responseStatusCode=code, results=results).shortfall
        if code in ("PartiallyNotFound", "ResultDataLost", "NoAnyResultData"):
            assert shortfall == f"the cloud says {code}"
        else:
            assert shortfall == (None if results else "the answer has no results")


REFS = st.builds(
    TaskRef,
    operation=st.sampled_from(["RecognizeImage", "ConvertTextToSpeechTrial", "RecognizeNewThings"]),
    id=st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()),
    submitted_at=st.datetimes(
        datetime(2000, 1, 1),
        datetime(2100, 1, 1),
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7, minutes=-30))]),
    ),
    conn_id=st.text(),
    source_name=st.none() | st.text(),
    source_bytes=st.none() | st.integers(0, 10**12),
    dag_id=st.none() | st.text(),
    run_id=st.none() | st.text(),
    task_id=st.none() | st.text(),
    map_index=st.none() | st.integers(-1, 1000),
)


class TestTaskRef:
    @given(REFS)
    def test_it_survives_json(self, ref: TaskRef) -> None:
        described = json.loads(json.dumps(ref.to_dict()))
        assert described["submitted_at"].endswith("+00:00")
        assert parse_task_ref(described) == ref
        assert parse_task_ref(described).submitted_epoch == ref.submitted_epoch

    @given(REFS)
    def test_it_survives_xcom(self, ref: TaskRef) -> None:
        carried = deserialize(json.loads(json.dumps(serialize(ref.to_dict()))))
        assert type(carried) is dict
        assert parse_task_ref(carried) == ref

    def test_it_expires_a_day_after_its_submit(self) -> None:
        assert REF.expires_at == NOON + timedelta(hours=24)
        assert REF.submitted_epoch == NOON.timestamp()

    def test_fields_of_a_newer_version_do_not_hurt(self) -> None:
        assert parse_task_ref({**REF.to_dict(), "page": 3}) == REF
        assert parse_task_ref(REF) is REF

    @pytest.mark.parametrize(
        ("origin", "words"),
        [
            ({}, "outside of an Airflow task"),
            (
                {"task_id": "scan", "dag_id": "d", "run_id": "r", "map_index": -1},
                "by task 'scan' of 'd', run 'r'",
            ),
            (
                {"task_id": "scan", "dag_id": "d", "run_id": "r", "map_index": 3},
                "by task 'scan' [3] of 'd', run 'r'",
            ),
        ],
    )
    def test_it_says_where_it_came_from(self, origin: dict[str, Any], words: str) -> None:
        assert REF.model_copy(update=origin).origin == words

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"operation": "Recognize/../Everything"}, "operation"),
            ({"operation": "/Recognize"}, "operation"),
            ({"operation": "Recognize?id=7"}, "operation"),
            ({"operation": None}, "operation"),
            ({"operation": "\x1b[31m"}, "operation"),
            ({"id": ""}, "id"),
            ({"id": "x" * 201}, "id"),
            ({"id": 7}, "id"),
            ({"id": "x\n[ERROR] a line of its own in the log"}, "id"),
            ({"id": "\x1b[31m"}, "id"),
            ({"submitted_at": "yesterday"}, "submitted_at"),
            ({"submitted_at": "2026-03-01T12:00:00"}, "submitted_at"),  # no time zone
            ({"submitted_at": None}, "submitted_at"),
            ({"conn_id": None}, "conn_id"),
            ({"source_bytes": -1}, "source_bytes"),
        ],
    )
    def test_a_broken_one_says_what_is_wrong(self, change: dict[str, Any], named: str) -> None:
        with pytest.raises(InputError, match="not a task reference") as caught:
            parse_task_ref({**REF.to_dict(), **change})
        assert f"{named}: " in caught.value.message
        assert "\x1b" not in caught.value.message

    @pytest.mark.parametrize("value", [None, "text", 3, [], {}, {"operation": "RecognizeImage", "id": "x"}])
    def test_what_is_none_at_all_is_refused(self, value: Any) -> None:
        with pytest.raises(AsposeOcrError, match="not a task reference"):
            parse_task_ref(value)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            (REF, True),
            (REF.to_dict(), True),
            ({"operation": "?", "id": "?"}, True),
            ({"id": "x"}, False),
            ("s3://bucket/key", False),
            (None, False),
            (["operation", "id"], False),
        ],
    )
    def test_it_is_told_from_other_sources(self, value: Any, meant: bool) -> None:
        assert is_task_ref(value) is meant
