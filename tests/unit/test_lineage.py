"""What the operators report to OpenLineage about documents, files and cloud tasks; tests/airflow checks the events."""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Asset

import airflow_provider_asposeocr
from airflow_provider_asposeocr import lineage
from airflow_provider_asposeocr.batch.manifest_file import read_manifest
from airflow_provider_asposeocr.lineage import dataset_of, lineage_of_batch
from airflow_provider_asposeocr.operators import AsposeOcrBatchOperator
from tests.support.airflow_tasks import PNG, execute
from tests.support.ocr_tasks import fetch, read_all, recognize

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl


def named(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(each.namespace, each.name) for each in datasets]


@pytest.mark.parametrize(
    ("uri", "dataset"),
    [
        ("/data/page.png", ("file", "/data/page.png")),
        ("file:///data/page.png", ("file", "/data/page.png")),
        ("s3://conn@bucket/a/b.png", ("s3://bucket", "a/b.png")),
        ("s3a://bucket/a/b.png", ("s3://bucket", "a/b.png")),
        ("gcs://bucket/a.png", ("gs://bucket", "a.png")),
        ("abfss://conn@container/a.png", ("abfs://container", "a.png")),
        ("sftp://user:secret@host/a.png", ("sftp://host", "a.png")),
        ("s3://conn@bucket/", ("s3://bucket", "/")),
    ],
)
def test_a_file_has_the_name_that_openlineage_gives_it(uri: str, dataset: tuple[str, str]) -> None:
    """Without the connection: two DAGs may reach one file through two of them."""
    assert dataset_of(uri) == dataset


def test_a_submit_and_a_fetch(cloud: EmulatorControl, page: str, out: Path) -> None:
    submit = recognize(page, deferrable=False)
    ref = execute(submit)
    told = submit.get_openlineage_facets_on_complete(None)
    assert named(told.inputs) == [("file", page)]
    assert told.outputs == []
    assert told.run_facets["externalQuery"].externalQueryId == ref["id"]
    assert told.run_facets["externalQuery"].source == "aspose_ocr://ocr/RecognizeImage"

    operator = fetch(ref, f"{out}/")
    manifest = execute(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert named(told.inputs) == [("file", page)]
    assert named(told.outputs) == [("file", f"{out}/page.txt")]
    statistics = told.outputs[0].outputFacets["outputStatistics"]
    assert (statistics.size, statistics.fileCount) == (manifest["results"][0]["bytes"], 1)
    assert told.run_facets["externalQuery"].externalQueryId == ref["id"]


def test_inlets_and_outlets_of_the_user_are_not_hidden(cloud: EmulatorControl, page: str, out: Path) -> None:
    """OpenLineage looks at them only where an operator tells it nothing."""
    own = {"inlets": [Asset("file:///somewhere/else.csv")], "outlets": [Asset(f"file://{out}/page.txt")]}
    operator = fetch(execute(recognize(page, deferrable=False)), f"{out}/", **own)
    execute(operator)
    told = operator.get_openlineage_facets_on_complete(None)
    assert ("file", "/somewhere/else.csv") in named(told.inputs)
    assert named(told.outputs) == [("file", f"{out}/page.txt")]


def test_a_task_that_has_failed_hides_nothing_and_raises_nothing() -> None:
    batch = AsposeOcrBatchOperator(task_id="b", sources="/in/", steps=["RecognizeImage"], destination="/out/")
    for operator in (recognize("/gone.png"), fetch({}, "/out/"), batch):
        told = operator.get_openlineage_facets_on_complete(None)
        assert (told.inputs, told.outputs, told.run_facets) == ([], [], {})


def test_a_batch_is_reported_by_folder() -> None:
    """An event with ten thousand documents would be refused."""
    sources = [f"s3://conn@scans/{number % 3}/page-{number}.png" for number in range(10_000)]
    operator = recognize("/page.png")
    told = lineage_of_batch(operator, sources, "s3://outbox/read/", 20_000, 5, "s3://outbox/m.jsonl")
    assert named(told.inputs) == [("s3://scans", str(number)) for number in range(3)]
    assert named(told.outputs) == [("s3://outbox", "read/"), ("s3://outbox", "m.jsonl")]
    statistics = told.outputs[0].outputFacets["outputStatistics"]
    assert (statistics.size, statistics.fileCount) == (5, 20_000)
    many = [f"/in/{number}/page.png" for number in range(500)]
    assert len(lineage_of_batch(operator, many, "/out/", 1, 1, "/out/m.jsonl").inputs) == lineage.MOST_FOLDERS


def test_a_batch_tells_its_folders_its_manifest_and_what_it_has_written(
    cloud: EmulatorControl, tmp_path: Path, out: Path
) -> None:
    (inbox := tmp_path / "inbox").mkdir()
    for number in range(2):
        (inbox / f"{number}.png").write_bytes(PNG + bytes([number]))
    operator = read_all(f"{inbox}/", out)
    manifest = execute(operator)["manifest"]
    told = operator.get_openlineage_facets_on_complete(None)
    assert named(told.inputs) == [("file", str(inbox))]
    assert named(told.outputs) == [("file", str(out)), dataset_of(manifest)]
    statistics = told.outputs[0].outputFacets["outputStatistics"]
    written = [result for row in read_manifest(manifest) for result in row.results]
    assert (statistics.fileCount, statistics.size) == (2, sum(result.bytes for result in written))


def test_an_error_costs_the_lineage_and_nothing_else(
    cloud: EmulatorControl, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("another version")

    submit = recognize(page, deferrable=False)
    execute(submit)
    monkeypatch.setattr(lineage, "_cloud_task", broken)
    told = submit.get_openlineage_facets_on_complete(None)
    assert named(told.inputs) == [("file", page)]


def test_without_the_library_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any, **options: Any) -> Any:
        if "openlineage" in name:
            raise ImportError(name)
        return real(name, *rest, **options)

    for module in [name for name in sys.modules if name.startswith("airflow.providers.openlineage")]:
        monkeypatch.delitem(sys.modules, module)
    # Loaded again, because its own imports are not to need the library either. Afterwards it is the old one again.
    monkeypatch.setattr(airflow_provider_asposeocr, "lineage", lineage)
    monkeypatch.delitem(sys.modules, lineage.__name__)
    monkeypatch.setattr(builtins, "__import__", missing)
    fresh = importlib.import_module(lineage.__name__)
    assert fresh is not lineage
    assert fresh.lineage_of_submit(recognize("/page.png"), None) is None
