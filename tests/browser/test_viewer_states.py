"""What the page says where there is nothing to show, of task instances that are in each state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.viewer.answers import NO_CHECKSUM, NOT_VERIFIED, TOO_LARGE
from tests.support.airflow_stack import SCAN
from tests.support.patience import PATIENCE_SECONDS
from tests.support.role_server import RoleServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.support.viewer_browser import Pages, Seen

pytestmark = pytest.mark.airflow

DAG = "viewer_states"
SLOW = {"kind": "task_slow", "task_seconds": 36_000.0, "count": 1}
#: Task, state in Airflow, badge, sentence.
STATES = [
    (
        "failing",
        "failed",
        "failed",
        "The task has failed and stored nothing. Its log says why, and what to do.",
    ),
    ("after_failing", "upstream_failed", "failed", "Nothing was stored, because an earlier task has failed."),
    (
        "trying_again",
        "up_for_retry",
        "not yet",
        "Not yet: a try has failed, and Airflow will try again. The log says why.",
    ),
    ("running", "running", "running", "Not yet: the task is running."),
    ("deferred", "deferred", "running", "Not yet: the task waits for the cloud."),
    ("after_deferred", None, "not yet", "Not yet: the task has not started."),
    (
        "submitted",
        "success",
        "not yet",
        "The cloud has accepted this task. Its result is shown once a task of this run has fetched and stored it.",
    ),
    (
        "silent",
        "success",
        "no manifest",
        (
            "The task has succeeded, but Airflow has no manifest of it. Either the task keeps its XCom to itself "
            "(do_xcom_push=False), or the XCom was deleted or changed."
        ),
    ),
    ("skipped", "skipped", "failed", "Airflow has skipped the task, so that it stored nothing."),
]


@pytest.fixture(scope="module")
def run_id(seen: Seen) -> Iterator[str]:
    """A run whose tasks are in the states of the table, and stay there."""
    seen.cloud.add_faults(
        {"kind": "task_error", "messages": ["m"], "path": "BinarizeImage", "count": 1},
        {**SLOW, "path": "DeskewImage"},
        {**SLOW, "path": "UpscaleImage"},
    )
    run_id = seen.rest.start(DAG, {"scan": str(SCAN), "outbox": f"file://{seen.folder}/states/"})
    for task_id, state, *_ in STATES:
        if state is not None:
            seen.rest.wait_for_task_state(DAG, run_id, task_id, state, PATIENCE_SECONDS)
    yield run_id
    seen.rest.set_run_state(DAG, run_id, "failed")  # It would hold a worker for ten hours.


def view(pages: Pages, run_id: str, task_id: str, **options: Any) -> Page:
    return pages.open(f"/aspose-ocr/view/{DAG}/{run_id}/{task_id}/-1", **options)


def shows(page: Page, badge: str, sentence: str) -> None:
    """Wait for the sentence, which has to be the only one, beside nothing of a document."""
    page.locator(".say", has_text=sentence).wait_for()
    assert page.locator(".say").inner_text() == f"{badge} {sentence}"
    assert page.locator(".overlay, .stage, .text, .card, .files").count() == 0


@pytest.mark.parametrize(("task_id", "state", "badge", "sentence"), STATES, ids=[each[0] for each in STATES])
def test_a_task_without_a_document_says_why(
    pages: Pages, run_id: str, task_id: str, state: str | None, badge: str, sentence: str
) -> None:
    page = view(pages, run_id, task_id)
    shows(page, badge, sentence)
    assert f"Airflow task: {state or 'no state'}" in page.locator(".facts").inner_text()
    assert pages.problems == []
    pages.keep(f"state-{task_id.replace('_', '-')}")


def test_a_run_says_of_each_fetch_why_it_has_no_document(pages: Pages, run_id: str) -> None:
    page = pages.open(f"/aspose-ocr/view/{DAG}/{run_id}")
    page.locator(".card").first.wait_for()
    said = {
        card.locator(".card-name").inner_text(): card.locator(".badge, .card-say").all_inner_texts()
        for card in page.locator(".card").all()
    }
    assert said["after_failing"] == ["failed", "Nothing was stored, because the task failing has failed."]
    assert said["after_deferred"] == ["not yet", "Not yet: the task has not started."]
    assert said["silent"][0] == "no manifest"
    assert page.locator(".filter").all_inner_texts() == ["all 3", "not yet 1", "failed 1", "succeeded 1"]
    pages.keep("state-run-without-documents")


def test_a_result_that_the_cloud_has_deleted_is_expired(pages: Pages, seen: Seen, run_id: str) -> None:
    reference = seen.rest.xcom(DAG, run_id, "submitted")
    old = (datetime.now(UTC) - timedelta(hours=24, minutes=1)).isoformat()
    seen.server.write_xcom("ulla", DAG, run_id, "submitted", {**reference, "submitted_at": old})
    try:
        page = view(pages, run_id, "submitted")
        shows(
            page,
            "expired",
            "The cloud has deleted this task's result, 24 hours after the submit; no task of this run has stored it.",
        )
        pages.keep("state-expired")
    finally:
        seen.server.write_xcom("ulla", DAG, run_id, "submitted", reference)


def test_an_xcom_that_a_backend_keeps_outside_of_the_database(pages: Pages, seen: Seen, run_id: str) -> None:
    """As Airflow's own backend for object storages writes it: the database has the place of the value."""
    seen.server.write_xcom("ulla", DAG, run_id, "failing", "s3://xcoms@bucket/a/b.json")
    page = view(pages, run_id, "failing")
    shows(
        page,
        "kept outside",
        "An XCom backend keeps this task's result outside of Airflow's database, where the viewer does not look.",
    )
    pages.keep("state-kept-outside-the-database")


class TestFiles:
    """The document is there, and a file of it is not sent."""

    @pytest.mark.parametrize("what", ["moved", "changed", "another size"])
    def test_one_that_is_not_what_the_manifest_says(self, pages: Pages, seen: Seen, what: str) -> None:
        result = seen.stored(f"{what}.txt", b"before")
        path = Path(result["uri"])
        if what == "moved":
            path.rename(path.with_name("moved-away.txt"))
        else:
            path.write_bytes(b"AFTER!" if what == "changed" else b"AFTER")
        seen.plant({**seen.manifest(), "results": [result], "source": None})
        page = pages.view("other")
        page.locator(".text .say", has_text=NOT_VERIFIED).wait_for()
        assert page.get_by_text("AFTER").count() == 0
        assert page.locator(".files .uri code").first.inner_text() == str(path)
        pages.keep(f"state-file-{what.replace(' ', '-')}")

    def test_a_picture_that_was_changed(self, pages: Pages, seen: Seen) -> None:
        """A browser says nothing of why it cannot load a picture; the page asks."""
        source = seen.stored("changed.png", SCAN.read_bytes())
        Path(source["uri"]).write_bytes(SCAN.read_bytes()[:-1] + b"\x00")
        named = {"source": source["uri"], "bytes": source["bytes"], "sha256": source["sha256"]}
        seen.plant({**seen.manifest(), **named, "results": []})
        page = pages.view("other")
        page.locator(".stage .say", has_text=NOT_VERIFIED).wait_for()
        assert page.locator("img").count() == 0
        pages.keep("state-picture-changed")

    @pytest.mark.parametrize(
        ("changes", "sentence", "name"),
        [
            ({"bytes": 3_000_000}, TOO_LARGE, "state-file-too-large"),
            ({"sha256": None, "skipped": True}, NO_CHECKSUM, "state-file-without-checksum"),
        ],
    )
    def test_one_that_is_not_asked_for_has_its_address(
        self, pages: Pages, seen: Seen, changes: dict[str, Any], sentence: str, name: str
    ) -> None:
        result = {**seen.stored("left.txt", b"text"), **changes}
        seen.plant({**seen.manifest(), "results": [result], "source": None})
        page = pages.view("other")
        page.locator(".text .say", has_text=sentence).wait_for()
        row = page.locator(".files tr").first
        assert sentence in row.inner_text()
        assert result["uri"] in row.inner_text()
        assert row.get_by_role("link").count() == 0
        assert [url for url in pages.requests if "/data/file/" in url] == []
        pages.keep(name)

    def test_one_that_may_not_be_shown_from_where_it_is(self, pages: Pages, seen: Seen) -> None:
        with RoleServer(seen.airflow, AIRFLOW__ASPOSE_OCR__PREVIEW_ROOTS="/somewhere/else/") as server:
            page = pages.view("fetch", server=server)
            page.locator(".stage .say", has_text=NOT_VERIFIED).wait_for()
            page.locator(".text .say", has_text=NOT_VERIFIED).wait_for()
            assert page.locator(".overlay, img").count() == 0
            pages.keep("state-not-allowed-from-there")


class TestBatches:
    def test_one_whose_manifest_was_changed(self, pages: Pages, seen: Seen) -> None:
        written = seen.stored("changed.jsonl", b"{}\n")
        address = {"manifest": written["uri"], "size_bytes": 3, "sha256": "0" * 64}
        with seen.planted_batch(address):
            page = pages.view("other")
            page.locator(".say", has_text=NOT_VERIFIED).wait_for()
            pages.keep("state-batch-manifest-changed")

    def test_one_whose_manifest_is_too_large_says_where_it_is(self, pages: Pages, seen: Seen) -> None:
        address = {"manifest": "s3://out@bucket/m.jsonl", "size_bytes": 2**26 + 1, "sha256": "0" * 64}
        with seen.planted_batch(address):
            page = pages.view("other")
            page.locator(".say", has_text="The manifest of this batch has 67 MB").wait_for()
            assert "s3://out@bucket/m.jsonl" in page.locator(".say").inner_text()
            pages.keep("state-batch-manifest-too-large")

    def test_a_document_that_has_failed_says_why(self, pages: Pages, seen: Seen) -> None:
        page = pages.view("batch", query="?row=0")
        page.locator(".problem").first.wait_for()
        assert page.locator("h1").inner_text() == "no-image.png failed"
        said = page.locator(".problem").first.inner_text()
        assert said.startswith("SourceContentError ")
        assert len(said) > 40
        assert "The step that failed was not billed." in page.locator(".work").inner_text()
        pages.keep("state-document-failed")


def test_a_server_that_does_not_answer(pages: Pages) -> None:
    page = pages.view("fetch")
    page.wait_for_selector(".overlay .word")
    page.route("**/data/**", lambda route: route.abort())
    page.reload()
    page.locator(".say", has_text="Airflow does not answer. Load this page again in a moment.").wait_for()
    pages.keep("state-airflow-does-not-answer")


def test_without_a_login_it_says_so(pages: Pages, seen: Seen) -> None:
    """Of a run, of a batch and of a document."""
    for path in ("", "/batch/-1", "/fetch/-1"):
        page = pages.open(f"/aspose-ocr/view/{{run}}{path}", None)
        page.locator(".say", has_text="You are not logged in to Airflow").wait_for()
        assert page.locator(".say").inner_text().endswith("Log in, then load this page again.")
    pages.keep("state-not-logged-in")
