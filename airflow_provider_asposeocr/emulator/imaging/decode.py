"""
From the bytes of a submitted file to pages of pixels.

Invariant: no pixel is decoded before the file's own header was checked against the limits, only the formats that the
cloud documents are decoded, and pages are handed out one at a time.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_asposeocr.emulator.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.engines.base import Array, Image

#: Resolution at which pages of a PDF are rendered (both engines were measured to read it without errors).
PDF_DPI = 200
#: A page so large that it must be rendered below this resolution is refused.
_LEAST_PDF_DPI = 72
#: Resolution of an image that does not tell its own; it decides the paper size in a PDF and nothing else.
_DEFAULT_DPI = 96.0

# pdfium is not safe to call from two threads, not even for two documents.
_PDFIUM = threading.Lock()


@dataclass(frozen=True)
class Limits:
    """
    What a single job may ask for; the cloud publishes no limits.

    :param max_pages: Most pages in one document.
    :param max_pixels: Most pixels in one image or one rendered page.
    """

    max_pages: int = 50
    max_pixels: int = 100_000_000


@dataclass(frozen=True)
class Page:
    """
    One decoded page.

    :param image: Pixels, grey where the source is grey.
    :param dpi: Pixels per inch.
    :param warnings: What the user should know about how it was decoded.
    """

    image: Image
    dpi: float
    warnings: tuple[str, ...] = ()


def kind_of(head: bytes) -> str | None:
    """
    Return the kind of a file by its first bytes, as named in the table of operations, or ``None``.

    :param head: The first kilobyte of the file.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if b"%PDF-" in head:  # readers accept a PDF whose header is preceded by other bytes
        return "pdf"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<?xml", b"<svg", b"<!doctype svg")) and b"<svg" in start:
        return "svg"
    return None


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"II+\x00", "tiff"),
    (b"MM\x00+", "tiff"),
    (b"%PDF-", "pdf"),
    (b"AT&TFORM", "djvu"),
)


def check_kind(path: Path, accepted: frozenset[str], operation: str) -> str:
    """
    Return the kind of the file at ``path``.

    :param accepted: The kinds that the operation reads.
    :raises JobError: if the file is empty, of no known kind, or of a kind that is not accepted or not rendered.
    """
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise JobError("The submitted file is empty. Send the bytes of an image or a PDF.")
    kind = kind_of(head)
    if kind is None:
        raise JobError(
            "The submitted file is not an image: its first bytes belong to none of BMP, GIF, JPEG, PNG, TIFF, PDF."
        )
    if kind not in accepted:
        raise JobError(
            f"{operation} does not read {kind.upper()} files; it reads {', '.join(sorted(accepted))}."
        )
    if kind == "svg":
        raise JobError(
            "SVG is not rendered by the emulator, although the cloud reads it. Submit a PNG of it."
        )
    return kind


def read_pages(path: Path, kind: str, limits: Limits) -> Iterator[Page]:
    """
    Yield the pages of the file at ``path`` one by one; an image has one.

    :param kind: What :func:`check_kind` returned.
    :raises JobError: if the file is damaged, protected, or over a limit.
    """
    if kind == "pdf":
        yield from _pdf_pages(path, limits)
    else:
        yield read_image(path, kind, limits)


def read_image(path: Path, kind: str, limits: Limits) -> Page:
    """
    Return the image at ``path``, upright as its EXIF data says, on white where it is transparent.

    :raises JobError: if it is damaged, has more than one TIFF page, or more than ``limits.max_pixels``.
    """
    try:
        with path.open("rb") as file:
            return _decoded(_opener(kind)(file), kind, limits)
    except (
        *_DAMAGE,
        Warning,
    ) as error:  # Pillow warns of some damage, and under pytest a warning may be an error
        raise JobError(
            f"The {kind.upper()} image cannot be decoded, it is damaged or cut short ({error}). Submit it again."
        ) from error


#: What Pillow raises, depending on the format and on what is broken.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error)


def _opener(kind: str) -> Callable[[Any], Any]:
    """Return Pillow's reader of one format; ``Image.open`` would warn by a global limit that is not ours."""
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    readers: dict[str, Callable[[Any], Any]] = {
        "bmp": BmpImagePlugin.BmpImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
    }
    return readers[kind]


def _decoded(image: Any, kind: str, limits: Limits) -> Page:
    from PIL import ImageOps

    warnings: tuple[str, ...] = ()
    width, height = image.size
    check_pixels(width, height, limits)
    frames = getattr(image, "n_frames", 1)
    if kind == "tiff" and frames > 1:
        raise JobError(
            f"The TIFF has {frames} pages; only TIFF files with a single page are read. Submit its pages one by one."
        )
    if frames > 1:
        warnings = (f"The {kind.upper()} has {frames} frames; only the first was used.",)
    dpi = _plausible_dpi(image.info.get("dpi"))
    image.load()
    return Page(_pixels(ImageOps.exif_transpose(image)), dpi, warnings)


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """
    Check a size in pixels before anything of that size is made.

    :raises JobError: if it is empty or over ``limits.max_pixels``.
    """
    if width < 1 or height < 1:
        raise JobError(f"The image has no pixels ({width} x {height}).")
    if width * height > limits.max_pixels:
        raise JobError(
            f"The image would have {width} x {height} pixels, more than this emulator's limit of {limits.max_pixels}. "
            "Submit a smaller one, or start the emulator with a higher limit."
        )


def _plausible_dpi(value: Any) -> float:
    try:
        dpi = float(value[1])
    except (TypeError, ValueError, LookupError, ZeroDivisionError):
        return _DEFAULT_DPI
    return dpi if 30 <= dpi <= 2400 else _DEFAULT_DPI


def _pixels(image: Any) -> Image:
    """Return any of Pillow's modes as 8 bits, grey or BGR, with transparency over white."""
    from PIL import Image as PillowImage

    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _eight_bits(np.asarray(image))
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        image = PillowImage.new("RGBA", image.size, "white")
        image.alpha_composite(with_alpha)
        image = image.convert("RGB")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    colours: Image = np.asarray(image.convert("RGB"))
    if _is_grey(colours):
        return np.ascontiguousarray(colours[:, :, 0])
    return np.ascontiguousarray(colours[:, :, ::-1])


def _is_grey(colours: Image) -> bool:
    first = colours[:, :, 0]
    return np.array_equal(first, colours[:, :, 1]) and np.array_equal(first, colours[:, :, 2])


def _eight_bits(values: Array) -> Image:
    """Scale 16 bits to 8; other number ranges are stretched over what they use."""
    numbers = values.astype(np.float32)
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and 255 < high <= 65535:
        low, high = 0.0, 65535.0
    scaled = (numbers - low) * (255.0 / max(high - low, 1e-6))
    result: Image = np.clip(scaled, 0, 255).astype(np.uint8)
    return result


def _pdf_pages(path: Path, limits: Limits) -> Iterator[Page]:
    import pypdfium2

    with _PDFIUM:
        document = _open_pdf(path)
    try:
        with _PDFIUM:
            count = len(document)
        if count == 0:
            raise JobError("The PDF has no pages.")
        if count > limits.max_pages:
            raise JobError(
                f"The PDF has {count} pages, more than this emulator's limit of {limits.max_pages}. "
                "Submit it in parts, or start the emulator with a higher limit."
            )
        for index in range(count):
            try:
                with _PDFIUM:
                    page = _rendered(document, index, limits)
            except pypdfium2.PdfiumError as error:
                raise JobError(f"Page {index + 1} of the PDF cannot be rendered: {error}") from error
            yield page
    finally:
        with _PDFIUM:
            document.close()


def _open_pdf(path: Path) -> Any:
    import pypdfium2
    import pypdfium2.raw

    try:
        return pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            raise JobError("The PDF is encrypted. Remove its password and submit it again.") from error
        raise JobError(f"The PDF cannot be opened, it is damaged or cut short ({error}).") from error


def _rendered(document: Any, index: int, limits: Limits) -> Page:
    """Render one page; a large one at the resolution at which it fits the limit."""
    page = document[index]
    try:
        _check_embedded_images(page, index, limits)
        width, height = page.get_size()
        if not (width > 0 and height > 0):
            raise JobError(f"Page {index + 1} of the PDF has no area.")
        # One pixel less on each side than would fit, because the size is rounded up.
        fitting = 72 * ((limits.max_pixels / (width * height)) ** 0.5) * 0.99
        dpi = min(float(PDF_DPI), fitting)
        if dpi < _LEAST_PDF_DPI:
            raise JobError(
                f"Page {index + 1} of the PDF is {width:.0f} x {height:.0f} points; even at {_LEAST_PDF_DPI} dpi "
                f"it has more than this emulator's limit of {limits.max_pixels} pixels."
            )
        bitmap = page.render(scale=dpi / 72, rev_byteorder=False)
        try:
            return Page(_from_bitmap(bitmap.to_numpy()), dpi, _reduced(index, dpi))
        finally:
            bitmap.close()
    finally:
        page.close()


def _reduced(index: int, dpi: float) -> tuple[str, ...]:
    if dpi == PDF_DPI:
        return ()
    return (
        f"Page {index + 1} of the PDF is so large that it was rendered at {dpi:.0f} instead of {PDF_DPI} dpi.",
    )


def _check_embedded_images(page: Any, index: int, limits: Limits) -> None:
    """Refuse a page with an image that pdfium would unpack to more pixels than allowed."""
    import pypdfium2.raw

    for item in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]):
        width, height = item.get_px_size()
        if width * height > limits.max_pixels:
            raise JobError(
                f"Page {index + 1} of the PDF holds an image of {width} x {height} pixels, more than this "
                f"emulator's limit of {limits.max_pixels}."
            )


def _from_bitmap(pixels: Image) -> Image:
    """Copy pdfium's BGR(x) bitmap, as grey where it is grey; the bitmap's memory ends with it."""
    colours = pixels[:, :, :3] if pixels.ndim == 3 else pixels
    if colours.ndim == 2 or colours.shape[2] == 1:
        return np.array(colours.reshape(colours.shape[:2]))
    if _is_grey(colours):
        return np.array(colours[:, :, 0])
    return np.array(colours)
