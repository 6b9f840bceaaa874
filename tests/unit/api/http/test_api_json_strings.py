"""
Where a string of JSON ends, and which escapes base64 may have.
"""

from __future__ import annotations

import pytest

from airflow_provider_asposeocr.api.errors import ResultCorruptError
from airflow_provider_asposeocr.api.http.json_strings import string_end, whole_escapes
from airflow_provider_asposeocr.api.http.wire import ResponseReader


@pytest.mark.parametrize(
    ("text", "end"),
    [
        (b'abc"', 3),
        (b'"', 0),
        (b"abc", -1),
        (rb"a\"b", -1),
        (rb'a\"b"c"', 4),
        (rb'a\\"b', 3),
        (rb'a\\\"b"', 6),
        (rb'\u0022"', 6),
    ],
)
def test_a_string_ends_at_the_first_quote_that_is_not_escaped(text: bytes, end: int) -> None:
    assert string_end(text, 0) == end


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"abc", 3),
        (rb"abc\/", 5),
        (rb"abc\u002B", 9),
        (rb"abc\u002", 3),
        (rb"abc\u00", 3),
        (rb"abc\u", 3),
        (b"abc\\", 3),
        (b"abc\\\\", 5),
        (b"abc\\\\\\", 5),
        (rb"abc\\u00", 8),
        (rb"abc\/ab", 7),
    ],
)
def test_an_escape_that_is_not_complete_waits_for_the_next_piece(text: bytes, whole: int) -> None:
    assert whole_escapes(text, 0) == whole


@pytest.mark.parametrize("data", [r"AA\\/A", r"AA\\u002BA", r"AAA\"", r"AAA\\", r"AA\u005c/A"])
def test_a_backslash_is_no_base64_however_it_is_written(data: str) -> None:
    body = f'{{"taskStatus":"Completed","results":[{{"data":"{data}"}}]}}'.encode()
    for cut in range(len(body)):
        with pytest.raises(ResultCorruptError):
            _read(body[:cut], body[cut:])


@pytest.mark.parametrize("data", [r"\/\/8=", r"\u002F\u002f8\u003D", r"\/\u002f8="])
def test_escapes_are_resolved_wherever_they_are_cut(data: str) -> None:
    body = f'{{"taskStatus":"Completed","results":[{{"data":"{data}"}}]}}'.encode()
    for cut in range(len(body)):
        assert _read(body[:cut], body[cut:]) == b"\xff\xff"


def _read(*pieces: bytes) -> bytes:
    found = bytearray()

    class Sink:
        def begin(self) -> object:
            return found.extend

    reader = ResponseReader(Sink())  # type: ignore[arg-type]  # has what the reader calls
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    return bytes(found)
