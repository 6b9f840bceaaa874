from __future__ import annotations

from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseHook

EXAMPLES = sorted((Path(__file__).parents[2] / "example_dags").glob("*.py"))


def test_there_are_some() -> None:
    assert {path.stem for path in EXAMPLES} >= {"chain", "mapped_folder", "regions", "from_task", "pipelined"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_parses_without_reading_any_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def get_connection(conn_id: str) -> None:
        read.append(conn_id)
        raise AssertionError(f"{conn_id} was read while the DAG was parsed")

    monkeypatch.setattr(BaseHook, "get_connection", get_connection)
    bag = DagBag(str(path), bundle_name="examples")
    assert bag.import_errors == {}
    assert [dag_id.removeprefix("aspose_ocr_") for dag_id in bag.dags] == [path.stem]
    assert read == []
