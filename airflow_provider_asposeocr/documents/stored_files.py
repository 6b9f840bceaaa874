"""
Whole files of a storage: read to local disk, written from local disk.

Invariant: a file appears under its final name whole or not at all. An object store gets each file in one upload that it
commits itself; everything else gets a hidden temporary name and a rename.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import closing, suppress
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_provider_asposeocr.api.files.contents import Spool, opened
from airflow_provider_asposeocr.api.files.work_folder import lock_file, remove_abandoned
from airflow_provider_asposeocr.compat import lineage_is_read
from airflow_provider_asposeocr.documents.atomic_create import CONDITIONAL
from airflow_provider_asposeocr.documents.blocks import BLOCK_BYTES, one_block, upload
from airflow_provider_asposeocr.documents.file_systems import LOCAL
from airflow_provider_asposeocr.documents.uris import S3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow.sdk import ObjectStoragePath

    from airflow_provider_asposeocr.api.files.contents import Content

_PIECE_BYTES = BLOCK_BYTES // 2
#: For these schemes, the upload of a local file is one PUT, or a multipart or block upload that the server commits at its
#: end.
_COMMITS_UPLOADS = CONDITIONAL
#: Prefix of temporary names beside a file.
_HIDDEN = ".aspose-ocr-"


def pieces(path: ObjectStoragePath, size_bytes: int | None = None) -> Iterator[bytes]:
    """
    Read a stored file from its beginning to its end.

    :param path: The file.
    :param size_bytes: Its size, where a listing has told it. Then the storage is not asked for it again, which saves one of
        two requests for a small file. By default it is asked.
    :return: Pieces of half a block, because libraries hold each piece in memory twice, as received and joined.
    """
    if size_bytes is not None:
        for first in range(0, size_bytes, _PIECE_BYTES):
            yield path.fs.cat_file(path.path, start=first, end=min(first + _PIECE_BYTES, size_bytes))
        return
    # Without a cache, because reading ahead would hold another block in memory.
    options = {"block_size": _PIECE_BYTES, "cache_type": "none"}
    # If the path itself opens the file, Airflow records it for lineage.
    opened = path.open("rb", **options) if lineage_is_read() else path.fs.open(path.path, "rb", **options)
    with opened as stream:
        while piece := stream.read(_PIECE_BYTES):
            yield piece


def copy_to_local(path: ObjectStoragePath, local: Path) -> tuple[int, str]:
    """
    Copy a stored file to local disk.

    :param path: The stored file.
    :param local: Where to; overwritten.
    :return: Its size in bytes and its checksum in hex.
    :raises IsADirectoryError: if it is a folder, as far as the storage says so.
    """
    _, size, sha256 = take_content(path, local)
    return size, sha256


def take_content(
    path: ObjectStoragePath, local: Path, most_in_memory_bytes: int = 0
) -> tuple[Content, int, str]:
    """
    Read a stored file into memory, or copy it to local disk.

    :param path: The stored file.
    :param local: Where a copy goes; overwritten.
    :param most_in_memory_bytes: Size of the largest file that is read into memory; by default each is copied.
    :return: The content, its size in bytes and its checksum in hex.
    :raises IsADirectoryError: if it is a folder, as far as the storage says so.
    """
    # s3fs then sends one request, without asking for the size before. Other libraries hold more than a block in memory when
    # they do this. Airflow records only a file that its path opens for lineage.
    if path.protocol in S3 and not lineage_is_read():
        path.fs.get_file(path.path, str(local), **one_block(path.fs, "get_file"))
        if local.is_dir():  # What fsspec makes of a folder.
            local.rmdir()
            raise IsADirectoryError(path.path)
        return _taken(local, most_in_memory_bytes)
    with closing(Spool(local, most_in_memory_bytes)) as spool:
        for piece in pieces(path):
            spool.write(piece)
    return spool.content, spool.size_bytes, spool.sha256


def _taken(local: Path, most_in_memory_bytes: int) -> tuple[Content, int, str]:
    """Describe a file that a storage library has made, and move it into memory if it is small."""
    if 0 < local.stat().st_size <= most_in_memory_bytes:
        content = local.read_bytes()
        local.unlink()
        return content, len(content), hashlib.sha256(content).hexdigest()
    with local.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
        return local, stream.tell(), digest.hexdigest()


class Writer:
    """
    Write whole files to their places in a storage. Threads may share it.

    :param many: Whether one writer writes many files, as that of a batch does. It then looks once into each local folder
        for what killed writers have left there of any file. By default it looks for what they have left of the file
        that it writes, each time.
    """

    def __init__(self, *, many: bool = False) -> None:
        self._many = many
        self._swept: set[str] = set()

    def write(self, content: Content, target: ObjectStoragePath) -> None:
        """
        Write a file, over what is there.

        :param content: The whole file, or its bytes.
        :param target: Its place.
        """
        if target.protocol in _COMMITS_UPLOADS:
            upload(target.fs, content, target.path)
        elif target.protocol in LOCAL:
            self._write_locally(content, target.path)
        else:
            _write_and_move(content, target)

    def _write_locally(self, content: Content, target: str) -> None:
        folder, name = os.path.split(target)
        # The name is hidden, short enough for every file system, and shows which file a killed writer was writing.
        prefix = f"{_HIDDEN}{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}-"
        os.makedirs(folder, exist_ok=True)
        if not self._many:
            remove_abandoned(folder, prefix)
        elif (
            folder not in self._swept
        ):  # A sweep for each of ten thousand files would list ten thousand each time.
            remove_abandoned(folder, _HIDDEN)
            self._swept.add(folder)
        _write_and_rename(content, folder, prefix, target)


def _write_and_rename(content: Content, folder: str, prefix: str, target: str) -> None:
    temporary = os.path.join(folder, f"{prefix}{uuid4().hex}.part")
    try:
        with opened(content) as reader, open(temporary, "xb") as writer:
            lock_file(writer.fileno())
            shutil.copyfileobj(reader, writer, 1024 * 1024)
            writer.flush()
            os.fsync(writer.fileno())
            # While the lock is held, because otherwise a sweep may remove the file.
            os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _write_and_move(content: Content, target: ObjectStoragePath) -> None:
    # A random name: if it depended on the target, two writers would write into the same file.
    temporary = target.parent / f"{_HIDDEN}{uuid4().hex}.part"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        upload(target.fs, content, temporary.path)
        target.fs.mv(temporary.path, target.path)
    except BaseException:
        with suppress(Exception):
            target.fs.rm(temporary.path)
        raise
