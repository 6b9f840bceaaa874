"""The chain on real Airflow processes: what a user sees in storage, in XCom, in the database and on the bill."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
from PIL import Image

from demo.inbox import create_pool
from tests.support.airflow_stack import SECRET, watched

if TYPE_CHECKING:
    from tests.support.airflow_stack import Stack

pytestmark = pytest.mark.airflow

REF_KEYS = {"operation", "id", "submitted_at", "conn_id", "dag_id", "run_id", "task_id", "map_index"}


def stored(manifest: dict[str, Any]) -> dict[str, bytes]:
    """Read what a manifest lists, checking its sizes and checksums."""
    found = {}
    for result in manifest["results"]:
        content = Path(unquote(urlsplit(result["uri"]).path)).read_bytes()
        assert len(content) == result["bytes"]
        assert hashlib.sha256(content).hexdigest() == result["sha256"]
        found[result["type"]] = content
    return found


def test_a_deferred_chain_lands_in_storage_and_bills_each_step_once(stack: Stack) -> None:
    with watched(stack) as rows:
        run_id = stack.rest.start("test_deferred_chain", stack.files)
        assert stack.rest.wait_for_run("test_deferred_chain", run_id, timeout_seconds=300) == "success"

    assert stack.cloud.billing() == {"UpscaleImage": 1, "BinarizeImage": 1, "RecognizeImage": 1}
    manifest = stack.rest.xcom("test_deferred_chain", run_id, "fetch")
    content = stored(manifest)
    assert set(content) == {"Text", "Pdf"}
    assert content["Pdf"].startswith(b"%PDF-")
    assert {path.name for path in stack.outbox.glob("[!.]*")} == {"01-75dpi.txt", "01-75dpi.pdf"}
    texts = [result["text"] for result in manifest["results"] if result["type"] == "Text"]
    assert texts == [content["Text"].decode()]

    ref = stack.rest.xcom("test_deferred_chain", run_id, "recognize")
    assert ref.keys() >= REF_KEYS
    assert ref["operation"] == "RecognizeImage"
    assert (ref["dag_id"], ref["run_id"], ref["task_id"]) == ("test_deferred_chain", run_id, "recognize")
    assert stack.rest.xcom("test_deferred_chain", run_id, "recognize", "aspose_ocr_task") == ref
    assert manifest["task"]["id"] == ref["id"]
    assert len(json.dumps(ref)) < 2000

    # One row per submit operator. The fetch deferred, too, although its cloud task was completed, because it waits 0 s
    # inline.
    ids = {task["id"] for task in stack.cloud.tasks()}
    assert {id for id in ids if any(id in row for row in rows.seen)} == ids
    for row in rows.seen:
        assert "AsposeOcrTaskTrigger" in row
        assert SECRET not in row
        assert stack.url not in row
        assert len(row) < 2000


def test_the_example_chain_runs(stack: Stack) -> None:
    run_id = stack.rest.start("aspose_ocr_chain", stack.files)
    assert stack.rest.wait_for_run("aspose_ocr_chain", run_id, timeout_seconds=300) == "success"
    assert set(stored(stack.rest.xcom("aspose_ocr_chain", run_id, "fetch"))) == {"Text", "Pdf"}


def test_the_example_reads_a_folder_of_documents_each_once(stack: Stack) -> None:
    inbox = stack.outbox.parent / "inbox"
    inbox.mkdir()
    scan = Path(stack.files["scan"])
    for name in ("a.png", "b.PNG", "c.png"):
        # A byte after the end of a PNG changes the file and not the picture.
        (inbox / name).write_bytes(scan.read_bytes() + name.encode())
    with Image.open(scan) as picture:
        picture.convert("L").save(inbox / "d.pdf")
    create_pool(stack.rest)
    conf = {"inbox": f"file://{inbox}/", "outbox": stack.files["outbox"]}
    run_id = stack.rest.start("aspose_ocr_mapped_folder", conf)
    assert stack.rest.wait_for_run("aspose_ocr_mapped_folder", run_id, timeout_seconds=300) == "success"

    assert {path.name for path in stack.outbox.glob("[!.]*")} == {"a.txt", "b.txt", "c.txt", "d.txt"}
    billed = {"UpscaleImage": 3, "BinarizeImage": 3, "RecognizeImage": 3, "RecognizePdf": 1}
    assert stack.cloud.billing() == billed
    labels = {
        task["rendered_map_index"]
        for task in stack.rest.task_instances("aspose_ocr_mapped_folder", run_id)
        if task["map_index"] >= 0
    }
    assert labels == {"0: a.png", "1: b.PNG", "2: c.png", "0: d.pdf"}


def test_the_example_detects_regions_and_recognizes_each(stack: Stack) -> None:
    run_id = stack.rest.start("aspose_ocr_regions", stack.files)
    assert stack.rest.wait_for_run("aspose_ocr_regions", run_id, timeout_seconds=300) == "success"
    manifest = stack.rest.xcom("aspose_ocr_regions", run_id, "fetch")
    assert [result["type"] for result in manifest["results"]] == ["Text"]
    assert stack.cloud.billing() == {"DetectRegions": 1, "RecognizeRegions": 1}


def test_the_example_uses_the_hook_from_a_task(stack: Stack) -> None:
    run_id = stack.rest.start("aspose_ocr_from_task", stack.files)
    assert stack.rest.wait_for_run("aspose_ocr_from_task", run_id, timeout_seconds=300) == "success"
    assert stack.rest.xcom("aspose_ocr_from_task", run_id, "count_words") > 5


def test_the_pipelined_example_submits_and_lets_consumers_wait(stack: Stack) -> None:
    run_id = stack.rest.start("aspose_ocr_pipelined", stack.files)
    assert stack.rest.wait_for_run("aspose_ocr_pipelined", run_id, timeout_seconds=300) == "success"
    assert set(stored(stack.rest.xcom("aspose_ocr_pipelined", run_id, "fetch"))) == {"Text"}
    assert stack.cloud.billing() == {"RecognizeImage": 1}


def test_a_chain_in_pipelined_mode_waits_for_its_upstream_results(stack: Stack) -> None:
    run_id = stack.rest.start("test_pipelined_chain", stack.files)
    assert stack.rest.wait_for_run("test_pipelined_chain", run_id, timeout_seconds=300) == "success"
    assert set(stored(stack.rest.xcom("test_pipelined_chain", run_id, "fetch"))) == {"Text"}
    assert stack.cloud.billing() == {"UpscaleImage": 1, "RecognizeImage": 1}


def test_a_submit_whose_upstream_failed_names_the_task_to_clear(stack: Stack) -> None:
    stack.cloud.add_faults({"kind": "task_error", "messages": ["no picture"], "path": "*UpscaleImage"})
    run_id = stack.rest.start("test_pipelined_chain", stack.files)
    assert stack.rest.wait_for_run("test_pipelined_chain", run_id, timeout_seconds=300) == "failed"
    log = stack.rest.logs("test_pipelined_chain", run_id, "recognize")
    assert "no picture" in log
    assert "by task 'upscale' of 'test_pipelined_chain'" in log
    assert stack.cloud.billing() == {"UpscaleImage": 1}


def test_a_pipelined_consumer_names_the_task_to_clear(stack: Stack) -> None:
    stack.cloud.add_faults({"kind": "task_error", "messages": ["the page is upside down"], "count": 1})
    run_id = stack.rest.start("aspose_ocr_pipelined", stack.files)
    assert stack.rest.wait_for_run("aspose_ocr_pipelined", run_id, timeout_seconds=300) == "failed"
    states = {
        task["task_id"]: task["state"] for task in stack.rest.task_instances("aspose_ocr_pipelined", run_id)
    }
    assert states == {
        "submit": "success",
        "done": "failed",
        "fetch": "upstream_failed",
        "leave_nothing": "success",
    }
    log = stack.rest.logs("aspose_ocr_pipelined", run_id, "done")
    assert "the page is upside down" in log
    assert "by task 'submit' of 'aspose_ocr_pipelined'" in log
    assert "clear that task, not this one" in log


def test_a_templated_setting_is_checked_before_anything_is_sent(stack: Stack) -> None:
    run_id = stack.rest.start("test_templated_settings", {**stack.files, "language": "Englisch"})
    assert stack.rest.wait_for_run("test_templated_settings", run_id, timeout_seconds=300) == "failed"
    assert "Did you mean 'English'?" in stack.rest.logs("test_templated_settings", run_id, "recognize")
    assert stack.cloud.billing() == {}


def test_a_missing_source_fails_clearly_and_bills_nothing(stack: Stack) -> None:
    run_id = stack.rest.start("test_inline", {**stack.files, "scan": "/no/such/page.png"})
    assert stack.rest.wait_for_run("test_inline", run_id, timeout_seconds=300) == "failed"
    assert "There is no file at the source '/no/such/page.png'" in stack.rest.logs(
        "test_inline", run_id, "recognize"
    )
    assert stack.cloud.billing() == {}


def test_storms_of_503_and_expired_tokens_do_not_fail_a_deferred_task(stack: Stack) -> None:
    stack.cloud.add_faults(
        {"kind": "status", "status": 503, "path": "*GetTaskStatus", "count": 3},
        {"kind": "expired_token", "path": "*GetTaskStatus", "count": 1},
    )
    run_id = stack.rest.start("test_deferred", stack.files)
    assert stack.rest.wait_for_run("test_deferred", run_id, timeout_seconds=300) == "success"
    assert stack.cloud.billing() == {"RecognizeImage": 1}
