"""
Decode a submitted file to pages of pixels.

Invariant: the size in the file's header is checked against the limits before any pixel is decoded. Only the formats that the
vendor documents are decoded. Pages are decoded one at a time.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any

from airflow_provider_asposeocr.api.files.file_kinds import has_several_pages, sniff_file
from airflow_provider_asposeocr.emulator.work.imaging.limits import check_pixels
from airflow_provider_asposeocr.emulator.work.imaging.pages import Page
from airflow_provider_asposeocr.emulator.work.imaging.pdf_pages import pdf_pages
from airflow_provider_asposeocr.emulator.work.imaging.pixels import deep_colours, pixels_of
from airflow_provider_asposeocr.emulator.work.imaging.resolution import resolution_of
from airflow_provider_asposeocr.emulator.work.jobs import JobError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_asposeocr.emulator.work.imaging.limits import Limits

#: EXIF's tag for the orientation of an image, and the values with which width and height are exchanged.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, frozenset({5, 6, 7, 8})

#: Most scans of a progressive JPEG; encoders make about ten.
_MAX_JPEG_SCANS = 100


#: Kinds of file that no operation reads as an image.
_NO_IMAGES = frozenset({"html", "json", "text", "zip"})


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
            "The emulator does not render SVG files, although the cloud reads them. Submit a PNG of it."
        )
    return kind


def read_pages(path: Path, kind: str, limits: Limits) -> Iterator[Page]:
    """
    Yield the pages of the file at ``path`` one by one; an image has one page.

    :param kind: What :func:`check_kind` returned.
    :raises JobError: if the file is damaged, protected, or over a limit.
    """
    if kind == "pdf":
        yield from pdf_pages(path, limits)
    else:
        yield read_image(path, kind, limits)


def read_image(path: Path, kind: str, limits: Limits) -> Page:
    """
    Return the image at ``path``, turned as its EXIF data says, with transparency replaced by white.

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
    ) as error:  # Pillow warns about some damage, and under pytest a warning may be an error.
        raise JobError(
            f"The {kind.upper()} image cannot be decoded, it is damaged or cut short ({error}). Submit it again."
        ) from error


#: The errors of Pillow, depending on the format and on the damage.
_DAMAGE = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error)


def _check_scans(path: Path) -> None:
    """Refuse a JPEG with too many scans: each costs a pass over all pixels, and only a few bytes in the file."""
    scans = path.read_bytes().count(b"\xff\xda")
    if scans > _MAX_JPEG_SCANS:
        raise JobError(
            f"The JPEG image has {scans} scans, more than the {_MAX_JPEG_SCANS} that the emulator decodes. "
            "Submit it with fewer."
        )


def _opener(kind: str) -> Callable[[Any], Any]:
    """Return Pillow's reader of one format, because ``Image.open`` would apply Pillow's global limit."""
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
    # Before Pillow reads the EXIF data, which in a PNG may come after the pixels.
    image = deep_colours(image, data) or image
    if image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE:
        resolution = resolution.turned()
    image.load()
    pixels, more_warnings = pixels_of(ImageOps.exif_transpose(image))
    return Page(pixels, resolution, warnings + more_warnings)
