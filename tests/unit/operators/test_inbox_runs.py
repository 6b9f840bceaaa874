"""
Runs of an inbox: a plan and its batches, one run after the other, against the emulator. Each file is settled by one row.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.compat import AirflowSkipException
from airflow_provider_asposeocr.documents import sources
from airflow_provider_asposeocr.ingestion import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.__main__ import main
from airflow_provider_asposeocr.operators import AsposeOcrPlanInboxOperator, batch_try
from tests.support.airflow_tasks import PNG, context_for, execute
from tests.support.registered_runs import Folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


class Dag:
    """A DAG that reads an inbox."""

    def __init__(self, cloud: EmulatorControl, root: Path, **given: Any) -> None:
        self.cloud, self.folder, self.given = cloud, Folder(root), given
        self.of_batch: dict[str, Any] = {}
        self.runs = 0

    def plan(self, **given: Any) -> list[str]:
        """Run the plan of the next run."""
        self.runs += 1
        operator = AsposeOcrPlanInboxOperator(
            task_id="plan",
            inbox=AsposeOcrInbox(f"{self.folder.inbox}/", quiet_seconds=0),
            destination=f"{self.folder.out}/",
            **{**self.given, **given},
        )
        context = context_for(operator)
        context["ti"].run_id = context["run_id"] = f"run {self.runs}"
        found: list[str] = execute(operator, context)
        return found

    def run(
        self, between: Callable[[], Any] = lambda: None, max_failures: float = 0, **given: Any
    ) -> Counter[str]:
        """Run the DAG once; return the outcomes of its documents, and how many were billed."""
        before = sum(self.cloud.billing().values())
        try:
            lists = self.plan(**given)
        except AirflowSkipException:
            return Counter()
        between()
        found: Counter[str] = Counter()
        for number, uri in enumerate(lists):
            more = {"max_failures": max_failures, **self.of_batch}
            batch = self.folder.run(f"run {self.runs}.{number}", sources=uri, register=None, **more)
            batch.go()
            found.update(row.outcome for row in batch.rows)
        found["billed"] = sum(self.cloud.billing().values()) - before
        return +found

    def settled(self) -> Counter[str]:
        """Count the settled rows of each file, in all manifests."""
        manifests = (self.folder.out / ".aspose-ocr" / "manifests").rglob("*.jsonl")
        rows = (row for path in manifests for row in read_manifest(str(path)))
        return Counter((row.source or "").rpartition("/inbox/")[2] for row in rows if row.settled)


@pytest.fixture
def dag(cloud: EmulatorControl, tmp_path: Path) -> Dag:
    return Dag(cloud, tmp_path)


def test_each_file_is_settled_once_and_each_content_billed_once(
    dag: Dag, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        dag.folder.drop(f"{number:02d}.png", number % 27)
    assert dag.run(batch_documents=8) == {"succeeded": 27, "duplicate": 3, "billed": 27}
    assert set(dag.settled().values()) == {1}
    assert len(dag.settled()) == 30

    def no_download(*_: Any) -> Any:
        raise AssertionError("A file was read although nothing is new.")

    monkeypatch.setattr(sources, "take_content", no_download)
    assert dag.run(batch_documents=8) == {}


def test_a_renamed_copied_or_touched_file_is_a_duplicate(dag: Dag) -> None:
    for number, name in enumerate(("renamed", "copied", "touched")):
        dag.folder.drop(f"{name}.png", number)
    assert dag.run() == {"succeeded": 3, "billed": 3}
    inbox = dag.folder.inbox
    (inbox / "renamed.png").rename(inbox / "other.png")
    (inbox / "copy.png").write_bytes((inbox / "copied.png").read_bytes())
    (inbox / "touched.png").touch()
    assert dag.run() == {"duplicate": 3}
    assert dag.run() == {}


def test_another_content_under_a_name_is_read_and_the_first_result_stays(dag: Dag) -> None:
    dag.folder.drop("a.png", 1)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    dag.folder.drop("a.png", 2)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    assert len(dag.folder.texts()) == 2


def test_a_file_that_goes_and_comes_back_is_read(dag: Dag) -> None:
    path = dag.folder.drop("a.png", 1)
    assert dag.run(between=path.unlink) == {"gone": 1}
    dag.folder.drop("a.png", 1)
    assert dag.run() == {"succeeded": 1, "billed": 1}


def test_a_file_that_changes_between_plan_and_batch_is_read_by_the_next_run(dag: Dag) -> None:
    dag.folder.drop("a.png", 1)
    dag.folder.drop("b.png", 2)
    found = dag.run(between=lambda: dag.folder.drop("a.png", 3))
    assert found == {"changed": 1, "succeeded": 1, "billed": 1}
    assert dag.run() == {"succeeded": 1, "billed": 1}
    assert dag.run() == {}


def test_a_poison_file_is_tried_a_few_times_and_then_left(dag: Dag) -> None:
    dag.folder.drop("good.png", 1)
    dag.folder.drop("poison.png", 2)
    dag.cloud.add_faults({"kind": "task_error", "count": 100})
    for _ in range(3):
        dag.run(max_failures=2)
    assert dag.run(max_failures=2)["billed"] == 0
    dag.cloud.clear_faults()
    assert dag.run() == {}


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_files_that_are_no_documents_do_not_hold_the_others_up(dag: Dag, content: bytes) -> None:
    """They are the oldest, and as many as a run takes."""
    for number in range(2):
        (dag.folder.inbox / f"0-{number}.png").write_bytes(content)
    dag.folder.drop("good.png", 1)
    for number in range(2):
        os.utime(dag.folder.inbox / f"0-{number}.png", (number + 1, number + 1))
    assert dag.run(max_documents=2, max_failures=2) == {"failed": 2}
    assert dag.run(max_documents=2) == {"succeeded": 1, "billed": 1}
    assert dag.run(max_documents=2) == {}
    assert dag.run(include_failed=True, max_failures=2) == {"failed": 2}
    dag.folder.drop("0-0.png", 2)
    assert dag.run() == {"succeeded": 1, "billed": 1}


def test_a_file_that_may_not_be_read_now_is_tried_by_the_next_run(
    dag: Dag, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> Any:
        raise PermissionError("Access Denied")

    dag.folder.drop("a.png", 1)
    with monkeypatch.context() as patch:
        patch.setattr(sources, "take_content", refused)
        assert dag.run(max_failures=1) == {"failed": 1}
    assert dag.run() == {"succeeded": 1, "billed": 1}


def test_a_file_whose_results_are_missing_is_told_once(dag: Dag) -> None:
    dag.folder.drop("a.png", 1)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    (dag.folder.out / "a.png.txt").unlink()
    dag.folder.drop("b.png", 1)
    assert dag.run(max_failures=1) == {"failed": 1}
    assert dag.run() == {}


@pytest.mark.parametrize("name", ["new\nline.png", "tab\t.png"])
def test_a_name_that_no_storage_opens_is_a_row(dag: Dag, name: str) -> None:
    dag.folder.drop("good.png", 1)
    dag.folder.drop(name, 2)
    assert dag.run(max_failures=1) == {"succeeded": 1, "failed": 1, "billed": 1}


@pytest.mark.parametrize(
    "name",
    [
        "blank s.png",
        "x#1.png",
        "x%20y.png",
        "ü" * 120 + ".png",
        "deep/" * 30 + "a.png",
        ("d" * 99 + "/") * 10 + "e" * 20 + ".png",
    ],
)
def test_an_odd_name_is_read(dag: Dag, name: str) -> None:
    path = dag.folder.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PNG + b"1")
    assert dag.run() == {"succeeded": 1, "billed": 1}
    assert dag.run() == {}


def test_results_that_would_clash_do_not_stop_the_others(dag: Dag) -> None:
    dag.folder.drop("a.png", 1)
    (dag.folder.inbox / "a.png.txt").mkdir()
    (dag.folder.inbox / "a.png.txt" / "b.png").write_bytes(PNG + b"2")
    assert dag.run() == {"succeeded": 2, "billed": 2}


def test_a_lost_index_and_lost_manifests_bill_nothing(dag: Dag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_asposeocr.ingestion.seen._FRESH_FOR_A_SEGMENT", 1)
    for number in range(4):
        dag.folder.drop(f"{number}.png", number)
    dag.run()
    dag.folder.drop("4.png", 4)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    state = dag.folder.out / ".aspose-ocr"
    assert list((state / "index").iterdir())
    for name in ("index", "manifests"):
        shutil.rmtree(state / name)
    assert dag.run() == {"duplicate": 5}
    assert dag.run() == {}


def test_a_batch_that_is_killed_before_its_manifest_is_read_and_not_billed_again(
    dag: Dag, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        dag.folder.drop(f"{number}.png", number)
    (uri,) = dag.plan()
    dag.folder.run("killed", sources=uri, register=None).die_at(monkeypatch, batch_try, "write_manifest")
    assert sum(dag.cloud.billing().values()) == 3
    assert dag.run() == {"duplicate": 3}
    assert dag.run() == {}


def test_a_cloud_that_takes_nothing_loses_no_file_and_counts_no_attempt(
    dag: Dag, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        dag.folder.drop(f"{number}.png", number)
    (uri,) = dag.plan()
    run = dag.folder.run("one", sources=uri, register=None, max_in_flight=2)
    dag.cloud.add_faults(
        {"kind": "status", "status": 402, "method": "POST", "path": "RecognizeImage", "count": 100}
    )
    run.fail()
    assert sum(dag.cloud.billing().values()) == 0
    dag.cloud.clear_faults()
    assert run.go() == {"succeeded": 3, "submits": 3}
    assert "may be billed twice" not in caplog.text
    words = [word.partition(".")[2] for word in dag.folder.words()]
    assert words.count("done") == 3
    assert "failed" not in words  # No attempt was made.


def test_without_the_documents_of_the_register_all_is_billed_again(dag: Dag) -> None:
    """What docs/register.md says in bold; until then the manifests keep the plan from taking the files."""
    for number in range(2):
        dag.folder.drop(f"{number}.png", number)
    assert dag.run() == {"succeeded": 2, "billed": 2}
    shutil.rmtree(dag.folder.out / ".aspose-ocr" / "documents")
    assert dag.run() == {}
    assert dag.run(reprocess=True)["billed"] == 2


def test_other_steps_are_for_the_files_that_come_later(dag: Dag) -> None:
    """Files that are settled stay settled; the same content under a new name is another document with other steps."""
    dag.folder.drop("a.png", 1)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    german = {"operation": "RecognizeImage", "settings": {"language": "German", "resultType": "Text"}}
    dag.of_batch["steps"] = [german]
    assert dag.run() == {}
    dag.folder.drop("b.png", 1)
    assert dag.run() == {"succeeded": 1, "billed": 1}
    assert dag.run(reprocess=True) == {"duplicate": 2}


def test_two_pipelines_share_a_register_and_each_settles_all_files(
    cloud: EmulatorControl, tmp_path: Path
) -> None:
    one = Dag(cloud, tmp_path, pipeline="one")
    one.folder.drop("a.png", 1)
    assert one.run() == {"succeeded": 1, "billed": 1}
    one.given["pipeline"] = "two"
    assert one.run() == {"duplicate": 1}
    assert one.run() == {}


def test_forget_has_a_file_read_again(dag: Dag) -> None:
    path = dag.folder.drop("a.png", 1)
    dag.folder.drop("b.png", 2)
    assert dag.run() == {"succeeded": 2, "billed": 2}
    assert main(["forget", dag.folder.register, str(path)]) == 0
    assert dag.run()["billed"] == 1
    assert dag.run() == {}


def test_what_the_budget_leaves_is_read_by_the_next_runs(dag: Dag) -> None:
    for number in range(5):
        dag.folder.drop(f"{number}.png", number)
    billed = [dag.run(max_documents=2)["billed"] for _ in range(4)]
    assert billed == [2, 2, 1, 0]
