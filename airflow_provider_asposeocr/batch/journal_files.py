"""
Files of a batch's journal in its storage: list, read, create, write, delete.

Invariant: what is read is what the storage holds now. The file systems of object stores keep what they have listed for as
long as the process lives, so each listing drops that cache first, and uses ``find``, never ``ls``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_provider_asposeocr.api.errors import AsposeOcrError
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.batch.errors import JournalError, JournalUnreachableError
from airflow_provider_asposeocr.documents.atomic_create import create_or_read, is_atomic, read_many, replace
from airflow_provider_asposeocr.documents.file_systems import LOCAL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow.sdk import ObjectStoragePath

#: fsspec takes these for wildcards in the paths of a bulk delete.
_WILDCARDS = frozenset("*?[")


class JournalFiles:
    """
    The files below one folder.

    :param folder: The folder; it need not exist.
    """

    def __init__(self, folder: ObjectStoragePath) -> None:
        self.folder = folder
        self._is_local = folder.protocol in LOCAL

    def names(self, under: str = "") -> set[str]:
        """
        List files.

        :param under: A subfolder; empty = all.
        :return: Their names below the folder.
        """
        with self._storage_errors("listed"):
            if self._is_local:
                return set(self._local_names(under))
            path = self._path(under) if under else self.folder
            path.fs.invalidate_cache()
            try:
                found = path.fs.find(path.path)
            except FileNotFoundError:
                return set()
            root = self.folder.path.strip("/") + "/"
            stripped = [name.strip("/") for name in found]
            return {name.removeprefix(root) for name in stripped if name.startswith(root)}

    def read(self, names: Collection[str]) -> dict[str, bytes | None]:
        """
        Read files.

        :param names: Their names.
        :return: Their contents; ``None`` where there is no such file.
        """
        with self._storage_errors("read"):
            return dict(zip(names, read_many([self._path(name) for name in names]), strict=True))

    def create(self, name: str, data: bytes) -> bool:
        """
        Create a file only if there is none.

        :param name: Its name.
        :param data: Its content, with a random part.
        :return: Whether this call has created it.
        """
        with self._storage_errors("begun"):
            return create_or_read(self._path(name), data) == data

    def creates_are_atomic(self, name: str) -> bool:
        """
        Tell whether exactly one of two processes that create a file succeeds; see :func:`.atomic_create.is_atomic`.

        :param name: The file.
        """
        with self._storage_errors("begun"):
            return is_atomic(self._path(name))

    def write(self, name: str, data: bytes | Iterator[bytes]) -> None:
        """
        Write a file, whole or not at all: one request, or a temporary file and a rename.

        :param name: Its name.
        :param data: Its content, or pieces of it.
        """
        with self._storage_errors("written"):
            replace(self._path(name), data)

    def delete(self, names: Collection[str]) -> None:
        """
        Delete files; those that are gone already are no error.

        :param names: Their names.
        """
        if not names:
            return
        with self._storage_errors("deleted"):
            paths = [self._path(name).path for name in names]
            if self._is_local:
                for path in paths:
                    with suppress(FileNotFoundError):
                        os.unlink(path)
                return
            fs = self.folder.fs
            if _WILDCARDS.isdisjoint(self.folder.path):
                with suppress(FileNotFoundError):
                    fs.rm(paths)  # One request for many, where the store has that.
                    return
            for path in paths:
                with suppress(FileNotFoundError):
                    fs.rm_file(path)

    def remove_empty_folders(self) -> None:
        """Remove the folder and its parent if nothing is left in them, where the storage has folders."""
        if self._is_local:
            for folder in (self._path("epochs").path, self.folder.path, self.folder.parent.path):
                with suppress(OSError):
                    os.rmdir(folder)

    def _path(self, name: str) -> ObjectStoragePath:
        return self.folder / name

    def _local_names(self, under: str) -> Iterator[str]:
        root = self.folder.path
        for base, _, files in os.walk(os.path.join(root, under) if under else root):
            yield from (os.path.relpath(os.path.join(base, name), root) for name in files)

    @contextmanager
    def _storage_errors(self, what: str) -> Iterator[None]:
        """Raise errors of the storage as errors that name the journal."""
        try:
            yield
        except AsposeOcrError:
            raise
        except Exception as error:  # each storage library has its own root class
            final = isinstance(error, ValueError | ImportError | IsADirectoryError | NotADirectoryError)
            cls = JournalError if final else JournalUnreachableError
            raise cls(
                f"The journal of the batch, {shown(self.folder, 300)}, cannot be {what}: "
                f"{type(error).__name__}: {shown(error)}."
            ) from error
