from __future__ import annotations

import base64
import json
import tracemalloc
from collections import deque
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    ResultCorruptError,
    SourceError,
    UnexpectedResponseError,
)
from airflow_provider_asposeocr.api.http import wire
from airflow_provider_asposeocr.api.http.wire import (
    CHUNK_BYTES,
    MOST_TEXT_BYTES,
    Base64Decoder,
    FileBody,
    ResponseReader,
    TextBody,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.api.responses import TaskState


class Parts:
    """A sink in memory."""

    def __init__(self) -> None:
        self.parts: list[bytearray] = []

    def begin(self) -> Callable[[bytes], object]:
        self.parts.append(bytearray())
        return self.parts[-1].extend


def chunks(body: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    for start, end in zip(edges, edges[1:], strict=False):
        yield body[start:end]


def read(body: bytes, cuts: list[int] | None = None) -> tuple[TaskState, list[bytes]]:
    sink = Parts()
    reader = ResponseReader(sink)
    for chunk in chunks(body, list(range(len(body))) if cuts is None else cuts):
        reader.feed(chunk)
    return reader.close(), [bytes(part) for part in sink.parts]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def answer(**fields: Any) -> dict[str, Any]:
    return {"id": "x", "taskStatus": "Completed", "responseStatusCode": "Ok", "error": None, **fields}


def escaped(text: str) -> str:
    """The same JSON string, with each character that may be escaped escaped."""
    return text.replace("/", r"\/").replace("+", r"\u002B").replace("=", r"\u003d")


CUTS = st.lists(st.integers(0, 10_000), max_size=12)
DATA = st.lists(st.binary(max_size=60), max_size=4)


class TestReading:
    @given(data=DATA, cuts=CUTS, spaced=st.booleans(), order=st.permutations(["id", "taskStatus", "results"]))
    def test_chunks_may_be_cut_anywhere(
        self, data: list[bytes], cuts: list[int], spaced: bool, order: list[str]
    ) -> None:
        fields = answer(results=[{"type": "Text", "data": b64(each)} for each in data])
        body = json.dumps({name: fields[name] for name in order}, indent=2 if spaced else None).encode()
        state, parts = read(body, cuts)
        assert parts == data
        assert [entry.data for entry in state.results or []] == list(range(len(data)))
        assert state.taskStatus == "Completed"

    @given(data=st.binary(min_size=1, max_size=60), cuts=CUTS)
    @example(data=b"\xfb\xff\xbf" * 10, cuts=list(range(300)))
    def test_escapes_are_the_same_json(self, data: bytes, cuts: list[int]) -> None:
        body = json.dumps(answer(results=[{"type": "Text", "data": "HERE"}]))
        body = body.replace("HERE", escaped(b64(data)))
        assert read(body.encode(), cuts)[1] == [data]

    def test_line_breaks_in_base64_are_no_content(self) -> None:
        body = rb'{"taskStatus":"Completed","results":[{"data":"SGVs\r\nbG8h\n"}]}'
        assert read(body)[1] == [b"Hello!"]

    @pytest.mark.parametrize(
        "entry",
        [{"data": "QQ==", "type": "Text"}, {"type": "Text", "data": "QQ==", "page": {"data": "decoy"}}],
    )
    def test_the_order_within_a_result_means_nothing(self, entry: dict[str, Any]) -> None:
        state, parts = read(json.dumps(answer(results=[entry])).encode())
        assert parts == [b"A"]
        assert state.results
        assert (state.results[0].type, state.results[0].data) == ("Text", 0)

    def test_null_data_takes_no_place(self) -> None:
        entries = [{"type": "a", "data": None}, {"type": "b", "data": "Qg=="}, {"type": "c"}]
        state, parts = read(json.dumps(answer(results=entries)).encode())
        assert parts == [b"B"]
        assert [entry.data for entry in state.results or []] == [None, 0, None]

    def test_empty_data_is_an_empty_result(self) -> None:
        state, parts = read(json.dumps(answer(results=[{"type": "Text", "data": ""}])).encode())
        assert parts == [b""]
        assert state.results
        assert state.results[0].data == 0

    @pytest.mark.parametrize(
        "decoy",
        [
            {"id": '{"results":[{"data":"QQ=="}]}'},
            {"id": r'"results": [{"data": "'},
            {"data": "not base64!"},
            {"error": {"messages": ['"data":"!"'], "data": "!"}},
            {"more": {"results": [{"data": "!"}]}},
            {"more": [{"results": [{"data": "!"}]}]},
            {"more": [[{"data": "!"}]]},
            {"more": [{"data": "!"}]},
            {"results ": [{"data": "!"}]},
            {"Results": [{"data": "!"}]},
        ],
    )
    def test_only_the_data_of_results_is_a_result(self, decoy: dict[str, Any]) -> None:
        body = answer(**decoy)
        first = read(json.dumps({**body, "results": [{"data": "QQ=="}]}).encode())
        last = read(json.dumps({"results": [{"data": "QQ=="}], **body}).encode())
        for state, parts in (first, last):
            assert parts == [b"A"]
            assert (state.model_dump().items() >= {**decoy}.items()) or "error" in decoy

    @pytest.mark.parametrize(
        "entry",
        [
            {"type": "Text", "data": "QQ==", "nested": {"data": "!"}},
            {"type": "Text", "data": "QQ==", "nested": [{"data": "!"}]},
            {"type": 'x","data":"Qg==', "data": "QQ=="},
            {"type": "data", "data": "QQ=="},
        ],
    )
    def test_decoys_within_a_result_are_no_result(self, entry: dict[str, Any]) -> None:
        assert read(json.dumps(answer(results=[entry])).encode())[1] == [b"A"]

    def test_the_status_is_known_before_the_results_are_read(self) -> None:
        reader = ResponseReader()
        reader.feed(b'{"id":"taskStatus","more":{"taskStatus":"Error"},"taskStatus":"Comp')
        assert reader.status_word is None
        reader.feed(b'leted","results":[{"da')
        assert reader.status_word == "Completed"

    def test_without_a_sink_results_are_dropped(self) -> None:
        reader = ResponseReader()
        reader.feed(json.dumps(answer(results=[{"data": b64(b"x" * 1000)}])).encode())
        assert reader.close().status.value == "Completed"


class TestBroken:
    WHOLE = json.dumps(
        answer(results=[{"type": "Text", "data": b64(b"first")}, {"type": "Pdf", "data": b64(b"2")}])
    )

    def test_half_a_body_is_never_a_result(self) -> None:
        for end in range(len(self.WHOLE)):
            half = self.WHOLE[:end]
            begun = end > self.WHOLE.index('"data": "') + len('"data": ')
            try:
                read(half.encode(), [])
            except ResultCorruptError:
                continue
            except UnexpectedResponseError:
                assert not begun, half
            else:
                pytest.fail(f"{half} was taken for a result")

    @pytest.mark.parametrize("data", [["QQ=="], {"data": "QQ=="}, [{"data": "QQ=="}], {}, 1.5])
    def test_data_that_is_no_string_is_no_result(self, data: Any) -> None:
        sink = Parts()
        reader = ResponseReader(sink)
        reader.feed(json.dumps(answer(results=[{"data": data}])).encode())
        with pytest.raises(UnexpectedResponseError):
            reader.close()
        assert sink.parts == []

    @pytest.mark.parametrize(
        "data",
        [
            "!",
            "QQ",
            "QQ=",
            "QQ==QQ==",
            "Q===",
            "====",
            "=",
            "QQ==\\n=",
            "Q Q=!",
            "QQ-_",
            "ä",
            "\\\\",
            '\\"',
            "\\u0021",
            "\\b",
        ],
    )
    def test_what_is_not_base64_is_no_result(self, data: str) -> None:
        body = '{"taskStatus":"Completed","results":[{"data":"' + data + '"}]}'
        cuts: list[int] | None
        for cuts in ([], None):
            with pytest.raises(ResultCorruptError):
                read(body.encode(), cuts)

    @given(body=st.binary(max_size=120), cuts=CUTS)
    def test_nothing_but_named_errors_comes_out_of_any_bytes(self, body: bytes, cuts: list[int]) -> None:
        with pytest.raises((ResultCorruptError, UnexpectedResponseError)):
            read(body, cuts)

    @given(
        body=st.lists(
            st.sampled_from(
                [
                    '{"taskStatus":"Completed","results":',
                    "[",
                    "]",
                    "{",
                    "}",
                    ",",
                    ":",
                    '"',
                    '"data":"QQ==',
                    "\\",
                    "\\u00",
                    "results",
                    "null",
                    "1",
                    "Q",
                    "=",
                ]
            ),
            max_size=25,
        ),
        cuts=CUTS,
    )
    def test_nothing_but_named_errors_comes_out_of_almost_json(
        self, body: list[str], cuts: list[int]
    ) -> None:
        text = "".join(body).encode()
        outcomes = []
        for each in ([], cuts):
            try:
                outcomes.append(repr(read(text, each)))
            except (ResultCorruptError, UnexpectedResponseError) as error:
                outcomes.append(type(error).__name__)
        assert outcomes[0] == outcomes[1]

    @pytest.mark.parametrize(
        "endless", [b" " * 6000, b'{"a":' * 1000, b"[" * 6000, b'"x" ,' * 1000, b"1" * 6000]
    )
    def test_an_endless_answer_is_cut_short(self, endless: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire, "MOST_REST_BYTES", 60_000)
        reader = ResponseReader()
        reader.feed(b'{"id":[')
        with pytest.raises(UnexpectedResponseError, match="larger than any"):
            deque(map(reader.feed, [endless] * 100), 0)

    def test_an_endless_field_is_cut_short(self) -> None:
        reader = ResponseReader()
        reader.feed(b'{"id":"')
        with pytest.raises(UnexpectedResponseError, match="endless|larger"):
            deque(map(reader.feed, [b"x" * 65536] * 100), 0)


@given(st.binary(max_size=200), CUTS)
def test_a_decoder_gives_back_what_was_encoded(data: bytes, cuts: list[int]) -> None:
    taken = bytearray()
    decoder = Base64Decoder(taken.extend)
    for chunk in chunks(base64.b64encode(data), cuts):
        decoder.feed(chunk)
    decoder.close()
    assert taken == data


def test_memory_does_not_grow_with_a_result() -> None:
    piece = base64.b64encode(b"x" * (3 * 16 * 1024))
    count = 50_000_000 // (3 * 16 * 1024) + 1
    seen = 0

    class Counting:
        def begin(self) -> Callable[[bytes], object]:
            return self.take

        def take(self, chunk: bytes) -> None:
            nonlocal seen
            seen += len(chunk)

    reader = ResponseReader(Counting())
    tracemalloc.start()
    try:
        reader.feed(b'{"taskStatus":"Completed","results":[{"type":"Pdf","data":"')
        for _ in range(count):
            reader.feed(piece)
        reader.feed(b'"}]}')
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reader.close().results
    assert seen > 50_000_000
    assert peak < 1_000_000


class TestFileBody:
    @pytest.mark.slow
    @given(
        size=st.integers(0, 10) | st.integers(CHUNK_BYTES - 4, CHUNK_BYTES + 4),
        settings=st.none()
        | st.just({})
        | st.dictionaries(
            st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=3
        ),
    )
    def test_its_length_is_what_it_sends_and_it_can_be_sent_again(
        self, tmp_path_factory: pytest.TempPathFactory, size: int, settings: dict[str, Any] | None
    ) -> None:
        path = tmp_path_factory.getbasetemp() / "document"
        content = bytes(index % 251 for index in range(size))
        path.write_bytes(content)
        body = FileBody(path, settings)
        sent = b"".join(body)
        assert len(sent) == len(body)
        assert b"".join(body) == sent
        assert list(FileBody(content, settings)) == list(body)
        parsed = json.loads(sent)
        assert base64.b64decode(parsed["image"], validate=True) == content
        assert parsed.get("settings") == settings
        assert set(parsed) == ({"image"} if settings is None else {"image", "settings"})

    def test_its_last_piece_is_never_the_first(self, tmp_path: Path) -> None:
        """A connection that is broken from the start fails with the first piece: nothing can have been accepted then."""
        path = tmp_path / "document"
        path.write_bytes(b"x")
        assert len(list(FileBody(path, None))) > 1
        assert len(list(FileBody(b"x", None))) > 1

    def test_memory_does_not_grow_with_a_document(self, tmp_path: Path) -> None:
        path = tmp_path / "document"
        with path.open("wb") as stream:
            stream.truncate(50_000_000)
        body = FileBody(path, {"language": "English"})
        tracemalloc.start()
        try:
            assert sum(map(len, body)) == len(body)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2_000_000


class TestTextBody:
    SETTINGS = {"language": "English", "resultType": "Wav"}

    @pytest.mark.parametrize("text", ["Hello.", 'quotes " and \\', "Grüße\n"])
    def test_it_sends_the_text(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "text"
        path.write_text(text, "utf-8")
        body = TextBody(path, self.SETTINGS)
        sent = b"".join(body)
        assert json.loads(sent) == {"text": text, "settings": self.SETTINGS}
        assert len(sent) == len(body)
        assert b"".join(body) == sent

    def test_it_sends_the_same_from_memory(self, tmp_path: Path) -> None:
        path, content = tmp_path / "text", "Grüße\r\nund Küsse\n".encode()
        path.write_bytes(content)
        assert list(TextBody(content, self.SETTINGS)) == list(TextBody(path, self.SETTINGS))

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"\xff\xfe", "not UTF-8"),
            (b"x" * (MOST_TEXT_BYTES + 1), "more than"),
            (b" \n\t\xc2\xa0\xef\xbb\xbf", "consists of blanks"),
            (b"", "consists of blanks"),
        ],
    )
    def test_what_is_no_text_is_refused(self, tmp_path: Path, content: bytes, said: str) -> None:
        path = tmp_path / "text"
        path.write_bytes(content)
        with pytest.raises(SourceError, match=said) as caught:
            TextBody(path, self.SETTINGS)
        assert isinstance(caught.value, AsposeOcrError)
