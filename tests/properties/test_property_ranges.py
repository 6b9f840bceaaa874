"""Requests for a part of a file."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_asposeocr.viewer.ranges import UnsatisfiableRangeError, parse_range

SIZES = st.integers(0, 2**40)
PLACES = st.integers(0, 2**40)


@given(st.one_of(st.text(), st.from_regex(r"bytes=[0-9,\- ]*", fullmatch=True)), SIZES)
@example("bytes=0-", 0)
@example("bytes=-0", 5)
@example("bytes=-", 5)
@example("bytes=5-4", 5)
@example("bytes=٣-٤", 10)
@example(f"bytes=0-{'9' * 5000}", 10)
def test_any_header_names_a_part_of_the_file_or_none(header: str, size: int) -> None:
    try:
        part = parse_range(header, size)
    except UnsatisfiableRangeError:
        return
    assert part is None or 0 <= part.first <= part.last < size


@given(st.binary(max_size=40), PLACES, st.one_of(st.none(), PLACES))
def test_a_range_is_what_a_slice_is(content: bytes, first: int, last: int | None) -> None:
    try:
        part = parse_range(f"bytes={first}-{'' if last is None else last}", len(content))
    except UnsatisfiableRangeError:
        assert first >= len(content)
        return
    if part is None:
        assert last is not None
        assert last < first
        return
    wanted = content[first : len(content) if last is None else last + 1]
    assert content[part.first : part.last + 1] == wanted
    assert part.size_bytes == len(wanted) > 0


@given(st.binary(max_size=40), PLACES)
def test_the_end_of_a_file(content: bytes, count: int) -> None:
    try:
        part = parse_range(f"bytes=-{count}", len(content))
    except UnsatisfiableRangeError:
        assert not content or not count
        return
    assert part is not None
    assert content[part.first : part.last + 1] == content[-count:]
