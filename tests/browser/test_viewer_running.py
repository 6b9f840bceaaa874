"""A batch that is running, as a person sees it who looks at its page until it has ended."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.airflow_stack import SCAN
from tests.support.patience import PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

DAG = "viewer_running"
SLOW_SECONDS = 3600.0


def test_a_batch_shows_how_far_it_is_and_then_its_documents(pages: Pages, seen: Seen) -> None:
    (inbox := seen.folder / "running-inbox").mkdir()
    for number in range(3):
        shutil.copy(SCAN, inbox / f"{number}.png")
    seen.cloud.add_faults(
        {"kind": "task_slow", "path": "RecognizeImage", "task_seconds": SLOW_SECONDS, "count": 1}
    )
    conf = {"inbox": f"{inbox}/", "outbox": f"file://{seen.folder}/running/"}
    run_id = seen.rest.start(DAG, conf)
    page = pages.open(f"/aspose-ocr/view/{DAG}/{run_id}/read/-1")
    page.set_default_timeout(PATIENCE_SECONDS * 1000)
    page.get_by_text("2 of 3 documents done, 0 failed, 1 running in the cloud").wait_for()
    assert page.locator(".badge").inner_text() == "running"
    bar = page.locator("progress")
    assert (bar.get_attribute("value"), bar.get_attribute("max")) == ("2", "3")
    pages.keep("state-batch-running")
    # The page looks again by itself.
    seen.cloud.advance_clock(SLOW_SECONDS)
    page.wait_for_selector(".card")
    assert page.locator(".filter").all_inner_texts() == ["all 3", "succeeded 3"]
    assert pages.problems == []
    assert seen.rest.wait_for_run(DAG, run_id, timeout_seconds=PATIENCE_SECONDS) == "success"
