"""
Listing the sources of a batch: complete, in order, without what is no document, or an error before anything is sent.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import (
    AsposeOcrError,
    InputError,
    SourceError,
    SourceUnreadableError,
)
from airflow_provider_asposeocr.batch import listing
from airflow_provider_asposeocr.batch.listing import Listing, list_sources, read_work_list_head
from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.batch.sources import parse_sources
from airflow_provider_asposeocr.documents import json_lines
from airflow_provider_asposeocr.documents.manifest import Manifest
from airflow_provider_asposeocr.documents.sources import identity_of
from tests.support.object_stores import Store, attached


def listed(value: Any) -> Listing:
    return list_sources(parse_sources(value))


def names(found: Listing, base: str) -> list[str]:
    return [source.uri.removeprefix(base) for source in found.sources]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    for name in (
        "b.png",
        "a.png",
        "sub/c.png",
        "sub/deep/d e#%.png",
        ".hidden.png",
        "_part.png",
        "_tmp/x.png",
        ".x/y.png",
    ):
        file = tmp_path / "in" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(name.encode())
    return f"{tmp_path}/in/"


class TestAFolder:
    def test_has_all_files_below_it_but_hidden_ones(self, folder: str) -> None:
        found = listed(folder)
        assert names(found, folder) == ["a.png", "b.png", "sub/c.png", "sub/deep/d e#%.png"]
        assert found.base == folder

    def test_tells_size_and_version_as_a_question_for_the_file_would(self, folder: str) -> None:
        for source in listed(folder).sources:
            assert source.size_bytes == os.path.getsize(source.uri)
            assert (source.uri, source.version) == identity_of(source.uri)

    @pytest.mark.parametrize("missing", ["nowhere/", "in/a.png/"])
    def test_that_does_not_exist_is_an_error(self, folder: str, missing: str) -> None:
        with pytest.raises(SourceError, match="There is no folder"):
            listed(f"{folder.removesuffix('in/')}{missing}")

    def test_without_documents_is_an_error(self, folder: str) -> None:
        Path(folder, "_tmp/.empty").mkdir()
        with pytest.raises(
            SourceError, match=r"no document in the folder .*dot or an underscore are skipped"
        ):
            listed(f"{folder}_tmp/.empty/")

    def test_a_part_that_may_not_be_read_is_an_error_and_not_left_out(
        self, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scan = os.scandir

        def refuse(path: Any) -> Any:
            if str(path).endswith("/deep"):
                raise PermissionError(13, "Permission denied", str(path))
            return scan(path)

        monkeypatch.setattr(os, "scandir", refuse)
        with pytest.raises(SourceError, match="may not be read as a whole: .*deep"):
            listed(folder)


class TestSymbolicLinks:
    @pytest.mark.parametrize("target", ["/etc/hostname", "../../outside.png", "../.."])
    def test_out_of_the_folder_are_refused_by_name(self, folder: str, target: str) -> None:
        Path(folder, "..", "outside.png").write_bytes(b"x")
        os.symlink(target, f"{folder}sub/link.png")
        with pytest.raises(
            SourceError, match=r"sub/link\.png' is a symbolic link that leads out of the folder"
        ):
            listed(folder)

    def test_in_a_hidden_folder_do_not_matter(self, folder: str) -> None:
        os.symlink("/etc/hostname", f"{folder}_tmp/link.png")
        os.symlink("/etc/hostname", f"{folder}.link.png")
        assert len(listed(folder).sources) == 4

    def test_to_a_file_in_the_folder_is_a_file(self, folder: str) -> None:
        os.symlink("_tmp/x.png", f"{folder}x.png")
        assert "x.png" in names(listed(folder), folder)

    def test_to_a_folder_is_not_followed(self, folder: str) -> None:
        os.symlink(".", f"{folder}sub/loop")
        assert names(listed(folder), folder) == ["a.png", "b.png", "sub/c.png", "sub/deep/d e#%.png"]

    def test_that_leads_nowhere_is_a_document_that_will_fail(self, folder: str) -> None:
        os.symlink("gone.png", f"{folder}broken.png")
        assert "broken.png" in names(listed(folder), folder)

    def test_the_folder_itself_may_be_one(self, folder: str) -> None:
        os.symlink(folder, folder.removesuffix("in/") + "current")
        current = folder.removesuffix("in/") + "current/"
        assert names(listed(current), current)[:2] == ["a.png", "b.png"]


class TestAGlob:
    @pytest.mark.parametrize(
        ("pattern", "found"),
        [
            ("*.png", ["a.png", "b.png"]),
            ("**/*.png", ["a.png", "b.png", "sub/c.png", "sub/deep/d e#%.png"]),
            ("*/*.png", ["sub/c.png"]),
            ("sub/?.png", ["sub/c.png"]),
            ("[b-z].png", ["b.png"]),
        ],
    )
    def test_lists_what_matches(self, folder: str, pattern: str, found: list[str]) -> None:
        assert names(listed(f"{folder}{pattern}"), folder) == found

    def test_that_matches_nothing_is_an_error(self, folder: str) -> None:
        with pytest.raises(SourceError, match=r"no document that '.*\*\.tif' matches"):
            listed(f"{folder}*.tif")


class TestAStore:
    @pytest.fixture
    def store(self) -> Store:
        store = attached("memory", "batch_listing")
        store.pipe(
            {
                "/inbox/2026/a.png": b"a",
                "/inbox/2026/x/b.png": b"bb",
                "/inbox/2026/_x/c.png": b"c",
                "/inbox/z.png": b"z",
            }
        )
        return store

    @pytest.mark.usefixtures("store")
    def test_is_listed_with_its_connection(self) -> None:
        base = "memory://batch_listing@inbox/2026/"
        found = listed(base)
        assert names(found, base) == ["a.png", "x/b.png"]
        assert [source.size_bytes for source in found.sources] == [1, 2]

    def test_objects_that_stand_for_folders_are_no_documents(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        facts = {"size": 0, "type": "file"}
        found = {
            "/inbox/": facts,
            "/inbox/x/": facts,
            "/inbox/y": {"type": "directory"},
            "/inbox/a.png": facts,
        }
        monkeypatch.setattr(store, "find", lambda *_, **__: found)
        assert names(listed("memory://batch_listing@inbox/"), "memory://batch_listing@inbox/") == ["a.png"]

    def test_is_asked_anew_each_time(self, store: Store) -> None:
        listed("memory://batch_listing@inbox/2026/")
        store.pipe({"/inbox/2026/new.png": b"n"})
        cleared: list[Any] = []
        store.invalidate_cache = lambda path=None: cleared.append(path)
        found = listed("memory://batch_listing@inbox/2026/*.png")
        assert names(found, "memory://batch_listing@inbox/2026/") == ["a.png", "new.png"]
        assert cleared == [None]

    def test_that_does_not_answer_is_an_error_that_a_retry_may_mend(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("the store is on fire")

        monkeypatch.setattr(store, "find", fail)
        with pytest.raises(SourceUnreadableError, match="RuntimeError: the store is on fire") as refused:
            listed("memory://batch_listing@inbox/2026/")
        assert refused.value.retryable


class TestTooMany:
    @pytest.mark.parametrize("how", ["list", "folder", "file"])
    def test_one_more_than_a_batch_takes_is_an_error(
        self, folder: str, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "MOST_DOCUMENTS", 3)
        lines = "".join(json.dumps({"source": f"/data/{number}.png"}) + "\n" for number in range(4))
        Path(folder, "_list.jsonl").write_text(lines)
        values = {
            "list": [f"/data/{number}.png" for number in range(4)],
            "folder": folder,
            "file": f"{folder}_list.jsonl",
        }
        with pytest.raises(InputError, match=r"more than 3 documents .*\.expand\(sources="):
            listed(values[how])

    def test_the_most_that_a_batch_takes_is_taken(self) -> None:
        assert len(listed([f"/data/{number}.png" for number in range(10_000)]).sources) == 10_000
        with pytest.raises(InputError, match="more than 10000 documents"):
            listed([f"/data/{number}.png" for number in range(10_001)])


class TestAListFile:
    def write(self, folder: str, *lines: str, end: str = "\n") -> str:
        Path(folder, "list.jsonl").write_bytes("".join(line + end for line in lines).encode())
        return f"{folder}list.jsonl"

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_names_a_source_a_line(self, folder: str, end: str) -> None:
        uri = self.write(
            folder, "\ufeff" + '{"source": "/a.png"}', "", '{"source": "/b.png", "file_stem": "two"}', end=end
        )
        found = listed(uri)
        assert [(source.uri, source.file_stem) for source in found.sources] == [
            ("/a.png", None),
            ("/b.png", "two"),
        ]
        assert found.base is None

    def test_whose_head_was_read_is_not_opened_again(self, folder: str) -> None:
        uri = self.write(folder, '{"source": "/a.png"}', '{"source": "/b.png"}')
        work, wanted = read_work_list_head(parse_sources(uri))
        Path(folder, "list.jsonl").unlink()
        assert work is None
        assert [source.uri for source in list_sources(parse_sources(wanted)).sources] == ["/a.png", "/b.png"]

    def test_that_cannot_be_read_says_so_when_its_sources_are_listed(self, folder: str) -> None:
        uri = self.write(folder, "no JSON")
        work, wanted = read_work_list_head(parse_sources(uri))
        assert work is None
        with pytest.raises(InputError, match="Line 1 of the list .* is no JSON"):
            list_sources(wanted)

    def test_its_first_line_may_carry_the_base(self, folder: str) -> None:
        assert listed(self.write(folder, '{"base": "/data/"}', '{"source": "/data/a.png"}')).base == "/data/"

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ('{"source": "/b.png"', r"Line 2 of the list .*list\.jsonl' is no JSON"),
            ("[]", "Line 2 of the list .* is no JSON object"),
            ('"/b.png"', "Line 2 of the list .* is no JSON object"),
            ("\x00\x01", "Line 2 of the list .* is no JSON"),
            ('{"source": 3}', "Line 2 of the list .* is 3"),
            ('{"source": "b.png"}', "Line 2 of the list .* is the relative path 'b.png'"),
            ('{"file_stem": "x"}', "Line 2 of the list"),
            ('{"base": "/data/"}', "Line 2 of the list"),
            ('{"source": "/b.png", "file_stem": "../x"}', "Line 2 of the list .*file_stem"),
            ('{"source": "/' + "x" * 1_100_000 + '"}', "Line 2 of the list .* has more than 1048576 bytes"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_broken_line_is_named(self, folder: str, line: str, says: str) -> None:
        uri = self.write(folder, '{"source": "/a.png"}', line, '{"source": "/c.png"}')
        with pytest.raises(InputError, match=says.replace("the list", "the list( of sources)?")):
            listed(uri)

    def test_a_file_that_has_no_lines_is_not_read_to_its_end(
        self, folder: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def endless(*given: Any) -> Any:
            for _ in range(4):
                yield b"x" * 1_000_000
            raise AssertionError("it was read on")

        monkeypatch.setattr(json_lines, "pieces", endless)
        with pytest.raises(InputError, match="Line 1 of the list of sources .* has more than"):
            listed(self.write(folder))

    @pytest.mark.parametrize("base", ['"data"', '"/data"', "3", '"data/"'])
    def test_a_base_is_a_folder(self, folder: str, base: str) -> None:
        with pytest.raises(InputError, match="Line 1 of the list .*base"):
            listed(self.write(folder, f'{{"base": {base}}}', '{"source": "/a.png"}'))

    def test_without_a_line_is_an_error(self, folder: str) -> None:
        with pytest.raises(SourceError, match="no document in the list"):
            listed(self.write(folder))

    def test_that_does_not_exist_is_an_error(self, folder: str) -> None:
        with pytest.raises(SourceError, match="There is no file at the list of sources"):
            listed(f"{folder}no.jsonl")


class TestRowsOfAManifest:
    def write(self, folder: str, *rows: dict[str, Any]) -> str:
        uri = f"{folder}manifest.jsonl"
        made = [
            Manifest(index=index, documents=len(rows), outcome="failed").model_copy(update=row)
            for index, row in enumerate(rows)
        ]
        write_manifest(uri, made, len(made))
        return uri

    def test_are_read_again_under_the_names_that_they_had(self, folder: str) -> None:
        uri = self.write(
            folder,
            {"source": "s3://c@in/a.png", "outcome": "succeeded", "file_stem": "a.png"},
            {"source": "s3://c@in/x/b.png", "file_stem": "x/b.png", "bytes": 7},
            {"source": "s3://c@in/c.png", "file_stem": "c.png", "outcome": "not_started"},
        )
        found = listed({"manifest": uri})
        assert [(one.uri, one.file_stem, one.size_bytes) for one in found.sources] == [
            ("s3://c@in/x/b.png", "x/b.png", 7)
        ]
        assert found.continues == uri
        assert len(listed({"manifest": uri, "outcome": ["failed", "not_started"]}).sources) == 2

    def test_none_of_that_outcome_is_an_error(self, folder: str) -> None:
        uri = self.write(folder, {"source": "/a.png", "outcome": "succeeded", "file_stem": "a.png"})
        with pytest.raises(SourceError, match="no document with the outcome failed in the manifest"):
            listed({"manifest": uri})

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ({"source": None, "file_stem": "a.png"}, "Row 1 of the manifest .* has no source"),
            ({"source": "a.png", "file_stem": "a.png"}, "Row 1 of the manifest .* has no source"),
            ({"source": "/a.png"}, "Row 1 of the manifest .* has no file_stem"),
            ({"source": "/a.png", "file_stem": "../../etc/x"}, "Row 1 of the manifest .* has no file_stem"),
            ({"source": "/a.png", "file_stem": "/etc/x"}, "Row 1 of the manifest .* has no file_stem"),
        ],
    )
    def test_a_row_that_no_batch_wrote_is_refused(self, folder: str, row: dict[str, Any], says: str) -> None:
        with pytest.raises(InputError, match=says):
            listed({"manifest": self.write(folder, row)})

    def test_another_file_is_refused(self, folder: str) -> None:
        Path(folder, "other.jsonl").write_text('{"some": "thing"}\n')
        with pytest.raises(AsposeOcrError, match="Line 1 of the manifest .* not a manifest of"):
            listed({"manifest": f"{folder}other.jsonl"})
