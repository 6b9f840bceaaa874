from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseHook, Param
from airflow.sdk.exceptions import ParamValidationError

from airflow_provider_asposeocr.operators import AsposeOcrPlanInboxOperator
from demo.inbox import POOL, environment, fill_inbox

TESTS = Path(__file__).parents[1]
EXAMPLES = sorted((Path(__file__).parents[2] / "example_dags").glob("*.py"))


def parsed(name: str) -> Any:
    (path,) = (example for example in EXAMPLES if example.stem == name)
    bag = DagBag(str(path), bundle_name="examples")
    assert bag.import_errors == {}
    return bag.dags[f"aspose_ocr_{name}"]


def list_documents(inbox: str, task_id: str) -> list[str]:
    """Call one of the two listing tasks of the mapped folder as Airflow does."""
    task = parsed("mapped_folder").get_task(task_id)
    found: list[str] = task.python_callable(inbox, task.op_args[1])
    return [Path(uri).name for uri in found]


def test_there_are_some() -> None:
    assert {path.stem for path in EXAMPLES} >= {
        "batch_folder",
        "chain",
        "extract",
        "inbox",
        "mapped_folder",
        "regions",
        "from_task",
        "pipelined",
    }


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


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_ui_shows_what_the_file_says(path: Path) -> None:
    dag = parsed(path.stem)
    assert dag.doc_md
    assert dag.doc_md.strip() in path.read_text(encoding="utf-8")
    assert len(dag.description) < 80


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_make_airflow_gives_each_parameter_a_default_that_exists(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = tmp_path / "inbox"
    fill_inbox(inbox)
    for name, value in environment(inbox, tmp_path / "outbox").items():
        monkeypatch.setenv(name, value)
    dag = parsed(path.stem)
    params = dag.params
    sources = [params[name] for name in ("scan", "inbox") if name in params]
    sources += [task.folder for task in dag.tasks if isinstance(task, AsposeOcrPlanInboxOperator)]
    assert [source for source in sources if Path(source.removeprefix("file://")).exists()] == sources != []
    assert params.get("outbox", f"file://{tmp_path}/outbox/") == f"file://{tmp_path}/outbox/"


@pytest.mark.parametrize("name", [path.stem for path in EXAMPLES])
def test_another_test_runs_it(name: str) -> None:
    # By its file, by the id of its DAG, or by its name where a test runs several.
    ways = (f'"{name}.py"', f'"aspose_ocr_{name}"', f'run("{name}"')
    tests = (path for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    assert any(way in path.read_text(encoding="utf-8") for path in tests for way in ways)


class TestMappedFolder:
    def test_every_task_that_runs_in_the_cloud_counts_in_the_pool(self) -> None:
        dag = parsed("mapped_folder")
        pools = {task.task_id: task.pool for task in dag.tasks if task.task_id.startswith("read_")}
        assert pools
        assert {task_id: pool for task_id, pool in pools.items() if pool != POOL} == {}

    def test_it_lists_every_kind_that_make_airflow_offers(self, tmp_path: Path) -> None:
        fill_inbox(tmp_path / "inbox")
        inbox = f"file://{tmp_path}/inbox/"
        assert list_documents(inbox, "list_images") == ["LETTER.PNG", "fax.tiff", "page.png", "photo.jpeg"]
        assert list_documents(inbox, "list_pdfs") == ["report.pdf"]

    def test_it_leaves_other_files_alone_and_takes_a_plain_path(self, tmp_path: Path) -> None:
        for name in ("A.TIF", "b.jpg", "c.PDF", "notes.txt", "README", "d.png.part"):
            (tmp_path / name).touch()
        assert list_documents(str(tmp_path), "list_images") == ["A.TIF", "b.jpg"]
        assert list_documents(str(tmp_path), "list_pdfs") == ["c.PDF"]


class TestInvoicesReview:
    @pytest.mark.parametrize("value", ["", None, "1190", "1190.50", "-3.5"])
    def test_an_amount_that_a_person_may_enter(self, value: str | None) -> None:
        assert _entry("total_amount").resolve(value) == value

    @pytest.mark.parametrize("value", ["1190,50", "1.190.50", "EUR 5", "1e5"])
    def test_one_that_would_be_another_amount_is_refused(self, value: str) -> None:
        with pytest.raises(ParamValidationError):
            _entry("total_amount").resolve(value)

    @pytest.mark.parametrize(("value", "is_date"), [("", True), ("2026-03-04", True), ("4.3.2026", False)])
    def test_a_date(self, value: str, is_date: bool) -> None:
        if is_date:
            assert _entry("issue_date").resolve(value) == value
        else:
            with pytest.raises(ParamValidationError):
                _entry("issue_date").resolve(value)


def _entry(name: str) -> Param:
    """Return a field of the form that the person fills in."""
    entry: Param = runpy.run_path(str(EXAMPLES[0].parent / "invoices_review.py"))["ENTRIES"][name]
    return entry
