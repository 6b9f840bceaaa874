"""
Create a file only if it does not exist, on every kind of storage.

Invariant: if any number of processes on any machines create the same name at once, exactly one of them has created it, and
knows that. A reader finds the complete file or none. This is true for the storages for which :func:`is_atomic` returns true;
for others the storage library first checks and then writes.
"""

from __future__ import annotations

import errno
import inspect
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import random
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.compat import connection_of
from airflow_provider_asposeocr.documents.blocks import BLOCK_BYTES, upload
from airflow_provider_asposeocr.documents.file_systems import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: fsspec's ``pipe_file(mode="create")`` sends a condition that the server checks: ``If-None-Match: *`` (s3fs),
#: ``ifGenerationMatch=0`` (gcsfs), no overwriting (adlfs). ``open("xb")`` does not, where nothing is written.
CONDITIONAL = frozenset({"s3", "s3a", "s3n", "gs", "gcs", "abfs", "abfss", "az", "adl"})

#: Small files that are read at once: each is a round trip.
_READERS = 8
#: S3 answers 409 while it processes another create of the same name.
_TRIES = 6
_PAUSE_SECONDS = 0.1
#: s3fs reports a refused create as EINVAL if the server does not name the condition, and 409 as EBUSY.
_PERHAPS_REFUSED = frozenset({errno.EBUSY, errno.EINVAL, errno.EEXIST})
#: File systems without hard links: FAT, and some that are mounted over a network.
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
#: By the kind of store and the connection, for this process.
_honoured: dict[tuple[str, str | None, str], bool] = {}


def create_or_read(path: ObjectStoragePath, data: bytes) -> bytes:
    """
    Create a small file unless it exists, and return its content.

    If the answer to a create is lost, the storage library sends the request again, and the storage refuses the second one
    because of the first. Therefore this function reads the file after a refusal.

    :param path: The file; its folder is created if the storage has folders.
    :param data: Its content. It must contain a random part, so that the caller can recognize its own file.
    :return: ``data`` if this call has created the file, otherwise the content that another call has written.
    :raises OSError: if the storage does not answer or does not allow it. Storage libraries also raise their own errors.
    """
    refused: OSError | None = None
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE_SECONDS * 2**attempt * random())  # noqa: S311  # spreads retries
        try:
            _create(path, data)
        except OSError as error:
            if not isinstance(error, FileExistsError) and error.errno not in _PERHAPS_REFUSED:
                raise
            refused = error
        else:
            return data
        found = read(path)
        if found is not None:
            return found
        # Another create has not ended, or the file has just been deleted.
    raise refused or OSError(errno.EBUSY, os.strerror(errno.EBUSY), path.path)


def read(path: ObjectStoragePath) -> bytes | None:
    """
    Read the present content of a small file.

    :param path: The file.
    :return: Its content; ``None`` if the file does not exist.
    """
    # Where s3fs may read in several requests, it looks for the size first, in listings that it has kept: a file that another
    # process has created since does not exist for it.
    known = inspect.signature(getattr(path.fs, "_cat_file", path.fs.cat_file)).parameters
    options = {"max_concurrency": 1} if "max_concurrency" in known else {}
    try:
        content: bytes = path.fs.cat_file(path.path, **options)
    except FileNotFoundError:
        return None
    return content


def read_many(paths: Sequence[ObjectStoragePath]) -> list[bytes | None]:
    """
    Read small files, several at once where each is a round trip.

    :param paths: The files, all of one storage.
    :return: Their contents, as :func:`read` returns them, in the order of the paths.
    """
    if len(paths) < _READERS or paths[0].protocol in LOCAL:
        return [read(path) for path in paths]
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(read, paths))


def replace(path: ObjectStoragePath, data: bytes | Iterator[bytes]) -> None:
    """
    Write a file atomically, also if it already exists.

    :param path: The file; its folder is created if the storage has folders.
    :param data: Its content, or pieces of it. Of these, a block is in memory at most, and what is larger goes through local
        disk. An error in between leaves no file.
    """
    if path.protocol in LOCAL:
        with _temporary(path.path, data) as temporary:
            os.replace(temporary, path.path)
        return
    _make_folder(path)
    if isinstance(data, bytes):
        path.fs.pipe_file(path.path, data)
        return
    begin = bytearray()
    for piece in data:
        begin += piece
        if len(begin) > BLOCK_BYTES:
            break
    else:
        path.fs.pipe_file(path.path, bytes(begin))
        return
    with NamedTemporaryFile(prefix="aspose-ocr-upload-") as local:
        local.write(begin)
        begin.clear()
        local.writelines(data)  # The rest of the pieces.
        local.flush()
        upload(path.fs, Path(local.name), path.path)


def is_atomic(path: ObjectStoragePath) -> bool:
    """
    Tell whether creates in a folder are atomic. Asks a store once per process, with one refused create.

    Some servers that speak S3's language ignore the condition. A file that is there already shows it: creating it
    again must be refused.

    :param path: A file in the folder; a file named ``probe`` is kept beside it.
    :return: ``True`` for local disks and for stores that honour the condition.
    """
    if path.protocol in LOCAL:
        return True
    if path.protocol not in CONDITIONAL:
        return False
    key = (path.protocol, connection_of(path), path.path.partition("/")[0])
    if key not in _honoured:
        probe = path.parent / "probe"
        # The first may create the file; then the second must be refused.
        _honoured[key] = _is_refused(probe) or _is_refused(probe)
        if not _honoured[key]:
            log.warning(
                "The object store of %s ignores the condition 'only if there is no such object'. Two tasks that "
                "write the same name at the same moment may not notice each other.",
                shown(path, 300),
            )
    return _honoured[key]


def _is_refused(probe: ObjectStoragePath) -> bool:
    data = f"Created to find out whether this store refuses to create it again. {uuid4().hex}".encode()
    return create_or_read(probe, data) != data


def _create(path: ObjectStoragePath, data: bytes) -> None:
    if path.protocol in LOCAL:
        # fsspec's own create first checks and then writes, so that two processes could both seem to have created the file.
        with _temporary(path.path, data) as temporary:
            _link(temporary, path.path, data)
        return
    _make_folder(path)
    path.fs.pipe_file(path.path, data, mode="create")


def _make_folder(path: ObjectStoragePath) -> None:
    if path.protocol not in CONDITIONAL:  # These have no folders, and s3fs would request the bucket.
        path.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def _temporary(target: str, data: bytes | Iterator[bytes]) -> Iterator[str]:
    folder = os.path.dirname(target)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".aspose-ocr-{uuid4().hex}.part")
    try:
        _write_durably(temporary, data)
        yield temporary
    finally:
        with suppress(OSError):
            os.unlink(temporary)
    _make_names_durable(folder)


def _link(temporary: str, target: str, data: bytes) -> None:
    try:
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _write_durably(target, data)  # Exclusive, but a reader may see a part of it.


def _write_durably(path: str, data: bytes | Iterator[bytes]) -> None:
    with open(path, "xb") as writer:
        try:
            writer.writelines((data,) if isinstance(data, bytes) else data)
            writer.flush()
            os.fsync(writer.fileno())
        except BaseException:
            os.unlink(path)  # The mode "x" has created the file in this call.
            raise


def _make_names_durable(folder: str) -> None:
    with suppress(OSError):  # Some file systems cannot fsync a folder.
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
