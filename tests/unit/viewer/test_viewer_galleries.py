"""Many documents: of a batch, and of a run."""

from __future__ import annotations

import tracemalloc
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.batch.plan import MOST_DOCUMENTS
from airflow_provider_asposeocr.documents.manifest import Manifest
from airflow_provider_asposeocr.previews.storing import described
from airflow_provider_asposeocr.viewer import answers, batches, verified
from airflow_provider_asposeocr.viewer.galleries import PAGE
from tests.support.viewer_world import BATCH, DAG, TASK_REF, manifest

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

ERROR = {
    "class": "SourceError",
    "message": "There is no file.",
    "step": 0,
    "operation": "RecognizeImage",
    "billed": "no",
    "retryable": False,
}


@pytest.fixture(autouse=True)
def forget_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_kept", OrderedDict())


def rows_of(count: int) -> list[dict[str, Any]]:
    """Return rows of which each third has failed."""
    return [
        manifest(
            source=f"/in/{index}.png",
            **({"outcome": "failed", "error": ERROR, "task": None} if index % 3 == 0 else {}),
        )
        for index in range(count)
    ]


def large_row(out: str) -> Manifest:
    """Return a row with all that a batch writes of a document of three steps."""
    sha256, source = "a" * 64, "s3://scans@inbox/2026/11/30/scan-000001.png"
    step = {"id": TASK_REF["id"], "submitted_at": TASK_REF["submitted_at"], "seconds": 20.123, "submits": 1}
    pages = described([[1, 2480, 3508, 219_000, sha256, 6_000, sha256]], sha256, out)
    kept = {"type": "ImagePNG", "uri": f"{out}1.png", "bytes": 2_000_000, "sha256": sha256}
    results = [
        {
            "type": kind,
            "uri": f"s3://scans@outbox/2026/11/30/scan-000001.png.{suffix}",
            "bytes": 9,
            "sha256": sha256,
        }
        for kind, suffix in (("Text", "txt"), ("SearchablePdf", "pdf"))
    ]
    row = {
        "index": 0,
        "documents": MOST_DOCUMENTS,
        "source": source,
        "source_version": "e" * 40,
        "sha256": sha256,
        "outcome": "succeeded",
        "task": {
            **TASK_REF,
            "source_uri": source,
            "source_sha256": sha256,
            "input_sha256": sha256,
            "dag_id": DAG,
        },
        "steps": [
            *(
                {**step, "operation": name, "result": kept, "pages": pages}
                for name in ("UpscaleImage", "BinarizeImage")
            ),
            {**step, "operation": "RecognizeImage"},
        ],
        "results": results,
        "pages": pages,
        "first_words": "w" * 100,
        "quality": {"characters": 1800, "words": 320, "mean_confidence": 92.3},
        "try": 1,
    }
    return Manifest.model_validate(row)


def rows(world: ViewerWorld, query: str = "") -> Any:
    answer = world.get(f"/data/rows/{{place}}/batch/-1{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestBatch:
    def test_fifty_documents_are_on_a_page(self, world: ViewerWorld) -> None:
        world.batch(*rows_of(120))
        found = rows(world)
        assert (found["documents"], found["pages"], len(found["cards"])) == (120, 3, PAGE)
        assert found["outcomes"] == {"failed": 40, "succeeded": 80}
        assert found["errors"] == {"SourceError": 40}
        assert [card["name"] for card in rows(world, "?page=2")["cards"]] == [
            f"{number}.png" for number in range(100, 120)
        ]
        assert rows(world, "?page=3")["cards"] == []

    @pytest.mark.parametrize(
        "query", ["outcome=failed", "error=SourceError", "outcome=failed&error=SourceError"]
    )
    def test_a_filter_is_for_all_documents(self, world: ViewerWorld, query: str) -> None:
        world.batch(*rows_of(120))
        found = rows(world, f"?{query}")
        assert (found["chosen"], found["documents"], found["pages"]) == (40, 120, 1)
        assert {card["outcome"] for card in found["cards"]} == {"failed"}
        assert found["cards"][0]["error"] == "SourceError"
        assert found["cards"][0]["say"] == "There is no file."

    def test_a_filter_that_nothing_fits(self, world: ViewerWorld) -> None:
        world.batch(*rows_of(3))
        assert (rows(world, "?outcome=busy")["cards"], rows(world, "?error=x")["chosen"]) == ([], 0)

    def test_a_card_leads_to_its_document(self, world: ViewerWorld) -> None:
        row = manifest(world.result("1.txt", b"the words of one"), source="/in/1.png")
        world.batch(manifest(source="/in/0.png"), row)
        card = rows(world)["cards"][1]
        assert card["view"].endswith("/batch/-1?row=1")
        assert world.get(f"/{card['text']}", Range="bytes=0-8").content == b"the words"
        document = world.get("/data/row/{place}/batch/-1/1").json()
        assert document["name"] == "1.png"
        assert world.get(f"/{document['results'][0]['address']}").content == b"the words of one"

    def test_a_text_in_the_manifest_is_not_asked_for(self, world: ViewerWorld) -> None:
        world.batch(manifest({**world.result("1.txt", b"words"), "text": "w" * 1000}))
        (card,) = rows(world)["cards"]
        assert (card["text"], len(card["words"])) == (None, 300)

    @pytest.mark.parametrize(
        ("words", "shown"), [("How it begins", "How it begins"), ("", ""), ("w" * 9999, "w" * 300)]
    )
    def test_the_first_words_of_the_row_are_shown_without_reading_the_text(
        self, world: ViewerWorld, words: str, shown: str
    ) -> None:
        world.batch(manifest(world.result("1.txt", b"text"), first_words=words))
        (card,) = rows(world)["cards"]
        assert (card["text"], card["words"]) == (None, shown)

    def test_a_card_has_the_thumbnail_of_the_first_page(self, world: ViewerWorld) -> None:
        page = {"number": 1, "width": 1, "height": 1, "thumbnail": world.stored("t.webp", b"small")}
        world.batch(manifest(pages=[page]))
        assert world.get(f"/{rows(world)['cards'][0]['thumbnail']}").content == b"small"

    def test_without_previews_a_small_source_is_its_own_thumbnail(self, world: ViewerWorld) -> None:
        source = {"source": "/in/page.png", "sha256": "0" * 64}
        world.batch(*(manifest(**source, bytes=size) for size in (1000, 10_000_000, None)))
        assert [bool(card["thumbnail"]) for card in rows(world)["cards"]] == [True, False, False]

    @pytest.mark.parametrize("row", [3, 99])
    def test_there_is_no_other_document(self, world: ViewerWorld, row: int) -> None:
        world.batch(*rows_of(3))
        assert world.get(f"/data/row/{{place}}/batch/-1/{row}").status_code == 404


class TestManifest:
    def test_it_is_read_once(self, world: ViewerWorld) -> None:
        address = world.batch(*rows_of(3))
        assert len(rows(world)["cards"]) == 3
        Path(address["manifest"]).unlink()
        assert len(rows(world)["cards"]) == 3

    @pytest.mark.parametrize(
        "changes",
        [{"sha256": "0" * 64}, {"size_bytes": 5}, {"manifest": "/etc/passwd"}, {"manifest": "/no/such/file"}],
    )
    def test_another_file_is_not_read(self, world: ViewerWorld, changes: dict[str, Any]) -> None:
        world.batch(*rows_of(3), **changes)
        for address in ("rows", "instance"):
            answer = world.get(f"/data/{address}/{{place}}/batch/-1")
            assert (answer.status_code, answer.json()["detail"]) == (409, answers.NOT_VERIFIED)

    def test_one_that_was_rewritten_is_not_read(self, world: ViewerWorld) -> None:
        address = world.batch(*rows_of(3))
        path = Path(address["manifest"])
        path.write_bytes(path.read_bytes().replace(b"/in/1.png", b"/etc/a.pn"))
        assert world.get("/data/rows/{place}/batch/-1").status_code == 409

    def test_one_that_is_changed_after_it_was_verified_is_shown_as_it_was(
        self, world: ViewerWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also a large one, which the viewer would open where it is stored when it has verified it before."""
        monkeypatch.setattr(verified, "MOST_IMAGE_BYTES", 3)
        path = Path(world.batch(*rows_of(300))["manifest"])
        for _ in range(2):
            batches._kept.clear()
            assert rows(world)["documents"] == 300
        changed = path.read_bytes().replace(b"/in/299.png", b"/etc/hosts!")
        with path.open("r+b") as stream:
            stream.write(changed)
        assert rows(world, "?page=5")["cards"][-1]["name"] == "299.png"

    def test_of_one_that_is_too_large_the_gallery_says_where_it_is(self, world: ViewerWorld) -> None:
        address = world.batch(*rows_of(3), size_bytes=batches.MOST_BYTES + 1)
        for kind in ("rows", "instance"):
            answer = world.get(f"/data/{kind}/{{place}}/batch/-1")
            assert answer.status_code == 413
            said = answer.json()["detail"]
            assert address["manifest"] in said
            assert said.startswith("The manifest of this batch has 67 MB")

    @pytest.mark.slow
    def test_that_of_the_largest_batch_is_read_without_being_in_memory(self, world: ViewerWorld) -> None:
        """Ten thousand documents of three steps, with pictures of their pages and of what two steps have made."""
        world.batch(manifest())
        row = large_row(f"{world.folder}/out/")
        written = write_manifest(
            f"{world.folder}/large.jsonl",
            (row.model_copy(update={"index": index}) for index in range(MOST_DOCUMENTS)),
            MOST_DOCUMENTS,
        )
        assert 25_000_000 < written.size_bytes < batches.MOST_BYTES
        address = {"manifest": written.uri, "size_bytes": written.size_bytes, "sha256": written.sha256}
        world.xcom("batch", {**address, "journal": "/j/"}, key="aspose_ocr_batch")
        tracemalloc.start()
        try:
            assert rows(world)["documents"] == MOST_DOCUMENTS
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < written.size_bytes / 2, peak
        # Nobody can change what was verified, and it is not read again.
        Path(written.uri.removeprefix("file://")).write_bytes(b"")
        (card, *others) = rows(world, f"?page={MOST_DOCUMENTS // PAGE - 1}")["cards"]
        assert (card["name"], len(others)) == ("scan-000001.png", PAGE - 1)
        assert card["view"].endswith(f"?row={MOST_DOCUMENTS - PAGE}")

    @pytest.mark.parametrize(
        "content", [b"root:x:0:0", b"[1]\n", b'{"outcome": "<script>"}\n', b'{"a": 1}\n', b"\xff"]
    )
    def test_what_is_no_manifest_is_not_shown(self, world: ViewerWorld, content: bytes) -> None:
        """A user knows the checksum of a file of his own, and may name it in an XCom."""
        written = world.stored("planted", content)
        world.batch(manifest=written["uri"], size_bytes=written["bytes"], sha256=written["sha256"])
        answer = world.get("/data/rows/{place}/batch/-1")
        assert (answer.status_code, answer.json()["detail"]) == (409, batches.NO_MANIFEST)

    def test_a_row_that_cannot_be_read_leaves_the_others(self, world: ViewerWorld) -> None:
        world.batch(manifest(source="/in/0.png"), {"outcome": "failed"})
        cards = rows(world)["cards"]
        assert [card["name"] for card in cards] == ["0.png", "row 1"]
        assert cards[1]["say"] == batches.NO_MANIFEST
        assert world.get("/data/row/{place}/batch/-1/1").status_code == 409

    def test_a_planted_row_is_no_permission(self, world: ViewerWorld) -> None:
        evil = {
            "type": "Text",
            "uri": "/etc/passwd",
            "bytes": Path("/etc/passwd").stat().st_size,
            "sha256": "0" * 64,
        }
        world.batch(manifest(evil))
        assert world.file("batch").status_code == 409

    def test_only_the_latest_are_kept(self, world: ViewerWorld) -> None:
        for number in range(6):
            world.batch(*rows_of(number + 1), task_id=f"batch{number}")
            assert world.get(f"/data/rows/{{place}}/batch{number}/-1").status_code == 200
        assert len(batches._kept) == 4


def run(world: ViewerWorld, query: str = "") -> Any:
    answer = world.get(f"/data/run/{{place}}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


class TestRun:
    def test_each_document_has_a_card_with_any_outcome(self, world: ViewerWorld) -> None:
        world.fetched(world.result("0.txt", b"text"), map_index=0, source="/in/0.png")
        world.task("fetch", state="failed", map_index=1)
        world.task("fetch", state="upstream_failed", map_index=2)
        world.task("recognize", "AsposeOcrRecognizeImageOperator", "failed", map_index=2)
        world.task("fetch", state="deferred", map_index=3)
        world.task("fetch", state=None, map_index=4)
        world.task("other", "PythonOperator")
        found = run(world)
        assert [card["outcome"] for card in found["cards"]] == [
            "succeeded",
            "failed",
            "failed",
            "running",
            "waiting",
        ]
        assert found["cards"][0]["name"] == "0.png"
        assert found["cards"][2]["say"] == "Nothing was stored, because the task recognize [2] has failed."
        assert found["outcomes"] == {"succeeded": 1, "failed": 2, "running": 1, "waiting": 1}
        assert found["is_running"]
        assert found["cards"][3]["view"].endswith("/fetch/3")

    def test_the_first_words_are_shown_without_reading_a_text(self, world: ViewerWorld) -> None:
        for index, words in enumerate(("How it begins", "")):
            world.fetched(world.result(f"{index}.txt", b"text"), map_index=index, first_words=words)
        cards = run(world)["cards"]
        assert [(card["words"], card["text"]) for card in cards] == [("How it begins", None), ("", None)]

    def test_a_filter_and_pages(self, world: ViewerWorld) -> None:
        for index in range(PAGE + 5):
            world.task("fetch", state="failed" if index % 2 else "success", map_index=index)
        assert len(run(world)["cards"]) == PAGE
        assert len(run(world, "?page=1")["cards"]) == 5
        assert run(world, "?outcome=failed")["chosen"] == 27

    def test_a_success_without_a_manifest_says_so(self, world: ViewerWorld) -> None:
        world.task("fetch")
        assert run(world)["cards"][0]["outcome"] == "nothing"

    def test_batches_stand_by_themselves(self, world: ViewerWorld) -> None:
        world.batch(*rows_of(3))
        world.task("batch2", BATCH, "running")
        found = run(world)
        assert [(batch["name"], batch["outcome"]) for batch in found["batches"]] == [
            ("batch", "succeeded"),
            ("batch2", "running"),
        ]
        assert found["cards"] == []

    def test_a_run_without_ocr(self, world: ViewerWorld) -> None:
        world.task("other", "PythonOperator")
        assert not run(world)["is_ours"]
        answer = world.get("/data/run/scans/no_such_run")
        assert (answer.status_code, answer.json()["is_ours"]) == (200, False)

    def test_an_xcom_of_another_shape_is_no_document(self, world: ViewerWorld) -> None:
        world.task("fetch")
        world.xcom("fetch", TASK_REF)
        assert run(world)["cards"][0]["outcome"] in ("expired", "waiting")
