"""What the provider of OpenLineage makes of what operators tell it: after deferrals, of mapped tasks, of a batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo.local_airflow import LocalAirflow
from tests.support.airflow_stack import SCAN, connection
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import EmulatorProcess

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).parent / "told" / "told_dags.py"


class Collector:
    """An Airflow that is never started, and whose OpenLineage writes its events into a file."""

    def __init__(self, folder: Path, url: str) -> None:
        (dags := folder / "dags").mkdir()
        shutil.copy(DAGS, dags)
        self._events = folder / "events.jsonl"
        transport = {"type": "file", "log_file_path": str(self._events), "append": True}
        environment = {
            "AIRFLOW_CONN_ASPOSE_OCR_DEFAULT": connection(url),
            "AIRFLOW__ASPOSE_OCR__EVENT_DELAY_SECONDS": "0",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        }
        self._airflow = LocalAirflow(folder / "home", dags, environment)
        self._airflow.home.mkdir()
        self._airflow.run_command("db", "migrate", timeout_seconds=PATIENCE_SECONDS)

    def run(self, dag_id: str, **conf: str) -> list[dict[str, Any]]:
        """Run a DAG to its success; returns the events of the ends of its tasks."""
        self._airflow.run_command(
            "dags", "test", dag_id, "--conf", json.dumps(conf), timeout_seconds=PATIENCE_SECONDS
        )
        events = [json.loads(line) for line in self._events.read_text().splitlines()]
        return [
            event
            for event in events
            if event["eventType"] == "COMPLETE" and event["job"]["name"].startswith(f"{dag_id}.")
        ]


def named(datasets: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["namespace"], each["name"]) for each in datasets]


@pytest.fixture(scope="module")
def collector(emulator: EmulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Collector:
    return Collector(tmp_path_factory.mktemp("openlineage"), emulator.url)


def test_a_mapped_chain_that_was_deferred(
    collector: Collector, emulator: EmulatorProcess, tmp_path: Path
) -> None:
    emulator.control.reset()
    events = collector.run("test_told_mapped", scan=str(SCAN), outbox=f"{tmp_path}/outbox/")
    cloud_tasks = sorted(task["id"] for task in emulator.control.tasks())
    assert len(cloud_tasks) == 2
    for task_id in ("recognize", "fetch"):
        of_task = [event for event in events if event["job"]["name"] == f"test_told_mapped.{task_id}"]
        queries = [event["run"]["facets"]["externalQuery"] for event in of_task]
        assert sorted(query["externalQueryId"] for query in queries) == cloud_tasks
        assert {query["source"] for query in queries} == {"aspose_ocr://aspose_ocr_default/RecognizeImage"}
        for event in of_task:
            assert named(event["inputs"]) == [("file", str(SCAN))]
            written = [("file", f"{tmp_path}/outbox/01-75dpi.txt")] if task_id == "fetch" else []
            # The asset of the DAG's author is an output, too.
            assert [name for name in named(event["outputs"]) if name[0] == "file"] == written
            if written:
                facets = [each["outputFacets"] for each in event["outputs"] if each["namespace"] == "file"]
                assert facets[0]["outputStatistics"]["fileCount"] == 1


def test_a_batch(collector: Collector, emulator: EmulatorProcess, tmp_path: Path) -> None:
    emulator.control.reset()
    (inbox := tmp_path / "inbox").mkdir()
    for number in range(2):
        (inbox / f"{number}.png").write_bytes(SCAN.read_bytes() + bytes([number]))
    (event,) = collector.run("test_told_batch", inbox=f"{inbox}/", outbox=f"{tmp_path}/outbox/")
    assert named(event["inputs"]) == [("file", str(inbox))]
    (folder, manifest, *_) = (each for each in event["outputs"] if each["namespace"] == "file")
    assert folder["name"] == f"{tmp_path}/outbox"
    assert folder["outputFacets"]["outputStatistics"]["fileCount"] == 2
    assert Path(manifest["name"]).is_file()
