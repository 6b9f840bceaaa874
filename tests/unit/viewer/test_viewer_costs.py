"""What a view costs: bytes for the browser, and requests to the storage."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.viewer import answers, batches
from airflow_provider_asposeocr.viewer.galleries import PAGE
from tests.support.object_stores import Store, attached
from tests.support.viewer_world import manifest

if TYPE_CHECKING:
    from tests.support.viewer_world import ViewerWorld

BUCKET = "s3://viewer_costs@bucket"
#: About what an A4 page full of text has.
PICTURE, HOCR = b"w" * 200_000, b"h" * 60_000


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


def page_of(store: Counting, number: int = 0) -> dict[str, Any]:
    """Return a page with its pictures."""
    pictures = {
        "image": stored(store, f"{number}.webp", PICTURE),
        "thumbnail": stored(store, f"{number}-small.webp", b"thumbnail" * 700),
    }
    return {"number": 1, "width": 1131, "height": 1600, **pictures}


def test_the_first_view_of_a_page_takes_two_requests_and_300_kb(world: ViewerWorld, store: Counting) -> None:
    """The picture and the hOCR. All files of the page itself are counted too, as if nothing compressed them."""
    result = {**stored(store, "page.hocr", HOCR), "type": "Hocr", "skipped": False}
    world.fetched(result, pages=[page_of(store)])
    shell = world.get("/view/{place}/fetch/-1", token=None)
    names = (
        "viewer.css",
        "main.js",
        "document.js",
        "details.js",
        "gallery.js",
        "overlay.js",
        "hocr.js",
        "dom.js",
    )
    answers_ = [shell, *(world.get(f"/static/{name}", token=None) for name in names)]
    view = world.get("/data/instance/{place}/fetch/-1")
    document = view.json()["document"]
    assert store.calls == []
    files = [document["pages"][0]["image"], document["results"][0]]
    answers_ += [view, *(world.get(f"/{file['address']}") for file in files)]
    assert {answer.status_code for answer in answers_} == {200}
    assert len(store.calls) == 2, store.calls
    assert sum(len(answer.content) for answer in answers_) < len(PICTURE) + len(HOCR) + 60_000


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
