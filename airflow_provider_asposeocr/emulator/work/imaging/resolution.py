"""
Pixels per inch of a page, in both directions.

A fax has twice as many pixels per inch across as down. With one number for both, its page is too long or too short and
its letters are squashed.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Resolution of an image that does not tell its own; it decides the paper size in a PDF and nothing else.
DEFAULT_DPI = 96.0
#: What is taken for a resolution; enlarged twice, a scan of 2400 dpi has 9600.
_LEAST_DPI, _MOST_DPI = 30.0, 10_000.0
#: Most times that a pixel is longer than wide, or wider than long.
_MOST_RATIO = 4.0
_METRES_PER_INCH = 0.0254
#: Where a PNG's first chunk ends: a signature of 8 bytes, then ``IHDR`` with 13 bytes of data.
_AFTER_HEADER = 33


class Resolution(NamedTuple):
    """
    Pixels per inch.

    :param x: Across.
    :param y: Down.
    """

    x: float
    y: float

    @property
    def is_square(self) -> bool:
        """Whether pixels are as long as wide, within 1 %: headers round."""
        return abs(self.x - self.y) <= 0.01 * max(self)

    def scaled(self, factor: float) -> Resolution:
        """Return the resolution of an image that was enlarged by ``factor``."""
        return Resolution(self.x * factor, self.y * factor)

    def turned(self) -> Resolution:
        """Return the resolution after a quarter turn."""
        return Resolution(self.y, self.x)


def resolution_of(info: Mapping[str, Any]) -> Resolution:
    """
    Return the resolution that a file tells.

    :param info: What Pillow read from the file's header.
    :return: The resolution; what is missing or cannot be true is replaced by :data:`DEFAULT_DPI`.
    """
    if pair := _pair(info.get("dpi"), _LEAST_DPI):
        return Resolution(*pair)
    # Without a unit, two numbers still tell the shape of a pixel: a PNG's, a TIFF's, a JPEG's.
    for key in ("aspect", "resolution", "jfif_density"):
        if key == "jfif_density" and info.get("jfif_unit") != 0:
            continue
        if pair := _pair(info.get(key), 0.0):
            return Resolution(*(DEFAULT_DPI * number / max(pair) for number in pair))
    return Resolution(DEFAULT_DPI, DEFAULT_DPI)


def _pair(value: Any, least: float) -> tuple[float, float] | None:
    """Return two numbers between ``least`` and the most that make a sensible pixel, or ``None``."""
    try:
        x, y = float(value[0]), float(value[1])
    except (TypeError, ValueError, LookupError, ZeroDivisionError):
        return None
    if not least <= min(x, y) <= max(x, y) <= _MOST_DPI or min(x, y) <= 0:
        return None
    return (x, y) if max(x, y) <= _MOST_RATIO * min(x, y) else None


def png_with_resolution(png: bytes, resolution: Resolution) -> bytes:
    """
    Return a PNG that tells its resolution.

    :param png: A PNG without the chunk ``pHYs``.
    :param resolution: What it tells; the format has whole pixels per metre.
    """
    per_metre = (round(dpi / _METRES_PER_INCH) for dpi in resolution)
    content = b"pHYs" + struct.pack(">IIB", *per_metre, 1)
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    return png[:_AFTER_HEADER] + chunk + png[_AFTER_HEADER:]
