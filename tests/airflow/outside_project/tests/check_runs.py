"""A test file of a user who leaves Airflow to the fixture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.emulator.server import Emulator
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner, DagTestRun

DAGS = Path(__file__).parents[1] / "dags"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    scan = tmp_path / "page.png"
    scan.write_bytes(b"\x89PNG\r\n\x1a\n")
    return {"scan": str(scan), "outbox": f"file://{tmp_path}/outbox/"}


@pytest.fixture
def run_deferred(
    aspose_ocr_run_dag: DagRunner, aspose_ocr_connect: Callable[[str], None], files: dict[str, str]
) -> Callable[[], DagTestRun]:
    aspose_ocr_connect("other_account")
    return lambda: aspose_ocr_run_dag(DAGS / "two_dags.py", dag_id="deferred", conf=files)


def test_deferred_tasks_wait_and_results_are_written(
    run_deferred: Callable[[], DagTestRun], aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    run = run_deferred()
    assert run.state == "success"
    assert run.task_states == {"binarize": "success", "read": "success", "fetch": "success"}
    assert aspose_ocr_emulator.control.billing() == {"BinarizeImage": 1, "RecognizeImage": 1}
    assert (tmp_path / "outbox" / "words-of-the-page.txt").exists()
    assert run.xcom("fetch")["results"][0]["type"] == "Text"


def test_a_retry_runs(run_deferred: Callable[[], DagTestRun], aspose_ocr_emulator: Emulator) -> None:
    aspose_ocr_emulator.control.add_faults({"kind": "task_error", "path": "RecognizeImage"})
    run = run_deferred()
    assert run.state == "success"
    assert aspose_ocr_emulator.control.billing() == {"BinarizeImage": 1, "RecognizeImage": 2}


def test_a_failure_is_a_state_and_its_reason_is_in_the_log(
    run_deferred: Callable[[], DagTestRun],
    aspose_ocr_emulator: Emulator,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault = {"kind": "task_error", "path": "BinarizeImage", "messages": ["the page is upside down"]}
    aspose_ocr_emulator.control.add_faults(fault)
    run = run_deferred()
    assert run.state == "failed"
    assert run.task_states == {
        "binarize": "failed",
        "read": "upstream_failed",
        "fetch": "upstream_failed",
    }
    out, err = capfd.readouterr()
    assert "the page is upside down" in out + err + caplog.text


def test_mapped_tasks_have_an_index(aspose_ocr_run_dag: DagRunner) -> None:
    run = aspose_ocr_run_dag(DAGS / "two_dags.py", dag_id="mapped")
    assert run.task_states == {"double[0]": "success", "double[1]": "success"}
    assert [run.xcom("double[0]"), run.xcom("double[1]")] == [2, 4]


@pytest.mark.parametrize(
    ("file", "dag_id", "words"),
    [
        ("broken.py", None, "this DAG file is broken"),
        ("missing.py", None, r"There is no DAG file .*missing\.py"),
        ("two_dags.py", None, r"dag_id must name one DAG; the DAGs are: deferred, mapped\."),
        ("two_dags.py", "third", r"there is no DAG 'third'; the DAGs are: deferred, mapped\."),
        ("words.py", None, r"the DAGs are: none\."),
    ],
)
def test_a_wrong_file_or_dag_is_named(
    aspose_ocr_run_dag: DagRunner, file: str, dag_id: str | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        aspose_ocr_run_dag(DAGS / file, dag_id=dag_id)
