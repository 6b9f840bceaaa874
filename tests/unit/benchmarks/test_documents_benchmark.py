"""
The order of the measurements in the benchmark of large documents.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from tests.benchmarks.document_processes import Measured, Store
from tests.benchmarks.documents import MIB, Bench, memory_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.document_processes import Mover

LARGE = {"operation": "UpscaleImage", "id": "large"}
SMALL = {"operation": "DetectRegions", "id": "small"}
STORES = [
    Store("file", {}, "large.png", "tiny.png", "results/"),
    Store("S3", {"at": "S3"}, "s3://large.png", "s3://tiny.png", "s3://results/"),
]


class _Mover:
    """Stands for a program; notes each transfer of the large document, which takes more in each round."""

    def __init__(self, program: str, moved: list[str]) -> None:
        self._program, self._moved = program, moved
        self._name = program

    @contextmanager
    def fresh(self, environment: dict[str, str] | None = None) -> Iterator[_Mover]:
        self._name = f"{self._program} {(environment or {}).get('at', 'file')}"
        yield self

    def do(self, command: str, **arguments: Any) -> Measured:
        if command == "block_bytes":
            return Measured(8 * MIB, 0, 0, 0)
        if "large" in str(arguments):
            self._moved.append(f"{command} {self._name}")
        return Measured("id", 0, 0, MIB * self._moved.count(f"{command} {self._name}"))


def test_the_sdks_memory_is_measured_in_each_round_in_turn_with_ours() -> None:
    moved: list[str] = []
    movers = {name: cast("Mover", _Mover(name, moved)) for name in ("ours", "sdk")}
    bench = Bench("http://cloud", STORES, movers, LARGE, SMALL, lambda _: None)
    rows = list(memory_rows(bench))

    submits = [each for each in moved if each.startswith("submit")]
    assert [each.removeprefix("submit ") for each in submits] == [
        *("ours file", "ours S3", "sdk file"),
        *("ours S3", "sdk file", "ours file"),
    ]
    assert moved.count("fetch sdk file") == 2
    compared = [row for row in rows if row.rival]
    assert len(compared) == 4
    for row in compared:
        assert row.ratio is not None
        assert row.theirs is not None
        assert (row.theirs.values, row.ratio.values) == ((1, 2), (1, 1))


def test_a_row_of_a_store_says_that_the_sdk_moved_a_local_file() -> None:
    movers = {name: cast("Mover", _Mover(name, [])) for name in ("ours", "sdk")}
    rows = list(memory_rows(Bench("http://cloud", STORES, movers, LARGE, SMALL, lambda _: None)))

    assert {row.what.split(" MB")[1]: "local file" in row.note for row in rows} == {
        " from file, above the idle process": False,
        " from S3, above the idle process": True,
        ", above the idle process": False,
        " to file, above the idle process": False,
        " to S3, above the idle process": True,
    }
    assert {row.goal for row in rows if "S3" in row.what} == {"at most 24 MiB"}
