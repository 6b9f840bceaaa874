"""
A folder is listed page by page, afresh each time, from any storage, and completely or not at all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.documents import folder_pages as module
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.folder_pages import Entry, folder_pages
from airflow_provider_asposeocr.documents.versions import changed_at, listed_version, stored_version
from tests.support.object_stores import Store, attached

if TYPE_CHECKING:
    from pathlib import Path


def names(pages: Any) -> list[str]:
    return sorted(name for page in pages for name, _ in page)


def entries(uri: str, **options: Any) -> dict[str, dict[str, Any]]:
    return dict(entry for page in folder_pages(object_path(uri), **options) for entry in page)


class TestALocalFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for name in ("a.png", "b/c.png", "b/d/e #%\n.png", "b/x.txt"):
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
        return tmp_path

    def test_has_the_files_of_all_folders(self, folder: Path) -> None:
        assert names(folder_pages(object_path(f"{folder}/"))) == [
            "a.png",
            "b/c.png",
            "b/d/e #%\n.png",
            "b/x.txt",
        ]
        assert list(entries(f"{folder}/", recursive=False)) == ["a.png"]

    def test_enters_the_folders_that_it_may(self, folder: Path) -> None:
        assert "b/d/e #%\n.png" not in entries(f"{folder}/", enters=lambda name: name != "d")

    def test_is_handed_on_in_pages(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PAGE_FILES", 3)
        assert [len(page) for page in folder_pages(object_path(f"{folder}/"))] == [3, 1]

    def test_that_is_missing_or_a_file_is_an_error(self, folder: Path) -> None:
        with pytest.raises(FileNotFoundError):
            entries(f"{folder}/nowhere/")
        with pytest.raises(NotADirectoryError):
            entries(f"{folder}/a.png/")

    def test_of_which_a_part_may_not_be_read_is_an_error(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scandir = os.scandir

        def refusing(path: Any = ".") -> Any:
            if str(path).endswith("/d/"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        with pytest.raises(PermissionError):
            entries(f"{folder}/")

    def test_may_lose_files_and_folders_meanwhile(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAGE_FILES", 1)
        pages = folder_pages(object_path(f"{folder}/"))
        assert names([next(pages)]) == ["a.png"]
        for gone in sorted(folder.rglob("*"), reverse=True):
            gone.rmdir() if gone.is_dir() else gone.unlink()
        assert names(pages) == []

    def test_says_which_files_are_links(self, folder: Path) -> None:
        (folder / "link.png").symlink_to("b/c.png")
        (folder / "dangling.png").symlink_to("nowhere")
        (folder / "linked").symlink_to("b")
        os.mkfifo(folder / "pipe.png")
        found = entries(f"{folder}/")
        assert found["link.png"]["link"] is True
        assert "link" not in found["a.png"]
        assert {"dangling.png", "pipe.png", "linked"}.isdisjoint(found)
        assert not [name for name in found if name.startswith("linked/")]


class TestALocalVersion:
    def test_changes_with_each_way_to_replace_a_file(self, tmp_path: Path) -> None:
        path, other = tmp_path / "a.png", tmp_path / "b.png"
        path.write_text("1")
        seen = [stored_version(object_path(str(path)))]
        times = os.stat(path)
        other.write_text("2")
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        os.replace(other, path)  # as `cp -p` over it: equal size and time
        seen.append(stored_version(object_path(str(path))))
        path.write_text("3")
        seen.append(stored_version(object_path(str(path))))
        assert len(set(seen)) == 3

    def test_is_the_same_in_a_listing_and_for_the_one_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("1")
        (facts,) = entries(f"{tmp_path}/").values()
        assert listed_version(facts) == stored_version(object_path(f"{tmp_path}/a.png"))
        assert changed_at(facts) == os.stat(tmp_path / "a.png").st_ctime_ns / 1e9


@pytest.mark.parametrize(
    ("facts", "version", "time"),
    [
        ({"ETag": '"ab"', "size": 3, "LastModified": "2026-01-01T00:00:01Z"}, "etag=ab size=3", 1767225601.0),
        ({"etag": "0x8D", "size": 3, "last_modified": None}, "etag=0x8D size=3", 0.0),
        ({"generation": 17, "etag": "x", "size": 3, "updated": "no time"}, "generation=17", 0.0),
        ({"size": 3, "mtime": 5.5}, "size=3 time=5.5", 5.5),
        ({"size": 3}, None, 0.0),
        ({}, None, 0.0),
    ],
)
def test_a_version_is_what_the_storage_says(facts: dict[str, Any], version: str | None, time: float) -> None:
    assert listed_version(facts) == version
    assert changed_at(facts) == time


class TestAnotherStorage:
    def test_is_listed_folder_by_folder_and_afresh(self) -> None:
        class Caching(Store):
            """A store that answers from what it has listed before, as s3fs does."""

            kept: dict[str, Any]

            def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
                kept = self.__dict__.setdefault("kept", {})
                return kept.setdefault(path, super().ls(path, detail=detail, **kwargs))

            def invalidate_cache(self, path: str | None = None) -> None:
                self.__dict__["kept"] = {}

        store = attached("memory", "pages", kind=Caching)
        for name in ("/in/a.png", "/in/b/c.png", "/other/d.png"):
            store.pipe_file(name, b"1")
        assert names(folder_pages(object_path("memory://pages@in/"))) == ["a.png", "b/c.png"]
        store.pipe_file("/in/b/new.png", b"1")
        assert names(folder_pages(object_path("memory://pages@in/"))) == ["a.png", "b/c.png", "b/new.png"]
        assert list(entries("memory://pages@in/", recursive=False)) == ["a.png"]
        with pytest.raises(FileNotFoundError):
            entries("memory://pages@nowhere/")


class TestS3:
    """What s3fs does inside; tests/stores has a server."""

    def test_is_asked_for_one_page_after_the_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "PAGE_FILES", 2)
        names = ["in/", "in/a.png", "in/b/", "in/b//c.png", "in/../d.png", "in/e.png"]
        asked: list[Any] = []

        class S3(Store):
            req_kw = {"RequestPayer": "requester"}

            def call_s3(self, method: str, **options: Any) -> dict[str, Any]:
                assert (method, options.pop("RequestPayer")) == ("list_objects_v2", "requester")
                asked.append(dict(options))
                place = int(options.get("ContinuationToken", 0))
                page = [{"Key": name, "Size": 3, "ETag": '"e"'} for name in names[place : place + 2]]
                more = place + 2 < len(names)
                return {
                    "Contents": page,
                    "IsTruncated": more,
                    **({"NextContinuationToken": str(place + 2)} if more else {}),
                }

        attached("s3", "pages", kind=S3)
        pages = folder_pages(object_path("s3://pages@bucket/in/"))
        ((name, facts),) = next(pages)
        assert (name, listed_version(facts)) == ("a.png", "etag=e size=3")
        assert asked == [{"Bucket": "bucket", "Prefix": "in/", "Delimiter": "", "MaxKeys": 2}]
        assert [name for page in pages for name, _ in page] == ["b//c.png", "../d.png", "e.png"]
        assert [options.get("ContinuationToken") for options in asked] == [None, "2", "4"]


class TestGoogle:
    """Against answers as Google documents them; the tests have no emulator of it."""

    def test_is_asked_for_one_page_after_the_other(self) -> None:
        answers: list[dict[str, Any]] = [
            {
                "items": [
                    {"name": "in/a.png", "generation": "7", "size": "3", "updated": "2026-01-01T00:00:01Z"}
                ]
            },
            {"prefixes": ["in/b/"]},
            {"items": [{"name": "in/b.png", "generation": "8", "size": "0"}, {"name": "in/"}]},
        ]
        asked: list[Any] = []

        class Gcs(Store):
            def _process_object(self, bucket: str, item: Any) -> Any: ...

            def call(self, method: str, path: str, bucket: str, **options: Any) -> Any:
                assert (method, path, bucket, options.pop("json_out")) == ("GET", "b/{}/o", "bucket", True)
                asked.append(options)
                place = int(options["pageToken"] or 0)
                return {**answers[place], **({"nextPageToken": str(place + 1)} if place < 2 else {})}

        attached("gs", "pages", kind=Gcs)
        found: list[list[Entry]] = list(folder_pages(object_path("gs://pages@bucket/in/"), recursive=False))
        assert [listed_version(facts) for page in found for _, facts in page] == [
            "generation=7",
            "generation=8",
        ]
        assert names(found) == ["a.png", "b.png"]
        assert [options["pageToken"] for options in asked] == [None, "1", "2"]
        assert {(o["prefix"], o["delimiter"], o["maxResults"]) for o in asked} == {("in/", "/", 1000)}
