"""
Leave, move or delete a source after its document is done.

Invariant: only the version that was read is moved or deleted. A file that was written again in the meantime stays, and is a
new document.
"""

from __future__ import annotations

import logging
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import connection_of
from airflow_provider_asposeocr.documents.atomic_create import CONDITIONAL
from airflow_provider_asposeocr.documents.file_systems import LOCAL, object_path
from airflow_provider_asposeocr.documents.stored_files import Writer, copy_to_local
from airflow_provider_asposeocr.ingestion.stored_results import versions_at

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.ingestion.register import OnDone

log = logging.getLogger(__name__)

#: What fsspec takes for a pattern.
_WILDCARDS = frozenset("*?[")


def dispose(
    uri: str, version: str | None, on_done: OnDone, archive: str | None, name: str, mark: str
) -> bool:
    """
    Move or delete a source. If it is gone already, that is no error.

    :param uri: The source.
    :param version: Its version when it was read.
    :param on_done: ``move``, ``delete``, or ``leave``, which does nothing.
    :param archive: URI of the folder that sources are moved to, with a slash at its end.
    :param name: Its path below the archive.
    :param mark: Added to the name if the archive has a file of that name with another content.
    :return: Whether the source is not there any more.
    :raises OSError: if the storage does not answer or refuses. Libraries raise errors of their own, too.
    """
    if on_done == "leave":
        return False
    try:
        if version is None or version not in versions_at(uri):
            log.info("%s was written again after it was read, so it stays where it is.", shown(uri, 300))
            return False
        path = object_path(uri)
        if on_done == "delete" or archive is None:
            path.fs.rm_file(path.path)
        else:
            _move(path, _target(archive, name, mark))
    except FileNotFoundError:
        pass
    return True


def archived_name(file_stem: str, source: str) -> str:
    """
    Name a source below the archive. Pure.

    :param file_stem: Name of the document's results, which may be the source's name without its suffix.
    :param source: URI of the source.
    :return: That name with the source's suffix, so that programs still know what the file is.
    """
    suffix = PurePosixPath(source).suffix
    is_plain = suffix.isascii() and suffix[1:].isalnum()
    return f"{file_stem}{suffix}" if is_plain and not file_stem.endswith(suffix) else file_stem


def _target(archive: str, name: str, mark: str) -> ObjectStoragePath:
    path = object_path(f"{archive}{name}")
    path.fs.invalidate_cache()
    return object_path(f"{archive}{name}~{mark}") if path.fs.exists(path.path) else path


def _move(source: ObjectStoragePath, target: ObjectStoragePath) -> None:
    if source.protocol in LOCAL or target.protocol in LOCAL:
        target.parent.mkdir(parents=True, exist_ok=True)
    if (source.protocol, connection_of(source)) == (target.protocol, connection_of(target)):
        is_plain = source.protocol not in CONDITIONAL and _WILDCARDS.isdisjoint(source.path)
        if source.protocol in LOCAL or is_plain:
            source.fs.mv(source.path, target.path)
        else:
            # fsspec's ``mv`` takes the name for a pattern, and moves the files that match it. What also is the beginning of
            # other names counts as a folder, of which it copies nothing, and deletes the file.
            source.fs.cp_file(source.path, target.path)
            source.fs.rm_file(source.path)
        return
    with TemporaryDirectory(prefix="aspose-ocr-move-") as folder:
        local = Path(folder) / "source"
        copy_to_local(source, local)
        Writer().write(local, target)
    source.fs.rm_file(source.path)
