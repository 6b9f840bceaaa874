"""What the viewer's page gets about one document, and about a task instance without one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.viewer import answers
from airflow_provider_asposeocr.viewer.places import parse_map_index
from tests.support.viewer_world import BATCH, FETCH, TASK_REF, manifest

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

RECOGNIZE = "AsposeOcrRecognizeImageOperator"


def instance(world: ViewerWorld, task_id: str = "fetch", map_index: str = "-1") -> Any:
    answer = world.get(f"/data/instance/{{place}}/{task_id}/{map_index}")
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestDocument:
    def test_it_says_all_that_the_manifest_says(self, world: ViewerWorld) -> None:
        source = world.stored("page.png", b"png")
        world.fetched(
            world.result("page.txt", b"text"),
            world.result("page.hocr", b"hocr", "Hocr"),
            source=source["uri"],
            bytes=source["bytes"],
            sha256=source["sha256"],
            messages=["a message"],
            warnings=["a warning"],
            shortfall="a page is missing",
        )
        view = instance(world)
        assert (view["state"], view["task"]["operator"]) == ("succeeded", FETCH)
        document = view["document"]
        assert document["name"] == "page.png"
        assert document["messages"] + document["warnings"] == ["a message", "a warning"]
        assert document["shortfall"] == "a page is missing"
        assert [(file["type"], file["kind"]) for file in document["results"]] == [
            ("Text", "text"),
            ("Hocr", "hocr"),
        ]
        assert document["source_file"]["kind"] == "image"
        assert document["task"]["id"] == TASK_REF["id"]

    def test_its_addresses_lead_to_its_files(self, world: ViewerWorld) -> None:
        source = world.stored("page.png", b"png")
        pictures = {"image": world.stored("1.webp", b"large"), "thumbnail": world.stored("1t.webp", b"small")}
        world.fetched(
            world.result("page.txt", b"text"),
            source=source["uri"],
            sha256=source["sha256"],
            pages=[{"number": 1, "width": 10, "height": 20, **pictures}],
            map_index=3,
        )
        document = instance(world, map_index="3")["document"]
        (page,) = document["pages"]
        assert (page["number"], page["width"], page["height"]) == (1, 10, 20)
        files = (document["results"][0], document["source_file"], page["image"], page["thumbnail"])
        assert [world.get(f"/{file['address']}").content for file in files] == [
            b"text",
            b"png",
            b"large",
            b"small",
        ]

    def test_a_file_that_is_not_sent_has_a_reason_instead_of_an_address(self, world: ViewerWorld) -> None:
        large = {"type": "Text", "uri": "/out/large.txt", "bytes": 3_000_000, "sha256": "0" * 64}
        unread = {"type": "Text", "uri": "/out/left.txt", "bytes": 3, "sha256": None, "skipped": True}
        world.fetched(large, unread)
        files = instance(world)["document"]["results"]
        assert [file["address"] for file in files] == [None, None]
        assert [file["refused"] for file in files] == [answers.TOO_LARGE, answers.NO_CHECKSUM]
        assert [file["uri"] for file in files] == ["/out/large.txt", "/out/left.txt"]

    def test_what_steps_have_made_is_shown_where_it_was_kept(self, world: ViewerWorld) -> None:
        step = {"id": "i", "submitted_at": "2026-03-02T08:00:00+00:00", "submits": 1}
        steps = [
            {**step, "operation": "UpscaleImage", "result": world.result("1.png", b"upscaled", "ImagePNG")},
            {
                **step,
                "operation": "BinarizeImage",
                "result": world.result("2.png", b"changed since", "ImagePNG"),
            },
            {**step, "operation": "RecognizeImage"},
        ]
        world.batch(manifest(world.result("page.txt", b"text"), steps=steps))
        (world.folder / "2.png").write_bytes(b"CHANGED SINCE")
        shown = world.get("/data/row/{place}/batch/-1/0").json()["steps"]
        assert [step["operation"] for step in shown] == ["UpscaleImage", "BinarizeImage", "RecognizeImage"]
        assert [file and file["kind"] for file in (step["file"] for step in shown)] == [
            "image",
            "image",
            None,
        ]
        assert world.get(f"/{shown[0]['file']['address']}").content == b"upscaled"
        assert world.get(f"/{shown[1]['file']['address']}").status_code == 409
        assert world.file("batch", "0/steps/2").status_code == 404

    def test_the_pictures_of_what_steps_have_made_have_addresses(self, world: ViewerWorld) -> None:
        step = {"id": "i", "submitted_at": "2026-03-02T08:00:00+00:00", "submits": 1}

        def page(number: int, name: str) -> dict[str, Any]:
            pictures = {
                part: world.stored(f"{name}-{part}.webp", f"{name} {part}".encode())
                for part in ("image", "thumbnail")
            }
            return {"number": number, "width": 10, "height": 20, **pictures}

        steps: list[dict[str, Any]] = [
            {**step, "operation": "UpscaleImage", "pages": [page(1, "a"), {"no": "page"}, page(2, "b")]},
            {**step, "operation": "DeskewImage"},
            {**step, "operation": "BinarizeImage", "pages": [page(1, "c")]},
            {**step, "operation": "RecognizeImage"},
        ]
        world.batch(manifest(world.result("page.txt", b"text"), steps=steps))
        shown = world.get("/data/row/{place}/batch/-1/0").json()["steps"]
        assert [len(each["pages"]) for each in shown] == [2, 0, 1, 0]
        sent = [
            world.get(f"/{each['pages'][number][part]['address']}").content
            for each, number in ((shown[0], 0), (shown[0], 1), (shown[2], 0))
            for part in ("image", "thumbnail")
        ]
        assert sent == [
            f"{name} {part}".encode() for name in ("a", "b", "c") for part in ("image", "thumbnail")
        ]
        Path(steps[2]["pages"][0]["image"]["uri"]).write_bytes(b"C IMAGE")
        assert world.get(f"/{shown[2]['pages'][0]['image']['address']}").status_code == 409

    @pytest.mark.parametrize(
        ("operations", "read_from"),
        [
            (["RecognizeImage"], None),
            (["UpscaleImage", "RecognizeImage"], {"step": 0, "operation": "UpscaleImage"}),
            (["UpscaleImage", "BinarizeImage", "DetectRegions"], {"step": 1, "operation": "BinarizeImage"}),
        ],
        ids=lambda value: value[-1] if isinstance(value, list) else "",
    )
    def test_boxes_are_in_what_the_last_step_was_sent(
        self, world: ViewerWorld, operations: list[str], read_from: Any
    ) -> None:
        step = {"id": "i", "submitted_at": "2026-03-02T08:00:00+00:00", "submits": 1}
        world.batch(manifest(steps=[{**step, "operation": operation} for operation in operations]))
        assert world.get("/data/row/{place}/batch/-1/0").json()["read_from"] == read_from

    @pytest.mark.parametrize(
        ("sent", "read_from"),
        [
            ("a" * 64, None),
            (None, None),  # A reference that was made by hand.
            ("b" * 64, {"step": None, "operation": None}),
        ],
        ids=["the source", "unknown", "what an earlier task has made"],
    )
    def test_a_chain_of_single_tasks_says_that_its_boxes_are_not_of_the_source(
        self, world: ViewerWorld, sent: str | None, read_from: Any
    ) -> None:
        task = {**TASK_REF, "source_sha256": "a" * 64, "input_sha256": sent}
        world.fetched(task=task, sha256="a" * 64, source="/in/page.png")
        assert instance(world)["document"]["read_from"] == read_from

    @pytest.mark.parametrize(
        "page",
        [None, "page", {}, {"number": 0, "width": 1, "height": 1}, {"number": 1, "width": "x", "height": 1},
         {"number": 1, "width": 1, "height": 1, "image": {"uri": "/etc/passwd", "bytes": 3, "sha256": "short"}}],
    )  # fmt: skip
    def test_what_is_no_page_is_left_out(self, world: ViewerWorld, page: Any) -> None:
        world.fetched()
        raw = manifest(pages=[page]) if isinstance(page, dict) else manifest(pages=[])
        world.xcom("fetch", raw)
        assert instance(world)["document"]["pages"] == []

    def test_a_picture_that_is_no_image_is_not_sent_as_one(self, world: ViewerWorld) -> None:
        picture = world.stored("page.html", b"<script>")
        page = {"number": 1, "width": 1, "height": 1, "image": picture}
        step = {"id": "i", "operation": "o", "submitted_at": "2026-03-02T08:00:00+00:00", "pages": [page]}
        world.fetched(pages=[page], steps=[step])
        assert world.file(address="0/pages/0").status_code == 404
        assert world.file(address="0/step_pages/0").status_code == 404

    def test_of_a_page_without_a_picture_the_others_keep_their_places(self, world: ViewerWorld) -> None:
        pages = [
            {"number": 1, "width": 1, "height": 1},
            {"number": 2, "width": 1, "height": 1, "image": world.stored("2.webp", b"second")},
        ]
        world.fetched(pages=pages)
        found = instance(world)["document"]["pages"]
        assert found[0]["image"] is None
        assert world.get(f"/{found[1]['image']['address']}").content == b"second"


class TestSubmitTask:
    """Its XCom is a reference; the document is with the task that has fetched it."""

    def _submitted(self, world: ViewerWorld, task_id: str = "recognize", **changes: Any) -> None:
        world.task(task_id, RECOGNIZE)
        now = datetime.now(UTC).isoformat()
        world.xcom(task_id, {**TASK_REF, "submitted_at": now, **changes})

    def test_the_document_of_its_cloud_task_is_shown(self, world: ViewerWorld) -> None:
        self._submitted(world)
        world.fetched(world.result("page.txt", b"text"))
        view = instance(world, "recognize")
        assert view["document"]["results"][0]["address"].endswith("/fetch/-1/0/results/0")
        assert "the task fetch" in view["say"]

    def test_a_step_before_shows_the_document_of_its_chain(self, world: ViewerWorld) -> None:
        self._submitted(world, "upscale", id="another", source_sha256="a" * 64)
        world.fetched(task_id="other_fetch", sha256="b" * 64, source="/in/other.png")
        world.fetched(sha256="a" * 64, source="/in/page.png")
        assert instance(world, "upscale")["document"]["name"] == "page.png"

    def test_of_a_mapped_task_that_of_its_own_index(self, world: ViewerWorld) -> None:
        for index in range(3):
            world.fetched(map_index=index, sha256="a" * 64, source=f"/in/{index}.png")
        world.task("upscale", RECOGNIZE, map_index=1)
        now = datetime.now(UTC).isoformat()
        reference = {**TASK_REF, "submitted_at": now, "id": "another", "source_sha256": "a" * 64}
        world.xcom("upscale", reference, map_index=1)
        assert instance(world, "upscale", "1")["document"]["name"] == "1.png"

    def test_before_the_fetch_it_says_so(self, world: ViewerWorld) -> None:
        self._submitted(world)
        view = instance(world, "recognize")
        assert (view["state"], view["document"]) == ("waiting", None)
        assert "once a task of this run has fetched" in view["say"]

    def test_after_a_day_it_is_expired(self, world: ViewerWorld) -> None:
        self._submitted(world, submitted_at=(datetime.now(UTC) - timedelta(hours=25)).isoformat())
        view = instance(world, "recognize")
        assert view["state"] == "expired"
        assert "24 hours" in view["say"]


class TestNothingToShow:
    @pytest.mark.parametrize(
        ("state", "word", "sentence"),
        [
            (None, "waiting", "Not yet: the task has not started."),
            ("scheduled", "waiting", "Not yet: the task has not started."),
            ("queued", "waiting", "Not yet: the task has not started."),
            ("running", "running", "Not yet: the task is running."),
            ("deferred", "running", "Not yet: the task waits for the cloud."),
            (
                "up_for_retry",
                "waiting",
                "Not yet: a try has failed, and Airflow will try again. The log says why.",
            ),
            ("failed", "failed", "The task has failed and stored nothing. Its log says why, and what to do."),
            ("upstream_failed", "failed", "Nothing was stored, because an earlier task has failed."),
            ("skipped", "failed", "Airflow has skipped the task, so that it stored nothing."),
            ("removed", "failed", "Airflow has removed the task from this run."),
        ],
    )
    def test_each_state_has_its_words(
        self, world: ViewerWorld, state: str | None, word: str, sentence: str
    ) -> None:
        world.task("fetch", state=state)
        view = instance(world)
        assert (view["state"], view["say"], view["document"]) == (word, sentence, None)

    def test_a_success_without_a_manifest(self, world: ViewerWorld) -> None:
        world.task("fetch")
        assert instance(world)["state"] == "nothing"

    @pytest.mark.parametrize("value", ["s3://bucket/xcom/value.json", "/data/xcom/3.json"])
    def test_an_xcom_that_a_backend_has_put_elsewhere(self, world: ViewerWorld, value: str) -> None:
        world.task("fetch")
        world.xcom("fetch", value)
        assert instance(world)["state"] == "outside"

    @pytest.mark.parametrize(
        "value", [3, [], {}, {"uri": "/etc/passwd"}, {"schema_version": 1}, True, None, "x"]
    )
    def test_a_task_of_another_kind(self, world: ViewerWorld, value: Any) -> None:
        world.task("other", "PythonOperator")
        if value is not None:
            world.xcom("other", value)
        view = instance(world, "other")
        assert view["state"] == ("outside" if value == "x" else "not_ours")
        assert view["document"] is None

    def test_a_manifest_that_a_task_of_yours_returns_is_shown(self, world: ViewerWorld) -> None:
        """``AsposeOcrHook.fetch_to`` in a ``@task``."""
        world.task("read", "_PythonDecoratedOperator")
        world.xcom("read", manifest(world.result("page.txt", b"text")))
        assert instance(world, "read")["document"]["results"]

    @pytest.mark.parametrize("value", [{"schema_version": 99, "task": None, "results": []}, {"manifest": 3}])
    def test_a_manifest_that_cannot_be_read(self, world: ViewerWorld, value: Any) -> None:
        world.task("fetch")
        world.xcom("fetch", value)
        assert instance(world)["state"] == "nothing"

    @pytest.mark.parametrize("task_id", ["no_such_task", "{TASK_ID}"])
    def test_no_such_task(self, world: ViewerWorld, task_id: str) -> None:
        answer = world.get(f"/data/instance/{{place}}/{task_id}/-1")
        assert (answer.status_code, answer.json()["detail"]) == (404, answers.NO_SUCH_TASK)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("0", 0),
        ("12", 12),
        ("-1", -1),
        ("{MAP_INDEX}", -1),
        ("", -1),
        ("x", -1),
        ("٣", -1),
        ("9" * 30, -1),
        ("1.5", -1),
    ],
)
def test_airflow_leaves_its_placeholder_where_a_task_is_not_mapped(text: str, index: int) -> None:
    assert parse_map_index(text) == index


def test_the_placeholder_leads_to_the_task(world: ViewerWorld) -> None:
    world.fetched(world.result("page.txt", b"text"))
    assert instance(world, map_index="%7BMAP_INDEX%7D")["document"]


def test_a_running_batch_says_how_far_it_is(world: ViewerWorld) -> None:
    world.task("batch", BATCH, "running")
    world.xcom("batch", {"journal": "/s/j/", "manifest": "/s/m.jsonl"}, key="aspose_ocr_batch")
    world.progress(
        "batch", {"progress": {"documents": 10, "done": 3, "stopped": "<script>", "deferred": True}}
    )
    view = instance(world, "batch")
    assert (view["state"], view["progress"]) == ("running", {"documents": 10, "done": 3})
    assert world.get("/data/rows/{place}/batch/-1").status_code == 404


@pytest.mark.parametrize("value", [None, 3, "text", {"progress": 3}, {"progress": {"documents": "10"}}])
def test_progress_that_makes_no_sense(world: ViewerWorld, value: Any) -> None:
    world.task("batch", BATCH, "running")
    world.xcom("batch", {"journal": "/s/j/", "manifest": "/s/m.jsonl"}, key="aspose_ocr_batch")
    if value is not None:
        world.progress("batch", value)
    assert instance(world, "batch")["progress"] == {}
