"""
Base64 in JSON, streamed both ways.

Invariant: memory does not grow with the size of a document. Going out, a file becomes a JSON body chunk by chunk; coming
in, each ``data`` string of ``results`` is decoded chunk by chunk into a sink while the small rest of the JSON is
kept and parsed when the end has been seen. A body that ends early or is not strict base64 is an error, never a result.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_asposeocr.api.errors import ResultCorruptError, SourceError, UnexpectedResponseError
from airflow_provider_asposeocr.api.files.contents import opened, size_of
from airflow_provider_asposeocr.api.http.json_strings import plain, string_end, whole_escapes
from airflow_provider_asposeocr.api.printable import shown
from airflow_provider_asposeocr.api.responses import TaskState, parse_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_asposeocr.api.files.contents import Content

#: Divisible by three, so that the base64 of the chunks can be joined.
CHUNK_BYTES = 3 * 64 * 1024
#: Most bytes of an answer besides the results' data. A list of ten thousand regions fits many times.
MOST_REST_BYTES = 4 * 1024 * 1024
#: Text to speech takes text, not a file; the trial's documented limit is 500 characters.
MOST_TEXT_BYTES = 1024 * 1024


class FileBody:
    """
    The JSON body of a submit, made while it is sent.

    :param content: The document, a local file or bytes, so that the length is known, a replay is possible and nothing but
        the cloud can fail while the request is under way.
    :param settings: Settings in the server's spelling; ``None`` for operations without any.
    :param name: Name of the field that carries the document.
    """

    def __init__(self, content: Content, settings: Mapping[str, Any] | None, name: str = "image") -> None:
        self._content = content
        self._size = size_of(content)
        self._head = b'{%s:"' % json.dumps(name).encode()
        self._tail = b'"}' if settings is None else b'","settings":' + json.dumps(settings).encode() + b"}"

    def __len__(self) -> int:
        return len(self._head) + (self._size + 2) // 3 * 4 + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        before = self._head  # Not a piece of its own: each costs a call of the system.
        with opened(self._content) as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield before + base64.b64encode(chunk)
                before = b""
        # A piece of its own: until it is handed on, the cloud cannot have accepted the document.
        yield before + self._tail


class TextBody:
    """
    The JSON body of a text-to-speech submit.

    :param content: The text, a local file in UTF-8 or its bytes.
    :param settings: Settings in the server's spelling; ``None`` for operations without any.
    :param name: Name of the field that carries the text.
    :raises SourceError: if it is not UTF-8, larger than one MiB, or nothing but blanks.
    """

    def __init__(self, content: Content, settings: Mapping[str, Any] | None, name: str = "text") -> None:
        size = size_of(content)
        if size > MOST_TEXT_BYTES:
            raise SourceError(f"The text has {size} bytes, more than {MOST_TEXT_BYTES}.")
        try:
            with TextIOWrapper(opened(content), "utf-8") as stream:
                text = stream.read()
        except UnicodeDecodeError:
            raise SourceError("The text is not UTF-8.") from None
        if not any(char.isprintable() and not char.isspace() for char in text):
            raise SourceError("The text consists of blanks, so there is nothing to read aloud.")
        sent = {} if settings is None else {"settings": dict(settings)}
        self._body = json.dumps({name: text, **sent}).encode()

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        yield self._body


_BLANKS = b" \t\r\n"
_UNICODE_ESCAPE = re.compile(rb"\\u00([0-7][0-9a-fA-F])|\\([/rnt])")


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else {b"/": b"/"}.get(match[2], b"")


def _unescaped(chunk: bytes) -> bytes:
    # Two in a row are one that is meant, which base64 has not; below it would pass for the beginning of an escape.
    if b"\\\\" in chunk:
        raise ResultCorruptError("A result is not base64: it has a backslash.")
    # What .NET and PHP write, in one go: up to one character in 64 is escaped.
    chunk = chunk.replace(rb"\u002B", b"+").replace(rb"\/", b"/")
    return _UNICODE_ESCAPE.sub(_unescape, chunk) if b"\\" in chunk else chunk


class Base64Decoder:
    r"""
    Decode the inside of a JSON string that is base64, chunk by chunk.

    Escapes that JSON allows for base64's characters (``\\u002B``, ``\\/``) and line breaks are understood.

    :param write: Takes the decoded bytes.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._rest = b""
        self._padded = False

    def feed(self, chunk: bytes) -> None:
        """
        Take more of the string.

        :param chunk: Any part, cut anywhere but within an escape.
        :raises ResultCorruptError: if that is not base64.
        """
        if b"\\" in chunk:
            chunk = _unescaped(chunk)
        if any(blank in chunk for blank in _BLANKS):  # Nearly never, and to search takes a tenth of the time.
            chunk = chunk.translate(None, _BLANKS)
        text = self._rest + chunk
        whole = len(text) // 4 * 4
        self._rest = text[whole:]
        if not whole:
            return
        if self._padded:
            raise ResultCorruptError("A result goes on after the end of its base64.")
        try:
            decoded = binascii.a2b_base64(text[:whole], strict_mode=True)
        except binascii.Error as error:
            raise ResultCorruptError(f"A result is not base64: {error}.") from None
        self._padded = text.endswith(b"=", 0, whole)
        self._write(decoded)

    def close(self) -> None:
        """
        Take the end of the string.

        :raises ResultCorruptError: if base64 is missing.
        """
        if self._rest:
            raise ResultCorruptError("A result's base64 is cut off.")


class ResultSink(Protocol):
    """Takes the decoded results of one answer, in the order in which they come."""

    def begin(self) -> Callable[[bytes], object]:
        """Begin the next result and return what takes its bytes."""
        ...


class NoResults:
    """Takes decoded results and keeps nothing of them."""

    def begin(self) -> Callable[[bytes], object]:
        """Begin the next result, which is dropped."""
        return len


#: A short string without escapes, or what separates strings and values. Most strings of an answer are short.
_TOKEN = re.compile(rb'"([^"\\]{0,64})"|["{}\[\]:,]')


class ResponseReader:
    """
    Read the answer of a GET as it comes in.

    :param sink: Where decoded results go; by default they are dropped, which is how a status is read on a path that
        also returns results.
    """

    def __init__(self, sink: ResultSink | None = None) -> None:
        self._sink = sink or NoResults()
        self._rest = bytearray()
        self._path: list[bytes] = []  # one of { [ per open container
        self._keys: list[bytes | None] = []  # the key whose value is being read, per open container
        self._string: bytearray | None = None  # of a short string; None outside of strings
        self._decoder: Base64Decoder | None = None
        self._pending = b""  # an escape that is not complete yet
        self._expect_key = False
        self._results = 0
        #: The task's status word, as soon as it has been read.
        self.status_word: str | None = None

    def feed(self, chunk: bytes) -> None:
        """
        Take more of the body.

        :param chunk: The next bytes, cut anywhere.
        :raises ResultCorruptError: if a result is not base64.
        :raises UnexpectedResponseError: if the rest of the answer grows beyond reason.
        """
        view, at = self._pending + chunk, 0
        self._pending = b""
        while at < len(view):
            if self._decoder is not None or self._string is not None:
                at = self._inside_string(view, at)
            else:
                at = self._outside_string(view, at)
        if len(self._rest) > MOST_REST_BYTES:
            raise UnexpectedResponseError("The cloud's answer is larger than any that is documented.")

    def close(self) -> TaskState:
        """
        Take the end of the body.

        :return: The task's state; the ``data`` of each result is the number of the string that went into the sink.
        :raises ResultCorruptError: if the body ended within a result.
        :raises UnexpectedResponseError: if the body is not the documented object.
        """
        if self._decoder is not None or self._string is not None or (self._path and self._results):
            raise ResultCorruptError("The answer with the results is cut off.")
        return parse_state(bytes(self._rest))

    def _outside_string(self, view: bytes, at: int) -> int:
        """Take what is outside of long strings, up to the next one of them or to the end."""
        for match in _TOKEN.finditer(view, at):
            mark, text = match[0], match[1]
            if text is None and mark != b'"':
                self._structure(mark)
            elif self._is_result_data():
                self._rest += view[at : match.start()] + str(self._results).encode()
                self._results += 1
                at = match.end()
                self._decoder = Base64Decoder(self._sink.begin())
                if text is None:
                    return at
                self._decoder.feed(text)
                self._end_string()
            elif text is not None:
                self._take_text(text)
            else:
                self._rest += view[at : match.end()]
                self._string = bytearray()
                return match.end()
        self._rest += view[at:]
        return len(view)

    def _structure(self, mark: bytes) -> None:
        if mark in b"{[":
            self._path.append(mark)
            self._keys.append(None)
            self._expect_key = mark == b"{"
        elif mark in b"}]":
            if self._path:
                self._path.pop()
                self._keys.pop()
            self._expect_key = False
        elif mark == b",":
            self._expect_key = bool(self._path) and self._path[-1] == b"{"
        else:
            self._expect_key = False

    def _is_result_data(self) -> bool:
        """Whether the string that begins here is ``results[n].data``."""
        in_result = not self._expect_key and self._path == [b"{", b"[", b"{"]
        return in_result and self._keys[0] == b"results" and self._keys[2] == b"data"

    def _inside_string(self, view: bytes, at: int) -> int:
        """Take bytes of a string up to its end or up to the next escape that is not complete."""
        end = string_end(view, at)
        if end < 0:
            whole = whole_escapes(view, at)
            self._take(view[at:whole])
            self._pending = view[whole:]
            return len(view)
        self._take(view[at:end])
        self._end_string()
        return end + 1

    def _take(self, part: bytes) -> None:
        if self._decoder is not None:
            self._decoder.feed(part)
        elif self._string is not None:
            self._string += part
            self._rest += part
            if len(self._string) > MOST_REST_BYTES:
                raise UnexpectedResponseError(f"A field of the answer is endless: {shown(part, 80)}.")

    def _end_string(self) -> None:
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None
            return
        text, self._string = plain(bytes(self._string or b"")), None
        self._rest += b'"'
        self._take_text(text)

    def _take_text(self, text: bytes) -> None:
        if not self._path:
            return
        if self._expect_key:
            self._keys[-1] = text
        elif len(self._path) == 1 and self._keys[0] == b"taskStatus":
            self.status_word = text.decode("utf-8", "replace")


class Reading:
    """
    The reading of one answer, begun anew with each attempt.

    :param make_sink: Makes what takes the decoded results of an attempt; by default they are dropped.
    :param status_is_enough: Whether to stop as soon as the status word has been read.
    """

    def __init__(
        self, make_sink: Callable[[], ResultSink] | None = None, status_is_enough: bool = False
    ) -> None:
        self._make_sink = make_sink
        self._status_is_enough = status_is_enough
        self._reader = ResponseReader()

    def begin(self) -> Callable[[bytes], bool]:
        """Begin an attempt and return what takes its body and says whether it wants more of it."""
        self._reader = ResponseReader(self._make_sink() if self._make_sink else None)
        return self._take

    def state(self) -> TaskState:
        """Return what the last attempt has read."""
        word = self._reader.status_word
        return TaskState(taskStatus=word) if self._status_is_enough and word else self._reader.close()

    def _take(self, chunk: bytes) -> bool:
        self._reader.feed(chunk)
        return not (self._status_is_enough and self._reader.status_word)
