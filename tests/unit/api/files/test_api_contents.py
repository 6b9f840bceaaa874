"""Contents in memory and in files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from airflow_provider_asposeocr.api.files.contents import Spool, as_file, opened, size_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_asposeocr.api.files.contents import Content

LIMIT = 10


def spooled(path: Path, pieces: list[bytes], limit: int) -> Spool:
    spool = Spool(path, limit)
    for piece in pieces:
        spool.write(piece)
    spool.close()
    return spool


def bytes_of(content: Content) -> bytes:
    with opened(content) as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("pieces", "limit", "is_file"),
    [
        ([], LIMIT, False),
        ([b"0123456789"], LIMIT, False),
        ([b"01234", b"56789"], LIMIT, False),
        ([b"0123456789a"], LIMIT, True),
        ([b"01234", b"56789", b"a", b"b"], LIMIT, True),
        ([b"01234"], 0, True),
        ([], 0, True),
    ],
)
def test_a_content_goes_into_a_file_where_it_is_larger_than_the_limit(
    tmp_path: Path, pieces: list[bytes], limit: int, is_file: bool
) -> None:
    path, whole = tmp_path / "spool", b"".join(pieces)
    spool = spooled(path, pieces, limit)
    assert (spool.content == path) is path.exists() is is_file
    assert (bytes_of(spool.content), size_of(spool.content), spool.size_bytes) == (
        whole,
        len(whole),
        len(whole),
    )
    assert spool.sha256 == hashlib.sha256(whole).hexdigest()


@pytest.mark.parametrize("limit", [0, LIMIT])
def test_a_content_can_be_had_as_a_file(tmp_path: Path, limit: int) -> None:
    local = as_file(spooled(tmp_path / "spool", [b"text"], limit).content, tmp_path / "copy")
    assert local.read_bytes() == b"text"
