"""What the asset events of a fetch and of a batch say about the files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_asposeocr.assets import MOST_FILES, add_extra, extra_of_fetch
from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult
from tests.support.airflow_tasks import PNG, context_for, execute
from tests.support.ocr_tasks import fetch, read_all, recognize

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl

OUTBOX = Asset(name="outbox", uri="file:///outbox/")


def test_a_fetch_describes_its_files(cloud: EmulatorControl, page: str, out: Path) -> None:
    ref = execute(recognize(page, deferrable=False))
    operator = fetch(ref, f"{out}/", outlets=[OUTBOX, AssetAlias("mine")])
    context = {**context_for(operator), "outlet_events": OutletEventAccessors()}
    manifest = execute(operator, context)
    (result,) = manifest["results"]
    assert context["outlet_events"][OUTBOX].extra == {
        "source": page,
        "source_sha256": manifest["sha256"],
        "operation": "RecognizeImage",
        "cloud_task": ref["id"],
        "outcome": "succeeded",
        "results": 1,
        "result_bytes": result["bytes"],
        "files": [{name: result[name] for name in ("type", "uri", "bytes", "sha256")}],
    }
    assert context["outlet_events"][AssetAlias("mine")].extra == {}


def test_what_the_user_says_stays() -> None:
    events = OutletEventAccessors()
    events[OUTBOX].extra = {"results": "as I say"}
    add_extra({"outlet_events": events}, [OUTBOX], {"results": 1, "result_bytes": 2})
    assert events[OUTBOX].extra == {"results": "as I say", "result_bytes": 2}


@pytest.mark.parametrize("outlets", [["no asset"], [None], [object()]])
def test_an_outlet_that_is_no_asset_fails_nothing(outlets: list[Any]) -> None:
    add_extra({"outlet_events": OutletEventAccessors()}, outlets, {"results": 1})


def test_an_airflow_without_events_fails_nothing() -> None:
    add_extra({}, [OUTBOX], {"results": 1})


def test_an_event_is_small_for_any_results() -> None:
    results = [
        StoredResult(type="Text", uri=f"s3://conn@bucket/{number}.txt", bytes=1, sha256="0" * 64)
        for number in range(500)
    ]
    extra = extra_of_fetch(Manifest(outcome="succeeded", results=results))
    assert (extra["results"], extra["result_bytes"], len(extra["files"])) == (500, 500, MOST_FILES)
    assert len(json.dumps(extra)) < 4000


def test_a_batch_says_its_counts_and_where_its_manifest_is(tmp_path: Path) -> None:
    result = StoredResult(type="Text", uri="/out/a.txt", bytes=7, sha256="0" * 64)
    rows = [
        Manifest(index=0, documents=3, outcome="succeeded", results=[result, result]),
        Manifest(index=1, documents=3, outcome="failed"),
        Manifest(index=2, documents=3, outcome="succeeded", results=[result]),
    ]
    written = write_manifest(f"{tmp_path}/manifest.jsonl", rows, 3)
    assert written.event_extra(submits=4) == {
        "documents": 3,
        "succeeded": 2,
        "failed": 1,
        "submits": 4,
        "results": 3,
        "result_bytes": 21,
        "manifest": f"{tmp_path}/manifest.jsonl",
        "manifest_bytes": (tmp_path / "manifest.jsonl").stat().st_size,
        "manifest_sha256": written.sha256,
    }


def test_the_event_of_a_batch_leads_to_its_manifest(
    cloud: EmulatorControl, tmp_path: Path, out: Path
) -> None:
    (inbox := tmp_path / "inbox").mkdir()
    (inbox / "page.png").write_bytes(PNG)
    operator = read_all(f"{inbox}/", out, outlets=[OUTBOX])
    context = {**context_for(operator), "outlet_events": OutletEventAccessors()}
    summary = execute(operator, context)
    extra = context["outlet_events"][OUTBOX].extra
    assert (extra["documents"], extra["succeeded"], extra["submits"], extra["results"]) == (1, 1, 1, 1)
    assert extra["manifest"] == summary["manifest"]
    content = Path(extra["manifest"].removeprefix("file://")).read_bytes()
    assert extra["manifest_sha256"] == hashlib.sha256(content).hexdigest()
