"""
The content of a document or of a result: bytes in memory where it is small, else a local file.

Invariant: of what comes in piece by piece, no more than a limit is held in memory, however long it is.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

#: A local file, or the bytes themselves.
Content = Path | bytes


def opened(content: Content) -> BinaryIO:
    """
    Open a content for reading.

    :param content: The content.
    :return: A stream at its beginning, which the caller closes.
    :raises OSError: if it is a file that cannot be opened.
    """
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def size_of(content: Content) -> int:
    """
    Return the size of a content in bytes.

    :param content: The content.
    :raises OSError: if it is a file that is not there.
    """
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def as_file(content: Content, path: Path) -> Path:
    """
    Return a local file with a content.

    :param content: The content.
    :param path: Where to write it if it is in memory.
    :raises OSError: if it cannot be written there.
    """
    if isinstance(content, bytes):
        path.write_bytes(content)
        return path
    return content


class Spool:
    """
    Take a content piece by piece: into memory, and into a local file from a limit on.

    :param path: The file, which is overwritten.
    :param most_in_memory_bytes: The limit; by default all goes into the file, also a content without bytes.
    :raises OSError: if the file cannot be made.
    """

    def __init__(self, path: Path, most_in_memory_bytes: int = 0) -> None:
        self._path = path
        self._most_in_memory_bytes = most_in_memory_bytes
        self._digest = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._stream: BinaryIO | None = None
        #: How much it has taken.
        self.size_bytes = 0
        if not most_in_memory_bytes:
            self._open()

    def write(self, piece: bytes) -> None:
        """
        Take more.

        :param piece: The next bytes.
        :raises OSError: if the file cannot be made or written.
        """
        self._digest.update(piece)
        self.size_bytes += len(piece)
        if self._stream is None and self.size_bytes > self._most_in_memory_bytes:
            self._open()
        if self._stream is None:
            self._pieces.append(piece)
        else:
            self._stream.write(piece)

    def close(self) -> None:
        """
        Close the file, if there is one. Closing twice is no error.

        :raises OSError: if its last bytes cannot be written.
        """
        if self._stream is not None:
            self._stream.close()

    @property
    def content(self) -> Content:
        """What was taken; complete once it is closed."""
        return b"".join(self._pieces) if self._stream is None else self._path

    @property
    def sha256(self) -> str:
        """Checksum of what was taken, in hex."""
        return self._digest.hexdigest()

    def _open(self) -> None:
        self._stream = self._path.open("wb")
        self._stream.writelines(self._pieces)
        self._pieces.clear()
