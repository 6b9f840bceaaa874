"""Pictures of pages: where they are stored, what the manifest says about them, and what never fails because of them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from airflow_provider_asposeocr.batch.ending import Deferral, Ended
from airflow_provider_asposeocr.documents.manifest import parse_manifest
from airflow_provider_asposeocr.previews import making, storing
from airflow_provider_asposeocr.previews.making import LocalPage, Rendered
from airflow_provider_asposeocr.previews.storing import preview_folder
from tests.support.airflow_tasks import execute
from tests.support.batch_engine import STEPS, batch_in, begin_journal, run_try
from tests.support.ocr_tasks import fetch, recognize

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.control.client import EmulatorControl
    from airflow_provider_asposeocr.emulator.server import Emulator


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.png"
    Image.new("L", (300, 200), 128).save(path)
    return path


@pytest.fixture
def no_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pictures in this process: that the renderer works is another file's subject."""

    def render(document: Path, folder: Path) -> Rendered:
        with Image.open(document) as image:
            for name in ("1.webp", "1-small.webp"):
                image.convert("L").save(folder / name)
            size = image.size
        return Rendered((LocalPage(1, *size, folder / "1.webp", folder / "1-small.webp"),))

    monkeypatch.setattr(storing, "render_pages", render)


def check_pictures(pages: list[dict[str, Any]]) -> list[Path]:
    """Check that the files are what a manifest says of them."""
    files = []
    for page in pages:
        for name in ("image", "thumbnail"):
            picture = page[name]
            path = Path(picture["uri"].removeprefix("file://"))
            content = path.read_bytes()
            assert (len(content), picture["type"]) == (picture["bytes"], "image/webp")
            assert hashlib.sha256(content).hexdigest() == picture["sha256"]
            files.append(path)
    return files


def fetched(scan: Path, destination: str, **given: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = execute(
        fetch(execute(recognize(str(scan), deferrable=False)), destination, **given)
    )
    return manifest


@pytest.mark.process
def test_a_fetch_stores_pictures_of_the_document_beside_its_results(
    cloud: EmulatorControl, scan: Path, out: Path
) -> None:
    manifest = fetched(scan, f"{out}/", previews=True)
    (page,) = manifest["pages"]
    assert (page["number"], page["width"], page["height"]) == (1, 300, 200)
    assert {path.parents[1] for path in check_pictures([page])} == {out / ".aspose-ocr" / "previews"}
    assert manifest["warnings"] == []
    assert parse_manifest(json.loads(json.dumps(manifest))).pages == manifest["pages"]


def test_without_asking_there_are_none(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "pages" not in fetched(scan, f"{out}/")
    monkeypatch.setenv("AIRFLOW__ASPOSE_OCR__PREVIEWS", "True")
    assert "pages" not in fetched(scan, f"{out}/", previews=False)
    assert len(fetched(scan, f"{out}/")["pages"]) == 1


def test_a_destination_that_is_a_file_has_them_in_its_folder(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None
) -> None:
    manifest = fetched(scan, f"{out}/result.txt", previews=True)
    assert {path.parents[1] for path in check_pictures(manifest["pages"])} == {
        out / ".aspose-ocr" / "previews"
    }


def test_a_later_run_overwrites_no_picture_that_an_earlier_manifest_names(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None
) -> None:
    replacing = {"previews": True, "if_exists": "overwrite_any"}
    first = fetched(scan, f"{out}/", **replacing)
    Image.new("L", (300, 200), 7).save(scan)
    second = fetched(scan, f"{out}/", **replacing)
    assert not {str(path) for path in check_pictures(first["pages"])} & {
        str(path) for path in check_pictures(second["pages"])
    }


def test_a_source_that_has_changed_since_gets_no_preview(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None
) -> None:
    """The document was submitted some time ago, and its reference comes through XCom, which users can write."""
    ref = execute(recognize(str(scan), deferrable=False))
    scan.write_bytes(b"another document")
    manifest = execute(fetch(ref, f"{out}/", previews=True))
    assert manifest["outcome"] == "succeeded"
    assert manifest["warnings"] == ["There is no preview: the source has changed since it was submitted."]
    assert not (out / ".aspose-ocr" / "previews").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source_uri": None}, "does not name the source"),
        ({"source_sha256": None}, "does not name the source"),
        ({"source_uri": "/no/such/file.png"}, "cannot be read: FileNotFoundError"),
        ({"source_uri": "https://example.org/scan.png"}, "cannot be read"),
        ({"source_uri": "nostore://bucket/scan.png"}, "cannot be read"),
    ],
)
def test_a_source_that_cannot_be_read_again_is_a_warning(
    cloud: EmulatorControl, scan: Path, out: Path, change: dict[str, Any], said: str
) -> None:
    ref = {**execute(recognize(str(scan), deferrable=False)), **change}
    found = {name: value for name, value in ref.items() if value is not None}
    manifest = execute(fetch(found, f"{out}/", previews=True))
    assert manifest["outcome"] == "succeeded"
    (warning,) = manifest["warnings"]
    assert said in warning


def test_a_source_that_is_too_large_is_not_read_again(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "MOST_SOURCE_BYTES", 10)
    assert "more than 10 bytes" in fetched(scan, f"{out}/", previews=True)["warnings"][0]


def test_a_picture_that_cannot_be_written_is_a_warning(
    cloud: EmulatorControl, scan: Path, out: Path, no_renderer: None
) -> None:
    ref = execute(recognize(str(scan), deferrable=False))
    (out / ".aspose-ocr").mkdir(parents=True)
    (out / ".aspose-ocr" / "previews").write_text("a file is in the way")
    manifest = execute(fetch(ref, f"{out}/", previews=True))
    assert manifest["outcome"] == "succeeded"
    assert "cannot be written" in manifest["warnings"][0]


@pytest.mark.parametrize("value", ["yes", 1, 0.0])
def test_what_is_neither_yes_nor_no_is_refused_at_parse_time(value: Any) -> None:
    with pytest.raises(ValueError, match="previews"):
        fetch({}, "/out/", previews=value)


def rows_of(ended: Ended | Deferral) -> list[dict[str, Any]]:
    assert isinstance(ended, Ended)
    return [row.to_dict() for row in ended.rows()]


@pytest.mark.process
def test_a_batch_stores_pictures_of_each_document_also_of_one_that_fails(
    aspose_ocr_emulator: Emulator, tmp_path: Path
) -> None:
    begin_journal(tmp_path, batch_in(tmp_path, 3, STEPS[-1:]))
    (tmp_path / "in" / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    aspose_ocr_emulator.control.add_faults({"kind": "task_error", "messages": ["m"], "count": 1})
    rows = rows_of(asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, previews=True)))
    assert sorted(row["outcome"] for row in rows) == ["failed", "succeeded", "succeeded"]
    for row in rows[:2]:
        assert len(check_pictures(row["pages"])) == 2
        assert row["warnings"] == []
    assert rows[2]["pages"] == []
    assert rows[2]["warnings"] == ["There is no preview: It is no BMP, GIF, JPEG, PNG, TIFF or PDF."]


def test_what_a_try_has_stored_is_in_the_rows_of_the_next_one(
    aspose_ocr_emulator: Emulator, tmp_path: Path, no_renderer: None
) -> None:
    """The journal keeps it: a document is not read again when its Airflow task was deferred, or its worker has died."""
    begin_journal(tmp_path, batch_in(tmp_path, 2, STEPS))
    first = rows_of(asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, previews=True)))
    again = rows_of(asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path, try_number=2)))
    assert [row["pages"] for row in again] == [row["pages"] for row in first]
    assert all(len(row["pages"]) == 1 for row in again)


def test_without_asking_a_batch_has_none(aspose_ocr_emulator: Emulator, tmp_path: Path) -> None:
    begin_journal(tmp_path, batch_in(tmp_path, 1, STEPS[-1:]))
    (row,) = rows_of(asyncio.run(run_try(aspose_ocr_emulator.url, tmp_path)))
    assert row["pages"] == []
    assert not (tmp_path / "out" / ".aspose-ocr" / "previews").exists()


def test_no_folder_of_a_destination_is_left() -> None:
    folder = str(preview_folder("/out/"))
    assert folder.endswith("/out/.aspose-ocr/previews")
    assert str(preview_folder("/out/page.txt")) == folder


def test_the_largest_image_fits_into_the_memory_that_is_allowed() -> None:
    """Grey or in colours: RGB takes three bytes for each pixel."""
    assert making.MOST_PIXELS * 3 < making.MOST_MEMORY_BYTES / 2
