"""What a view costs: bytes for the browser, and requests to the storage."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from PIL import Image
from starlette.requests import ClientDisconnect

from airflow_provider_asposeocr.previews.making import render_pages
from airflow_provider_asposeocr.viewer import answers, batches, delivery
from airflow_provider_asposeocr.viewer.app import _STATIC
from airflow_provider_asposeocr.viewer.galleries import PAGE
from airflow_provider_asposeocr.viewer.kinds import kind_of
from airflow_provider_asposeocr.viewer.manifests import BatchAddress
from airflow_provider_asposeocr.viewer.verified import Claim, VerifiedFile, open_verified
from tests.support.drawn_pages import a4_page
from tests.support.object_stores import Store, attached
from tests.support.patience import PATIENCE_SECONDS
from tests.support.viewer_world import manifest

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from pathlib import Path

    from tests.support.viewer_world import ViewerWorld

BUCKET = "s3://viewer_costs@bucket"
#: What the first view of an A4 page may take.
MOST_WIRE_BYTES = 300_000


class Rendered(NamedTuple):
    """A page: picture and thumbnail of the source and of what a step has made, and its hOCR."""

    source: tuple[bytes, bytes]
    binarized: tuple[bytes, bytes]
    hocr: bytes


class Counting(Store):
    """A store that notes each call that is a request, or several, to a real one."""

    def info(self, path: str, **kwargs: Any) -> Any:
        self._note("info", path)
        return super().info(path, **kwargs)

    def cat_file(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self._note("cat_file", path)
        return super().cat_file(path, *args, **kwargs)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Counting:
    monkeypatch.setattr(batches, "_kept", OrderedDict())
    return attached("s3", "viewer_costs", kind=Counting)


def stored(store: Counting, name: str, content: bytes) -> dict[str, Any]:
    """Put a file into the store; returns what a manifest says of it."""
    store.pipe_file(f"bucket/{name}", content)
    store.calls.clear()
    return {"uri": f"{BUCKET}/{name}", "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def page_of(
    store: Counting, number: int = 0, image: bytes = b"picture", thumbnail: bytes = b"thumbnail"
) -> dict[str, Any]:
    """Return a page with its pictures."""
    pictures = {
        "image": stored(store, f"{number}.webp", image),
        "thumbnail": stored(store, f"{number}-small.webp", thumbnail),
    }
    return {"number": 1, "width": 2480, "height": 3508, **pictures}


@pytest.fixture(scope="module")
def a4(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """An A4 page of small print, and what a binarizing step makes of it, with the pictures that a worker makes of both."""
    folder = tmp_path_factory.mktemp("a4")
    drawing, hocr = a4_page()
    pictures = []
    for name, picture in (("source", drawing), ("binarized", drawing.convert("1", dither=Image.Dither.NONE))):
        picture.save(folder / f"{name}.png")
        (spool := folder / name).mkdir()
        (page,) = render_pages(folder / f"{name}.png", spool).pages
        pictures.append((page.picture.read_bytes(), page.thumbnail.read_bytes()))
    return Rendered(pictures[0], pictures[1], hocr)


@pytest.mark.process
@pytest.mark.parametrize("seen", ["the source", "what a step has made"])
def test_the_first_view_of_a_page_takes_two_requests_to_the_storage_and_300_kb(
    world: ViewerWorld, store: Counting, a4: Rendered, seen: str
) -> None:
    """All that a browser loads: the page and its scripts, what the manifest says, one picture, and the hOCR."""
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.testclient import TestClient

    hocr = {**stored(store, "page.hocr", a4.hocr), "type": "Hocr", "skipped": False}
    step = {"id": "i", "submitted_at": "2026-03-02T08:00:00+00:00", "submits": 1}
    kept = {"operation": "BinarizeImage", "pages": [page_of(store, 1, *a4.binarized)], **step}
    steps = [kept, {"operation": "RecognizeImage", **step}] if seen != "the source" else []
    world.batch(manifest(hocr, pages=[page_of(store, 0, *a4.source)], steps=steps))
    world.client = TestClient(GZipMiddleware(world.client.app))  # As Airflow's API server has it.
    loaded = [world.get("/view/{place}/batch/-1", token=None)]
    loaded += [world.get(f"/static/{name}", token=None) for name in sorted(_STATIC)]
    # The manifest of the batch is read here, and kept by the process for all its documents.
    loaded.append(world.get("/data/instance/{place}/batch/-1"))
    store.calls.clear()
    loaded.append(world.get("/data/row/{place}/batch/-1/0"))
    document = loaded[-1].json()
    shown = document["steps"][0] if steps else document
    files = [shown["pages"][0]["image"], document["results"][0]]
    loaded += [world.get(f"/{file['address']}") for file in files]
    assert {answer.status_code for answer in loaded} == {200}
    assert len(store.calls) == 2, store.calls
    assert 100_000 < sum(map(wire_bytes, loaded)) <= MOST_WIRE_BYTES


def wire_bytes(answer: Any) -> int:
    """Return how many bytes an answer takes, with its headers."""
    headers = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
    body: int = answer.num_bytes_downloaded
    return headers + body


def test_a_gallery_takes_one_manifest_and_its_thumbnails(world: ViewerWorld, store: Counting) -> None:
    rows = [
        manifest(pages=[page_of(store, number)], first_words="How it begins") for number in range(PAGE + 5)
    ]
    world.batch(*rows)
    cards = world.get("/data/rows/{place}/batch/-1").json()["cards"]
    assert store.calls == []
    assert len(cards) == PAGE
    assert {card["text"] for card in cards} == {None}
    for card in cards:
        assert world.get(f"/{card['thumbnail']}").status_code == 200
    assert len(store.calls) == PAGE


@pytest.mark.parametrize("content", [b"AFTER!", b"AFTER", b"AFTER!!", b"", None], ids=repr)
def test_a_small_file_that_was_changed_since_is_not_sent(
    world: ViewerWorld, store: Counting, content: bytes | None
) -> None:
    world.fetched({**stored(store, "page.txt", b"before"), "type": "Text", "skipped": False})
    assert world.file().content == b"before"
    if content is None:
        store.rm_file("bucket/page.txt")
    else:
        store.pipe_file("bucket/page.txt", content)
    answer = world.file()
    assert (answer.status_code, answer.json()) == (409, {"detail": answers.NOT_VERIFIED})


def test_of_a_file_that_is_longer_than_it_may_be_no_more_is_read(world: ViewerWorld, store: Counting) -> None:
    read: list[int] = []
    whole = Counting.cat_file

    def cat_file(self: Counting, path: str, *args: Any, **kwargs: Any) -> Any:
        content = whole(self, path, *args, **kwargs)
        read.append(len(content))
        return content

    result = {**stored(store, "page.txt", b"before"), "type": "Text", "skipped": False}
    world.fetched(result)
    store.pipe_file("bucket/page.txt", b"x" * 10_000_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Counting, "cat_file", cat_file)
        assert world.file().status_code == 409
    assert read == [len(b"before") + 1]


def test_a_storage_that_does_not_answer_says_so(world: ViewerWorld, store: Counting) -> None:
    world.fetched({**stored(store, "page.txt", b"before"), "type": "Text", "skipped": False})
    store.fails = "cat_file"
    assert world.file().content == b"before"
    store.store.clear()
    store.fails = "info"
    answer = world.file()
    assert (answer.status_code, answer.json()["detail"]) == (502, answers.STORAGE_FAILED)


def test_requests_at_once_read_a_manifest_once(world: ViewerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A browser asks for all thumbnails of a gallery at once, perhaps an API server that has not read the manifest yet. It has
    up to 64 MiB, for each of forty threads.
    """
    monkeypatch.setattr(batches, "_kept", OrderedDict())
    address = BatchAddress.model_validate(world.batch(*(manifest() for _ in range(3))))
    calls, again = 0, threading.Event()
    found: list[batches.BatchRows] = []
    second = threading.Thread(target=lambda: found.append(batches.read_batch(address)))

    def opened(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            second.start()
            again.wait(0.2)  # It comes if the second request reads the manifest, too.
        else:
            again.set()
        return open_verified(*arguments, **options)

    monkeypatch.setattr(batches, "open_verified", opened)
    found.append(batches.read_batch(address))
    second.join(PATIENCE_SECONDS)
    assert len(found) == 2
    assert calls == 1


def test_a_manifest_of_endless_rows_is_not_kept_in_memory(
    world: ViewerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a few bytes take many times as much in memory. Users can write manifests."""
    monkeypatch.setattr(batches, "_kept", OrderedDict())
    monkeypatch.setattr(batches, "MOST_DOCUMENTS", 10, raising=False)
    world.batch(*(manifest() for _ in range(10)), task_id="ten")
    world.batch(*(manifest() for _ in range(11)), task_id="eleven")
    assert world.get("/data/rows/{place}/ten/-1").status_code == 200
    refused = world.get("/data/rows/{place}/eleven/-1")
    assert (refused.status_code, refused.json()["detail"]) == (409, batches.NO_MANIFEST)


@pytest.mark.parametrize(
    "asgi_version", ["2.3", "2.4"], ids=["that a server tells", "at which sending fails"]
)
async def test_a_browser_that_hangs_up_leaves_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asgi_version: str
) -> None:
    """Each file is a descriptor of the API server, and up to 256 MiB of its disk."""
    opened: list[VerifiedFile] = []

    def open_and_keep(*given: Any) -> VerifiedFile:
        opened.append(open_verified(*given))
        return opened[-1]

    monkeypatch.setattr(delivery, "open_verified", open_and_keep)
    (path := tmp_path / "page.pdf").write_bytes(b"x" * 2_000_000)
    claim = Claim(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), 2_000_000)
    response = delivery.deliver(claim, kind_of(path.name), {})

    async def send(message: MutableMapping[str, Any]) -> None:
        if message.get("body"):
            raise OSError("The connection was closed.")

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    with suppress(ClientDisconnect, OSError):
        await response({"type": "http", "asgi": {"spec_version": asgi_version}}, receive, send)
    (file,) = opened
    with pytest.raises(ValueError, match="closed file"):
        file.content()
