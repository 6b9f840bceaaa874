"""
List a folder of any storage page by page, without keeping what was listed.

Invariant: nothing is answered from a listing that the process has made before, and at most one page is in memory, however
large the folder is. The list is complete, or ends with an error.

fsspec's ``find`` returns all files at once (1.3 MiB for 1,000 of them), and its ``ls`` answers from a cache without limit of
time. So the pages of S3, Google Cloud Storage and Azure Blob come from what their libraries use inside.
"""

from __future__ import annotations

import errno
import os
from itertools import islice
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.documents.file_systems import LOCAL
from airflow_provider_asposeocr.documents.versions import local_facts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from airflow.sdk import ObjectStoragePath

#: What object stores put into one answer.
PAGE_FILES = 1000

#: A link in a circle, one with too long a target, and one into a folder that may not be entered.
_LEADS_NOWHERE = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM})

#: A file: its path below the folder, and what its storage says about it.
Entry = tuple[str, dict[str, Any]]


def folder_pages(
    path: ObjectStoragePath,
    *,
    recursive: bool = True,
    enters: Callable[[str], bool] = lambda name: True,
    page_files: int | None = None,
) -> Iterator[list[Entry]]:
    """
    List the files in a folder. Blocks while it asks for a page.

    :param path: The folder.
    :param recursive: Whether files in the folders below it are listed, too.
    :param enters: Tells by its name whether a folder is entered, where the storage has folders to enter.
    :param page_files: Most files of a page; by default :data:`PAGE_FILES`.
    :return: Pages of at most ``page_files`` files, in the storage's order. Of a local file the facts are those of
        :func:`.local_facts`, with ``link`` where it is a symbolic link. Folders behind links are not entered.
    :raises FileNotFoundError: if there is no such local folder, or no such bucket. In a store, a folder that does not exist
        is an empty one.
    :raises OSError: if a folder may not be read, or the storage does not answer. Libraries raise errors of their own, too.
    """
    fs, most = path.fs, page_files or PAGE_FILES
    if path.protocol in LOCAL:
        return _paged(_walk_local(path.path, recursive, enters), most)
    if hasattr(fs, "call_s3"):
        return _below(_s3_pages(fs, path.path, recursive, most), path.path)
    if hasattr(fs, "call") and hasattr(fs, "_process_object"):
        return _below(_gcs_pages(fs, path.path, recursive, most), path.path)
    if hasattr(fs, "service_client"):
        return _below(_azure_pages(fs, path.path, recursive, most), path.path)
    return _below(_walked_pages(fs, path.path, recursive, enters, most), path.path)


def _paged(entries: Iterator[Entry], most: int) -> Iterator[list[Entry]]:
    while page := list(islice(entries, most)):
        yield page


def _below(pages: Iterator[list[Entry]], folder: str) -> Iterator[list[Entry]]:
    """Keep the files of pages, by their path below the folder."""
    prefix = f"{folder.strip('/')}/"
    for page in pages:
        places = ((name.lstrip("/"), facts) for name, facts in page)
        # Stores have objects that stand for folders.
        files = [
            (name.removeprefix(prefix), facts)
            for name, facts in places
            if name.startswith(prefix) and not name.endswith("/")
        ]
        if files:
            yield files


def _walk_local(root: str, recursive: bool, enters: Callable[[str], bool]) -> Iterator[Entry]:
    waiting = [""]
    while waiting:
        below = waiting.pop()
        try:
            found = os.scandir(os.path.join(root, below))
        except FileNotFoundError:
            if not below:
                raise
            continue  # Removed since its parent was listed.
        with found:
            for entry in found:
                if entry.is_dir(follow_symlinks=False):
                    if recursive and enters(entry.name):
                        waiting.append(f"{below}{entry.name}/")
                elif (facts := _facts(entry)) is not None:
                    yield below + entry.name, facts


def _facts(entry: os.DirEntry[str]) -> dict[str, Any] | None:
    """Return what is known of a file; ``None`` for what is no file, or not there any more."""
    try:
        found = entry.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None  # Also a link that leads nowhere.
    except OSError as error:
        # Whoever may create links in the folder must not keep all other files from being listed.
        if entry.is_symlink() and error.errno in _LEADS_NOWHERE:
            return None
        raise
    if not S_ISREG(found.st_mode):
        return None
    return {**local_facts(found), "link": True} if entry.is_symlink() else local_facts(found)


def _s3_pages(fs: Any, folder: str, recursive: bool, most: int) -> Iterator[list[Entry]]:
    bucket, key = _split(folder)
    options = {"Bucket": bucket, "Prefix": key, "Delimiter": "" if recursive else "/", "MaxKeys": most}
    while True:
        answer = fs.call_s3("list_objects_v2", **options, **fs.req_kw)
        yield [
            (f"{bucket}/{item['Key']}", {**item, "size": item["Size"]}) for item in answer.get("Contents", ())
        ]
        if not answer.get("IsTruncated"):
            return
        options["ContinuationToken"] = answer["NextContinuationToken"]


def _azure_pages(fs: Any, folder: str, recursive: bool, most: int) -> Iterator[list[Entry]]:
    container, key = _split(folder)
    client = fs.service_client.get_container_client(container)
    # Without metadata, an account with a hierarchical namespace lists its folders as empty files.
    options = {"include": ["metadata"], "name_starts_with": key, "results_per_page": most}
    blobs = client.list_blobs(**options) if recursive else client.walk_blobs(**options)
    found = blobs.by_page()

    async def page() -> list[Entry]:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            async for blobs in found:
                entries = [(f"{container}/{blob.name}", _azure_facts(blob)) async for blob in blobs]
                if entries := [entry for entry in entries if entry[1]]:
                    return entries
        except ResourceNotFoundError:
            raise FileNotFoundError(container) from None
        return []

    return _asked(fs, found, page)


def _azure_facts(blob: Any) -> dict[str, Any]:
    """Return what is known of a blob; nothing for a folder."""
    metadata = {str(name).lower(): value for name, value in (blob.get("metadata") or {}).items()}
    is_folder = "true" in (metadata.get("hdi_isfolder"), metadata.get("is_directory"))
    if is_folder or not blob.has_key("etag"):  # its own method: it is no mapping
        return {}
    return {"etag": blob.etag, "size": blob.size, "last_modified": blob.last_modified}


def _asked(fs: Any, found: AsyncIterator[Any], page: Callable[[], Any]) -> Iterator[list[Entry]]:
    """Ask for page after page in the event loop of a file system."""
    from fsspec.asyn import sync

    try:
        while entries := sync(fs.loop, page):
            yield entries
    finally:
        close = getattr(found, "aclose", None)
        if close is not None:
            sync(fs.loop, close)


def _gcs_pages(fs: Any, folder: str, recursive: bool, most: int) -> Iterator[list[Entry]]:
    bucket, key = _split(folder)
    options = {"prefix": key or None, "maxResults": most, "delimiter": None if recursive else "/"}
    token = None
    while True:
        answer = fs.call("GET", "b/{}/o", bucket, pageToken=token, json_out=True, **options)
        yield [(f"{bucket}/{item['name']}", _gcs_facts(item)) for item in answer.get("items", ())]
        token = answer.get("nextPageToken")
        if token is None:
            return


def _gcs_facts(item: dict[str, Any]) -> dict[str, Any]:
    size = item.get("size")
    return {
        "generation": item.get("generation"),
        "size": None if size is None else int(size),
        "updated": item.get("updated"),
    }


def _walked_pages(
    fs: Any, folder: str, recursive: bool, enters: Callable[[str], bool], most: int
) -> Iterator[list[Entry]]:
    """List folder by folder. What one folder has is in memory at once."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        fs.invalidate_cache()
        try:
            found = fs.ls(here, detail=True)
        except FileNotFoundError:
            if here == folder:
                raise
            continue
        if recursive:
            folders = [facts["name"] for facts in found if facts.get("type") == "directory"]
            waiting += [name for name in folders if enters(name.rstrip("/").rpartition("/")[2])]
        files = ((facts["name"], facts) for facts in found if facts.get("type") == "file")
        yield from _paged(files, most)


def _split(folder: str) -> tuple[str, str]:
    """Return the bucket of a folder, and what the keys of its files begin with."""
    bucket, _, key = folder.strip("/").partition("/")
    return bucket, f"{key}/" if key else ""
