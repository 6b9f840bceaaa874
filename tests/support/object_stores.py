"""
Object stores in memory, attached to Airflow under connection ids of their own.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem


class StoreError(Exception):
    """The root class of a storage library of its own."""


class Store(MemoryFileSystem):  # type: ignore[misc]  # fsspec publishes no types
    """
    A store in memory that notes its uploads.

    :param fails: Name of the method that fails.
    """

    cachable = False
    store: dict[str, Any]

    def __init__(self, fails: str = "") -> None:
        super().__init__()
        self.store = {}
        self.pseudo_dirs = [""]
        self.fails = fails
        self.calls: list[str] = []

    def _note(self, method: str, path: str) -> None:
        self.calls.append(f"{method} {path}")
        if method == self.fails:
            raise StoreError("the store is on fire")

    def put_file(self, lpath: str, rpath: str, *args: Any, **kwargs: Any) -> None:
        self._note("put_file", rpath)
        super().put_file(lpath, rpath, *args, **kwargs)

    def mv(self, path1: str, path2: str, **kwargs: Any) -> None:
        self._note("mv", path2)
        super().mv(path1, path2, **kwargs)

    def open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        self._note("open", path)
        return super().open(path, mode, **kwargs)

    def files(self) -> dict[str, bytes]:
        return {path: file.getvalue() for path, file in self.store.items()}


class Versioned(Store):
    """A store that takes versions for no part of a key, as s3fs and adlfs do."""

    mark = "?versionId="
    version_aware = False

    def split_path(self, path: str) -> tuple[str, str, str | None]:
        bucket, _, rest = path.lstrip("/").partition("/")
        key, _, version = rest.partition(self.mark)
        return bucket, key, version if self.version_aware and version else None


StoreType = TypeVar("StoreType", bound=Store)


@overload
def attached(protocol: str, conn_id: str, fails: str = "") -> Store: ...


@overload
def attached(protocol: str, conn_id: str, fails: str = "", *, kind: type[StoreType]) -> StoreType: ...


def attached(protocol: str, conn_id: str, fails: str = "", *, kind: type[Store] = Store) -> Store:
    """Attach a new, empty store as ``protocol://conn_id@bucket``."""
    from airflow.sdk.io.store import _STORE_CACHE

    _STORE_CACHE.pop(f"{protocol}-{conn_id}", None)
    store = kind(fails)
    attach(protocol, conn_id=conn_id, fs=store)
    return store
