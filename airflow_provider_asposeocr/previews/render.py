"""
The program that renders the pages of a document; :mod:`.making` starts it as a separate process.

Invariant: the kernel limits the time and memory of the process, because the document is untrusted: a small file may
decompress to gigabytes, or crash a decoder. A page is announced only when its files are complete, so that the pages before a
crash can be used. The program imports nothing of the provider, and knows no credentials.
"""

from __future__ import annotations

import json
import resource
import sys
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

#: The formats of images that are decoded, by their names in Pillow.
_FORMATS = ("Bmp", "Gif", "Jpeg", "Png", "Tiff")
#: EXIF's tag for the orientation of an image, and the values with which width and height are exchanged.
_ORIENTATION, _ON_ITS_SIDE = 0x0112, frozenset({5, 6, 7, 8})
#: The first view of a page is to take at most 300 KB, of which its words and the files of the viewer take up to 80. So a
#: larger picture, of a page full of small print for example, is made again: with less quality, then with fewer pixels.
_MOST_PICTURE_BYTES = 220_000
#: Part of the longest side, and quality. The last one is kept, whatever it takes.
_TRIES = ((1.0, 70), (1.0, 50), (1.0, 30), (0.85, 30), (0.7, 30), (0.5, 30))
#: A fast one of the methods from 0 to 6.
_METHOD = 2


class Refused(Exception):
    """Raised to refuse a document; the text says why."""


def main(
    source: str,
    folder: str,
    most_pages: int,
    most_pixels: int,
    sides: tuple[int, int],
    most_seconds: int,
    most_bytes: int,
) -> None:
    """
    Write the pictures of a document's pages, ``<number>.webp`` and ``<number>-small.webp``, and announce each page.

    :param source: The document, a local file.
    :param folder: Existing local folder for the pictures.
    :param most_pages: Most pages that are rendered, from the first one on.
    :param most_pixels: Most pixels of an image that is decoded.
    :param sides: Longest side of a picture and of a small picture, in pixels.
    :param most_seconds: Processor time for the whole document.
    :param most_bytes: Address space of this process.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (most_seconds, most_seconds))
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open(source, "rb") as file:
            is_pdf = b"%PDF-" in file.read(1024)
        pages = _pdf_pages(source, most_pages, sides[0]) if is_pdf else _image(source, most_pixels, sides[0])
        for number, (total, size, picture) in enumerate(pages, 1):
            Path(folder, f"{number}.webp").write_bytes(_encoded(picture))
            picture.thumbnail((sides[1], sides[1]))
            Path(folder, f"{number}-small.webp").write_bytes(_encoded(picture))
            _say({"number": number, "width": size[0], "height": size[1], "of": total})
        _say({"end": True})
    except Refused as refusal:
        _say({"refused": str(refusal)})
    except MemoryError:
        _say({"refused": "It needs more memory than a preview may take."})
    except Exception as error:  # A decoder may raise any exception.
        _say({"refused": f"It cannot be decoded ({type(error).__name__})."})


def _encoded(picture: Image) -> bytes:
    """Return a picture as WebP, of at most :data:`_MOST_PICTURE_BYTES` if the tries suffice."""
    content = b""
    for part, quality in _TRIES:
        smaller = picture
        if part < 1:
            smaller = picture.copy()
            smaller.thumbnail((picture.width * part, picture.height * part))
        output = BytesIO()
        smaller.save(output, "WEBP", quality=quality, method=_METHOD)
        content = output.getvalue()
        if len(content) <= _MOST_PICTURE_BYTES:
            break
    return content


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def _image(source: str, most_pixels: int, side: int) -> Iterator[tuple[int, tuple[int, int], Image]]:
    """Yield the one page of an image: number of pages, size of the page in pixels, and its picture."""
    from PIL import Image as Pillow
    from PIL import ImageOps, UnidentifiedImageError

    Pillow.MAX_IMAGE_PIXELS = most_pixels
    for name in _FORMATS:
        import_module(f"PIL.{name}ImagePlugin")
    try:
        image = Pillow.open(source, formats=[name.upper() for name in _FORMATS])
    except (
        Pillow.DecompressionBombError
    ) as error:  # Pillow itself refuses an image far above the limit, before its size can be read.
        raise Refused(f"It has more than the {most_pixels} pixels of which a preview is made.") from error
    except UnidentifiedImageError as error:
        raise Refused("It is no BMP, GIF, JPEG, PNG, TIFF or PDF.") from error
    with image:
        width, height = image.size
        if width * height > most_pixels:
            raise Refused(
                f"It has {width} x {height} pixels, more than the {most_pixels} of which a preview is made."
            )
        if image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE:
            width, height = height, width
        image.draft("RGB", (side, side))  # A JPEG can be decoded at a smaller size.
        turned = ImageOps.exif_transpose(image)
        picture = _plain(turned)
    picture.thumbnail((side, side), reducing_gap=2.0)
    yield 1, (width, height), picture


def _plain(image: Image) -> Image:
    """Return an image in grey or in RGB, with transparency replaced by white."""
    from PIL import Image as Pillow

    if image.mode.startswith("I"):  # 16 bits per pixel
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Pillow.new("RGB", image.size, "white")
        paper.paste(image, mask=image.getchannel("A"))
        return paper
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _pdf_pages(source: str, most_pages: int, side: int) -> Iterator[tuple[int, tuple[int, int], Image]]:
    """Yield the pages of a PDF: number of pages, size of the page as it is rendered, and its picture."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(source)
    except pypdfium2.PdfiumError as error:
        raise Refused("The PDF cannot be opened: it is encrypted, damaged or cut short.") from error
    total = len(document)
    for index in range(min(total, most_pages)):
        page = document[index]
        longest = max(page.get_size())
        if not longest > 0:
            raise Refused(f"Page {index + 1} of the PDF has no area.")
        bitmap = page.render(scale=side / longest)
        picture = bitmap.to_pil().convert("RGB")
        picture.thumbnail((side, side))  # The size is rounded up.
        yield total, picture.size, picture
        bitmap.close()
        page.close()


if __name__ == "__main__":
    _source, _folder, *_numbers = sys.argv[1:]
    _pages, _pixels, _side, _small, _seconds, _bytes = map(int, _numbers)
    main(_source, _folder, _pages, _pixels, (_side, _small), _seconds, _bytes)
