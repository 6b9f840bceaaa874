"""
The index of what was read: a key for each file and version that need not be read again, and none for any other.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError
from airflow_provider_asposeocr.documents.manifest import OUTCOMES
from airflow_provider_asposeocr.ingestion.seen import (
    SeenKeys,
    Segment,
    parse_segment,
    plan_compaction,
    row_key,
    seen_key,
    segment_name,
)


def row(outcome: str = "succeeded", *, final: bool = False, **fields: Any) -> dict[str, Any]:
    found = {"pipeline": "p", "source": "s3://b/in/a.png", "source_version": "v", "outcome": outcome}
    return {**found, "final": final, **fields}


KEY = seen_key("p", "s3://b/in/a.png", "v")


def keys_of(*rows: dict[str, Any]) -> SeenKeys:
    keys = SeenKeys()
    for each in rows:
        keys.take(each)
    return keys


def segment(*numbers: int, manifest: str = "m", failed: tuple[int, ...] = ()) -> Segment:
    keys = SeenKeys({bytes([number]) * 16 for number in numbers}, {bytes([number]) * 16 for number in failed})
    return Segment({manifest: "v"}, keys)


class TestKeys:
    def test_stay_the_same_for_ever(self) -> None:
        """A changed key would have every file of every inbox downloaded once more."""
        assert KEY.hex() == "f413305770945db55bf598852a35c790"

    @pytest.mark.parametrize("uri", ["s3://conn@b/in/a.png", "s3a://b/in/a.png", "s3://other@b/in/a.png"])
    def test_do_not_depend_on_the_connection(self, uri: str) -> None:
        assert seen_key("p", uri, "v") == KEY

    @pytest.mark.parametrize(
        ("pipeline", "uri", "version"),
        [
            ("q", "s3://b/in/a.png", "v"),
            ("p", "s3://b/in/b.png", "v"),
            ("p", "s3://b/in/a.png", "w"),
            ("p", "s3://b/in/a.png", None),
            ("p", "s3://c/in/a.png", "v"),
        ],
    )
    def test_tell_pipelines_files_and_versions_apart(
        self, pipeline: str, uri: str, version: str | None
    ) -> None:
        assert seen_key(pipeline, uri, version) != KEY

    def test_are_made_of_any_name(self) -> None:
        names = ["/in/a\nb.png", "/in/a%20b.png", "/in/a b.png", "/in/a#1.png", "/in/\udcff.png"]
        assert len({seen_key("p", name, "v") for name in names}) == len(names)

    @pytest.mark.parametrize(
        "broken", [{"pipeline": None}, {"pipeline": 5}, {"source": None}, {"source": ["a"]}]
    )
    def test_are_not_made_of_rows_that_no_work_list_named(self, broken: dict[str, Any]) -> None:
        assert row_key(row(**broken)) is None
        assert len(keys_of(row(**broken))) == 0


class TestRows:
    @pytest.mark.parametrize("outcome", OUTCOMES)
    @pytest.mark.parametrize("final", [False, True])
    @pytest.mark.parametrize("include_failed", [False, True])
    def test_count_where_no_later_run_has_to_look(
        self, outcome: str, final: bool, include_failed: bool
    ) -> None:
        is_read = outcome in ("succeeded", "skipped", "duplicate")
        is_over = final and outcome not in ("gone", "failed")
        failed = outcome == "failed" and final and not include_failed
        found = keys_of(row(outcome, final=final)).has(KEY, include_failed=include_failed)
        assert found == (is_read or is_over or failed)

    def test_a_document_that_failed_and_succeeded_later_is_read(self) -> None:
        keys = keys_of(row("failed", final=True), row("succeeded"))
        assert keys.has(KEY, include_failed=True)

    def test_a_gone_file_that_comes_back_is_read(self) -> None:
        """S3 gives equal content the version that it had."""
        assert not keys_of(row("gone")).has(KEY)

    @pytest.mark.parametrize("final", [1, "true", None])
    def test_that_were_edited_do_not_count(self, final: Any) -> None:
        assert not keys_of({**row("failed"), "final": final}).has(KEY)

    @pytest.mark.parametrize(
        ("outcome", "error", "is_put_back"),
        [
            ("failed", {"retryable": False}, True),
            ("failed", {"retryable": True}, False),
            ("failed", {}, False),
            ("failed", None, False),
            ("failed", "edited", False),
            ("busy", {"retryable": False}, False),
            ("gone", {"retryable": False}, False),
        ],
    )
    def test_of_files_that_each_run_tries_in_vain_put_these_back(
        self, outcome: str, error: Any, is_put_back: bool
    ) -> None:
        keys = keys_of(row(outcome, error=error))
        assert keys.put_back == ({KEY} if is_put_back else set())
        assert not keys.has(KEY)


class TestSegments:
    def test_are_read_as_they_were_written(self) -> None:
        written = segment(1, 2, failed=(3,))
        written.keys.put_back.add(b"p" * 16)
        assert parse_segment(written.to_bytes()) == written
        written.keys.put_back.clear()
        assert segment_name(written.to_bytes()) == segment_name(segment(2, 1, failed=(3,)).to_bytes())
        assert parse_segment(segment().to_bytes()) == segment()

    def test_that_were_cut_anywhere_are_an_error(self) -> None:
        content = segment(1, 2, failed=(3,)).to_bytes()
        for size in range(len(content)):
            with pytest.raises(InputError, match="cut or damaged"):
                parse_segment(content[:size])

    def test_that_were_damaged_anywhere_are_an_error_or_unchanged(self) -> None:
        content, written = segment(1, 2, failed=(3,)).to_bytes(), segment(1, 2, failed=(3,))
        for place in range(len(content)):
            damaged = content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
            try:
                assert parse_segment(damaged) == written
            except InputError:
                continue

    @pytest.mark.parametrize(
        ("head", "body", "message"),
        [
            ({"schema_version": 2}, b"", "its schema_version is 2, and this one reads 1"),
            ({"settled": 2}, b"x" * 16, "as many keys as it says"),
            ({"settled": "1"}, b"x" * 16, "as many keys as it says"),
            ({"manifests": 5}, b"", "cut or damaged"),
            ([], b"", "cut or damaged"),
        ],
    )
    def test_of_another_form_are_an_error(self, head: Any, body: bytes, message: str) -> None:
        whole = {"schema_version": 1, "settled": 0, "failed": 0, "manifests": {}}
        line = json.dumps({**whole, **head} if isinstance(head, dict) else head).encode()
        with pytest.raises(InputError, match=message):
            parse_segment(gzip.compress(line + b"\n" + body))


class TestCompaction:
    def test_waits_until_there_is_enough(self) -> None:
        assert plan_compaction({"a": segment(1)}, segment(2), ["torn"]).write is None

    def test_writes_what_is_new(self) -> None:
        fresh = Segment({f"m{number}": "v" for number in range(32)}, segment(2).keys)
        plan = plan_compaction({"a": segment(1)}, fresh, ["torn"])
        assert plan.write == fresh
        assert plan.remove == ("torn",)

    def test_makes_one_segment_of_many(self) -> None:
        segments = {
            f"s{number}": segment(number, manifest=f"m{number}", failed=(100 + number,))
            for number in range(16)
        }
        plan = plan_compaction(segments, segment(50, manifest="new"))
        assert plan.write is not None
        assert set(plan.remove) == set(segments)
        assert plan.write.manifests == {**{f"m{number}": "v" for number in range(16)}, "new": "v"}
        assert plan.write.keys.settled == {bytes([number]) * 16 for number in (*range(16), 50)}
        assert len(plan.write.keys.failed) == 16
