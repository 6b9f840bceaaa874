from __future__ import annotations

import hashlib
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.log import redact  # type: ignore[attr-defined]  # is no public name

from airflow_provider_asposeocr.api.errors import (
    InputError,
    SourceError,
    SourceUnreadableError,
    TaskPendingError,
)
from airflow_provider_asposeocr.api.operations import OPERATIONS
from airflow_provider_asposeocr.api.responses import TaskRef, parse_task_ref
from airflow_provider_asposeocr.documents.sources import Document, parse_source, spool
from airflow_provider_asposeocr.hooks.aspose_ocr import AsposeOcrHook
from tests.support.object_stores import attached

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.server import Emulator

IMAGE = OPERATIONS["RecognizeImage"]
#: Files that people reported.
KINDS = Path(__file__).parents[1] / "api" / "files" / "kinds"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


def no_client(_: str) -> Any:
    raise AssertionError("No client is needed for a file.")


def bring(source: Any, folder: Path, operation: str = "RecognizeImage") -> Document:
    return spool(parse_source(source), OPERATIONS[operation], folder, no_client, time.time())


class TestParse:
    REF = {
        "operation": "UpscaleImage",
        "id": "x",
        "submitted_at": "2026-03-01T12:00:00+00:00",
        "conn_id": "ocr",
    }

    @pytest.mark.parametrize(
        ("value", "parsed"),
        [
            ("/scans/page.png", "/scans/page.png"),
            ("s3://conn@bucket/page.png", "s3://conn@bucket/page.png"),
            (Path("/scans/page.png"), "/scans/page.png"),
            (ObjectStoragePath("file:///scans/page.png"), "file:///scans/page.png"),
        ],
    )
    def test_paths_and_uris(self, value: Any, parsed: str) -> None:
        assert parse_source(value) == parsed

    def test_a_task_reference(self) -> None:
        ref = parse_source(self.REF)
        assert isinstance(ref, TaskRef)
        assert parse_source(ref) is ref

    @pytest.mark.parametrize("value", [None, "", "  ", 3, [], {}, ["/a.png"], b"/a.png", {"id": "x"}])
    def test_what_is_none_is_refused(self, value: Any) -> None:
        with pytest.raises(SourceError, match=r"A source is a path.*upscale\.output"):
            parse_source(value)

    @pytest.mark.parametrize(
        "value", ["page.png", "./page.png", "../page.png", Path("page.png"), "~/page.png"]
    )
    def test_a_relative_path_is_refused(self, value: Any) -> None:
        with pytest.raises(SourceError, match="relative path"):
            parse_source(value)

    def test_a_broken_reference_says_what_is_wrong(self) -> None:
        with pytest.raises(InputError, match="submitted_at"):
            parse_source({**self.REF, "submitted_at": "today"})


def local_file(document: Document) -> Path:
    assert isinstance(document.content, Path)
    return document.content


class TestFiles:
    @pytest.mark.parametrize("prefix", ["", "file://"])
    def test_a_file_becomes_a_document(self, tmp_path: Path, folder: Path, prefix: str) -> None:
        content = PNG + os.urandom(3_000_000)
        (tmp_path / "page one.png").write_bytes(content)
        document = bring(f"{prefix}{tmp_path}/page one.png", folder)
        assert local_file(document).read_bytes() == content
        assert document.size_bytes == len(content)
        assert document.sha256 == hashlib.sha256(content).hexdigest()
        assert document.name == "page one.png"
        assert local_file(document).parent == folder

    def test_so_does_an_object(self, folder: Path) -> None:
        attached("s3", "scans").pipe_file("bucket/2024/page.png", PNG)
        document = bring("s3://scans@bucket/2024/page.png", folder)
        assert (local_file(document).read_bytes(), document.name) == (PNG, "page.png")

    def test_two_names_that_end_like_versions_are_two_documents(self, folder: Path) -> None:
        """Under one owner, the result of the second would overwrite that of the first."""
        store = attached("gs", "scans")
        uris = [f"gs://scans@bucket/invoice#{number}" for number in (1, 2)]
        for uri in uris:
            store.pipe_file(uri.replace("gs://scans@", ""), PNG)
        assert [bring(uri, folder).source_uri for uri in uris] == uris

    def test_a_name_that_is_no_text_is_refused_before_anything_is_sent(
        self, tmp_path: Path, folder: Path
    ) -> None:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/page-\xff.png")).write_bytes(PNG)
        with pytest.raises(SourceError, match=r"udcff\.png.*rename the file"):
            bring(f"{tmp_path}/page-\udcff.png", folder)

    @pytest.mark.parametrize("uri", ["/no/such/page.png", "file:///no/such.png", "s3://scans@no/such.png"])
    def test_a_missing_one_is_named(self, folder: Path, uri: str) -> None:
        attached("s3", "scans")
        with pytest.raises(SourceError, match="There is no file at the source") as caught:
            bring(uri, folder)
        assert uri in caught.value.message
        assert not caught.value.retryable

    def test_an_empty_one_is_refused(self, tmp_path: Path, folder: Path) -> None:
        (tmp_path / "empty.png").touch()
        with pytest.raises(SourceError, match=r"empty\.png.* is empty"):
            bring(f"{tmp_path}/empty.png", folder)

    def test_a_folder_is_refused(self, tmp_path: Path, folder: Path) -> None:
        with pytest.raises(SourceError, match="is a folder. Map the operator"):
            bring(str(tmp_path), folder)

    def test_an_unknown_scheme_is_refused(self, folder: Path) -> None:
        with pytest.raises(SourceError, match="cannot be opened.*nope"):
            bring("nope://bucket/page.png", folder)

    def test_a_storage_that_does_not_answer_is_worth_a_retry(self, folder: Path) -> None:
        # Reading it answers "input/output error", as a broken disk does.
        with pytest.raises(SourceUnreadableError, match="cannot be read: OSError") as caught:
            bring("/proc/self/mem", folder)
        assert caught.value.retryable

    def test_so_is_one_whose_library_has_errors_of_its_own(self, folder: Path) -> None:
        attached("gs", "broken").fails = "open"
        with pytest.raises(SourceUnreadableError, match="StoreError: the store is on fire") as caught:
            bring("gs://broken@bucket/page.png", folder)
        assert caught.value.retryable

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_forbidden_one_is_named(self, tmp_path: Path, folder: Path) -> None:
        (tmp_path / "page.png").write_bytes(PNG)
        (tmp_path / "page.png").chmod(0)
        with pytest.raises(SourceError, match="may not be read"):
            bring(f"{tmp_path}/page.png", folder)

    @pytest.mark.parametrize(
        ("content", "operation", "said"),
        [
            (b"<html>login</html>", "RecognizeImage", "looks like html"),
            (b"Hello.", "RecognizeImage", "looks like text"),
            (b"%PDF-1.7", "BinarizeImage", "looks like pdf"),
            (PNG, "RecognizePdf", "looks like png; RecognizePdf reads pdf."),
            (PNG, "DjVu2PDF", "looks like png; DjVu2PDF reads djvu."),
            (b"\x00\x01\x02\x03", "UpscaleImage", "is of a type that is not known"),
        ],
    )
    def test_a_wrong_type_is_named_with_the_right_ones(
        self, tmp_path: Path, folder: Path, content: bytes, operation: str, said: str
    ) -> None:
        (tmp_path / "page.png").write_bytes(content)
        with pytest.raises(SourceError) as caught:
            bring(f"{tmp_path}/page.png", folder, operation)
        assert said in caught.value.message
        assert all(kind in caught.value.message for kind in OPERATIONS[operation].input_types)
        assert caught.value.billed == "no"

    def test_a_tiff_with_several_pages_is_refused_with_the_way_out(
        self, tmp_path: Path, folder: Path
    ) -> None:
        page = struct.pack("<HHHIII", 1, 256, 3, 1, 10, 26)
        (tmp_path / "fax.tif").write_bytes(
            b"II*\0" + struct.pack("<I", 8) + page + page[:-4] + struct.pack("<I", 0)
        )
        with pytest.raises(SourceError, match=r"fax\.tif.*several pages.*Split it.*RecognizePdf") as caught:
            bring(f"{tmp_path}/fax.tif", folder)
        assert caught.value.billed == "no"

    @pytest.mark.parametrize("name", ["bm.csv", "mention.txt"])
    def test_a_text_that_mentions_a_format_is_not_billed(self, folder: Path, name: str) -> None:
        with pytest.raises(SourceError, match="looks like text"):
            bring(f"{KINDS}/{name}", folder)

    def test_an_svg_with_a_long_prologue_is_taken(self, folder: Path) -> None:
        assert bring(f"{KINDS}/ill.svg", folder).name == "ill.svg"

    def test_a_blank_at_the_end_of_a_name_is_seen(self, tmp_path: Path, folder: Path) -> None:
        with pytest.raises(SourceError, match=r"page\.png ' .*|page\.png '\."):
            bring(f"{tmp_path}/page.png ", folder)

    @pytest.mark.parametrize("content", [b"Hello.", b'{"a": 1}', b"<html>", b"%PDF-"])
    def test_a_text_may_look_like_anything(self, tmp_path: Path, folder: Path, content: bytes) -> None:
        (tmp_path / "speech").write_bytes(content)
        assert bring(f"{tmp_path}/speech", folder, "ConvertTextToSpeech").size_bytes == len(content)

    def test_the_name_is_not_believed(self, tmp_path: Path, folder: Path) -> None:
        (tmp_path / "page.txt").write_bytes(PNG)
        assert bring(f"{tmp_path}/page.txt", folder).name == "page.txt"


class TestUpstream:
    @pytest.fixture
    def hook(self, cloud_connection: str) -> AsposeOcrHook:
        return AsposeOcrHook(cloud_connection)

    def _submitted(
        self, hook: AsposeOcrHook, emulator: Emulator, tmp_path: Path, operation: str, **settings: Any
    ) -> TaskRef:
        (tmp_path / "page.png").write_bytes(PNG)
        task = hook.submit(operation, f"{tmp_path}/page.png", settings=settings)
        hook.wait(task, poll_interval_seconds=0.01)
        return parse_task_ref(task)

    def _bring(self, hook: AsposeOcrHook, ref: TaskRef, folder: Path, operation: str) -> Document:
        asked: list[str] = []

        def client_of(conn_id: str) -> Any:
            asked.append(conn_id)
            return hook.client

        document = spool(ref, OPERATIONS[operation], folder, client_of, time.time())
        assert asked == ["ocr"]
        return document

    def test_an_image_moves_on(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, tmp_path: Path, folder: Path
    ) -> None:
        ref = self._submitted(hook, aspose_ocr_emulator, tmp_path, "UpscaleImage")
        document = self._bring(hook, ref, folder, "RecognizeImage")
        (result,) = hook.fetch(ref)
        assert local_file(document).read_bytes() == result.data
        assert document.name == "page.png"
        assert document.sha256 == hashlib.sha256(result.data).hexdigest()

    def test_of_several_results_the_one_that_fits_is_taken(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, tmp_path: Path, folder: Path
    ) -> None:
        ref = self._submitted(hook, aspose_ocr_emulator, tmp_path, "RecognizeImage", resultType="TextAndPdf")
        document = self._bring(hook, ref, folder, "RecognizePdf")
        assert local_file(document).read_bytes().startswith(b"%PDF-")

    @pytest.mark.parametrize(
        ("settings", "operation", "said"),
        [
            (
                {"resultType": "TextAndPdf"},
                "BinarizeImage",
                r"\(Text, Pdf\), none can be the input of BinarizeImage",
            ),
            ({"resultType": "Text"}, "RecognizePdf", r"\(Text\), none can be"),
        ],
    )
    def test_where_none_fits_all_are_named(
        self,
        hook: AsposeOcrHook,
        aspose_ocr_emulator: Emulator,
        tmp_path: Path,
        folder: Path,
        settings: dict[str, Any],
        operation: str,
        said: str,
    ) -> None:
        ref = self._submitted(hook, aspose_ocr_emulator, tmp_path, "RecognizeImage", **settings)
        with pytest.raises(SourceError, match=said) as caught:
            self._bring(hook, ref, folder, operation)
        assert caught.value.task_id == ref.id
        assert list(folder.iterdir()) == []

    def test_where_several_fit_none_is_guessed(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, tmp_path: Path, folder: Path
    ) -> None:
        regions = [[0, 0, 5, 5], [5, 5, 9, 9]]
        ref = self._submitted(
            hook, aspose_ocr_emulator, tmp_path, "RecognizeRegions", regions=regions, resultType="Pdf"
        )
        with pytest.raises(SourceError, match="more than one can be the input"):
            self._bring(hook, ref, folder, "RecognizePdf")

    def test_an_unfinished_one_is_pending(
        self, hook: AsposeOcrHook, aspose_ocr_emulator: Emulator, tmp_path: Path, folder: Path
    ) -> None:
        ref = self._submitted(hook, aspose_ocr_emulator, tmp_path, "UpscaleImage")
        aspose_ocr_emulator.control.add_faults({"kind": "task_stuck", "method": "GET"})
        with pytest.raises(TaskPendingError):
            self._bring(hook, ref, folder, "RecognizeImage")


def test_a_hostile_uri_is_shown_harmlessly(folder: Path) -> None:
    with pytest.raises(SourceError) as caught:
        bring("/no/such/\x1b[31m\n" + "x" * 5000, folder)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_signature_is_known_to_airflow_s_masker(folder: Path) -> None:
    uri = "https://account.blob.core.windows.net/scans/page.png?sv=2026&sig=c2VjcmV0LXNpZw%3D%3D"
    with pytest.raises(SourceError, match="Download the file first") as caught:
        bring(uri, folder)
    assert "c2VjcmV0" not in str(caught.value)
    assert "c2VjcmV0" not in redact(f"a library says: {uri}")
