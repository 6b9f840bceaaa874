"""
Open a file only if it is what a manifest says.

Invariant: not one byte of a file leaves this module before its size and checksum were compared with the manifest's. Users
can write XComs, so that a manifest is no permission to read a file; but a user who knows the checksum of a file knows its
content.

A file that the page shows is read once, into a temporary file, and sent from there, so that a write between the check and
the answer changes nothing. Of a larger file, the module remembers that it was verified, by URI, checksum, size, and what the
storage says about its version; as long as all of that stays the same, parts of it are read from the storage itself.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import posixpath
import tempfile
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.config import default_text
from airflow_provider_asposeocr.documents.atomic_create import CONDITIONAL
from airflow_provider_asposeocr.documents.file_systems import LOCAL, UnusablePathError, object_path
from airflow_provider_asposeocr.documents.versions import listed_version, local_facts
from airflow_provider_asposeocr.viewer.answers import (
    NO_CHECKSUM,
    STORAGE_FAILED,
    TOO_LARGE,
    RefusedError,
    not_verified,
)
from airflow_provider_asposeocr.viewer.kinds import MOST_IMAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.sdk import ObjectStoragePath

log = logging.getLogger(__name__)

#: A temporary file up to this size stays in memory.
_IN_MEMORY_BYTES = 1024 * 1024
#: Size of the pieces that are read from a storage, and of those that are sent.
_READ_BYTES = 4 * 1024 * 1024
_SEND_BYTES = 256 * 1024
#: How many large files are remembered.
_MOST_REMEMBERED = 1000


@dataclass(frozen=True)
class Claim:
    """
    What a manifest says of a file.

    :param uri: Its URI or path.
    :param sha256: Its checksum in hex; ``None`` = the manifest has none.
    :param size_bytes: Its size; ``None`` = the manifest does not say.
    """

    uri: str
    sha256: str | None
    size_bytes: int | None


class VerifiedFile:
    """
    A file that is what the manifest says. It has to be closed.

    :param stream: Its content.
    :param size_bytes: Its size.
    """

    def __init__(self, stream: IO[bytes], size_bytes: int) -> None:
        self._stream = stream
        self.size_bytes = size_bytes

    def pieces(self, first: int, count: int) -> Iterator[bytes]:
        """
        Read a part.

        :param first: Place of the first byte, from 0.
        :param count: How many bytes.
        :return: The bytes, in pieces. A file that has become shorter ends early.
        """
        self._stream.seek(first)
        while count and (piece := self._stream.read(min(_SEND_BYTES, count))):
            count -= len(piece)
            yield piece

    def content(self) -> bytes:
        """Read all of it."""
        return b"".join(self.pieces(0, self.size_bytes))

    def lines(self, most_bytes: int) -> Iterator[bytes]:
        """
        Read it line by line.

        :param most_bytes: A longer line comes in parts of this size.
        :return: The lines, each with the line break at its end.
        """
        self._stream.seek(0)
        while line := self._stream.readline(most_bytes):
            yield line

    def close(self) -> None:
        """Close it."""
        self._stream.close()


class _Memory:
    """Which large files were verified. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str, int, str], None] = OrderedDict()

    def add(self, key: tuple[str, str, int, str]) -> None:
        with self._lock:
            self._known[key] = None
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)

    def __contains__(self, key: tuple[str, str, int, str]) -> bool:
        with self._lock:
            return key in self._known


_verified = _Memory()


def open_verified(claim: Claim, most_bytes: int, *, is_copy: bool = False) -> VerifiedFile:
    """
    Open a file after comparing it with the manifest.

    :param claim: What the manifest says.
    :param most_bytes: A larger file is refused.
    :param is_copy: Whether to open a copy in any case, which no writer can change as long as it is open. By default a large
        file that was verified before is opened where it is stored.
    :return: The file.
    :raises RefusedError: if it is not what the manifest says, is too large, or the storage does not answer.
    """
    if claim.sha256 is None:
        raise RefusedError(409, NO_CHECKSUM)
    if claim.size_bytes is not None and claim.size_bytes > most_bytes:
        raise RefusedError(413, TOO_LARGE)
    if not is_allowed(claim.uri, default_text("preview_roots")):
        raise not_verified()
    try:
        return _open(object_path(claim.uri), claim, claim.sha256.lower(), most_bytes, is_copy)
    except RefusedError:
        raise
    except (OSError, UnusablePathError) as error:
        log.info("Not shown: %s (%s: %s)", shown(claim.uri, 300), type(error).__name__, shown(error, 300))
        if isinstance(error, ConnectionError | TimeoutError):
            raise RefusedError(502, STORAGE_FAILED) from None
        raise not_verified() from None
    except Exception as error:  # each storage library has its own root class
        log.warning("Not shown: %s (%s: %s)", shown(claim.uri, 300), type(error).__name__, shown(error, 300))
        raise RefusedError(502, STORAGE_FAILED) from None


def is_allowed(uri: str, roots: str) -> bool:
    """
    Tell whether ``[aspose_ocr] preview_roots`` allows a file. Pure.

    :param uri: Its URI or path.
    :param roots: The option: folders, divided by commas or line breaks; empty = all are allowed.
    """
    allowed = [_plain(root.strip()) for root in roots.replace("\n", ",").split(",") if root.strip()]
    if not allowed:
        return True
    name = _plain(uri)
    if ".." in name.split("/"):
        return False
    return any(name.startswith(f"{root.rstrip('/')}/") for root in allowed)


def _plain(uri: str) -> str:
    """Write a local path in one way. What has another scheme stays as it is, its connection included."""
    scheme, mark, rest = uri.partition("://")
    if mark and scheme not in LOCAL:
        return uri
    path = rest if mark else uri
    return path if ".." in path.split("/") else posixpath.normpath(path)


def _open(path: ObjectStoragePath, claim: Claim, sha256: str, most_bytes: int, is_copy: bool) -> VerifiedFile:
    content = _read_small(path, claim)
    if content is not None:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise not_verified()
        return VerifiedFile(io.BytesIO(content), len(content))
    facts = _facts(path)
    size = facts.get("size")
    # Of a pipe or a device the local file system says "other"; reading it may never end.
    if facts.get("type") != "file" or not isinstance(size, int) or size > most_bytes:
        raise not_verified()
    if claim.size_bytes is not None and size != claim.size_bytes:
        raise not_verified()
    stream = path.fs.open(path.path, "rb", block_size=_READ_BYTES, cache_type="none")
    try:
        # A smaller file is read completely for each request, which costs little, and no write can happen between check and
        # answer.
        version = _version(path, stream) if size > MOST_IMAGE_BYTES and not is_copy else None
        key = (claim.uri, sha256, size, version or "")
        if version is not None and key in _verified:
            return VerifiedFile(stream, size)
        spooled, digest = _copy(stream, size)
    except BaseException:
        stream.close()
        raise
    stream.close()
    if digest != sha256:
        spooled.close()
        raise not_verified()
    if version is not None:
        _verified.add(key)
    return VerifiedFile(spooled, size)


def _read_small(path: ObjectStoragePath, claim: Claim) -> bytes | None:
    """
    Read a small file of an object store with one request, where size, version and content would take three.

    Returns its content, which is not verified; ``None`` = it is to be opened as any other file.
    """
    size = claim.size_bytes
    if path.protocol not in CONDITIONAL or not size or size > _IN_MEMORY_BYTES:
        return None
    try:
        # One byte more than there may be, so that a longer file has another checksum, and is read no further.
        content: bytes = path.fs.cat_file(path.path, start=0, end=size + 1)
    except Exception as error:  # of the storage's library; the other way finds out what is wrong
        log.debug("Not read at once: %s (%s)", shown(claim.uri, 300), type(error).__name__)
        return None
    return content


def _facts(path: ObjectStoragePath) -> Mapping[str, Any]:
    path.fs.invalidate_cache()
    facts: Mapping[str, Any] = path.fs.info(path.path)
    return facts


def _version(path: ObjectStoragePath, stream: Any) -> str | None:
    """
    Say what the storage knows of an opened file's version; ``None`` = the storage reports nothing that changes with the
    file.
    """
    if path.protocol in LOCAL:
        # The facts of the opened file, not of the path, which may lead to another file by now.
        return listed_version(local_facts(os.fstat(stream.fileno())))
    # Requested after the open: if the file changes in between, the checksum of the older content does not match.
    return listed_version(_facts(path))


def _copy(source: IO[bytes], size: int) -> tuple[IO[bytes], str]:
    """Copy a file of a known size into a temporary file. Returns it, and its checksum in hex."""
    digest, copied = hashlib.sha256(), 0
    spooled: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)
    try:
        # Read one byte more than the size, to notice a file that has grown without reading all of it.
        while piece := source.read(min(_READ_BYTES, size + 1 - copied)):
            copied += len(piece)
            digest.update(piece)
            spooled.write(piece)
    except BaseException:
        spooled.close()
        raise
    return spooled, digest.hexdigest() if copied == size else ""
