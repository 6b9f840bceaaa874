"""Names and form of a journal's parts."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from airflow_provider_asposeocr.batch.parts import (
    BrokenPartError,
    ForeignPartError,
    Part,
    PartName,
    batch_key,
    journal_folder_name,
    parse_part,
)
from tests.support.parts import name, part


class TestNames:
    @pytest.mark.parametrize(
        ("parsed", "text"),
        [
            (PartName(1, 0), "epochs/000001.jsonl"),
            (PartName(12, 345, "0a1b2c3d"), "000012-000345-0a1b2c3d.jsonl"),
            (PartName(1234567, 7654321, "0a1b2c3d"), "1234567-7654321-0a1b2c3d.jsonl"),
        ],
    )
    def test_a_name_is_read_as_it_is_written(self, parsed: PartName, text: str) -> None:
        assert parsed.text == text
        assert PartName.parse(text) == parsed

    @pytest.mark.parametrize(
        "text",
        [
            "epochs/drain.json",
            "epochs/probe",
            "000001-000000-0a1b2c3d.jsonl",
            "0000001-000001-0a1b2c3d.jsonl",
            "1-1-0a1b2c3d.jsonl",
            "000001-000001-0A1B2C3D.jsonl",
            ".aspose-ocr-0a1b2c3d.part",
            "x/000001-000001-0a1b2c3d.jsonl",
        ],
    )
    def test_other_files_are_no_parts(self, text: str) -> None:
        assert PartName.parse(text) is None

    def test_a_clear_has_a_folder_of_its_own(self) -> None:
        key = batch_key("", "dag", "run", "task", -1)
        assert journal_folder_name(key, 2) == f"batches/{key}/2"
        assert journal_folder_name(key, 5) != journal_folder_name(key, 2)

    def test_all_that_names_a_task_instance_is_in_the_key(self) -> None:
        ids: tuple[Any, ...] = ("a", "b", "c", "d", 1)
        others = [
            ids[:place] + (other,) + ids[place + 1 :] for place, other in enumerate(("x", "x", "x", "x", 2))
        ]
        keys = {
            batch_key(*given) for given in [ids, *others, ("ab", "", "c", "d", 1), ("", "ab", "c", "d", 1)]
        }
        assert len(keys) == 8
        assert {len(key) for key in keys} == {16}


class TestForm:
    def test_a_part_is_read_as_it_is_written(self) -> None:
        written = Part(
            name(2, 7),
            ({"record": "intent", "text": "line\nbreak \u2028 \udcff \x85"}, {}),
            acknowledged=41,
            after=(name(2, 5).text,),
            replaces=(name(2, 4).text,),
            header={"sources": ["ü"]},
            identity={"dag_id": "d"},
            writer="w" * 32,
        )
        found = parse_part(written.name, written.to_bytes())
        assert found == Part(**{**vars(written), "records": list(written.records)})
        assert written.to_bytes().count(b"\n") == 3

    def test_each_cut_and_each_altered_byte_is_noticed(self) -> None:
        content = part(1, 1, (1, 0)).to_bytes()
        head = content.index(b"\n")
        for length in range(len(content)):
            with pytest.raises(BrokenPartError):
                parse_part(name(1, 1), content[:length])
        for place in range(head + 1, len(content)):
            with pytest.raises(BrokenPartError):
                parse_part(name(1, 1), content[:place] + b"~" + content[place + 1 :])

    def test_the_text_of_a_snapshot_is_not_held_in_memory(self) -> None:
        records = ({"record": "document", "document": number, "text": "x" * 1500} for number in range(10_000))
        snapshot = Part(name(1, 1), (), replaces=())
        tracemalloc.start()
        try:
            sizes = [len(piece) for piece in snapshot.pieces_with(records)]
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sum(sizes) > 15_000_000
        assert most < 4_000_000

    def test_a_large_part_is_read_as_it_is_written(self) -> None:
        records = [{"number": number, "text": "x" * 1500} for number in range(1000)]
        assert parse_part(name(1, 1), Part(name(1, 1), records).to_bytes()).records == records

    def test_a_cut_between_two_lines_is_noticed(self) -> None:
        content = Part(name(1, 1), ({"a": 1}, {"a": 1})).to_bytes()
        lines = content.splitlines(keepends=True)
        with pytest.raises(BrokenPartError):
            parse_part(name(1, 1), b"".join(lines[:-1]))

    @pytest.mark.parametrize(
        "changes",
        [
            {"after": "x"},
            {"after": [1]},
            {"replaces": "x"},
            {"header": []},
            {"identity": 1},
            {"acknowledged": "1"},
            {"records": 2},
            {"crc32": None},
            {"sequence": 2},
        ],
    )
    def test_a_head_that_makes_no_sense_is_broken(self, changes: dict[str, Any]) -> None:
        head, _, body = part(1, 1, (1, 0)).to_bytes().partition(b"\n")
        content = json.dumps({**json.loads(head), **changes}).encode() + b"\n" + body
        with pytest.raises(BrokenPartError):
            parse_part(name(1, 1), content)

    @pytest.mark.parametrize("version", [0, 2, "1", None])
    def test_another_schema_is_not_taken_for_a_broken_tail(self, version: object) -> None:
        content = json.dumps({"schema_version": version}).encode() + b"\nwhatever it holds"
        with pytest.raises(ForeignPartError, match="schema version"):
            parse_part(name(1, 1), content)
