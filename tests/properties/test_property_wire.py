"""
The streaming reader of answers: it agrees with ``json`` and ``base64`` on what is valid, and refuses by name what is not.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis import assume
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import (
    ResultCorruptError,
    UnexpectedResponseError,
    UnknownStatusError,
)
from airflow_provider_asposeocr.api.http.wire import Base64Decoder, Reading, ResponseReader
from tests.support.hostile import (
    BASE64,
    BODIES,
    CODES,
    CUTS,
    NASTY,
    NOTICES,
    STATES,
    STATUSES,
    chunks,
    written,
)
from tests.support.tried import holds_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_asposeocr.api.responses import TaskState


class Parts:
    """A sink in memory."""

    def __init__(self) -> None:
        self.parts: list[bytearray] = []

    def begin(self) -> Callable[[bytes], object]:
        self.parts.append(bytearray())
        return self.parts[-1].extend


def read(body: bytes, cuts: list[int] | None) -> tuple[TaskState, list[bytes]]:
    sink = Parts()
    reader = ResponseReader(sink)
    for chunk in chunks(body, cuts):
        reader.feed(chunk)
    return reader.close(), [bytes(part) for part in sink.parts]


def outcome(body: bytes, cuts: list[int] | None) -> object:
    """What comes out, in a form that can be compared."""
    try:
        state, parts = read(body, cuts)
    except (ResultCorruptError, UnexpectedResponseError) as error:
        return type(error)
    return repr(state), parts


#: Every way JSON has to write a character; the first is as it is.
SPELLINGS = {
    "+": ["+", r"\u002B", r"\u002b"],
    "/": ["/", r"\/", r"\u002F", r"\u002f"],
    "=": ["=", r"\u003D", r"\u003d"],
    "A": ["A", r"\u0041"],
}


def respelled(text: str, ways: list[int]) -> str:
    return "".join(
        SPELLINGS.get(char, [char])[ways[at % len(ways)] % len(SPELLINGS.get(char, [char]))] if ways else char
        for at, char in enumerate(text)
    )


@st.composite
def valid_answers(draw: st.DrawFn) -> tuple[str, dict[str, Any], list[bytes]]:
    """Draw a valid answer as text, what it says without its data, and its data."""
    contents = draw(st.lists(st.binary(max_size=200), max_size=3))
    state: dict[str, Any] = {
        "id": draw(st.uuids().map(str)),
        "taskStatus": draw(STATUSES),
        "responseStatusCode": draw(CODES | st.none()),
        "error": {"messages": draw(NOTICES), "warnings": draw(NOTICES)},
        "data": "not a result",
        "more": {"results": [{"data": "AAAA"}]},
        "results": [
            {"type": draw(st.sampled_from(["Text", "Pdf", 'a"b\\']) | NASTY), "data": f"@{n}@", "x": ["@", n]}
            for n in range(len(contents))
        ],
    }
    order = draw(st.permutations(sorted(state)))
    ascii, indent = draw(st.booleans()), draw(st.none() | st.integers(0, 3))
    text = json.dumps({key: state[key] for key in order}, ensure_ascii=ascii, indent=indent)
    ways = draw(st.lists(st.integers(0, 3), max_size=20))
    for number, content in enumerate(contents):
        data = respelled(base64.b64encode(content).decode(), ways)
        text = text.replace(f'"@{number}@"', f'"{data}"')
    return text, state, contents


@holds_for(answer=valid_answers(), cuts=CUTS | st.none())
def test_a_valid_answer_reads_as_json_and_base64_read_it(
    answer: tuple[str, dict[str, Any], list[bytes]], cuts: list[int] | None
) -> None:
    text, expected, contents = answer
    body = text.encode("utf-8", "surrogatepass")
    assume("\\ud" in text or body == text.encode("utf-8", "replace"))  # Else it is no UTF-8, and not valid.
    whole = json.loads(text)

    state, parts = outcome_of_valid(body, cuts, whole)

    assert parts == contents == [base64.b64decode(entry["data"]) for entry in whole["results"]]
    assert (state.taskStatus, state.id) == (expected["taskStatus"], expected["id"])
    assert [entry.data for entry in state.results or []] == list(range(len(contents)))
    assert [entry.type for entry in state.results or []] == [entry["type"] for entry in expected["results"]]


def outcome_of_valid(
    body: bytes, cuts: list[int] | None, whole: dict[str, Any]
) -> tuple[TaskState, list[bytes]]:
    """Read a valid answer; half a surrogate pair, which no string of pydantic can hold, is a refusal by name."""
    try:
        return read(body, cuts)
    except UnexpectedResponseError:
        assume(not re.search("[\ud800-\udfff]", json.dumps(whole, ensure_ascii=False)))
        raise


@holds_for(body=BODIES, cuts=CUTS | st.none())
def test_any_body_is_read_or_refused_by_name_wherever_it_is_cut(body: bytes, cuts: list[int] | None) -> None:
    assert outcome(body, cuts) == outcome(body, [])


@holds_for(
    answer=valid_answers(),
    how=st.sampled_from(["cut", "corrupt", "glue"]),
    at=st.integers(0, 5000),
    byte=st.binary(min_size=1, max_size=1),
    cuts=CUTS,
)
def test_a_spoiled_answer_yields_a_whole_result_or_an_error(
    answer: tuple[str, dict[str, Any], list[bytes]], how: str, at: int, byte: bytes, cuts: list[int]
) -> None:
    body = answer[0].encode("utf-8", "surrogatepass")
    place = at % len(body)
    spoiled = {
        "cut": body[:place],
        "corrupt": body[:place] + byte + body[place + 1 :],
        "glue": body + body,
    }[how]
    try:
        state, parts = read(spoiled, cuts)
    except (ResultCorruptError, UnexpectedResponseError):
        return
    assert how == "corrupt"
    if [entry.data for entry in state.results or [] if entry.data is not None] == list(range(len(parts))):
        whole = json.loads(spoiled)
        assert parts == [
            strict(entry["data"]) for entry in whole.get("results") or [] if entry.get("data") is not None
        ]


def strict(text: str) -> bytes:
    """Decode base64 as the reader promises to: strictly, but for blanks and line breaks."""
    return binascii.a2b_base64(re.sub("[ \t\r\n]", "", text).encode(), strict_mode=True)


STRICT_BASE64 = re.compile(rb"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@holds_for(
    text=(
        BASE64
        | st.text("AQZ/+=\n !\\", max_size=24)
        | st.binary(max_size=24).map(lambda raw: raw.decode("latin-1"))
    ),
    cuts=CUTS | st.none(),
)
def test_base64_is_decoded_strictly_or_refused(text: str, cuts: list[int] | None) -> None:
    raw = text.encode("latin-1")
    assume(b"\\" not in raw)  # Escapes are JSON's; they come with the reader.
    written_bytes = bytearray()
    decoder = Base64Decoder(written_bytes.extend)
    try:
        for chunk in chunks(raw, cuts):
            decoder.feed(chunk)
        decoder.close()
    except ResultCorruptError:
        refused = True
    else:
        refused = False
    packed = re.sub(rb"[ \t\r\n]", b"", raw)
    # Not only what the library refuses: its strict mode lets a superfluous "=" pass.
    assert refused == (STRICT_BASE64.fullmatch(packed) is None)
    if not refused:
        assert bytes(written_bytes) == binascii.a2b_base64(packed, strict_mode=True)


@holds_for(
    content=st.binary(max_size=120), ways=st.lists(st.integers(0, 3), max_size=9), cuts=CUTS | st.none()
)
def test_escapes_in_base64_are_the_characters_they_stand_for(
    content: bytes, ways: list[int], cuts: list[int] | None
) -> None:
    data = respelled(base64.b64encode(content).decode(), ways)
    _, (part,) = read(f'{{"taskStatus":"Completed","results":[{{"data":"{data}"}}]}}'.encode(), cuts)

    assert part == content


def state_of_reading(reading: Reading, body: bytes, cuts: list[int] | None) -> TaskState:
    take = reading.begin()
    for chunk in chunks(body, cuts):
        if not take(chunk):
            break
    return reading.state()


@holds_for(body=BODIES | written(STATES), cuts=CUTS)
def test_a_status_is_read_or_refused_by_name(body: bytes, cuts: list[int]) -> None:
    with suppress(UnexpectedResponseError, UnknownStatusError, ResultCorruptError):
        state = state_of_reading(Reading(status_is_enough=True), body, cuts)
        assert state.status.value == state.taskStatus


WAYS = st.lists(st.booleans(), max_size=10)


def spelled(word: str, ways: list[bool]) -> str:
    return "".join(
        f"\\u{ord(char):04x}" if ways and ways[at % len(ways)] else char for at, char in enumerate(word)
    )


@holds_for(status=STATUSES, key_ways=st.just([]) | WAYS, word_ways=WAYS, cuts=CUTS | st.none(), more=STATES)
def test_a_status_is_the_same_however_json_spells_it(
    status: str, key_ways: list[bool], word_ways: list[bool], cuts: list[int] | None, more: dict[str, Any]
) -> None:
    rest = json.dumps({key: value for key, value in more.items() if key != "taskStatus"})
    body = f'{{"{spelled("taskStatus", key_ways)}": "{spelled(status, word_ways)}", "more": {rest}}}'

    assert state_of_reading(Reading(status_is_enough=True), body.encode(), cuts).taskStatus == status
