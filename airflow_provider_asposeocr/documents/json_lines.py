"""
Read a file of JSON objects, one a line, from any storage: lists of sources and manifests.

Invariant: what cannot be read is an error that names the file and the line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    InputError,
    SourceError,
    SourceUnreadableError,
)
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.stored_files import pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: A row of a manifest has up to a few kilobytes. A longer line is another kind of file.
LONGEST_LINE_BYTES = 1024 * 1024


def read_objects(uri: str, what: str, size_bytes: int | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Read the objects of a file, one after the other.

    :param uri: Absolute path or URI of the file.
    :param what: What the file is, for messages, for example ``list of sources``.
    :param size_bytes: Its size, where a listing has just told it, which saves a request. By default the storage is asked.
    :return: The number of the line, from 1, and its object. Empty lines are skipped.
    :raises SourceError: if there is no such file or it may not be read; :class:`SourceUnreadableError` if the storage does
        not answer.
    :raises InputError: if a line is no JSON object; the message names the line.
    """
    name = f"the {what} {shown(uri, 300)!r}"
    return parse_objects(_stored(uri, name, size_bytes), name)


def parse_objects(stored: Iterable[bytes], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """
    Parse the objects of a file. Pure.

    :param stored: The content of the file, in pieces of any size.
    :param name: What the file is, for messages.
    :return: As :func:`read_objects`.
    :raises InputError: if a line is no JSON object; the message names the line.
    """
    for number, line in _lines(stored, name):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"Line {number} of {name} is no JSON ({shown(error, 120)}). It begins with {_start(line)}. Write one "
                "JSON object a line."
            ) from None
        if not isinstance(found, dict):
            raise InputError(
                f"Line {number} of {name} is no JSON object. It begins with {_start(line)}. Write one JSON object a line."
            )
        yield number, found


def _start(line: bytes) -> str:
    return repr(shown(line[:200].decode("utf-8", "replace"), 80))


def _lines(stored: Iterable[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    number, rest = 0, b""
    for piece in stored:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            number += 1
            yield from _filled(number, line, name)
        if len(rest) > LONGEST_LINE_BYTES:
            break
    yield from _filled(number + 1, rest, name)


def _filled(number: int, line: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    if len(line) > LONGEST_LINE_BYTES:
        raise InputError(
            f"Line {number} of {name} has more than {LONGEST_LINE_BYTES} bytes. It begins with {_start(line)}. Write "
            "one JSON object a line."
        )
    if line.strip():
        yield number, line


def _stored(uri: str, name: str, size_bytes: int | None) -> Iterator[bytes]:
    try:
        path = object_path(uri)
        path.fs.invalidate_cache()
        yield from pieces(path, size_bytes)
    except FileNotFoundError:
        raise SourceError(f"There is no file at {name}.") from None
    except (IsADirectoryError, PermissionError, ValueError, ImportError) as error:
        raise SourceError(f"Cannot read {name}: {shown(error) or type(error).__name__}.") from None
    except AsposeOcrError:
        raise
    except Exception as error:  # each storage library has its own root class
        raise SourceUnreadableError(f"Cannot read {name}: {type(error).__name__}: {shown(error)}.") from error
