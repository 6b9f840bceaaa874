"""
Names of files: for any name of a source, result, task or user, a result is directly inside its destination.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from hypothesis import assume, example
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import DestinationError, InputError
from airflow_provider_asposeocr.api.files.file_kinds import sniff
from airflow_provider_asposeocr.api.files.filetypes import (
    LONGEST_STEM_BYTES,
    safe_name,
    safe_stem,
    suffix_for,
)
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.api.results.download import Result
from airflow_provider_asposeocr.documents.destinations import check_file_stem, plan
from tests.support.hostile import BODIES, NAMES, NASTY, TEXTS
from tests.support.tried import holds_for

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What file systems take for one name.
LONGEST_NAME_BYTES = 255
SIGNATURES = st.sampled_from(
    [b"%PDF-1.7", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\xff\xd8\xff", b"{", b"<html", b"<svg", b"BM", b"\xef\xbb\xbf["]
)  # fmt: skip
HEADS = (
    SIGNATURES
    | st.binary(max_size=40)
    | st.builds(bytes.__add__, SIGNATURES, st.binary(max_size=20))
    | st.builds(
        lambda text, times: (text.encode("utf-8", "replace") * times)[:1024], TEXTS, st.integers(1, 400)
    )
    | BODIES.map(lambda body: body[:1024])
)
TYPES = st.none() | NAMES | st.sampled_from(["Text", "text", "PDF", "ImagePNG", "../../evil", "Pdf\x00.exe"])
OPERATION_NAMES = st.sampled_from(sorted(OPERATIONS))
KINDS = {
    None,
    "png",
    "jpeg",
    "gif",
    "bmp",
    "tiff",
    "bigtiff",
    "djvu",
    "pdf",
    "svg",
    "zip",
    "html",
    "json",
    "text",
}
SUFFIXES = {".txt", ".pdf", ".hocr", ".png", ".csv", ".xlsx", ".json", ".wav", ".bin", ".mp3", ".docx"}


class InMemory(Result):
    """A result of which only the beginning is asked for."""

    head: Any = b""


def results_of(types: Sequence[str | None], heads: Sequence[bytes]) -> list[Result]:
    results: list[Result] = []
    for result_type, head in zip(types, heads, strict=False):
        result = InMemory(result_type, Path("unread"), len(head), "")
        object.__setattr__(result, "head", head)
        results.append(result)
    return results


def is_plain_name(name: str) -> bool:
    """Whether it names a visible file in the folder it is put in, on any file system, and nothing else."""
    return (
        0 < len(os.fsencode(name)) <= LONGEST_NAME_BYTES
        and name.isprintable()
        and not set(name) & {"/", "\\", "\x00"}
        and not name.startswith(".")
        and name not in ("", ".", "..")
    )


@holds_for(head=HEADS)
def test_any_bytes_have_a_known_kind_or_none(head: bytes) -> None:
    assert sniff(head) in KINDS


@holds_for(name=OPERATION_NAMES, result_type=TYPES, head=HEADS)
def test_a_suffix_is_one_of_a_fixed_set(name: str, result_type: str | None, head: bytes) -> None:
    assert suffix_for(OPERATIONS[name], result_type, head) in SUFFIXES


@holds_for(name=NAMES | st.none())
def test_a_stem_is_a_plain_name_or_none(name: str | None) -> None:
    stem = safe_stem(name)

    assert stem is None or (is_plain_name(stem) and len(stem.encode()) <= LONGEST_STEM_BYTES)


def without_suffix(name: str) -> str:
    """The last part of a name, without what the suffix of a document may be."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return re.sub(r"(?<=.)\.(?a:[a-z]{3,4})\Z", "", last, flags=re.IGNORECASE)


@example(one="ที่.png", two="ทิ่.png")
@example(one="FAX.001", two="FAX.002")
@example(one="n" * 230 + "1", two="n" * 230 + "2")
@example(one="a,b", two="a;b")
@holds_for(one=NAMES, two=NAMES)
def test_names_that_differ_make_stems_that_differ(one: str, two: str) -> None:
    """But for the suffix of a document, and where nothing usable is left, the task's id tells results apart."""
    assume(without_suffix(one) != without_suffix(two))
    stem = safe_stem(one)

    assert stem is None or stem != safe_stem(two)


#: Other ids are refused, see :class:`.TaskRef`.
PRINTABLE_NAMES = NAMES.map(lambda name: "".join(char for char in name if char.isprintable()))


@holds_for(
    share=0.4,
    fields=st.fixed_dictionaries(
        {
            "operation": OPERATION_NAMES,
            "id": PRINTABLE_NAMES,
            "submitted_at": st.just("2026-11-21T07:00:00Z"),
        },
        optional={"source_name": NAMES | st.none()},
    ),
    types=st.lists(TYPES, min_size=1, max_size=4),
    heads=st.lists(HEADS, min_size=4, max_size=4),
    folder=st.sampled_from(["/data/out/", "file:///data/out/"]),
)
def test_results_go_directly_into_the_destination_for_any_names(
    fields: dict[str, Any], types: list[str | None], heads: list[bytes], folder: str
) -> None:
    ref = ref_of(fields)

    targets = plan(ref, results_of(types, heads), folder, None)

    check_targets([str(target.path) for target in targets], folder, len(types))


def ref_of(fields: dict[str, Any]) -> TaskRef:
    try:
        return parse_task_ref({**fields, "conn_id": "ocr"})
    except InputError:
        assume(False)
        raise


def check_targets(paths: list[str], folder: str, count: int) -> None:
    assert len(set(paths)) == count
    for path in paths:
        assert path.startswith(folder)
        assert is_plain_name(path.removeprefix(folder))
        assert os.path.dirname(os.path.normpath(path.removeprefix("file://"))) == "/data/out"


REF = TaskRef(operation="RecognizeImage", id="x", submitted_at="2026-11-21T07:00:00Z", conn_id="ocr")


@example(stem="\x00", types=[None], folder="/data/out/")
@holds_for(share=0.4, stem=NAMES, types=st.lists(TYPES, min_size=1, max_size=3), folder=st.just("/data/out/"))
def test_a_stem_that_a_user_wrote_is_refused_or_stays_inside_too(
    stem: str, types: list[str | None], folder: str
) -> None:
    try:
        check_file_stem(stem)
    except DestinationError:
        return

    targets = plan(REF, results_of(types, [b"text"] * 3), folder, stem)

    check_targets([str(target.path) for target in targets], folder, len(types))


@holds_for(share=0.2, name=NASTY | TEXTS, other=NASTY)
def test_two_results_never_share_a_name(name: str, other: str) -> None:
    ref = REF.model_copy(update={"source_name": name, "id": other})

    targets = plan(ref, results_of(["Text", "text", "Pdf", other], [b"text"] * 4), "/data/out/", None)

    assert len({str(target.path) for target in targets}) == 4


@example(name="..")
@example(name="day=2026-03-02")
@holds_for(name=NAMES.map(lambda name: name.replace("/", "")) | st.just(""))
def test_a_part_of_a_path_stays_one_part(name: str) -> None:
    part = safe_name(name)

    assert is_plain_name(part)
    assert len(part.encode()) <= LONGEST_STEM_BYTES
    assert safe_name(part) == part


@holds_for(one=NAMES, two=NAMES)
def test_parts_of_paths_that_differ_stay_different(one: str, two: str) -> None:
    assume(one != two)

    assert safe_name(one) != safe_name(two)
