"""The link of an operator to the page that shows its results."""

from __future__ import annotations

import importlib
import json
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from airflow.sdk import DAG
from airflow.sdk.types import TaskInstanceKey
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr import operators
from airflow_provider_asposeocr.get_provider_info import get_provider_info
from airflow_provider_asposeocr.links import AsposeOcrResultLink, result_path, result_url
from airflow_provider_asposeocr.operators import (
    AsposeOcrBatchOperator,
    AsposeOcrFetchResultOperator,
    AsposeOcrRecognizeImageOperator,
)
from tests.support.airflow_names import DagSerialization

KEY: Any = SimpleNamespace(
    dag_id="scans", run_id="manual__2026-03-02T08:00:00+00:00", task_id="group.read", map_index=3
)
PATH = "/aspose-ocr/view/scans/manual__2026-03-02T08%3A00%3A00%2B00%3A00/group.read/3"


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        (None, PATH, PATH),
        ("/", PATH, PATH),
        ("http://localhost:8080", PATH, f"http://localhost:8080{PATH}"),
        ("https://flows.example/ocr/", f"/ocr{PATH}", f"https://flows.example/ocr{PATH}"),
        ("/behind/a/proxy", f"/behind/a/proxy{PATH}", f"/behind/a/proxy{PATH}"),
        ("https://me:secret@flows.example", PATH, f"https://flows.example{PATH}"),
    ],
)
def test_it_begins_with_the_path_of_airflow(
    monkeypatch: pytest.MonkeyPatch, base_url: str | None, path: str, url: str
) -> None:
    if base_url is None:
        monkeypatch.delenv("AIRFLOW__API__BASE_URL", raising=False)
    else:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", base_url)
    assert result_path(KEY) == path
    assert result_url(KEY) == url


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3), st.integers(-1, 5000))
def test_every_id_is_one_part_of_the_path(ids: list[str], map_index: int) -> None:
    dag_id, run_id, task_id = (each.encode(errors="replace").decode() for each in ids)
    key = SimpleNamespace(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    parts = result_path(key).split("/")
    assert [unquote(part) for part in parts[-4:]] == [dag_id, run_id, task_id, str(map_index)]
    assert len(parts) == 7


@pytest.mark.parametrize("map_index", [-1, None])
def test_a_task_that_is_not_mapped_has_the_index_of_airflow_s_database(map_index: int | None) -> None:
    key: Any = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=map_index)
    assert AsposeOcrResultLink().get_link(None, ti_key=key).endswith("/d/r/t/-1")  # type: ignore[arg-type]  # not used


def test_a_key_will_do() -> None:
    key = TaskInstanceKey(dag_id="d", task_id="t", run_id="r", try_number=2, map_index=5)
    assert result_path(key).endswith("/d/r/t/5")


#: They read no document, so that the page has nothing to show of them.
WITHOUT_RESULTS = {"AsposeOcrCancelTasksOperator", "AsposeOcrPlanInboxOperator"}


@pytest.mark.parametrize("name", sorted(set(operators.__all__) - WITHOUT_RESULTS))
def test_every_operator_with_results_has_it(name: str) -> None:
    (link,) = getattr(operators, name).operator_extra_links
    assert isinstance(link, AsposeOcrResultLink)
    assert link.name == "OCR result"


def test_airflow_keeps_it_in_the_serialized_dag_also_of_a_mapped_task() -> None:
    with DAG("linked") as dag:
        read = AsposeOcrRecognizeImageOperator.partial(task_id="read").expand(source=["/a.png", "/b.png"])
        AsposeOcrFetchResultOperator.partial(task_id="fetch", destination="/out/").expand(task=read.output)
        AsposeOcrBatchOperator(task_id="batch", sources="/in/", steps=["RecognizeImage"], destination="/out/")
    restored = DagSerialization.from_dict(json.loads(json.dumps(DagSerialization.to_dict(dag))))
    for task_id in ("read", "fetch", "batch"):
        (link,) = restored.get_task(task_id).operator_extra_links
        assert (link.name, link.xcom_key) == ("OCR result", "_link_AsposeOcrResultLink"), task_id


def test_airflow_is_told_of_its_class() -> None:
    (named,) = get_provider_info()["extra-links"]
    module, _, name = named.rpartition(".")
    assert getattr(importlib.import_module(module), name) is AsposeOcrResultLink
