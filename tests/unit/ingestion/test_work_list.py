"""
A work list is read as it was written, or is an error that names the line.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import InputError, SourceError
from airflow_provider_asposeocr.ingestion.work_list import (
    WorkFile,
    WorkList,
    is_work_list,
    read_work_list,
    write_work_list,
)

WORK = WorkList(
    register="s3://scans@outbox/.aspose-ocr/",
    base="s3://scans@inbox/",
    pipeline="s3://outbox/",
    files=(
        WorkFile("s3://scans@inbox/a.png", "etag=1 size=2", 2),
        WorkFile("s3://scans@inbox/b/ü #%\n.pdf", None, None),
    ),
)
HEAD: dict[str, Any] = {
    "schema_version": 1,
    "kind": "work_list",
    "register": "/out/.aspose-ocr/",
    "base": "/in/",
    "pipeline": "/out/",
}
FILE: dict[str, Any] = {"uri": "/in/a.png", "version": "size=1", "bytes": 1}


def written(folder: Path, *lines: object) -> str:
    path = folder / "0001.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return str(path)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    uri = f"{tmp_path}/plans/run/0001.jsonl"
    write_work_list(uri, WORK)
    assert read_work_list(uri) == WORK
    assert list(tmp_path.glob("plans/run/*")) == [Path(uri)]


def test_a_name_of_1024_bytes_is_read(tmp_path: Path) -> None:
    long = replace(WORK, files=(WorkFile("s3://scans@inbox/" + "ü" * 510 + ".png", None, 1),))
    write_work_list(uri := f"{tmp_path}/0001.jsonl", long)
    assert read_work_list(uri) == long


def test_its_first_line_tells_it_from_a_list_of_sources() -> None:
    assert is_work_list(HEAD)
    assert not is_work_list({"base": "/in/"})
    assert not is_work_list({"source": "/in/a.png"})


@pytest.mark.parametrize("uri", ["/in/a.png", "file:///in/a.png", "s3://scans@bucket/in/a.png"])
def test_a_file_may_be_spelled_as_the_inbox_is(tmp_path: Path, uri: str) -> None:
    head = {**HEAD, "base": uri.removesuffix("a.png")}
    assert read_work_list(written(tmp_path, head, {**FILE, "uri": uri})).files[0].uri == uri


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((), r"There is no file in the work list"),
        ((HEAD,), r"There is no file in the work list"),
        ((FILE,), r"Line 1 of .* is not the beginning of a work list: it has no kind 'work_list'"),
        (({"base": "/in/"}, {"source": "/in/a.png"}), r"Line 1 of .* has no kind"),
        (({**HEAD, "schema_version": 2, "more": 1}, FILE), r"Line 1 .* newer version .* Update the provider"),
        (({**HEAD, "schema_version": "1"}, FILE), r"Line 1 of .* has schema_version '1', not 1"),
        (({**HEAD, "schema_version": True}, FILE), r"Line 1 of .* has schema_version True, not 1"),
        (({**HEAD, "shade": 1}, FILE), r"Line 1 of .* has the unknown key 'shade'"),
        (
            ({k: v for k, v in HEAD.items() if k not in ("base", "pipeline")}, FILE),
            r"no base and no pipeline",
        ),
        (({**HEAD, "register": "/out"}, FILE), r"Line 1 of .*: register is '/out'.* end it with a slash"),
        (({**HEAD, "base": 5}, FILE), r"Line 1 of .*: base is the URI of a folder, not 5"),
        (({**HEAD, "pipeline": ""}, FILE), r"pipeline is a text that is not empty"),
        ((HEAD, {"uri": "/in/a.png"}), r"Line 2 of .* has no bytes and no version"),
        ((HEAD, {**FILE, "sha": 1}), r"Line 2 of .* has the unknown key 'sha'"),
        (
            (HEAD, {**FILE, "uri": "a.png"}),
            r"Line 2 of .*: uri is the absolute path or URI of a file, not 'a.png'",
        ),
        ((HEAD, {**FILE, "uri": "/in/a/"}), r"Line 2 of .*: uri is"),
        ((HEAD, {**FILE, "uri": None}), r"Line 2 of .*: uri is"),
        ((HEAD, {**FILE, "version": 7}), r"Line 2 of .*: version is a text or null, not 7"),
        ((HEAD, {**FILE, "bytes": -1}), r"Line 2 of .*: bytes is a number of bytes or null, not -1"),
        ((HEAD, {**FILE, "bytes": True}), r"Line 2 of .*: bytes"),
        ((HEAD, FILE, FILE), r"Line 3 of .* names the file of line 2 once more"),
        ((HEAD, FILE, HEAD), r"Line 3 of .* has no bytes and no uri and no version"),
        ((HEAD, {**FILE, "uri": "/etc/passwd"}), r"Line 2 of .* does not lie in the inbox '/in/'"),
        ((HEAD, {**FILE, "uri": "/in/../etc/passwd"}), r"Line 2 of .* does not lie in the inbox"),
        ((HEAD, {**FILE, "uri": "/inner/a.png"}), r"Line 2 of .* does not lie in the inbox"),
        ((HEAD, '{"uri": "/in/a.pn'), r"Line 2 of .* is no JSON"),
        ((HEAD, "[]"), r"Line 2 of .* is no JSON object"),
    ],
)
def test_what_is_no_work_list_is_an_error_that_names_the_line(
    tmp_path: Path, lines: tuple[object, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_work_list(written(tmp_path, *lines))


def test_one_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="There is no file at the work list"):
        read_work_list(f"{tmp_path}/0001.jsonl")
