"""
Transfers between local disk and a store that hold one block in memory.

Invariant: the libraries would by default use several blocks of up to 50 MiB at once.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_asposeocr.api.files.contents import Content

#: Size of a block that is read from a store or written to it.
BLOCK_BYTES = 8 * 1024 * 1024
#: Arguments that limit a transfer to one block in memory; each is used if the library has it.
_ONE_BLOCK = {"chunksize": BLOCK_BYTES, "max_concurrency": 1}


def upload(fs: Any, content: Content, path: str) -> None:
    """
    Write a file to a store, over what is there.

    :param fs: The file system of the store.
    :param content: The whole file, or its bytes, which are no more than a block.
    :param path: Its place in the store.
    """
    if isinstance(content, bytes):
        fs.pipe_file(path, content)
    else:
        fs.put_file(str(content), path, **one_block(fs, "put_file"))


def one_block(fs: Any, method: str) -> dict[str, int]:
    """
    Return the arguments that let a method of a file system hold only one block in memory.

    :param fs: The file system.
    :param method: Name of the method.
    """
    kind: Any = type(fs)
    return _arguments(kind, method)


@cache
def _arguments(kind: Any, method: str) -> dict[str, int]:
    known = inspect.signature(getattr(kind, f"_{method}", getattr(kind, method))).parameters
    return {name: value for name, value in _ONE_BLOCK.items() if name in known}
