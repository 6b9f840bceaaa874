"""
The files of an inbox, page by page.

Invariant: the listing is complete or an error, is requested anew each time, and holds one page of files in memory. A file
outside of the inbox is never listed, also if a person puts a link to it into the folder.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import LOCAL, UnusablePathError, object_path
from airflow_provider_asposeocr.documents.folder_pages import folder_pages
from airflow_provider_asposeocr.documents.source_errors import source_errors
from airflow_provider_asposeocr.documents.versions import changed_at, listed_version, stored_version
from airflow_provider_asposeocr.ingestion.inbox import is_left_out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.ingestion.inbox import AsposeOcrInbox

log = logging.getLogger(__name__)

#: Names that are shown in the log of one listing.
_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class InboxFile:
    """
    A file of an inbox.

    :param uri: Absolute path or URI that it is opened by, with its Airflow connection.
    :param version: Its version, see :func:`.listed_version`; ``None`` = the storage reports none.
    :param size_bytes: Its size; ``None`` = the storage reports none.
    :param changed_at: When it was last changed, in seconds since the epoch by the clock of its storage; 0 = not known.
    """

    uri: str
    version: str | None
    size_bytes: int | None
    changed_at: float


class InboxListing:
    """
    One listing of an inbox.

    :param inbox: The inbox.
    :param path: Opens the folder; by default :func:`.object_path`.
    :param page_files: Most files of a page; by default 1,000.
    :param warns: Whether files that cannot be read are named in the log; by default they are.
    """

    def __init__(
        self,
        inbox: AsposeOcrInbox,
        path: Callable[[str], ObjectStoragePath] = object_path,
        page_files: int | None = None,
        *,
        warns: bool = True,
    ) -> None:
        self._inbox = inbox
        self._path = path
        self._page_files = page_files
        self._warns = warns
        #: Files that cannot be read, each with the reason; at most some are kept.
        self.refused: list[tuple[str, str]] = []
        self.refused_files = 0
        #: Files that are no documents by their name.
        self.other_files = 0

    def pages(self) -> Iterator[list[InboxFile]]:
        """
        List the documents. Blocks while it asks for a page.

        :return: Pages of documents, in the storage's order. They are asked for one after the other.
        :raises SourceError: if there is no such folder, or a part of it may not be read;
            :class:`.SourceUnreadableError` if the storage does not answer.
        """
        name = repr(shown(self._inbox.folder, 300))
        with source_errors(
            f"The inbox {name}",
            denied="may not be listed as a whole",
            unusable="cannot be listed",
            unanswered="cannot be listed",
        ):
            try:
                yield from self._pages()
            except (FileNotFoundError, NotADirectoryError):
                raise SourceError(f"There is no folder {name}, which is to be the inbox.") from None
        if self.refused_files and self._warns:
            named = "; ".join(f"{shown(name, 120)!r} {why}" for name, why in self.refused)
            log.warning(
                "%d files of the inbox %s are left out: %s", self.refused_files, self._inbox.uri, named
            )

    def _pages(self) -> Iterator[list[InboxFile]]:
        path = self._path(self._inbox.folder)
        root = os.path.realpath(path.path) if path.protocol in LOCAL else None
        for page in folder_pages(
            path,
            recursive=self._inbox.recursive,
            enters=lambda name: not is_left_out(name),
            page_files=self._page_files,
        ):
            taken = [(below, facts) for below, facts in page if self._inbox.takes(below)]
            self.other_files += len(page) - len(taken)
            files = [self._file(below, facts, root) for below, facts in taken]
            if kept := [file for file in files if file is not None]:
                yield kept

    def _file(self, below: str, facts: dict[str, Any], root: str | None) -> InboxFile | None:
        uri = self._inbox.folder + below
        if root is not None and "link" in facts and not _lies_in(f"{root}/{below}", root):
            self._refuse(below, "is a symbolic link that leads out of the inbox")
            return None
        if not below.isascii() and any("\ud800" <= char <= "\udfff" for char in below):
            self._refuse(below, "has bytes in its name that are no text; rename it")
            return None
        return InboxFile(uri, listed_version(facts), facts.get("size"), changed_at(facts))

    def _refuse(self, below: str, why: str) -> None:
        self.refused_files += 1
        if len(self.refused) < _MOST_SHOWN:
            self.refused.append((below, why))


def unchanged(files: Iterable[InboxFile]) -> Iterator[InboxFile]:
    """
    Read size and version of files again, and return the files that have not changed since they were listed. Blocks while it
    asks for each.

    :param files: The files, as they were listed.
    :raises SourceError: if the storage does not allow to read them; :class:`.SourceUnreadableError` if the storage does not
        answer.
    """
    for file in files:
        with source_errors(
            f"The document {shown(file.uri, 300)!r}",
            denied="may not be looked at",
            unusable="cannot be looked at",
            unanswered="cannot be looked at",
        ):
            try:
                version = stored_version(object_path(file.uri))
            except (FileNotFoundError, NotADirectoryError):
                continue  # It was removed or renamed.
            except UnusablePathError:
                version = file.version  # The batch reports the name's error in the row of the manifest.
        if version == file.version:
            yield file


def _lies_in(path: str, root: str) -> bool:
    return os.path.realpath(path).startswith(root.rstrip("/") + "/")
