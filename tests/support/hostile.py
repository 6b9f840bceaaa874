"""
Invalid inputs, as an attacker, a broken gateway or a full disk may produce them.
"""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Any text, half surrogate pairs included, which JSON can carry and UTF-8 cannot.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=40)
#: What breaks parsers, screens and file systems.
NASTY = st.sampled_from(
    [
        "", " ", ".", "..", "../../etc/passwd", "/etc/passwd", "\\\\host\\share", "C:\\x", "a/b", "a\\b", "~", "~root",
        "\x00", "a\x00b", "\x1b[2J", "\r\nSet-Cookie: x", "\u202egnp.exe", "\u2028", "\ud800", "\udfff\ud800", "\ufeff",
        "．．／", "…", ".hidden", "-rf", "CON", "a" * 300, "é" * 300, "😀" * 200, "a." + "b" * 300, "%2e%2e%2f", "$(id)",
        "`id`", "'; DROP TABLE", "<script>", "{", "[", "\\u0000", "NaN", "1e999", "9" * 5000, "-0", "s3://b/k", "file:///x",
        "x?y#z", "*", "\t", "\x7f", "\x85", "\xa0", "\u200b", "\u0301", "ﬁ", "İ", "ß",
    ]
)  # fmt: skip
NAMES = NASTY | TEXTS | st.lists(NASTY | st.text(max_size=5), max_size=4).map("/".join)
NUMBERS = (
    st.integers()
    | st.floats()
    | st.sampled_from([10**30, -(10**30), 10**400, 2**63, -(2**63) - 1, 1e308, -1e308, 0, -1])
)
JSON_LEAVES = st.none() | st.booleans() | NUMBERS | NASTY | st.text(max_size=12) | TEXTS
JSON_VALUES = st.recursive(
    JSON_LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NASTY | st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def objects(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects that have some of the fields, each right or wrong, and perhaps others."""
    known = st.fixed_dictionaries({}, optional={name: right | JSON_VALUES for name, right in fields.items()})
    more: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.dictionaries(NASTY, JSON_LEAVES, max_size=2)
    return st.builds(lambda one, two: {**two, **one}, known, more)


BASE64 = st.binary(max_size=60).map(lambda content: base64.b64encode(content).decode())
STATUSES = st.sampled_from(["Pending", "Processing", "Completed", "Error", "NotExist", "Paused", "completed"])
CODES = st.sampled_from(["Ok", "NotReady", "PartiallyNotFound", "NoAnyResultData", "TaskNotFound", "Error"])
NOTICES = st.lists(NASTY | st.text(max_size=10) | st.none(), max_size=3) | st.none()
RESULTS = objects(
    {"type": st.sampled_from(["Text", "Pdf", "JSON", "../../evil"]), "data": BASE64 | st.none()}
)
STATES = objects(
    {
        "id": st.uuids().map(str) | st.none(),
        "taskStatus": STATUSES,
        "responseStatusCode": CODES | st.none(),
        "results": st.lists(RESULTS, max_size=3) | st.none(),
        "error": objects({"messages": NOTICES, "warnings": NOTICES}) | st.none(),
    }
)


def _mangled(body: bytes, how: str, at: int, extra: bytes) -> bytes:
    place = at % (len(body) + 1)
    if how == "cut":
        return body[:place]
    if how == "insert":
        return body[:place] + extra + body[place:]
    if how == "replace":
        return body[:place] + extra + body[place + max(1, len(extra)) :]
    if how == "twice":
        return body + body[place:]
    if how in ("utf-16", "utf-32", "utf-16-be"):
        return body.decode("utf-8", "replace").encode(how)
    return {"bom": b"\xef\xbb\xbf" + body, "nul": body + b"\x00"}.get(how, body)


_PIECES = st.binary(max_size=4) | st.sampled_from(
    [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\\u", b"\\u002B", b"\\/", b"\\ud800", b"=", b"\x00", b"\xff", b"NaN"]
    + [b"1e999", b"9" * 5000, b'"data":"', b'"taskStatus":"', b"[" * 3000, b'{"a":' * 3000, b"\\u00", b"\n", b" "]
)  # fmt: skip
_WAYS = st.sampled_from(
    ["as it is", "cut", "insert", "replace", "twice", "utf-16", "utf-32", "utf-16-be", "bom", "nul"]
)


def written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Draw JSON of the values: with any spelling, and damaged in any way that the list above has."""
    as_json = st.builds(
        lambda value, ascii, indent: json.dumps(value, ensure_ascii=ascii, indent=indent).encode(
            "utf-8", "surrogatepass"
        ),
        values,
        st.booleans(),
        st.none() | st.just(1),
    )
    return spoiled(as_json)


def spoiled(bodies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Spoil bytes in one of the ways there are; one of them leaves them as they are."""
    return st.builds(_mangled, bodies, _WAYS, st.integers(0, 5000), _PIECES)


#: Just below, at and above the depth at which Python's parsers give up; where that is depends on who calls.
DEPTHS = st.integers(1, 60) | st.integers(850, 1010) | st.just(3_000)


def nested(depth: int, opening: str, inner: str = "1") -> str:
    """Write a JSON value of a depth; ``opening`` is ``[`` or the beginning of an object."""
    return opening * depth + inner + ("]" if opening == "[" else "}") * depth


DEEP = st.builds(nested, DEPTHS, st.sampled_from(["[", '{"a":', '{"error":', '{"results":']))
BODIES = (
    written(STATES)
    | written(objects({"taskStatus": STATUSES, "results": st.lists(RESULTS, min_size=1, max_size=3)}))
    | written(JSON_VALUES)
    | st.binary(max_size=80)
    | st.binary(max_size=20)
    | DEEP.map(str.encode)
    | DEEP.map(lambda deep: f'{{"taskStatus":"Completed","results":null,"error":{deep}}}'.encode())
)
CUTS = st.lists(st.integers(0, 5000), max_size=8)


def chunks(body: bytes, cuts: list[int] | None) -> Iterator[bytes]:
    """Cut a body at some borders; ``None`` is at every one, or at every 97th of a long body."""
    length = len(body)
    step = 1 if length < 1000 else 97
    edges = set(range(0, length, step)) if cuts is None else {cut % (length + 1) for cut in cuts}
    ordered = sorted(edges | {0, length})
    for start, end in pairwise(ordered):
        yield body[start:end]
