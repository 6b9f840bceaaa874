from __future__ import annotations

import hashlib
import io
import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_asposeocr.api.errors import DestinationError, StorageError
from airflow_provider_asposeocr.api.results.download import Download, Result
from airflow_provider_asposeocr.documents.destinations import check_file_stem, parse_destination, plan, store
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from tests.support.object_stores import Store, Versioned, attached
from tests.support.stored_results import REF, done, listing, result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_asposeocr.emulator.server import Emulator


@pytest.fixture
def two(spool: Path) -> Download:
    return done(result(spool, "Text", b"Hello."), result(spool, "Pdf", b"%PDF-"))


class TestDestination:
    @pytest.mark.parametrize(
        ("value", "parsed"),
        [
            ("/out/", "/out/"),
            ("/out/page.txt", "/out/page.txt"),
            ("s3://conn@bucket/out/", "s3://conn@bucket/out/"),
            (ObjectStoragePath("file:///out/x.txt"), "file:///out/x.txt"),
            (Path("/out/x.txt"), "/out/x.txt"),
            ("/out/any.name", "/out/any.name"),
            ("/v1.1/scan.7z", "/v1.1/scan.7z"),
        ],
    )
    def test_paths_and_uris(self, value: Any, parsed: str) -> None:
        assert parse_destination(value) == parsed

    @pytest.mark.parametrize("value", [None, "", "  ", 3, b"/out/", ["/out/"], {}])
    def test_what_is_none_is_refused(self, value: Any) -> None:
        with pytest.raises(DestinationError, match="is a path or a URI"):
            parse_destination(value)

    @pytest.mark.parametrize("value", ["out/", "./out/", "../out/", "page.txt", "~/out/"])
    def test_a_relative_path_is_refused(self, value: str) -> None:
        with pytest.raises(DestinationError, match="relative path"):
            parse_destination(value)

    @pytest.mark.parametrize(
        "value",
        [
            ObjectStoragePath("s3://b/outbox/"),
            ObjectStoragePath("s3://b/"),
            Path("/data/outbox/"),
            os.path.join("s3://b", "outbox"),
            "s3://my.bucket",
            "s3://conn@b/2026.11.29",
            "/out/v1.1",
            "/out/.hidden",
            "/out",
        ],
        ids=str,
    )
    def test_a_folder_that_has_lost_its_slash_is_refused(self, value: Any) -> None:
        if str(value).endswith("/"):  # The root of a bucket keeps it.
            assert parse_destination(value) == "s3://b/"
            return
        with pytest.raises(DestinationError, match="a folder or as a file. End it with a slash"):
            parse_destination(value)

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("file:////data/out/", "write three, file:///data/out/"),
            ("abfss://out@account.dfs.core.windows.net/2026/", "abfss://my_connection@out/2026/"),
            ("/data/line\nbreak/", "line break"),
            ("/data/\udcff/", "no text"),
        ],
    )
    def test_what_would_be_written_elsewhere_is_refused_before_anything_is_billed(
        self, value: str, said: str
    ) -> None:
        with pytest.raises(DestinationError) as caught:
            parse_destination(value)
        assert said in caught.value.message

    @pytest.mark.parametrize(
        ("value", "shown"), [(3.1, "3.1"), (20261129, "20261129"), (True, "True"), ([1], r"\[1\]")]
    )
    def test_a_stem_that_native_rendering_has_changed_is_no_guess(self, value: Any, shown: str) -> None:
        with pytest.raises(
            DestinationError, match=rf"not {shown}\. With render_template_as_native_obj.*tojson"
        ):
            check_file_stem(value)
        with pytest.raises(DestinationError, match="render_template_as_native_obj"):
            parse_destination(value)

    @pytest.mark.parametrize(
        "value", ["", " ", ".", "..", ".a", "a/b", "/a", "a\\b", "../a", "a\0", "a\n", "\ud800", "a" * 201]
    )
    def test_a_stem_is_no_path(self, value: str, two: Download, out: Path) -> None:
        with pytest.raises(DestinationError, match="^file_stem "):
            check_file_stem(value)
        with pytest.raises(DestinationError, match="^file_stem "):
            store(REF, two, f"{out}/", file_stem=value)
        assert not out.exists()


class TestNames:
    def test_follow_source_and_type(self, two: Download, out: Path) -> None:
        manifest = store(REF, two, f"{out}/")
        assert listing(out) == {"page.txt": b"Hello.", "page.pdf": b"%PDF-"}
        assert [entry.uri for entry in manifest.results] == [f"{out}/page.txt", f"{out}/page.pdf"]

    def test_follow_a_stem(self, two: Download, out: Path) -> None:
        store(REF, two, f"{out}/", file_stem="scan 7")
        assert set(listing(out)) == {"scan 7.txt", "scan 7.pdf"}

    @pytest.mark.parametrize("name", [None, "", "..", "/"])
    def test_follow_the_task_where_there_is_no_source_name(
        self, two: Download, out: Path, name: str | None
    ) -> None:
        store(REF.model_copy(update={"source_name": name}), two, f"{out}/")
        assert set(listing(out)) == {"RecognizeImage-id-1.txt", "RecognizeImage-id-1.pdf"}

    def test_are_numbered_where_a_type_comes_several_times(self, spool: Path, out: Path) -> None:
        results = [result(spool, "Text", b"%d" % n) for n in range(3)] + [result(spool, "Pdf", b"%PDF-")]
        store(REF, done(*results), f"{out}/")
        assert listing(out) == {
            "page-1.txt": b"0",
            "page-2.txt": b"1",
            "page-3.txt": b"2",
            "page.pdf": b"%PDF-",
        }

    @given(
        source_name=st.none()
        | st.text(max_size=200)
        | st.sampled_from(["../../x", "/etc/x", "..\\x", "a/../b"]),
        id=st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable())
        | st.sampled_from(["../../x", "/", ".."]),
        types=st.lists(st.none() | st.text(max_size=20) | st.just("../../evil"), min_size=1, max_size=4),
    )
    def test_never_leave_the_folder_and_never_meet(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        source_name: str | None,
        id: str,
        types: list[str | None],
    ) -> None:
        data = tmp_path_factory.getbasetemp() / "some-result"
        data.write_bytes(b"x")
        ref = REF.model_copy(update={"source_name": source_name, "id": id})
        results = [Result(type, data, 1, "") for type in types]
        paths = [target.path.path for target in plan(ref, results, "/out/folder/", None)]
        assert len(set(paths)) == len(types)
        for path in paths:
            folder, _, name = path.rpartition("/")
            assert folder == "/out/folder"
            assert name not in ("", ".", "..")
            assert "\x00" not in name

    def test_of_one_file_are_the_user_s(self, spool: Path, out: Path) -> None:
        store(REF, done(result(spool, "Text", b"Hello.")), f"{out}/sub/any.name")
        assert listing(out) == {"sub/any.name": b"Hello."}

    def test_one_file_takes_one_result(self, two: Download, out: Path) -> None:
        with pytest.raises(
            DestinationError, match=r"one file, but there are 2 results \(Text, Pdf\)"
        ) as caught:
            store(REF, two, f"{out}/page.txt")
        assert caught.value.task_id == "id-1"
        assert not out.exists()


class TestManifest:
    def test_says_everything(self, two: Download, out: Path) -> None:
        import json

        manifest = store(REF, two, f"{out}/").to_dict()
        assert json.loads(json.dumps(manifest)) == {
            "schema_version": 1,
            "source": None,
            "bytes": None,
            "sha256": None,
            "outcome": "succeeded",
            "task": REF.to_dict(),
            "response_status_code": "Ok",
            "messages": ["m"],
            "warnings": ["w"],
            "shortfall": None,
            "results": [
                {
                    "type": "Text",
                    "uri": f"{out}/page.txt",
                    "skipped": False,
                    "bytes": 6,
                    "sha256": hashlib.sha256(b"Hello.").hexdigest(),
                },
                {
                    "type": "Pdf",
                    "uri": f"{out}/page.pdf",
                    "skipped": False,
                    "bytes": 5,
                    "sha256": hashlib.sha256(b"%PDF-").hexdigest(),
                },
            ],
            "first_words": "Hello.",
        }

    @pytest.mark.parametrize(("limit", "text"), [(0, None), (5, None), (6, "Hello."), (100, "Hello.")])
    def test_has_short_texts_where_wanted(
        self, two: Download, out: Path, limit: int, text: str | None
    ) -> None:
        first, second = store(REF, two, f"{out}/", inline_text_bytes=limit).to_dict()["results"]
        assert first.get("text") == text
        assert "text" not in second


class TestIfExists:
    def test_overwrite_replaces(self, two: Download, out: Path) -> None:
        out.mkdir()
        (out / "page.txt").write_text("old")
        store(REF, two, f"{out}/")
        assert listing(out)["page.txt"] == b"Hello."

    def test_fail_writes_nothing(self, two: Download, out: Path) -> None:
        out.mkdir()
        (out / "page.pdf").write_text("old")  # the second of the two
        with pytest.raises(DestinationError, match="exists already") as caught:
            store(REF, two, f"{out}/", if_exists="fail")
        assert listing(out) == {"page.pdf": b"old"}
        assert not caught.value.retryable
        assert caught.value.task_id == "id-1"

    def test_fail_writes_where_nothing_is(self, two: Download, out: Path) -> None:
        store(REF, two, f"{out}/", if_exists="fail")
        assert len(listing(out)) == 2

    def test_skip_leaves_and_describes_what_is_there(self, two: Download, out: Path) -> None:
        out.mkdir()
        (out / "page.txt").write_text("old")
        first, second = store(REF, two, f"{out}/", if_exists="skip").results
        assert listing(out) == {"page.txt": b"old", "page.pdf": b"%PDF-"}
        assert (first.skipped, first.bytes) == (True, 3)
        assert first.sha256 == hashlib.sha256(b"old").hexdigest()
        assert second.skipped is False

    def test_another_word_is_refused_before_anything_is_written(self, two: Download, out: Path) -> None:
        with pytest.raises(DestinationError, match="overwrite, overwrite_any, fail, skip"):
            store(REF, two, f"{out}/", if_exists="replace")  # type: ignore[arg-type]  # a word that is none
        assert not out.exists()


class Interrupted:
    """A result whose reading breaks in the middle."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    @contextmanager
    def open(self, _: str) -> Iterator[Any]:
        yield self

    def __getattr__(self, name: str) -> Any:
        return getattr(io.BytesIO(b"x"), name)

    _count = 0

    def read(self, size: int = -1) -> bytes:
        self._count += 1
        if self._count > 2:
            raise self._error
        return b"x" * size


class TestWholeOrNotAtAll:
    @pytest.mark.parametrize("error", [OSError(28, "No space left"), KeyboardInterrupt(), SystemExit()])
    def test_a_local_write_that_breaks_leaves_nothing(self, out: Path, error: BaseException) -> None:
        out.mkdir()
        (out / "page.txt").write_text("old")
        broken = Result("Text", Interrupted(error), 9, "")  # type: ignore[arg-type]  # as much of bytes as store() needs
        expected = StorageError if isinstance(error, OSError) else type(error)
        with pytest.raises(expected):
            store(REF, done(broken), f"{out}/")
        assert listing(out) == {"page.txt": b"old"}

    def test_a_reader_never_sees_half_a_file(self, out: Path, spool: Path) -> None:
        """A rename makes the name appear: a process that has the old file open keeps the old one."""
        out.mkdir()
        (out / "page.txt").write_text("old")
        with (out / "page.txt").open() as reader:
            store(REF, done(result(spool, "Text", b"new")), f"{out}/")
            assert reader.read() == "old"
        assert listing(out) == {"page.txt": b"new"}

    @pytest.mark.parametrize("destination", ["file/", "file/below/", "file/page.txt"])
    def test_a_destination_that_cannot_be_written_is_named(
        self, spool: Path, tmp_path: Path, destination: str
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(StorageError, match="cannot be written") as caught:
            store(REF, done(result(spool, "Text", b"Hello.")), f"{tmp_path}/{destination}")
        assert (caught.value.task_id, caught.value.billed) == ("id-1", "already")
        assert caught.value.retryable

    def test_a_folder_in_the_place_of_the_file_is_named(self, spool: Path, tmp_path: Path) -> None:
        (tmp_path / "folder.d").mkdir()
        with pytest.raises(DestinationError, match="folder") as caught:
            store(REF, done(result(spool, "Text", b"Hello.")), f"{tmp_path}/folder.d")
        assert caught.value.task_id == "id-1"
        assert listing(tmp_path / "folder.d") == {}

    @pytest.mark.parametrize("destination", ["nope://bucket/out/", "nope://bucket/out.txt"])
    def test_an_unknown_scheme_is_final(self, spool: Path, destination: str) -> None:
        with pytest.raises(DestinationError, match="nope") as caught:
            store(REF, done(result(spool, "Text", b"Hello.")), destination)
        assert not caught.value.retryable
        assert caught.value.task_id == "id-1"


def results_in(bucket: Store) -> dict[str, bytes]:
    return {name: data for name, data in bucket.files().items() if "/.aspose-ocr/owners/" not in name}

    @pytest.mark.parametrize(
        ("destination", "said"),
        [
            ("abfss://out@account.dfs.core.windows.net/2026/", "abfss://my_connection@out/2026/"),
            ("sftp://conn@/out/", "pip install 'apache-airflow-providers-sftp"),
            ("/data/line\nbreak/", "line break"),
        ],
    )
    def test_so_is_what_airflow_cannot_open_as_written(
        self, spool: Path, destination: str, said: str
    ) -> None:
        with pytest.raises(DestinationError) as caught:
            store(REF, done(result(spool, "Text", b"Hello.")), destination)
        assert said in caught.value.message
        assert not caught.value.retryable


class TestObjectStores:
    def test_a_stem_that_the_library_would_cut_is_refused(self, two: Download) -> None:
        bucket = attached("s3", "versions", kind=Versioned)
        with pytest.raises(DestinationError, match="'bucket/out/page' would be opened instead"):
            store(REF, two, "s3://versions@bucket/out/", file_stem="page?versionId=1")
        assert bucket.files() == {}

    @pytest.mark.parametrize("protocol", ["s3", "gs", "abfs"])
    def test_one_that_commits_uploads_gets_each_result_in_one(self, two: Download, protocol: str) -> None:
        bucket = attached(protocol, "outbox")
        manifest = store(REF, two, f"{protocol}://outbox@bucket/2024/")
        assert results_in(bucket) == {"/bucket/2024/page.txt": b"Hello.", "/bucket/2024/page.pdf": b"%PDF-"}
        assert [call for call in bucket.calls if not call.startswith("open")] == [
            "put_file bucket/2024/page.txt",
            "put_file bucket/2024/page.pdf",
        ]
        assert manifest.results[0].uri == f"{protocol}://outbox@bucket/2024/page.txt"

    def test_another_one_gets_a_hidden_name_and_a_rename(self, two: Download) -> None:
        bucket = attached("memory", "outbox")
        store(REF, two, "memory://outbox@bucket/2024/")
        assert results_in(bucket) == {"/bucket/2024/page.txt": b"Hello.", "/bucket/2024/page.pdf": b"%PDF-"}
        uploads = [call for call in bucket.calls if call.startswith("put_file")]
        assert all("/.aspose-ocr-" in call and call.endswith(".part") for call in uploads)

    @pytest.mark.parametrize(
        ("protocol", "fails"), [("s3", "put_file"), ("memory", "put_file"), ("memory", "mv")]
    )
    def test_one_that_fails_keeps_nothing(self, two: Download, protocol: str, fails: str) -> None:
        bucket = attached(protocol, "broken", fails)
        with pytest.raises(StorageError, match="StoreError: the store is on fire") as caught:
            store(REF, two, f"{protocol}://broken@bucket/2024/")
        assert results_in(bucket) == {}
        assert caught.value.retryable
        assert caught.value.task_id == "id-1"

    @pytest.mark.parametrize("protocol", ["s3", "memory"])
    def test_skip_works_there_too(self, two: Download, protocol: str) -> None:
        bucket = attached(protocol, "outbox")
        bucket.pipe_file("bucket/2024/page.txt", b"old")
        first, _ = store(REF, two, f"{protocol}://outbox@bucket/2024/", if_exists="skip").results
        assert (first.skipped, first.bytes) == (True, 3)
        assert bucket.files()["/bucket/2024/page.txt"] == b"old"


class TestNothingLost:
    """The cloud still has the result after its destination has failed."""

    @pytest.fixture
    def task(
        self, cloud_connection: str, aspose_ocr_emulator: Emulator, tmp_path: Path
    ) -> tuple[AsposeOcrHook, dict[str, Any]]:
        (tmp_path / "page.png").write_bytes(b"\x89PNG\r\n\x1a\n")
        hook = AsposeOcrHook(cloud_connection)
        task = hook.submit("RecognizeImage", f"{tmp_path}/page.png", settings={"resultType": "TextAndPdf"})
        hook.wait(task, poll_interval_seconds=0.01)
        return hook, task

    @pytest.mark.parametrize("destination", ["file/below/", "one.txt"])
    def test_after_a_bad_destination(
        self, task: tuple[AsposeOcrHook, dict[str, Any]], tmp_path: Path, destination: str, out: Path
    ) -> None:
        hook, ref = task
        (tmp_path / "file").touch()
        with pytest.raises(StorageError) as caught:
            hook.fetch_to(ref, f"{tmp_path}/{destination}")
        assert ref["id"] in str(caught.value)
        hook.fetch_to(ref, f"{out}/")
        assert set(listing(out)) == {"page.txt", "page.pdf"}

    @pytest.mark.parametrize(
        "rule",
        [
            {"kind": "bad_base64"},
            {"kind": "truncate"},
            {"kind": "html"},
            {"kind": "no_results"},
            {"kind": "partial"},
        ],
        ids=str,
    )
    def test_after_a_broken_answer(
        self,
        task: tuple[AsposeOcrHook, dict[str, Any]],
        aspose_ocr_emulator: Emulator,
        out: Path,
        rule: dict[str, Any],
    ) -> None:
        hook, ref = task
        aspose_ocr_emulator.control.add_faults({"method": "GET", "count": 99, **rule})
        started = time.monotonic()
        with pytest.raises(Exception, match=ref["id"]):
            hook.fetch_to(ref, f"{out}/")
        assert not out.exists()
        aspose_ocr_emulator.control.clear_faults()
        hook.fetch_to(ref, f"{out}/")
        assert set(listing(out)) == {"page.txt", "page.pdf"}
        assert time.monotonic() - started < 60

    def test_a_hostile_result_type_stays_in_the_folder(
        self, task: tuple[AsposeOcrHook, dict[str, Any]], aspose_ocr_emulator: Emulator, out: Path
    ) -> None:
        hook, ref = task
        aspose_ocr_emulator.control.add_faults({"kind": "result_type", "result_type": "../../evil"})
        manifest = hook.fetch_to(ref, f"{out}/")
        assert set(listing(out)) == {"page.txt", "page.pdf"}
        assert {entry["type"] for entry in manifest["results"]} == {"../../evil"}
        assert not list(out.parent.parent.glob("evil*"))
