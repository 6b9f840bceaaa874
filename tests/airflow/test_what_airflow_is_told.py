"""
What Airflow itself gets to know beside the results: links, asset events, pictures; after deferrals, and for mapped tasks.

``dag.test()`` runs the tasks: with Airflow's task runner, its XComs and its asset manager, in this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support.airflow_stack import SCAN

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import Emulator
    from airflow_provider_asposeocr.testing.dag_runs import DagRunner

pytestmark = pytest.mark.airflow

DAGS = Path(__file__).parent / "told" / "told_dags.py"
LINK = "_link_AsposeOcrResultLink"


@pytest.fixture
def threads_end_with_the_test() -> None:
    """Allow the threads of the API server that ``dag.test()`` starts: they last as long as the process."""


def events_of(asset: str, run_id: str) -> list[dict[str, Any]]:
    """Return the extras of an asset's events that a run has made."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(
            select(AssetEvent)
            .join(AssetModel, AssetModel.id == AssetEvent.asset_id)
            .where(AssetModel.name == asset, AssetEvent.source_run_id == run_id)
        )
        return [dict(event.extra) for event in found]


def test_a_mapped_chain_that_was_deferred(
    aspose_ocr_run_dag: DagRunner, aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    out = tmp_path / "outbox"
    conf = {"scan": str(SCAN), "outbox": f"{out}/"}
    run = aspose_ocr_run_dag(DAGS, dag_id="test_told_mapped", conf=conf)
    assert run.state == "success"
    base = f"/aspose-ocr/view/test_told_mapped/{quote(run.run_id, safe='')}"
    for task_id in ("recognize", "fetch"):
        for index in (0, 1):
            assert run.xcom(f"{task_id}[{index}]", LINK) == f"{base}/{task_id}/{index}"
    manifests: list[Any] = [run.xcom(f"fetch[{index}]") for index in (0, 1)]
    extras = events_of("told_texts", run.run_id)
    assert {extra["cloud_task"] for extra in extras} == {manifest["task"]["id"] for manifest in manifests}
    for manifest in manifests:
        (page,) = manifest["pages"]
        assert Path(page["image"]["uri"].removeprefix("file://")).stat().st_size == page["image"]["bytes"]
    for extra in extras:
        assert extra["files"][0]["sha256"] == manifests[0]["results"][0]["sha256"]


def test_a_batch(aspose_ocr_run_dag: DagRunner, aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
    inbox, out = tmp_path / "inbox", tmp_path / "outbox"
    inbox.mkdir()
    for number in range(3):
        (inbox / f"{number}.png").write_bytes(SCAN.read_bytes() + bytes([number]))
    conf = {"inbox": f"{inbox}/", "outbox": f"{out}/"}
    run = aspose_ocr_run_dag(DAGS, dag_id="test_told_batch", conf=conf)
    assert run.state == "success"
    summary: Any = run.xcom("read")
    assert str(run.xcom("read", LINK)).endswith("/read/-1")
    (extra,) = events_of("told_read", run.run_id)
    assert (extra["documents"], extra["succeeded"], extra["results"]) == (3, 3, 3)
    assert extra["manifest"] == summary["manifest"]
    assert len(list(out.glob(".aspose-ocr/previews/*/*.webp"))) == 6
