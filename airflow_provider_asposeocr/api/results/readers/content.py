"""What all readers do first: limit the size of a result, and decode its text or its JSON."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.errors import ResultTooLargeError, ResultUnreadableError
from airflow_provider_asposeocr.api.printable import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

#: A larger result is refused. The data of a reader takes up to forty times as much memory as the bytes it is made of: an
#: empty list of JSON has three bytes.
MOST_BYTES = 32 * 1024 * 1024


def check_size(data: bytes, what: str, most_bytes: int = MOST_BYTES) -> None:
    """
    Refuse a result that is too large for its reader.

    :param data: The result.
    :param what: Name of the result's form, for the message, for example ``hOCR``.
    :param most_bytes: Largest result that is taken, in bytes.
    :raises ResultTooLargeError: if it is larger.
    """
    if len(data) > most_bytes:
        raise ResultTooLargeError(
            f"The result has {len(data)} bytes; the reader of {what} takes {most_bytes} at most."
        )


def check_sizes(sizes: Sequence[int], what: str, most_bytes: int = MOST_BYTES) -> None:
    """
    Refuse results that are too large together, before they are brought into memory.

    :param sizes: Size of each, in bytes.
    :param what: Name of their reader, for the message.
    :param most_bytes: Most bytes that are taken.
    :raises ResultTooLargeError: if there are more.
    """
    if sum(sizes) > most_bytes:
        have = "result has" if len(sizes) == 1 else f"{len(sizes)} results have"
        raise ResultTooLargeError(
            f"The {have} {sum(sizes)} bytes; the reader of {what} takes {most_bytes} at most."
        )


def unreadable(what: str, why: object) -> ResultUnreadableError:
    """
    Make the error of a result that has not the form that its reader knows.

    :param what: Name of the form.
    :param why: What is wrong; untrusted text in it is escaped here.
    """
    return ResultUnreadableError(f"The result cannot be read as {what}: {shown(why, 300)}.")


def decode(data: bytes, what: str) -> str:
    """
    Decode text, which the cloud sends as UTF-8 (vendor's docs).

    :param data: The result; a byte order mark at its beginning is dropped.
    :param what: Name of its form, for the message.
    :raises ResultUnreadableError: if it is not UTF-8.
    :raises ResultTooLargeError: if it is too large.
    """
    check_size(data, what)
    try:
        # The codec "utf-8-sig" would copy the bytes once more.
        return (data[3:] if data.startswith(codecs.BOM_UTF8) else data).decode("utf-8")
    except UnicodeDecodeError as error:
        raise unreadable(what, f"it is not UTF-8, at byte {error.start}") from None


def parse_json(data: bytes, what: str, parse_float: Any = None) -> Any:
    """
    Parse JSON.

    :param data: The result.
    :param what: Name of its form, for the message.
    :param parse_float: Makes a number of the text of one with a fraction or an exponent; by default ``float``.
    :raises ResultUnreadableError: if it is not JSON, or is nested too deeply.
    :raises ResultTooLargeError: if it is too large.
    """
    text = decode(data, what)
    try:
        return json.loads(text, parse_float=parse_float)
    except json.JSONDecodeError as error:
        raise unreadable(what, f"it is not JSON ({error.msg}, at character {error.pos})") from None
    except RecursionError:
        raise unreadable(what, "it is nested too deeply") from None
    except ValueError as error:  # an integer with more digits than Python reads
        raise unreadable(what, error) from None
