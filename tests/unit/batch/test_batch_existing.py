"""
Files that are in the destination before a batch begins: what is overwritten, left and refused, before anything is sent.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_asposeocr.api.errors import DestinationError, StorageError
from airflow_provider_asposeocr.api.responses import TaskRef
from airflow_provider_asposeocr.batch import makers
from airflow_provider_asposeocr.batch.existing import check_unforeseen, decide_existing
from airflow_provider_asposeocr.batch.folder_listing import find_files
from airflow_provider_asposeocr.batch.makers import maker_of
from airflow_provider_asposeocr.batch.manifest_file import write_manifest
from airflow_provider_asposeocr.batch.plan import BatchDocument
from airflow_provider_asposeocr.batch.state_folders import (
    MOST_STATE_FOLDERS,
    name_state_folder,
    state_folders,
)
from airflow_provider_asposeocr.batch.steps import Step, parse_steps
from airflow_provider_asposeocr.documents.file_systems import object_path
from airflow_provider_asposeocr.documents.manifest import Manifest, StoredResult, parse_manifest
from airflow_provider_asposeocr.documents.owners import Claims, record_path
from tests.support.object_stores import Store, attached

(TEXT,) = parse_steps([{"operation": "RecognizeImage", "settings": {"resultType": "Text"}}])
(BOTH,) = parse_steps([{"operation": "RecognizeImage", "settings": {"resultType": "TextAndPdf"}}])

TWO_REGIONS = {"resultType": "Text", "regions": [[0, 0, 9, 9], [9, 9, 19, 19]]}
(REGIONS,) = parse_steps([{"operation": "RecognizeRegions", "settings": TWO_REGIONS}])

OUT = "memory://batch_existing@out/"
STATE = f"{OUT}.aspose-ocr/"
SOURCE = "memory://batch_existing@in/a.png"
OTHER = "memory://batch_existing@in/other.png"


@pytest.fixture
def store() -> Store:
    return attached("memory", "batch_existing")


def document(source: str = SOURCE, file_stem: str = "a.png") -> BatchDocument:
    return BatchDocument(0, source, None, file_stem)


def task(source: str) -> TaskRef:
    return TaskRef(
        operation="RecognizeImage",
        id="x",
        submitted_at=datetime(2026, 3, 2, tzinfo=UTC),
        conn_id="ocr",
        source_uri=source,
        source_qualifier="batch_existing",
    )


def made_by_a_batch(
    source: str,
    *names: str,
    at: str = "2026/03/02/m.jsonl",
    out: str = OUT,
    state: str | None = None,
    **fields: Any,
) -> Manifest:
    results = [StoredResult(type="Text", uri=f"{out}{name}", bytes=5, sha256="a" * 64) for name in names]
    row = Manifest(
        index=0, documents=1, outcome="succeeded", source=source, task=task(source), results=results, **fields
    )
    write_manifest(f"{state or f'{out}.aspose-ocr/'}manifests/{at}", [row], 1)
    return row


def made_by_a_fetch(source: str, name: str) -> None:
    Claims(task(source), "overwrite").take([object_path(f"{OUT}{name}")])


def decided(if_exists: Any, step: Step = TEXT, earlier: Any = (), **changed: Any) -> Any:
    (found,) = decide_existing([document(**changed)], step, OUT, if_exists, STATE, earlier)
    return found.decided


@pytest.mark.parametrize("if_exists", ["overwrite", "overwrite_any", "fail", "skip"])
def test_where_nothing_is_there_everything_is_sent(store: Store, if_exists: str) -> None:
    store.pipe({"/out/b.png.txt": b"other"})
    assert decided(if_exists) is None


def test_a_destination_that_does_not_exist_yet_is_an_empty_one(tmp_path: Path) -> None:
    documents = [document()]
    assert decide_existing(
        documents, TEXT, f"{tmp_path}/no/", "skip", f"{tmp_path}/no/.aspose-ocr/"
    ) == tuple(documents)


def test_another_batch_with_another_state_folder_is_asked_too(store: Store) -> None:
    state = "memory://batch_existing@state/"
    store.pipe({"/out/a.png.txt": b"hello"})
    made_by_a_batch(SOURCE, "a.png.txt", state=state)
    assert decided("overwrite")["outcome"] == "failed"
    name_state_folder(OUT, state)
    assert decided("overwrite") is None


def test_a_state_folder_whose_connection_is_gone_stops_no_batch(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store.pipe({"/out/a.png.txt": b"hello"})
    made_by_a_batch(SOURCE, "a.png.txt")
    name_state_folder(OUT, "s3://deleted@scratch/")
    assert decided("overwrite") is None
    assert "s3://deleted@scratch/" in caplog.text
    assert "delete the file that names it" in caplog.text


def test_the_state_folders_of_the_latest_batches_are_asked(tmp_path: Path) -> None:
    out = f"{tmp_path}/out/"
    states = [f"{tmp_path}/state/{day:02}/" for day in range(MOST_STATE_FOLDERS + 5)]
    names = tmp_path / "out" / ".aspose-ocr" / "elsewhere"
    for day, state in enumerate(states):
        before = set(names.iterdir()) if day else set()
        name_state_folder(out, state)
        (name,) = set(names.iterdir()) - before
        os.utime(name, (day, day))
    assert list(state_folders(out))[1:] == states[:-MOST_STATE_FOLDERS:-1]


def test_a_batch_whose_state_lies_in_its_destination_writes_nothing_about_it(store: Store) -> None:
    store.calls.clear()
    name_state_folder(OUT, STATE)
    assert store.calls == []


@pytest.mark.parametrize("maker", ["fetch", "batch", "journal"])
class TestOverwrite:
    def make(self, store: Store, maker: str, source: str) -> Any:
        if maker == "fetch":
            made_by_a_fetch(source, "a.png.txt")
        store.pipe({"/out/a.png.txt": b"hello"})
        if maker == "fetch":
            return ()
        row = made_by_a_batch(source, "a.png.txt")
        if maker == "journal":
            store.rm("/out/.aspose-ocr/manifests", recursive=True)
            return [row]
        return ()

    def test_what_the_same_source_made_is_overwritten(self, store: Store, maker: str) -> None:
        earlier = self.make(store, maker, SOURCE)
        assert decided("overwrite", earlier=earlier) is None

    def test_what_another_source_made_is_refused(self, store: Store, maker: str) -> None:
        earlier = self.make(store, maker, OTHER)
        row = decided("overwrite", earlier=earlier)
        assert row["outcome"] == "failed"
        assert (row["error"]["class"], row["error"]["billed"]) == ("DestinationError", "no")
        assert "was made from another document, memory://in/other.png, says " in row["error"]["message"]
        assert not row["error"]["retryable"]

    def test_skip_refuses_it_too_because_this_result_would_be_lost(self, store: Store, maker: str) -> None:
        earlier = self.make(store, maker, OTHER)
        assert decided("skip", earlier=earlier)["outcome"] == "failed"

    def test_overwrite_any_reads_no_record(self, store: Store, maker: str) -> None:
        earlier = self.make(store, maker, OTHER)
        store.calls.clear()
        assert decided("overwrite_any", earlier=earlier) is None
        assert store.calls == []


class TestUnknownMakers:
    @pytest.mark.parametrize(
        "manifest",
        [
            None,
            b"{",
            b'{"some": "thing"}\n',
            b'{"source": 3, "results": [3, {"uri": 4}], "task": 5}\n',
            b"\xff\xfe",
        ],
    )
    def test_are_taken_for_another_document(self, store: Store, manifest: bytes | None) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        if manifest is not None:
            store.pipe({"/out/.aspose-ocr/manifests/2026/03/02/m.jsonl": manifest})
        assert (
            "no owner record and no manifest says which document made it"
            in decided("overwrite")["error"]["message"]
        )

    def test_another_store_s_source_of_that_name_is_another_document(self, store: Store) -> None:
        row = made_by_a_batch(SOURCE, "a.png.txt")
        store.pipe({"/out/a.png.txt": b"hello"})
        other_store = row.model_copy(
            update={"task": task(SOURCE).model_copy(update={"source_qualifier": "elsewhere"})}
        )
        store.rm("/out/.aspose-ocr/manifests", recursive=True)
        assert decided("overwrite", earlier=[row]) is None
        message = decided("overwrite", earlier=[other_store])["error"]["message"]
        assert (
            "from another document of the same name (elsewhere, not batch_existing), says the journal"
            in message
        )


class TestManifests:
    def test_the_newest_one_counts(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        made_by_a_batch(OTHER, "a.png.txt", at="2026/12/31/old.jsonl")
        made_by_a_batch(SOURCE, "a.png.txt", at="2026/01/01/new.jsonl")
        times = {"old": datetime(2026, 1, 1, tzinfo=UTC), "new": datetime(2026, 2, 1, tzinfo=UTC)}
        for path, file in store.store.items():
            if "/manifests/" in path:
                file.modified = file.created = times[Path(path).stem]
        assert decided("overwrite") is None
        times |= {"old": datetime(2026, 3, 1, tzinfo=UTC)}
        for path, file in store.store.items():
            if "/manifests/" in path:
                file.modified = file.created = times[Path(path).stem]
        assert decided("overwrite")["outcome"] == "failed"

    def test_a_file_that_was_left_was_not_made(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        row = made_by_a_batch(SOURCE, "a.png.txt")
        left = [result.model_copy(update={"skipped": True}) for result in row.results]
        write_manifest(f"{STATE}manifests/2026/03/02/m.jsonl", [row.model_copy(update={"results": left})], 1)
        assert decided("overwrite")["outcome"] == "failed"

    def test_a_duplicate_has_not_made_the_results_that_it_names(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        row = made_by_a_batch(SOURCE, "a.png.txt").model_copy(update={"outcome": "duplicate"})
        write_manifest(f"{STATE}manifests/2026/03/02/m.jsonl", [row], 1)
        assert decided("overwrite")["outcome"] == "failed"

    def test_are_not_read_where_records_say_it_all(self, store: Store) -> None:
        made_by_a_fetch(SOURCE, "a.png.txt")
        store.pipe({"/out/a.png.txt": b"hello"})
        made_by_a_batch(OTHER, "a.png.txt")
        store.calls.clear()
        assert decided("overwrite") is None
        assert not [call for call in store.calls if "/manifests/" in call]

    def test_are_not_read_where_nothing_is_there(self, store: Store) -> None:
        made_by_a_batch(OTHER, "a.png.txt")
        store.calls.clear()
        assert decided("overwrite") is None
        assert store.calls == []


class TestNamesThatListingsOfSourcesSkip:
    """Names that begin with an underscore: a source that is listed by itself, or a base above ``_scans/``, has them."""

    @pytest.mark.parametrize("file_stem", ["_b", "_scans/a.png", "2026/_scans/_b.png"])
    @pytest.mark.parametrize("is_local", [False, True])
    def test_are_seen(self, store: Store, tmp_path: Path, file_stem: str, is_local: bool) -> None:
        out = f"{tmp_path}/out/" if is_local else OUT
        if is_local:
            there = Path(f"{out}{file_stem}.txt")
            there.parent.mkdir(parents=True)
            there.write_bytes(b"hello")
        else:
            store.pipe({f"/out/{file_stem}.txt": b"hello"})
        (found,) = decide_existing([document(file_stem=file_stem)], TEXT, out, "fail", f"{out}.aspose-ocr/")
        assert found.decided is not None
        assert found.decided["outcome"] == "failed"

    def test_the_state_folder_is_not_listed(self, tmp_path: Path) -> None:
        state = tmp_path / ".aspose-ocr"
        (state / "batches").mkdir(parents=True)
        (state / "batches/_b.txt").write_bytes(b"hello")
        (tmp_path / "_b.txt").write_bytes(b"hello")
        assert set(find_files(f"{tmp_path}/", underscored=True)) == {"_b.txt"}


class TestNumberedResults:
    """Several results of one suffix, as ``RecognizeRegions`` makes them, are ``a.png-1.txt``, ``a.png-2.txt``."""

    def test_another_document_s_are_not_overwritten(self, store: Store) -> None:
        store.pipe({"/out/a.png-1.txt": b"hello", "/out/a.png-2.txt": b"hello"})
        made_by_a_batch(SOURCE, "a.png-1.txt")
        assert "a.png-2.txt may be another" in decided("overwrite", REGIONS)["error"]["message"]
        made_by_a_batch(SOURCE, "a.png-1.txt", "a.png-2.txt")
        assert decided("overwrite", REGIONS) is None

    def test_fail_sees_them(self, store: Store) -> None:
        store.pipe({"/out/a.png-1.txt": b"hello"})
        assert "a.png-1.txt exists already" in decided("fail", REGIONS)["error"]["message"]

    def test_skip_leaves_and_describes_them(self, store: Store) -> None:
        store.pipe({"/out/a.png-1.txt": b"hello", "/out/a.png-2.txt": b"hello"})
        row = decided("skip", REGIONS)
        assert row["outcome"] == "skipped"
        assert [(result["uri"], result["type"]) for result in row["results"]] == [
            (f"{OUT}a.png-1.txt", "Text"),
            (f"{OUT}a.png-2.txt", "Text"),
        ]

    def test_numbers_of_one_suffix_do_not_stand_for_another(self, store: Store) -> None:
        store.pipe({"/out/a.png-1.txt": b"hello", "/out/a.png-2.txt": b"hello"})
        made_by_a_batch(SOURCE, "a.png-1.txt", "a.png-2.txt")
        settings = {**TWO_REGIONS, "resultType": "TextAndPdf"}
        (both,) = parse_steps([{"operation": "RecognizeRegions", "settings": settings}])
        assert decided("skip", both) is None

    def test_skip_makes_all_again_where_a_number_is_missing(self, store: Store) -> None:
        store.pipe({"/out/a.png-2.txt": b"hello"})
        assert decided("skip", REGIONS)["outcome"] == "failed"
        made_by_a_batch(SOURCE, "a.png-2.txt")
        assert decided("skip", REGIONS) is None

    def test_one_result_of_several_regions_has_no_number(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        assert "a.png.txt exists already" in decided("fail", REGIONS)["error"]["message"]

    def test_are_another_source_s_names_where_a_document_has_one_result(self, store: Store) -> None:
        store.pipe({"/out/a-1.txt": b"of a-1.png"})
        for if_exists in ("overwrite", "fail", "skip"):
            assert decided(if_exists, TEXT, file_stem="a") is None


class TestFail:
    def test_any_result_that_is_there_fails_the_document(self, store: Store) -> None:
        store.pipe({"/out/a.png.pdf": b"hello"})
        row = decided("fail", BOTH)
        assert row["error"]["message"] == f"{OUT}a.png.pdf exists already, and if_exists is 'fail'."


class TestSkip:
    def test_a_document_all_of_whose_results_are_there_is_described_and_not_sent(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello", "/out/a.png.pdf": b"%PDF"})
        made_by_a_batch(SOURCE, "a.png.txt")
        row = parse_manifest({"schema_version": 1, "index": 0, "task": None, **decided("skip", BOTH)})
        assert row.outcome == "skipped"
        text, pdf = row.results
        assert (text.type, text.uri, text.bytes, text.sha256, text.skipped) == (
            "Text",
            f"{OUT}a.png.txt",
            5,
            "a" * 64,
            True,
        )
        assert (pdf.type, pdf.bytes, pdf.sha256) == ("Pdf", 4, None)

    def test_a_checksum_of_another_size_is_not_taken(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"changed since"})
        made_by_a_batch(SOURCE, "a.png.txt")
        assert decided("skip")["results"][0]["sha256"] is None

    def test_a_document_with_a_part_of_its_results_is_sent_if_they_are_its_own(self, store: Store) -> None:
        store.pipe({"/out/a.png.txt": b"hello"})
        assert decided("skip", BOTH)["outcome"] == "failed"
        made_by_a_batch(SOURCE, "a.png.txt")
        assert decided("skip", BOTH) is None

    def test_without_a_promise_of_suffixes_any_result_counts(self, store: Store) -> None:
        store.pipe({"/out/a.png.hocr": b"hello"})
        assert decided("skip", Step("RecognizeImage"))["outcome"] == "skipped"
        store.pipe({"/out/a.png.md": b"a note of the user's"})
        store.rm("/out/a.png.hocr")
        assert decided("skip", Step("RecognizeImage")) is None


class TestLocalFiles:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        Path(tmp_path, "in").mkdir()
        Path(tmp_path, "in/a.png").write_bytes(b"picture")
        Path(tmp_path, "out").mkdir()
        Path(tmp_path, "out/a.png.txt").write_bytes(b"hello")
        return f"{tmp_path}/"

    def decide(self, folder: str, sha256: str) -> Any:
        """Decide, where an earlier batch made the file of a source with that checksum, in a temporary folder."""
        source = f"{folder}in/a.png"
        ref = task(source).model_copy(update={"source_qualifier": f"sha256:{sha256}"})
        results = [StoredResult(type="Text", uri=f"{folder}out/a.png.txt", bytes=5, sha256="b" * 64)]
        row = Manifest(index=0, documents=1, outcome="succeeded", source=source, task=ref, results=results)
        state = f"{folder}out/.aspose-ocr/"
        write_manifest(f"{state}manifests/2026/03/02/m.jsonl", [row], 1)
        (found,) = decide_existing([document(source)], TEXT, f"{folder}out/", "overwrite", state)
        return found.decided

    def test_a_temporary_file_is_the_same_document_as_long_as_its_content_is(self, folder: str) -> None:
        assert self.decide(folder, "eebbf6e3d0e94f5ab7d3a1bdc8a8e3e0") is not None
        assert self.decide(folder, hashlib.sha256(b"picture").hexdigest()) is None


def test_a_destination_that_does_not_answer_is_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("the store is on fire")

    monkeypatch.setattr(store, "find", fail)
    with pytest.raises(
        StorageError, match="cannot be listed to see which files are there: RuntimeError"
    ) as refused:
        decided("overwrite")
    assert refused.value.billed == "no"
    assert refused.value.retryable


def test_the_row_of_a_decided_document_is_plain_json(store: Store) -> None:
    store.pipe({"/out/a.png.txt": b"hello"})
    for if_exists in ("overwrite", "skip", "fail"):
        assert json.loads(json.dumps(decided(if_exists))) == decided(if_exists)


class TestUnforeseen:
    """A result that no setting promises, where a file of its name is there already."""

    RESULT = f"{OUT}a.png.pdf"

    @pytest.fixture(autouse=True)
    def there(self, store: Store) -> None:
        store.pipe({"/out/a.png.pdf": b"hello"})

    def check(self, if_exists: Any = "overwrite", content: bytes = b"mine") -> None:
        files = {self.RESULT: hashlib.sha256(content).hexdigest()}
        check_unforeseen(document(), files, OUT, STATE, if_exists)

    @pytest.mark.parametrize("if_exists", ["overwrite", "skip", "fail"])
    def test_of_another_source_is_left_alone(self, if_exists: Any) -> None:
        made_by_a_batch(OTHER, "a.png.pdf")
        with pytest.raises(DestinationError, match="No setting promises this result: .*a.png.pdf") as refused:
            self.check(if_exists)
        assert (refused.value.billed, refused.value.retryable) == ("already", False)

    def test_of_an_unknown_source_is_left_alone(self) -> None:
        with pytest.raises(DestinationError, match="no owner record and no manifest says"):
            self.check()

    def test_of_the_same_source_is_overwritten(self) -> None:
        made_by_a_batch(SOURCE, "a.png.pdf")
        self.check()
        self.check("skip")
        with pytest.raises(DestinationError, match="if_exists is 'fail'"):
            self.check("fail")

    def test_with_the_same_content_was_stored_by_this_batch_before_it_was_killed(self) -> None:
        self.check("fail", b"hello")

    def test_overwrite_any_asks_nobody_who_made_it(self) -> None:
        made_by_a_batch(OTHER, "a.png.pdf")
        self.check("overwrite_any")


class TestSingleFetch:
    """A fetch of one document that finds a file which a batch has made."""

    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path) -> None:
        self.out = f"{tmp_path}/out/"
        (tmp_path / "out" / "2026" / "03").mkdir(parents=True)
        for name in ("a.txt", "2026/03/a.txt"):
            (tmp_path / "out" / name).write_text("text!")

    def take(self, source: str, name: str = "a.txt", if_exists: Any = "overwrite") -> list[Any]:
        return Claims(task(source), if_exists, maker_of).take([object_path(f"{self.out}{name}")])

    def made(self, source: str, name: str, at: str = "2026/03/02/m.jsonl") -> None:
        made_by_a_batch(source, name, at=at, out=self.out)

    @pytest.mark.parametrize("if_exists", ["overwrite", "skip"])
    def test_of_another_document_is_refused(self, if_exists: Any) -> None:
        self.made(OTHER, "a.txt")
        with pytest.raises(DestinationError, match="in/other.png .*, says .*manifests/2026/03/02/m.jsonl"):
            self.take(SOURCE, if_exists=if_exists)

    def test_of_the_same_document_overwrites_it_and_claims_it_from_then_on(self) -> None:
        self.made(SOURCE, "a.txt")
        assert self.take(SOURCE) == []
        assert record_path(object_path(f"{self.out}a.txt")).exists()
        object_path(f"{self.out}.aspose-ocr/manifests/2026/03/02/m.jsonl").unlink()
        with pytest.raises(DestinationError, match="another document"):
            self.take(OTHER)

    def test_finds_the_manifests_of_a_batch_whose_destination_is_a_folder_above(self) -> None:
        self.made(SOURCE, "2026/03/a.txt")
        assert self.take(SOURCE, "2026/03/a.txt") == []

    def test_finds_the_manifests_of_a_batch_that_keeps_them_elsewhere(self, tmp_path: Path) -> None:
        state = f"{tmp_path}/state/"
        name_state_folder(self.out, state)
        made_by_a_batch(SOURCE, "a.txt", out=self.out, state=state)
        assert self.take(SOURCE) == []
        with pytest.raises(DestinationError, match="belongs to another document"):
            self.take(OTHER)

    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"{}", b'{"state": 3}', b'{"state": "here/"}', b'{"state": "/no"}']
    )
    def test_what_names_no_state_folder_says_nothing(self, content: bytes) -> None:
        elsewhere = object_path(f"{self.out}.aspose-ocr/elsewhere/0.json")
        elsewhere.parent.mkdir(parents=True)
        elsewhere.write_bytes(content)
        with pytest.raises(DestinationError, match="no manifest of a batch that was asked says"):
            self.take(SOURCE)

    def test_a_file_of_which_no_manifest_speaks_is_another_s(self) -> None:
        self.made(SOURCE, "b.txt")
        with pytest.raises(DestinationError, match="no manifest of a batch that was asked says"):
            self.take(SOURCE)

    def test_no_more_manifests_are_read_than_are_worth_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(makers, "MOST_MANIFESTS", 2)
        for number in range(3):
            self.made(SOURCE, "a.txt" if number == 0 else "b.txt", at=f"{number}.jsonl")
        with pytest.raises(DestinationError, match="no manifest"):
            self.take(SOURCE)
        monkeypatch.setattr(makers, "MOST_MANIFESTS", 3)
        assert self.take(SOURCE) == []

    def test_none_is_read_where_a_record_says_it(self) -> None:
        Claims(task(SOURCE), "overwrite_any").take([object_path(f"{self.out}a.txt")])
        self.made(OTHER, "a.txt")
        assert self.take(SOURCE) == []

    def test_a_folder_that_may_not_be_listed_says_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> Any:
            raise PermissionError("AccessDenied")

        monkeypatch.setattr(makers, "find_files", refuse)
        with pytest.raises(DestinationError, match="no manifest"):
            self.take(SOURCE)
