"""
List the files in a folder of any storage.

Invariant: the list is complete or an error. Size and version come from the listing itself: a request per file costs twenty
times as much. Each call asks the storage anew.
"""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import SourceError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.naming import is_hidden, is_internal
from airflow_provider_asposeocr.batch.plan import ListedSource
from airflow_provider_asposeocr.documents.file_systems import LOCAL, object_path
from airflow_provider_asposeocr.documents.source_errors import source_errors
from airflow_provider_asposeocr.documents.sources import version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Facts = dict[str, Any]


def list_folder(uri: str, depth: int | None = None) -> list[ListedSource]:
    """
    List the source documents in a folder and in the folders below it.

    :param uri: Absolute path or URI of the folder, with a slash at its end.
    :param depth: How many levels deep; 1 = the folder alone. By default all.
    :return: The files in the order of their paths, without those whose name, or that of a folder below the listed one,
        begins with a dot or an underscore. A symbolic link to a file in the folder is a file; links to folders are not
        followed.
    :raises SourceError: if there is no such folder, a part of it may not be read, or a symbolic link leads out of it;
        :class:`SourceUnreadableError` if the storage does not answer.
    """
    name = repr(shown(uri, 300))
    with source_errors(
        f"The folder {name}",
        denied="may not be read as a whole",
        unusable="cannot be listed",
        unanswered="cannot be listed",
    ):
        try:
            found = find_files(uri, depth, links_stay_inside=True)
        except (FileNotFoundError, NotADirectoryError):
            raise SourceError(f"There is no folder {name}.") from None
    return [
        ListedSource(uri + below, version_of(facts), facts.get("size"))
        for below, facts in sorted(found.items())
    ]


def find_files(
    uri: str, depth: int | None = None, *, links_stay_inside: bool = False, underscored: bool = False
) -> dict[str, Facts]:
    """
    Find the visible files in a folder and in the folders below it.

    :param uri: Absolute path or URI of the folder, with a slash at its end.
    :param depth: How many levels deep; 1 = the folder alone. By default all.
    :param links_stay_inside: Whether a symbolic link out of the folder is an error; by default it is not.
    :param underscored: Whether files and folders whose name begins with an underscore are found, too, as in a folder of
        results. By default they are skipped, as in a folder of sources. Those whose name begins with a dot are always
        skipped: the state folder, owner records, and unfinished files. No result has such a name.
    :return: What the storage says about each file, by its path below the folder. In a store a folder that does not exist is
        an empty one.
    :raises FileNotFoundError: if there is no such local folder.
    :raises SourceError: if a symbolic link leads out of the folder.
    :raises OSError: if the storage does not answer or does not allow it. Libraries raise errors of their own, too.
    """
    skipped = is_internal if underscored else is_hidden
    path = object_path(uri)
    if path.protocol in LOCAL:
        found = _walk(path.path, depth, links_stay_inside, skipped)
    else:
        found = _find(path.fs, path.path, depth)
    return {below: facts for below, facts in found if not any(skipped(part) for part in below.split("/"))}


def _find(fs: Any, folder: str, depth: int | None) -> Iterator[tuple[str, Facts]]:
    # Not ls: s3fs, gcsfs and adlfs answer it from a listing of this process, without limit of time.
    fs.invalidate_cache()
    prefix = f"{folder.rstrip('/')}/"
    for name, facts in fs.find(folder, maxdepth=depth, detail=True).items():
        # Stores have objects that stand for folders.
        if name.startswith(prefix) and not name.endswith("/") and facts.get("type") == "file":
            yield name.removeprefix(prefix), facts


def _walk(
    folder: str, depth: int | None, links_stay_inside: bool, skipped: Callable[[str], bool]
) -> Iterator[tuple[str, Facts]]:
    """Walk a local folder, because fsspec's own ``find`` skips folders that it may not read without an error."""
    root = os.path.realpath(folder)
    for place, folders, names in os.walk(root, onerror=_refuse):
        below = os.path.relpath(place, root) + "/" if place != root else ""
        folders[:] = [name for name in folders if not skipped(name)]
        for name in [*folders, *names] if links_stay_inside else ():
            _check_link(os.path.join(place, name), root)
        for name in names:
            facts = _facts(os.path.join(place, name))
            if facts is not None:
                yield below + name, facts
        if depth is not None and below.count("/") + 1 >= depth:
            folders.clear()


def _refuse(error: OSError) -> None:
    raise error


def _facts(path: str) -> Facts | None:
    """Return size and time of a file; of a link that leads nowhere nothing, and ``None`` for what is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return {}
    return {"size": found.st_size, "mtime": found.st_mtime} if S_ISREG(found.st_mode) else None


def _check_link(path: str, root: str) -> None:
    """Refuse to send a file that does not lie in the folder."""
    if is_hidden(os.path.basename(path)) or not os.path.islink(path):
        return
    target = os.path.realpath(path)
    if target != root and not target.startswith(root + os.sep):
        raise SourceError(
            f"{shown(path, 300)!r} is a symbolic link that leads out of the folder, to {shown(target, 300)!r}. Remove it, "
            "or pass a list with the files that are meant."
        )
