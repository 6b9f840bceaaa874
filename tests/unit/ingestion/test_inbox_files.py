"""
The files of an inbox: complete, without what lies elsewhere, and with an error that names the inbox.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_asposeocr.api.errors import SourceError, SourceUnreadableError
from airflow_provider_asposeocr.documents import folder_pages
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox
from airflow_provider_asposeocr.ingestion.inbox_files import InboxFile, InboxListing, unchanged
from tests.support.object_stores import Store, attached

if TYPE_CHECKING:
    from pathlib import Path


def listed(inbox: AsposeOcrInbox) -> list[InboxFile]:
    return [file for page in InboxListing(inbox).pages() for file in page]


def names(inbox: AsposeOcrInbox) -> list[str]:
    return sorted(file.uri.removeprefix(inbox.folder) for file in listed(inbox))


def drop(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_a_listing_has_the_documents_only(tmp_path: Path) -> None:
    odd = "b c/e #%\n.png"
    drop(tmp_path, "a.png", odd, "notes.txt", "_out/a.png", ".state/a.png", "half.png.part", "~lock.pdf")
    assert names(AsposeOcrInbox(str(tmp_path))) == ["a.png", odd]
    assert names(AsposeOcrInbox(str(tmp_path), recursive=False)) == ["a.png"]


def test_a_file_comes_with_what_its_storage_says(tmp_path: Path) -> None:
    drop(tmp_path, "a.png")
    found = os.stat(tmp_path / "a.png")
    assert listed(AsposeOcrInbox(str(tmp_path))) == [
        InboxFile(
            f"{tmp_path}/a.png",
            f"size=5 mtime_ns={found.st_mtime_ns} ctime_ns={found.st_ctime_ns} inode={found.st_ino}",
            5,
            found.st_ctime_ns / 1e9,
        )
    ]


def test_hidden_folders_are_not_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(tmp_path, "a.png", "_out/a.png")
    scandir = os.scandir

    def watching(path: Any = ".") -> Any:
        assert "_out" not in str(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watching)
    assert names(AsposeOcrInbox(str(tmp_path))) == ["a.png"]
    monkeypatch.undo()


def test_a_link_out_of_the_inbox_is_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Otherwise a person who may write into the inbox could have any file of the worker sent to the cloud."""
    inbox, outside = tmp_path / "in", tmp_path / "inside-not"
    drop(inbox, "a.png", "b/c.png")
    drop(outside, "secret.png")
    (inbox / "out.png").symlink_to(outside / "secret.png")
    (inbox / "b" / "in.png").symlink_to("../a.png")
    (inbox / "folder").symlink_to(outside)
    listing = InboxListing(AsposeOcrInbox(str(inbox)))
    with caplog.at_level(logging.WARNING):
        found = sorted(file.uri for page in listing.pages() for file in page)
    assert found == [f"{inbox}/a.png", f"{inbox}/b/c.png", f"{inbox}/b/in.png"]
    assert listing.refused == [("out.png", "is a symbolic link that leads out of the inbox")]
    assert "1 files of the inbox" in caplog.text
    assert "'out.png' is a symbolic link that leads out" in caplog.text


@pytest.mark.parametrize("link", ["loop.png", "n" * 300, "a.png/below"])
def test_a_link_that_leads_nowhere_stops_no_listing(tmp_path: Path, link: str) -> None:
    """Otherwise a person who may write into the inbox could keep all files in it from being read."""
    drop(tmp_path, "a.png")
    (tmp_path / "loop.png").symlink_to(link)
    assert names(AsposeOcrInbox(str(tmp_path))) == ["a.png"]


def test_a_link_that_may_not_be_followed_stops_no_listing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one to a file in a folder of another user; these tests may run as root, who may follow any."""
    drop(tmp_path, "a.png", "denied.png")
    (tmp_path / "link.png").symlink_to("denied.png")
    scandir = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self._entry = entry

        def __getattr__(self, name: str) -> Any:
            return getattr(self._entry, name)

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            if follow_symlinks and self._entry.is_symlink():
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self._entry.path)
            return self._entry.stat(follow_symlinks=follow_symlinks)

    class Entries(list[Entry]):
        def __enter__(self) -> Entries:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    def denying(path: str) -> Entries:
        with scandir(path) as found:
            return Entries(Entry(entry) for entry in found)

    monkeypatch.setattr(os, "scandir", denying)
    listing = InboxListing(AsposeOcrInbox(str(tmp_path)))
    found = sorted(file.uri for page in listing.pages() for file in page)
    monkeypatch.undo()
    assert found == [f"{tmp_path}/a.png", f"{tmp_path}/denied.png"]


def test_an_inbox_may_itself_be_a_link(tmp_path: Path) -> None:
    drop(tmp_path / "real", "a.png")
    (tmp_path / "real" / "b.png").symlink_to("a.png")
    (tmp_path / "in").symlink_to("real")
    assert names(AsposeOcrInbox(f"{tmp_path}/in")) == ["a.png", "b.png"]


def test_a_name_that_is_no_text_is_left_out_and_named(tmp_path: Path) -> None:
    drop(tmp_path, "a.png")
    (tmp_path / os.fsdecode(b"\xff.png")).write_text("1")
    listing = InboxListing(AsposeOcrInbox(str(tmp_path)))
    assert [file.uri for page in listing.pages() for file in page] == [f"{tmp_path}/a.png"]
    assert listing.refused_files == 1


def test_of_many_files_one_page_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(tmp_path, *(f"{number}.png" for number in range(10)))
    monkeypatch.setattr(folder_pages, "PAGE_FILES", 4)
    assert [len(page) for page in InboxListing(AsposeOcrInbox(str(tmp_path))).pages()] == [4, 4, 2]


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("nowhere", "There is no folder .*nowhere/', which is to be the inbox"),
        ("a.png", "There is no folder"),
    ],
)
def test_an_inbox_that_is_no_folder_is_an_error(tmp_path: Path, folder: str, message: str) -> None:
    drop(tmp_path, "a.png")
    with pytest.raises(SourceError, match=message):
        listed(AsposeOcrInbox(f"{tmp_path}/{folder}"))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PermissionError("Access Denied"), SourceError, "may not be listed as a whole: Access Denied"),
        (FileNotFoundError("bucket"), SourceError, "There is no folder"),
        (OSError("Connection reset"), SourceUnreadableError, "OSError: Connection reset"),
        (Exception("its own"), SourceUnreadableError, "Exception: its own"),
    ],
)
def test_the_errors_of_a_store_name_the_inbox(
    error: Exception, kind: type[SourceError], message: str
) -> None:
    class Broken(Store):
        def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
            raise error

    attached("memory", "inbox", kind=Broken)
    with pytest.raises(kind, match=f"'memory://inbox@in/'.*{message}|{message}.*'memory://inbox@in/'"):
        listed(AsposeOcrInbox("memory://inbox@in/"))


def test_a_connection_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(SourceError, match="cannot be listed"):
        listed(AsposeOcrInbox("nosuchscheme://conn@in/"))


class TestASecondLook:
    def test_keeps_what_has_not_changed(self, tmp_path: Path) -> None:
        drop(tmp_path, "still.png", "grows.png", "gone.png", "new\nline.png")
        first = listed(AsposeOcrInbox(str(tmp_path)))
        with (tmp_path / "grows.png").open("a") as stream:
            stream.write("more")
        (tmp_path / "gone.png").unlink()
        drop(tmp_path, "late.png")
        assert sorted(file.uri for file in unchanged(first)) == [
            f"{tmp_path}/new\nline.png",
            f"{tmp_path}/still.png",
        ]

    def test_of_a_store_that_does_not_answer_is_an_error(self) -> None:
        class Broken(Store):
            def info(self, path: str, **kwargs: Any) -> Any:
                raise OSError("Connection reset")

        attached("memory", "inbox", kind=Broken)
        with pytest.raises(SourceUnreadableError, match="Connection reset"):
            list(unchanged([InboxFile("memory://inbox@in/a.png", "1", 1, 0.0)]))

    def test_asks_a_store_afresh(self) -> None:
        store = attached("memory", "inbox")
        store.pipe_file("/in/a.png", b"1")
        (file,) = listed(AsposeOcrInbox("memory://inbox@in/"))
        assert list(unchanged([file])) == [file]
        store.pipe_file("/in/a.png", b"12")
        assert list(unchanged([file])) == []
        assert object_path(file.uri).fs is store
