"""
From the bytes of a submitted file to pages of pixels.

Invariant: no pixel is decoded before the file's own header was checked against the limits, only the formats that the
cloud documents are decoded, and pages are handed out one at a time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.files.file_kinds import has_several_pages, sniff_file
from airflow_provider_asposeocr.emulator.work.imaging.pixels import deep_colours, pixels_of
from airflow_provider_asposeocr.emulator.work.imaging.resolution import Resolution, resolution_of
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.engines.base import Image

#: EXIF's tag for how an image is turned, and the values with which width and height change places.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, frozenset({5, 6, 7, 8})

#: Passes over a progressive JPEG; encoders make about ten.
_MAX_JPEG_SCANS = 100


#: Kinds of file that no operation reads as an image.
_NO_IMAGES = frozenset({"html", "json", "text", "zip"})


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
    :param resolution: Pixels per inch.
    :param warnings: What the user should know about how it was decoded.
    """

    image: Image
    resolution: Resolution
    warnings: tuple[str, ...] = ()


def check_kind(path: Path, accepted: frozenset[str], operation: str) -> str:
    """
    Return the kind of the file at ``path``.

    :param accepted: The kinds that the operation reads.
    :raises JobError: if the file is empty, of no known kind, or of a kind that is not accepted or not rendered.
    """
    if not path.stat().st_size:
        raise JobError("The submitted file is empty. Send the bytes of an image or a PDF.")
    kind = sniff_file(path)
    if kind is None or kind in _NO_IMAGES:
        raise JobError(
            "The submitted file is not an image: its first bytes belong to none of BMP, GIF, JPEG, PNG, TIFF, PDF."
        )
    if kind == "bigtiff":
        raise JobError("The submitted file is a BigTIFF. Save it as an ordinary TIFF or a PNG.")
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
        from airflow_provider_asposeocr.emulator.work.imaging.pdf_pages import pdf_pages

        yield from pdf_pages(path, limits)
    else:
        yield read_image(path, kind, limits)


def read_image(path: Path, kind: str, limits: Limits) -> Page:
    """
    Return the image at ``path``, upright as its EXIF data says, on white where it is transparent.

    :raises JobError: if it is damaged, has more than one TIFF page, or more than ``limits.max_pixels``.
    """
    from PIL import Image as PillowImage

    if kind == "jpeg":
        _check_scans(path)
    if kind == "tiff" and has_several_pages(path):
        raise JobError(
            "The TIFF has several pages; only TIFF files with a single page are read. Submit its pages one by one."
        )
    try:
        with path.open("rb") as file:
            return _decoded(file, kind, limits)
    except PillowImage.DecompressionBombError as error:  # a GIF's frame may be larger than its screen
        raise JobError(
            f"The {kind.upper()} image has a frame that is too large to be decoded ({error})."
        ) from error
    except (
        *_DAMAGE,
        Warning,
    ) as error:  # Pillow warns of some damage, and under pytest a warning may be an error
        raise JobError(
            f"The {kind.upper()} image cannot be decoded, it is damaged or cut short ({error}). Submit it again."
        ) from error


#: What Pillow raises, depending on the format and on what is broken.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error)


def _check_scans(path: Path) -> None:
    """Refuse a JPEG that is painted over again and again: each scan costs a pass over all pixels and a few bytes."""
    scans = path.read_bytes().count(b"\xff\xda")
    if scans > _MAX_JPEG_SCANS:
        raise JobError(
            f"The JPEG image has {scans} scans, more than the {_MAX_JPEG_SCANS} that the emulator decodes. "
            "Submit it with fewer."
        )


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


def _decoded(data: IO[bytes], kind: str, limits: Limits) -> Page:
    from PIL import ImageOps

    image = _opener(kind)(data)
    warnings: tuple[str, ...] = ()
    width, height = image.size
    check_pixels(width, height, limits)
    if kind != "tiff" and getattr(image, "is_animated", False):
        warnings = (f"The {kind.upper()} has several frames; only the first was used.",)
    resolution = resolution_of(image.info)
    # Before Pillow looks for EXIF data, which in a PNG may stand behind the pixels.
    image = deep_colours(image, data) or image
    if image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE:
        resolution = resolution.turned()
    image.load()
    pixels, more_warnings = pixels_of(ImageOps.exif_transpose(image))
    return Page(pixels, resolution, warnings + more_warnings)


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
