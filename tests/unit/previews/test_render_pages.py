"""Pictures of the pages of documents, of good ones, and of such that are made to harm."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

from airflow_provider_asposeocr.previews import making, render
from airflow_provider_asposeocr.previews.making import PICTURE_SIDE, THUMBNAIL_SIDE, render_pages

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.process

CASES = Path(__file__).parents[1] / "emulator" / "work" / "cases"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def renderer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return a function that puts a program in the renderer's place."""

    def put(program: str) -> None:
        path = tmp_path / "program.py"
        path.write_text(
            f"import os, sys, time\nfrom pathlib import Path\nfolder = Path(sys.argv[2])\n{program}"
        )
        monkeypatch.setattr(making, "_PROGRAM", path)

    return put


def drawn(mode: str, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Return a picture whose left half is dark."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2 - 1, size[1]), fill=20)
    if mode == "I;16":
        return Image.frombytes("I;16", size, b"".join(bytes((0, value)) for value in image.tobytes()))
    if mode == "LA":
        image.putalpha(255)
        return image
    return image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("1", "png"),
        ("1", "tiff"),
        ("L", "bmp"),
        ("L", "jpg"),
        ("LA", "png"),
        ("P", "gif"),
        ("RGB", "png"),
        ("RGBA", "png"),
        ("CMYK", "jpg"),
        ("CMYK", "tiff"),
        ("I;16", "png"),
        ("I;16", "tiff"),
    ],
)
def test_an_image_of_any_kind_that_the_cloud_reads(
    tmp_path: Path, pictures: Path, mode: str, suffix: str
) -> None:
    source = tmp_path / f"page.{suffix}"
    drawn(mode).save(source)
    rendered = render_pages(source, pictures)
    assert rendered.warning is None
    (page,) = rendered.pages
    assert (page.number, page.width, page.height) == (1, 300, 200)
    for path, side in ((page.picture, PICTURE_SIDE), (page.thumbnail, THUMBNAIL_SIDE)):
        with Image.open(path) as made:
            assert made.format == "WEBP"
            assert max(made.size) <= side
            grey = made.convert("L")
            places = [(made.width * at // 4, made.height // 2) for at in (1, 3)]
            dark, light = (int(str(grey.getpixel(place))) for place in places)
            assert dark < 60, dark
            assert light > 230, light


def test_what_is_transparent_is_paper(tmp_path: Path, pictures: Path) -> None:
    Image.new("RGBA", (20, 10), (0, 0, 0, 0)).save(tmp_path / "page.png")
    (page,) = render_pages(tmp_path / "page.png", pictures).pages
    with Image.open(page.picture) as made:
        assert made.convert("L").getextrema() == (255, 255)


def test_a_large_page_is_made_smaller_and_its_size_is_told(tmp_path: Path, pictures: Path) -> None:
    """Boxes of results are in pixels of the document."""
    drawn("L", (2480, 3508)).save(tmp_path / "page.png")
    (page,) = render_pages(tmp_path / "page.png", pictures).pages
    assert (page.width, page.height) == (2480, 3508)
    with Image.open(page.picture) as picture, Image.open(page.thumbnail) as thumbnail:
        assert picture.size == (1131, 1600)
        assert max(thumbnail.size) == THUMBNAIL_SIDE


def test_a_page_that_is_hard_to_compress_has_less_quality_rather_than_more_bytes(
    tmp_path: Path, pictures: Path
) -> None:
    """A page of small print in full quality takes 300 KB, as much as all of the first view is to take."""
    noise = Image.effect_noise((1240, 1754), 90)
    noise.save(tmp_path / "page.png")
    (page,) = render_pages(tmp_path / "page.png", pictures).pages
    assert page.picture.stat().st_size <= render._MOST_PICTURE_BYTES
    with Image.open(page.picture) as picture:
        assert max(picture.size) >= PICTURE_SIDE * 0.5 - 1
    assert (page.width, page.height) == (1240, 1754)


def test_a_photo_is_turned_as_the_camera_says(tmp_path: Path, pictures: Path) -> None:
    image = drawn("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "photo.jpg", exif=exif)
    (page,) = render_pages(tmp_path / "photo.jpg", pictures).pages
    assert (page.width, page.height) == (200, 300)
    with Image.open(page.picture) as picture:
        assert picture.size == (200, 300)
        assert not picture.getexif()


def test_all_pages_of_a_pdf(tmp_path: Path, pictures: Path) -> None:
    pages = [drawn("L", (400, 200 + 100 * number)) for number in range(3)]
    pages[0].save(tmp_path / "document.pdf", save_all=True, append_images=pages[1:])
    rendered = render_pages(tmp_path / "document.pdf", pictures)
    assert rendered.warning is None
    assert [page.number for page in rendered.pages] == [1, 2, 3]
    for page, drawing in zip(rendered.pages, pages, strict=True):
        with Image.open(page.picture) as picture:
            assert picture.size == (page.width, page.height)
            assert max(picture.size) == PICTURE_SIDE
            assert picture.width / picture.height == pytest.approx(drawing.width / drawing.height, rel=0.01)


def test_a_long_pdf_has_pictures_of_its_first_pages(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_PAGES", 2)
    page = drawn("L", (40, 30))
    page.save(tmp_path / "document.pdf", save_all=True, append_images=[page] * 4)
    rendered = render_pages(tmp_path / "document.pdf", pictures)
    assert len(rendered.pages) == 2
    assert rendered.warning == "Only 2 of 5 pages have a preview: Pictures are made of the first 2 pages."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no BMP, GIF, JPEG, PNG, TIFF or PDF"),
        (b"<svg/>", "no BMP, GIF, JPEG, PNG, TIFF or PDF"),
        (b"%PDF-1.7 and nothing more", "encrypted, damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "no BMP"),
    ],
)
def test_a_document_that_cannot_be_rendered(
    tmp_path: Path, pictures: Path, content: bytes, said: str
) -> None:
    (tmp_path / "page").write_bytes(content)
    rendered = render_pages(tmp_path / "page", pictures)
    assert rendered.pages == ()
    assert rendered.warning is not None
    assert rendered.warning.startswith("There is no preview: ")
    assert said in rendered.warning


def test_a_page_that_is_cut_short(tmp_path: Path, pictures: Path) -> None:
    drawn("RGB", (1000, 1000)).save(tmp_path / "page.png")
    content = (tmp_path / "page.png").read_bytes()
    (tmp_path / "page.png").write_bytes(content[: len(content) // 2])
    assert "cannot be decoded" in str(render_pages(tmp_path / "page.png", pictures).warning)


@pytest.mark.parametrize("side", [14_000, 20_000])
def test_a_small_file_with_too_many_pixels(tmp_path: Path, pictures: Path, side: int) -> None:
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 60_000
    rendered = render_pages(tmp_path / "bomb.png", pictures)
    assert rendered.pages == ()
    assert "150000000" in str(rendered.warning)


def test_a_document_that_needs_too_much_memory(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_MEMORY_BYTES", 300 * 1024**2)
    Image.new("RGB", (11_000, 11_000)).save(tmp_path / "large.png")
    rendered = render_pages(tmp_path / "large.png", pictures)
    assert rendered.pages == ()
    assert rendered.warning is not None


PAGE = """
for name in ("1.webp", "1-small.webp"): (folder / name).write_bytes(b"picture")
print('{"number": 1, "width": 10, "height": 20, "of": 3}', flush=True)
"""


def test_a_decoder_that_crashes_costs_the_rest_of_the_pages(
    tmp_path: Path, pictures: Path, renderer: Callable[[str], None]
) -> None:
    renderer(f"{PAGE}\nos.kill(os.getpid(), 11)")
    rendered = render_pages(tmp_path / "document", pictures)
    assert [page.number for page in rendered.pages] == [1]
    assert rendered.warning == (
        "Only 1 of 3 pages have a preview: The renderer ended with -11, which a damaged document may cause."
    )


def test_a_decoder_that_does_not_end(
    tmp_path: Path, pictures: Path, renderer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "MOST_SECONDS", 2)
    renderer(f"{PAGE}\nprint(os.getpid(), file=open(folder / 'pid', 'w'), flush=True)\ntime.sleep(3600)")
    rendered = render_pages(tmp_path / "document", pictures)
    assert rendered.warning is not None
    assert rendered.warning.endswith("It took more than 2 seconds.")
    pid = int((pictures / "pid").read_text() or 0) if (pictures / "pid").exists() else 0
    if pid:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    "said",
    [
        '{"number": 1, "width": 10, "height": 20, "of": 1}',
        '{"number": 0, "width": 10, "height": 20, "of": 1}',
        '{"number": 51, "width": 10, "height": 20, "of": 1}',
        '{"number": "../../etc/passwd", "width": 10, "height": 20, "of": 1}',
        "[1]",
        "null",
        "{",
        "\\xff",
    ],
)
def test_a_renderer_that_a_document_has_taken_over_is_not_believed(
    tmp_path: Path, pictures: Path, renderer: Callable[[str], None], said: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    renderer(
        "for name in ('1.webp', '1-small.webp'): os.symlink(folder.parent / 'secret', folder / name)\n"
        f"print({said!r}, flush=True)"
    )
    rendered = render_pages(tmp_path / "document", pictures)
    assert rendered.pages == ()
    assert rendered.warning is not None


def test_the_renderer_knows_no_credentials(
    tmp_path: Path, pictures: Path, renderer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ASPOSE_OCR_DEFAULT", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    renderer("(folder / 'environment').write_text(repr(dict(os.environ)))")
    render_pages(tmp_path / "document", pictures)
    assert "secret" not in (pictures / "environment").read_text()


def test_without_the_extra(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "find_spec", lambda name: None if name == "pypdfium2" else name)
    rendered = render_pages(tmp_path / "document", pictures)
    assert rendered.warning == "There is no preview: the worker lacks the packages of the extra 'preview'."


def test_a_renderer_that_cannot_be_started(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    assert "could not be started" in str(render_pages(tmp_path / "document", pictures).warning)


def test_the_renderer_imports_nothing_of_the_provider() -> None:
    text = making._PROGRAM.read_text()
    assert "airflow" not in [line.split()[1].split(".")[0] for line in text.splitlines() if _is_import(line)]


def _is_import(line: str) -> bool:
    return line.strip().startswith(("import ", "from "))


def test_a_form_is_rendered(pictures: Path) -> None:
    rendered: Any = render_pages(CASES / "form.pdf", pictures)
    assert (len(rendered.pages), rendered.warning) == (1, None)
