"""
How the viewer treats a file by its suffix: whether it shows it, with which content type, and up to which size. Pure.

Invariant: a content type comes from this table. Neither a name, which a user may have written, nor the cloud can choose
another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

#: Largest file of each kind that is sent, in bytes.
MOST_IMAGE_BYTES = 32 * 1024 * 1024
MOST_TEXT_BYTES = 2 * 1024 * 1024
MOST_DOWNLOAD_BYTES = 256 * 1024 * 1024

_PLAIN = "text/plain; charset=utf-8"

KindName = Literal["image", "text", "hocr", "json", "other"]


@dataclass(frozen=True)
class Kind:
    """
    One kind of file.

    :param name: What the page does with it; it shows all but ``other``, which it offers as a download.
    :param content_type: As which type it is sent.
    :param most_bytes: A larger file is not sent.
    """

    name: KindName
    content_type: str
    most_bytes: int

    @property
    def is_text(self) -> bool:
        """Whether it is sent as a text."""
        return self.content_type == _PLAIN


def _image(subtype: str) -> Kind:
    return Kind("image", f"image/{subtype}", MOST_IMAGE_BYTES)


_OTHER = Kind("other", "application/octet-stream", MOST_DOWNLOAD_BYTES)
#: By suffix. hOCR is HTML, and is sent as a text: a browser must never show it as a page.
_BY_SUFFIX = {
    ".png": _image("png"),
    ".jpg": _image("jpeg"),
    ".jpeg": _image("jpeg"),
    ".jpe": _image("jpeg"),
    ".jfif": _image("jpeg"),
    ".gif": _image("gif"),
    ".bmp": _image("bmp"),
    ".dib": _image("bmp"),
    ".webp": _image("webp"),
    # In an img element, a browser runs no script of an SVG and loads nothing for it.
    ".svg": _image("svg+xml"),
    ".txt": Kind("text", _PLAIN, MOST_TEXT_BYTES),
    ".csv": Kind("text", _PLAIN, MOST_TEXT_BYTES),
    ".hocr": Kind("hocr", _PLAIN, MOST_TEXT_BYTES),
    ".json": Kind("json", _PLAIN, MOST_TEXT_BYTES),
    ".pdf": Kind("other", "application/pdf", MOST_DOWNLOAD_BYTES),
}


def kind_of(uri: str) -> Kind:
    """
    Return the kind of a file.

    :param uri: Its URI or path. Only the suffix counts.
    """
    return _BY_SUFFIX.get(PurePosixPath(uri).suffix.lower(), _OTHER)
