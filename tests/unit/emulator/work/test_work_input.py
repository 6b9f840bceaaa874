"""The messages about inputs that the workers cannot process."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from airflow_provider_asposeocr.emulator.work.imaging import decode
from airflow_provider_asposeocr.emulator.work.jobs import JobError
from tests.support.drawn_pages import PROSE, blank, encoded, prose, write

if TYPE_CHECKING:
    from airflow_provider_asposeocr.emulator.work.jobs import Worker
    from tests.support.emulator_workers import MakeWorker, Run


def fail(run: Run, worker: Worker, operation: str, data: bytes, **settings: Any) -> str:
    with pytest.raises(JobError) as caught:
        run(worker, operation, data, **settings)
    (message,) = caught.value.messages
    return message


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds almost nothing: a decompression bomb."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def pdf(pages: int = 1, width: int = 200, height: int = 200) -> bytes:
    document = pypdfium2.PdfDocument.new()
    for _ in range(pages):
        document.new_page(width, height).close()
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


@pytest.mark.parametrize("operation", ["RecognizeImage", "BinarizeImage", "DetectRegions", "RecognizePdf"])
def test_empty_file(run: Run, blind: MakeWorker, operation: str) -> None:
    assert "is empty" in fail(run, blind(), operation, b"")


@pytest.mark.parametrize("operation", ["RecognizeImage", "UpscaleImage"])
@pytest.mark.parametrize("data", [b"\x00" * 3000, b"<html>no image</html>", b"plain words", b"\x89PNG"])
def test_not_an_image(run: Run, blind: MakeWorker, operation: str, data: bytes) -> None:
    assert "is not an image" in fail(run, blind(), operation, data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("operation", ["RecognizeImage", "DeskewImage"])
def test_truncated_image(run: Run, blind: MakeWorker, kind: str, operation: str) -> None:
    whole = encoded(write(blank(), PROSE), kind)
    assert "damaged or cut short" in fail(run, blind(), operation, whole[: len(whole) // 2])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "GIF"])
def test_damaged_header(run: Run, blind: MakeWorker, kind: str) -> None:
    """Any damage of the header ends in a message and not in a crash."""
    whole = bytearray(encoded(write(blank(200, 100), ("x",), x=10, y=10), kind))
    for position in range(6, 60):
        broken = bytes(whole[:position]) + b"\xff\xff\xff\xff" + bytes(whole[position + 4 :])
        with contextlib.suppress(JobError):
            run(blind(max_pixels=1_000_000), "RecognizeImage", broken)


def test_decompression_bomb_is_refused_by_its_header(
    run: Run, blind: MakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode, "pixels_of", lambda image: pytest.fail("pixels were decoded"))
    message = fail(run, blind(), "RecognizeImage", png_header(60_000, 60_000))
    assert "60000 x 60000" in message
    assert "100000000" in message


def test_limit_is_that_of_the_worker_not_of_pillow(run: Run, blind: MakeWorker) -> None:
    """Pillow warns from 89 million pixels on, by a global that is not ours; here a warning would be an error."""
    message = fail(run, blind(max_pixels=99_000_000), "BinarizeImage", png_header(9_900, 9_900))
    assert "cut short" in message  # it was let through to decoding, where the missing rows were noticed


def test_upscaling_over_the_limit_is_refused(run: Run, blind: MakeWorker) -> None:
    page = encoded(blank(600, 600))
    assert "1200 x 1200" in fail(run, blind(max_pixels=1_000_000), "UpscaleImage", page)
    assert "1200 x 1200" in fail(
        run, blind(max_pixels=1_000_000), "RecognizeImage", page, makeUpsampling=True
    )


def test_turning_a_long_strip_is_refused(run: Run, blind: MakeWorker) -> None:
    """Turned by 45 degrees, a strip would need the square of its length."""
    assert "pixels" in fail(
        run, blind(max_pixels=1_000_000), "RecognizeImage", encoded(blank(9000, 2)), Rotate=45
    )


@pytest.mark.parametrize("size", [(1, 1), (9000, 2), (2, 9000), (3, 3)])
@pytest.mark.parametrize("operation", ["BinarizeImage", "DeskewImage", "UpscaleImage"])
def test_odd_sizes_are_worked_on(run: Run, blind: MakeWorker, size: tuple[int, int], operation: str) -> None:
    outcome = run(blind(), operation, encoded(blank(*size)))
    with Image.open(outcome.results[0].path) as result:
        factor = 2 if operation == "UpscaleImage" else 1
        assert result.size == (size[0] * factor, size[1] * factor)


@pytest.mark.parametrize("size", [(1, 1), (9000, 2), (2, 9000)])
def test_odd_sizes_hold_no_text(run: Run, worker: Worker, size: tuple[int, int]) -> None:
    assert run(worker, "RecognizeImage", encoded(blank(*size))).results[0].path.read_bytes() == b""


@pytest.mark.process
def test_encrypted_pdf(run: Run, blind: MakeWorker) -> None:
    """A password that is not the empty one: neither entry matches it."""
    secret = b"<" + b"ab" * 32 + b">"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Count 0 /Kids [] >>",
        b"<< /Filter /Standard /V 1 /R 2 /P -4 /O %s /U %s >>" % (secret, secret),
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(objects, 1))
    trailer = b"trailer\n<< /Size 4 /Root 1 0 R /Encrypt 3 0 R /ID [<00> <00>] >>\n%%EOF\n"
    assert "is encrypted" in fail(run, blind(), "RecognizePdf", body + trailer)


@pytest.mark.process
def test_damaged_pdf(run: Run, blind: MakeWorker) -> None:
    assert "cannot be opened" in fail(run, blind(), "RecognizePdf", b"%PDF-1.7\nnothing else")


@pytest.mark.process
def test_too_many_pages(run: Run, blind: MakeWorker) -> None:
    message = fail(run, blind(max_pages=3), "RecognizePdf", pdf(pages=4))
    assert "has 4 pages" in message
    assert "limit of 3" in message


@pytest.mark.process
def test_page_over_the_pixel_limit_is_rendered_smaller_and_told(run: Run, blind: MakeWorker) -> None:
    outcome = run(blind(max_pixels=1_000_000), "RecognizePdf", pdf(width=600, height=800), resultType="Pdf")
    assert any("rendered at" in warning for warning in outcome.warnings)
    with pypdfium2.PdfDocument(outcome.results[0].path) as result:
        assert result[0].get_size() == pytest.approx((600, 800), abs=2)


@pytest.mark.process
def test_huge_pdf_page_is_refused(run: Run, blind: MakeWorker) -> None:
    assert "14000 x 14000 points" in fail(run, blind(), "RecognizePdf", pdf(width=14_000, height=14_000))


@pytest.mark.process
def test_image_inside_a_pdf_counts_too(run: Run, blind: MakeWorker) -> None:
    document = encoded(blank(3000, 3000), "PDF", resolution=2000)  # a small page with a large image
    message = fail(run, blind(max_pixels=1_000_000), "RecognizePdf", document)
    assert "contains an image of 3000 x 3000" in message


def test_bigtiff_is_refused(run: Run, blind: MakeWorker) -> None:
    document = b"II+\0\x08\0\0\0" + bytes(8)
    assert "Save it as an ordinary TIFF" in fail(run, blind(), "RecognizeImage", document)


def test_tiff_with_a_thumbnail_has_one_page(run: Run, blind: MakeWorker) -> None:
    thumbnail = Image.new("L", (10, 10))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    file = io.BytesIO()
    Image.new("L", (50, 50)).save(file, "TIFF", save_all=True, append_images=[thumbnail])
    assert getattr(Image.open(file), "n_frames", 1) == 2
    run(blind(), "RecognizeImage", file.getvalue())


def test_tiff_with_several_pages_is_refused(run: Run, blind: MakeWorker) -> None:
    document = encoded(blank(50, 50), "TIFF", save_all=True, append_images=[blank(50, 50)])
    message = fail(run, blind(), "RecognizeImage", document)
    assert "has several pages" in message
    assert "single page" in message


def test_animated_gif_is_read_with_a_warning(run: Run, blind: MakeWorker) -> None:
    frames = [blank(50, 50), blank(50, 50, shade=0)]
    animation = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert any("first" in warning for warning in run(blind(), "RecognizeImage", animation).warnings)


def test_svg_is_told_apart_from_no_image(run: Run, blind: MakeWorker) -> None:
    picture = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    assert "The emulator does not render SVG files" in fail(run, blind(), "RecognizeImage", picture)


def test_operation_that_does_not_read_the_kind(run: Run, blind: MakeWorker) -> None:
    assert "does not read PDF" in fail(run, blind(), "BinarizeImage", pdf())
    assert "does not read PNG" in fail(run, blind(), "RecognizePdf", prose())


@pytest.mark.parametrize("operation", ["IdentifyFont", "DjVu2PDF", "ConvertTextToSpeech"])
def test_operations_that_no_engine_does_are_named(run: Run, blind: MakeWorker, operation: str) -> None:
    assert operation in fail(run, blind(), operation, prose())


def test_transparency_is_white_and_sixteen_bits_keep_their_shades(run: Run, blind: MakeWorker) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    deep = Image.fromarray(np.full((40, 40), 0x8000, dtype=np.uint16))
    for page, shade in ((clear, 255), (deep, 128)):
        outcome = run(blind(), "UpscaleImage", encoded(page))
        with Image.open(outcome.results[0].path) as result:
            assert result.convert("L").getextrema() == pytest.approx((shade, shade), abs=1)


@pytest.mark.parametrize("bits", [1, 4, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_the_range_of_a_camera_is_that_of_its_numbers_not_of_their_container(
    run: Run, blind: MakeWorker, bits: int, kind: str
) -> None:
    white = 2**bits - 1
    pixels = np.full((40, 80), white, dtype=np.uint16)
    pixels[:, :40] = white // 2
    outcome = run(blind(), "UpscaleImage", encoded(Image.fromarray(pixels), kind))
    with Image.open(outcome.results[0].path) as result:
        grey = result.convert("L")
        assert grey.getpixel((150, 40)) == 255
        assert grey.getpixel((10, 40)) == pytest.approx(255 * (white // 2) / white, abs=1)


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_a_camera_are_scaled_by_their_bits_too(
    run: Run, blind: MakeWorker, bits: int, kind: str, channels: int
) -> None:
    white = 2**bits - 1
    pixels = np.full((40, 80, channels), white, dtype=np.uint16)
    pixels[:, :40, :3] = (0, white // 2, white)  # OpenCV's order: blue, green, red
    _, encoded_pixels = cv2.imencode(kind, pixels)
    outcome = run(blind(), "UpscaleImage", encoded_pixels.tobytes())
    with Image.open(outcome.results[0].path) as result:
        shown = result.convert("RGB")
        assert shown.getpixel((150, 40)) == (255, 255, 255)
        assert shown.getpixel((10, 40)) == pytest.approx((255, 127, 0), abs=2)


@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_a_truncated_image_of_deep_colours_is_damaged(run: Run, blind: MakeWorker, kind: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 1023, (200, 200, 3), dtype=np.uint16)
    whole = cv2.imencode(kind, pixels)[1].tobytes()
    assert "damaged or cut short" in fail(run, blind(), "UpscaleImage", whole[: len(whole) // 2])


def test_ten_bits_in_sixteen_are_read(run: Run, worker: Worker) -> None:
    data = (Path(__file__).parent / "cases" / "10bit_in_16.tif").read_bytes()
    text = run(worker, "RecognizeImage", data).results[0].path.read_text()
    assert text == "Order 4711 was shipped on Monday\nTotal amount due 128.50 EUR"


def ink_on_nothing(ink: tuple[int, ...], kind: str = "PNG") -> bytes:
    """Words in one colour on a transparent ground."""
    shape = Image.new("L", (400, 100), 0)
    write(shape, ("Words",), x=20, y=20, ink=255)
    page = Image.new("RGBA", shape.size, (0, 0, 0, 0))
    page.paste((*ink, 255), mask=shape)
    return encoded(page, kind)


@pytest.mark.parametrize("operation", ["RecognizeImage", "DetectRegions", "BinarizeImage"])
def test_light_ink_on_a_transparent_ground_is_warned_of(run: Run, blind: MakeWorker, operation: str) -> None:
    (warning,) = run(blind(), operation, ink_on_nothing((255, 255, 255))).warnings
    assert "light ink on a transparent background" in warning
    assert "dark background" in warning


def test_dark_ink_on_a_transparent_ground_is_not_warned_of(run: Run, blind: MakeWorker) -> None:
    assert run(blind(), "RecognizeImage", ink_on_nothing((0, 0, 0))).warnings == ()
    assert run(blind(), "RecognizeImage", ink_on_nothing((200, 30, 30))).warnings == ()


@pytest.mark.parametrize("alpha", [0, 255])
def test_an_empty_page_with_transparency_is_not_warned_of(run: Run, blind: MakeWorker, alpha: int) -> None:
    page = encoded(Image.new("RGBA", (40, 40), (255, 255, 255, alpha)))
    assert run(blind(), "RecognizeImage", page).warnings == ()


def test_colours_keep_their_places(run: Run, blind: MakeWorker) -> None:
    outcome = run(blind(), "UpscaleImage", encoded(Image.new("RGB", (20, 20), (250, 120, 10))))
    with Image.open(outcome.results[0].path) as result:
        assert result.convert("RGB").getpixel((20, 20)) == (250, 120, 10)


def test_exif_orientation_is_obeyed(run: Run, blind: MakeWorker) -> None:
    page = Image.new("RGB", (40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    outcome = run(blind(), "UpscaleImage", encoded(page, "JPEG", exif=exif))
    with Image.open(outcome.results[0].path) as result:
        assert result.size == (40, 80)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [(kind, mode) for kind in ("BMP", "GIF", "TIFF", "PNG") for mode in ("1", "L", "P", "RGB")]
    + [("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("TIFF", "CMYK")],
)
def test_documented_formats_are_decoded_alike(run: Run, blind: MakeWorker, kind: str, mode: str) -> None:
    page = write(blank(200, 100), ("Words",), x=20, y=20)
    outcome = run(blind(), "BinarizeImage", encoded(page.convert(mode), kind))
    wanted = run(blind(), "BinarizeImage", encoded(page))
    with Image.open(outcome.results[0].path) as result, Image.open(wanted.results[0].path) as truth:
        different = np.count_nonzero(np.asarray(result) != np.asarray(truth))
    assert different < 0.02 * 200 * 100
